"""Kills and signals at many moments: what was recorded is delivered, now or after the restart."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from bot.effects import Advice
from bot.sealing import load_seal
from bot.store import Store
from classifiers.assessment import Level

Run = Callable[..., subprocess.CompletedProcess[str]]
Frames = Callable[[str], list[tuple[str, str]]]
Threat = Callable[[str, str], list[str]]

SHOWN = {
    "AlertModerators": re.compile(r"to the moderators  ·  case (\w+)"),
    "AdviseTarget": re.compile(r"to .+, in private  ·  case (\w+)"),
}
QUERY = "SELECT id, case_id, effect, attempts, outcome FROM outbox ORDER BY id"
USUAL = (
    "INFO bot.outbox: ",
    "INFO bot.live: no platform has a token: reading the console",
    "INFO bot.app: stopping: what was read is decided on and delivered first",
)
PAGE = 4096
PATIENCE = 60


class Row(NamedTuple):
    """One line of the outbox; `outcome` is None until it is settled."""

    id: int
    case: str
    effect: str
    attempts: int
    outcome: str | None


class Life:
    """A process, what it prints (into a pipe that is read when the test wants to) and what it records."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: int, database: Path) -> None:
        self.process = process
        self.started = time.monotonic()
        self.database = database
        self._pipe = pipe
        self._heard = b""
        self._before = max((row.id for row in held(database)), default=0)
        self._watch: sqlite3.Connection | None = None

    def say(self, lines: list[str]) -> None:
        assert self.process.stdin
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()

    def see(self, query: str, *values: str) -> list[Any]:
        """Look into the database through a connection that cannot write; what is not there yet is empty."""
        try:
            if self._watch is None and self.database.with_name(f"{self.database.name}-wal").exists():
                self._watch = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
            return self._watch.execute(query, values).fetchall() if self._watch else []
        except sqlite3.OperationalError:
            return []

    def rows(self) -> list[Row]:
        """Return all that is recorded now."""
        return [Row(*row) for row in self.see(QUERY)]

    def new(self) -> list[Row]:
        """Return what this life recorded."""
        return [row for row in self.rows() if row.id > self._before]

    def heard(self) -> str:
        """Return what was printed until now."""
        os.set_blocking(self._pipe, False)
        try:
            while chunk := os.read(self._pipe, 1 << 16):
                self._heard += chunk
        except BlockingIOError:
            pass
        return self._heard.lstrip(b"\0").decode(errors="replace")

    def unread(self) -> int:
        """Return how many bytes wait in the pipe."""
        return int.from_bytes(fcntl.ioctl(self._pipe, termios.FIONREAD, bytes(4)), sys.byteorder)

    def until(self, moment: Callable[[Life], bool]) -> None:
        """Wait for the moment, which has to come while the process lives."""
        while not moment(self):
            assert self.process.poll() is None, (self.database.parent / "errors").read_text()[-1000:]
            assert time.monotonic() < self.started + PATIENCE, f"the moment did not come: {self.rows()}"
            time.sleep(0.001)

    def kill(self) -> str:
        """End the process without warning and return what it printed."""
        self.process.kill()
        return self.end(-signal.SIGKILL)

    def end(self, code: int) -> str:
        """Wait for the end, which has to come with this exit code, and return what was printed."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            self.heard()
            time.sleep(0.005)
        assert self.process.returncode == code
        return self.heard()

    def close(self) -> None:
        self.process.kill()
        self.process.__exit__(None, None, None)
        os.close(self._pipe)
        if self._watch:
            self._watch.close()


@contextmanager
def life(
    *arguments: str, folder: Path, environment: dict[str, str], database: str = "haven.db", pages: int | None = None
) -> Iterator[Life]:
    """Start `python -m bot`; with `pages`, it can print no more than that many until it is listened to."""
    ours, theirs = os.pipe()
    if pages is not None:
        os.set_blocking(theirs, False)
        try:
            while os.write(theirs, bytes(PAGE)):
                pass
        except BlockingIOError:
            os.set_blocking(theirs, True)
        for _ in range(pages):
            os.read(ours, PAGE)
    with (folder / "errors").open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bot", *arguments],
            cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=theirs, stderr=errors,
        )  # fmt: skip
    os.close(theirs)
    started = Life(process, ours, folder / database)
    try:
        yield started
    finally:
        started.close()


def held(database: Path) -> list[Row]:
    """Return the outbox as a kill left it, from a copy, so that nobody but Haven mends the file."""
    copy = database.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for file in database.parent.glob(f"{database.name}*"):
        shutil.copy(file, copy)
    try:
        with closing(sqlite3.connect(copy / database.name)) as connection:
            return [Row(*row) for row in connection.execute(QUERY)]
    except sqlite3.OperationalError:
        return []


def missing(database: Path, shown: list[tuple[str, str]]) -> list[str]:
    """Return everything that is wrong with the deliveries: not settled, not shown, or shown too often."""
    found = []
    counts = Counter(
        (effect, seen[1]) for title, _ in shown for effect, form in SHOWN.items() if (seen := form.fullmatch(title))
    )
    for row in held(database):
        if row.outcome != "delivered":
            found.append(f"{row} is not delivered")
        if row.effect in SHOWN and not 1 <= counts[row.effect, row.case] <= row.attempts:
            found.append(f"{row} was shown {counts[row.effect, row.case]} times")
    return found


def undecided(database: Path) -> list[str]:
    """Return the cases that should have an alert in front of the moderators, or a warning, and have none."""
    with closing(sqlite3.connect(database)) as connection:
        ids = [id for (id,) in connection.execute("SELECT id FROM cases")]
    store = Store(database, load_seal(database.with_suffix(".key"), {}, create=False))
    with closing(store):
        cases = [case for id in ids if (case := store.case_of(id)) and case.level >= Level.ALERT]
    posted = {case.id for case in cases if case.post and case.post.reference}
    return [
        f"{case.id}: {case.post}, {case.targets}"
        for case in cases
        if (case.under or case.id) not in posted or any(t.advice is Advice.PENDING for t in case.targets)
    ]


def in_own_words(lines: list[str]) -> list[str]:
    """Return lines with so much added that no two people have the same script, which one alert would stand for."""

    def added(line: str) -> str:
        choose = Random(line)  # noqa: S311
        return " ".join("".join(choose.choices("bcdfghklmnprstvz", k=6)) for _ in range(12))

    return [f"{line} {added(line)}" for line in lines]


def traces(folder: Path) -> str:
    """Return what was said on standard error besides what the log says of the usual course."""
    lines = (folder / "errors").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith(USUAL))


# Moments.


def at(seconds: float) -> Callable[[Life], bool]:
    return lambda life: time.monotonic() - life.started >= seconds


def recorded(number: int) -> Callable[[Life], bool]:
    return lambda life: len(life.new()) >= number


def settled(number: int) -> Callable[[Life], bool]:
    return lambda life: sum(row.outcome is not None for row in life.new()) >= number


def waiting(effect: str) -> Callable[[Life], bool]:
    return lambda life: any(row.effect == effect and row.outcome is None for row in life.new())


def printed(words: str) -> Callable[[Life], bool]:
    return lambda life: words in life.heard()


def stuck(life: Life) -> bool:
    """Whether a delivery has begun and gets no further, because the pipe is full.

    The edit that is being shown when a newer one is recorded gives its row to that: then nothing begins for a second.
    """
    rows, before = life.rows(), life.unread()
    waiting = [row for row in rows if row.outcome is None]
    begun = any(row.attempts for row in waiting)
    if not begun and not any(row.effect == "UpdateAlert" for row in waiting):
        return False
    time.sleep(0.03 if begun else 1)
    return life.unread() == before and (begun or life.rows() == rows)


LIVES: list[tuple[Callable[[Life], bool], int | None]] = [
    (at(0.15), None),
    (recorded(1), None),
    (waiting("AlertModerators"), None),
    (stuck, 0),
    (settled(1), None),
    (waiting("AdviseTarget"), None),
    (stuck, 1),
    (recorded(3), None),
    (stuck, 2),
    (settled(2), None),
    (waiting("UpdateAlert"), None),
    (stuck, 3),
    (settled(5), None),
]


def test_one_database_survives_a_kill_at_every_moment_of_a_run(
    haven: Run, tmp_path: Path, environment: dict[str, str], frames: Frames, threat: Threat
) -> None:
    database = tmp_path / "haven.db"
    shown: list[tuple[str, str]] = []
    ever: set[tuple[int, str, str]] = set()
    interrupted = 0
    for number, (moment, pages) in enumerate(LIVES):
        with life("run", folder=tmp_path, environment=environment, pages=pages) as one:
            one.say(in_own_words(threat(f"kay{number}", f"sam{number}") + threat(f"kim{number}", f"sol{number}")))
            one.until(moment)
            shown += frames(one.kill())
        left = held(database)
        interrupted += any(row.outcome is None for row in left)
        if moment is stuck:
            assert any(row.outcome is None for row in left)
        ever |= {(row.id, row.case, row.effect) for row in left if row.effect in SHOWN}
    assert interrupted >= sum(moment is stuck for moment, _ in LIVES)
    assert {effect for _, _, effect in ever} == set(SHOWN)

    last = haven("run", said="ann> hello")
    assert last.returncode == 0, last.stderr
    assert ever <= {(row.id, row.case, row.effect) for row in held(database)}
    assert missing(database, shown + frames(last.stdout)) == []
    assert undecided(database) == []
    assert traces(tmp_path) == ""


def there(name: str) -> Callable[[Life], bool]:
    return lambda life: life.database.with_name(name).exists()


def table(name: str) -> Callable[[Life], bool]:
    return lambda life: life.see("SELECT name FROM sqlite_master WHERE name = ?", name) != []


def test_kills_at_the_very_first_starts_leave_nothing_broken(
    haven: Run, tmp_path: Path, environment: dict[str, str], frames: Frames, threat: Threat
) -> None:
    for moment in (there("haven.key"), there("haven.db"), table("_sqlite_migrations"), table("seal")):
        with life("run", folder=tmp_path, environment=environment) as one:
            one.until(moment)
            assert one.kill() == ""
    assert all("Haven was started on it before" in line for line in traces(tmp_path).splitlines())
    result = haven("run", said="\n".join(threat("kayla", "sam")))
    assert result.returncode == 0, result.stderr
    assert Counter(row.effect for row in held(tmp_path / "haven.db"))["AdviseTarget"] == 1
    assert missing(tmp_path / "haven.db", frames(result.stdout)) == []


@pytest.mark.parametrize(
    ("moment", "pages"),
    [
        (waiting("AlertModerators"), None),
        (stuck, 2),
        (waiting("AdviseTarget"), None),
        (printed("yes and a pump"), None),
    ],
    ids=["alert", "full pipe", "warning", "after"],
)
def test_a_killed_demo_is_finished_by_the_next(
    haven: Run,
    tmp_path: Path,
    environment: dict[str, str],
    frames: Frames,
    moment: Callable[[Life], bool],
    pages: int | None,
) -> None:
    arguments = ("demo", "--database", "story.db", "--pace", "0.05")
    with life(*arguments, folder=tmp_path, environment=environment, database="story.db", pages=pages) as one:
        one.until(moment)
        shown = frames(one.kill())
    left = held(tmp_path / "story.db")
    last = haven("demo", "--database", "story.db", "--pace", "0")
    assert (last.returncode, last.stderr) == (0, "")
    assert ("left over from before" in last.stdout) == any(row.outcome is None for row in left)
    found = held(tmp_path / "story.db")
    assert [row[:3] for row in left if row.effect in SHOWN] == [row[:3] for row in found if row.effect in SHOWN][
        : len(left)
    ]
    assert Counter(row.effect for row in found if row.effect in SHOWN) == Counter(list(SHOWN))
    assert missing(tmp_path / "story.db", shown + frames(last.stdout)) == []
    assert undecided(tmp_path / "story.db") == []


@pytest.mark.parametrize(
    ("number", "moment", "pages"),
    [
        (signal.SIGTERM, stuck, 0),
        (signal.SIGTERM, stuck, 1),
        (signal.SIGTERM, settled(3), None),
        (signal.SIGINT, stuck, 2),
        (signal.SIGINT, recorded(2), None),
    ],
    ids=["TERM-full pipe", "TERM-a page later", "TERM-settled", "INT-full pipe", "INT-recorded"],
)
def test_a_signal_ends_a_run_with_everything_delivered_once(
    tmp_path: Path,
    environment: dict[str, str],
    frames: Frames,
    threat: Threat,
    number: signal.Signals,
    moment: Callable[[Life], bool],
    pages: int | None,
) -> None:
    with life("run", folder=tmp_path, environment=environment, pages=pages) as one:
        one.say([line for pair in range(3) for line in threat(f"kay{pair}", f"sam{pair}")])
        one.until(moment)
        one.process.send_signal(number)
        shown = frames(one.end(0))
    found = held(tmp_path / "haven.db")
    assert {row.attempts for row in found} == {1}
    assert missing(tmp_path / "haven.db", shown) == []
    assert undecided(tmp_path / "haven.db") == []
    assert traces(tmp_path) == ""
