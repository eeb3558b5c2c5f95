"""A real SQLite file: what is written is read again, wholly or not at all, and nobody else can read the words."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import cast

import pytest
from cryptography.fernet import Fernet

from bot.case import Case, Post, view
from bot.cases import Row, Settled
from bot.effects import (
    Advice,
    AdviseTarget,
    AlertModerators,
    Delivery,
    Effect,
    Outcome,
    PageModerators,
    Ruling,
    Target,
    UpdateAlert,
)
from bot.policy import Recipient
from bot.redaction import emptied
from bot.sealing import Seal, one_time_seal
from bot.store import Store
from classifiers.assessment import Evidence, Kind, Level, Marker
from classifiers.conversation import Account
from classifiers.errors import InputError

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA, SAM, BEN = (Account("console", f"{name}-4711") for name in ("kayla", "sam", "ben"))
WORDS = "pay or I send it to your family, naïve ☃"
DONE = Delivery(Outcome.DELIVERED, detail="ok")


def case_about(
    account: Account = KAYLA, id: str = "c1", *targets: Account, space: str = "home", hours: float = 0
) -> Case:
    """A case with something in every field."""
    return Case(
        id=id,
        space=space,
        channel="lobby",
        message_id="m1",
        kind=Kind.THREAT,
        about=account,
        level=Level.ADVISE,
        opened_at=NOON,
        seen_at=NOON + timedelta(hours=hours),
        locale="en-GB",
        crisis=True,
        targets=tuple(Target(target, Advice.PENDING) for target in targets or (SAM,)),
        evidence=(Evidence(Marker.SHARE_THREAT, "m1", 0.75, WORDS),),
        post=Post("post-1"),
        ruling=Ruling.CONFIRMED,
    )


def warning(case: Case, target: Account = SAM) -> AdviseTarget:
    return AdviseTarget(case.id, case.space, target, case.kind, case.locale, case.crisis)


def take(store: Store, now: float = 100.0, platform: str = "console", busy: Sequence[str] = ()) -> Row:
    row = store.begin(platform, now, busy)
    assert row is not None
    return row


def taken(store: Store, now: float = 100.0) -> list[Effect]:
    """Settle everything that is due and return it."""
    found = []
    while row := store.begin("console", now):
        found.append(row.effect)
        store.settle(row, DONE, now)
    return found


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def rows(file: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(sql).fetchall()


def sealed(file: Path, sql: str) -> list[bytes]:
    found = [row[0] for row in rows(file, sql)]
    assert found
    return [content for content in found if isinstance(content, bytes)]


@pytest.fixture
def seal() -> Seal:
    return one_time_seal()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "haven.db"


@pytest.fixture
def store(file: Path, seal: Seal) -> Iterator[Store]:
    with closing(Store(file, seal)) as store:
        yield store


# Cases and people.


def test_a_case_is_read_as_it_was_written_also_after_a_restart(store: Store, file: Path, seal: Seal) -> None:
    case = case_about()
    assert store.case_of("c1") is None
    assert store.case("home", KAYLA, Kind.THREAT) is None
    store.record(case, [], 1.0)
    assert store.case_of("c1") == case
    store.close()
    with closing(Store(file, seal)) as again:
        assert again.case_of("c1") == case
        assert again.case("home", KAYLA, Kind.THREAT) == case
        changed = replace(case, ruling=None, targets=(), post=None)
        again.record(changed, [], 2.0)
        assert again.case_of("c1") == changed


def test_the_case_of_an_account_is_the_one_last_seen(store: Store) -> None:
    for id, hours in (("old", 1.0), ("new", 30.5), ("older", 0.0)):
        store.record(case_about(KAYLA, id, hours=hours), [], 1.0)
    found = store.case("home", KAYLA, Kind.THREAT)
    assert found
    assert found.id == "new"


@pytest.mark.parametrize(
    ("space", "account", "kind"),
    [
        ("work", KAYLA, Kind.THREAT),
        ("home", Account("elsewhere", KAYLA.id), Kind.THREAT),
        ("home", BEN, Kind.THREAT),
        ("home", SAM, Kind.THREAT),
        ("home", KAYLA, Kind.DISCLOSURE),
    ],
)
def test_cases_of_others_are_not_the_case(store: Store, space: str, account: Account, kind: Kind) -> None:
    store.record(case_about(), [], 1.0)
    assert store.case(space, account, kind) is None


def test_the_cases_since_a_time_are_those_of_the_space_oldest_first(store: Store) -> None:
    late, early = case_about(KAYLA, "late", SAM, hours=2), case_about(BEN, "early", SAM)
    for case in (late, early, case_about(KAYLA, "in another space", SAM, space="work")):
        store.record(case, [], 1.0)
    assert store.cases_since("home", early.seen_at) == [early, late]
    assert store.cases_since("home", early.seen_at + timedelta(hours=1)) == [late]
    assert store.cases_since("home", late.seen_at + timedelta(hours=1)) == []
    store.forget(KAYLA, 0.0)
    assert store.cases_since("home", early.seen_at) == [early]


def test_the_latest_cases_are_those_of_the_space_the_latest_first(store: Store) -> None:
    cases = [case_about(KAYLA, f"c{hours}", hours=hours) for hours in (0.5, 10, 2)]
    for case in (*cases, case_about(KAYLA, "elsewhere", space="work", hours=99)):
        store.record(case, [], 1.0)
    half, ten, two = cases
    assert store.latest_cases("home", 9) == [ten, two, half]
    assert store.latest_cases("home", 2) == [ten, two]
    assert store.latest_cases("nowhere", 9) == []


def test_the_cases_that_name_somebody_are_about_them_or_aimed_at_them_in_every_space(store: Store) -> None:
    about = case_about(SAM, "about", BEN, hours=3)
    aimed = case_about(KAYLA, "aimed", BEN, SAM, space="work", hours=1)
    guess = replace(case_about(KAYLA, "guess", BEN, hours=2), likely=SAM)
    namesake = case_about(Account("elsewhere", SAM.id), "namesake", Account("elsewhere", SAM.id))
    for case in (about, aimed, guess, namesake, case_about(KAYLA, "others", BEN)):
        store.record(case, [], 1.0)
    assert store.cases_naming(SAM) == [aimed, guess, about]
    assert store.cases_naming(Account("elsewhere", SAM.id)) == [namesake]
    store.record(replace(aimed, targets=()), [], 2.0)
    assert store.cases_naming(SAM) == [guess, about]


def test_a_likely_target_is_forgotten_too(store: Store) -> None:
    case = replace(case_about(KAYLA, "guess"), likely=SAM)
    store.record(case, [], 1.0)
    assert store.forget(SAM, 0.0) == 1
    (left,) = store.cases_since("home", case.seen_at)
    assert (left.likely, left.evidence) == (None, ())


def test_the_spaces_are_those_with_cases(store: Store) -> None:
    assert store.spaces() == []
    for id, space in (("a", "work"), ("b", "home"), ("c", "work")):
        store.record(case_about(KAYLA, id, space=space), [], 1.0)
    assert store.spaces() == ["home", "work"]


def test_what_a_person_chose_is_kept_and_can_be_changed(store: Store, file: Path, seal: Seal) -> None:
    assert store.recipient(SAM) == Recipient(None, None)
    for choice in (True, False):
        store.choose(SAM, opted_in=choice)
        assert store.recipient(SAM) == Recipient(opted_in=choice)
    assert store.recipient(BEN) == store.recipient(Account("elsewhere", SAM.id)) == Recipient()
    with closing(Store(file, seal)) as again:
        assert again.recipient(SAM) == Recipient(opted_in=False)


def test_a_recorded_warning_counts_at_once_beside_the_choice(store: Store) -> None:
    store.choose(SAM, opted_in=True)
    case = case_about(hours=2)
    store.record(case, [warning(case)], 1.0)
    assert store.recipient(SAM) == Recipient(opted_in=True, advised_at=case.seen_at)
    store.choose(SAM, opted_in=False)
    assert store.recipient(SAM) == Recipient(opted_in=False, advised_at=case.seen_at)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.RETRY])
def test_a_warning_that_did_not_arrive_does_not_count_as_one(store: Store, outcome: Outcome) -> None:
    case = case_about()
    store.choose(SAM, opted_in=True)
    store.record(case, [warning(case)], 1.0)
    store.settle(take(store), Delivery(outcome), 2.0)
    arrived = outcome in (Outcome.DELIVERED, Outcome.UNKNOWN)  # it may have
    assert store.recipient(SAM) == Recipient(opted_in=True, advised_at=case.seen_at if arrived else None)


# What waits for delivery.


def test_effects_are_taken_in_the_order_they_were_recorded_and_as_they_were(store: Store) -> None:
    case = case_about()
    effects: list[Effect] = [AlertModerators(view(case)), warning(case), UpdateAlert(view(case), "post-1")]
    store.record(case, effects, 1.0)
    for number, effect in enumerate(effects):
        row = take(store)
        assert (row.effect, row.case, row.attempts) == (effect, "c1", 1)
        assert store.next_due("console") == 1.0
        store.settle(row, DONE, 2.0)
        assert store.begin("console", 0.5) is None, number
    assert store.begin("console", 100.0) is None
    assert store.next_due("console") is None


def test_nothing_is_taken_before_it_is_due(store: Store) -> None:
    case = case_about()
    store.record(case, [warning(case)], 50.0)
    assert store.begin("console", 49.9) is None
    assert take(store, 50.0).attempts == 1


def test_an_attempt_is_counted_before_it_is_made(store: Store, file: Path, seal: Seal) -> None:
    case = case_about()
    store.record(case, [warning(case)], 1.0)
    first = take(store)
    store.close()
    with closing(Store(file, seal)) as again:
        assert take(again) == replace(first, attempts=2, begun_at=100.0)


def test_what_is_postponed_lets_others_pass(store: Store) -> None:
    case = case_about()
    store.record(case, [AlertModerators(view(case)), warning(case)], 1.0)
    store.postpone(take(store), 60.0, undone=True)
    row = take(store, 59.0)
    assert row.effect == warning(case)
    store.settle(row, DONE, 59.0)
    assert store.begin("console", 59.0) is None
    assert store.next_due("console") == 60.0
    assert take(store, 60.0).effect == AlertModerators(view(case))


def test_what_waits_in_a_space_can_be_hastened(store: Store) -> None:
    here, done, there = (
        case_about(KAYLA, "here"),
        case_about(KAYLA, "done"),
        case_about(KAYLA, "there", space="work"),
    )
    for case in (here, done, there):
        store.record(case, [warning(case)], 1.0)
        row = take(store)
        if case is done:
            store.settle(row, DONE, 2.0)
        else:
            store.postpone(row, 1000.0, undone=True)
    store.record(here, [AlertModerators(view(here))], 1.0)
    store.hasten("home", 50.0)
    assert store.next_due("console") == 1.0  # what was due stays so
    assert taken(store, 49.0) == [AlertModerators(view(here))]
    assert store.next_due("console") == 50.0
    assert taken(store, 50.0) == [warning(here)]
    assert store.next_due("console") == 1000.0


def test_busy_cases_are_passed_over(store: Store) -> None:
    first, second, third = (case_about(KAYLA, id) for id in ("c1", "c2", "c3"))
    for at, case in enumerate((first, second, third), start=1):
        store.record(case, [AlertModerators(view(case)), warning(case)], float(at))
    row = store.begin("console", 100.0, ("c1", "c3"))
    assert row
    assert (row.case, row.effect) == ("c2", AlertModerators(view(second)))
    assert store.next_due("console", ("c1", "c2")) == 3.0
    assert store.next_due("console", ("c1", "c2", "c3")) is None
    assert store.begin("console", 100.0, ("c1", "c2", "c3")) is None
    assert take(store).case == "c1"


def test_each_platform_has_its_own_queue(store: Store) -> None:
    elsewhere = case_about(Account("elsewhere", "x"), "c2", Account("elsewhere", "y"))
    store.record(elsewhere, [AlertModerators(view(elsewhere))], 1.0)
    assert store.begin("console", 100.0) is None
    assert store.next_due("console") is None
    assert take(store, platform="elsewhere").case == "c2"


def test_where_a_database_takes_no_writes_it_is_said_what_to_mend(store: Store) -> None:
    store.db.conn.execute("PRAGMA query_only = ON")
    with pytest.raises(InputError, match="attempt to write a readonly database; mend the owner or mode of it and of"):
        store.choose(SAM, opted_in=True)


def test_a_newer_edit_replaces_a_waiting_one_and_nothing_else(store: Store) -> None:
    case, other = case_about(), case_about(BEN, "c2")
    alert, advice = AlertModerators(view(case)), warning(case)
    edits = [UpdateAlert(replace(view(case), level=level), "post-1") for level in Level]
    elsewhere = UpdateAlert(view(other), "post-2")
    store.record(case, [alert, edits[0], advice], 1.0)
    store.record(other, [elsewhere], 1.0)
    store.record(case, [edits[1]], 2.0)
    store.record(case, [edits[2]], 3.0)
    assert taken(store) == [alert, advice, elsewhere, edits[2]]


def test_a_newer_edit_also_replaces_one_that_waits_for_its_next_attempt(store: Store) -> None:
    case = case_about()
    old, new = (UpdateAlert(replace(view(case), crisis=crisis), "post-1") for crisis in (False, True))
    store.record(case, [old], 1.0)
    store.postpone(take(store), 60.0, undone=True)
    store.record(case, [new], 2.0)
    assert taken(store, 1000.0) == [new]


def test_an_edit_that_was_replaced_while_it_was_made_can_still_be_settled(store: Store) -> None:
    case = case_about()
    old, new = (UpdateAlert(replace(view(case), crisis=crisis), "post-1") for crisis in (False, True))
    store.record(case, [old], 1.0)
    row = take(store)
    store.record(case, [new], 2.0)
    store.postpone(row, 60.0, undone=True)
    store.settle(row, DONE, 2.0)
    assert taken(store) == [new]


def test_settling_erases_the_content_and_keeps_how_it_ended(store: Store, file: Path) -> None:
    case = case_about()
    store.record(case, [AlertModerators(view(case)), warning(case)], 1.0)
    (payload, _) = sealed(file, "SELECT payload FROM outbox ORDER BY id")
    store.settle(take(store), Delivery(Outcome.REFUSED, detail="no thanks"), 7.0)
    settled, waiting = rows(file, "SELECT payload IS NULL, settled_at, outcome, detail FROM outbox ORDER BY id")
    assert settled == (1, 7.0, "refused", "no thanks")
    assert waiting == (0, None, None, None)
    store.close()
    assert payload not in bytes_of(file.parent)


def test_how_the_effects_of_a_case_ended_is_kept_in_that_order(store: Store) -> None:
    case, other = case_about(), case_about(BEN, "c2")
    effects: list[Effect] = [
        AlertModerators(view(case)),
        warning(case),
        PageModerators("c1", "home", "helpers", "post-1"),
        UpdateAlert(view(case), "post-1"),
    ]
    store.record(case, effects, 1.0)
    store.record(other, [warning(other)], 1.0)
    store.settle(take(store, busy=("c2",)), DONE, 9.0)
    store.settle(take(store, busy=("c2",)), Delivery(Outcome.REFUSED, detail="50007"), 5.0)
    store.settle(take(store, busy=("c2",)), Delivery(Outcome.GONE), 9.0)
    assert store.settled("c1") == [
        Settled("AdviseTarget", Outcome.REFUSED, "50007", 5.0),
        Settled("AlertModerators", Outcome.DELIVERED, "ok", 9.0),
        Settled("PageModerators", Outcome.GONE, "", 9.0),
    ]
    assert store.settled("c2") == store.settled("gone") == []


@pytest.mark.parametrize("failed", ["c1", "c2"])
def test_a_warning_that_does_not_arrive_leaves_the_other_one(store: Store, failed: str) -> None:
    for case in (case_about(), case_about(BEN, "c2", hours=1)):
        store.record(case, [warning(case)], 1.0)
    assert store.recipient(SAM).advised_at == NOON + timedelta(hours=1)
    for row in (take(store), take(store, busy=["c1"])):
        store.settle(row, Delivery(Outcome.FAILED) if row.case == failed else DONE, 2.0)
    assert store.recipient(SAM).advised_at == NOON + timedelta(hours=failed == "c1")


@pytest.mark.parametrize("begun", [True, False])
def test_whose_warning_is_on_its_way_when_they_ask_to_be_forgotten_counts_as_written_to(
    store: Store, begun: bool
) -> None:
    case = case_about()
    store.record(case, [warning(case)], 1.0)
    row = take(store) if begun else None
    store.forget(SAM, 2.0, own=True)
    assert store.recipient(SAM).advised_at == (NOON if begun else None)
    assert store.query("SELECT count(*) FROM recipients") == [(int(begun),)]
    if row:
        store.settle(row, Delivery(Outcome.REFUSED), 3.0)
        assert store.recipient(SAM).advised_at is None


def test_only_private_warnings_that_arrived_are_counted_from_a_time_on(store: Store) -> None:
    case = case_about()
    elsewhere = case_about(Account("elsewhere", "x"), "c2", Account("elsewhere", "y"))
    store.record(case, [warning(case), AlertModerators(view(case)), warning(case), warning(case), warning(case)], 1.0)
    store.record(elsewhere, [warning(elsewhere, Account("elsewhere", "y"))], 1.0)
    for at, outcome in ((10.0, Outcome.DELIVERED), (15.0, Outcome.DELIVERED), (20.0, Outcome.DELIVERED)):
        store.settle(take(store), Delivery(outcome), at)
    store.settle(take(store), Delivery(Outcome.REFUSED), 25.0)
    store.settle(take(store, platform="elsewhere"), DONE, 30.0)
    assert take(store).effect == warning(case)
    assert [store.warnings_since("console", since) for since in (0.0, 10.0, 10.1, 20.0, 20.1)] == [2, 2, 1, 1, 0]
    assert store.warnings_since("elsewhere", 0.0) == 1
    assert store.warnings_since("nowhere", 0.0) == 0


def test_the_warnings_because_of_one_space_are_counted_by_themselves(store: Store) -> None:
    for number, space in enumerate(("home", "work", "home")):
        case = case_about(KAYLA, f"c{number}", space=space)
        store.record(case, [warning(case)], 1.0)
        store.settle(take(store), DONE, 10.0 + number)
    counts = {space: store.warnings_since("console", 0.0, space) for space in ("home", "work", "elsewhere", None)}
    assert counts == {"home": 2, "work": 1, "elsewhere": 0, None: 3}
    assert store.warnings_since("console", 11.0, "home") == 1
    assert store.warnings_since("elsewhere", 0.0, "home") == 0


# Wholly or not at all.


class Stop(Exception):  # noqa: N818 (nothing went wrong)
    """Leaves a transaction."""


def test_a_transaction_that_is_left_by_an_error_leaves_nothing(store: Store) -> None:
    old, new = case_about(), case_about(BEN, "c2")
    store.record(old, [warning(old)], 1.0)
    row = take(store)

    def interrupted() -> None:
        with store.transaction():
            store.settle(row, Delivery(Outcome.REFUSED), 2.0)
            store.record(replace(old, ruling=None), [], 2.0)
            store.record(new, [warning(new, BEN)], 2.0)
            store.choose(BEN, opted_in=True)
            raise Stop

    with pytest.raises(Stop):
        interrupted()
    assert store.case_of("c1") == old
    assert store.case_of("c2") is None
    assert store.recipient(BEN) == Recipient()
    assert store.recipient(SAM).advised_at == old.seen_at
    assert take(store) == replace(row, attempts=2, begun_at=100.0)
    assert taken(store) == [warning(old)]


def test_an_effect_that_cannot_be_written_keeps_the_case_from_being_written(store: Store) -> None:
    case = case_about()
    with pytest.raises(TypeError):
        store.record(case, [warning(case), cast("Effect", object())], 1.0)
    assert store.case_of("c1") is None
    assert store.recipient(SAM) == Recipient()
    assert store.next_due("console") is None


def test_a_transaction_holds_what_it_has_read_against_other_programs(store: Store, file: Path, seal: Seal) -> None:
    store.record(case_about(), [], 1.0)
    with closing(Store(file, seal)) as other:
        competing = threading.Thread(target=other.choose, args=(BEN,), kwargs={"opted_in": True})
        with store.transaction():
            before = store.case_of("c1")
            assert before
            competing.start()
            competing.join(0.2)
            store.record(replace(before, ruling=None), [], 2.0)
        competing.join()
        assert other.case_of("c1") == replace(case_about(), ruling=None)
        assert store.recipient(BEN) == Recipient(opted_in=True)


def test_threads_take_turns(store: Store) -> None:
    store.record(case_about(KAYLA, "c1", hours=0), [], 1.0)

    def count() -> None:
        for _ in range(20):
            with store.transaction():
                case = store.case_of("c1")
                assert case
                store.record(replace(case, seen_at=case.seen_at + timedelta(hours=1)), [], 1.0)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    case = store.case_of("c1")
    assert case
    assert case.seen_at == NOON + timedelta(hours=80)


# Nobody else can read the words.


@pytest.mark.skipif(os.name != "posix", reason="file rights of POSIX")
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_a_new_database_is_for_its_owner_only(tmp_path: Path, seal: Seal, umask: int) -> None:
    before = os.umask(umask)
    try:
        with closing(Store(tmp_path / "haven.db", seal)) as store:
            store.record(case_about(), [], 1.0)
            rights = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert rights == dict.fromkeys(("haven.db", "haven.db-wal", "haven.db-shm"), 0o600)


def test_the_files_do_not_hold_the_words(store: Store, tmp_path: Path) -> None:
    case = case_about()
    store.record(case, [AlertModerators(view(case)), UpdateAlert(view(case), "post-1")], 1.0)
    assert store.case_of("c1") == case
    open_wal = bytes_of(tmp_path)
    assert (tmp_path / "haven.db-wal").stat().st_size > 0
    store.close()
    for held in (open_wal, bytes_of(tmp_path)):
        assert b"c1" in held
        for word in (WORDS, "your family", "naïve", "lobby", "mods", Marker.SHARE_THREAT, "confirmed"):
            assert word.encode() not in held
            assert word.encode("utf-16-le") not in held


# Forgetting.


def test_forgetting_a_sender_leaves_no_bytes_of_them(store: Store, file: Path) -> None:
    case, other = case_about(), case_about(BEN, "c2")
    for one in (case, other):
        store.record(one, [AlertModerators(view(one)), warning(one)], 1.0)
    contents = sealed(file, "SELECT body FROM cases WHERE id = 'c1'")
    contents += sealed(file, "SELECT payload FROM outbox WHERE case_id = 'c1'")
    assert len(contents) == 3
    assert store.forget(KAYLA, 0.0) == 1
    held = bytes_of(file.parent)
    assert KAYLA.id.encode() not in held
    assert all(content not in held for content in contents)
    assert store.case_of("c1") is None
    assert store.recipient(KAYLA) == Recipient()
    assert store.case_of("c2") == other
    assert taken(store) == [AlertModerators(view(other)), warning(other)]


def test_forgetting_a_target_leaves_the_case_about_the_sender_without_name_and_words(store: Store, file: Path) -> None:
    case = case_about(KAYLA, "c1", SAM, BEN)
    unrelated = case_about(KAYLA, "c2", BEN, space="work")
    store.record(case, [warning(case)], 1.0)
    store.record(unrelated, [], 1.0)
    (body,) = sealed(file, "SELECT body FROM cases WHERE id = 'c1'")
    assert store.forget(SAM, 0.0) == 1
    held = bytes_of(file.parent)
    assert body not in held
    assert SAM.id.encode() not in held
    assert store.case_of("c1") == replace(case, targets=(Target(BEN, Advice.PENDING),), evidence=(), forgotten=True)
    assert store.case_of("c2") == unrelated
    assert store.recipient(SAM) == Recipient()


@pytest.mark.parametrize("choice", [True, False])
def test_forgetting_somebody_keeps_their_choice_and_not_when_they_were_warned(
    store: Store, file: Path, choice: bool
) -> None:
    case = case_about()
    for person in (SAM, BEN):
        store.choose(person, opted_in=choice)
    store.record(case, [warning(case), warning(case, BEN)], 1.0)
    store.forget(SAM, 0.0)
    assert store.recipient(SAM) == Recipient(opted_in=choice)
    assert store.recipient(BEN) == Recipient(opted_in=choice, advised_at=NOON)
    assert ("console", store.hashed(SAM), choice, None) in rows(
        file, "SELECT platform, account, opted_in, advised_at FROM recipients"
    )


def test_forgetting_a_sender_keeps_their_choice(store: Store) -> None:
    store.choose(KAYLA, opted_in=False)
    store.record(case_about(), [], 1.0)
    assert store.forget(KAYLA, 0.0) == 1
    assert store.recipient(KAYLA) == Recipient(opted_in=False)


def test_forgetting_a_target_stops_their_warning_and_no_other(store: Store) -> None:
    case = case_about(KAYLA, "c1", SAM, BEN)
    waiting: list[Effect] = [
        AlertModerators(view(case)),
        warning(case, SAM),
        warning(case, BEN),
        UpdateAlert(view(case), "post-1"),
    ]
    store.record(case, waiting, 1.0)
    store.forget(SAM, 2.0)
    shown = view(replace(case, targets=(Target(BEN, Advice.PENDING),), evidence=(), forgotten=True))
    assert taken(store) == [AlertModerators(shown), warning(case, BEN), UpdateAlert(shown, "post-1")]


@pytest.mark.parametrize("posted", [True, False])
def test_forgetting_a_target_edits_the_alert_that_names_them(store: Store, posted: bool) -> None:
    case = replace(case_about(KAYLA, "c1", SAM, BEN), post=Post("post-1") if posted else Post())
    unrelated = case_about(KAYLA, "c2", BEN)
    for one in (case, unrelated):
        store.record(one, [], 1.0)
    store.forget(SAM, 2.0)
    left = replace(case, targets=(Target(BEN, Advice.PENDING),), evidence=(), forgotten=True)
    assert store.case_of("c1") == left
    assert store.next_due("console") == (2.0 if posted else None)
    assert taken(store) == ([UpdateAlert(view(left), "post-1")] if posted else [])


def test_who_asks_for_it_themselves_loses_what_they_told_and_not_what_they_threatened(store: Store) -> None:
    threat = case_about(SAM, "threat", BEN)
    told = replace(case_about(SAM, "told", SAM), kind=Kind.DISCLOSURE, post=None)
    for case in (threat, told):
        store.record(case, [], 1.0)
    assert store.forget(SAM, 2.0, own=True) == 1
    assert (store.case_of("threat"), store.case_of("told")) == (threat, None)
    assert store.forget(SAM, 2.0) == 1
    assert store.case_of("threat") is None


def test_who_asks_for_it_themselves_leaves_the_words_where_others_are_aimed_at(store: Store) -> None:
    alone, two = case_about(KAYLA, "alone", SAM), case_about(KAYLA, "two", SAM, BEN)
    for case in (alone, two):
        store.record(case, [], 1.0)
    assert store.forget(SAM, 2.0, own=True) == 2
    assert store.case_of("alone") == replace(alone, targets=(), evidence=(), forgotten=True)
    assert store.case_of("two") == replace(two, targets=(Target(BEN, Advice.PENDING),), forgotten=True)
    assert store.forget(BEN, 2.0, own=True) == 1
    assert store.case_of("two") == replace(two, targets=(), evidence=(), forgotten=True)


def test_who_has_themselves_forgotten_again_and_again_leaves_no_more_lines(store: Store) -> None:
    store.record(case_about(KAYLA, "seen", SAM), [], 1.0)
    for _ in range(5):
        store.forget(SAM, 2.0, own=True)
        store.forget(BEN, 2.0, own=True)
    assert store.query("SELECT act, case_id FROM audit") == [("somebody_forgotten", "seen")]


@pytest.mark.parametrize("own", [True, False])
def test_who_is_forgotten_is_not_said_to_despair_either(store: Store, own: bool) -> None:
    seen = replace(case_about(KAYLA, "seen", SAM, BEN), despairing=SAM)
    untargeted = replace(case_about(KAYLA, "untargeted", BEN), despairing=SAM)
    others = replace(case_about(KAYLA, "others", SAM, BEN), despairing=BEN, also_despairing=(SAM,))
    for case in (seen, untargeted, others):
        store.record(case, [], 1.0)
    assert store.forget(SAM, 2.0, own=own) == 3
    held = [store.case_of(id) for id in ("seen", "untargeted", "others")]
    assert [(case.crisis, case.despairing) for case in held if case] == [(True, None), (True, None), (True, BEN)]
    edits = [effect for effect in taken(store) if isinstance(effect, UpdateAlert)]
    assert len(edits) == 3
    assert not any(
        SAM in (edit.alert.despairing, *edit.alert.also_despairing, *(t.account for t in edit.alert.targets))
        for edit in edits
    )


def test_a_warning_that_is_settled_after_its_target_was_forgotten_leaves_no_trace(store: Store, file: Path) -> None:
    case = case_about()
    store.record(case, [warning(case)], 1.0)
    row = take(store)
    store.forget(SAM, 0.0)
    store.settle(row, Delivery(Outcome.REFUSED), 2.0)
    store.close()
    assert SAM.id.encode() not in bytes_of(file.parent)


def test_forgetting_somebody_unknown_changes_nothing(store: Store) -> None:
    store.record(case_about(), [], 1.0)
    assert store.forget(Account("elsewhere", KAYLA.id), 0.0) == 0
    assert store.forget(BEN, 0.0) == 0
    assert store.case_of("c1") == case_about()


@pytest.mark.parametrize(
    "cutoff",
    [NOON + timedelta(hours=5), (NOON + timedelta(hours=5)).astimezone(timezone(timedelta(hours=-11)))],
    ids=["utc", "elsewhere"],
)
def test_old_cases_go_with_all_that_hangs_on_them(store: Store, file: Path, cutoff: datetime) -> None:
    old, same_age, young = (
        case_about(KAYLA, "old", hours=4.9),
        case_about(KAYLA, "elsewhere", space="work", hours=4.9),
        case_about(BEN, "young", hours=5),
    )
    for case in (old, same_age, young):
        store.record(case, [warning(case)], 1.0)
    bodies = sealed(file, "SELECT body FROM cases WHERE id = 'old'")
    assert store.purge("home", cutoff) == 1
    assert [store.case_of(id) for id in ("old", "elsewhere", "young")] == [None, same_age, young]
    assert taken(store) == [warning(same_age), warning(young)]
    assert rows(file, "SELECT case_id FROM targets ORDER BY 1") == [("elsewhere",), ("young",)]
    assert rows(file, "SELECT DISTINCT case_id FROM outbox ORDER BY 1") == [("elsewhere",), ("young",)]
    store.close()
    assert all(body not in bytes_of(file.parent) for body in bodies)


def test_when_people_were_warned_is_erased_with_age_and_what_they_chose_is_not(store: Store, file: Path) -> None:
    undecided, chosen, recent = (Account("console", name) for name in ("undecided", "chosen", "recent"))
    store.choose(chosen, opted_in=True)
    store.choose(BEN, opted_in=False)
    for id, hours, person in (("a", 4.9, undecided), ("b", 4.9, chosen), ("c", 5, recent)):
        case = case_about(KAYLA, id, person, hours=hours)
        store.record(case, [warning(case, person)], 1.0)
    store.purge("home", (NOON + timedelta(hours=5)).astimezone(timezone(timedelta(hours=-11))))
    assert set(rows(file, "SELECT account, opted_in, advised_at FROM recipients")) == {
        (store.hashed(BEN), 0, None),
        (store.hashed(chosen), 1, None),
        (store.hashed(recent), None, (NOON + timedelta(hours=5)).isoformat()),
    }


def test_when_people_were_warned_is_erased_with_age_although_their_cases_stay(store: Store) -> None:
    for id, hours, person in (("a", 4.9, SAM), ("b", 5, BEN)):
        case = case_about(KAYLA, id, person, hours=hours)
        store.record(case, [warning(case, person)], 1.0)
    store.choose(SAM, opted_in=True)
    store.forget_warnings((NOON + timedelta(hours=5)).astimezone(timezone(timedelta(hours=-11))))
    assert store.recipient(SAM) == Recipient(opted_in=True)
    assert store.recipient(BEN) == Recipient(advised_at=NOON + timedelta(hours=5))
    assert len(store.latest_cases("home", 9)) == 2


# Files that are not as they should be.


def refusal(file: Path, seal: Seal) -> str:
    """Return what is said when the file cannot be opened: one line that names it."""
    with pytest.raises(InputError) as caught:
        Store(file, seal)
    said = str(caught.value)
    assert said.startswith(f"{file}: ")
    assert "\n" not in said
    return said


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(store: Store, file: Path, seal: Seal) -> None:
    store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('haven', 'm999_future', 'now')"
        )
    before = file.read_bytes()
    assert "newer version of Haven (m999_future)" in refusal(file, seal)
    assert file.read_bytes() == before


def test_another_key_is_refused_and_the_right_one_still_opens(store: Store, file: Path, seal: Seal) -> None:
    store.record(case_about(), [], 1.0)
    store.close()
    assert "haven.key: this key does not open" in refusal(file, Seal(Fernet.generate_key(), "haven.key"))
    with closing(Store(file, seal)) as again:
        assert again.case_of("c1") == case_about()


def test_an_altered_case_is_refused(store: Store, file: Path) -> None:
    store.record(case_about(), [], 1.0)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE cases SET body = substr(body, 1, length(body) - 4) || 'AAAA'")
    with pytest.raises(InputError, match="does not open"):
        store.case_of("c1")


@pytest.mark.parametrize("content", [b"Dear diary,\n" * 1000, b"SQLite format 3\0" + b"\xff" * 4096])
def test_what_is_no_database_is_refused_and_left_as_it_is(file: Path, seal: Seal, content: bytes) -> None:
    file.write_bytes(content)
    refusal(file, seal)
    assert file.read_bytes() == content


def test_a_torn_database_is_refused(store: Store, file: Path, seal: Seal) -> None:
    store.record(case_about(), [], 1.0)
    store.close()
    file.write_bytes(file.read_bytes()[:5000])
    refusal(file, seal)


def test_a_folder_and_a_missing_folder_are_refused(tmp_path: Path, seal: Seal) -> None:
    refusal(tmp_path, seal)
    refusal(tmp_path / "nowhere" / "haven.db", seal)


def test_the_database_of_another_program_is_refused(file: Path, seal: Seal) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE cases (id INTEGER PRIMARY KEY, colour TEXT)")
    assert "cases" in refusal(file, seal)
    assert rows(file, "SELECT name FROM sqlite_master WHERE name IN ('seal', 'outbox')") == []


def test_an_empty_file_becomes_a_database(file: Path, seal: Seal) -> None:
    file.touch()
    with closing(Store(file, seal)) as store:
        store.record(case_about(), [], 1.0)
        assert store.case_of("c1") == case_about()


def test_a_store_in_memory_leaves_no_file(tmp_path: Path, seal: Seal) -> None:
    with closing(Store(None, seal)) as store:
        store.record(case_about(), [], 1.0)
        assert store.case_of("c1") == case_about()
        assert store.forget(KAYLA, 0.0) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_another_program_holds_is_waited_for_and_then_named(store: Store, file: Path) -> None:
    case = case_about()
    store.record(case, [warning(case)], 1.0)
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        letting_go = threading.Timer(0.2, holder.execute, ("COMMIT",))
        letting_go.start()
        store.record(case, [], 2.0)
        letting_go.join()
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match=r"haven\.db: database is locked"):
            store.record(replace(case, ruling=None), [], 3.0)
        assert store.case_of("c1") == case
        holder.execute("COMMIT")
    store.record(replace(case, ruling=None), [], 4.0)
    assert store.case_of("c1") == replace(case, ruling=None)


OPEN = """
import sys
from pathlib import Path
from bot.sealing import KEY_VARIABLE, load_seal
from bot.store import Store
from classifiers.errors import InputError
try:
    Store(Path(sys.argv[1]), load_seal(Path("none"), {KEY_VARIABLE: sys.argv[2]}, create=False)).close()
except InputError as error:
    print(error)
"""


def as_somebody_without_rights() -> list[str]:
    """What to put before a command so that file rights hold for it; nothing unless the tests run as root."""
    if os.geteuid():
        return []
    if setpriv := shutil.which("setpriv"):
        return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]
    pytest.skip("root ignores file rights, and there is no setpriv to give that up")


@pytest.mark.skipif(os.name != "posix", reason="file rights of POSIX")
@pytest.mark.parametrize("locked", ["haven.db", ".", "new.db"])
def test_what_may_not_be_written_is_named_in_one_line(tmp_path: Path, locked: str) -> None:
    key = Fernet.generate_key()
    with closing(Store(tmp_path / "haven.db", Seal(key, "key"))) as store:
        store.record(case_about(), [], 1.0)
    file = tmp_path / ("new.db" if locked == "new.db" else "haven.db")
    shut = tmp_path if locked != "haven.db" else file
    rights = shut.stat().st_mode
    shut.chmod(0o444 if shut == file else 0o555)
    try:
        ended = subprocess.run(
            [*as_somebody_without_rights(), sys.executable, "-c", OPEN, str(file), key.decode()],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shut.chmod(rights)
    assert ended.stderr == ""
    assert ended.stdout.count("\n") == 1
    assert ended.stdout.startswith(f"{file}: ")
    assert re.search("may not read and write|readonly|unable to open", ended.stdout)


def test_a_newer_edit_replaces_a_waiting_one_of_the_same_alert_only(store: Store) -> None:
    case = case_about()
    first, other = UpdateAlert(view(case), "post-1"), UpdateAlert(view(case), "post-2")
    again = UpdateAlert(view(replace(case, crisis=True)), "post-1")
    for edit in (first, other, again):
        store.record(case, [edit], 1.0)
    assert taken(store) == [other, again]


def test_nothing_but_its_place_is_left_of_what_somebody_told(store: Store) -> None:
    told = replace(
        case_about(SAM, "told", SAM, BEN),
        kind=Kind.DISCLOSURE,
        likely=BEN,
        accused=KAYLA,
        crisis=True,
        despairing=SAM,
        also_despairing=(BEN,),
        message_id="m1",
    )
    store.record(told, [], 1.0)
    store.execute("INSERT INTO campaigns (case_id, campaign, at) VALUES ('told', 'told', 1)", ())
    store.execute("INSERT INTO marks (mark, case_id) VALUES (?, 'told')", (b"mark",))
    store.forget(SAM, 2.0, own=True)
    left = store.case_of("told")
    assert left == emptied(told)
    assert left
    assert (left.targets, left.likely, left.accused) == ((), None, None)
    assert (left.despairing, left.also_despairing) == (None, ())
    assert (left.evidence, left.message_id, left.crisis, left.forgotten, left.about.id) == ((), "", False, True, "")
    assert store.query("SELECT * FROM marks") == []
