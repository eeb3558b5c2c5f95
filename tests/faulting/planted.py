"""Plants a defect in Haven and tries faults that show it: `python tests/faulting/planted.py DEFECT`.

Prints the cells that are not green, and exits as `tests/faults.py` does.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from faulting.bench import Bench
from faulting.faults import FAULTS
from faulting.haven import CONFIG
from faulting.matrix import core

from bot import case, outbox
from bot.app import open_classifier
from bot.cases import Cases, Row
from bot.database import Database
from bot.effects import AlertModerators
from bot.outbox import Outbox


def acts_before_it_records() -> None:
    """Take an effect without recording that it is under way."""

    def begin(self: Cases, platform: str, now: float, busy: Sequence[str] = ()) -> Row | None:
        rows = self.query(
            "SELECT id, case_id, effect, payload FROM outbox WHERE settled_at IS NULL AND due_at <= ? LIMIT 1", (now,)
        )
        return Row(rows[0][0], rows[0][1], self._opened(*rows[0][2:]), 1) if rows else None

    Cases.begin = begin  # type: ignore[method-assign]


def settles_before_it_acts() -> None:
    """Close an effect before it is done."""
    attempt: Any = Outbox._attempt

    async def closed(self: Outbox, platform: Any, row: Row) -> Any:
        self._store.db.conn.execute("UPDATE outbox SET settled_at = 1.0, outcome = 'delivered' WHERE id = ?", (row.id,))
        self._store.db.conn.commit()
        return await attempt(self, platform, row)

    Outbox._attempt = closed  # type: ignore[method-assign]


def warns_again() -> None:
    """Hold that platforms know keys for ever."""
    vars(outbox)["_is_forgotten"] = lambda *_: False


def records_in_parts() -> None:
    """Commit a case before the alert that follows from it."""
    record: Any = Cases.record

    def in_parts(self: Cases, case: Any, effects: Any, now: float) -> None:
        if any(isinstance(effect, AlertModerators) for effect in effects):
            record(self, case, (), now)
            self.db.conn.commit()
            self.db.conn.execute("BEGIN IMMEDIATE")
        record(self, case, effects, now)

    Cases.record = in_parts  # type: ignore[method-assign]


def trusts_the_disk() -> None:
    """Let a commit return before it is on the disk."""
    opened: Any = Database._open

    def open_quickly(self: Database) -> None:
        opened(self)
        self.db.conn.execute("PRAGMA synchronous = NORMAL")

    Database._open = open_quickly  # type: ignore[method-assign]


def trusts_the_clock() -> None:
    """Wait as long as a clock says that was set back."""
    Cases._after_a_clock_set_back = lambda *_: None  # type: ignore[method-assign]


def hides_whom_to_call() -> None:
    """Let the end of the second warning change nothing."""
    vars(case)["_MISSED"] = ()


DEFECTS: dict[str, tuple[Callable[[], None], str, tuple[str, ...]]] = {
    "acts before it records": (acts_before_it_records, "kill -9", ("sent",)),
    "settles before it acts": (settles_before_it_acts, "kill -9", ("begun",)),
    "warns again": (warns_again, "kill -9", ("performed", "answered")),
    "records in parts": (records_in_parts, "kill -9", ("decide: commit",)),
    "trusts the disk": (trusts_the_disk, "kill -9", ("read",)),
    "trusts the clock": (trusts_the_clock, "clock back", ("recorded",)),
    "hides whom to call": (hides_whom_to_call, "kill -9", ("sent", "performed", "answered")),
    "": (lambda: None, "kill -9", ("begun", "performed", "decide: commit")),
}


def main() -> None:
    """Plant the defect, and try the faults."""
    plant, fault, rows = DEFECTS[sys.argv[1]]
    plant()
    with tempfile.TemporaryDirectory() as name, closing(Bench(Path(name), open_classifier(CONFIG, Path()))) as bench:
        red = core(bench, [one for one in FAULTS if one.name == fault], rows).red()
    click.echo("\n".join(red))
    sys.exit(bool(red))


if __name__ == "__main__":
    main()
