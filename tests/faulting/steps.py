"""Every step between a message that is read and a delivery that is settled, and a place to do harm at each."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

_LINKS = ("campaigns", "marks")


class Steps:
    """Counts the steps that Haven takes; at the step `at` it does `harm`, once.

    `phase` is what Haven is at: "decide", "edit", … or of a delivery "begin", "begun" and "settle". `editing` is
    whether an edit is being delivered, `part` which part of the story it is. `taken` has the row of the table that each
    step belongs to, and its part.
    """

    def __init__(self, at: int | None, harm: Callable[[str], None]) -> None:
        self.phase = "start"
        self.editing = False
        self.quiet = False
        self.part = -1
        self.taken: list[tuple[str, int]] = []
        self.connection: Stepped | None = None
        self.committing = False
        self.after_commit: Callable[[int, int], None] | None = None
        self._at = at
        self._harm = harm

    def reach(self, step: str, *, committing: bool = False) -> None:
        """Come to a step."""
        self.committing = committing
        if self.quiet:
            return
        if self.editing and step not in ("read", "assessed", "recorded"):
            step = "edit delivered"
        self.taken.append((step, self.part))
        if len(self.taken) - 1 == self._at:
            self.quiet = True
            self._harm(step)
            self.quiet = False

    def statement(self, sql: str) -> None:
        """Come to a statement of SQL, or to a commit."""
        committing, step = sql == "COMMIT", self.phase
        if any(f" {table} " in f"{sql} " for table in _LINKS) and self.phase not in ("forget", "retention"):
            step = "mark"
        elif self.phase in ("begin", "settle", "decide"):
            step += ": commit" if committing else ": each statement"
        self.reach(step, committing=committing)

    def committed(self) -> None:
        """Go on to the next part of a delivery."""
        if self.phase == "begin":
            self.phase = "begun"
        elif self.phase == "settle":
            self.reach("settled")
            self.phase, self.editing = "begin", False


class Stepped(sqlite3.Connection):
    """A real connection that comes to a step before each statement and each commit."""

    steps: Steps

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Come to the step, then do it."""
        if sql == "COMMIT":
            return cast("sqlite3.Cursor", self._commit(lambda: super(Stepped, self).execute(sql, *values)))
        self._come_to(sql)
        return super().execute(sql, *values)

    def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
        """Come to the step, then do it."""
        self._come_to(sql)
        return super().executemany(sql, values)

    def executescript(self, sql: str) -> sqlite3.Cursor:
        """Come to the step, then do it."""
        self._come_to(sql)
        return super().executescript(sql)

    def __exit__(self, *error: Any) -> Any:
        """Commit as a step of its own."""
        if error[0] is not None or not self.in_transaction:
            return super().__exit__(*error)
        return self._commit(lambda: super(Stepped, self).__exit__(*error))

    def plainly(self, sql: str) -> None:
        """Do a statement that is no step of Haven's."""
        super().execute(sql)

    def _come_to(self, sql: str) -> None:
        self.steps.connection = self
        self.steps.statement(sql)

    def _commit(self, commit: Callable[[], Any]) -> Any:
        before = self.log_size()
        self._come_to("COMMIT")
        done = commit()
        if self.steps.after_commit:
            self.steps.after_commit(before, self.log_size())
        self.steps.committed()
        return done

    def log_size(self) -> int:
        [(_, _, file)] = super().execute("PRAGMA database_list").fetchall()
        log = Path(f"{file}-wal")
        return log.stat().st_size if log.exists() else 0


def die() -> None:
    """End this process without warning."""
    os.kill(os.getpid(), signal.SIGKILL)
