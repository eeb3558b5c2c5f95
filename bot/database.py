"""One SQLite file that survives kills, with a seal for what is content."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

import sqlite_utils

from bot.files import ALONE_SECONDS, RESTORE, check_file, followed, log_of, refuse_lost
from bot.policy import owner_of, private_space
from bot.schema import SWEPT, UNSWEPT, migrations
from bot.sealing import Seal, WrongKeyError
from classifiers.conversation import Account
from classifiers.errors import InputError

_BUSY_SECONDS = 30
_REMEDIES = {
    sqlite3.SQLITE_CORRUPT: RESTORE,
    sqlite3.SQLITE_NOTADB: f"if it was one, {RESTORE}",
    sqlite3.SQLITE_READONLY: "mend the owner or mode of it and of its folder, or where it is mounted",
}


class Database:
    """An open file (None: in memory); `transaction` makes reading and writing one step.

    With `alone`, nobody else may have it open: InputError while somebody has, and others are refused while it is.
    """

    def __init__(self, path: Path | None, seal: Seal, *, alone: bool = False) -> None:
        self.path = path = path and followed(path)
        self.seal = seal
        self._lock = RLock()
        self._inodes: dict[Path, int] = {}
        with self.reported():
            if path:
                check_file(path)
                with suppress(OSError):  # SQLite says it better
                    path.touch(mode=0o600)
            self.db = self._connected(alone=alone)
            try:
                if not alone and path and self._is_old():
                    self._upgrade()
                self._open()
            except BaseException:
                self.db.close()
                raise
        if path:
            self._inodes = {file: file.stat().st_ino for file in (path, log_of(path)) if file.exists()}

    def close(self) -> None:
        """Release the file, after the step that is under way."""
        with self._lock:
            self._inodes = {}  # SQLite removes its log with the last connection
            self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the store for one step that happens wholly or not at all."""
        with self._lock, self.reported():
            if not self.db.conn.in_transaction:
                self.db.conn.execute("BEGIN IMMEDIATE")
                with self.db.conn:
                    yield
            else:
                with self.db.atomic():
                    yield

    def execute(self, sql: str, values: Sequence[object]) -> None:
        """Run one statement that writes, in the transaction or as one of its own."""
        with self._lock:
            if self.db.conn.in_transaction:
                with self.reported():
                    self.db.conn.execute(sql, values)
            else:
                with self.transaction():
                    self.db.conn.execute(sql, values)

    def query(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """Return the rows that a statement yields."""
        with self._lock, self.reported():
            return self.db.conn.execute(sql, values).fetchall()

    def hashed(self, account: Account) -> str:
        """Return what stands for an account in the database."""
        return self.seal.hash(account.platform, account.id)

    def size(self) -> int:
        """Return how many bytes the database takes."""
        pages: int = self.query("PRAGMA page_count")[0][0] * self.query("PRAGMA page_size")[0][0]
        return pages

    def placed(self, space: str) -> str:
        """Return what stands for a space in the database: its id, or without whose private chats they are."""
        owner = owner_of(space)
        return private_space(Account(owner.platform, self.hashed(owner))) if owner else space

    def check(self) -> None:
        """InputError where the file is lost, or anything else keeps it from answering."""
        self.query("SELECT 1")

    def checkpoint(self) -> bool:
        """Empty the write-ahead log, so that what was deleted, which SQLite overwrites, is nowhere any more.

        False while somebody else reads what is in it.
        """
        with self._lock, self.reported():
            return bool(self.query("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0)

    def unswept(self) -> None:
        """Note in the transaction that what it deletes has to be swept out, if need be at the next start."""
        self.db.conn.execute(UNSWEPT)

    def sweep(self) -> None:
        """Rewrite the file without what was deleted."""
        with self._lock, self.reported():
            self.db.conn.execute("VACUUM")
            if self.checkpoint():
                self.db.conn.execute(SWEPT)

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Turn the database's errors into one line that names the file, also that it is not there any more."""
        if self._inodes and not self.db.conn.in_transaction:
            for file, number in self._inodes.items():
                refuse_lost(file, number, empty=file != self.path)
        try:
            yield
        except sqlite3.Error as error:
            remedy = _REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # the rest says more precisely what
            raise InputError("; ".join(filter(None, (f"{self.path or 'database'}: {error}", remedy)))) from error

    def _connected(self, *, alone: bool) -> sqlite_utils.Database:
        patience = ALONE_SECONDS if alone else _BUSY_SECONDS
        connection = sqlite3.connect(self.path or ":memory:", timeout=patience, check_same_thread=False)
        connection.create_function("hashed", 2, lambda *account: self.hashed(Account(*account)))
        connection.create_function("placed", 1, self.placed)
        connection.create_function("sealed", 1, lambda text: self.seal.close(text.encode()))
        connection.create_function("opened", 1, lambda sealed: self.seal.open(sealed).decode())
        connection.execute("PRAGMA trusted_schema = OFF")  # a trigger that somebody added opens nothing
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        return sqlite_utils.Database(connection, execute_plugins=False)

    def _is_old(self) -> bool:
        """Return whether there is something that has to be brought up to date."""
        return bool(migrations.applied(self.db) and migrations.pending(self.db))

    def _upgrade(self) -> None:
        """Bring the file up to date while nobody else, such as an older Haven that still runs, can write to it."""
        self.db.close()
        Database(self.path, self.seal, alone=True).close()
        self.db = self._connected(alone=False)

    def _open(self) -> None:
        try:
            self.db.conn.executescript("PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")
            if self.path:
                self.db.conn.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY and self._is_alone():
                raise InputError(f"{self.path}: another program has it open; stop Haven first") from None
            raise
        self._refuse_newer()
        with self.transaction():
            if self.db.table("seal").exists():
                self._check_seal()
            migrations.apply(self.db)
            if not self.query("SELECT 1 FROM seal"):
                self.db.table("seal").insert({"id": 1, "proof": self.seal.close(b"haven")})
        if self.query("PRAGMA user_version") != [(0,)]:
            self.sweep()

    def _is_alone(self) -> bool:
        return bool(self.db.conn.execute("PRAGMA locking_mode").fetchone() == ("exclusive",))

    def _refuse_newer(self) -> None:
        with sqlite_utils.Database(memory=True) as empty:
            known = {migration.name for migration in migrations.pending(empty)}
        unknown = {migration.name for migration in migrations.applied(self.db)} - known
        if unknown:
            raise InputError(
                f"{self.path}: written by a newer version of Haven ({', '.join(sorted(unknown))}); update Haven"
            )

    def _check_seal(self) -> None:
        """Open the proof of the key, in a file that takes writes."""
        self.db.conn.execute("UPDATE seal SET proof = proof")
        for (proof,) in self.query("SELECT proof FROM seal"):
            try:
                self.seal.open(proof)
            except WrongKeyError as error:
                raise WrongKeyError(f"{self.path}: {error}") from None
