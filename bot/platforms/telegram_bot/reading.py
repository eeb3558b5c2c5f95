"""Translates Telegram's messages into Haven's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from telegram import (
    Message as TelegramMessage,
)
from telegram import (
    MessageEntity,
    MessageOriginUser,
    User,
)
from telegram.constants import MessageEntityType

from bot.archives import media
from bot.archives.export import recipients, sound
from classifiers.conversation import Account, Message

NAME = "telegram"
UNKNOWN = Account(NAME, "unknown")
"""Whom an @name at the beginning of a message addresses that nobody wrote under: somebody, and none of the others."""
_REMEMBERED = 50_000
_QUOTES = (MessageEntityType.BLOCKQUOTE, MessageEntityType.EXPANDABLE_BLOCKQUOTE)
_MENTIONS = (MessageEntityType.MENTION, MessageEntityType.TEXT_MENTION)
_SOMEBODY = "@somebody".encode("utf-16-le")
_MEDIA = (
    ("photo", media.PHOTO),
    ("video", media.VIDEO),
    ("video_note", media.VIDEO),
    ("animation", media.VIDEO),
    ("voice", media.AUDIO),
    ("audio", media.AUDIO),
    ("sticker", media.STICKER),
    ("document", media.FILE),
)


class Usernames:
    """Whose @name is whose, of the people who wrote lately; in memory only."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, str] = OrderedDict()
        self._names: dict[str, str] = {}

    def note(self, user: User) -> None:
        """Remember the present @name of somebody who wrote; the one before may be another's by now."""
        id, name = str(user.id), (user.username or "").lower()
        before = self._names.pop(id, name)
        if before != name and self._ids.get(before) == id:
            del self._ids[before]
        if name and not user.is_bot:
            self._names.pop(self._ids.get(name, ""), None)
            self._ids[name], self._names[id] = id, name
            self._ids.move_to_end(name)
            if len(self._ids) > _REMEMBERED:
                self._names.pop(self._ids.popitem(last=False)[1], None)

    def account(self, mention: str) -> Account | None:
        """Return the account that an @name belongs to, None for one that has not written."""
        id = self._ids.get(mention.lstrip("@").lower())
        return Account(NAME, id) if id else None


def account(user: User) -> Account:
    """Return the account of a user."""
    return Account(NAME, str(user.id))


def topic_of(message: TelegramMessage) -> int | None:
    """Return the topic that an answer to a message belongs in."""
    return message.message_thread_id if message.is_topic_message else None


def channel_of(message: TelegramMessage) -> str:
    """Return where a conversation happens: the chat, or one topic of it."""
    topic = topic_of(message)
    return f"{message.chat.id}/{topic}" if topic else str(message.chat.id)


def to_message(message: TelegramMessage, usernames: Usernames, space: str | None = None) -> Message | None:
    """Translate what a member wrote or edited; None for bots, anonymous admins, channel posts and what has no words.

    Quotes and forwards of others are kept apart from the author's own words. Who writes as a channel of theirs is that
    channel, as Telegram says no more. `space` is the chat, unless given.
    """
    for joined in message.new_chat_members:
        usernames.note(joined)
    author = _author(message)
    if author is None:
        return None
    if message.from_user:
        usernames.note(message.from_user)
    if message.reply_to_message and message.reply_to_message.from_user:
        usernames.note(message.reply_to_message.from_user)
    own, quoted = parted(message)
    forwarded = message.forward_origin is not None and origin(message) != author
    if forwarded:
        own, quoted = "", "\n".join(filter(None, [own, quoted]))
    elif message.quote:
        quoted = "\n".join(filter(None, [sound(message.quote.text), quoted]))
    if not own and not quoted:
        return None
    return Message(
        id=str(message.message_id),
        space=space or str(message.chat.id),
        channel=channel_of(message),
        author=author,
        text=own,
        sent_at=message.edit_date or message.date,
        to=recipients(author, [] if forwarded else _named(message, usernames)),
        quoted=quoted,
        forwarded=forwarded,
    )


def _author(message: TelegramMessage) -> Account | None:
    """Return who chose the words of a message, with or without the help of a bot; None for who is no member."""
    hidden, user = message.sender_chat, message.from_user
    if message.is_automatic_forward or (hidden and hidden.id == message.chat.id):
        return None
    if hidden:
        return Account(NAME, str(hidden.id))
    return account(user) if user and not user.is_bot else None


def parted(message: TelegramMessage) -> tuple[str, str]:
    """Return a message's words, with one for each file, and apart from them the lines that it shows as quotes.

    Whoever is mentioned is @somebody, so that names are kept nowhere.
    """
    units, entities = _written(message)
    own, quotes, end = [], [], 0
    for entity in sorted(entities, key=lambda entity: entity.offset):
        start, stop = 2 * entity.offset, 2 * (entity.offset + entity.length)
        if start < end or entity.type not in (*_QUOTES, *_MENTIONS):
            continue
        own.append(units[end:start])
        if entity.type in _QUOTES:
            quotes.append(units[start:stop])
        else:
            own.append(_SOMEBODY)
        end = stop
    own.append(units[end:])
    files = [word for name, word in _MEDIA if getattr(message, name)]
    if message.animation and message.document:
        files.remove(media.FILE)
    written = b"".join(own).decode("utf-16-le", "replace").strip()
    written = "\n".join(filter(None, [written, *map(sound, _filled_in(message))]))
    return media.append(written, files), b"\n\0".join(quotes).decode("utf-16-le", "replace")


def _filled_in(message: TelegramMessage) -> Iterator[str]:
    """Yield the words of what has a form: a poll, a checklist, a place, somebody's contact."""
    if message.poll:
        yield from (message.poll.question, *(option.text for option in message.poll.options))
    if message.checklist:
        yield from (message.checklist.title, *(task.text for task in message.checklist.tasks))
    if message.venue:
        yield from (message.venue.title, message.venue.address)
    if message.contact:
        yield from filter(None, (message.contact.first_name, message.contact.last_name))


def _written(message: TelegramMessage) -> tuple[bytes, Sequence[MessageEntity]]:
    """Return text or caption in the units that entities are counted in, and the entities."""
    text, entities = (
        (message.text, message.entities) if message.text else (message.caption or "", message.caption_entities)
    )
    return text.encode("utf-16-le", "surrogatepass"), entities


def origin(message: TelegramMessage) -> Account | None:
    """Return who wrote what a message forwards, None where Telegram does not say or it is no forward."""
    source = message.forward_origin
    return account(source.sender_user) if isinstance(source, MessageOriginUser) else None


def _named(message: TelegramMessage, usernames: Usernames) -> list[Account]:
    """Return whom a message answers, then whom it mentions; first `UNKNOWN` if it begins with an unknown @name."""
    unknown, named = [], []
    units, entities = _written(message)
    for entity in entities:
        words = units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le", "replace")
        if entity.type == MessageEntityType.TEXT_MENTION and entity.user and not entity.user.is_bot:
            named.append(account(entity.user))
        elif entity.type == MessageEntityType.MENTION and (found := usernames.account(words)):
            named.append(found)
        elif entity.type == MessageEntityType.MENTION and entity.offset == 0:
            unknown = [UNKNOWN]
    answered = message.reply_to_message
    if answered and answered.forum_topic_created:
        answered = None  # what stands in a topic answers nobody by itself
    if answered and answered.from_user and not answered.from_user.is_bot and not answered.sender_chat:
        named = [account(answered.from_user), *named]
    return unknown + named


def command_of(message: TelegramMessage, entities: Sequence[MessageEntity], username: str) -> tuple[str, str] | None:
    """Return the command that a message begins with and what follows it; None for none, another's or a forward."""
    first = next((one for one in entities if one.type == MessageEntityType.BOT_COMMAND and one.offset == 0), None)
    if first is None or not message.text or message.forward_origin or message.via_bot:
        return None
    text = sound(message.text)
    name, _, whose = text[1 : first.length].partition("@")
    if whose and whose.lower() != username.lower():
        return None
    return name.lower(), text[first.length :].strip()
