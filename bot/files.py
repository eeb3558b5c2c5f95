"""Where a database is or should be: whether it may be there, who has claimed it, and what a lock beside it tells."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from classifiers.errors import InputError

ALONE_SECONDS = 1
"""How long somebody may still hold what one program needs alone."""
RESTORE = "restore a backup (README, Drills: the database is lost or damaged)"
IN_MEMORY = Path(":memory:")
"""What SQLite takes for no file."""
_MAGIC = b"SQLite format 3\0"


class LostError(InputError):
    """A database is not there any more while Haven has it open."""


def followed(path: Path) -> Path:
    """Return the file that a path stands for: SQLite's own files, and the lock, lie beside it and not beside a link."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def log_of(path: Path) -> Path:
    """Return the write-ahead log of a database."""
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
    if path == IN_MEMORY or not path.name or path.is_symlink() or (path.exists() and not path.is_file()):
        raise InputError(f"{path}: not a file; the database has to be one")
    return path


def check_file(path: Path) -> None:
    """InputError where a database cannot be, or may not be used, as far as can be told without opening it.

    That is so, too, where only the write-ahead log is there: SQLite would throw it away.
    """
    path = _file_at(path)
    log = log_of(path)
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


def check_lock(path: Path) -> None:
    """InputError where the lock beside a database cannot be had, as far as can be told without opening it."""
    path = _file_at(path)
    file = lock_of(path)
    if file.exists() and not (file.is_file() and os.access(file, os.R_OK | os.W_OK)):
        raise InputError(f"{path}: Haven has to write {file.name} beside it: mend its owner or mode")


def check_room(folder: Path, what: str) -> None:
    """InputError where something cannot be made in a folder."""
    try:
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{folder}: the {what} cannot be made here: {error.strerror}") from None


def give_to_owner(file: Path, of: Path) -> None:
    """Let a file have the owner of another, where there is one and the system lets one."""
    if os.name == "posix":
        with suppress(OSError):
            found = of.stat()
            os.chown(file, found.st_uid, found.st_gid)


def give_place(file: Path, of: Path) -> None:
    """Let a file that takes the place of another have its owner and mode, where the system lets one."""
    give_to_owner(file, of)
    with suppress(OSError):
        file.chmod(stat.S_IMODE(of.stat().st_mode) & ~stat.S_IWOTH)


def check_foreign(path: Path) -> None:
    """InputError where a file is no database; not for one that this process has open, whose locks that would end."""
    if path.exists():
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) not in (b"", _MAGIC):
                raise InputError(f"{path}: not a database; if it was one, {RESTORE}")


def refuse_lost(file: Path, number: int, *, empty: bool) -> None:
    """LostError where an open file was removed, replaced or, unless that is in order, emptied."""
    try:
        found = file.stat()
    except OSError:
        found = None
    if found is None or found.st_ino != number or not (found.st_size or empty):
        raise LostError(
            f"{file}: was removed, replaced or emptied while Haven has it open; stop Haven, then put it back or restore"
        )


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Be the only Haven that runs on a database, until the end, however it comes; InputError while another does.

    Where there never was one, and none is made because of a fault, no lock stays that would tell of it.
    """
    path = _file_at(path)
    file = lock_of(path)
    first = not file.exists()
    if first and is_there(path):  # it was removed, perhaps under a Haven that runs
        _refuse_used(path)
    with suppress(OSError):
        file.touch(mode=0o600)
    if first:
        give_to_owner(file, path)
    with ExitStack() as held:
        try:
            lock = held.enter_context(closing(sqlite3.connect(file, timeout=0, isolation_level=None)))
            lock.executescript("PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise InputError(f"{path}: another Haven runs on it") from None
            raise InputError(f"{path}: {error}; Haven has to make and write {file.name} beside it") from None
        try:
            yield
        except LostError:
            raise
        except BaseException:
            if first and not is_there(path):
                with suppress(OSError):
                    file.unlink()
            raise


def is_claimed(path: Path) -> bool:
    """Return whether a Haven runs on a database."""
    file = lock_of(_file_at(path))
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as lock:
            lock.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
    return False


def _refuse_used(path: Path) -> None:
    """InputError while any program has the database open; what else is wrong with it, whoever opens it says better."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=ALONE_SECONDS)) as alone:
        try:
            alone.execute("PRAGMA locking_mode = EXCLUSIVE")
            alone.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise InputError(f"{path}: another program has it open; stop Haven first") from None
            raise
