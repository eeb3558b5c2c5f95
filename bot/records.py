"""What the moderators of each space chose and did: settings, and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import msgspec

from bot.database import Database
from classifiers.conversation import Account

AUDIT_DAYS = 365


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit trail: who did what, and what they added; `at` is in seconds since 1970.

    `actor` is None once they are forgotten.
    """

    at: float
    actor: Account | None
    act: str
    case: str | None
    note: str


class Records:
    """Settings and audit trail in the database of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[None]:
        """Return what holds the database for one step that happens wholly or not at all."""
        return self._database.transaction()

    def settings(self, space: str) -> dict[str, Any]:
        """Return the keys of the policy that a space has set itself."""
        rows = self._database.query("SELECT settings FROM spaces WHERE space = ? AND settings IS NOT NULL", (space,))
        return msgspec.json.decode(self._database.seal.open(rows[0][0]), type=dict[str, Any]) if rows else {}

    def salt(self) -> str:
        """Return what keeps the ids of cases from telling about whom they are."""
        return self._database.seal.hash("salt")

    def spaces(self) -> list[str]:
        """Return the spaces that have settings or were read."""
        return [space for (space,) in self._database.query("SELECT space FROM spaces ORDER BY space")]

    def choose(self, space: str, settings: Mapping[str, Any]) -> None:
        """Keep the keys of the policy that a space has set itself."""
        self._upsert(space, settings=self._database.seal.close(msgspec.json.encode(settings)))

    def seen(self, space: str, at: float) -> None:
        """Keep when a message of the space was last read."""
        self._upsert(space, seen_at=at)

    def seen_at(self, space: str) -> float | None:
        """Return when a message of the space was last read, None for never."""
        rows = self._database.query("SELECT seen_at FROM spaces WHERE space = ?", (space,))
        return rows[0][0] if rows else None

    def note(self, space: str, case: str | None, actor: Account, act: str, note: str, at: float) -> None:
        """Add a line to the audit trail."""
        with self._database.transaction():
            self._database.db.table("audit").insert(
                {
                    "space": space,
                    "case_id": case,
                    "at": at,
                    "platform": actor.platform,
                    "account": self._database.hashed(actor),
                    "who": self._database.seal.close(actor.id.encode()),
                    "act": act,
                    "note": self._database.seal.close(note.encode()) if note else None,
                }
            )

    def trail(self, space: str, case: str | None = None, most: int = 100) -> list[Entry]:
        """Return the latest lines of the audit trail of a space, or of one of its cases, the oldest first."""
        rows = self._database.query(
            "SELECT at, platform, who, act, case_id, note FROM audit"
            " WHERE space = ?1 AND (?2 IS NULL OR case_id = ?2) ORDER BY id DESC LIMIT ?3",
            (space, case, most),
        )

        def opened(sealed: bytes | None) -> str:
            return self._database.seal.open(sealed).decode() if sealed else ""

        return [
            Entry(at, Account(platform, opened(who)) if who else None, act, about, opened(note))
            for at, platform, who, act, about, note in reversed(rows)
        ]

    def purge(self, before: float) -> int:
        """Erase the lines of the audit trail from before then; return how many."""
        with self._database.transaction():
            return self._database.db.conn.execute("DELETE FROM audit WHERE at < ?", (before,)).rowcount

    def _upsert(self, space: str, **values: bytes | float) -> None:
        with self._database.transaction():
            self._database.db.table("spaces").upsert({"space": space, **values}, pk="space")
