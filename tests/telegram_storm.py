"""A group in which Haven is at work while Telegram fails, and what must hold of whatever happens there."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from localtelegram.server import Chat, Group, LocalTelegram, Message, User
from localtelegram.server import until as within
from telegram_life import PATIENCE, living, protect

from bot import outbox
from bot.logs import TextLine
from bot.parts import Parts
from bot.platforms.telegram_bot import business, client
from classifiers.classifier import Classifier

THREAT = (
    "i recorded our video call. i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family",
    "you have 30 minutes. dont block me or i post it everywhere",
    "pay me now or i send your nudes to everyone you know",
)
_CALM = 8  # looks, a few thousandths of a second apart, at which nothing happens
_ASKING = 0.1  # seconds in which a request is answered, if its connection is not cut
_IN_GROUPS = ("getChat", "getChatMember")


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the second attempt at anything come soon after the first."""
    monkeypatch.setattr(outbox, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(outbox, "LONGEST_WAIT", 0.05)
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.02)
    monkeypatch.setattr(business, "_WAITS", (0.02, 0.02, 0.02))


async def until(condition: Callable[[], object], what: str = "it") -> None:
    """Wait until something is so."""
    await within(condition, PATIENCE, what)


async def settled(telegram: LocalTelegram, parts: Parts) -> None:
    """Wait until everything that was written is read and everything that is due is delivered."""
    still = 0

    def quiet() -> bool:
        nonlocal still
        waits = parts.inbox.waiting or parts.store.next_due("telegram") is not None
        asked = [one for one in telegram.requests[-20:] if one.status == 0 and one.method != "getUpdates"]
        waits = waits or any(monotonic() - one.at < _ASKING for one in asked)
        still = 0 if waits or not telegram.updates.idle else still + 1
        return still > _CALM

    await until(quiet, "all is read and delivered")


def words(message: Message) -> str:
    """Return what a message says, without the marks that disarm it."""
    return message.text.replace("\u200b", "")


@dataclass
class Den:
    """A group, and the private one of its moderators; `alerts` are all that ever were one."""

    telegram: LocalTelegram
    parts: Parts
    group: Group
    mods: Group
    eve: User
    sam: User
    log: pytest.LogCaptureFixture
    start: Callable[[], AbstractAsyncContextManager[Parts]]
    life: AsyncExitStack
    alerts: list[Chat] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    @property
    def owner(self) -> User:
        """Who owns the group and moderates."""
        return self.group.owner

    async def stop(self) -> None:
        """Stop Haven as SIGTERM does."""
        await self.life.aclose()

    async def restart(self) -> None:
        """Stop Haven as SIGTERM does, and start it on the same database."""
        await self.life.aclose()
        self.parts = await self.life.enter_async_context(self.start())

    def member(self, name: str, *, started: bool = True) -> User:
        """Let somebody join who (`started`) has opened a chat with Haven."""
        user = self.telegram.user(name)
        user.started = started
        self.group.join(user)
        return user

    def moderators(self, title: str = "Other mods", kind: str = "supergroup") -> Group:
        """Add a private group in which moderators and Haven are."""
        made = self.telegram.group(title, kind, owner=self.owner)
        self.alerts.append(made)
        return made

    async def say(self, author: User, text: str, chat: Chat | None = None, **how: Any) -> Message:
        """Write something."""
        return await self.telegram.write(chat or self.group, author, text, **how)

    async def threaten(
        self,
        author: User | None = None,
        target: User | None = None,
        chat: Chat | None = None,
        lines: Sequence[str] = THREAT,
    ) -> list[Message]:
        """Write the lines of a threat that names its target, by default Eve's to Sam."""
        named = target or self.sam
        return [await self.say(author or self.eve, f"{named.name} {line}", chat, mentions=[named]) for line in lines]

    async def calm(self) -> None:
        """Wait until all that was written is read and all that follows is delivered."""
        await settled(self.telegram, self.parts)

    async def read(self) -> None:
        """Wait until all that was written is read."""
        await self.telegram.polled()
        await self.parts.inbox.caught_up()

    def posted(self, chat: Chat | None = None) -> list[Message]:
        """Return what Haven has in the moderators' chat now."""
        return self.telegram.sent(chat or self.mods)

    def alert(self, chat: Chat | None = None) -> Message:
        """Return the one alert."""
        (only,) = self.posted(chat)
        return only

    def shown(self, user: User | None = None, chat: Chat | None = None) -> str:
        """Return what the one alert says of the warning to somebody."""
        who = f"{(user or self.sam).full_name}: "
        (line,) = [one for one in words(self.alert(chat)).splitlines() if who in one]
        return line.partition(who)[2]

    def warned(self, user: User | None = None) -> int:
        """Return how often somebody was written to."""
        return len(self.telegram.privates(user or self.sam))

    def count(self, method: str, chat: Chat | None = None) -> int:
        """Return how often Haven asked for something."""
        return len(self.telegram.asked(method, chat))

    def said(self, words: str) -> int:
        """Return how many lines of the log have the words."""
        return sum(words in record.getMessage() for record in self.log.records)

    def hasten(self) -> None:
        """Let whatever waits for its next attempt be due now."""
        with self.parts.store.transaction():
            self.parts.store.db.conn.execute("UPDATE outbox SET due_at = 0 WHERE settled_at IS NULL")
        self.parts.outbox.wake()

    def due(self) -> float:
        """Return in how many seconds the one effect that waits is due."""
        ((at,),) = self.parts.store.query("SELECT due_at FROM outbox WHERE settled_at IS NULL")
        return float(at) - self.parts.clock().timestamp()

    def waiting(self) -> list[str]:
        """Return the names of the effects that wait."""
        rows = self.parts.store.query("SELECT effect FROM outbox WHERE settled_at IS NULL ORDER BY id")
        return [name for (name,) in rows]

    def cases(self) -> list[str]:
        """Return the ids of all cases."""
        return [id for (id,) in self.parts.store.query("SELECT id FROM cases ORDER BY seen_at")]

    def only_in_private(self) -> None:
        """Check that Haven wrote in no chat but those of the moderators and private ones, and in nobody's name."""
        allowed = {one.id for one in self.alerts} | set(self.telegram.world.users)
        for asked in self.telegram.requests:
            assert "business_connection_id" not in asked.params or asked.method == "getBusinessConnection", asked
            if asked.chat_id is not None and asked.method not in _IN_GROUPS:
                assert int(asked.chat_id) in allowed, asked
        for chat in self.telegram.world.chats.values():
            assert chat.kind == "private" or chat.id in allowed or not self.telegram.sent(chat), chat


def nothing_told(telegram: LocalTelegram, log: pytest.LogCaptureFixture) -> None:
    """Check that the log of `haven run` has no word of a message, no token and no traceback."""
    shown = [TextLine().format(record) for record in log.records]
    assert shown  # it is at work
    whole = "\n".join(shown)
    chats = [*telegram.world.chats.values(), *chain(*(one.everything() for one in telegram.connections.values()))]
    written = [one.text for chat in chats for one in chat.messages.values() if not one.by_bot]
    texts = {line for text in written for line in text.splitlines() if len(line) > 12}
    for secret in (telegram.token, *texts, *THREAT, *telegram.connections, "Traceback", 'File "'):
        assert secret not in whole, secret
    assert all("\n" not in line for line in shown)


def listening(log: pytest.LogCaptureFixture) -> None:
    """Let the log say what that of `haven run` says."""
    for name in ("telegram", "httpx", "asyncio", "aiohttp"):
        log.set_level(logging.WARNING, name)
    log.set_level(logging.INFO)


@asynccontextmanager
async def den(
    folder: Path,
    classifier: Classifier,
    log: pytest.LogCaptureFixture,
    *,
    set_up: bool = True,
    kind: str = "supergroup",
    mods_kind: str = "supergroup",
    before: Callable[[LocalTelegram], None] = lambda telegram: None,
    **settings: int | str,
) -> AsyncIterator[Den]:
    """Run Haven in a group; at the end nothing was complained of but what is `expected`, and nothing leaked."""
    listening(log)
    async with LocalTelegram() as telegram:
        group = telegram.group("Den", kind, privacy=False)
        eve, sam = telegram.user("Eve"), telegram.user("Sam")
        sam.started = True
        group.join(eve, sam)
        mods = telegram.group("Mods", mods_kind, owner=group.owner)
        before(telegram)
        start = partial(living, telegram, folder, classifier, **settings)
        async with AsyncExitStack() as life:
            parts = await life.enter_async_context(start())
            made = Den(telegram, parts, group, mods, eve, sam, log, start, life, [mods])
            if set_up:
                protect(parts, group, group.owner, alert_channel=str(mods.id))
            yield made
        assert telegram.complaints == made.expected
        made.only_in_private()
        nothing_told(telegram, log)


Living = Callable[..., AbstractAsyncContextManager[Den]]
