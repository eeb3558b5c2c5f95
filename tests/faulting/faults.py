"""What goes wrong: each fault is done to a living Haven at one step, and to what it leaves behind."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from faulting.haven import Haven
from faulting.steps import die
from faulting.world import World

HOUR = 3600.0
_JUMP, _HOP = 3 * HOUR, 0.5 * HOUR
_STALL = 100.0  # more than an attempt may take
_ALL = 1 << 40
_FRAME = 24 + 4096  # of the write-ahead log: a header and a page
_LOCKED = 0.03


def _untouched(_: Path) -> None:
    return


@dataclass(frozen=True)
class Aftermath:
    """What is done to the files while Haven is dead, and how far its clock is off when it lives again."""

    mangle: Callable[[Path], None] = _untouched
    skew: float = 0.0


def _as_it_is(_: World) -> Iterator[Aftermath]:
    yield Aftermath()


@dataclass(frozen=True)
class Fault:
    """One kind of harm; `name` is its column. Each aftermath is tried with what is left, and is a fault by itself.

    What `ends` Haven did not take place where Haven ended well, as no file had to grow any more.
    """

    name: str
    harm: Callable[[Haven, str], None]
    afterwards: Callable[[World], Iterator[Aftermath]] = _as_it_is
    ends: bool = False


def _kill(_haven: Haven, _step: str) -> None:
    die()


def _cut_power(haven: Haven, _step: str) -> None:
    """Die, at a commit right after it, so that any part of what it wrote last may be missing."""
    if not haven.steps.committing:
        die()

    def after(before: int, now: int) -> None:
        haven.steps.quiet = True
        haven.tell(sizes=(before, now))
        die()

    haven.steps.after_commit = after


def _torn(world: World) -> Iterator[Aftermath]:
    """Yield what may be left: the last commit cut off anywhere, or unsynchronised rubbish after all that is whole."""
    before, now = world.told.get("sizes", (0, 0))
    if before == now:
        for some in (0, 11, 100, _FRAME + 232):
            yield Aftermath(partial(_tear, rubbish=bytes(range(256)) * 17, some=some))
        return
    frame = before if before else 32  # the log begins with a header of its own
    cuts = {before, now - 1, now - _FRAME, *(frame + some for some in (1, 12, 24, 25, 2048, _FRAME))}
    for cut in sorted(one for one in cuts if before <= one < now):
        yield Aftermath(partial(_tear, at=cut))
    for cut in (before, frame + 24, now - 2048):
        yield Aftermath(partial(_tear, at=cut, rubbish=bytes(now - cut)))


def _tear(database: Path, *, at: int | None = None, rubbish: bytes = b"", some: int | None = None) -> None:
    """Leave the write-ahead log only until there, with other bytes behind it, and nothing of what was in memory."""
    log = database.with_name(f"{database.name}-wal")
    kept = log.read_bytes()[:at] if log.exists() else b""
    log.write_bytes(kept + rubbish[:some])
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)


def _on_connection(sql: str) -> Callable[[Haven, str], None]:
    def harm(haven: Haven, _step: str) -> None:
        assert haven.steps.connection
        haven.steps.connection.plainly(sql)

    return harm


def _no_growth(beyond: int) -> Callable[[Haven, str], None]:
    """Let no file grow beyond so many bytes more than the write-ahead log has: the system itself refuses to write."""

    def harm(haven: Haven, _step: str) -> None:
        assert haven.steps.connection
        most = max(0, haven.steps.connection.log_size() + beyond)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    return harm


def _locked(seconds: float) -> Callable[[Haven, str], None]:
    """Let another process lock the database, for that long or (0) for longer than Haven waits."""

    def harm(haven: Haven, _step: str) -> None:
        assert haven.steps.connection
        if not seconds:
            haven.steps.connection.plainly("PRAGMA busy_timeout = 20")
        if not haven.tell(lock=seconds):
            haven.tell(harmless=True)

    return harm


def _jump(seconds: float) -> Callable[[Haven, str], None]:
    def harm(haven: Haven, _step: str) -> None:
        haven.clock.skew += seconds

    return harm


def _off(seconds: float) -> Callable[[World], Iterator[Aftermath]]:
    def afterwards(_: World) -> Iterator[Aftermath]:
        yield Aftermath(skew=seconds)

    return afterwards


def _stall(haven: Haven, _step: str) -> None:
    """Block the event loop; it holds that to have taken longer than any attempt may."""
    loop: Any = haven.loop
    if loop is None:
        haven.tell(harmless=True)
        return

    def block() -> None:
        time.sleep(0.01)
        real = loop.time
        loop.time = lambda: real() + _STALL

    if threading.current_thread() is threading.main_thread():
        block()
    else:
        loop.call_soon_threadsafe(block)


def _down(by: str) -> Callable[[Haven, str], None]:
    def harm(haven: Haven, _step: str) -> None:
        haven.tell(down=HOUR, by=by)

    return harm


def _lost(answers: int) -> Callable[[Haven, str], None]:
    def harm(haven: Haven, _step: str) -> None:
        haven.tell(lose=answers)

    return harm


FAULTS = (
    Fault("kill -9", _kill),
    Fault("power cut", _cut_power, _torn),
    Fault("disk full", _on_connection("PRAGMA max_page_count = 1"), ends=True),
    Fault("disk full", _no_growth(-_ALL), ends=True),
    Fault("disk full", _no_growth(24 + 1000), ends=True),
    Fault("read-only", _on_connection("PRAGMA query_only = 1"), ends=True),
    Fault("locked briefly", _locked(_LOCKED)),
    Fault("locked long", _locked(0), ends=True),
    Fault("clock back", _jump(-_JUMP)),
    Fault("clock back", _kill, _off(-_JUMP)),
    Fault("clock back", _jump(-_HOP)),
    Fault("clock back", _kill, _off(-_HOP)),
    Fault("clock forward", _jump(_JUMP)),
    Fault("clock forward", _kill, _off(_JUMP)),
    Fault("loop stalls", _stall),
    Fault("platform down", _down("refusing")),
    Fault("platform down", _down("cutting")),
    Fault("answer lost", _lost(1)),
    Fault("answer lost", _lost(3)),
)
