"""Fills a database with what many cases leave there."""

from __future__ import annotations

from hashlib import blake2b
from math import ceil
from pathlib import Path

from bot.app import open_store
from bot.config import Config
from bot.store import Store
from classifiers.errors import InputError

_TABLES = ("cases", "targets", "recipients", "outbox", "campaigns", "marks")
_NAMES = {"id", "case_id", "space", "account", "campaign", "leader", "mark"}
_AT_ONCE = 20_000
_UNIQUE = 16  # hexadecimal digits, for millions of names


def seed(folder: Path, rows: int) -> int:
    """Let the database of a folder have so many rows or a few more, as copies of its cases; return its size in bytes.

    Each copy is about other accounts, in other spaces and of other campaigns; what was to be delivered is. The sealed
    bodies stay as they are. InputError where there is no case to copy.
    """
    store = open_store(Config(), folder, {})
    try:
        store.db.conn.create_function("other", 2, _other)
        with store.transaction():
            store.db.conn.execute(
                "UPDATE outbox SET payload = NULL, settled_at = due_at, outcome = 'delivered', detail = ''"
                " WHERE settled_at IS NULL"
            )
            for table in _TABLES:
                store.db.conn.execute(f"CREATE TEMP TABLE first_{table} AS SELECT * FROM {table}")  # noqa: S608 (constant text)
        first = _count(store, "first_")
        if not first:
            raise InputError(f"{folder}: there is no case to copy")
        before = _count(store)  # each copy has a number that none had before
        copies = ceil((rows - before) / first)
        each = max(1, _AT_ONCE // first)
        for start in range(0, copies, each):
            with store.transaction():
                for copy in range(start, min(start + each, copies)):
                    _copy(store, before + copy)
        store.checkpoint()
        return store.size()
    finally:
        store.close()


def _copy(store: Store, copy: int) -> None:
    for table in _TABLES:
        columns = [name for _, name, *_ in store.query(f"PRAGMA table_info({table})") if (table, name) != _NUMBERED]
        values = [f"other({name}, ?1)" if name in _NAMES else name for name in columns]
        store.db.conn.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM first_{table}",  # noqa: S608 (constant text)
            (copy,),
        )


def _count(store: Store, prefix: str = "") -> int:
    """Return how many rows there are in all tables."""
    return sum(store.query(f"SELECT count(*) FROM {prefix}{table}")[0][0] for table in _TABLES)  # noqa: S608 (likewise)


def _other(name: str | bytes | None, copy: int) -> str | bytes | None:
    """Return another name of the same kind, always the same for the same copy; a short one gets longer."""
    if name is None:
        return None
    if isinstance(name, bytes):
        return blake2b(name, digest_size=len(name), salt=copy.to_bytes(8, "big")).digest()
    return blake2b(name.encode(), digest_size=32, salt=copy.to_bytes(8, "big")).hexdigest()[: max(len(name), _UNIQUE)]


_NUMBERED = ("outbox", "id")
