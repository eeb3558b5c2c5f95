"""What moderators do about cases, in a real database: in their own space, not about themselves, and on record."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.case import Case, Post, decide, view
from bot.config import Config
from bot.effects import Act, Advice, AdviseTarget, AlertModerators, Delivery, Effect, Outcome, Ruling, UpdateAlert
from bot.ledger import Ledger
from bot.linker import Linker
from bot.moderation import NOTE_LENGTH, Event, Moderation, RefusedError
from bot.policies import Policies
from bot.policy import AdviceBy, Policy, Recipient
from bot.records import Entry, Records
from bot.rulings import report
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker
from classifiers.conversation import Account
from classifiers.errors import InputError

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA, SAM, BEN, MO = (Account("console", name) for name in ("kayla", "Sam", "Ben", "Mo"))
NOTE = "spoke to her in private, naïve ☃"
BY_PRESS = Policy(advice_by=AdviceBy.MODERATOR)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> float:
        self.now += timedelta(seconds=seconds)
        return self.now.timestamp()


def threat(*, about: Account = KAYLA, space: str = "home", hours: float = 0, level: Level = Level.ADVISE) -> Assessment:
    at = NOON + timedelta(hours=hours)
    seen = Evidence(Marker.SHARE_THREAT, "m1", 0.9, "pay or I send it")
    return Assessment(f"m{hours}", space, "lobby", at, Kind.THREAT, level, 0.9, about, SAM, (seen,))


def opened(store: Store, found: Assessment, policy: Policy = BY_PRESS) -> Case:
    """Record what was found, in a space where a moderator sends the warnings."""
    case, effects = decide(None, found, policy, Recipient())
    assert case
    store.record(case, effects, found.at.timestamp())
    return case


def reported(store: Store, member: Account, accused: Account | None) -> Case:
    case, effects = report(
        member, "help", accused, space="home", channel="c", key="r", at=NOON, policy=Policy(), crisis=False
    )
    store.record(case, effects, NOON.timestamp())
    return case


def waiting(store: Store) -> list[Effect]:
    """Settle all that waits and return it."""
    found: list[Effect] = []
    while row := store.begin("console", NOON.timestamp() + 10**6):
        found.append(row.effect)
        store.settle(row, Delivery(Outcome.DELIVERED, "post-1"), NOON.timestamp() + 1)
    return found


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "haven.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with closing(Store(file, one_time_seal())) as store:
        yield store


@pytest.fixture
def records(store: Store) -> Records:
    return Records(store)


@pytest.fixture
def moderation(store: Store, records: Records, clock: Clock) -> Moderation:
    policies = Policies(Config(), records, Ledger(store))
    return Moderation(store, records, Linker(store, Ledger(store), policies.of), policies, clock)


Doing = Callable[[Moderation, str, str, Account], object]
DOINGS: list[Doing] = [
    lambda moderation, space, case, actor: moderation.rule(space, case, Ruling.NOT_SEXTORTION, actor),
    lambda moderation, space, case, actor: moderation.advise(space, case, SAM, actor),
    lambda moderation, space, case, actor: moderation.act(space, case, Act.BANNED, actor),
    lambda moderation, space, case, actor: moderation.act(space, case, Act.NOTED, actor, NOTE),
    lambda moderation, space, case, actor: moderation.attempt(space, case, Act.DELETED_MESSAGES, actor),
]
every_doing = pytest.mark.parametrize("do", DOINGS, ids=["rule", "advise", "act", "note", "attempt"])


# In their own space only.


def test_a_case_of_another_space_does_not_exist_here(store: Store, moderation: Moderation) -> None:
    case = opened(store, threat())
    assert moderation.case("home", case.id) == case
    looks: list[Callable[[str, str], object]] = [moderation.case, moderation.history]
    for look in looks:
        for space, id in (("work", case.id), ("", case.id), ("home", "c0ffee"), ("home", "")):
            with pytest.raises(RefusedError, match=f"^there is no case '{id}' here$"):
                look(space, id)


@every_doing
def test_what_is_done_from_another_space_changes_nothing_and_leaves_no_line(
    store: Store, records: Records, moderation: Moderation, do: Doing
) -> None:
    case = opened(store, threat())
    waiting(store)
    with pytest.raises(RefusedError, match="there is no case"):
        do(moderation, "work", case.id, MO)
    assert store.case_of(case.id) == case
    assert waiting(store) == []
    assert records.trail("home") == records.trail("work") == []


def test_the_cases_of_a_space_are_those_that_moderators_were_told_of_the_latest_first(
    store: Store, moderation: Moderation
) -> None:
    old, late = opened(store, threat()), opened(store, threat(about=BEN, hours=2))
    told = opened(store, threat(about=MO, hours=1, level=Level.ALERT))
    opened(store, threat(about=SAM, hours=3, level=Level.NOTICE))
    elsewhere = opened(store, threat(space="work"))
    assert moderation.cases("home") == [late, told, old]
    assert moderation.cases("work") == [elsewhere]
    assert moderation.cases("elsewhere") == []
    for case, ruling in ((late, Ruling.CONFIRMED), (old, Ruling.NOT_SEXTORTION)):
        moderation.rule("home", case.id, ruling, Account("console", "other"))
    assert moderation.cases("home", open_only=True) == [told]
    assert [case.id for case in moderation.cases("home")] == [late.id, told.id, old.id]


def test_what_nobody_ruled_on_is_not_hidden_by_what_came_later(
    store: Store, moderation: Moderation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.moderation._MOST", 2)
    waits = opened(store, threat())
    for number in range(1, 4):
        opened(store, threat(about=Account("console", f"noticed {number}"), hours=number, level=Level.NOTICE))
        ruled = opened(store, threat(about=Account("console", f"ruled {number}"), hours=number + 0.5))
        moderation.rule("home", ruled.id, Ruling.CONFIRMED, MO)
    assert moderation.cases("home", open_only=True) == [waits]
    assert len(moderation.cases("home")) == 2


# Not about themselves.


@every_doing
@pytest.mark.parametrize("by_a_member", [False, True], ids=["seen", "reported"])
def test_who_is_held_to_threaten_somebody_cannot_act_on_the_case(
    store: Store, records: Records, moderation: Moderation, do: Doing, by_a_member: bool
) -> None:
    case = reported(store, BEN, KAYLA) if by_a_member else opened(store, threat())
    with pytest.raises(RefusedError, match="this case is about you"):
        do(moderation, "home", case.id, KAYLA)
    assert store.case_of(case.id) == case
    assert records.trail("home") == []
    assert moderation.act("home", case.id, Act.BANNED, Account("elsewhere", "kayla")).acts == (Act.BANNED,)


@pytest.mark.parametrize("by_a_member", [False, True], ids=["seen", "reported"])
def test_who_is_held_to_threaten_somebody_is_not_shown_the_case(
    store: Store, moderation: Moderation, by_a_member: bool
) -> None:
    case = reported(store, BEN, KAYLA) if by_a_member else opened(store, threat())
    other = opened(store, threat(about=BEN, hours=1))
    with pytest.raises(RefusedError, match="this case is about you"):
        moderation.case("home", case.id, KAYLA)
    assert moderation.case("home", case.id, MO) == moderation.case("home", case.id) == case
    for open_only in (True, False):
        assert moderation.cases("home", open_only=open_only, actor=KAYLA) == [other]
        assert moderation.cases("home", open_only=open_only, actor=MO) == [other, case]
        assert moderation.cases("home", open_only=open_only) == [other, case]
        assert case in moderation.cases("home", open_only=open_only, actor=Account("elsewhere", "kayla"))


def test_who_is_aimed_at_or_tells_of_it_is_shown_the_case(store: Store, moderation: Moderation) -> None:
    case, told = opened(store, threat()), reported(store, BEN, KAYLA)
    for actor, shown in ((SAM, case), (BEN, told)):
        assert shown in moderation.cases("home", actor=actor)
        assert moderation.case("home", shown.id, actor) == shown


def test_who_is_aimed_at_or_tells_of_it_may_act_on_the_case(store: Store, moderation: Moderation) -> None:
    for case in (opened(store, threat()), reported(store, SAM, KAYLA)):
        assert moderation.rule("home", case.id, Ruling.CONFIRMED, SAM).ruling is Ruling.CONFIRMED


# On record.


def test_each_act_is_recorded_shown_and_on_the_trail(
    store: Store, records: Records, moderation: Moderation, clock: Clock
) -> None:
    case = opened(store, threat())
    assert [type(effect) for effect in waiting(store)] == [AlertModerators]
    ruled = moderation.rule("home", case.id, Ruling.CONFIRMED, MO)
    clock.forward(1)
    advised = moderation.advise("home", case.id, SAM, BEN)
    clock.forward(1)
    moderation.attempt("home", case.id, Act.BANNED, BEN)
    clock.forward(1)
    banned = moderation.act("home", case.id, Act.BANNED, BEN)
    assert ruled == replace(case, ruling=Ruling.CONFIRMED)
    assert [target.advice for target in advised.targets] == [Advice.PENDING]
    assert banned == replace(advised, acts=(Act.BANNED,)) == store.case_of(case.id)
    assert [type(effect) for effect in waiting(store)] == [AdviseTarget]
    start = NOON.timestamp()
    assert records.trail("home", case.id) == [
        Entry(start, MO, "confirmed", case.id, ""),
        Entry(start + 1, BEN, "advised", case.id, ""),
        Entry(start + 2, BEN, "banned?", case.id, ""),
        Entry(start + 3, BEN, "banned", case.id, ""),
    ]


def test_what_is_done_to_a_posted_alert_edits_it(store: Store, moderation: Moderation) -> None:
    case = replace(opened(store, threat()), post=Post("post-1"))
    store.record(case, [], NOON.timestamp())
    waiting(store)
    edits: list[Effect] = []
    for act in (Act.NOTED, Act.NOTED, Act.TIMED_OUT):
        now = moderation.act("home", case.id, act, MO)
        edits += waiting(store)
    assert [effect.alert.acts for effect in edits if isinstance(effect, UpdateAlert)] == [
        (Act.NOTED,),
        (Act.NOTED, Act.TIMED_OUT),
    ]
    assert edits[-1] == UpdateAlert(view(now), "post-1")
    assert len(moderation.history("home", case.id)) == 1 + 2 + 1 + 3  # opened, the edits, the alert, three acts


def test_a_refused_wish_leaves_no_line(store: Store, records: Records, moderation: Moderation) -> None:
    case = opened(store, threat())
    for account, why in ((KAYLA, "not a target of this case"), (SAM, "pending")):
        if account == SAM:
            moderation.advise("home", case.id, SAM, MO)
        with pytest.raises(RefusedError, match=f"^nothing to send to '{account.id}': {why}$"):
            moderation.advise("home", case.id, account, MO)
    assert [entry.act for entry in records.trail("home")] == ["advised"]


def test_who_was_warned_and_forgotten_since_is_not_warned_again_of_itself(store: Store, moderation: Moderation) -> None:
    case = opened(store, threat())
    moderation.advise("home", case.id, SAM, MO)
    waiting(store)
    store.forget(SAM, 1.0, own=True)
    held = store.case_of(case.id)
    assert held
    assert (held.targets, view(held).forgotten) == ((), True)
    now, effects = decide(held, threat(hours=30), Policy(), store.recipient(SAM))
    assert now
    assert [target.advice for target in now.targets] == [Advice.RECENT]
    assert not [effect for effect in effects if isinstance(effect, AdviseTarget)]
    asked = moderation.advise("home", case.id, SAM, MO)
    assert [target.advice for target in asked.targets] == [Advice.PENDING], "a moderator may wish it"


def test_what_is_left_of_a_case_until_its_alert_is_edited_is_no_case(store: Store, moderation: Moderation) -> None:
    case = reported(store, SAM, KAYLA)
    store.record(replace(case, post=Post("post-1")), (), 1.0)
    store.forget(SAM, 1.0, own=True)
    assert store.case_of(case.id)
    with pytest.raises(RefusedError, match="there is no case"):
        moderation.advise("home", case.id, SAM, MO)
    with pytest.raises(RefusedError, match="there is no case"):
        moderation.rule("home", case.id, Ruling.CONFIRMED, MO)
    assert moderation.cases("home") == []


def test_nobody_is_warned_because_of_a_case_that_was_ruled_out(
    store: Store, records: Records, moderation: Moderation
) -> None:
    case = opened(store, threat())
    ruled = moderation.rule("home", case.id, Ruling.NOT_SEXTORTION, MO)
    waiting(store)
    for account in (SAM, BEN):
        with pytest.raises(RefusedError, match="ruled not to be sextortion: confirm it first"):
            moderation.advise("home", case.id, account, MO)
    assert (store.case_of(case.id), waiting(store)) == (ruled, [])
    assert [entry.act for entry in records.trail("home")] == ["not_sextortion"]
    moderation.rule("home", case.id, Ruling.CONFIRMED, MO)
    moderation.advise("home", case.id, SAM, MO)
    assert [effect.target for effect in waiting(store) if isinstance(effect, AdviseTarget)] == [SAM]


def test_who_reported_can_be_sent_the_advice_by_a_moderator(store: Store, moderation: Moderation) -> None:
    case = reported(store, SAM, KAYLA)
    waiting(store)
    advised = moderation.advise("home", case.id, SAM, MO)
    assert [target.advice for target in advised.targets] == [Advice.PENDING]
    assert [effect.target for effect in waiting(store) if isinstance(effect, AdviseTarget)] == [SAM]


def test_an_act_is_recorded_with_its_line_or_not_at_all(
    store: Store, records: Records, moderation: Moderation, file: Path
) -> None:
    case = opened(store, threat())
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'disk is full'); END")
    with pytest.raises(InputError, match="disk is full"):
        moderation.rule("home", case.id, Ruling.CONFIRMED, MO)
    assert store.case_of(case.id) == case
    assert records.trail("home") == []


def test_the_history_tells_everything_in_order(store: Store, moderation: Moderation, clock: Clock) -> None:
    case = opened(store, threat())
    clock.forward(10)
    row = store.begin("console", clock().timestamp())
    assert row
    store.settle(row, Delivery(Outcome.DELIVERED, "post-1"), clock().timestamp())
    clock.forward(10)
    moderation.advise("home", case.id, SAM, MO)
    clock.forward(10)
    row = store.begin("console", clock().timestamp())
    assert row
    moderation.act("home", case.id, Act.NOTED, BEN, NOTE)
    clock.forward(10)
    store.settle(row, Delivery(Outcome.REFUSED, detail="50007"), clock().timestamp())
    clock.forward(10)
    moderation.rule("home", case.id, Ruling.CONFIRMED, MO)
    other = opened(store, threat(about=BEN))
    moderation.rule("home", other.id, Ruling.CONFIRMED, MO)

    def after(seconds: float, what: str, actor: Account | None = None, note: str = "") -> Event:
        return Event(NOON + timedelta(seconds=seconds), what, actor, note)

    assert moderation.history("home", case.id) == [
        after(0, "opened"),
        after(10, "AlertModerators delivered"),
        after(20, "advised", MO),
        after(30, "noted", BEN, NOTE),
        after(40, "AdviseTarget refused 50007"),
        after(50, "confirmed", MO),
    ]


def test_the_trail_of_a_space_is_bounded_to_its_latest_lines_the_oldest_first(
    store: Store, records: Records, moderation: Moderation, clock: Clock
) -> None:
    case, elsewhere = opened(store, threat()), opened(store, threat(space="work"))
    for number in range(5):
        moderation.act("home", case.id, Act.NOTED, MO, f"note {number}")
        clock.forward(1)
    moderation.act("work", elsewhere.id, Act.NOTED, MO, "of work")
    records.note("home", None, BEN, "set_up", "mode = alert", clock().timestamp())
    assert [entry.note for entry in records.trail("home", most=3)] == ["note 3", "note 4", "mode = alert"]
    assert [entry.note for entry in records.trail("home", case.id, most=2)] == ["note 3", "note 4"]
    assert [entry.note for entry in records.trail("work")] == ["of work"]
    assert records.trail("work", case.id) == []


def test_old_lines_are_erased_and_no_others(records: Records) -> None:
    for at in (1.0, 2.0, 3.0):
        records.note("home", None, MO, "set_up", "", at)
    assert records.purge(2.0) == 1
    assert [entry.at for entry in records.trail("home")] == [2.0, 3.0]
    assert records.purge(2.0) == 0


# Notes.


@pytest.mark.parametrize("length", [1, NOTE_LENGTH, NOTE_LENGTH + 1])
def test_a_note_is_kept_up_to_a_bound(store: Store, records: Records, moderation: Moderation, length: int) -> None:
    case = opened(store, threat())
    moderation.act("home", case.id, Act.NOTED, MO, "ä" * length)
    assert [entry.note for entry in records.trail("home")] == ["ä" * min(length, 1000)]


def test_a_note_is_sealed_in_the_file(store: Store, records: Records, moderation: Moderation, file: Path) -> None:
    case = opened(store, threat())
    moderation.act("home", case.id, Act.NOTED, MO, NOTE)
    assert [entry.note for entry in records.trail("home")] == [NOTE]
    held = bytes_of(file.parent)
    store.close()
    for kept in (held, bytes_of(file.parent)):
        assert b"noted" in kept
        assert b"private" not in kept
        assert "naïve".encode() not in kept


def test_a_note_stays_while_its_case_changes(store: Store, records: Records, moderation: Moderation) -> None:
    case = opened(store, threat())
    moderation.act("home", case.id, Act.NOTED, MO, NOTE)
    moderation.rule("home", case.id, Ruling.CONFIRMED, MO)
    assert [entry.note for entry in records.trail("home")] == [NOTE, ""]


@pytest.mark.parametrize("how", ["forgotten", "past its time"])
def test_a_note_is_erased_with_its_case_and_the_line_that_it_was_made_stays(
    store: Store, records: Records, moderation: Moderation, file: Path, how: str
) -> None:
    case, other = opened(store, threat()), opened(store, threat(about=BEN, space="work"))
    moderation.act("home", case.id, Act.NOTED, MO, NOTE)
    moderation.act("work", other.id, Act.NOTED, MO, "another")
    with closing(sqlite3.connect(file)) as connection:
        ((sealed,),) = connection.execute("SELECT note FROM audit WHERE space = 'home'").fetchall()
    if how == "forgotten":
        store.forget(KAYLA, NOON.timestamp())
    else:
        store.purge("home", NOON + timedelta(seconds=1))
    assert store.case_of(case.id) is None
    noted, *forgotten = records.trail("home")
    assert noted == Entry(NOON.timestamp(), MO, "noted", case.id, "")
    erased = [Entry(NOON.timestamp(), None, "somebody_forgotten", None, "")]
    assert forgotten == (erased if how == "forgotten" else [])
    assert [entry.note for entry in records.trail("work")] == ["another"]
    store.close()
    assert sealed not in bytes_of(file.parent)
