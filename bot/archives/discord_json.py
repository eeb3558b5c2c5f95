"""Discord servers and direct messages as DiscordChatExporter writes them in JSON."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePath
from typing import NamedTuple

from bot.archives import media
from bot.archives.dates import START, from_iso
from bot.archives.export import Conversation, Entry, Format, Recent, label, members, objects, recipients
from bot.archives.jsonstream import Cursor, outline
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

PLATFORM = "discord"
CALLED = "a Discord export"

# Kinds that the exporter knows no name for come as Discord's numbers.
_WRITTEN = frozenset({"Default", "Reply", "ThreadStarterMessage", "0", "19", "21"})
DELETED = ("deleted", "Deleted User")


class _Place(NamedTuple):
    name: str
    space: str
    channel: str


def _recognises(_filename: str, head: bytes) -> bool:
    keys = outline(head)
    return keys >= {"guild", "channel"} or keys >= {"messages.author", "messages.timestamp"}


def _read(text: io.BufferedReader, source: str) -> Iterator[Conversation]:
    cursor = Cursor(text, source)
    guild: dict[str, object] = {}
    channel: dict[str, object] = {}
    found = False
    for key in cursor.members():
        if key == "guild":
            guild = members(cursor.value())
        elif key == "channel":
            channel = members(cursor.value())
        elif key == "messages":
            found = True
            place = _place(guild, channel, PurePath(source).stem)
            yield Conversation(place.name, _entries(cursor, place))
    if not found:
        raise InputError(f'{source}: not a Discord export: it has no "messages"')


def _place(guild: dict[str, object], channel: dict[str, object], fallback: str) -> _Place:
    names = [name for place in (guild, channel) if (name := label(place.get("name")))]
    name = " / ".join(names) or fallback
    return _Place(name, label(guild.get("id")) or name, label(channel.get("id")) or name)


def _entries(cursor: Cursor, place: _Place) -> Iterator[Entry]:
    recent = Recent()
    sent_at = START
    position = 0
    for _ in cursor.items():
        message = cursor.value()
        if not isinstance(message, dict) or (label(message.get("type")) or "Default") not in _WRITTEN:
            continue
        user = members(message.get("author"))
        if user.get("isBot") is True:
            continue
        author = _account(user)
        sent_at = from_iso(message.get("timestamp")) or sent_at
        reference = members(message.get("reference"))
        snapshots = _snapshots(message)
        forwarded = bool(snapshots) or reference.get("type") == "Forward"
        named = [_account(mention) for mention in objects(message.get("mentions"))]
        if not forwarded:
            named = [*recent.author(label(reference.get("messageId"))), *named]
        recent.add(label(message.get("id")), author)
        text, quoted = unquote(_content(message))
        yield Entry(
            Message(
                id=str(position),
                space=place.space,
                channel=place.channel,
                author=author,
                text=media.append(text, _words(message)),
                sent_at=sent_at,
                to=recipients(author, named),
                quoted="\n".join(filter(None, [quoted, *map(_forwarded, snapshots)])),
                forwarded=forwarded,
            ),
            label(user.get("nickname")) or label(user.get("name")) or DELETED[1],
        )
        position += 1


def unquote(content: str) -> tuple[str, str]:
    """Part what an author writes from the lines that Discord shows as quotes."""
    written: list[str] = []
    quoted: list[str] = []
    to_the_end = False
    for line in content.split("\n"):
        if to_the_end:
            quoted.append(line)
        elif line.startswith(">>> "):
            to_the_end = True
            quoted.append(line[4:])
        elif line.startswith("> "):
            quoted.append(line[2:])
        else:
            written.append(line)
    return "\n".join(written).strip(), "\n".join(quoted)


def _account(user: dict[str, object]) -> Account:
    return Account(PLATFORM, label(user.get("id")) or label(user.get("name")) or DELETED[0])


def _content(message: dict[str, object]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _words(message: dict[str, object]) -> list[str]:
    files = [
        label(item.get("fileName")) or label(item.get("url")) or "" for item in objects(message.get("attachments"))
    ]
    return [*map(media.word, files), *(media.STICKER for _ in objects(message.get("stickers")))]


def _snapshots(message: dict[str, object]) -> list[dict[str, object]]:
    forwarded = message.get("forwardedMessage")
    if isinstance(forwarded, dict):
        return [forwarded]
    return [members(item.get("message")) or item for item in objects(message.get("messageSnapshots"))]


def _forwarded(snapshot: dict[str, object]) -> str:
    return media.append(_content(snapshot), _words(snapshot))


FORMAT = Format(PLATFORM, CALLED, _recognises, _read)
