"""A server in which Haven is at work, and what must hold of whatever happens there."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from discord_life import THREAT, living, protect, settled, until
from localdiscord.server import Channel, Guild, LocalDiscord, Message, User

from bot import outbox
from bot.logs import TextLine
from bot.parts import Parts
from bot.platforms.discord_bot import client
from classifiers.classifier import Classifier

POST = ("POST", "/channels/{channel_id}/messages")
EDIT = ("PATCH", "/channels/{channel_id}/messages/{message_id}")
OPEN = ("POST", "/users/@me/channels")
_ELSEWHERE = ("/interactions/", "/webhooks/", "/applications/", "/oauth2/applications/@me", "/gateway", "/users/@me")


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the second attempt at anything come soon after the first."""
    monkeypatch.setattr(outbox, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(outbox, "LONGEST_WAIT", 0.05)
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.02)
    monkeypatch.setattr(client, "_SERVERS_SECONDS", 0.05)
    monkeypatch.setattr(client, "_COMMANDS_SECONDS", 0.2)


@dataclass
class Den:
    """A server with a channel for everybody and one for its moderators; `alerts` are all that ever were one."""

    discord: LocalDiscord
    parts: Parts
    guild: Guild
    general: Channel
    mods: Channel
    eve: User
    sam: User
    log: pytest.LogCaptureFixture
    alerts: list[Channel] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def member(self, name: str) -> User:
        """Let somebody join."""
        user = self.discord.user(name)
        self.guild.join(user)
        return user

    def moderators(self, name: str = "mods") -> Channel:
        """Add a channel that moderators and Haven see."""
        made = self.guild.channel(name, private=True)
        self.alerts.append(made)
        return made

    async def say(self, author: User, text: str, channel: Channel | None = None, **how: Any) -> Message:
        """Write something."""
        return await self.discord.write(channel or self.general, author, text, **how)

    async def threaten(
        self,
        author: User | None = None,
        target: User | None = None,
        channel: Channel | None = None,
        lines: Sequence[str] = THREAT,
    ) -> list[Message]:
        """Write the lines of a threat that names its target, by default Eve's to Sam."""
        named = target or self.sam
        return [
            await self.say(author or self.eve, f"<@{named.id}> {line}", channel, mentions=[named]) for line in lines
        ]

    async def calm(self) -> None:
        """Wait until all that was written is read and all that follows is delivered."""
        await self.discord.heard()
        await settled(self.parts)

    async def read(self) -> None:
        """Wait until all that was written is read."""
        await self.discord.heard()
        await until(lambda: not self.parts.inbox.waiting)

    def posted(self, channel: Channel | None = None) -> list[Message]:
        """Return the alerts that are in the moderators' channel now."""
        return [one for one in self.discord.messages(channel or self.mods) if one.author is self.discord.bot]

    def alert(self, channel: Channel | None = None) -> Message:
        """Return the one alert."""
        (only,) = self.posted(channel)
        return only

    def shown(self, user: User | None = None, channel: Channel | None = None) -> str:
        """Return what the one alert says of the warning to somebody."""
        fields = {one["name"]: one["value"] for one in self.alert(channel).embeds[0]["fields"]}
        (line,) = [one for one in fields["Aimed at"].splitlines() if (user or self.sam).mention in one]
        return str(line)

    def count(self, method: str, route: str, channel: Channel | None = None) -> int:
        """Return how often Haven asked for something."""
        found = self.discord.asked(method, route)
        return sum(channel is None or one.channel_id == channel.id for one in found)

    def hasten(self) -> None:
        """Let whatever waits for its next attempt be due now."""
        with self.parts.store.transaction():
            self.parts.store.db.conn.execute("UPDATE outbox SET due_at = 0 WHERE settled_at IS NULL")
        self.parts.outbox.wake()

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self.parts.clock().timestamp()

    def waiting(self) -> list[str]:
        """Return the names of the effects that wait."""
        rows = self.parts.store.query("SELECT effect FROM outbox WHERE settled_at IS NULL ORDER BY id")
        return [name for (name,) in rows]

    def only_in_private(self) -> None:
        """Check that Haven touched no channel but those of the moderators and private ones."""
        private = {one.id for one in self.discord.world.channels.values() if one.guild is None and one.with_bot}
        allowed = private | {one.id for one in self.alerts}
        for asked in self.discord.requests:
            if asked.path.startswith("/channels/"):
                assert asked.channel_id in allowed, asked
                assert asked.method in ("POST", "PATCH"), asked
                assert "allowed_mentions" not in asked.json or not asked.json["allowed_mentions"].get("parse"), asked
                assert asked.method != "POST" or "allowed_mentions" in asked.json, asked
            else:
                assert asked.path.startswith(_ELSEWHERE), asked

    def nothing_told(self) -> None:
        """Check that the log of `haven run` has no word of a message, no token and no traceback."""
        shown = [TextLine().format(record) for record in self.log.records]
        assert shown  # it is at work
        whole = "\n".join(shown)
        everywhere = chain.from_iterable(one.messages.values() for one in self.discord.world.channels.values())
        texts = {line for one in everywhere for line in one.content.splitlines() if len(line) > 12}
        for secret in (self.discord.token, *self.discord.interactions.tokens, *texts, *THREAT, "Traceback", 'File "'):
            assert secret not in whole, secret
        assert all("\n" not in line for line in shown)


@asynccontextmanager
async def den(
    folder: Path,
    classifier: Classifier,
    log: pytest.LogCaptureFixture,
    *,
    set_up: bool = True,
    before: Callable[[LocalDiscord], None] = lambda discord: None,
    **settings: int | bool,
) -> AsyncIterator[Den]:
    """Run Haven in a server; at the end nothing was complained of but what is `expected`, and nothing leaked."""
    log.set_level(logging.WARNING, "discord")
    log.set_level(logging.INFO)
    async with LocalDiscord() as discord:
        guild = discord.guild("Den")
        eve, sam = discord.user("eve"), discord.user("sam")
        guild.join(eve)
        guild.join(sam)
        general = guild.channel("general")
        mods = guild.channel("mods", private=True)
        before(discord)
        async with living(discord, folder, classifier, **settings) as parts:
            made = Den(discord, parts, guild, general, mods, eve, sam, log, [mods])
            if set_up:
                protect(parts, guild, alert_channel=mods.id)
            yield made
        assert discord.complaints == made.expected
        made.only_in_private()
        made.nothing_told()


Living = Callable[..., AbstractAsyncContextManager[Den]]
