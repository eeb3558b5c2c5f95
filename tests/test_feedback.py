"""What moderators' rulings move: how far, which way, how it is undone, and that no words ever take part."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from bot.case import Case, decide
from bot.config import Config
from bot.effects import Ruling
from bot.feedback import BOUND, FEWEST, RULINGS, shift
from bot.ledger import Ledger
from bot.linker import Linker
from bot.moderation import Moderation
from bot.policies import SET_UP, Policies
from bot.policy import Policy, Recipient
from bot.records import Records
from bot.rulings import report
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker
from classifiers.conversation import Account
from classifiers.model import Thresholds

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MO = Account("console", "Mo")
YES, NO = Ruling.CONFIRMED, Ruling.NOT_SEXTORTION
WORDS = "pay or i send it to everybody in your phone by nine o'clock"


def test_a_few_rulings_move_nothing() -> None:
    for count in range(FEWEST):
        assert shift([(0.99, NO)] * count) == shift([(0.5, YES)] * count) == 0.0


def test_a_shift_is_bounded_whatever_is_ruled() -> None:
    for scores, ruling, count in product(((0.0, 1.0), (1.0,), (0.0,), (0.5, 0.6)), Ruling, (5, 20, 1000)):
        assert -BOUND <= shift([(score, ruling) for score in scores] * count) <= BOUND
    assert shift([(0.95, NO)] * RULINGS) == BOUND


def test_what_is_ruled_out_moves_up_what_holds_moves_down_and_what_was_right_moves_nothing() -> None:
    assert shift([(0.6, NO)] * FEWEST) == 0.27
    assert shift([(0.6, YES)] * FEWEST) == -0.18
    assert shift([(0.6, YES)] * 12 + [(0.6, NO)] * 8) == 0.0
    assert abs(shift([(0.99, YES)] * RULINGS)) <= 0.02  # who was sure and right has little to learn


def test_more_of_the_same_never_moves_the_other_way() -> None:
    moved = [shift([(0.7, NO)] * count) for count in range(RULINGS + 5)]
    assert moved == sorted(moved)


def test_only_the_latest_rulings_count() -> None:
    assert shift([(0.6, YES)] * RULINGS + [(0.9, NO)] * 100) == shift([(0.6, YES)] * RULINGS)


def test_only_the_threshold_of_an_alert_moves_and_stays_between_the_others() -> None:
    usual = Thresholds(0.15, 0.54, 0.91)
    assert usual.moved(0.0) == usual
    for by in (-BOUND, -0.1, 0.2, BOUND):
        moved = usual.moved(by)
        assert (moved.notice, moved.advise) == (usual.notice, usual.advise)
        assert (moved.alert - usual.alert) * by > 0
        assert abs(moved.alert - usual.alert) < 0.13
    assert Thresholds(0.5, 0.52, 0.53).moved(-BOUND).alert == 0.5
    assert Thresholds(0.5, 0.52, 0.53).moved(BOUND).alert == 0.53
    assert Thresholds(1.0, 1.0, 1.0).moved(-BOUND) == Thresholds(1.0, 1.0, 1.0)


class Court:
    """A space with cases that are ruled on."""

    def __init__(self, store: Store, config: Config) -> None:
        self.store, self.records, self.ledger = store, Records(store), Ledger(store)
        self.policies = Policies(config, self.records, self.ledger)
        linker = Linker(store, self.ledger, self.policies.of)
        self.moderation = Moderation(store, self.records, linker, self.policies, lambda: NOON)

    def case(self, number: int, score: float = 0.6, kind: Kind = Kind.THREAT, space: str = "home") -> Case:
        who, target = Account("console", f"eve{number}"), Account("console", f"sam{number}")
        at = NOON + timedelta(minutes=number)
        found = Assessment(
            f"m{number}", space, "c", at, kind, Level.ALERT, score, who, target,
            (Evidence(Marker.SHARE_THREAT, f"m{number}", 0.9, WORDS),),
        )  # fmt: skip
        case, effects = decide(None, found, Policy(), Recipient())
        assert case
        self.store.record(case, effects, NOON.timestamp())
        return case

    def shift(self, kind: Kind = Kind.THREAT, space: str = "home") -> float:
        return self.policies.of(space).shift.get(kind, 0.0)


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    with closing(Store(tmp_path / "haven.db", one_time_seal())) as store:
        yield Court(store, Config())


def test_rulings_move_the_policy_of_their_space_and_kind_only(court: Court) -> None:
    for number in range(FEWEST):
        assert court.shift() == 0.0
        court.moderation.rule("home", court.case(number).id, NO, MO)
    assert court.shift() == 0.27
    assert court.shift(Kind.DISCLOSURE) == court.shift(space="away") == 0.0


def test_a_ruling_that_is_changed_undoes_what_it_moved(court: Court) -> None:
    cases = [court.case(number) for number in range(FEWEST)]
    for case in cases:
        court.moderation.rule("home", case.id, NO, MO)
        court.moderation.rule("home", case.id, NO, MO)  # pressed twice
    for case in cases:
        court.moderation.rule("home", case.id, YES, MO)
    assert court.shift() == shift([(0.6, YES)] * FEWEST)


def test_rulings_start_anew_on_record(court: Court) -> None:
    for number in range(FEWEST):
        court.moderation.rule("home", court.case(number).id, NO, MO)
    court.policies.start_anew("home", MO, NOON.timestamp())
    assert court.shift() == 0.0
    (entry,) = [entry for entry in court.records.trail("home") if entry.act == SET_UP]
    assert (entry.actor, entry.note) == (MO, "moderators' rulings count anew")


def test_what_goes_with_a_case_moves_nothing_any_more(court: Court) -> None:
    for number in range(FEWEST):
        court.moderation.rule("home", court.case(number).id, NO, MO)
    court.store.purge("home", NOON + timedelta(days=1))
    court.policies.reread()
    assert court.shift() == 0.0


def test_a_report_has_no_score_and_moves_nothing(court: Court) -> None:
    for number in range(FEWEST):
        member = Account("console", f"member{number}")
        case, effects = report(
            member, "help", None, space="home", channel="c", key="k", at=NOON, policy=Policy(), crisis=False
        )
        court.store.record(case, effects, NOON.timestamp())
        court.moderation.rule("home", case.id, NO, MO)
    assert court.shift(Kind.DISCLOSURE) == 0.0


def test_a_space_may_want_its_rulings_to_move_nothing(court: Court) -> None:
    court.policies.choose("home", MO, {"follow_rulings": False}, NOON.timestamp())
    for number in range(FEWEST):
        court.moderation.rule("home", court.case(number).id, NO, MO)
    assert court.shift() == 0.0


# No words.


def test_what_is_kept_for_it_is_numbers(court: Court) -> None:
    for number in range(FEWEST):
        court.moderation.rule("home", court.case(number).id, NO, MO)
    columns = [(name, kind) for _, name, kind, *_ in court.store.query("PRAGMA table_info(feedback)")]
    assert columns == [("case_id", "TEXT"), ("score", "REAL"), ("ruling", "TEXT"), ("at", "REAL")]
    rows = court.store.query("SELECT * FROM feedback")
    assert {(score, ruling) for _, score, ruling, _ in rows} == {(0.6, NO)}
    assert not any(word in str(rows) for word in WORDS.split() if len(word) > 3)


def test_all_that_reaches_the_classifier_of_it_is_one_bounded_number_per_kind() -> None:
    (moved,) = [field for field in fields(Policy) if field.name == "shift"]
    assert moved.type == "Mapping[Kind, float]"


def test_nothing_that_reads_chats_can_reach_what_learns() -> None:
    """The contract "What reads chats never learns" says so of imports; this, of a running Haven."""
    learning = ["training", "network", "calibration", "validation", "evaluation", "corpus"]
    code = (
        "import sys, bot.app, bot.live, bot.scan, bot.platforms.discord_bot, bot.platforms.telegram_bot;"
        f"print([name for name in {learning} if 'classifiers.' + name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
