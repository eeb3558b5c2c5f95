"""One Haven for the tests of a file, and a protected group of each test with its moderators' chat."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest
from localtelegram.server import CallbackAnswer, Chat, Group, LocalTelegram, Message, Request, User
from telegram_life import PATIENCE, living, protect

from bot import advice
from bot.case import Case
from bot.effects import Act
from bot.parts import Parts
from bot.platforms.telegram_bot import client, people
from classifiers.classifier import Classifier

THREAT = (
    "i recorded our video call. i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family",
    "you have 30 minutes. dont block me or i post it everywhere",
    "pay me now or i send your nudes to everyone you know",
)
UNCLEAR = (  # said to nobody in particular
    "i recorded our video call. i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family",
    "pay me now or i send your nudes to everyone you know",
)
SAID = advice.on_alert("en-GB")
IN_A_ROW = 0.08
_QUIET = 3
_LATELY = 0.5  # what was not answered for so long never will be
_numbers = count()


class Home:
    """A Telegram and the Haven on it, which `restart` starts anew on the same database."""

    def __init__(self, telegram: LocalTelegram, folder: Path, classifier: Classifier) -> None:
        self.telegram = telegram
        self.folder = folder
        self.public: list[Chat] = []
        self._classifier = classifier
        self._living = AsyncExitStack()
        self.parts: Parts
        self.client: client.HavenClient

    async def __aenter__(self) -> Self:
        self.parts = await self._living.enter_async_context(living(self.telegram, self.folder, self._classifier))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._living.aclose()

    async def restart(self) -> None:
        """Stop Haven as SIGTERM does, and start it on the same database."""
        await self._living.aclose()
        await self.__aenter__()

    async def settled(self) -> None:
        """Wait until every update is fetched and decided on, everything due is delivered and every request answered."""
        still = 0

        def quiet() -> bool:
            nonlocal still
            lately = time.monotonic() - _LATELY
            asking = any(
                one.status == 0 and one.method != "getUpdates" and one.at > lately
                for one in self.telegram.requests[-40:]
            )
            busy = bool(self.parts.inbox.waiting or self.client._tasks or self.client.forwards._shown)
            busy = busy or self.parts.store.next_due("telegram") is not None
            still = still + 1 if self.telegram.updates.idle and not asking and not busy else 0
            return still > _QUIET

        await until(quiet)

    async def ask(self, user: User, text: str = "", **more: Any) -> Message:
        """Write to Haven in private and return its one answer."""
        before = len(self.telegram.privates(user))
        await self.telegram.write(user.private, user, text, **more)
        await until(lambda: len(self.telegram.privates(user)) > before)
        await self.settled()
        (answer,) = self.telegram.privates(user)[before:]
        return answer

    async def press(self, user: User, message: Message, button: str, **more: Any) -> CallbackAnswer:
        """Press a button and wait for all that follows."""
        answer = await self.telegram.press(user, message, button, **more)
        await self.settled()
        return answer

    async def page(self, user: User, message: Message, button: str, **more: Any) -> Message:
        """Press a button in a private chat that is answered with a message, and return that."""
        before = len(self.telegram.privates(user))
        await self.press(user, message, button, **more)
        (answer,) = self.telegram.privates(user)[before:]
        return answer

    async def craft(self, user: User, message: Message, data: str) -> CallbackAnswer:
        """Press a button that Haven did not make, as a client of somebody's own can."""
        keyboard, message.keyboard = message.keyboard, {"inline_keyboard": [[{"text": "x", "callback_data": data}]]}
        try:
            return await self.press(user, message, "x")
        finally:
            if message.keyboard and message.buttons[0]["text"] == "x":
                message.keyboard = keyboard

    def stored(self) -> dict[str, list[tuple[object, ...]]]:
        """Return every row of the database by table, but for when groups were read."""
        names = [name for (name,) in self.parts.store.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: self.parts.store.query(f"SELECT * FROM {name}")  # noqa: S608 (its own names)
            for name in names
            if name != "spaces"
        }

    def in_public(self, since: int) -> list[Request]:
        """Return what the bot wrote, or tried to, in groups that everybody reads, from request `since` on."""
        known = {str(chat.id) for chat in self.public}
        return [
            one
            for one in self.telegram.requests[since:]
            if str(one.chat_id) in known and one.method.lower().startswith(("send", "edit", "copy", "forward", "pin"))
        ]


class Den:
    """A group of one test, in which Eve threatens Sam; Mo and Max run it and read in a chat of their own."""

    def __init__(
        self,
        home: Home,
        *,
        kind: str = "supergroup",
        forum: bool = False,
        rights: dict[str, bool] | None = None,
        started: bool = True,
        **policy: object,
    ) -> None:
        self.home, telegram = home, home.telegram
        number = next(_numbers)
        names = ("Owner", "Mo", "Max", "Eve", "Sam", "Ann")
        people = [telegram.user(f"{name}{number}", f"{name.lower()}_of_{number}") for name in names]
        self.owner, self.mo, self.max, self.eve, self.sam, self.ann = people
        self.group: Group = telegram.group(f"Den {number}", kind, forum, owner=self.owner)
        self.mods: Group = telegram.group(f"Mods {number}", owner=self.owner)
        self.group.promote_bot(**(rights or {}))
        for admin in (self.mo, self.max):
            self.group.admin(admin)
            self.mods.join(admin)
        self.group.join(self.eve, self.sam, self.ann)
        self.sam.started = started
        home.public.append(self.group)
        if policy.pop("set_up", True):
            self.choose(alert_channel=str(self.mods.id), **policy)
        self.written: list[Message] = []
        self.answers: list[Message] = []

    @property
    def space(self) -> str:
        """The group as Haven knows it."""
        return str(self.group.id)

    def choose(self, **changes: object) -> None:
        """Set up the group."""
        protect(self.home.parts, self.group, self.owner, **changes)

    async def write(self, author: User | None, text: str = "", **more: Any) -> Message:
        """Write in the group."""
        message = await self.home.telegram.write(self.group, author, text, **more)
        self.written.append(message)
        return message

    async def threatened(
        self, sender: User | None = None, target: User | None = None, *, after: str = "", **more: Any
    ) -> Den:
        """Let Eve threaten Sam until Haven is sure, and wait for what follows; in a forum each time in a new topic."""
        target = target or self.sam
        if self.group.forum:
            more |= {"topic": self.group.topic("more")}
        for line in THREAT:
            await self.write(sender or self.eve, f"{target.name} {line}{after}", mentions=[target], **more)
        await self.home.settled()
        return self

    @property
    def told(self) -> list[Message]:
        """Everything that moderators were told."""
        return self.home.telegram.sent(self.mods)

    @property
    def alert(self) -> Message:
        """The one alert of this group, which is edited in place; calls to it have no buttons."""
        (alert,) = [message for message in self.told if message.labels and message not in self.answers]
        return alert

    @property
    def cases(self) -> list[Case]:
        """The cases of this group."""
        return self.home.parts.store.latest_cases(self.space, 100)

    @property
    def case(self) -> Case:
        """The one case of this group."""
        (case,) = self.cases
        return case

    def trail(self) -> list[tuple[int, str]]:
        """Return who did what about the case."""
        lines = self.home.parts.records.trail(self.space, self.case.id)
        return [(int(line.actor.id) if line.actor else 0, line.act) for line in lines]

    async def command(self, user: User, text: str, **more: Any) -> list[Message]:
        """Type a command in the moderators' chat and return the answers."""
        before = len(self.told)
        await self.home.telegram.write(self.mods, user, text, **more)
        await self.home.settled()
        answers = self.told[before:]
        self.answers += answers
        return answers

    async def press(self, user: User, button: str, **more: Any) -> CallbackAnswer:
        """Press a button of the alert."""
        return await self.home.press(user, self.alert, button, **more)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (what is waited for is in another process)
            await asyncio.sleep(0.003)


@asynccontextmanager
async def one_home(folder: Path, classifier: Classifier) -> AsyncIterator[Home]:
    """Run one Haven for all tests of a file, which need not wait for limits of Telegram's that are switched off."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client, "_Limiter", partial(client._Limiter, overall_max_rate=0, group_max_rate=0))
        patched.setattr(people, "_IN_A_ROW", IN_A_ROW)
        async with LocalTelegram() as telegram:
            telegram.patience = PATIENCE
            home, make = Home(telegram, folder, classifier), client.HavenClient.__init__

            def made(self: client.HavenClient, *parts: Any) -> None:
                home.client = self
                make(self, *parts)

            patched.setattr(client.HavenClient, "__init__", made)
            async with home:
                yield home


@asynccontextmanager
async def watched(home: Home, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Home]:
    """Give a test the Haven; at its end nothing was said in public, no fault logged, and nobody's words or token."""
    caplog.set_level(logging.DEBUG, "bot")
    since = len(home.telegram.requests)
    yield home
    await home.settled()
    said = [one.params for one in home.in_public(since)]
    assert [one for one in said if one["text"] != "I answer in private:"] == [], "something was said in public"
    records = caplog.get_records("call")
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []
    assert [record for record in records if record.exc_info] == []
    log = "\n".join(record.getMessage() for record in records)
    words = {m.text for chat in home.telegram.world.chats.values() for m in chat.messages.values() if not m.by_bot}
    assert [text for text in words if " " in text and len(text) > 9 and text in log] == []
    assert home.telegram.token not in log
    complaints = list(home.telegram.complaints)
    home.telegram.complaints.clear()
    assert complaints == []


def title(message: Message) -> str:
    """Return the first line of an answer."""
    return message.text.splitlines()[0]


def refused(text: str | None, *words: str) -> bool:
    """Return whether an answer is one kind line that has all the words, and no apology for a fault."""
    assert text
    line = "\n" not in text and len(text) <= 200 and text[0].isupper() and text[-1] in ".?"
    return line and not text.endswith("?.") and "went wrong" not in text and all(word in text for word in words)


def done(den: Den) -> str | None:
    """Return what the alert says that moderators did."""
    found = re.search(r"^Done: (.*)$", den.alert.text, re.MULTILINE)
    return found[1] if found else None


def shows(den: Den, *acts: Act) -> bool:
    """Return whether the alert says that something was done, and nothing else."""
    return done(den) == (", ".join(SAID.acts[act] for act in acts) or None)


def untouched(den: Den) -> bool:
    """Return whether nothing was done, nothing said and nothing written down."""
    there = den.group.messages
    return (
        den.group.member(den.eve).status in ("member", "administrator")
        and all(message.id in there for message in den.written)
        and den.trail() == []
        and den.case.ruling is None
        and den.case.acts == ()
        and shows(den)
    )


async def lonely(home: Home, **more: Any) -> Den:
    """Let Eve threaten somebody whom she does not name, among several people."""
    den = Den(home, **more)
    for user, line in ((den.sam, "hey all"), (den.ann, "hi there, how are you?"), (den.sam, "good good")):
        await den.write(user, line)
    for line in UNCLEAR:
        await den.write(den.eve, line)
    await home.settled()
    return den
