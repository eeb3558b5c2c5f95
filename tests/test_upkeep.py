"""Migrations, keys and backups, each killed at every step by a real process."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from cryptography.fernet import Fernet
from schemas.write import BEN, KAYLA, KEY, MO, NOON, NOTE, OWNER, PRIVATE, SAM, WORDS, case

from bot.app import open_store, running
from bot.case import Case
from bot.cases import Settled
from bot.config import Config
from bot.effects import AdviseTarget, Outcome
from bot.evidence import sealed
from bot.files import claimed, is_lost
from bot.policy import Recipient
from bot.records import Entry, Records
from bot.rotation import former_keys, rotate
from bot.schema import SEALED, migrations
from bot.sealing import Seal, load_seal, next_key_file, one_time_seal
from bot.store import Store
from bot.upkeep import put_back
from classifiers.assessment import Kind
from classifiers.errors import InputError

Run = Callable[..., subprocess.CompletedProcess[str]]
Refused = Callable[..., None]

ROOT = Path(__file__).parents[1]
SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = [file.stem for file in sorted(SCHEMAS.glob("*.sql"))]
ACCOUNTS = (KAYLA, SAM, BEN, MO, OWNER)


def built(folder: Path, version: str) -> Path:
    """Make a database as a version left it, with its key."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "haven.db")) as connection:
        connection.executescript((SCHEMAS / f"{version}.sql").read_text())
        connection.execute("PRAGMA journal_mode = WAL")
    (folder / "haven.key").write_bytes(KEY)
    (folder / "haven.key").chmod(0o600)
    return folder / "haven.db"


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.glob("haven.db*")))


def opened(folder: Path) -> Store:
    return open_store(Config(), folder, {})


def killed(work: str, folder: Path, environment: dict[str, str], every: int = 1) -> Iterator[Path]:
    """Yield what each kill of a piece of work leaves of FOLDER/start, and at last what it makes."""
    command = [sys.executable, "-P", "-W", "ignore", str(ROOT / "tests" / "killed.py"), work, str(folder), str(every)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
    for step in range(0, int(done.stdout), every):
        yield folder / str(step)


def first() -> Case:
    return replace(case("c1", "-100", KAYLA, SAM), likely=BEN)


def told() -> Case:
    return case("c3", "-200", BEN, BEN, Kind.DISCLOSURE)


def check_all(store: Store, *, audited: bool = True) -> None:
    """Check that a store has everything with which databases of all versions were filled."""
    assert store.case("-100", KAYLA, Kind.THREAT) == store.case_of("c1") == first()
    assert store.case(PRIVATE, KAYLA, Kind.THREAT) == case("c2", PRIVATE, KAYLA, OWNER)
    assert store.spaces() == ["-100", "-200", PRIVATE]
    assert store.cases_naming(BEN) == [first(), told()]
    assert store.cases_naming(OWNER) == [case("c2", PRIVATE, KAYLA, OWNER)]
    assert store.recipient(SAM) == Recipient(opted_in=True, advised_at=first().seen_at)
    assert store.recipient(BEN) == Recipient(opted_in=False)
    assert store.recipient(KAYLA) == Recipient()
    assert store.settled("c1") == [Settled("AdviseTarget", Outcome.DELIVERED, "", 5.0)]
    waiting = store.query("SELECT effect, payload FROM outbox WHERE settled_at IS NULL ORDER BY id")
    assert [name for name, _ in waiting] == ["UpdateAlert", "AlertModerators"]
    assert WORDS.encode() in store.seal.open(waiting[0][1])
    if audited:
        records = Records(store)
        assert records.settings("-100") == {"mode": "alert", "page_role": MO.id}
        assert records.seen_at("-200") == 6.0
        assert records.trail("-100") == [Entry(10.0, MO, "noted", "c1", NOTE)]
        assert records.trail("-200") == [Entry(11.0, KAYLA, "set_up", None, "")]


def check_sealed(folder: Path) -> None:
    """Check that neither a word nor an account can be read in a folder's database."""
    held = bytes_of(folder)
    for secret in (*(account.id for account in ACCOUNTS), WORDS, NOTE, "page_role", "lobby"):
        assert secret.encode() not in held, secret


# Every released schema.


def test_there_is_a_database_of_every_schema() -> None:
    with closing(Store(None, one_time_seal())) as store:
        assert [migration.name for migration in migrations.applied(store.db)] == VERSIONS, "run tests/schemas/write.py"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_every_version_is_brought_up_to_date_with_all_that_it_holds(tmp_path: Path, version: str) -> None:
    built(tmp_path, version)
    for _ in range(2):  # the second time there is nothing left to bring up to date
        with closing(opened(tmp_path)) as store:
            check_all(store, audited=version != VERSIONS[0])
        check_sealed(tmp_path)


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_what_was_brought_up_to_date_is_built_like_what_is_new(tmp_path: Path, version: str) -> None:
    def schema(store: Store) -> list[tuple[str, str]]:
        rows = store.query("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%migrations%' ORDER BY name")
        return [(name, " ".join(str(sql).split())) for name, sql in rows]

    built(tmp_path, version)
    with closing(opened(tmp_path)) as old, closing(Store(None, one_time_seal())) as new:
        assert schema(old) == schema(new)


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_a_kill_while_a_database_is_brought_up_to_date_costs_nothing(
    tmp_path: Path, environment: dict[str, str], version: str
) -> None:
    built(tmp_path / "start", version)
    for left in killed("open", tmp_path, environment, every=1 if version == VERSIONS[-2] else 7):
        with closing(opened(left)) as store:
            check_all(store, audited=version != VERSIONS[0])
        check_sealed(left)


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_another_key_changes_nothing_in_an_old_database(tmp_path: Path, version: str) -> None:
    file = built(tmp_path, version)
    before = file.read_bytes()
    with pytest.raises(InputError, match="this key does not open"):
        Store(file, one_time_seal())
    assert file.read_bytes() == before
    with closing(opened(tmp_path)) as store:
        check_all(store, audited=version != VERSIONS[0])


def test_an_old_database_that_an_older_haven_uses_is_left_to_it(tmp_path: Path) -> None:
    file = built(tmp_path, "m003_begun")
    with closing(sqlite3.connect(file)) as older:
        older.execute("SELECT * FROM cases").fetchall()
        with pytest.raises(InputError, match=r"haven\.db: another program has it open; stop Haven first"):
            opened(tmp_path)
        assert older.execute("SELECT account FROM cases WHERE id = 'c1'").fetchall() == [(KAYLA.id,)]
    opened(tmp_path).close()


def test_who_despaired_before_everybody_was_found_can_be_forgotten(tmp_path: Path) -> None:
    built(tmp_path, "m006_marks_outlive_a_key")
    despairing = replace(first(), crisis=True, despairing=SAM, also_despairing=(MO, OWNER))
    with closing(sqlite3.connect(tmp_path / "haven.db")) as connection, connection:
        seal = load_seal(tmp_path / "haven.key", {}, create=False)
        connection.execute("UPDATE cases SET body = ? WHERE id = 'c1'", (seal.close(msgspec.json.encode(despairing)),))
    with closing(opened(tmp_path)) as store:
        assert store.cases_naming(MO) == [despairing]
        assert store.forget(MO, 0.0, own=True) == 1
        assert store.case_of("c1") == replace(despairing, also_despairing=(OWNER,))


# A new key.


def test_a_new_key_opens_everything_and_the_old_one_nothing(tmp_path: Path, haven: Run, refused: Refused) -> None:
    built(tmp_path, VERSIONS[-1])
    with closing(opened(tmp_path)) as store:
        before = {(table, column): held(store, table, column) for table, column in SEALED}
        hashes = [held(store, table, "account") for table in ("cases", "targets", "recipients", "audit")]
    result = haven("key", "rotate")
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["haven.db", "haven.db.lock", "haven.key"]
    assert (tmp_path / "haven.key").read_bytes() != KEY
    assert (tmp_path / "haven.key").stat().st_mode & 0o777 == 0o600
    with closing(opened(tmp_path)) as store:
        check_all(store)
    everything = bytes_of(tmp_path)
    for value in (value for values in (*before.values(), *hashes) for value in values):
        assert (value.encode() if isinstance(value, str) else value) not in everything
    (tmp_path / "haven.key").write_bytes(KEY)
    refused(haven("config", "check"), "haven.db: haven.key: this key does not open")


def held(store: Store, table: str, column: str) -> list[bytes | str]:
    return [row[column] for row in store.db.query(f"SELECT * FROM {table}") if row[column] is not None]  # noqa: S608


def test_a_kill_while_the_key_changes_leaves_a_key_that_opens_everything(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    built(tmp_path / "start", VERSIONS[-1])
    keys = set()
    for left in killed("rotate", tmp_path, environment):
        with running(Config(), left, {}) as store:
            check_all(store)
            store.close()
        assert not next_key_file(left / "haven.key").exists()
        check_sealed(left)
        keys.add((left / "haven.key").read_bytes() == KEY)
    assert keys == {True, False}


def test_a_key_from_the_environment_gives_way_to_another_one_from_there(
    tmp_path: Path, haven: Run, refused: Refused
) -> None:
    built(tmp_path, VERSIONS[-1])
    old, new = KEY.decode(), Fernet.generate_key().decode()
    (tmp_path / "haven.key").unlink()
    for wrong in ({}, {"HAVEN_NEW_KEY": old}, {"HAVEN_NEW_KEY": "short"}):
        refused(haven("key", "rotate", HAVEN_KEY=old, **wrong), "HAVEN_NEW_KEY: ")
    assert haven("key", "rotate", HAVEN_KEY=old, HAVEN_NEW_KEY=new).returncode == 0
    assert not (tmp_path / "haven.key").exists()
    refused(haven("config", "check", HAVEN_KEY=old), "haven.db: HAVEN_KEY: this key does not open")
    with closing(open_store(Config(), tmp_path, {"HAVEN_KEY": new})) as store:
        check_all(store)


def test_a_new_key_in_the_environment_is_refused_where_the_old_one_is_in_a_file(
    tmp_path: Path, haven: Run, refused: Refused
) -> None:
    built(tmp_path, VERSIONS[-1])
    new = Fernet.generate_key().decode()
    refused(haven("key", "rotate", HAVEN_NEW_KEY=new), "HAVEN_NEW_KEY: HAVEN_KEY is not set", "haven.key", "set both")
    assert (tmp_path / "haven.key").read_bytes() == KEY
    assert not next_key_file(tmp_path / "haven.key").exists()
    assert haven("key", "rotate", HAVEN_NEW_KEY="").returncode == 0


def test_evidence_of_before_a_new_key_can_still_be_verified(tmp_path: Path, haven: Run, refused: Refused) -> None:
    built(tmp_path, VERSIONS[-1])
    for number in range(3):
        (tmp_path / f"{number}.txt").write_bytes(
            sealed("the case\n", load_seal(tmp_path / "haven.key", {}, create=False))
        )
        assert haven("key", "rotate").returncode == 0
    for number in range(3):
        result = haven("verify", f"{number}.txt")
        assert result.stdout == f"{number}.txt: unchanged, and sealed with an earlier key of this Haven\n"
    (tmp_path / "0.txt").write_bytes((tmp_path / "0.txt").read_bytes().replace(b"\n", b"\r\n"))
    refused(haven("verify", "0.txt"), "0.txt: its line breaks were changed since it was sealed")
    (tmp_path / "forged.txt").write_bytes(sealed("the case\n", one_time_seal()))
    refused(haven("verify", "forged.txt"), "forged.txt: changed, or sealed with another key than this Haven's")
    with closing(opened(tmp_path)) as store:
        assert len(former_keys(store)) == 3


def test_something_damaged_keeps_the_key_from_being_changed(tmp_path: Path) -> None:
    file = built(tmp_path, VERSIONS[-1])
    with closing(opened(tmp_path)) as store:
        store.db.conn.execute("UPDATE audit SET note = x'00' WHERE note IS NOT NULL")
        store.db.conn.commit()
        old = store.seal
        with pytest.raises(InputError, match=r"haven\.db: something in it does not open with its key; nothing was"):
            rotate(store, one_time_seal(), 1.0)
        assert store.seal is old
        assert store.case_of("c1") == first()
    with closing(Store(file, Seal(KEY, "again"))) as store:
        assert store.case("-100", KAYLA, Kind.THREAT) == first()


# Forgetting.


def test_a_kill_while_somebody_is_forgotten_leaves_all_of_them_or_nothing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    built(tmp_path / "start", VERSIONS[-1])
    with closing(opened(tmp_path / "start")) as store:
        ((body,),) = store.query("SELECT body FROM cases WHERE id = 'c1'")
    found = set()
    for left in killed("forget", tmp_path, environment, every=2):
        with closing(opened(left)) as store:
            forgotten = store.case_of("c1") == replace(first(), targets=(), evidence=(), forgotten=True)
            assert (body in bytes_of(left)) != forgotten
            if not forgotten:
                check_all(store)
        found.add(forgotten)
    assert found == {True, False}


# One at a time.


def test_a_second_haven_ends_with_a_line_and_other_commands_work_beside_the_first(
    tmp_path: Path, haven: Run, refused: Refused
) -> None:
    file = built(tmp_path, VERSIONS[-1])
    with claimed(file), closing(opened(tmp_path)) as store:
        refused(haven("run", said="kayla> hello"), "haven: haven.db: another Haven runs on it")
        refused(haven("demo", "--database", "haven.db"), "haven.db: another Haven runs on it")
        refused(haven("key", "rotate"), "haven.db: another Haven runs on it")
        refused(haven("restore", "haven.db"), "haven.db: another Haven runs on it")
        assert haven("config", "check").returncode == 0
        assert haven("doctor").returncode == 0
        assert haven("backup", "copy.db").returncode == 0
        assert haven("forget", "telegram", SAM.id).returncode == 0
        left = store.case_of("c1")
        assert left
        assert left.targets == ()
        check_sealed(tmp_path)
    assert haven("run", said="ann> hello").returncode == 0


@pytest.mark.parametrize("how", ["link", "lock removed"])
def test_a_database_takes_one_haven_by_whatever_name_and_although_its_lock_was_removed(
    tmp_path: Path, haven: Run, refused: Refused, how: str
) -> None:
    file = built(tmp_path, VERSIONS[-1])
    (tmp_path / "haven.toml").write_text('[store]\ndatabase = "link.db"\n' if how == "link" else "")
    (tmp_path / "link.db").symlink_to(file)
    with claimed(file), closing(opened(tmp_path)):
        if how != "link":
            (tmp_path / "haven.db.lock").unlink()
        why = "another Haven runs on it" if how == "link" else "another program has it open; stop Haven first"
        refused(haven("run", said="kayla> hello"), f"haven.db: {why}")
    assert haven("run", said="kayla> hello").returncode == 0


def test_a_backup_is_put_behind_a_link(tmp_path: Path, haven: Run) -> None:
    built(tmp_path, VERSIONS[-1]).rename(tmp_path / "backup.db")
    (tmp_path / "disk").mkdir()
    (tmp_path / "haven.db").symlink_to("disk/haven.db")
    assert haven("restore", "backup.db").returncode == 0
    assert (tmp_path / "haven.db").is_symlink()
    with closing(opened(tmp_path)) as store:
        check_all(store)


@pytest.mark.parametrize("lost", ["removed", "emptied", "replaced", "log removed"])
def test_a_database_that_is_lost_under_a_haven_is_not_written_to_any_more(tmp_path: Path, lost: str) -> None:
    file = built(tmp_path, VERSIONS[-1])
    with closing(opened(tmp_path)) as store:
        store.choose(MO, opted_in=True)
        log = file.with_name("haven.db-wal")
        match lost:
            case "removed":
                file.unlink()
            case "emptied":
                file.write_bytes(b"")
            case "replaced":
                shutil.copy(file, tmp_path / "other.db")
                (tmp_path / "other.db").replace(file)
            case _:
                log.unlink()
        which = log if lost == "log removed" else file
        for use in (lambda: store.choose(SAM, opted_in=True), store.backlogs):
            with pytest.raises(InputError, match=f"^{which}: was removed, replaced or emptied while Haven has it open"):
                use()


@pytest.mark.parametrize("content", [None, b""])
def test_the_latest_of_a_database_that_is_not_there_is_not_thrown_away(
    tmp_path: Path, haven: Run, refused: Refused, content: bytes | None
) -> None:
    file = built(tmp_path, VERSIONS[-1])
    log = file.with_name("haven.db-wal")
    log.write_bytes(b"the latest cases")
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    file.with_name("haven.db.lock").touch()
    refused(haven("run", said="kayla> hello"), "haven: haven.db-wal: holds the latest of a database that is not there")
    assert log.read_bytes() == b"the latest cases"
    built(tmp_path / "other", VERSIONS[-1])
    assert haven("restore", "other/haven.db").returncode == 0
    (kept,) = tmp_path.glob("haven.db.replaced-*-wal")
    assert kept.read_bytes() == b"the latest cases"
    assert haven("run", said="kayla> hello").returncode == 0


@pytest.mark.parametrize("content", [None, b""])
def test_where_haven_ran_before_it_says_that_it_begins_anew(
    tmp_path: Path, haven: Run, refused: Refused, content: bytes | None
) -> None:
    first = haven("run", said="Sam> /protect off")
    assert (first.returncode, "WARNING" in first.stderr) == (0, False)
    file = tmp_path / "haven.db"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert "started on it before: restore a backup" in haven("config", "check").stdout
    refused(haven("backup", "copy.db"), "haven.db: there is no database")
    assert not (tmp_path / "copy.db").exists()
    again = haven("run", said="kayla> hello")
    assert again.stderr.startswith("WARNING bot.app: haven.db was not there, and Haven was started on it before")
    assert "WARNING" not in haven("run", said="kayla> hello").stderr


def test_a_first_start_that_fails_tells_of_no_database_that_was_lost(
    tmp_path: Path, haven: Run, refused: Refused
) -> None:
    (tmp_path / "haven.toml").write_text('[store]\nkey_file = "folder"\n')
    (tmp_path / "folder").mkdir()
    refused(haven("run", said="kayla> hello"), "folder: cannot read this secret: Is a directory")
    refused(haven("key", "rotate"), "haven.db: there is no database")
    refused(haven("restore", "none.db"), "folder: cannot read this secret")
    (tmp_path / "haven.toml").unlink()
    (tmp_path / "none.db").touch()
    (tmp_path / "haven.key").write_bytes(KEY)
    (tmp_path / "haven.key").chmod(0o600)
    refused(haven("restore", "none.db"), "none.db: not a backup of Haven")
    assert "started on it before" not in haven("config", "check").stdout
    assert "WARNING" not in haven("run", said="kayla> hello").stderr


def test_a_first_start_whose_database_is_removed_under_it_tells_of_it(tmp_path: Path) -> None:
    def lose() -> None:
        with running(Config(), tmp_path, {}) as store, closing(store):
            (tmp_path / "haven.db").unlink()
            store.check()

    with pytest.raises(InputError, match="was removed"):
        lose()
    assert is_lost(tmp_path / "haven.db")


@pytest.mark.parametrize("name", [".", "..", "/"])
@pytest.mark.parametrize("command", [("run",), ("config", "check"), ("key", "rotate"), ("restore", "x")], ids=" ".join)
def test_a_folder_in_the_place_of_the_database_is_named_and_left_alone(
    tmp_path: Path, haven: Run, refused: Refused, name: str, command: tuple[str, ...]
) -> None:
    (tmp_path / "haven.toml").write_text(f'[store]\ndatabase = "{name}"\n')
    refused(haven(*command, said="kayla> hello"), "not a file; the database has to be one")
    assert {path.name for path in tmp_path.iterdir()} <= {"haven.toml", "haven.key"}
    assert not (tmp_path.parent / "...lock").exists()


def test_a_lock_that_cannot_be_had_is_named(tmp_path: Path, haven: Run, refused: Refused) -> None:
    built(tmp_path, VERSIONS[-1])
    (tmp_path / "haven.db.lock").mkdir()
    refused(haven("run", said="kayla> hello"), "haven.db: ", "Haven has to make and write haven.db.lock beside it")


def test_the_last_line_of_json_logs_is_json_too(tmp_path: Path, haven: Run) -> None:
    (tmp_path / "haven.toml").write_text('[log]\nformat = "json"\n')
    built(tmp_path, VERSIONS[-1])
    with claimed(tmp_path / "haven.db"):
        result = haven("run", said="kayla> hello")
    assert result.returncode == 1
    last = json.loads(result.stderr.splitlines()[-1])
    assert (last["level"], last["message"]) == ("error", "haven.db: another Haven runs on it")


def test_a_killed_haven_leaves_no_lock(tmp_path: Path, haven: Run, environment: dict[str, str]) -> None:
    built(tmp_path, VERSIONS[-1])
    command = [sys.executable, "-P", "-m", "bot", "run"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running_haven:
        assert running_haven.stderr
        assert b"reading the console" in running_haven.stderr.readline()
        assert haven("run").stderr == "haven: haven.db: another Haven runs on it\n"
        running_haven.kill()
    assert haven("run", said="ann> hello").returncode == 0


@pytest.mark.parametrize("command", [("key", "rotate"), ("restore", "backup.db")], ids=" ".join)
def test_what_needs_the_database_alone_waits_for_nobody(
    tmp_path: Path, haven: Run, refused: Refused, command: tuple[str, ...]
) -> None:
    built(tmp_path, VERSIONS[-1])
    shutil.copy(tmp_path / "haven.db", tmp_path / "backup.db")
    with closing(opened(tmp_path)) as store:
        refused(haven(*command), "haven.db: another program has it open; stop Haven first")
        check_all(store)
    assert (tmp_path / "haven.key").read_bytes() == KEY
    assert haven(*command).returncode == 0


# Backups.


def test_a_backup_is_whole_sealed_and_without_the_key(tmp_path: Path, haven: Run, refused: Refused) -> None:
    built(tmp_path, VERSIONS[-1])
    (tmp_path / "elsewhere").mkdir()
    result = haven("backup", "elsewhere/haven.db")
    assert (result.returncode, result.stderr) == (0, "")
    assert [file.name for file in (tmp_path / "elsewhere").iterdir()] == ["haven.db"]
    assert (tmp_path / "elsewhere" / "haven.db").stat().st_mode & 0o777 == 0o600
    check_sealed(tmp_path / "elsewhere")
    assert KEY not in bytes_of(tmp_path / "elsewhere")
    with closing(Store(tmp_path / "elsewhere" / "haven.db", Seal(KEY, "the key"))) as store:
        check_all(store)
    refused(haven("backup", "elsewhere/haven.db"), "elsewhere/haven.db: is there already")
    refused(haven("backup", "nowhere/haven.db"), "nowhere/haven.db", "No such file or directory")


def test_no_backup_is_made_of_a_damaged_database(tmp_path: Path, haven: Run, refused: Refused) -> None:
    file = built(tmp_path, VERSIONS[-1])
    with closing(sqlite3.connect(file)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'cases'").fetchone()
    with file.open("r+b") as content:
        content.seek((page - 1) * 4096)
        content.write(b"\xff" * 4096)
    refused(haven("backup", "copy.db"), "copy.db: no backup was made: the database is damaged: ")
    refused(haven("config", "check"), "haven.db: the database is damaged: ", "restore a backup")
    assert not [*tmp_path.glob("copy.db*")]


def test_a_backup_is_written_through_no_link_that_somebody_laid(tmp_path: Path, haven: Run) -> None:
    built(tmp_path, VERSIONS[-1])
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "copy.db.part").symlink_to(tmp_path / "precious")
    assert haven("backup", "copy.db").returncode == 0
    assert (tmp_path / "precious").read_text() == "mine"


def test_no_trigger_that_somebody_added_opens_what_is_sealed(tmp_path: Path) -> None:
    file = built(tmp_path, VERSIONS[-1])
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE leak (words)")
        connection.execute(
            "CREATE TRIGGER acts AFTER UPDATE ON seal BEGIN INSERT INTO leak SELECT opened(body) FROM cases; END"
        )
    with pytest.raises(InputError, match="unsafe use of opened"):
        opened(tmp_path).close()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT * FROM leak").fetchall() == []


def test_a_kill_leaves_a_whole_backup_or_none(tmp_path: Path, environment: dict[str, str]) -> None:
    built(tmp_path / "start", VERSIONS[-1])
    there = set()
    for left in killed("backup", tmp_path, environment, every=3):
        there.add((left / "backup.db").exists())
        if (left / "backup.db").exists():
            with closing(Store(left / "backup.db", Seal(KEY, "the key"))) as store:
                check_all(store)
    assert there == {True, False}


def test_a_backup_comes_back_and_what_was_there_stays_beside_it(tmp_path: Path, haven: Run) -> None:
    file = built(tmp_path, "m003_begun")
    shutil.copy(file, tmp_path / "backup.db")
    haven("forget", "telegram", KAYLA.id)
    result = haven("restore", "backup.db")
    assert (result.returncode, result.stderr) == (0, "")
    (kept,) = tmp_path.glob("haven.db.replaced-*")
    assert kept.name in result.stdout
    assert f"{kept.name}: from before a restore" in haven("forget", "telegram", "99").stdout
    assert kept.stat().st_mode & 0o777 == 0o600
    with closing(opened(tmp_path)) as store:
        check_all(store)
    with closing(Store(kept, Seal(KEY, "the key"))) as before:
        assert before.case_of("c1") is None
        assert before.case_of("c3") == told()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_backup_is_put_where_nothing_is(tmp_path: Path, haven: Run, version: str) -> None:
    built(tmp_path, version).rename(tmp_path / "backup.db")
    result = haven("restore", "backup.db")
    assert (result.returncode, result.stderr) == (0, "")
    assert "there was no database before" in result.stdout
    with closing(opened(tmp_path)) as store:
        check_all(store, audited=version != VERSIONS[0])


@pytest.mark.parametrize("damage", [b"no database at all, but long enough to be taken for one " * 100, None])
def test_a_backup_replaces_a_damaged_database(tmp_path: Path, haven: Run, damage: bytes | None) -> None:
    file = built(tmp_path, VERSIONS[-1])
    shutil.copy(file, tmp_path / "backup.db")
    broken = damage or file.read_bytes()[:9000]
    file.write_bytes(broken)
    file.with_name("haven.db-wal").write_bytes(b"left over")
    assert haven("restore", "backup.db").returncode == 0
    (kept,) = (one for one in tmp_path.glob("haven.db.replaced-*") if not one.name.endswith("-wal"))
    assert kept.read_bytes() == broken
    with closing(opened(tmp_path)) as store:
        check_all(store)


def test_what_is_no_backup_is_refused_and_changes_nothing(tmp_path: Path, haven: Run, refused: Refused) -> None:
    file = built(tmp_path, VERSIONS[-1])
    with closing(opened(tmp_path)) as store:
        check_all(store)
    before = file.read_bytes()
    good = (tmp_path / "good.db").write_bytes(before)
    (tmp_path / "empty.db").touch()
    (tmp_path / "cut.db").write_bytes(before[: good // 2])
    (tmp_path / "prose.db").write_bytes(b"Dear diary,\n" * 1000)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE colours (name TEXT)")
    shutil.copy(tmp_path / "good.db", tmp_path / "newer.db")
    with closing(sqlite3.connect(tmp_path / "newer.db")) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('haven', 'm999_later', '')"
        )
    Store(tmp_path / "others.db", one_time_seal()).close()
    (tmp_path / "link.db").symlink_to("haven.db")
    for name, *changes in (
        ("acts.db", "CREATE TRIGGER acts AFTER INSERT ON outbox BEGIN DELETE FROM outbox; END"),
        ("sees.db", "ALTER TABLE seal RENAME TO hidden", "CREATE VIEW seal AS SELECT id, proof FROM hidden"),
    ):
        shutil.copy(tmp_path / "good.db", tmp_path / name)
        with closing(sqlite3.connect(tmp_path / name)) as connection, connection:
            for change in changes:
                connection.execute(change)
    for name, *words in (
        ("empty.db", "empty.db: not a backup of Haven"),
        ("cut.db", "cut.db: not a backup of Haven, or damaged"),
        ("prose.db", "prose.db: not a backup of Haven"),
        ("other.db", "other.db: not a backup of Haven"),
        ("newer.db", "newer.db: written by a newer version of Haven (m999_later)"),
        ("others.db", "others.db: haven.key: this key does not open"),
        ("acts.db", "acts.db: it has what Haven never made: acts"),
        ("sees.db", "sees.db: not a backup of Haven, or damaged: it has a view"),
        ("haven.db", "haven.db: is the database itself"),
        ("link.db", "link.db: is the database itself"),
        ("none.db", "none.db: No such file"),
        (".", "Is a directory"),
    ):
        refused(haven("restore", name), *words)
        assert file.read_bytes() == before
        assert not [one.name for one in tmp_path.iterdir() if "restoring" in one.name or "replaced" in one.name]


def test_a_kill_while_a_backup_is_put_back_leaves_the_one_or_the_other(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    file = built(tmp_path / "start", VERSIONS[-1])
    shutil.copy(file, tmp_path / "start" / "backup.db")
    with closing(opened(tmp_path / "start")) as store:
        store.forget(KAYLA, 20.0)
    found, unfinished = set(), set()
    for left in killed("restore", tmp_path, environment):
        unfinished.add((left / "haven.db.restoring").exists())
        with running(Config(), left, {}) as store:
            store.close()
        assert not [*left.glob("haven.db.restoring*")]
        with closing(opened(left)) as store:
            assert store.case_of("c3") == told()
            restored = store.case_of("c1") is not None
            if restored:
                check_all(store)
            found.add(restored)
    assert found == unfinished == {True, False}


def test_what_a_killed_restore_leaves_is_named_or_removed(tmp_path: Path, haven: Run) -> None:
    file = built(tmp_path, VERSIONS[-1])
    shutil.copy(file, tmp_path / "backup.db")
    left = [tmp_path / "haven.db.restoring", tmp_path / "haven.db.restoring-wal"]
    said = "".join(
        f"{one.name}: left by a restore that was cut off, and not changed by this: delete it\n" for one in left
    )
    for command in (("run",), ("restore", "backup.db"), ("key", "rotate")):
        for one in left:
            shutil.copy(tmp_path / "backup.db", one)
        assert haven("forget", "telegram", "99").stdout.endswith(said)
        with claimed(file):  # as a restore that is under way has it
            assert "restoring" not in haven("forget", "telegram", "99").stdout
        assert haven(*command, said="kayla> hello").returncode == 0
        assert not [one for one in left if one.exists()]


def test_restores_in_one_second_keep_each_database_of_before(tmp_path: Path) -> None:
    file = built(tmp_path, VERSIONS[-1])
    shutil.copy(file, tmp_path / "backup.db")
    (tmp_path / "haven.toml").touch()
    kept = {put_back(tmp_path / "haven.toml", {}, tmp_path / "backup.db") for _ in range(5)}
    assert kept == {*tmp_path.glob("haven.db.replaced-*")}
    assert len(kept) == 5


def test_a_warning_that_waited_in_a_backup_is_not_sent_again(tmp_path: Path, haven: Run) -> None:
    file = built(tmp_path, VERSIONS[-1])
    waiting = replace(case("c9", "home", KAYLA, SAM), ruling=None)
    with closing(opened(tmp_path)) as store:
        store.record(waiting, [AdviseTarget("c9", "home", SAM, Kind.THREAT, "en-GB", crisis=False)], 30.0)
    assert haven("backup", "backup.db").returncode == 0
    assert haven("restore", "backup.db").returncode == 0
    with closing(Store(file, Seal(KEY, "the key"))) as store:
        row = store.begin("telegram", NOON.timestamp(), ("c1", "c3"))
        assert row
        assert (row.case, row.begun_at) == ("c9", 30.0)


# Whose files they are.


def rights(*files: Path) -> list[tuple[int, int, int]]:
    return [(found.st_uid, found.st_gid, found.st_mode & 0o777) for found in (file.stat() for file in files)]


def test_what_takes_the_place_of_a_file_has_its_owner_and_mode(tmp_path: Path, haven: Run) -> None:
    file = built(tmp_path, VERSIONS[-1])
    key = tmp_path / "haven.key"
    shutil.copy(file, tmp_path / "backup.db")
    owner = (4711, 4712) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    for one, mode in ((file, 0o640), (key, 0o400)):
        os.chown(one, *owner)
        one.chmod(mode)
    before = rights(file, key)
    assert haven("restore", "backup.db").returncode == 0
    (kept,) = tmp_path.glob("haven.db.replaced-*")
    assert rights(file, key) == before
    assert rights(kept) == [(*owner, 0o600)]
    assert haven("key", "rotate").returncode == 0
    assert key.read_bytes() != KEY
    assert rights(file, key) == before
    assert rights(tmp_path / "haven.db.lock") == [(*owner, 0o600)]
