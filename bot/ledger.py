"""What links cases to each other and weighs rulings: keyed hashes and numbers, never words."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from bot.case import Case
from bot.database import Database
from bot.effects import Ruling
from classifiers.assessment import Kind

_MARKS = 400  # of one case: of twenty long lines, and then some handles
_COPIES = 8  # cases that keep the same mark, so that a flood of one script costs no more than its first cases


@dataclass(frozen=True, slots=True)
class Member:
    """A case of a campaign; `leader` is the case whose alert shows it: itself, another, or None without any."""

    case: str
    sender: str
    leader: str | None
    dismissed: bool


class Ledger:
    """Campaigns and feedback, in the database of the store; all of it goes with the case it belongs to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def join(self, case: str, marks: Iterable[bytes], at: float) -> str | None:
        """Keep what marks a case and return its campaign: that of cases that share a mark; None when nothing is new."""
        rows = self._query("SELECT blinding FROM former_keys WHERE blinding IS NOT NULL ORDER BY until")
        former = [self._database.seal.open(key) for (key,) in rows]
        keyed = {self._database.seal.blind(mark, former) for mark in marks}
        known = {mark for (mark,) in self._query("SELECT mark FROM marks WHERE case_id = ?", case)}
        new = sorted(keyed - known)[: _MARKS - len(known)]
        if len(known) >= _MARKS or not new:
            return None
        with self._database.transaction():
            row = "INSERT INTO campaigns (case_id, campaign, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            self._execute(row, case, case, at)
            found = self._query(
                "SELECT DISTINCT campaign FROM campaigns WHERE case_id = ? OR case_id IN"  # noqa: S608 (question marks only)
                f" (SELECT case_id FROM marks WHERE mark IN ({_places(new)}))",
                case,
                *new,
            )
            joined = sorted(campaign for (campaign,) in found)
            if len(joined) > 1:
                self._execute(
                    f"UPDATE campaigns SET campaign = ? WHERE campaign IN ({_places(joined)})",  # noqa: S608 (likewise)
                    joined[0],
                    *joined,
                )
            for mark in new:
                self._execute(
                    "INSERT INTO marks SELECT ?1, ?2 WHERE (SELECT count(*) FROM marks WHERE mark = ?1) < ?3",
                    mark,
                    case,
                    _COPIES,
                )
        return str(joined[0])

    def campaign(self, case: str) -> str | None:
        """Return the campaign of a case."""
        rows = self._query("SELECT campaign FROM campaigns WHERE case_id = ?", case)
        return rows[0][0] if rows else None

    def campaigns(self, space: str) -> list[str]:
        """Return the campaigns that cases of a space belong to."""
        rows = self._query("SELECT DISTINCT campaign FROM campaigns JOIN cases ON id = case_id WHERE space = ?", space)
        return [campaign for (campaign,) in rows]

    def is_dismissed(self, case: str) -> bool:
        """Return whether a case is one that its campaign does not count."""
        return bool(self._query("SELECT 1 FROM campaigns WHERE case_id = ? AND dismissed", case))

    def begun(self, case: Case) -> float:
        """Return when a case was linked or moderators were told of it; where it is not linked, when it was opened."""
        rows = self._query("SELECT at FROM campaigns WHERE case_id = ?", case.id)
        return float(rows[0][0]) if rows else case.opened_at.timestamp()

    def spread(self, campaign: str) -> dict[str, int]:
        """Return how many cases of a campaign each space has, without those that were ruled out."""
        return dict(
            self._query(
                "SELECT space, count(*) FROM campaigns JOIN cases ON id = case_id"
                " WHERE campaign = ? AND NOT dismissed GROUP BY space",
                campaign,
            )
        )

    def lead(self, case: str, leader: str, at: float) -> None:
        """Keep whose alert shows a case from now on."""
        self._execute("UPDATE campaigns SET leader = ?, at = ? WHERE case_id = ?", leader, at, case)

    def alerted(self, campaign: str, most: int) -> list[str]:
        """Return the latest cases of a campaign that have an alert of their own."""
        rows = self._query(
            "SELECT case_id FROM campaigns WHERE campaign = ? AND leader = case_id ORDER BY at DESC, case_id LIMIT ?",
            campaign,
            most,
        )
        return [case for (case,) in rows]

    def members(self, campaign: str, space: str, since: float) -> list[Member]:
        """Return the cases of a campaign in one space since then, the oldest first."""
        rows = self._query(
            "SELECT case_id, account, leader, dismissed FROM campaigns JOIN cases ON id = case_id"
            " WHERE campaign = ? AND space = ? AND at >= ? ORDER BY at, case_id",
            campaign,
            space,
            since,
        )
        return [Member(case, sender, leader, bool(dismissed)) for case, sender, leader, dismissed in rows]

    def rule(self, case: str, score: float, ruling: Ruling, at: float, *, counts: bool) -> None:
        """Keep a ruling; it `counts` for the thresholds of the space with the score that the case had."""
        if counts:
            self._execute("INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?)", case, score, ruling, at)

    def rulings(self, space: str, kind: Kind, most: int) -> list[tuple[float, Ruling]]:
        """Return score and ruling of the cases of one kind that a space ruled on last."""
        rows = self._query(
            "SELECT score, ruling FROM feedback JOIN cases ON id = case_id"
            " WHERE space = ? AND kind = ? ORDER BY at DESC, case_id LIMIT ?",
            space,
            kind,
            most,
        )
        return [(score, Ruling(ruling)) for score, ruling in rows]

    def start_anew(self, space: str) -> None:
        """Let no ruling of a space until now count for its thresholds."""
        self._execute("DELETE FROM feedback WHERE case_id IN (SELECT id FROM cases WHERE space = ?)", space)

    def _query(self, sql: str, *values: object) -> list[Any]:
        return self._database.query(sql, values)

    def _execute(self, sql: str, *values: object) -> None:
        self._database.execute(sql, values)


def _places(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
