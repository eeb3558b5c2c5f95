"""What the adapters' translation costs: what came over the wire, read with the platforms' own client libraries."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import discord
import telegram

from bot.bench.mix import Mix
from bot.bench.rates import Rates
from bot.bench.sizes import Size
from bot.bench.timing import spent
from bot.platforms.discord_bot.reading import to_message as from_discord
from bot.platforms.telegram_bot.reading import Usernames
from bot.platforms.telegram_bot.reading import to_message as from_telegram
from classifiers.conversation import Message

Read = Callable[[bytes], Message | None]


def measure(mix: Mix, size: Size) -> dict[str, dict[str, float]]:
    """Return messages per second of CPU time for each platform, from bytes of JSON to Haven's own message."""
    platforms: dict[str, tuple[Callable[[Message], Any], Read]] = {
        "discord": (_on_discord, _discord_reader()),
        "telegram": (_on_telegram, _telegram_reader()),
    }
    rates = Rates()
    for _ in range(size.rounds):
        for name, (payload, read) in platforms.items():
            wire = [json.dumps(payload(message)).encode() for message in mix.take(size.per_round)]
            rates.take(name, len(wire), spent(lambda read=read, wire=wire: _read_all(read, wire)))  # type: ignore[misc]
    return {name: {"per_second": rates.best(name)} for name in platforms}


def _read_all(read: Read, wire: Sequence[bytes]) -> None:
    for one in wire:
        read(one)


def _discord_reader() -> Read:
    client = discord.Client(intents=discord.Intents(guilds=True, guild_messages=True, message_content=True))
    state = client._connection
    guild: Any = {"id": "1", "name": "home", "owner_id": "2", "roles": [], "emojis": [], "stickers": [], "features": []}
    channel: Any = {"id": "3", "type": 0, "name": "lobby", "position": 0, "permission_overwrites": []}
    place = discord.TextChannel(state=state, guild=discord.Guild(data=guild, state=state), data=channel)

    def read(wire: bytes) -> Message | None:
        event = discord.utils._from_json(wire)
        return from_discord(discord.Message(state=state, channel=place, data=event["d"]))

    return read


def _telegram_reader() -> Read:
    bot, usernames = telegram.Bot("1:bench"), Usernames()

    def read(wire: bytes) -> Message | None:
        (update,) = telegram.Update.de_list(json.loads(wire)["result"], bot)
        return from_telegram(update.message, usernames) if update.message else None

    return read


def _on_discord(message: Message) -> dict[str, Any]:
    """Return a message as Discord's gateway brings it."""

    def user(id: str) -> dict[str, Any]:
        known = {"id": id, "username": f"user{id}", "discriminator": "0", "global_name": None, "avatar": None}
        return known | {"bot": False, "public_flags": 0, "clan": None, "avatar_decoration_data": None}

    member = {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "mute": False, "deaf": False, "flags": 0}
    body = {
        "id": message.id,
        "type": 0,
        "channel_id": "3",
        "guild_id": "1",
        "author": user(message.author.id),
        "member": member,
        "content": message.text,
        "timestamp": message.sent_at.isoformat(),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [user(one.id) | {"member": member} for one in message.to],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "pinned": False,
        "flags": 0,
        "nonce": message.id,
    }
    return {"t": "MESSAGE_CREATE", "s": 1, "op": 0, "d": body}


def _on_telegram(message: Message) -> dict[str, Any]:
    """Return a message as Telegram's Bot API answers with it."""
    user = {"id": int(message.author.id), "is_bot": False, "first_name": "Somebody", "username": message.author.id}
    chat = {"id": -1_001_000_000_001, "type": "supergroup", "title": "home"}
    said = {"message_id": 1, "from": user, "chat": chat, "date": int(message.sent_at.timestamp()), "text": message.text}
    return {"ok": True, "result": [{"update_id": 1, "message": said}]}
