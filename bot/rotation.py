"""Changes the key with which a database is closed, in one transaction."""

from __future__ import annotations

from bot.schema import SEALED
from bot.sealing import Seal
from bot.store import Store
from classifiers.errors import InputError


def rotate(store: Store, new: Seal, now: float) -> None:
    """Close everything with a new key and hash every account with it; it has to be swept afterwards.

    The keys that signed evidence and blinded marks until now stay, sealed, so that what was signed can still be
    verified, and cases of before still be linked.
    """
    old, change = store.seal, store.db.conn.execute
    store.db.conn.create_function("reblinded", 1, new.blind)
    store.db.conn.create_function("resealed", 1, lambda sealed: new.close(old.open(sealed)))
    try:
        with store.transaction():
            for table, column in SEALED:
                change(f"UPDATE {table} SET {column} = resealed({column}) WHERE {column} IS NOT NULL")  # noqa: S608
            store.seal = new
            change("UPDATE recipients SET account = hashed(platform, opened(who))")
            change("UPDATE audit SET account = hashed(platform, opened(who)) WHERE who IS NOT NULL")
            for (id,) in store.query("SELECT id FROM cases"):
                if case := store.case_of(id):
                    store.record(case, (), now)
            change("UPDATE marks SET mark = reblinded(mark)")
            former = {"signing": new.close(old.signing_key), "blinding": new.close(old.blinding_key)}
            store.db.table("former_keys").insert({"until": now, **former})
            store.unswept()
    except BaseException as error:
        store.seal = old
        if isinstance(error, InputError) and "user-defined function" in str(error):
            raise InputError(f"{store.path}: something in it does not open with its key; nothing was changed") from None
        raise


def former_keys(store: Store) -> list[bytes]:
    """Return the keys that signed evidence before the one of now."""
    return [store.seal.open(signing) for (signing,) in store.query("SELECT signing FROM former_keys ORDER BY until")]
