"""Copies of a database: taken while Haven runs, and put back while it does not."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copyfileobj

from bot.database import Database
from bot.files import RESTORE, give_place, give_to_owner
from bot.sealing import Seal, sync_folder
from classifiers.errors import InputError

_COMPANIONS = ("-wal", "-shm", "-journal")


def backup(database: Database, file: Path) -> None:
    """Copy a database that may be in use to a new file; it is as sealed as the database, and whole or not there."""
    if file.exists():
        raise InputError(f"{file}: is there already; a backup replaces nothing")
    part = _beside(file, ".part")
    _remove(part)
    part.touch(mode=0o600, exist_ok=False)
    try:
        with closing(sqlite3.connect(part)) as copy:
            database.db.conn.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without companions
            _check_pages(copy)
    except sqlite3.Error as error:
        _remove(part)
        raise InputError(f"{file}: no backup was made: {error}") from None
    part.replace(file)
    sync_folder(file.parent)


def restore(file: Path, path: Path, seal: Seal, kept: Path) -> bool:
    """Put a backup in the place of a database that nobody uses; return whether one was there, which is now `kept`.

    A backup that is damaged, of a newer version, closed with another key or of another build (a trigger acts) is
    refused, and nothing is changed. What waited to be delivered may have been delivered since, so that no warning that
    waited is sent.
    """
    if file.exists() and path.exists() and file.samefile(path):
        raise InputError(f"{file}: is the database itself; name a backup of it")
    fresh = unfinished(path)
    _remove(fresh)
    try:
        _copy(file, fresh)
        _check(fresh, file, seal)
        replaced = path.exists()
        if replaced:
            if path.stat().st_size:  # otherwise SQLite would throw the log away
                _settle(path)
            _copy(path, kept)
            give_to_owner(kept, path)
            give_place(fresh, path)
        for companion in _COMPANIONS:
            if _beside(path, companion).exists():  # of a file too damaged to be settled
                _beside(path, companion).replace(_beside(kept, companion))
        fresh.replace(path)
    finally:
        _remove(fresh)
    sync_folder(path.parent)
    return replaced


def unfinished(path: Path) -> Path:
    """Return where a copy lies that is about to be put in the place of a database; a kill leaves it there."""
    return _beside(path, ".restoring")


def remove_unfinished(path: Path) -> None:
    """Remove what a killed restore left beside a database that is claimed."""
    _remove(unfinished(path))


def _check(fresh: Path, file: Path, seal: Seal) -> None:
    """Bring a copy up to date that is a whole database of Haven and opens with the key; InputError names the file."""
    try:
        with closing(sqlite3.connect(fresh)) as copy:
            if copy.execute("SELECT 1 FROM sqlite_master WHERE type = 'view'").fetchall():
                raise sqlite3.DatabaseError("it has a view")
            copy.execute("SELECT proof FROM seal")
            _check_pages(copy)
        with closing(Database(fresh, seal)) as database, database.transaction():
            if foreign := _schema(database) - _schema(Database(None, seal)):
                raise sqlite3.DatabaseError(f"it has what Haven never made: {min(foreign)[0]}")
            database.db.conn.execute("UPDATE outbox SET begun_at = created_at WHERE settled_at IS NULL")
    except sqlite3.DatabaseError as error:
        raise InputError(f"{file}: not a backup of Haven, or damaged: {error}") from None
    except InputError as error:
        raise InputError(str(error).replace(str(fresh), str(file))) from None


def check_pages(database: Database, file: Path) -> None:
    """Look at every page of a database; InputError names the file, and what to do, where something is damaged."""
    try:
        _check_pages(database.db.conn)
    except sqlite3.DatabaseError as error:
        raise InputError(f"{file}: {error}; {RESTORE}") from None


def _check_pages(database: sqlite3.Connection) -> None:
    (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"the database is damaged: {' '.join(found.split())}")


def _schema(database: Database) -> set[tuple[str, str]]:
    """Return name and definition of what is in a database, but for the tables that its libraries make."""
    rows = database.query("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' OR name NOT LIKE '%sqlite%'")
    return {(name, " ".join(sql.split())) for name, sql in rows}


def _settle(path: Path) -> None:
    """Move what is in the write-ahead log of a database into the file, unless somebody uses it."""
    try:
        with closing(sqlite3.connect(path, timeout=0)) as replaced:
            replaced.execute("PRAGMA locking_mode = EXCLUSIVE")
            replaced.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise InputError(f"{path}: another program has it open; stop Haven first") from None
        # else it is damaged, which may be why something is put in its place


def _copy(file: Path, to: Path) -> None:
    with file.open("rb") as source, os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
        copyfileobj(source, copy)
        copy.flush()
        os.fsync(copy.fileno())


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(f"{file.name}{ending}")


def _remove(file: Path) -> None:
    for one in (file, *(_beside(file, companion) for companion in _COMPANIONS)):
        one.unlink(missing_ok=True)
