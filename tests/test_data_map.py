"""What PRIVACY.md says of every column is what the database holds, and what is forgotten is in none of its bytes."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from schemas.write import BEN, KAYLA, MO, NOTE, OWNER, PRIVATE, SAM, WORDS, case, fill, fill_records

from bot.app import _purge, composed, open_classifier, open_store
from bot.case import new_id, view
from bot.config import Config
from bot.effects import AlertModerators, PageModerators
from bot.policies import Policies
from bot.records import Records
from bot.schema import SEALED
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.assessment import Kind
from classifiers.conversation import Account

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[1]
_ROW = re.compile(r"^\| (?P<columns>`\w+\.\w+`[^|]*) \| [^|]{3,} \| (?P<how>[^|]+) \| [^|]{3,} \|$", re.MULTILINE)
ACCOUNTS = (KAYLA, SAM, BEN, MO, OWNER)


def data_map() -> dict[str, str]:
    """Return how each column is kept, as PRIVACY.md says."""
    page = (ROOT / "PRIVACY.md").read_text(encoding="utf-8")
    named = [(column, row["how"]) for row in _ROW.finditer(page) for column in re.findall(r"\w+\.\w+", row["columns"])]
    assert [column for column, times in Counter(column for column, _ in named).items() if times > 1] == []
    return dict(named)


def columns(store: Store) -> list[str]:
    """Return every column of every table that is there."""
    rows = store.query(
        "SELECT tables.name || '.' || columns.name FROM sqlite_master tables, pragma_table_info(tables.name) columns"
        " WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    return [name for (name,) in rows]


def values(store: Store, column: str) -> list[object]:
    table, name = column.split(".")
    return [row[name] for row in store.db.query(f"SELECT * FROM {table}") if row[name] is not None]  # noqa: S608


def sealed(store: Store) -> set[bytes]:
    return {value for one in SEALED for value in values(store, ".".join(one)) if isinstance(value, bytes)}


def contents(store: Store) -> Iterator[tuple[str, bytes]]:
    """Yield what every sealed value holds, with its column."""
    for table, name in SEALED:
        for value in values(store, f"{table}.{name}"):
            assert isinstance(value, bytes)
            yield f"{table}.{name}", store.seal.open(value)


def bytes_of(folder: Path) -> bytes:
    """Return file, write-ahead log and its index."""
    files = [folder / f"haven.db{companion}" for companion in ("", "-wal", "-shm")]
    return b"".join(file.read_bytes() for file in files)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(Config(), tmp_path, {})) as store:
        fill(store)
        fill_records(store)
        with store.transaction():
            store.db.table("former_keys").insert(
                {"until": 1.0, "signing": store.seal.close(b"a former key"), "blinding": store.seal.close(b"another")}
            )
            ((case,),) = store.query("SELECT id FROM cases ORDER BY id LIMIT 1")
            store.db.table("campaigns").insert({"case_id": case, "campaign": "c0ffee", "at": 1.0, "leader": case})
            store.db.table("marks").insert({"mark": store.seal.blind(b"a line"), "case_id": case})
            store.db.table("feedback").insert({"case_id": case, "score": 0.7, "ruling": "confirmed", "at": 1.0})
        yield store


# The map.


def test_the_map_names_every_column_once_and_no_other(store: Store) -> None:
    assert sorted(data_map()) == sorted(columns(store))


def test_what_the_map_calls_sealed_is_what_a_new_key_seals_anew() -> None:
    assert {column for column, how in data_map().items() if how == "sealed"} == {".".join(one) for one in SEALED}


def test_every_column_is_kept_as_the_map_says(store: Store) -> None:
    for column, how in data_map().items():
        found = values(store, column)
        assert found, f"{column}: nothing to look at"
        for value in found:
            match how:
                case "sealed":
                    assert isinstance(value, bytes), column
                    assert store.seal.open(value)
                case "hashed":
                    assert re.fullmatch(r"[0-9a-f]{32}", value.hex() if isinstance(value, bytes) else str(value)), (
                        column
                    )
                case _:
                    assert how.startswith("readable"), column
                    assert not any(account.id in str(value) for account in ACCOUNTS), column


# A stolen database.


def test_who_has_the_database_and_not_the_key_finds_no_word_and_no_account(store: Store, tmp_path: Path) -> None:
    (tmp_path / "stolen").mkdir()
    for file in tmp_path.glob("haven.db*"):
        shutil.copy(file, tmp_path / "stolen")
    held = bytes_of(tmp_path / "stolen")
    assert (tmp_path / "stolen" / "haven.db-wal").stat().st_size > 0
    for secret in (*(account.id for account in ACCOUNTS), WORDS, "your family", NOTE, "lobby", "page_role"):
        for encoding in ("utf-8", "utf-16-le"):
            assert secret.encode(encoding) not in held, secret


def test_hashes_and_ids_of_cases_cannot_be_guessed_without_the_key(store: Store) -> None:
    other = one_time_seal()
    assert store.hashed(SAM) == store.seal.hash("telegram", SAM.id) != other.hash("telegram", SAM.id)
    assert store.hashed(SAM) != store.hashed(Account("discord", SAM.id))
    policies = Policies(Config(), Records(store))
    salts = [policies.of(space).salt for space in ("-100", PRIVATE)]
    assert salts[0] == salts[1]
    ids = {new_id("-100", Kind.THREAT, KAYLA, "m1", salt) for salt in (salts[0], "", other.hash("salt"))}
    assert len(ids) == 3
    assert salts[0] not in repr(policies.of("-100"))


# Forgetting.


@pytest.mark.parametrize("account", ACCOUNTS, ids=["sender", "target", "with a choice", "moderator", "private chats"])
def test_what_is_forgotten_is_gone_from_file_log_and_index(
    store: Store, tmp_path: Path, haven: Run, account: Account
) -> None:
    paged = replace(case("c4", "-100", BEN, BEN, Kind.DISCLOSURE), page=MO.id)
    store.record(paged, [AlertModerators(view(paged)), PageModerators("c4", "-100", MO.id, "post-1")], 12.0)
    before = sealed(store)
    named = {value for value in before if account.id.encode() in store.seal.open(value)}
    assert named
    assert store.holds(account)
    result = haven("forget", "telegram", account.id)
    assert (result.returncode, result.stderr) == (0, "")
    chosen = store.recipient(account).opted_in is not None
    assert store.holds(account) == chosen
    left = [column for column, content in contents(store) if account.id.encode() in content]
    assert left == ["recipients.who"] * chosen
    held = bytes_of(tmp_path)
    assert account.id.encode() not in held
    assert len(named & sealed(store)) == chosen
    assert not any(value in held for value in before - sealed(store))
    assert not any(entry.actor == account for space in ("-100", "-200", "") for entry in Records(store).trail(space))


async def test_what_is_past_its_time_is_in_none_of_the_bytes(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bot.app")
    for old in (store.case_of(id) for id in ("c1", "c2", "c3")):
        assert old
        store.record(replace(old, seen_at=old.seen_at.replace(year=2020)), (), 12.0)
    before = {body for (body,) in store.query("SELECT body FROM cases")}
    assert all(body in bytes_of(tmp_path) for body in before)
    config = Config()
    with composed(config, open_store(config, tmp_path, {}), [], open_classifier(config, tmp_path)) as parts:
        purging = asyncio.create_task(_purge(parts))
        async with asyncio.timeout(20):
            while any(body in bytes_of(tmp_path) for body in before):  # noqa: ASYNC110 (a thread's work)
                await asyncio.sleep(0.02)
        purging.cancel()
    assert store.spaces() == []
    assert caplog.messages == ["erased cases past their retention: 1"] * 3


def test_that_somebody_was_forgotten_is_on_the_trail_and_not_who(store: Store) -> None:
    store.forget(SAM, 20.0)
    store.forget(OWNER, 21.0)
    store.forget(Account("telegram", "unknown"), 22.0)
    records = Records(store)
    lines = {space: [entry for entry in records.trail(space) if entry.at >= 20.0] for space in ("-100", "-200", "")}
    assert [(e.at, e.act, e.case, e.actor, e.note) for e in lines["-100"]] == [
        (20.0, "somebody_forgotten", "c1", None, "")
    ]
    assert lines["-200"] == []
    assert [(e.at, e.act, e.case) for e in lines[""]] == [
        (21.0, "somebody_forgotten", None),
        (22.0, "somebody_forgotten", None),
    ]


def test_a_forgotten_moderator_leaves_what_they_did_and_is_not_called_any_more(store: Store) -> None:
    records = Records(store)
    store.forget(MO, 20.0, own=True)  # nobody takes their own name off what they did to others
    assert records.trail("-100")[0].actor == MO
    store.forget(MO, 21.0)
    line = records.trail("-100")[0]
    assert (line.act, line.actor, line.note) == ("noted", None, "")
    assert records.settings("-100") == {"mode": "alert", "page_role": ""}


def test_who_is_only_called_to_urgent_cases_is_held_until_forgotten(store: Store) -> None:
    called, paged = Account("telegram", "4712"), Account("telegram", "4713")
    assert not store.holds(called)
    Records(store).choose("-300", {"page_role": called.id})
    store.record(replace(case("c4", "-100", BEN, BEN), page=paged.id), [], 12.0)
    for account in (called, paged):
        assert store.holds(account)
        store.forget(account, 20.0)
        assert not store.holds(account)


def test_leaving_a_space_is_on_the_trail(store: Store) -> None:
    store.leave("-100", 20.0)
    store.leave(PRIVATE, 21.0)
    records = Records(store)
    assert records.trail("-100")[-1].act == records.trail("")[-1].act == "left"
    assert records.trail(PRIVATE) == []
    assert store.spaces() == ["-200"]


def test_private_chats_go_with_their_owner(store: Store) -> None:
    assert store.forget(OWNER, 20.0, own=True) == 1
    assert store.case_of("c2") is None
    assert store.case("-100", KAYLA, Kind.THREAT)
