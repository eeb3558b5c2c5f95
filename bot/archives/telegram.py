"""Telegram Desktop's result.json, of one chat or of a whole account."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePath

from bot.archives import media
from bot.archives.dates import START, from_iso, from_unix
from bot.archives.export import Conversation, Entry, Format, Recent, label, members, recipients
from bot.archives.jsonstream import Cursor, outline
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

_CHATS = frozenset({"chats", "left_chats"})
_ACCOUNT = _CHATS | {"personal_information", "profile_pictures", "frequent_contacts", "web_sessions"}
_CHAT_TYPES = frozenset(
    f"type={type_}"
    for type_ in (
        *("personal_chat", "bot_chat", "saved_messages", "replies", "private_group", "private_supergroup"),
        *("public_supergroup", "private_channel", "public_channel"),
    )
)
_WORDS = {
    "sticker": media.STICKER,
    "animation": media.VIDEO,
    "video_file": media.VIDEO,
    "video_message": media.VIDEO,
    "audio_file": media.AUDIO,
    "voice_message": media.AUDIO,
}


def _recognises(_filename: str, head: bytes) -> bool:
    keys = outline(head)
    return bool(keys & (_ACCOUNT | _CHAT_TYPES | {"messages.date_unixtime", "messages.from_id"}))


def _read(text: io.BufferedReader, source: str) -> Iterator[Conversation]:
    cursor = Cursor(text, source)
    stem = PurePath(source).stem
    described: dict[str, object] = {}
    found = False
    for key in cursor.members():
        if key in _ACCOUNT:
            found = True
        if key in _CHATS:
            yield from _chats(cursor, stem)
        elif key == "messages":
            found = True
            yield _conversation(cursor, described, stem)
        elif key in ("id", "name", "type"):
            described[key] = cursor.value()
    if not found:
        raise InputError(f"{source}: not a Telegram export: it has no chats")


def _chats(cursor: Cursor, stem: str) -> Iterator[Conversation]:
    for key in cursor.members():
        if key != "list":
            continue
        for number, _ in enumerate(cursor.items(), 1):
            described: dict[str, object] = {}
            for inner in cursor.members():
                if inner == "messages":
                    yield _conversation(cursor, described, f"{stem}:{number}")
                elif inner in ("id", "name", "type"):
                    described[inner] = cursor.value()


def _conversation(cursor: Cursor, described: dict[str, object], fallback: str) -> Conversation:
    chat = label(described.get("id"))
    kind = "Saved Messages" if described.get("type") == "saved_messages" else None
    name = label(described.get("name")) or kind or chat or fallback
    return Conversation(name, _entries(cursor, chat or fallback))


def _entries(cursor: Cursor, chat: str) -> Iterator[Entry]:
    recent = Recent()
    sent_at = START
    position = 0
    for _ in cursor.items():
        message = cursor.value()
        if not isinstance(message, dict) or (label(message.get("type")) or "message") != "message":
            continue
        author = _account(message.get("from_id"))
        sent_at = from_unix(message.get("date_unixtime")) or from_iso(message.get("date")) or sent_at
        forwarded = "forwarded_from" in message
        text, quoted, named = _text(message.get("text"))
        text = media.append(text, _words(message))
        if forwarded:
            text, quoted = "", "\n".join(filter(None, [quoted, text]))
        if "reply_to_peer_id" not in message:
            named = [*recent.author(label(message.get("reply_to_message_id"))), *named]
        recent.add(label(message.get("id")), author)
        yield Entry(
            Message(
                id=str(position),
                space=chat,
                channel=chat,
                author=author,
                text=text,
                sent_at=sent_at,
                to=recipients(author, named),
                quoted=quoted,
                forwarded=forwarded,
            ),
            label(message.get("from")) or "Deleted Account",
        )
        position += 1


def _account(value: object) -> Account:
    """Return the account of "user123", 123 or "channel123"; people go by their number."""
    return Account("telegram", (label(value) or "deleted").removeprefix("user"))


def _text(value: object) -> tuple[str, str, list[Account]]:
    """Part a text into what is written, what is quoted and whom it names by number."""
    parts = value if isinstance(value, list) else [value]
    written: list[str] = []
    quoted: list[str] = []
    named: list[Account] = []
    for part in parts:
        entity = members(part)
        words = part if isinstance(part, str) else entity.get("text")
        if not isinstance(words, str):
            continue
        (quoted if entity.get("type") == "blockquote" else written).append(words)
        if entity.get("type") == "mention_name" and label(entity.get("user_id")):
            named.append(_account(entity["user_id"]))
    return "".join(written).strip(), "\n".join(quoted), named


def _words(message: dict[str, object]) -> list[str]:
    kind = message.get("media_type")
    if isinstance(kind, str) and kind in _WORDS:
        return [_WORDS[kind]]
    if "photo" in message:
        return [media.PHOTO]
    if "file" in message:
        name = label(message.get("file_name")) or label(message["file"]) or ""
        return [media.word(name, label(message.get("mime_type")) or "")]
    return []


FORMAT = Format("telegram", "a Telegram export", _recognises, _read)
