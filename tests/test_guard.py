"""A message's journey through the real classifier into a real database; nothing is performed here."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from byhand import Meaning, adding_model

from bot.app import open_classifier
from bot.case import after
from bot.config import Config
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
from bot.guard import Guard, one_reading
from bot.ledger import Ledger
from bot.linker import Linker
from bot.memory import Memory
from bot.moderation import Moderation
from bot.policies import Policies
from bot.policy import AdviceBy, Mode, Policy
from bot.records import Records
from bot.sealing import Seal, one_time_seal
from bot.store import Store
from classifiers.assessment import Assessment, Kind, Level, Marker, Sensitivity
from classifiers.classifier import Classifier
from classifiers.conversation import Account, Message
from classifiers.errors import InputError
from classifiers.model import GROUPS, HIDDEN, MARKERS, Thresholds

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA, SAM = Account("console", "kayla"), Account("console", "Sam")
MODERATOR = Account("console", "mo")
THREAT = (
    "i recorded our video call, i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family",
    "pay now or i post your nudes everywhere. you have 30 minutes. dont block me",
    "send me the money or your family sees your nudes tonight",
    "last warning. pay me or i send your nudes to everyone you know",
)
Texts = Sequence[str]


def says(
    texts: Texts,
    *,
    space: str = "home",
    channel: str = "lobby",
    minutes: float = 0,
    author: Account = KAYLA,
    to: Account = SAM,
) -> list[Message]:
    """What kayla writes to Sam, a minute between lines."""
    at = NOON + timedelta(minutes=minutes)
    return [
        Message(f"{minutes}+{i}", space, channel, author, text, at + timedelta(minutes=i), (to,))
        for i, text in enumerate(texts)
    ]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_classifier(Config(), Path())


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


def guard_of(
    store: Store,
    classifier: Classifier,
    policy_of: Callable[[str], Policy] = lambda _: Policy(),
    *,
    thorough: bool = False,
) -> Guard:
    return Guard(classifier, Memory(10, timedelta(days=7)), store, policy_of, lambda: NOON, thorough=thorough)


def moderation(store: Store) -> Moderation:
    records, ledger = Records(store), Ledger(store)
    policies = Policies(Config(), records, ledger)
    return Moderation(store, records, Linker(store, ledger, policies.of), policies, lambda: NOON)


def waiting(store: Store) -> list[Effect]:
    """Settle all that waits, as delivered, and return it."""
    found: list[Effect] = []
    while row := store.begin("console", NOON.timestamp()):
        found.append(row.effect)
        store.settle(row, Delivery(Outcome.DELIVERED, "post-1"), NOON.timestamp())
    return found


# Reading and recording.


@pytest.mark.parametrize(("shift", "level"), [(-0.5, Level.ALERT), (0.0, Level.NOTICE), (0.5, Level.NOTICE)])
def test_the_rulings_of_a_space_move_what_it_is_alerted_of(store: Store, shift: float, level: Level) -> None:
    meaning = Meaning((Marker.PAYMENT_DEMAND, Marker.SHARE_THREAT), {Kind.THREAT: 0.5})
    model = adding_model({"menace": meaning}, rare=-6)
    (found, _) = guard_of(store, Classifier(model), thorough=True).receive(says(["menace"], space="elsewhere"))
    alert = 1 / (1 + np.exp(-(np.log(found.found.score / (1 - found.found.score)) + 0.25)))
    thresholds = dict.fromkeys(Sensitivity, dict.fromkeys(GROUPS, Thresholds(0, float(alert), 1)))
    classifier = Classifier(replace(model, thresholds=dict.fromkeys(Kind, thresholds)))
    policy = Policy(shift={Kind.THREAT: shift})
    decisions = guard_of(store, classifier, lambda _: policy).receive(says(["menace"]))
    assert [decision.found.level for decision in decisions if decision.found.kind is Kind.THREAT] == [level]


def test_ordinary_chat_is_recorded_nowhere(store: Store, classifier: Classifier) -> None:
    said = says(["morning", "anyone up for pizza on friday", "nice one"])
    assert guard_of(store, classifier).receive(said) == []
    decisions = guard_of(store, classifier, thorough=True).receive(said)
    assert [decision.case for decision in decisions] == [None] * 6
    assert [decision.found.kind for decision in decisions] == [Kind.THREAT, Kind.DISCLOSURE] * 3
    assert [decision.found.message_id for decision in decisions[::2]] == ["0+0", "0+1", "0+2"]
    assert all(decision.effects == () for decision in decisions)
    assert store.spaces() == []
    assert store.next_due("console") is None


def test_nothing_is_read_before_it_is_asked_for(store: Store, classifier: Classifier) -> None:
    assert guard_of(store, classifier).receive([]) == []


def test_what_is_decided_is_what_is_recorded(store: Store, classifier: Classifier) -> None:
    decisions = guard_of(store, classifier).receive(says(THREAT))
    decided = [effect for decision in decisions for effect in decision.effects]
    assert [type(effect) for effect in decided].count(AlertModerators) == 1
    assert [type(effect) for effect in decided].count(AdviseTarget) == 1
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case == [decision.case for decision in decisions if decision.case][-1]
    assert waiting(store) == decided
    assert store.recipient(SAM).advised_at


def test_a_decision_that_cannot_be_recorded_wholly_is_not_recorded_at_all(
    store: Store, file: Path, classifier: Classifier
) -> None:
    guard = guard_of(store, classifier)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON outbox WHEN new.effect = 'AdviseTarget'"
            " BEGIN SELECT raise(ABORT, 'disk is full'); END"
        )
    failures: list[str] = []
    unchanged: list[bool] = []
    for message in says(THREAT):
        before = store.case("home", KAYLA, Kind.THREAT)
        try:
            guard.receive([message])
        except InputError as error:
            failures.append(str(error))
            unchanged.append(store.case("home", KAYLA, Kind.THREAT) == before)
    assert set(failures) == {f"{file}: disk is full"}
    assert all(unchanged)
    assert store.recipient(SAM).advised_at is None
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP TRIGGER full")
    guard.receive(says(THREAT[:1], minutes=10))
    kinds = [type(effect) for effect in waiting(store)]
    assert (kinds.count(AlertModerators), kinds.count(AdviseTarget)) == (1, 1)


def test_the_same_journey_after_a_restart_causes_nothing_new(store: Store, classifier: Classifier) -> None:
    guard_of(store, classifier).receive(says(THREAT))
    assert waiting(store)
    guard_of(store, classifier).receive(says(THREAT, minutes=60))
    assert not [effect for effect in waiting(store) if isinstance(effect, AlertModerators | AdviseTarget)]


def test_each_space_has_its_own_policy_and_cases(store: Store, classifier: Classifier) -> None:
    policies = {
        "quiet": Policy(mode=Mode.OBSERVE),
        "home": Policy(page="helpers", cooldown=timedelta()),
        "work": Policy(mode=Mode.ALERT, page="staff"),
    }
    guard = guard_of(store, classifier, policies.__getitem__)
    for texts in zip(*(says(THREAT, space=space) for space in policies), strict=True):
        guard.receive(texts)
    alerts = [effect.alert for effect in waiting(store) if isinstance(effect, AlertModerators)]
    assert [alert.space for alert in alerts] == ["home", "work"]
    for space, page in (("quiet", None), ("home", "helpers"), ("work", "staff")):
        case = store.case(space, KAYLA, Kind.THREAT)
        assert case
        assert case.page == page
    for space, advice in (("quiet", Advice.WAITING), ("home", Advice.PENDING), ("work", Advice.WAITING)):
        case = store.case(space, KAYLA, Kind.THREAT)
        assert case
        assert [target.advice for target in case.targets] == [advice]


def test_channels_are_read_apart_and_a_case_spans_them(store: Store) -> None:
    guard = guard_of(store, reader(menace=(0.4, -2.0)))
    for number in range(5):
        guard.receive(says(["menace"], channel=f"room {number}", minutes=number))
    assert waiting(store) == []
    guard.receive(says(["menace"] * 5, channel="lobby", minutes=10))
    guard.receive(says(["menace"] * 5, channel="garden", minutes=20))
    kinds = [type(effect) for effect in waiting(store)]
    assert (kinds.count(AlertModerators), kinds.count(AdviseTarget)) == (1, 1)


def test_a_choice_made_between_two_messages_counts(store: Store, classifier: Classifier) -> None:
    guard = guard_of(store, classifier)
    for message in says(THREAT):
        store.choose(SAM, opted_in=False)
        guard.receive([message])
    assert [type(effect) for effect in waiting(store)].count(AdviseTarget) == 0
    store.choose(SAM, opted_in=True)
    guard.receive(says(THREAT[-1:], minutes=10))
    assert [type(effect) for effect in waiting(store)].count(AdviseTarget) == 1


def test_the_conversation_of_a_live_case_outlives_a_flood_of_others(store: Store, classifier: Classifier) -> None:
    clock = [NOON]
    memory = Memory(4, timedelta(days=30))
    guard = Guard(classifier, memory, store, lambda _: Policy(), lambda: clock[0])
    guard.receive(says(THREAT))
    assert guard.conversations == (1, 1)
    for minutes in range(20):
        guard.receive(says(["hello"], channel=f"room {minutes}", minutes=minutes, author=SAM, to=KAYLA))
    assert guard.conversations == (4, 1)
    assert len(memory.conversation("home", "lobby", NOON).lines) == len(THREAT)
    clock[0] += timedelta(days=8)  # the incident is over
    for minutes in range(20):
        later = 8 * 24 * 60 + minutes
        guard.receive(says(["hello"], channel=f"room {minutes}", minutes=later, author=SAM, to=KAYLA))
    assert guard.conversations == (4, 0)
    assert not memory.conversation("home", "lobby", clock[0]).lines


def test_the_conversation_of_a_case_that_is_ruled_out_is_one_like_others(store: Store, classifier: Classifier) -> None:
    guard = guard_of(store, classifier)
    guard.receive(says(THREAT))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    moderation(store).rule("home", case.id, Ruling.NOT_SEXTORTION, MODERATOR)
    guard.receive(says(THREAT[:1], channel="garden", minutes=10))
    assert guard.conversations == (2, 1)


# Moderators.


def test_a_ruling_is_recorded_and_returned(store: Store, classifier: Classifier) -> None:
    guard = guard_of(store, classifier)
    guard.receive(says(THREAT))
    before = store.case("home", KAYLA, Kind.THREAT)
    assert before
    ruled = moderation(store).rule("home", before.id, Ruling.NOT_SEXTORTION, MODERATOR)
    assert (ruled.ruling, store.case_of(before.id)) == (Ruling.NOT_SEXTORTION, ruled)
    waiting(store)
    guard.receive(says(THREAT, minutes=10))
    assert waiting(store) == []


def test_a_moderator_sends_the_warning_once(store: Store, classifier: Classifier) -> None:
    guard = guard_of(store, classifier, lambda _: Policy(advice_by=AdviceBy.MODERATOR))
    guard.receive(says(THREAT))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    assert not [effect for effect in waiting(store) if isinstance(effect, AdviseTarget)]
    advised = moderation(store).advise("home", case.id, SAM, MODERATOR)
    assert ([target.advice for target in advised.targets], store.case_of(case.id)) == ([Advice.PENDING], advised)
    with pytest.raises(InputError, match="nothing to send to 'Sam': pending"):
        moderation(store).advise("home", case.id, SAM, MODERATOR)
    with pytest.raises(InputError, match="nothing to send to 'kayla': not a target of this case"):
        moderation(store).advise("home", case.id, KAYLA, MODERATOR)
    assert [effect.target for effect in waiting(store) if isinstance(effect, AdviseTarget)] == [SAM]


def test_a_moderator_cannot_warn_somebody_who_has_said_no_since(store: Store, classifier: Classifier) -> None:
    guard = guard_of(store, classifier, lambda _: Policy(advice_by=AdviceBy.MODERATOR))
    guard.receive(says(THREAT))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    store.choose(SAM, opted_in=False)
    advised = moderation(store).advise("home", case.id, SAM, MODERATOR)
    assert [target.advice for target in advised.targets] == [Advice.DECLINED]
    assert not [effect for effect in waiting(store) if isinstance(effect, AdviseTarget)]


def test_acts_on_an_unknown_case_are_refused(store: Store) -> None:
    acts: list[Callable[[], object]] = [
        lambda: moderation(store).rule("home", "c0ffee", Ruling.CONFIRMED, MODERATOR),
        lambda: moderation(store).advise("home", "c0ffee", SAM, MODERATOR),
    ]
    for act in acts:
        with pytest.raises(InputError, match="there is no case 'c0ffee'"):
            act()
    assert store.spaces() == []


# The model is made by hand: each word says how much of a threat and of a disclosure it is.

STEPS = {
    Sensitivity.LOW: Thresholds(0.7, 0.8, 0.9),
    Sensitivity.NORMAL: Thresholds(0.6, 0.7, 0.8),
    Sensitivity.HIGH: Thresholds(0.5, 0.6, 0.7),
}


def reader(**meanings: tuple[float, float]) -> Classifier:
    """A classifier that knows some words."""
    markers = (Marker.PAYMENT_DEMAND, Marker.PRESSURE, Marker.VICTIM_DISCLOSURE)
    known = {word: Meaning(markers, dict(zip(Kind, both, strict=True))) for word, both in meanings.items()}
    steps = {sensitivity: dict.fromkeys(GROUPS, levels) for sensitivity, levels in STEPS.items()}
    return Classifier(replace(adding_model(known, start=0, rare=-6), thresholds=dict.fromkeys(Kind, steps)))


def test_a_notice_is_recorded_and_nobody_is_told(store: Store) -> None:
    guard = guard_of(store, reader(word=(0.5, -2.0)))
    guard.receive(says(["word"]))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    assert (case.level, case.targets, case.post) == (Level.NOTICE, (), None)
    assert waiting(store) == []


def test_two_programs_that_see_the_same_alert_once(store: Store, file: Path, seal: Seal) -> None:
    with closing(Store(file, seal)) as elsewhere:
        other = threading.Thread(target=guard_of(elsewhere, reader(word=(2.0, -2.0))).receive, args=(says(["word"]),))

        readings = iter(range(3))

        def slow() -> datetime:
            if next(readings) == 1:  # the first is for the memory, the second for what is being recorded
                other.start()
                other.join(0.3)
            return NOON

        guard = Guard(reader(word=(2.0, -2.0)), Memory(1, timedelta(1)), store, lambda _: Policy(), slow)
        guard.receive(says(["word"]))
        other.join()
    assert next(readings) == 2
    kinds = [type(effect) for effect in waiting(store)]
    assert (kinds.count(AlertModerators), kinds.count(AdviseTarget)) == (1, 1)


@pytest.mark.parametrize(
    ("sensitivity", "level"),
    [(Sensitivity.LOW, Level.NOTICE), (Sensitivity.NORMAL, Level.ALERT), (Sensitivity.HIGH, Level.ADVISE)],
)
def test_the_policy_says_how_readily_to_tell(store: Store, sensitivity: Sensitivity, level: Level) -> None:
    guard = guard_of(store, reader(word=(1.2, -2.0)), lambda _: Policy(sensitivity=sensitivity))
    assert guard.receive(says(["word"]))[0].found.level is level


@pytest.mark.parametrize(
    ("threat", "disclosure", "levels"),
    [
        (2.0, 0.0, (Level.ADVISE, Level.NONE)),
        (0.0, 2.0, (Level.NONE, Level.ADVISE)),
        (2.0, 1.8, (Level.ADVISE, Level.NOTICE)),
        (1.8, 2.0, (Level.NOTICE, Level.ALERT)),
        (1.2, 1.3, (Level.NOTICE, Level.ALERT)),
        (0.6, 1.3, (Level.NOTICE, Level.ALERT)),
        (1.9, 1.9, (Level.ADVISE, Level.NOTICE)),
        (1.2, 0.6, (Level.ALERT, Level.NOTICE)),
        (0.6, 0.5, (Level.NOTICE, Level.NOTICE)),
        (0.5, 0.6, (Level.NOTICE, Level.NOTICE)),
    ],
)
def test_one_speakers_lines_are_a_threat_or_a_disclosure(
    store: Store, threat: float, disclosure: float, levels: tuple[Level, Level]
) -> None:
    read = guard_of(store, reader(word=(threat, disclosure))).receive(says(["word"]))
    assert tuple(decision.found.level for decision in read) == levels
    written_to = [effect.target for effect in waiting(store) if isinstance(effect, AdviseTarget)]
    assert written_to == ([SAM] if levels[0] is Level.ADVISE else [KAYLA] if levels[1] is Level.ADVISE else [])


NONE, NOTICE, ALERT, ADVISE = Level


@pytest.mark.parametrize(
    ("threat", "disclosure", "expected"),
    [
        pytest.param((ADVISE, 0.9), (NONE, 0.95), (ADVISE, NONE), id="no disclosure"),
        pytest.param((NONE, 0.95), (ADVISE, 0.9), (NONE, ADVISE), id="no threat"),
        pytest.param((ADVISE, 0.9), (ADVISE, 0.8), (ADVISE, NOTICE), id="likelier a threat"),
        pytest.param((ALERT, 0.7), (ADVISE, 0.7), (ALERT, NOTICE), id="as likely a threat"),
        pytest.param((ADVISE, 0.8), (ADVISE, 0.9), (NOTICE, ALERT), id="likelier a disclosure"),
        pytest.param((ADVISE, 0.8), (ALERT, 0.9), (NOTICE, ALERT), id="likelier an unsure disclosure"),
        pytest.param((NOTICE, 0.9), (ADVISE, 0.8), (NOTICE, ALERT), id="likelier a threat which words do not bear out"),
        pytest.param((ADVISE, 0.8), (NOTICE, 0.9), (ADVISE, NOTICE), id="likelier a disclosure nobody is told of"),
        pytest.param((NOTICE, 0.8), (NOTICE, 0.9), (NOTICE, NOTICE), id="nothing to tell"),
        pytest.param((NONE, 0.1), (NONE, 0.2), (NONE, NONE), id="nothing"),
    ],
)
def test_the_likelier_reading_stands_and_a_likely_sender_is_never_written_to(
    threat: tuple[Level, float], disclosure: tuple[Level, float], expected: tuple[Level, Level]
) -> None:
    as_threat = Assessment("m", "home", "lobby", NOON, Kind.THREAT, *threat, KAYLA, SAM)
    as_disclosure = Assessment("m", "home", "lobby", NOON, Kind.DISCLOSURE, *disclosure, None, KAYLA)
    found = one_reading(as_threat, as_disclosure)
    assert found == (replace(as_threat, level=expected[0]), replace(as_disclosure, level=expected[1]))


@pytest.mark.parametrize(
    ("ruling", "supported"), [(None, False), (Ruling.CONFIRMED, False), (Ruling.NOT_SEXTORTION, True)]
)
def test_who_stands_accused_is_not_written_to_when_they_tell_of_blackmail(
    store: Store, ruling: Ruling | None, supported: bool
) -> None:
    guard = guard_of(store, reader(menace=(2.0, -2.0), plea=(-2.0, 2.0)))
    guard.receive(says(["menace"]))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    if ruling:
        moderation(store).rule("home", case.id, ruling, MODERATOR)
    waiting(store)
    guard.receive(says(["plea", "plea", "plea"], channel="garden", minutes=5))
    told = waiting(store)
    assert [effect.target for effect in told if isinstance(effect, AdviseTarget)] == ([KAYLA] if supported else [])
    assert any(isinstance(effect, AlertModerators) for effect in told) is supported


@pytest.mark.parametrize(
    ("ruling", "supported"), [(None, False), (Ruling.CONFIRMED, False), (Ruling.NOT_SEXTORTION, True)]
)
def test_who_stands_accused_is_not_written_to_when_they_are_threatened(
    store: Store, ruling: Ruling | None, supported: bool
) -> None:
    guard = guard_of(store, reader(menace=(2.0, -2.0)))
    guard.receive(says(["menace"]))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    if ruling:
        moderation(store).rule("home", case.id, ruling, MODERATOR)
    waiting(store)
    found, _ = guard.receive(says(["menace"], channel="garden", minutes=5, author=SAM, to=KAYLA))
    assert found.found.level is (Level.ADVISE if supported else Level.ALERT)
    told = [type(effect) for effect in waiting(store)]
    assert told == ([AlertModerators, AdviseTarget] if supported else [AlertModerators])


@pytest.mark.parametrize(
    ("meaning", "days", "supported"),
    [
        pytest.param(2.0, 7, False, id="a week ago"),
        pytest.param(2.0, 7.01, True, id="longer ago"),
        pytest.param(1.2, 1, False, id="a threat that was alerted"),
        pytest.param(0.5, 1, True, id="hardly a threat"),
    ],
)
def test_an_old_or_weak_accusation_silences_nobody(store: Store, meaning: float, days: float, supported: bool) -> None:
    guard = guard_of(store, reader(menace=(meaning, -2.0), plea=(-2.0, 2.0)))
    guard.receive(says(["menace"]))
    assert store.case("home", KAYLA, Kind.THREAT)
    waiting(store)
    _, plea = guard.receive(says(["plea"], channel="garden", minutes=days * 24 * 60))
    assert plea.found.level is (Level.ADVISE if supported else Level.NOTICE)
    assert [type(effect) for effect in waiting(store)] == ([AlertModerators, AdviseTarget] if supported else [])


def test_who_stands_accused_in_one_space_is_supported_in_another(store: Store) -> None:
    guard = guard_of(store, reader(menace=(2.0, -2.0), plea=(-2.0, 2.0)))
    guard.receive(says(["menace"]))
    waiting(store)
    guard.receive(says(["plea"], space="work", minutes=5))
    assert [effect.target for effect in waiting(store) if isinstance(effect, AdviseTarget)] == [KAYLA]


# Despair.


def performed(store: Store) -> list[Effect]:
    """Deliver all that waits and what follows from it, folded into the cases; return it."""
    found: list[Effect] = []
    while row := store.begin("console", NOON.timestamp()):
        delivery = Delivery(Outcome.DELIVERED, "post-1")
        store.settle(row, delivery, NOON.timestamp())
        case = store.case_of(row.case)
        assert case
        store.record(*after(case, row.effect, delivery), NOON.timestamp())
        found.append(row.effect)
    return found


def feeling() -> Classifier:
    """A classifier that knows a threat, a disclosure and, by its model, a word of despair."""
    classifier = reader(menace=(2.0, -2.0), plea=(-2.0, 2.0), hopeless=(0.0, 0.0))
    model = classifier.model
    model.steps[model.rows.words["hopeless"], HIDDEN + MARKERS.index(Marker.DISTRESS)] = 127
    return classifier


DESPAIR = says(["i want to die"], minutes=30, author=SAM, to=KAYLA)


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("channel", ["lobby", "garden"])
@pytest.mark.parametrize("text", ["i want to die", "hopeless"])
def test_a_targets_despair_in_any_later_message_is_told_once(
    store: Store, text: str, channel: str, delivered: bool
) -> None:
    guard = guard_of(store, feeling())
    guard.receive(says(["menace"]))
    sent = performed(store) if delivered else []
    decisions = guard.receive(says([text], channel=channel, minutes=30, author=SAM, to=KAYLA))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    assert (case.crisis, decisions[-1].case) == (True, case)
    sent += performed(store)
    warnings = [effect for effect in sent if isinstance(effect, AdviseTarget)]
    assert [(warning.target, warning.crisis) for warning in warnings] == [(SAM, False), (SAM, True)]
    alerts = [effect.alert for effect in sent if isinstance(effect, UpdateAlert)]
    assert alerts[-1].crisis
    guard.receive(says([text], channel=channel, minutes=40, author=SAM, to=KAYLA))
    guard.receive(says(["menace"], channel=channel, minutes=50))
    assert performed(store) == []


def test_despair_before_the_threat_is_part_of_the_first_warning(store: Store) -> None:
    guard = guard_of(store, feeling())
    guard.receive(says(["i want to die"], author=SAM, to=KAYLA))
    assert store.spaces() == []
    guard.receive(says(["menace"], minutes=1))
    alert, warning, *_ = performed(store)
    assert isinstance(alert, AlertModerators)
    assert isinstance(warning, AdviseTarget)
    assert (alert.alert.crisis, warning.crisis) == (True, True)
    guard.receive(DESPAIR)
    assert performed(store) == []


def test_despair_of_who_tells_of_blackmail_is_told_too(store: Store) -> None:
    guard = guard_of(store, feeling())
    guard.receive(says(["plea"], author=SAM, to=KAYLA))
    performed(store)
    guard.receive(DESPAIR)
    warnings = [effect for effect in performed(store) if isinstance(effect, AdviseTarget)]
    assert [(warning.target, warning.kind, warning.crisis) for warning in warnings] == [(SAM, Kind.DISCLOSURE, True)]


def test_who_opted_out_is_not_written_to_in_despair_either_but_moderators_see_it(store: Store) -> None:
    guard = guard_of(store, feeling())
    guard.receive(says(["menace"]))
    performed(store)
    store.choose(SAM, opted_in=False)
    guard.receive(DESPAIR)
    update, word = performed(store)
    assert isinstance(update, UpdateAlert)
    assert (update.alert.crisis, update.alert.despairing) == (True, SAM)
    assert isinstance(word, PageModerators)
    assert (word.role, word.why) == (None, "crisis")


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(says(["i am fine"], minutes=30, author=SAM, to=KAYLA), id="no despair"),
        pytest.param(says(["i want to die"], minutes=30, author=Account("console", "Ben")), id="somebody else"),
        pytest.param(says(["i want to die"], minutes=30, author=SAM, to=KAYLA, space="work"), id="another space"),
        pytest.param(
            says(["i want to die"], minutes=7 * 24 * 60 + 1, author=SAM, to=KAYLA), id="after the case is over"
        ),
    ],
)
def test_only_a_targets_despair_while_the_case_is_open_changes_it(store: Store, message: list[Message]) -> None:
    guard = guard_of(store, feeling())
    guard.receive(says(["menace"]))
    performed(store)
    guard.receive(message)
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    assert not case.crisis
    assert performed(store) == []


def test_a_senders_despair_makes_no_crisis_and_warns_nobody(store: Store) -> None:
    guard = guard_of(store, feeling())
    guard.receive(says(["menace"]))
    performed(store)
    guard.receive(says(["i want to die"], minutes=30))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    assert not case.crisis
    assert not [effect for effect in performed(store) if isinstance(effect, AdviseTarget)]


def test_despair_is_answered_once_however_many_cases_are_about_it(store: Store) -> None:
    guard = guard_of(store, feeling(), lambda _: Policy(cooldown=timedelta()))
    for number, name in enumerate(("kayla", "mia", "nick")):
        guard.receive(says(["menace"], channel=f"room {number}", minutes=number, author=Account("console", name)))
    performed(store)
    decisions = guard.receive(DESPAIR)
    assert len([decision for decision in decisions if decision.case]) == 3
    assert all(case.crisis for case in store.cases_since("home", NOON))
    told = performed(store)
    assert [(effect.target, effect.crisis) for effect in told if isinstance(effect, AdviseTarget)] == [(SAM, True)]
    assert len([effect for effect in told if isinstance(effect, PageModerators)]) == 3


def test_despair_opens_no_case_of_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = guard_of(store, feeling())
    for number in range(20):
        author, other = (Account("console", f"{name}{number}") for name in ("eve", "ann"))
        guard.receive(says(["menace"], channel=f"room {number}", minutes=-300 + number, author=author, to=other))
    guard.receive(says(["menace"]))
    opened: list[bytes] = []
    unseal = store.seal.open

    def counted(sealed: bytes) -> bytes:
        opened.append(sealed)
        return unseal(sealed)

    monkeypatch.setattr(store.seal, "open", counted)
    decisions = guard.receive(DESPAIR)
    assert len([decision for decision in decisions if decision.case]) == 1
    assert len(opened) < 10


def unsure() -> Classifier:
    """The same, to whom a threat is no more than a notice."""
    classifier = reader(menace=(0.5, -2.0), hopeless=(-2.0, -2.0))
    model = classifier.model
    model.steps[model.rows.words["hopeless"], HIDDEN + MARKERS.index(Marker.DISTRESS)] = 127
    return Classifier(model)


def test_despair_at_what_may_be_a_threat_is_told_to_the_moderators(store: Store) -> None:
    guard = guard_of(store, unsure())
    guard.receive(says(["menace"]))
    assert performed(store) == []
    guard.receive(says(["please dont. i want to die"], minutes=5, author=SAM, to=KAYLA))
    (alert,) = performed(store)
    assert isinstance(alert, AlertModerators)
    assert (alert.alert.level, alert.alert.sender, alert.alert.despairing) == (Level.ALERT, KAYLA, SAM)
    assert alert.alert.evidence
    guard.receive(says(["i want to die"], minutes=6, author=SAM, to=KAYLA))
    guard.receive(says(["menace"], minutes=7))
    assert not [effect for effect in performed(store) if isinstance(effect, AdviseTarget | AlertModerators)]


def test_what_may_be_a_threat_to_somebody_who_despaired_before_is_told_too(store: Store) -> None:
    guard = guard_of(store, unsure())
    guard.receive(says(["i want to die"], author=SAM, to=KAYLA))
    guard.receive(says(["menace"], minutes=5))
    (alert,) = performed(store)
    assert isinstance(alert, AlertModerators)
    assert (alert.alert.crisis, alert.alert.targets) == (True, (Target(SAM, Advice.UNSURE),))


def test_despair_of_somebody_else_makes_no_alert_of_what_may_be_a_threat(store: Store) -> None:
    ben = Account("console", "Ben")
    guard = guard_of(store, unsure())
    guard.receive(says(["i want to die"], author=ben, to=ben))
    guard.receive(says(["menace"], minutes=5))
    guard.receive(says(["i want to die"], minutes=6, author=ben, to=ben))
    assert performed(store) == []


def test_despair_is_told_once_also_to_who_has_themselves_forgotten_again_and_again(store: Store) -> None:
    guard = guard_of(store, feeling())
    guard.receive(says(["menace"]))
    guard.receive(DESPAIR)
    told = performed(store)
    for number in range(3):
        guard.forget(SAM, own=True)
        guard.receive(says(["menace"], minutes=40 + number))
        told += performed(store)
    assert [effect.crisis for effect in told if isinstance(effect, AdviseTarget)] == [False, True]
    assert len([effect for effect in told if isinstance(effect, PageModerators)]) == 1


def test_who_despairs_in_telling_of_blackmail_is_written_to_once_although_they_were_warned_before(
    store: Store,
) -> None:
    guard = guard_of(store, feeling(), lambda _: Policy(cooldown=timedelta()))
    guard.receive(says(["menace"]))
    performed(store)
    guard.receive(says(["plea i want to die"], channel="garden", minutes=30, author=SAM, to=KAYLA))
    told = performed(store)
    assert all(case.crisis for case in store.cases_since("home", NOON))
    warned = [(effect.target, effect.kind, effect.crisis) for effect in told if isinstance(effect, AdviseTarget)]
    assert warned == [(SAM, Kind.DISCLOSURE, True)]


def test_despair_in_a_case_that_was_ruled_out_speaks_again(store: Store) -> None:
    guard = guard_of(store, feeling())
    guard.receive(says(["menace"]))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    performed(store)
    moderation(store).rule("home", case.id, Ruling.NOT_SEXTORTION, MODERATOR)
    performed(store)
    guard.receive(says(["i am fine"], minutes=20, author=SAM, to=KAYLA))
    assert performed(store) == []
    guard.receive(DESPAIR)
    update, word, warning = performed(store)
    assert isinstance(update, UpdateAlert)
    assert (update.alert.ruling, update.alert.crisis) == (None, True)
    assert isinstance(word, PageModerators)
    assert isinstance(warning, AdviseTarget)
    assert (warning.target, warning.crisis) == (SAM, True)


# Edits.


def edited(messages: list[Message], text: str, seconds: float = 5) -> list[Message]:
    """Edit each message so many seconds after it was sent, before the next."""
    return [
        one
        for message in messages
        for one in (message, replace(message, text=text, sent_at=message.sent_at + timedelta(seconds=seconds)))
    ]


def test_threats_that_are_edited_right_after_they_were_sent_are_alerted_all_the_same(
    store: Store, classifier: Classifier
) -> None:
    guard_of(store, classifier).receive(edited(says(THREAT), "hello"))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    assert case.level is Level.ADVISE
    assert {seen.excerpt for seen in case.evidence} <= set(THREAT)
    kinds = [type(effect) for effect in waiting(store)]
    assert (kinds.count(AlertModerators), kinds.count(AdviseTarget)) == (1, 1)


def test_an_edit_into_a_threat_counts(store: Store, classifier: Classifier) -> None:
    messages = says(["hello"] * len(THREAT))
    into = [replace(message, text=text) for message, text in zip(messages, THREAT, strict=True)]
    guard = guard_of(store, classifier)
    guard.receive(messages)
    assert waiting(store) == []
    guard.receive(into)
    kinds = [type(effect) for effect in waiting(store)]
    assert (kinds.count(AlertModerators), kinds.count(AdviseTarget)) == (1, 1)


# Forgetting.


@pytest.mark.parametrize(
    ("account", "own", "level"),
    [
        (KAYLA, False, Level.NONE),
        (KAYLA, True, Level.ALERT),
        (SAM, False, Level.ALERT),
        (SAM, True, Level.ALERT),
    ],
)
def test_what_somebody_wrote_is_forgotten_in_memory_too_but_not_at_their_own_wish(
    store: Store, account: Account, own: bool, level: Level
) -> None:
    guard = guard_of(store, reader(word=(0.3, -2.0)))
    guard.receive(says(["word", "word", "word"]))
    guard.forget(account, own=own)
    found = [decision.found.level for decision in guard.receive(says(["word"], minutes=5))]
    assert max(found, default=Level.NONE) is level


def test_nobody_makes_haven_forget_a_threat_while_they_make_it(store: Store, classifier: Classifier) -> None:
    guard = guard_of(store, classifier)
    for message in says(THREAT):
        guard.receive([message])
        guard.forget(KAYLA, own=True)
    kinds = [type(effect) for effect in waiting(store)]
    assert (kinds.count(AlertModerators), kinds.count(AdviseTarget)) == (1, 1)


@pytest.mark.parametrize("hours", [0.2, 30])
def test_who_was_warned_and_has_it_erased_is_not_warned_again_when_the_sender_goes_on(
    store: Store, classifier: Classifier, hours: float
) -> None:
    guard = guard_of(store, classifier)
    guard.receive(says(THREAT))
    assert [type(effect) for effect in performed(store)].count(AdviseTarget) == 1
    assert guard.forget(SAM, own=True) == 1
    guard.receive(says(["well? answer me", THREAT[1]], minutes=60 * hours))
    case = store.case("home", KAYLA, Kind.THREAT)
    assert case
    assert case.targets == (Target(SAM, Advice.RECENT),)
    assert not [effect for effect in performed(store) if isinstance(effect, AdviseTarget)]
    guard.receive(says(["i want to die"], minutes=60 * hours + 5, author=SAM, to=KAYLA))
    assert [effect.crisis for effect in performed(store) if isinstance(effect, AdviseTarget)] == [True]


def test_whoever_else_is_aimed_at_after_somebody_was_forgotten_is_warned(store: Store, classifier: Classifier) -> None:
    ben = Account("console", "Ben")
    guard = guard_of(store, classifier)
    guard.receive(says(THREAT))
    performed(store)
    guard.forget(SAM, own=True)
    guard.receive(says(THREAT, channel="garden", minutes=30, to=ben))
    assert [effect.target for effect in performed(store) if isinstance(effect, AdviseTarget)] == [ben]


def test_what_is_past_its_age_leaves_memory_although_nobody_speaks(store: Store) -> None:
    now = NOON
    memory = Memory(10, timedelta(days=7))
    guard = Guard(reader(word=(0.3, -2.0)), memory, store, lambda _: Policy(), lambda: now)
    guard.receive(says(["word"]))
    for days, left in ((7, 1), (7.01, 0)):
        now = NOON + timedelta(days=days)
        guard.expire()
        assert len(memory) == left


@pytest.mark.parametrize("own", [True, False])
def test_who_asks_for_it_themselves_does_not_erase_that_they_threatened(store: Store, own: bool) -> None:
    guard = guard_of(store, reader(menace=(2.0, -2.0)))
    guard.receive(says(["menace"]))
    before = store.case("home", KAYLA, Kind.THREAT)
    assert before
    assert guard.forget(KAYLA, own=own) == (0 if own else 1)
    assert store.case_of(before.id) == (before if own else None)
    assert guard.forget(SAM, own=own) == (1 if own else 0)


# Time.


@pytest.mark.parametrize("channel", ["lobby", "garden"])
def test_a_message_from_the_future_blinds_no_channel(store: Store, channel: str) -> None:
    guard = guard_of(store, reader(word=(0.3, -2.0)))
    guard.receive(says(["word", "word", "word"]))
    guard.receive(says(["hello"], channel=channel, minutes=400 * 24 * 60, author=SAM, to=KAYLA))
    found = [guard.receive(says(["word"], minutes=minutes))[0].found for minutes in (5, 6)]
    assert [one.level for one in found] == [Level.ALERT, Level.ADVISE]
