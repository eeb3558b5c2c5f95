"""Writes a database of the newest schema as SQL, filled by the code of its time: `python tests/schemas/write.py`.

Do this when a migration is released, and never change what was written before.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.case import Case, Post, view
from bot.effects import Advice, AdviseTarget, AlertModerators, Delivery, Outcome, Ruling, Target, UpdateAlert
from bot.sealing import Seal
from bot.store import Store
from classifiers.assessment import Evidence, Kind, Level, Marker
from classifiers.conversation import Account

KEY = b"dGVzdHMgb25seTogbmV2ZXIgYSByZWFsIGtleSEhISE="
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA, SAM, BEN, MO, OWNER = (
    Account("telegram", id) for id in ("47110001", "47110002", "47110003", "47110004", "47110005")
)
WORDS = "pay or I send it to your family"
NOTE = "spoke to them on the phone"
PRIVATE = f"private:telegram:{OWNER.id}"


def case(id: str, space: str, about: Account, target: Account, kind: Kind = Kind.THREAT) -> Case:
    """Return a case with words."""
    return Case(
        id=id,
        space=space,
        channel="lobby",
        message_id="m1",
        kind=kind,
        about=about,
        level=Level.ADVISE,
        opened_at=NOON,
        seen_at=NOON + timedelta(hours=1),
        locale="en-GB",
        targets=(Target(target, Advice.DELIVERED),),
        evidence=(Evidence(Marker.SHARE_THREAT, "m1", 0.75, WORDS),),
        post=Post("post-1"),
        ruling=Ruling.CONFIRMED,
    )


def fill(store: Store) -> None:
    """Record a little of everything that the store knows."""
    first = case("c1", "-100", KAYLA, SAM)
    warning = AdviseTarget("c1", "-100", SAM, Kind.THREAT, "en-GB", crisis=False)
    store.choose(SAM, opted_in=True)
    store.choose(BEN, opted_in=False)
    store.record(first, [warning], 1.0)
    row = store.begin("telegram", 2.0)
    assert row
    store.settle(row, Delivery(Outcome.DELIVERED), 5.0)
    store.record(replace(first, likely=BEN), [UpdateAlert(view(first), "post-1")], 7.0)
    store.record(case("c2", PRIVATE, KAYLA, OWNER), [], 8.0)
    told = case("c3", "-200", BEN, BEN, Kind.DISCLOSURE)
    store.record(told, [AlertModerators(view(told))], 9.0)


def fill_records(store: Store) -> None:
    """Record what moderators chose and did, which came with the second version."""
    from bot.records import Records

    records = Records(store)
    records.choose("-100", {"mode": "alert", "page_role": MO.id})
    records.seen("-200", 6.0)
    records.note("-100", "c1", MO, "noted", NOTE, 10.0)
    records.note("-200", None, KAYLA, "set_up", "", 11.0)


def main() -> None:
    """Write the file beside this one."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "haven.db"
        with closing(Store(path, Seal(KEY, "the tests' key"))) as store:
            fill(store)
            if find_spec("bot.records"):
                fill_records(store)
        with closing(sqlite3.connect(path)) as connection:
            ((newest,),) = connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id DESC LIMIT 1")
            lines = "\n".join(connection.iterdump())
    (Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent).joinpath(f"{newest}.sql").write_text(lines + "\n")


if __name__ == "__main__":
    main()
