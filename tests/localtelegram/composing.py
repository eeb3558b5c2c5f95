"""Messages as people write them: mentions, replies, quotes, forwards, photos, topics, and writing as a chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localtelegram.entities import JSON, entity, found, parse_html, trimmed, units
from localtelegram.state import Chat, Message, User
from localtelegram.world import World

Origin = str | User | Chat | Message
_PHOTO = b"\xff\xd8\xff\xe0 a photo \xff\xd9"


def origin_of(world: World, source: Origin, at: int) -> JSON:
    """Return the MessageOrigin of a forward: a name hides the account."""
    if isinstance(source, str):
        return {"type": "hidden_user", "date": at, "sender_user_name": source}
    if isinstance(source, User):
        return {"type": "user", "date": at, "sender_user": source.payload()}
    if isinstance(source, Message):
        kept: JSON = source.extra.get("forward_origin") or source.origin()
        return kept
    if source.kind == "channel":
        return {"type": "channel", "date": at, "chat": source.payload(), "message_id": source.last_id + 1}
    return {"type": "chat", "date": at, "sender_chat": source.payload()}


def read(text: str, mentions: Sequence[User], entities: Sequence[JSON], *, html: bool) -> tuple[str, list[JSON]]:
    """Return a text with its entities, the names of those mentioned among them."""
    if html:
        text, made = parse_html(text)
    else:
        text, made = trimmed(text, list(entities))
    for user in mentions:
        name = f"@{user.username}" if user.username and f"@{user.username}" in text else user.name
        assert name in text, f"the text does not name {user.name}"
        if not name.startswith("@"):
            start = text.index(name)
            made.append(entity("text_mention", text, start, start + len(name), user=user.payload()))
    return text, found(text, made)


def compose(
    world: World,
    chat: Chat,
    author: User | None,
    text: str,
    *,
    reply_to: Message | None = None,
    mentions: Sequence[User] = (),
    topic: int | None = None,
    as_chat: Chat | None = None,
    forward_of: Origin | None = None,
    quote: str | None = None,
    photo_caption: str | None = None,
    entities: Sequence[JSON] = (),
    html: bool = False,
    at: int | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Message:
    """Make a message and put it into its chat."""
    now = at or world.now()
    if isinstance(forward_of, Message) and not text:
        text, entities = forward_of.text, forward_of.entities
    shown, made = read(text if photo_caption is None else photo_caption, mentions, entities, html=html)
    assert shown or extra or photo_caption is not None, "the message is empty"
    sender: User | None = author
    if chat.kind == "channel":
        as_chat, sender = chat, None
    elif as_chat is not None:
        sender = world.anonymous if as_chat is chat else world.as_channel
    message = Message(chat, chat.new_id(), sender, now, shown, made, as_chat, reply_to, topic)
    fields = message.extra = dict(extra or {})
    if photo_caption is not None:
        message.file = world.new_file(_PHOTO, None, "image/jpeg")
        fields["photo"] = [message.file.payload(width=90, height=67), message.file.payload(width=800, height=600)]
    if forward_of is not None:
        fields["forward_origin"] = origin_of(world, forward_of, now - 60)
    if reply_to:
        _reply(message, reply_to, quote)
    if topic is not None and chat.forum:
        assert topic in chat.topics, f"{chat.title} has no topic {topic}"
        message.reply_to = message.reply_to or chat.messages.get(topic)
    elif message.reply_to and chat.kind == "supergroup" and not chat.forum:
        message.topic = message.reply_to.topic or message.reply_to.id
    chat.messages[message.id] = message
    return message


def _reply(message: Message, answered: Message, quote: str | None) -> None:
    extra = message.extra
    if answered.chat is not message.chat:
        message.reply_to = None
        outer: dict[str, Any] = {"origin": answered.origin()}
        if answered.chat.kind in ("supergroup", "channel"):
            outer |= {"chat": answered.chat.payload(), "message_id": answered.id}
        if "photo" in answered.extra:
            outer["photo"] = answered.extra["photo"]
        extra["external_reply"] = outer
        quote = quote or answered.text
    if quote:
        assert quote in answered.text, "the quote is not in the message"
        position = units(answered.text[: answered.text.index(quote)])
        extra["quote"] = {"text": quote, "position": position, "is_manual": True}
