"""Cases, what is to be delivered because of them, and what people chose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

import msgspec

from bot.case import Case
from bot.database import Database
from bot.effects import AdviseTarget, AlertModerators, Delivery, Effect, Outcome, PageModerators, Ruling, UpdateAlert
from bot.policy import Recipient, owner_of
from classifiers.assessment import Kind
from classifiers.conversation import Account

_EFFECTS: dict[str, type[Effect]] = {
    effect.__name__: effect for effect in (AdviseTarget, AlertModerators, UpdateAlert, PageModerators)
}
LONGEST_HOLD = 7200.0
"""So many seconds an effect waits at most until it is tried again, whatever a platform or the clock says."""


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded effect that waits to be delivered; `attempts` counts the one being made.

    `begun_at` is when the first attempt began of which nobody knows how it ended, None when there is none.
    """

    id: int
    case: str
    effect: Effect
    attempts: int
    begun_at: float | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """How one effect of a case ended; `at` is in seconds since 1970."""

    effect: str
    outcome: Outcome
    detail: str
    at: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be delivered on one platform; times are in seconds since 1970."""

    platform: str
    effects: int
    oldest_at: float
    due_at: float


class Cases(Database):
    """The cases and the outbox; `transaction` makes deciding and recording one step."""

    def case(self, space: str, about: Account, kind: Kind) -> Case | None:
        """Return the latest case about the account in the space."""
        return self._one_case(
            "space = ? AND platform = ? AND account = ? AND kind = ? ORDER BY seen_at DESC LIMIT 1",
            (self.placed(space), *self._key(about), kind),
        )

    def case_of(self, id: str) -> Case | None:
        """Return the case with this id."""
        return self._one_case("id = ?", (id,))

    def cases_since(self, space: str, since: datetime) -> list[Case]:
        """Return the cases of a space that were seen since then, the longest silent one first."""
        rows = self.query(
            "SELECT body FROM cases WHERE space = ? AND seen_at >= ? ORDER BY seen_at",
            (self.placed(space), stamp(since)),
        )
        return [self._case(body) for (body,) in rows]

    def latest_cases(self, space: str, most: int, wanted: Callable[[Case], bool] = lambda _: True) -> list[Case]:
        """Return so many cases of a space of those that are wanted, the one seen last first."""
        rows = self.query("SELECT id FROM cases WHERE space = ? ORDER BY seen_at DESC, id", (self.placed(space),))
        cases = (self.case_of(id) for (id,) in rows)
        return [*islice((case for case in cases if case and wanted(case)), most)]

    def cases_naming(self, account: Account) -> list[Case]:
        """Return the cases that are about the account or aimed at it, in every space, the oldest first."""
        rows = self.query(
            "SELECT body FROM cases WHERE (platform = ?1 AND account = ?2)"
            " OR id IN (SELECT case_id FROM targets WHERE platform = ?1 AND account = ?2) ORDER BY seen_at, id",
            self._key(account),
        )
        return [self._case(body) for (body,) in rows]

    def settled(self, case_id: str) -> list[Settled]:
        """Return how the effects of a case ended, in that order."""
        rows = self.query(
            "SELECT effect, outcome, detail, settled_at FROM outbox"
            " WHERE case_id = ? AND settled_at IS NOT NULL ORDER BY settled_at, id",
            (case_id,),
        )
        return [Settled(effect, Outcome(outcome), detail, at) for effect, outcome, detail, at in rows]

    def warnings_since(self, platform: str, since: float, space: str | None = None) -> int:
        """Return how many private warnings were delivered on a platform since then, in all or because of one space."""
        count: int = self.query(
            "SELECT count(*) FROM outbox JOIN cases ON cases.id = case_id"
            " WHERE outbox.platform = ?1 AND effect = ?2 AND outcome = ?3 AND settled_at >= ?4"
            " AND (?5 IS NULL OR space = ?5)",
            (platform, AdviseTarget.__name__, Outcome.DELIVERED, since, None if space is None else self.placed(space)),
        )[0][0]
        return count

    def recipient(self, account: Account) -> Recipient:
        """Return what the person chose and when they were last written to."""
        rows = self.query(
            "SELECT opted_in, advised_at FROM recipients WHERE platform = ? AND account = ?", self._key(account)
        )
        if not rows:
            return Recipient()
        opted_in, advised_at = rows[0]
        return Recipient(
            opted_in=None if opted_in is None else bool(opted_in),
            advised_at=datetime.fromisoformat(advised_at) if advised_at else None,
        )

    def choose(self, account: Account, *, opted_in: bool) -> None:
        """Keep whether the person wants private warnings."""
        self._upsert_recipient(account, opted_in=int(opted_in))

    def record(self, case: Case, effects: Sequence[Effect], now: float) -> None:
        """Write the case and what is to be delivered because of it; a newer edit replaces a waiting one."""
        with self.transaction():
            self._write_case(case)
            for effect in effects:
                if isinstance(effect, UpdateAlert):
                    self._drop_edits(case.id, effect.reference)
                if isinstance(effect, AdviseTarget):
                    effect = replace(effect, at=case.seen_at, before=self.recipient(effect.target).advised_at)
                    self._upsert_recipient(effect.target, advised_at=stamp(case.seen_at))
                self.db.conn.execute(
                    "INSERT INTO outbox (case_id, platform, effect, payload, created_at, due_at)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (case.id, case.about.platform, type(effect).__name__, self._closed(effect), now, now),
                )

    def begin(self, platform: str, now: float, busy: Sequence[str] = ()) -> Row | None:
        """Return the next effect that is due on the platform and count the attempt before it is made.

        Cases that are `busy` are passed over.
        """
        with self.transaction():
            rows = self.query(
                "SELECT id, case_id, effect, payload, attempts, begun_at FROM outbox"  # noqa: S608 (question marks only)
                f" WHERE platform = ? AND settled_at IS NULL AND due_at <= ? AND {_besides(busy)}"
                " ORDER BY due_at, id LIMIT 1",
                (platform, now, *busy),
            )
            if not rows:
                self._after_a_clock_set_back(platform, now)
                return None
            id, case, name, payload, attempts, begun_at = rows[0]
            self.db.conn.execute(
                "UPDATE outbox SET attempts = attempts + 1, begun_at = coalesce(begun_at, ?) WHERE id = ?", (now, id)
            )
        return Row(id, case, self._opened(name, payload), attempts + 1, begun_at)

    def _after_a_clock_set_back(self, platform: str, now: float) -> None:
        """Let be due now what waits longer than anything may, and warnings that were begun in the future."""
        self.db.conn.execute(
            "UPDATE outbox SET due_at = ?2 WHERE platform = ?1 AND settled_at IS NULL AND due_at > ?2"
            " AND (due_at > ?2 + ?3 OR begun_at > ?2 AND effect = ?4)",
            (platform, now, LONGEST_HOLD, AdviseTarget.__name__),
        )

    def postpone(self, row: Row, due_at: float, *, undone: bool) -> None:
        """Let the effect wait until then; `undone` when it is known that the attempt did nothing."""
        with self.transaction():
            self.db.conn.execute("UPDATE outbox SET due_at = ? WHERE id = ?", (due_at, row.id))
            if undone and row.begun_at is None:
                self.db.conn.execute("UPDATE outbox SET begun_at = NULL WHERE id = ?", (row.id,))

    def hasten(self, space: str, now: float) -> None:
        """Let the waiting effects of a space be due now."""
        with self.transaction():
            self.db.conn.execute(
                "UPDATE outbox SET due_at = ? WHERE settled_at IS NULL AND due_at > ?"
                " AND case_id IN (SELECT id FROM cases WHERE space = ?)",
                (now, now, self.placed(space)),
            )

    def settle(self, row: Row, delivery: Delivery, now: float) -> None:
        """Close the row, drop its payload and keep how it ended; only a delivered warning counts as one."""
        with self.transaction():
            if isinstance(row.effect, AdviseTarget) and delivery.outcome not in (Outcome.DELIVERED, Outcome.UNKNOWN):
                self._was_not_written_to(row.effect)
            self.db.conn.execute(
                "UPDATE outbox SET payload = NULL, settled_at = ?, outcome = ?, detail = ? WHERE id = ?",
                (now, delivery.outcome, delivery.detail, row.id),
            )

    def drop_delivered(self, case: Case) -> None:
        """Erase a case once nothing waits to be delivered because of it."""
        waits = "SELECT 1 FROM outbox WHERE case_id = cases.id AND settled_at IS NULL"
        self.db.conn.execute(f"DELETE FROM cases WHERE id = ? AND NOT EXISTS ({waits})", (case.id,))  # noqa: S608 (constant)

    def next_due(self, platform: str, busy: Sequence[str] = ()) -> float | None:
        """Return when the next effect of the platform is due, of cases that are not `busy`; None when none waits."""
        due: float | None = self.query(
            "SELECT min(due_at) FROM outbox"  # noqa: S608 (question marks only)
            f" WHERE platform = ? AND settled_at IS NULL AND {_besides(busy)}",
            (platform, *busy),
        )[0][0]
        return due

    def backlogs(self) -> list[Backlog]:
        """Return what waits on each platform on which anything does."""
        rows = self.query(
            "SELECT platform, count(*), min(created_at), min(due_at) FROM outbox"
            " WHERE settled_at IS NULL GROUP BY platform"
        )
        return [Backlog(*row) for row in rows]

    def spaces(self) -> list[str]:
        """Return the spaces that have cases."""
        rows = self.query("SELECT space, body FROM cases GROUP BY space ORDER BY space")
        return [self._case(body).space if owner_of(place) else place for place, body in rows]

    def _was_not_written_to(self, effect: AdviseTarget) -> None:
        """Let the warning before one that did not arrive count again, unless there was another since."""
        before, at = (stamp(time) if time else None for time in (effect.before, effect.at))
        self.db.conn.execute(
            "UPDATE recipients SET advised_at = ? WHERE platform = ? AND account = ? AND advised_at = ?",
            (before, *self._key(effect.target), at),
        )

    def _drop_edits(self, case_id: str, reference: str) -> None:
        """Drop the waiting edits of one alert, which a newer one takes the place of."""
        for id, payload in self.query(
            "SELECT id, payload FROM outbox WHERE case_id = ? AND effect = ? AND settled_at IS NULL",
            (case_id, UpdateAlert.__name__),
        ):
            waiting = self._opened(UpdateAlert.__name__, payload)
            if isinstance(waiting, UpdateAlert) and waiting.reference == reference:
                self.db.conn.execute("DELETE FROM outbox WHERE id = ?", (id,))

    def _rewrite(self, id: int, effect: Effect) -> None:
        self.db.conn.execute("UPDATE outbox SET payload = ? WHERE id = ?", (self._closed(effect), id))

    def _closed(self, effect: Effect) -> bytes:
        return self.seal.close(msgspec.json.encode(effect))

    def _opened(self, name: str, payload: bytes) -> Effect:
        return msgspec.json.decode(self.seal.open(payload), type=_EFFECTS[name])

    def _one_case(self, where: str, values: tuple[object, ...]) -> Case | None:
        rows = self.query(f"SELECT body FROM cases WHERE {where}", values)  # noqa: S608 (constant text)
        return self._case(rows[0][0]) if rows else None

    def _case(self, body: bytes) -> Case:
        return msgspec.json.decode(self.seal.open(body), type=Case)

    def _write_case(self, case: Case) -> None:
        body = self.seal.close(msgspec.json.encode(case))
        self.db.conn.execute(
            "INSERT INTO cases (id, space, kind, platform, account, seen_at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET space = excluded.space, kind = excluded.kind,"
            " platform = excluded.platform, account = excluded.account, seen_at = excluded.seen_at,"
            " body = excluded.body",
            (case.id, self.placed(case.space), case.kind, *self._key(case.about), stamp(case.seen_at), body),
        )
        dismissed = int(case.ruling is Ruling.NOT_SEXTORTION)
        self.db.conn.execute("UPDATE campaigns SET dismissed = ? WHERE case_id = ?", (dismissed, case.id))
        self.db.conn.execute("DELETE FROM targets WHERE case_id = ?", (case.id,))
        named = {
            *(target.account for target in case.targets),
            *filter(None, (case.likely, case.accused, case.despairing)),
            *case.also_despairing,
        }
        self.db.conn.executemany(
            "INSERT INTO targets VALUES (?, ?, ?)",
            [(case.id, *self._key(account)) for account in sorted(named)],
        )

    def _upsert_recipient(self, account: Account, **values: int | str) -> None:
        with self.transaction():
            self.db.table("recipients").upsert(
                {
                    "platform": account.platform,
                    "account": self.hashed(account),
                    "who": self.seal.close(account.id.encode()),
                    **values,
                },
                pk=("platform", "account"),
            )

    def _key(self, account: Account) -> tuple[str, str]:
        return account.platform, self.hashed(account)


def _besides(cases: Sequence[str]) -> str:
    return f"case_id NOT IN ({', '.join('?' * len(cases))})"


def stamp(time: datetime) -> str:
    """Return a time as the database keeps it, so that it sorts."""
    return time.astimezone(UTC).isoformat()
