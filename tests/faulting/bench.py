"""Lets Haven live through a story, harms it at a step, lets it live again, and says what of the promise is broken."""

from __future__ import annotations

import copy
import os
import shutil
import socket
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from faulting.faults import Fault
from faulting.haven import BROKEN, ENDED, ERASURE, Action, Clock, Life
from faulting.promise import broken
from faulting.world import Kind, World

from bot.sealing import load_seal
from bot.store import Store
from classifiers.classifier import Classifier

_KILLED = -9


@dataclass(frozen=True)
class Harm:
    """A fault at one step of a story, on one kind of platform; the step belongs to a row of the table."""

    fault: Fault
    story: Sequence[Action]
    kind: Kind
    step: int
    row: str


@dataclass
class Outcome:
    """How many faults were injected at a step, and what they broke."""

    injected: int = 0
    wrong: list[str] = field(default_factory=list)


class Bench:
    """A folder for one Haven after another, with one model for all of them."""

    def __init__(self, folder: Path, classifier: Classifier) -> None:
        self._classifier = classifier
        self._start, self._folder, self._remains = (folder / name for name in ("start", "life", "remains"))
        self._start.mkdir()
        with closing(Store(self._start / "haven.db", load_seal(self._start / "haven.key", {}, create=True))):
            pass
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)

    def close(self) -> None:
        """Let go of the socket."""
        self._listening.close()

    def steps(self, story: Sequence[Action]) -> tuple[list[tuple[str, int]], list[str]]:
        """Return the steps of a life to which nothing happens, and what is broken even so."""
        world = self._fresh(Kind("unharmed", remembers=0, away=0))
        code = self._live(world, Clock(world.at), story)
        wrong = broken(world, erased=story is ERASURE)
        if code != ENDED:
            wrong.append(f"Haven ended with {code}, unharmed: {world.told.get('ended')}")
        if not world.told.get("synchronous"):
            wrong.append("a commit may be lost when the power is cut")
        return [(row, part) for row, part in world.told.get("taken", [])], wrong

    def harm(self, harm: Harm, *, once: bool = False) -> Outcome:
        """Do harm at a step, and let Haven live on or again; `once` with one of all the aftermaths only."""
        world, outcome = self._fresh(harm.kind), Outcome()
        code = self._live(world, Clock(world.at), harm.story, harm)
        if world.told.get("struck") != harm.row:
            outcome.wrong.append(f"step {harm.step} is {world.told.get('struck')} and not {harm.row}")
        if world.told.get("harmless") or (harm.fault.ends and code == ENDED):
            return outcome  # it did not come to that
        if code == ENDED:
            outcome.injected = 1
            outcome.wrong += broken(world, erased=harm.story is ERASURE)
            return outcome
        if code not in (BROKEN, _KILLED):
            outcome.wrong.append(f"Haven ended with {code}")
        shutil.rmtree(self._remains, ignore_errors=True)
        shutil.copytree(self._folder, self._remains)
        aftermaths = list(harm.fault.afterwards(world))
        for aftermath in aftermaths[harm.step % len(aftermaths) :][:1] if once else aftermaths:
            again = copy.deepcopy(world)
            shutil.rmtree(self._folder)
            shutil.copytree(self._remains, self._folder)
            aftermath.mangle(self._folder / "haven.db")
            outcome.injected += 1
            outcome.wrong += self._lived_on(again, harm.story, aftermath.skew)
        return outcome

    def _lived_on(self, world: World, story: Sequence[Action], skew: float) -> list[str]:
        world.at += world.kind.away
        code = self._live(world, Clock(world.at, skew), story)
        ended = f" ({world.told.get('ended')})" if code == BROKEN else ""
        wrong = [] if code == ENDED else [f"the next life ended with {code}{ended}"]
        return wrong + broken(world, erased=story is ERASURE)

    def _fresh(self, kind: Kind) -> World:
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._start, self._folder)
        return World(kind, self._folder)

    def _live(self, world: World, clock: Clock, story: Sequence[Action], harm: Harm | None = None) -> int:
        """Let one Haven live in a process of its own; return how it ended."""
        port = self._listening.getsockname()[1]
        life = Life(world.folder, port, world.kind.remembers, clock, self._classifier, story, world.action)
        if harm:
            life = replace(life, step=harm.step, harm=harm.fault.harm)
        ends, theirs = os.pipe()
        child = os.fork()
        if not child:
            life.live()
        os.close(theirs)
        try:
            code = world.watch(self._listening, child, ends)
        finally:
            os.close(ends)
        world.harms += code != ENDED  # nobody settles any more what was under way
        return code
