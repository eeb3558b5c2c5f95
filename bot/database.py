"""One SQLite file that survives kills, with a seal for what is content."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

import sqlite_utils

from bot.schema import migrations
from bot.sealing import Seal
from classifiers.errors import InputError

_BUSY_SECONDS = 5


class Database:
    """An open file (None: in memory); `transaction` makes reading and writing one step."""

    def __init__(self, path: Path | None, seal: Seal) -> None:
        self.path = path
        self.seal = seal
        self._lock = RLock()
        with self.reported():
            if path:
                with suppress(OSError):  # SQLite says it better
                    path.touch(mode=0o600)
            connection = sqlite3.connect(path or ":memory:", timeout=_BUSY_SECONDS, check_same_thread=False)
            self.db = sqlite_utils.Database(connection, execute_plugins=False)
            try:
                self._open()
            except BaseException:
                self.db.close()
                raise

    def close(self) -> None:
        """Release the file, after the step that is under way."""
        with self._lock:
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

    def query(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """Return the rows that a statement yields."""
        with self._lock, self.reported():
            return self.db.conn.execute(sql, values).fetchall()

    def size(self) -> int:
        """Return how many bytes the database takes."""
        pages: int = self.query("PRAGMA page_count")[0][0] * self.query("PRAGMA page_size")[0][0]
        return pages

    def checkpoint(self) -> None:
        """Empty the write-ahead log, so that what was deleted, which SQLite overwrites, is nowhere any more."""
        with self._lock, self.reported():
            self.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def vacuum(self) -> None:
        """Rewrite the file without what was deleted."""
        with self._lock, self.reported():
            self.db.conn.execute("VACUUM")
        self.checkpoint()

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Turn the database's errors into one line that names the file."""
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(f"{self.path or 'database'}: {error}") from error

    def _open(self) -> None:
        self.db.conn.executescript("PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")
        if self.path:
            self.db.conn.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        self._refuse_newer()
        migrations.apply(self.db)
        self._check_seal()

    def _refuse_newer(self) -> None:
        with sqlite_utils.Database(memory=True) as empty:
            known = {migration.name for migration in migrations.pending(empty)}
        unknown = {migration.name for migration in migrations.applied(self.db)} - known
        if unknown:
            raise InputError(
                f"{self.path}: written by a newer version of Haven ({', '.join(sorted(unknown))}); update Haven"
            )

    def _check_seal(self) -> None:
        """Keep a proof of the key in a new database and open the proof of an old one, in a file that takes writes."""
        with self.transaction():
            self.db.conn.execute("UPDATE seal SET proof = proof")
            proof = self.query("SELECT proof FROM seal")
            if not proof:
                self.db.table("seal").insert({"id": 1, "proof": self.seal.close(b"haven")})
                return
            try:
                self.seal.open(proof[0][0])
            except InputError as error:
                raise InputError(f"{self.path}: {error}") from None
