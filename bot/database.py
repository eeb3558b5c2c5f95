"""One SQLite file that survives kills, with a seal for what is content."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

import sqlite_utils

from bot.policy import owner_of, private_space
from bot.schema import SWEPT, UNSWEPT, migrations
from bot.sealing import Seal, WrongKeyError
from classifiers.conversation import Account
from classifiers.errors import InputError

_BUSY_SECONDS, _ALONE_SECONDS = 30, 1
_MAGIC = b"SQLite format 3\0"


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
            self._inodes = {file: file.stat().st_ino for file in (path, _log_of(path)) if file.exists()}

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
                _refuse_lost(file, number, empty=file != self.path)
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(f"{self.path or 'database'}: {error}") from error

    def _connected(self, *, alone: bool) -> sqlite_utils.Database:
        patience = _ALONE_SECONDS if alone else _BUSY_SECONDS
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


def followed(path: Path) -> Path:
    """Return the file that a path stands for: SQLite's own files, and the lock, lie beside it and not beside a link."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def is_there(path: Path) -> bool:
    """Return whether there is a file with anything in it."""
    return path.exists() and path.stat().st_size > 0


def is_lost(path: Path) -> bool:
    """Return whether Haven was started on a database before that is not there (any more), as its lock file tells."""
    path = _file_at(path)
    return lock_of(path).exists() and not is_there(path)


def lock_of(path: Path) -> Path:
    """Return the file that is locked while a Haven runs; it stays empty, and its lock ends with the process."""
    return path.with_name(f"{path.name}.lock")


def _file_at(path: Path) -> Path:
    """Return the file that a path stands for; InputError where something else is there."""
    path = followed(path)
    if not path.name or (path.exists() and not path.is_file()):
        raise InputError(f"{path}: not a file; the database has to be one")
    return path


def check_file(path: Path) -> None:
    """InputError where a database cannot be, or may not be used, as far as can be told without opening it.

    That is so, too, where only the write-ahead log is there: SQLite would throw it away.
    """
    path = _file_at(path)
    log = _log_of(path)
    if is_there(log) and not is_there(path):
        raise InputError(
            f"{log}: holds the latest of a database that is not there; put {path.name} back, or move this away, too"
        )
    if not path.exists():
        return
    if not os.access(path, os.R_OK | os.W_OK):
        raise InputError(f"{path}: Haven may not read and write it: mend its owner or mode, or where it is mounted")
    if os.name == "posix" and path.stat().st_mode & stat.S_IWOTH:
        raise InputError(f"{path}: other users may change it; run: chmod 600 {path}")


def check_foreign(path: Path) -> None:
    """InputError where a file is no database; not for one that this process has open, whose locks that would end."""
    if path.exists():
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) not in (b"", _MAGIC):
                raise InputError(f"{path}: not a database")


def _refuse_lost(file: Path, number: int, *, empty: bool) -> None:
    """InputError where an open file was removed, replaced or, unless that is in order, emptied."""
    try:
        found = file.stat()
    except OSError:
        found = None
    if found is None or found.st_ino != number or not (found.st_size or empty):
        raise InputError(
            f"{file}: was removed, replaced or emptied while Haven has it open; stop Haven, then put it back or restore"
        )


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Be the only Haven that runs on a database, until the end, however it comes; InputError while another does."""
    path = _file_at(path)
    file = lock_of(path)
    if is_there(path) and not file.exists():  # it was removed, perhaps under a Haven that runs
        _refuse_used(path)
    with suppress(OSError):
        file.touch(mode=0o600)
    with ExitStack() as held:
        try:
            lock = held.enter_context(closing(sqlite3.connect(file, timeout=0, isolation_level=None)))
            lock.executescript("PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise InputError(f"{path}: another Haven runs on it") from None
            raise InputError(f"{path}: {error}; Haven has to make and write {file.name} beside it") from None
        yield


def _refuse_used(path: Path) -> None:
    """InputError while any program has the database open; what else is wrong with it, whoever opens it says better."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=_ALONE_SECONDS)) as alone:
        try:
            alone.execute("PRAGMA locking_mode = EXCLUSIVE")
            alone.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise InputError(f"{path}: another program has it open; stop Haven first") from None
            raise
