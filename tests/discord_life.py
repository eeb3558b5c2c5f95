"""Haven on a Discord of the test's own: the real client, guard, database and delivery, in this process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from localdiscord.permissions import THREADS, Permission
from localdiscord.server import Channel, Guild, LocalDiscord, User

from bot.app import composed, serve
from bot.config import Config, DiscordSettings
from bot.parts import Parts
from bot.platforms.discord_bot import DiscordPlatform
from bot.sealing import load_seal
from bot.store import Store
from classifiers.classifier import Classifier
from classifiers.conversation import Account

THREAT = (
    "i recorded our video call. i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family",
    "you have 30 minutes. dont block me or i post it everywhere",
    "pay me now or i send your nudes to everyone you know",
)
PATIENCE = 20.0
_MOST = 1000  # warnings a day that can be set


@asynccontextmanager
async def living(
    discord: LocalDiscord, folder: Path, classifier: Classifier, **settings: int | bool
) -> AsyncIterator[Parts]:
    """Run Haven until the end of the block, which stops it as SIGTERM does; the same folder is the same Haven."""
    chosen = DiscordSettings(api_url=discord.api_url, gateway_url=discord.gateway_url, **settings)  # type: ignore[arg-type]
    store = Store(folder / "haven.db", load_seal(folder / "haven.key", {}, create=True))
    platform = DiscordPlatform(chosen, discord.token)
    with composed(Config(discord=chosen), store, [platform], classifier, needs_channel=True) as parts:
        running = asyncio.create_task(serve(parts, [platform.read(parts)]))
        ready = asyncio.create_task(platform.ready())
        try:
            await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
            if running.done():
                await running
            assert ready.done(), "Haven was not ready in time"
            yield parts
        finally:
            ready.cancel()
            if not running.done():
                os.kill(os.getpid(), signal.SIGTERM)
            try:
                await running
            finally:
                await platform.close()


async def settled(parts: Parts) -> None:
    """Wait until everything that was written is read and everything that is due is delivered.

    What was put on the sockets may not have arrived yet, so that it has to stay so for a moment.
    """
    still = 0

    def quiet() -> bool:
        nonlocal still
        still = 0 if parts.inbox.waiting or parts.store.next_due("discord") is not None else still + 1
        return still > 3

    await until(quiet)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (what is waited for is in another process)
            await asyncio.sleep(0.003)


def account(user: User) -> Account:
    """Return a user's account."""
    return Account("discord", user.id)


def protect(parts: Parts, guild: Guild, **changes: object) -> None:
    """Set up a guild as /setup does."""
    parts.policies.choose(guild.id, account(guild.owner), changes, parts.clock().timestamp())


class Home:
    """One Haven for all tests of a file, as each start takes discord.py two seconds; `restart` starts it anew."""

    def __init__(self, discord: LocalDiscord, folder: Path, classifier: Classifier) -> None:
        self.discord = discord
        self.folder = folder
        self._classifier = classifier
        self._living = AsyncExitStack()
        self.parts: Parts

    async def __aenter__(self) -> Self:
        self.parts = await self._living.enter_async_context(
            living(self.discord, self.folder, self._classifier, warnings_a_day=_MOST)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._living.aclose()

    async def restart(self) -> None:
        """Stop Haven as SIGTERM does, and start it on the same database."""
        await self._living.aclose()
        await self.__aenter__()

    def stored(self) -> dict[str, list[tuple[object, ...]]]:
        """Return every row of the database by table."""
        names = [name for (name,) in self.parts.store.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: self.parts.store.query(f"SELECT * FROM {name}") for name in names}  # noqa: S608 (its own names)

    def in_public(self, since: int) -> list[str]:
        """Return the bot's requests from number `since` on to channels that everybody reads, and its messages there."""
        open_to_all = [
            channel for channel in self.discord.world.channels.values() if channel.guild and seen_by_all(channel)
        ]
        known = {channel.id for channel in open_to_all}
        asked = [f"{one.method} {one.path}" for one in self.discord.requests[since:] if one.channel_id in known]
        written = [m for channel in open_to_all for m in channel.messages.values() if m.author is self.discord.bot]
        return asked + [message.text for message in written]


def seen_by_all(channel: Channel) -> bool:
    """Return whether everybody in a server sees a channel."""
    place = channel.parent if channel.parent and channel.kind in THREADS else channel
    assert channel.guild
    overwrite = place.overwrites.get(channel.guild.id)
    return not (overwrite and overwrite.deny & Permission.VIEW_CHANNEL)
