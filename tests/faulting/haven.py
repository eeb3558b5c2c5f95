"""One life of Haven in a process of its own: the real parts, on a story, harmed at one step of it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from traceback import print_exc
from typing import Any, NoReturn

import msgspec
from faulting.steps import Stepped, Steps
from faulting.world import NAME

from bot.app import composed
from bot.config import Config, PolicySettings
from bot.effects import Delivery, Effect, Outcome, Ruling, UpdateAlert
from bot.parts import Parts
from bot.sealing import load_seal
from bot.store import Store
from classifiers.classifier import Classifier
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

EVE, MAL, SAM, TOM, ANN, MO = (Account(NAME, name) for name in ("eve", "mal", "sam", "tom", "ann", "mo"))
SPACE = "den"
ENDED, BROKEN, FAULTY = 0, 3, 4
CONFIG = Config(policy=PolicySettings(page_role="7"))
_ROUNDS = 300
_FULL = 2  # a commit is on the disk before it returns
_LINES = (
    "i recorded our video call. i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family",
    "you have 30 minutes. dont block me or i post it everywhere",
    "pay me now or i send your nudes to everyone you know",
)


@dataclass
class Clock:
    """The true time, and how far Haven's clock is from it."""

    at: float
    skew: float = 0.0

    def __call__(self) -> datetime:
        """Return what Haven holds to be the time."""
        return datetime.fromtimestamp(self.at + self.skew, UTC)


class Haven:
    """The parts, joined as `haven run` joins them; what it does to the world goes through a socket."""

    name = NAME
    connected = True

    def __init__(self, port: int, remembers: float, clock: Clock, steps: Steps) -> None:
        self.port = port
        self.remembers = remembers
        self.clock = clock
        self.steps = steps
        self.parts: Parts
        self.loop: asyncio.AbstractEventLoop | None = None

    def tell(self, **what: Any) -> bool:
        """Tell whoever tests this Haven something, and return the answer."""
        with socket.create_connection(("127.0.0.1", self.port)) as world, world.makefile("rwb") as file:
            file.write(json.dumps({"at": self.clock.at, **what}).encode() + b"\n")
            file.flush()
            return bool(json.loads(file.readline()))

    async def ready(self) -> None:
        """There is nothing to wait for."""

    async def perform(self, effect: Effect, key: str) -> Delivery:
        """Ask the world for it; it says first that it is done, and then what came of it."""
        self.steps.editing = isinstance(effect, UpdateAlert)
        self.steps.reach("begun")
        self.steps.phase = "settle"
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            asked = {"at": self.clock.at, "key": key, "name": type(effect).__name__}
            writer.write(json.dumps(asked | {"effect": msgspec.to_builtins(effect)}).encode() + b"\n")
            await writer.drain()
            self.steps.reach("sent")
            first = json.loads(await reader.readline() or "null")
            if not first:
                return Delivery(Outcome.LOST, detail="cut off")
            if first.get("busy"):
                return Delivery(Outcome.RETRY, detail="busy")
            self.steps.reach("performed")
            answer = json.loads(await reader.readline())
            self.steps.reach("answered")
            return Delivery(Outcome.DELIVERED, reference=answer["reference"])
        finally:
            writer.close()

    async def play(self, story: Sequence[Action], start: int) -> None:
        """Do what happens in a story, from a part of it on; first what an earlier life left is delivered."""
        if start:
            await deliver(self)
        for number, action in enumerate(story[start:], start):
            self.clock.at += 1
            self.tell(action=number)
            self.steps.phase, self.steps.part = action.phase, number
            await action.work(self)


@dataclass(frozen=True)
class Action:
    """A part of a story, and the phase that Haven is in meanwhile."""

    phase: str
    work: Callable[[Haven], Awaitable[None]]


async def deliver(haven: Haven) -> None:
    """Deliver whatever is due whenever it is due, until nothing waits."""
    for _ in range(_ROUNDS):
        haven.steps.phase = "begin"
        await haven.parts.outbox.drain()
        haven.steps.quiet = True
        due = haven.parts.store.next_due(NAME)
        haven.steps.quiet = False
        if due is None:
            return
        haven.clock.at += max(0.0, due - haven.clock().timestamp()) + 0.01
    raise RuntimeError("the outbox does not empty")


def say(id: str, author: Account, text: str, to: Account, phase: str = "decide") -> Action:
    """Return that somebody writes something to somebody; an `id` that is known is an edit."""

    async def work(haven: Haven) -> None:
        sent_at = datetime.fromtimestamp(haven.clock.at, UTC)
        message = Message(id, SPACE, "lobby", author, text, sent_at, (to,))
        haven.steps.reach("read")
        decisions = await asyncio.to_thread(haven.parts.guard.receive, [message])
        haven.tell(decided=[one.case.id for one in decisions if one.case and one.case.post])
        haven.steps.reach("recorded")

    return Action(phase, work)


async def _rule(haven: Haven) -> None:
    for case in haven.parts.store.latest_cases(SPACE, 10):
        if case.about == EVE:
            haven.parts.moderation.rule(SPACE, case.id, Ruling.CONFIRMED, MO)


async def _forget(haven: Haven) -> None:
    haven.parts.guard.forget(SAM, own=False)
    haven.tell(forgotten=True)


async def _purge(haven: Haven) -> None:
    haven.parts.store.purge(SPACE, haven.clock() + timedelta(days=60))
    haven.parts.store.checkpoint()


_DELIVER = Action("begin", deliver)
_THREAT = tuple(say(f"e{number}", EVE, line, SAM) for number, line in enumerate(_LINES))
INCIDENT = (
    *_THREAT[:2],
    _DELIVER,
    *_THREAT[2:],
    _DELIVER,
    say("e3", EVE, "pay me now or i send your nudes to everyone you know, and to your wife", TOM, "edit"),
    _DELIVER,
    say("s1", SAM, "please stop. i want to die", EVE, "despair"),
    _DELIVER,
    *(say(f"m{number}", MAL, line, ANN) for number, line in enumerate(_LINES)),
    _DELIVER,
    Action("ruling", _rule),
    _DELIVER,
)
ERASURE = (*_THREAT, Action("forget", _forget), _DELIVER, Action("retention", _purge), _DELIVER)


class _Watched(Classifier):
    """The real classifier, which comes to a step once it has assessed a message."""

    steps: Steps

    def __init__(self, real: Classifier) -> None:
        self.model, self.reader = real.model, real.reader

    def answer(self, *what: Any) -> Any:
        """Assess, then come to the step."""
        found = super().answer(*what)
        self.steps.reach("assessed")
        return found


@dataclass(frozen=True)
class Life:
    """What a life begins with, and the `harm` that is done to it at a step (None: none)."""

    folder: Path
    port: int
    remembers: float
    clock: Clock
    classifier: Classifier
    story: Sequence[Action]
    start: int = 0
    step: int | None = None
    harm: Callable[[Haven, str], None] = lambda haven, step: None

    def live(self) -> NoReturn:
        """Live in this process, which ends with it, however it goes."""
        try:
            os._exit(self._live())
        except BaseException:  # noqa: BLE001 (whatever it is, this process ends here)
            print_exc()
            os._exit(FAULTY)

    def _live(self) -> int:
        random.seed(self.step or 0)
        logging.disable()  # what it says of platforms that fail is not looked at here
        steps = Steps(self.step, lambda step: self._harm(haven, step))
        haven = Haven(self.port, self.remembers, self.clock, steps)
        Stepped.steps = _Watched.steps = steps
        vars(sqlite3)["connect"] = partial(sqlite3.connect, factory=Stepped)
        try:
            store = Store(self.folder / "haven.db", load_seal(self.folder / "haven.key", {}, create=False))
            haven.tell(synchronous=store.query("PRAGMA synchronous") == [(_FULL,)])
            with composed(CONFIG, store, [haven], _Watched(self.classifier), self.clock) as haven.parts:
                asyncio.run(self._play(haven))
                steps.quiet = True
        except InputError as error:
            haven.tell(ended=str(error))
            return BROKEN
        haven.tell(taken=steps.taken)
        return ENDED

    async def _play(self, haven: Haven) -> None:
        """Play; what can still be delivered when the database breaks is, as in `bot.app.serve`."""
        haven.loop = asyncio.get_running_loop()
        try:
            await haven.play(self.story, self.start)
        except InputError:
            with suppress(InputError):
                await haven.parts.outbox.drain()
            raise

    def _harm(self, haven: Haven, step: str) -> None:
        haven.tell(harmed=True, struck=step)
        self.harm(haven, step)
