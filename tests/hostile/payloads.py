"""Payloads of Discord and Telegram around hostile words, turned into the client libraries' own objects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import discord
import telegram

_WHEN = "2026-11-20T14:03:12+00:00"
_GUILD: Any = {
    "id": "77",
    "name": "g",
    "owner_id": "1",
    "channels": [],
    "members": [],
    "emojis": [],
    "stickers": [],
    "features": [],
    "roles": [],
}
ENTITIES = tuple(telegram.MessageEntity.ALL_TYPES)


@cache
def _client() -> discord.Client:
    client = discord.Client(intents=discord.Intents.default())
    client._connection._add_guild(discord.Guild(data=_GUILD, state=client._connection))
    return client


def _discord_user(id: int, name: str = "eve", *, bot: bool = False) -> dict[str, Any]:
    plain = {"discriminator": "0", "avatar": None, "global_name": name or None}
    return {"id": str(id), "username": name or "eve", "bot": bot, **plain}


def _said(content: str, files: Sequence[str], stickers: int) -> dict[str, Any]:
    addresses = {"size": 1, "url": "https://c", "proxy_url": "https://c"}
    return {
        "type": 0,
        "content": content,
        "embeds": [],
        "timestamp": _WHEN,
        "edited_timestamp": None,
        "flags": 0,
        "mentions": [],
        "mention_roles": [],
        "attachments": [{"id": str(number), "filename": name, **addresses} for number, name in enumerate(files, 1)],
        "sticker_items": [{"id": str(number), "name": "wave", "format_type": 1} for number in range(1, stickers + 1)],
    }


def on_discord(
    content: str,
    *,
    name: str = "eve",
    files: Sequence[str] = (),
    stickers: int = 0,
    mentions: Sequence[int] = (),
    forwarded: str | None = None,
    answers: str | None = None,
    in_guild: bool = True,
) -> discord.Message:
    """Return a message as the gateway brings it."""
    client = _client()
    data: Any = {
        **_said(content, files, stickers),
        "id": "501",
        "channel_id": "88",
        "author": _discord_user(11, name),
        "tts": False,
        "pinned": False,
        "mention_everyone": False,
        "mentions": [_discord_user(id, bot=not id) for id in mentions],
        **({"guild_id": "77"} if in_guild else {}),
    }
    if forwarded is not None:
        data["message_reference"] = {"type": 1, "message_id": "1", "channel_id": "88"}
        data["message_snapshots"] = [{"message": _said(forwarded, files, stickers)}]
    if answers is not None:
        data |= {"type": 19, "message_reference": {"message_id": "500", "channel_id": "88"}}
        said = {**_said(answers, (), 0), "id": "500", "channel_id": "88", "author": _discord_user(22)}
        data["referenced_message"] = said | {"tts": False, "pinned": False, "mention_everyone": False}
    channel = client.get_partial_messageable(88, guild_id=77 if in_guild else None)
    return discord.Message(state=client._connection, channel=channel, data=data)


def on_telegram(
    text: str,
    *,
    caption: bool = False,
    entities: Sequence[tuple[str, int, int]] = (),
    username: str = "",
    quote: str | None = None,
    answers: str | None = None,
    forwarded: bool = False,
    media: str | None = None,
) -> telegram.Message:
    """Return a message as getUpdates brings it; entities are type, offset and length, which may lead anywhere."""
    user = {"id": 11, "is_bot": False, "first_name": "Eve", **({"username": username} if username else {})}
    chat = {"id": -1_001_000_000_001, "type": "supergroup", "title": "Den"}
    head: dict[str, Any] = {"message_id": 501, "date": 1_790_000_000, "chat": chat, "from": user}
    shown = [
        {"type": type, "offset": offset, "length": length, **({"user": user} if type == "text_mention" else {})}
        for type, offset, length in entities
    ]
    data = head | {"caption" if caption else "text": text, "caption_entities" if caption else "entities": shown}
    if quote is not None:
        data["quote"] = {"text": quote, "position": 0, "entities": shown}
    if answers is not None:
        data["reply_to_message"] = head | {"message_id": 500, "text": answers, "from": user | {"id": 22}}
    if forwarded:
        data["forward_origin"] = {"type": "user", "date": 1_790_000_000, "sender_user": user | {"id": 33}}
    if media:
        file = {"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1, "duration": 1, "length": 1}
        more = {"type": "regular", "is_animated": False, "is_video": False} if media == "sticker" else {}
        data[media] = [file] if media == "photo" else file | more
    message = telegram.Message.de_json(data, None)
    assert message
    return message


def pressed(data: str) -> telegram.CallbackQuery:
    """Return the press of a button with this callback data under a message in a private chat."""
    user = {"id": 11, "is_bot": False, "first_name": "Eve"}
    chat = {"id": 11, "type": "private", "first_name": "Eve"}
    message = {"message_id": 1, "date": 1_790_000_000, "chat": chat, "text": "Haven"}
    query = telegram.CallbackQuery.de_json(
        {"id": "1", "from": user, "chat_instance": "1", "data": data, "message": message}, None
    )
    assert query
    return query
