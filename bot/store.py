"""Cases, what is to be delivered because of them, and what people chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from bot.case import Case, shown, view
from bot.database import Database
from bot.effects import AdviseTarget, AlertModerators, Delivery, Effect, Outcome, PageModerators, UpdateAlert
from bot.policy import Recipient
from classifiers.assessment import Kind
from classifiers.conversation import Account

_EFFECTS: dict[str, type[Effect]] = {
    effect.__name__: effect for effect in (AdviseTarget, AlertModerators, UpdateAlert, PageModerators)
}


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded effect that waits to be delivered; `attempts` counts the one being made."""

    id: int
    case: str
    effect: Effect
    attempts: int


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


class Store(Database):
    """The cases and the outbox; `transaction` makes deciding and recording one step."""

    def case(self, space: str, about: Account, kind: Kind) -> Case | None:
        """Return the latest case about the account in the space."""
        return self._one_case(
            "space = ? AND platform = ? AND account = ? AND kind = ? ORDER BY seen_at DESC LIMIT 1",
            (space, about.platform, about.id, kind),
        )

    def case_of(self, id: str) -> Case | None:
        """Return the case with this id."""
        return self._one_case("id = ?", (id,))

    def cases_since(self, space: str, since: datetime) -> list[Case]:
        """Return the cases of a space that were seen since then, the longest silent one first."""
        rows = self.query(
            "SELECT body FROM cases WHERE space = ? AND seen_at >= ? ORDER BY seen_at",
            (space, since.astimezone(UTC).isoformat()),
        )
        return [self._case(body) for (body,) in rows]

    def latest_cases(self, space: str, most: int) -> list[Case]:
        """Return the cases of a space, the one seen last first."""
        rows = self.query("SELECT body FROM cases WHERE space = ? ORDER BY seen_at DESC, id LIMIT ?", (space, most))
        return [self._case(body) for (body,) in rows]

    def cases_naming(self, account: Account) -> list[Case]:
        """Return the cases that are about the account or aimed at it, in every space, the oldest first."""
        rows = self.query(
            "SELECT body FROM cases WHERE (platform = ?1 AND account = ?2)"
            " OR id IN (SELECT case_id FROM targets WHERE platform = ?1 AND account = ?2) ORDER BY seen_at, id",
            (account.platform, account.id),
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

    def warnings_since(self, platform: str, since: float) -> int:
        """Return how many private warnings were delivered on a platform since then."""
        count: int = self.query(
            "SELECT count(*) FROM outbox WHERE platform = ? AND effect = ? AND outcome = ? AND settled_at >= ?",
            (platform, AdviseTarget.__name__, Outcome.DELIVERED, since),
        )[0][0]
        return count

    def recipient(self, account: Account) -> Recipient:
        """Return what the person chose and when they were last written to."""
        rows = self.query(
            "SELECT opted_in, advised_at FROM recipients WHERE platform = ? AND account = ?",
            (account.platform, account.id),
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
                    self.db.conn.execute(
                        "DELETE FROM outbox WHERE case_id = ? AND effect = ? AND settled_at IS NULL",
                        (case.id, UpdateAlert.__name__),
                    )
                if isinstance(effect, AdviseTarget):
                    self._upsert_recipient(effect.target, advised_at=case.seen_at.astimezone(UTC).isoformat())
                self.db.table("outbox").insert(
                    {
                        "case_id": case.id,
                        "platform": case.about.platform,
                        "effect": type(effect).__name__,
                        "payload": self._closed(effect),
                        "created_at": now,
                        "due_at": now,
                    }
                )

    def begin(self, platform: str, now: float, busy: Sequence[str] = ()) -> Row | None:
        """Return the next effect that is due on the platform and count the attempt before it is made.

        Cases that are `busy` are passed over.
        """
        with self.transaction():
            rows = self.query(
                "SELECT id, case_id, effect, payload, attempts FROM outbox"  # noqa: S608 (question marks only)
                f" WHERE platform = ? AND settled_at IS NULL AND due_at <= ? AND {_besides(busy)}"
                " ORDER BY due_at, id LIMIT 1",
                (platform, now, *busy),
            )
            if not rows:
                return None
            id, case, name, payload, attempts = rows[0]
            self.db.conn.execute("UPDATE outbox SET attempts = attempts + 1 WHERE id = ?", (id,))
        return Row(id=id, case=case, effect=self._opened(name, payload), attempts=attempts + 1)

    def postpone(self, row: Row, due_at: float) -> None:
        """Let the effect wait until then."""
        with self.transaction():
            self.db.conn.execute("UPDATE outbox SET due_at = ? WHERE id = ?", (due_at, row.id))

    def hasten(self, space: str, now: float) -> None:
        """Let the waiting effects of a space be due now."""
        with self.transaction():
            self.db.conn.execute(
                "UPDATE outbox SET due_at = ? WHERE settled_at IS NULL AND due_at > ?"
                " AND case_id IN (SELECT id FROM cases WHERE space = ?)",
                (now, now, space),
            )

    def settle(self, row: Row, delivery: Delivery, now: float) -> None:
        """Close the row, drop its payload and keep how it ended; only a delivered warning counts as one."""
        with self.transaction():
            if isinstance(row.effect, AdviseTarget) and delivery.outcome is not Outcome.DELIVERED:
                self.db.conn.execute(
                    "UPDATE recipients SET advised_at = NULL WHERE platform = ? AND account = ?",
                    (row.effect.target.platform, row.effect.target.id),
                )
            self.db.conn.execute(
                "UPDATE outbox SET payload = NULL, settled_at = ?, outcome = ?, detail = ? WHERE id = ?",
                (now, delivery.outcome, delivery.detail, row.id),
            )

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

    def forget(self, account: Account, now: float, *, own: bool = False) -> int:
        """Erase everything about the account; return how many cases lost content.

        Cases about it go; in cases aimed at it, it is no longer named and no words are left, on the alert either.
        Its choice about warnings stays, so that it stays respected. With `own` it asked for this itself: then cases
        in which it threatens somebody or is accused stay, and words that are only guessed to be aimed at it.
        """
        key = (account.platform, account.id)
        with self.transaction():
            aimed = self.query("SELECT case_id FROM targets WHERE platform = ? AND account = ?", key)
            gone = self.db.conn.execute(
                "DELETE FROM cases WHERE platform = ? AND account = ? AND kind IN (?, ?)",
                (*key, Kind.DISCLOSURE, Kind.DISCLOSURE if own else Kind.THREAT),
            ).rowcount
            for (id,) in aimed:
                if (case := self.case_of(id)) and (nameless := _without(case, account, own=own)) != case:
                    case, effects = shown(case, nameless)
                    self._redact_waiting(case, account)
                    self.record(case, effects, now)
                    gone += 1
            self.db.conn.execute("UPDATE recipients SET advised_at = NULL WHERE platform = ? AND account = ?", key)
            self._drop_empty_recipients()
        if own:
            self.checkpoint()
        else:
            self.vacuum()
        return gone

    def purge(self, space: str, before: datetime) -> int:
        """Erase the cases of a space last seen before then with all that hangs on them, and when people were warned."""
        limit = before.astimezone(UTC).isoformat()
        with self.transaction():
            self.db.conn.execute("UPDATE recipients SET advised_at = NULL WHERE advised_at < ?", (limit,))
            self._drop_empty_recipients()
            return self.db.conn.execute("DELETE FROM cases WHERE space = ? AND seen_at < ?", (space, limit)).rowcount

    def leave(self, space: str) -> int:
        """Erase cases and settings of a space; return how many cases went. Its audit trail stays, without notes."""
        with self.transaction():
            self.db.conn.execute(
                "UPDATE recipients SET advised_at = NULL WHERE (platform, account) IN (SELECT targets.platform,"
                " targets.account FROM targets JOIN cases ON id = case_id WHERE space = ?)",
                (space,),
            )
            self._drop_empty_recipients()
            gone = self.db.conn.execute("DELETE FROM cases WHERE space = ?", (space,)).rowcount
            self.db.conn.execute("DELETE FROM spaces WHERE space = ?", (space,))
        self.vacuum()
        return gone

    def move(self, space: str, to: str) -> None:
        """Give the cases, the waiting effects, the settings and the audit trail of a space its new id.

        Messages from before are in no channel of the new space, where their numbers may be those of others.
        """
        with self.transaction():
            for (body,) in self.query("SELECT body FROM cases WHERE space = ?", (space,)):
                case = self._case(body)
                self._write_case(replace(case, space=to, channel=case.channel.replace(space, to, 1), message_id=""))
            for id, name, payload in self.query(
                "SELECT outbox.id, effect, payload FROM outbox JOIN cases ON cases.id = case_id"
                " WHERE space = ? AND settled_at IS NULL",
                (to,),
            ):
                self.db.conn.execute(
                    "UPDATE outbox SET payload = ? WHERE id = ?",
                    (self._closed(_moved(self._opened(name, payload), space, to)), id),
                )
            self.db.conn.execute(
                "UPDATE OR REPLACE spaces SET space = ? WHERE space = ? AND settings IS NOT NULL", (to, space)
            )
            self.db.conn.execute("DELETE FROM spaces WHERE space = ?", (space,))
            self.db.conn.execute("UPDATE audit SET space = ? WHERE space = ?", (to, space))

    def spaces(self) -> list[str]:
        """Return the spaces that have cases."""
        return [space for (space,) in self.query("SELECT DISTINCT space FROM cases ORDER BY space")]

    def _drop_empty_recipients(self) -> None:
        self.db.conn.execute("DELETE FROM recipients WHERE advised_at IS NULL AND opted_in IS NULL")

    def _redact_waiting(self, case: Case, account: Account) -> None:
        """Drop the waiting warning to the account; waiting alerts say no more than the case does."""
        for id, name, payload in self.query(
            "SELECT id, effect, payload FROM outbox WHERE case_id = ? AND settled_at IS NULL", (case.id,)
        ):
            effect = self._opened(name, payload)
            if isinstance(effect, AlertModerators | UpdateAlert):
                shown = replace(effect, alert=view(case))
                self.db.conn.execute("UPDATE outbox SET payload = ? WHERE id = ?", (self._closed(shown), id))
            elif isinstance(effect, AdviseTarget) and effect.target == account:
                self.db.conn.execute("DELETE FROM outbox WHERE id = ?", (id,))

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
        self.db.table("cases").upsert(
            {
                "id": case.id,
                "space": case.space,
                "kind": case.kind,
                "platform": case.about.platform,
                "account": case.about.id,
                "seen_at": case.seen_at.astimezone(UTC).isoformat(),
                "body": self.seal.close(msgspec.json.encode(case)),
            },
            pk="id",
        )
        self.db.conn.execute("DELETE FROM targets WHERE case_id = ?", (case.id,))
        named = {*(target.account for target in case.targets), *filter(None, (case.likely, case.accused))}
        self.db.conn.executemany(
            "INSERT INTO targets VALUES (?, ?, ?)",
            [(case.id, account.platform, account.id) for account in sorted(named)],
        )

    def _upsert_recipient(self, account: Account, **values: int | str) -> None:
        with self.transaction():
            self.db.table("recipients").upsert(
                {"platform": account.platform, "account": account.id, **values}, pk=("platform", "account")
            )


def _without(case: Case, account: Account, *, own: bool) -> Case:
    """Return a case in which an account is no longer named, without the words that were aimed at it."""
    others = tuple(target for target in case.targets if target.account != account)
    return replace(
        case,
        targets=others,
        likely=None if case.likely == account else case.likely,
        accused=None if case.accused == account and not own else case.accused,
        evidence=case.evidence if own and others == case.targets else (),
    )


def _moved(effect: Effect, space: str, to: str) -> Effect:
    if isinstance(effect, AlertModerators | UpdateAlert):
        alert = effect.alert
        if alert.space != space:
            return effect
        return replace(
            effect, alert=replace(alert, space=to, channel=alert.channel.replace(space, to, 1), message_id="")
        )
    return replace(effect, space=to)


def _besides(cases: Sequence[str]) -> str:
    return f"case_id NOT IN ({', '.join('?' * len(cases))})"
