"""The same faults between Haven and a Discord or a Telegram: the program as a process, and a platform on sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from faulting.places import ALERT, EDIT, WARNING, OnDiscord, OnTelegram, Place

from bot import advice
from bot.effects import Advice, Outcome
from bot.sealing import load_seal
from bot.store import Store
from classifiers.assessment import Level

ROOT = Path(__file__).parents[2]
PLACES: tuple[type[Place], ...] = (OnDiscord, OnTelegram)
EFFECTS = (ALERT, WARNING, EDIT)
_HOUR = 12
"""So many attempts does the back-off make within an hour."""
_PATIENCE = 60.0


@dataclass(frozen=True)
class Trial:
    """One fault at one step of one effect."""

    fault: str
    step: str
    effect: str

    @property
    def ends(self) -> bool:
        """Whether Haven does not survive it."""
        return self.fault in ("kill -9", "locked long")

    @property
    def unknown(self) -> bool:
        """Whether nobody at Haven knows afterwards whether the effect was done.

        Once it is recorded a worker may take it, while the thread that recorded it comes to its end.
        """
        return self.fault != "kill -9" or self.step in ("recorded", "performed", "answered")


def trials() -> Iterator[Trial]:
    """Yield every fault that is tried on each platform."""
    yield Trial("kill -9", "recorded", ALERT)
    for effect in EFFECTS:
        yield from (Trial("kill -9", step, effect) for step in ("begun", "performed", "answered", "settled"))
        yield from (Trial("loop stalls", step, effect) for step in ("begun", "answered"))
        yield Trial("locked long", "performed", effect)
        yield Trial("platform down", "sent", effect)
        yield Trial("answer lost", "performed", effect)


async def tried(place_type: type[Place], trial: Trial) -> list[str]:
    """Do one fault to a Haven on a platform of its own; return what of the promise is broken."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with place_type() as place:
            (folder / "haven.toml").write_text(place.settings())
            how = {"kill -9": "kill", "loop stalls": "stall", "locked long": "locked"}.get(trial.fault, "none")
            if trial.step == "performed" and how == "kill":
                how = "none"
            async with _haven(place, folder, how, trial.step, trial.effect) as process:
                locked = _arm(place, trial, folder, process)
                await place.threaten()
                if trial.ends:
                    async with asyncio.timeout(_PATIENCE):
                        code = await process.wait()
                    if code != (-signal.SIGKILL if trial.fault == "kill -9" else 1):
                        return [f"Haven ended with {code}"]
                else:
                    await _calm(place, folder, trial)
                    process.send_signal(signal.SIGTERM)
                    await process.wait()
                for connection in locked:
                    connection.close()
            if trial.ends:
                async with _haven(place, folder, "none", "", "") as process:
                    await _calm(place, folder, trial)
                    process.send_signal(signal.SIGTERM)
                    await process.wait()
            ended = [] if process.returncode == 0 else [f"Haven ended with {process.returncode}"]
            return ended + broken(place, folder, trial)


def _arm(place: Place, trial: Trial, folder: Path, process: asyncio.subprocess.Process) -> list[sqlite3.Connection]:
    """Prepare what is done from outside of Haven."""
    locked: list[sqlite3.Connection] = []

    def lock() -> None:
        locked.append(sqlite3.connect(folder / "haven.db", timeout=5, isolation_level=None))
        locked[0].execute("BEGIN EXCLUSIVE")

    match trial.fault, trial.step:
        case "kill -9", "performed":
            place.once_done(trial.effect, process.kill)
        case "locked long", _:
            place.once_done(trial.effect, lock)
        case "platform down", _:
            place.fail(trial.effect, _HOUR, after=False)
        case "answer lost", _:
            place.fail(trial.effect, 1, after=True)
    return locked


@asynccontextmanager
async def _haven(place: Place, folder: Path, *how: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run Haven in a process of its own until it ends, from when it is connected on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAVEN_", "PYTHON"))}
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    environment = kept | place.environment | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    with (folder / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(Path(__file__).with_name("adapted.py")), *how,
            cwd=folder, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        try:
            await _until(lambda: b"connected as" in (folder / "said").read_bytes() or process.returncode is not None)
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _calm(place: Place, folder: Path, trial: Trial) -> None:
    """Wait until all that is promised is done; what is not done in time stays broken."""
    try:
        await _until(lambda: not broken(place, folder, trial))
    except TimeoutError:
        return


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 (what is waited for is in another process)
            await asyncio.sleep(0.05)


def broken(place: Place, folder: Path, trial: Trial) -> list[str]:
    """Return what of the promise does not hold."""
    database = folder / "haven.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT effect, outcome, attempts FROM outbox ORDER BY id").fetchall()
        ids = [id for (id,) in connection.execute("SELECT id FROM cases")]
    wrong = place.complaints() + [f"{effect} still waits after {tries}" for effect, end, tries in rows if end is None]
    if trial.effect not in (effect for effect, _, _ in rows):
        wrong.append(f"{trial.effect} was never recorded")
    wrong += [f"{effect} ended as {end}" for effect, end, _ in rows if end not in (None, *_ENDS)]
    seal = load_seal(folder / "haven.key", {}, create=False)
    with closing(Store(database, seal)) as store:
        cases = [case for id in ids if (case := store.case_of(id)) and case.level >= Level.ALERT]
    alerts, sent = place.alerts(), place.warnings()
    most = 1 if place.tells or trial.effect != ALERT or not trial.unknown else 2
    if not (len(cases) == 1 and 1 <= len(alerts) <= most):
        wrong.append(f"{len(alerts)} alerts of {len(cases)} cases")
    for case in cases:
        shown = alerts.get((case.post and case.post.reference) or "", "")
        for target in case.targets:
            if advice.on_alert("en-GB").advice[target.advice] not in shown:
                wrong.append(f"the alert does not say that the warning is {target.advice}")
            if sent not in {Advice.DELIVERED: (1,), Advice.UNKNOWN: (0, 1)}.get(target.advice, (0,)):
                wrong.append(f"{sent} warnings were sent and it is {target.advice}")
            if target.advice is Advice.UNKNOWN and (place.tells or trial.effect != WARNING):
                wrong.append("nobody knows whether the warning arrived")
    return wrong


_ENDS = (Outcome.DELIVERED, Outcome.UNKNOWN)
