"""The only SQL, with `schema.py`: cases, what is to be delivered, and what people chose, in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

import msgspec
from sqlite_utils import Database

from bot.case import Case, Recipient, view
from bot.effects import AdviseTarget, AlertModerators, Delivery, Effect, Outcome, UpdateAlert
from bot.schema import migrations
from bot.sealing import Seal
from classifiers.assessment import Kind
from classifiers.conversation import Account
from classifiers.errors import InputError

_EFFECTS: dict[str, type[Effect]] = {effect.__name__: effect for effect in (AdviseTarget, AlertModerators, UpdateAlert)}
_BUSY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded effect that waits to be delivered; `attempts` counts the one being made."""

    id: int
    case: str
    effect: Effect
    attempts: int


class Store:
    """A SQLite file that survives kills; `transaction` makes reading and writing one step."""

    def __init__(self, path: Path | None, seal: Seal) -> None:
        self.path = path
        self._seal = seal
        self._lock = RLock()
        with self._reported():
            if path:
                with suppress(OSError):  # SQLite says it better
                    path.touch(mode=0o600)
            connection = sqlite3.connect(path or ":memory:", timeout=_BUSY_SECONDS, check_same_thread=False)
            self._db = Database(connection, execute_plugins=False)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Release the file, after the step that is under way."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the store for one step that happens wholly or not at all."""
        with self._lock, self._reported():
            if not self._db.conn.in_transaction:
                self._db.conn.execute("BEGIN IMMEDIATE")
                with self._db.conn:
                    yield
            else:
                with self._db.atomic():
                    yield

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
        rows = self._query(
            "SELECT body FROM cases WHERE space = ? AND seen_at >= ? ORDER BY seen_at",
            (space, since.astimezone(UTC).isoformat()),
        )
        return [msgspec.json.decode(self._seal.open(body), type=Case) for (body,) in rows]

    def recipient(self, account: Account) -> Recipient:
        """Return what the person chose and when they were last written to."""
        rows = self._query(
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
                    self._db.conn.execute(
                        "DELETE FROM outbox WHERE case_id = ? AND effect = ? AND settled_at IS NULL",
                        (case.id, UpdateAlert.__name__),
                    )
                if isinstance(effect, AdviseTarget):
                    self._upsert_recipient(effect.target, advised_at=case.seen_at.astimezone(UTC).isoformat())
                self._db.table("outbox").insert(
                    {
                        "case_id": case.id,
                        "platform": case.about.platform,
                        "effect": type(effect).__name__,
                        "payload": self._closed(effect),
                        "created_at": now,
                        "due_at": now,
                    }
                )

    def begin(self, platform: str, now: float) -> Row | None:
        """Return the next effect that is due on the platform and count the attempt before it is made."""
        with self.transaction():
            rows = self._query(
                "SELECT id, case_id, effect, payload, attempts FROM outbox"
                " WHERE platform = ? AND settled_at IS NULL AND due_at <= ? ORDER BY due_at, id LIMIT 1",
                (platform, now),
            )
            if not rows:
                return None
            id, case, name, payload, attempts = rows[0]
            self._db.conn.execute("UPDATE outbox SET attempts = attempts + 1 WHERE id = ?", (id,))
        return Row(id=id, case=case, effect=self._opened(name, payload), attempts=attempts + 1)

    def postpone(self, row: Row, due_at: float) -> None:
        """Let the effect wait until then."""
        with self.transaction():
            self._db.conn.execute("UPDATE outbox SET due_at = ? WHERE id = ?", (due_at, row.id))

    def settle(self, row: Row, delivery: Delivery, now: float) -> None:
        """Close the row, drop its payload and keep how it ended; only a delivered warning counts as one."""
        with self.transaction():
            if isinstance(row.effect, AdviseTarget) and delivery.outcome is not Outcome.DELIVERED:
                self._db.conn.execute(
                    "UPDATE recipients SET advised_at = NULL WHERE platform = ? AND account = ?",
                    (row.effect.target.platform, row.effect.target.id),
                )
            self._db.conn.execute(
                "UPDATE outbox SET payload = NULL, settled_at = ?, outcome = ?, detail = ? WHERE id = ?",
                (now, delivery.outcome, delivery.detail, row.id),
            )

    def next_due(self, platform: str) -> float | None:
        """Return when the next effect of the platform is due, None when nothing waits."""
        due: float | None = self._query(
            "SELECT min(due_at) FROM outbox WHERE platform = ? AND settled_at IS NULL", (platform,)
        )[0][0]
        return due

    def forget(self, account: Account) -> int:
        """Erase everything about the account; return how many cases lost content.

        Cases about it go; in cases aimed at it, it is no longer named and no words are left. Its choice
        about warnings stays, so that it stays respected.
        """
        key = (account.platform, account.id)
        with self.transaction():
            aimed = self._query("SELECT case_id FROM targets WHERE platform = ? AND account = ?", key)
            gone = self._db.conn.execute("DELETE FROM cases WHERE platform = ? AND account = ?", key).rowcount
            for (id,) in aimed:
                if case := self.case_of(id):
                    others = tuple(target for target in case.targets if target.account != account)
                    likely = None if case.likely == account else case.likely
                    case = replace(case, targets=others, likely=likely, evidence=())
                    self._write_case(case)
                    self._redact_waiting(case, account)
                    gone += 1
            self._db.conn.execute("UPDATE recipients SET advised_at = NULL WHERE platform = ? AND account = ?", key)
            self._drop_empty_recipients()
        self._vacuum()
        return gone

    def purge(self, space: str, before: datetime) -> int:
        """Erase the cases of a space last seen before then with all that hangs on them, and when people were warned."""
        limit = before.astimezone(UTC).isoformat()
        with self.transaction():
            self._db.conn.execute("UPDATE recipients SET advised_at = NULL WHERE advised_at < ?", (limit,))
            self._drop_empty_recipients()
            return self._db.conn.execute("DELETE FROM cases WHERE space = ? AND seen_at < ?", (space, limit)).rowcount

    def spaces(self) -> list[str]:
        """Return the spaces that have cases."""
        return [space for (space,) in self._query("SELECT DISTINCT space FROM cases ORDER BY space")]

    def _open(self) -> None:
        self._db.conn.executescript("PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")
        if self.path:
            self._db.conn.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        self._refuse_newer()
        migrations.apply(self._db)
        self._check_seal()

    def _drop_empty_recipients(self) -> None:
        self._db.conn.execute("DELETE FROM recipients WHERE advised_at IS NULL AND opted_in IS NULL")

    def _redact_waiting(self, case: Case, account: Account) -> None:
        """Drop the waiting warning to the account; waiting alerts say no more than the case does."""
        for id, name, payload in self._query(
            "SELECT id, effect, payload FROM outbox WHERE case_id = ? AND settled_at IS NULL", (case.id,)
        ):
            effect = self._opened(name, payload)
            if not isinstance(effect, AdviseTarget):
                shown = replace(effect, alert=view(case))
                self._db.conn.execute("UPDATE outbox SET payload = ? WHERE id = ?", (self._closed(shown), id))
            elif effect.target == account:
                self._db.conn.execute("DELETE FROM outbox WHERE id = ?", (id,))

    def _vacuum(self) -> None:
        with self._lock, self._reported():
            self._db.conn.executescript("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")

    def _closed(self, effect: Effect) -> bytes:
        return self._seal.close(msgspec.json.encode(effect))

    def _opened(self, name: str, payload: bytes) -> Effect:
        return msgspec.json.decode(self._seal.open(payload), type=_EFFECTS[name])

    def _one_case(self, where: str, values: tuple[object, ...]) -> Case | None:
        rows = self._query(f"SELECT body FROM cases WHERE {where}", values)  # noqa: S608 (constant text)
        return msgspec.json.decode(self._seal.open(rows[0][0]), type=Case) if rows else None

    def _write_case(self, case: Case) -> None:
        self._db.table("cases").upsert(
            {
                "id": case.id,
                "space": case.space,
                "kind": case.kind,
                "platform": case.about.platform,
                "account": case.about.id,
                "seen_at": case.seen_at.astimezone(UTC).isoformat(),
                "body": self._seal.close(msgspec.json.encode(case)),
            },
            pk="id",
        )
        self._db.conn.execute("DELETE FROM targets WHERE case_id = ?", (case.id,))
        named = {target.account for target in case.targets} | ({case.likely} if case.likely else set())
        self._db.conn.executemany(
            "INSERT INTO targets VALUES (?, ?, ?)",
            [(case.id, account.platform, account.id) for account in sorted(named)],
        )

    def _upsert_recipient(self, account: Account, **values: int | str) -> None:
        with self.transaction():
            self._db.table("recipients").upsert(
                {"platform": account.platform, "account": account.id, **values}, pk=("platform", "account")
            )

    def _query(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        with self._lock, self._reported():
            return self._db.conn.execute(sql, values).fetchall()

    def _refuse_newer(self) -> None:
        with Database(memory=True) as empty:
            known = {migration.name for migration in migrations.pending(empty)}
        unknown = {migration.name for migration in migrations.applied(self._db)} - known
        if unknown:
            raise InputError(
                f"{self.path}: written by a newer version of Haven ({', '.join(sorted(unknown))}); update Haven"
            )

    def _check_seal(self) -> None:
        """Keep a proof of the key in a new database and open the proof of an old one, in a file that takes writes."""
        with self.transaction():
            self._db.conn.execute("UPDATE seal SET proof = proof")
            proof = self._query("SELECT proof FROM seal")
            if not proof:
                self._db.table("seal").insert({"id": 1, "proof": self._seal.close(b"haven")})
                return
            try:
                self._seal.open(proof[0][0])
            except InputError as error:
                raise InputError(f"{self.path}: {error}") from None

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn the database's errors into one line that names the file."""
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(f"{self.path or 'database'}: {error}") from error
