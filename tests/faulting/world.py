"""The world outside of Haven: a platform in another process, which outlives whatever befalls Haven and takes notes."""

from __future__ import annotations

import json
import os
import selectors
import socket
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bot.effects import AdviseTarget, Alert, AlertModerators, Effect, PageModerators, UpdateAlert

NAME = "world"
EFFECTS: dict[str, type[Effect]] = {
    one.__name__: one for one in (AdviseTarget, AlertModerators, UpdateAlert, PageModerators)
}
_PATIENCE = 120.0


class Kind(NamedTuple):
    """A kind of platform: for how long it knows keys, and for how long Haven is away between two lives; in seconds."""

    name: str
    remembers: float
    away: float


@dataclass
class Done:
    """One thing that was done; `harms` counts how often Haven had been harmed by then."""

    key: str
    effect: Effect
    at: float
    harms: int


@dataclass
class World:
    """A platform with one space, and what Haven says of itself to whoever tests it.

    `at` is the true time, whatever Haven's clock says. `action` is the part of the story that Haven is at, `decided`
    what it said it had decided on and when, `told` the rest of what it said last.
    """

    kind: Kind
    folder: Path
    at: float = 1_800_000_000.0
    done: list[Done] = field(default_factory=list)
    alerts: dict[str, Alert] = field(default_factory=dict)
    decided: dict[str, float] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    action: int = 0
    harms: int = 0
    _lose: int = 0
    _down_until: float = 0.0
    _down_by: str = ""
    _lock: sqlite3.Connection | None = None
    _locked_for: float | None = None

    @property
    def database(self) -> Path:
        """Where Haven keeps what it records."""
        return self.folder / "haven.db"

    def watch(self, listening: socket.socket, child: int, ends: int) -> int:
        """Serve until the child has ended, which closes the pipe `ends`; return how it ended."""
        with selectors.DefaultSelector() as events:
            events.register(listening, selectors.EVENT_READ)
            events.register(ends, selectors.EVENT_READ)
            ended = False
            while not ended:
                ready = events.select(self._locked_for if self._lock and self._locked_for else _PATIENCE)
                if not ready and not self._locked_for:
                    os.kill(child, 9)
                    self.wrong.append("Haven hangs")
                if self._lock and self._locked_for:
                    self.unlock()
                for key, _ in ready:
                    ended = ended or key.fd == ends
                    if key.fileobj is listening:
                        self._serve(listening)
        listening.setblocking(False)
        with suppress(BlockingIOError):
            while True:  # what Haven had still sent when it ended
                self._serve(listening)
        listening.setblocking(True)
        self.unlock()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def unlock(self) -> None:
        """Let others use the database again."""
        if self._lock:
            self._lock.close()
        self._lock = self._locked_for = None

    def _serve(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.setblocking(True)
        with connection, connection.makefile("rwb") as file, suppress(BrokenPipeError, ConnectionResetError):
            line = file.readline()
            if not line.endswith(b"\n"):
                return
            asked = json.loads(line)
            self.at = max(self.at, asked.pop("at"))
            if "key" in asked:
                effect = msgspec.convert(asked["effect"], EFFECTS[asked["name"]])
                answers = self._perform(effect, asked["key"])
            else:
                answers = [self._hear(**asked)]
            for answer in answers:
                file.write(json.dumps(answer).encode() + b"\n")
                file.flush()

    def _perform(self, effect: Effect, key: str) -> list[Any]:
        """Do it and answer in two pieces, the first of which says that it is done."""
        self._check_recorded(effect, key)
        if self.at < self._down_until:
            return [{"busy": True}] if self._down_by == "refusing" else []
        answer = self._do(effect, key)
        if self._lose:
            self._lose -= 1
            self.harms += 1
            return []
        return [{"done": True}, answer]

    def _do(self, effect: Effect, key: str) -> dict[str, str]:
        before = [done for done in self.done if done.key == key]
        if before and self.at - before[-1].at <= self.kind.remembers:
            return {"reference": f"post-{self.done.index(before[-1])}"}
        if before and before[-1].harms == self.harms:
            self.wrong.append(f"{type(effect).__name__} {key} was done twice although nothing had gone wrong since")
        reference = f"post-{len(self.done)}"
        match effect:
            case AlertModerators(alert=alert):
                self.alerts[reference] = alert
            case UpdateAlert(alert=alert, reference=posted):
                if posted not in self.alerts:
                    self.wrong.append(f"the alert {posted} was edited and never made")
                self.alerts[posted] = alert
        self.done.append(Done(key, effect, self.at, self.harms))
        return {"reference": reference}

    def _check_recorded(self, effect: Effect, key: str) -> None:
        """Look from outside whether what is asked for is recorded, and that it is being attempted."""
        case, _, id = key.rpartition("-")
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT case_id, effect, attempts > 0, begun_at IS NOT NULL, settled_at IS NULL FROM outbox"
                " WHERE id = ?",
                (id,),
            ).fetchall()
        if rows != [(case, type(effect).__name__, 1, 1, 1)]:
            self.wrong.append(f"{type(effect).__name__} {key} was acted on and is not recorded as under way: {rows}")

    def _hear(
        self,
        *,
        action: int | None = None,
        decided: list[str] | None = None,
        lose: int = 0,
        down: float = 0.0,
        by: str = "",
        lock: float | None = None,
        harmed: bool = False,
        **told: Any,
    ) -> bool:
        """Note what Haven says, and do to it what it asks for."""
        self.told |= told
        self.action = self.action if action is None else action
        for case in decided or ():
            self.decided.setdefault(case, self.at)
        self.harms += harmed
        self._lose += lose
        if down:
            self._down_until, self._down_by = self.at + down, by
        return self._locks(lock) if lock is not None else True

    def _locks(self, seconds: float) -> bool:
        """Lock the database as another program may; 0 for as long as Haven lives. False while Haven writes."""
        self._lock = sqlite3.connect(self.database, timeout=0, isolation_level=None)
        self._locked_for = seconds or None
        try:
            self._lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            self.unlock()
            return False
        return True
