"""What people may ask for themselves, with the model that comes with Haven and a real database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bot import advice
from bot import people as people_module
from bot.advice import Finding
from bot.app import composed, open_classifier
from bot.case import Case, Post, after, view
from bot.config import Config, PolicySettings
from bot.effects import Advice, AdviseTarget, AlertModerators, Delivery, Effect, Outcome, Ruling, Target, UpdateAlert
from bot.parts import Parts
from bot.people import NotSetUpError, People, TooManyReportsError
from bot.policy import Mode
from bot.sealing import Seal, one_time_seal
from bot.store import Store
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker
from classifiers.classifier import Classifier
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA, SAM, BEN, MO = (Account("console", f"{name}-4711") for name in ("kayla", "sam", "ben", "mo"))
BIT_BY_BIT = ("you have 30 minutes", "dont block me", "i saved all your followers", "send me 400 in gift cards or else")
THREAT = "or i send your nudes to your mum and your whole family"
TOLD = "someone is blackmailing me"
WORDS = "pay or I send it to your family"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


def case_about(account: Account = KAYLA, id: str = "c1", *targets: Account, kind: Kind = Kind.THREAT) -> Case:
    """A case whose alert is in front of the moderators."""
    return Case(
        id=id,
        space="home",
        channel="lobby",
        message_id="m1",
        kind=kind,
        about=account,
        level=Level.ADVISE,
        opened_at=NOON,
        seen_at=NOON,
        locale="en-GB",
        targets=tuple(Target(target, Advice.DELIVERED) for target in targets),
        evidence=(Evidence(Marker.SHARE_THREAT, "m1", 0.9, WORDS),),
        post=Post("post-1"),
    )


def waiting(store: Store) -> list[Effect]:
    """Settle all that waits and return it."""
    found: list[Effect] = []
    while row := store.begin("console", NOON.timestamp() + 10**6):
        found.append(row.effect)
        store.settle(row, Delivery(Outcome.DELIVERED, "post-1"), NOON.timestamp())
    return found


def unstarted(id: str, about: Account) -> Case:
    """A case whose warning waits until Sam opens a chat with Haven."""
    return replace(case_about(about, id), targets=(Target(SAM, Advice.UNSTARTED),))


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_classifier(Config(), Path())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seal() -> Seal:
    return one_time_seal()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "haven.db"


@pytest.fixture
def haven(file: Path, seal: Seal, classifier: Classifier, clock: Clock) -> Iterator[Parts]:
    with composed(Config(), Store(file, seal), [], classifier, clock) as parts:
        yield parts


@pytest.fixture
def store(haven: Parts) -> Store:
    return haven.store


@pytest.fixture
def people(haven: Parts) -> People:
    return haven.people


@pytest.fixture
def check(people: People) -> Callable[..., Finding]:
    """Check texts one after the other and return what the last came to."""
    keys = count()

    def checked(*texts: str, person: Account = SAM, author: Account | None = None) -> Finding:
        return [people.check(person, text, str(next(keys)), author).finding for text in texts][-1]

    return checked


# A private check.


@pytest.mark.parametrize("author", [None, KAYLA])
def test_what_others_wrote_is_blackmail_or_a_sign_of_it_or_nothing(
    people: People, check: Callable[..., Finding], author: Account | None
) -> None:
    assert check("morning, pizza on friday?", author=author) is Finding.NOTHING
    assert check("i saved all your followers", person=BEN, author=author) is Finding.SIGNS
    assert check(THREAT, person=MO, author=author) is Finding.BLACKMAIL
    verdict = people.check(MO, THREAT, "again", author)
    assert {seen.marker for seen in verdict.evidence} >= {Marker.SHARE_THREAT, Marker.CONTACTS_THREAT}
    assert any(seen.excerpt == THREAT for seen in verdict.evidence)


@pytest.mark.parametrize("author", [None, KAYLA])
@pytest.mark.parametrize(
    "line",
    [
        "i have your nudes, pay or i send them to your mum",
        "if you tell anyone i will leak your pics",
        "pay me or i show your mum",
        "i saved all your followers",
        "send me 400 in gift cards or else",
        "i will send this to your family",
    ],
)
def test_a_hint_is_enough_for_a_sign(check: Callable[..., Finding], line: str, author: Account | None) -> None:
    assert check(line, author=author) in (Finding.SIGNS, Finding.BLACKMAIL)


@pytest.mark.parametrize("author", [None, SAM, KAYLA])
@pytest.mark.parametrize(
    "line",
    [
        "morning, pizza on friday?",
        "can you pay me back the tenner from saturday",
        "here are the photos from the beach",
        "i sent the video to mum, she loved it",
        "hurry up, the bus leaves in 5 minutes",
        "happy birthday!",
        "did you do the maths homework",
        "lol ok",
        "",
    ],
)
def test_ordinary_lines_are_nothing(check: Callable[..., Finding], line: str, author: Account | None) -> None:
    assert check(line, author=author) is Finding.NOTHING


def read(level: Level, *seen: tuple[Marker, float], kind: Kind = Kind.THREAT) -> Assessment:
    evidence = tuple(Evidence(marker, "m", probability, "words") for marker, probability in seen)
    return Assessment("m", "home", "lobby", NOON, kind, level, 0.5, KAYLA, SAM, evidence)


@pytest.mark.parametrize(
    ("found", "finding"),
    [
        (read(Level.NONE), Finding.NOTHING),
        (read(Level.NONE, (Marker.SHARE_THREAT, 0.09)), Finding.NOTHING),
        (read(Level.NONE, (Marker.SHARE_THREAT, 0.1)), Finding.SIGNS),
        (read(Level.NONE, (Marker.CONTACTS_THREAT, 0.24)), Finding.NOTHING),
        (read(Level.NONE, (Marker.CONTACTS_THREAT, 0.25)), Finding.SIGNS),
        (read(Level.NONE, (Marker.PAYMENT_DEMAND, 0.9)), Finding.NOTHING),
        (read(Level.NONE, (Marker.PAYMENT_DEMAND, 0.9), (Marker.PRESSURE, 0.24)), Finding.NOTHING),
        (read(Level.NONE, (Marker.PAYMENT_DEMAND, 0.9), (Marker.PRESSURE, 0.25)), Finding.SIGNS),
        (read(Level.NONE, (Marker.ISOLATION, 0.9), (Marker.DISTRESS, 0.9)), Finding.NOTHING),
        (read(Level.NOTICE), Finding.SIGNS),
        (read(Level.ALERT), Finding.BLACKMAIL),
        (read(Level.ADVISE), Finding.BLACKMAIL),
        (read(Level.NOTICE, kind=Kind.DISCLOSURE), Finding.TOLD),
        (read(Level.NONE, (Marker.SHARE_THREAT, 0.5), kind=Kind.DISCLOSURE), Finding.SIGNS),
    ],
)
def test_what_is_enough_for_which_answer(found: Assessment, finding: Finding) -> None:
    assert people_module._finding(found) is finding


@pytest.mark.parametrize(
    ("text", "title"), [("lol ok", "I cannot tell from this"), ("i want to die", "Please read this first")]
)
def test_what_is_not_recognised_is_never_called_nothing(people: People, text: str, title: str) -> None:
    verdict = people.check(SAM, text, "m1")
    assert verdict.finding is Finding.NOTHING
    assert advice.checked("en-GB", verdict.finding, verdict.evidence, crisis=verdict.crisis).title == title


def test_what_was_checked_is_dropped_after_an_hour_although_nobody_asks(people: People, clock: Clock) -> None:
    people.check(SAM, THREAT, "m1")
    for minutes, left in ((59, 2), (2, 0)):
        clock.forward(minutes=minutes)
        people.expire()
        assert len(people._checks) == left


def test_several_checks_in_a_row_are_read_as_one_conversation(check: Callable[..., Finding], clock: Clock) -> None:
    assert check(BIT_BY_BIT[-1], person=BEN) is Finding.SIGNS
    for text in BIT_BY_BIT[:-1]:
        assert check(text) in (Finding.NOTHING, Finding.SIGNS)
        clock.forward(minutes=59)
    assert check(BIT_BY_BIT[-1]) is Finding.BLACKMAIL


def test_what_was_checked_more_than_an_hour_ago_counts_no_more(check: Callable[..., Finding], clock: Clock) -> None:
    check(*BIT_BY_BIT[:-1])
    clock.forward(minutes=61)
    assert check(BIT_BY_BIT[-1]) is Finding.SIGNS


def test_each_person_is_answered_from_their_own_checks_only(check: Callable[..., Finding]) -> None:
    check(*BIT_BY_BIT[:-1], person=BEN)
    check(*BIT_BY_BIT[:-1], person=Account("elsewhere", SAM.id))
    assert check(BIT_BY_BIT[-1]) is Finding.SIGNS


def test_the_same_message_checked_again_counts_once(people: People) -> None:
    line = BIT_BY_BIT[2]
    once = people.check(SAM, line, "m1", KAYLA)
    assert [people.check(SAM, line, "m1", KAYLA) for _ in range(5)] == [once] * 5


@pytest.mark.parametrize("author", [None, SAM, KAYLA], ids=["typed", "their own", "a friend's"])
def test_who_tells_of_blackmail_is_not_told_that_they_blackmail(
    check: Callable[..., Finding], author: Account | None
) -> None:
    assert check(TOLD, author=author) is Finding.TOLD


@pytest.mark.parametrize("author", [None, SAM, KAYLA])
@pytest.mark.parametrize(("text", "crisis"), [("i want to die", True), (f"{TOLD}, i want to die", True), (TOLD, False)])
def test_despair_is_answered_first(people: People, text: str, crisis: bool, author: Account | None) -> None:
    verdict = people.check(SAM, text, "m1", author)
    assert verdict.crisis is crisis
    page = advice.checked("en-GB", verdict.finding, verdict.evidence, crisis=verdict.crisis)
    assert ("Samaritans" in page.sections[0].body) is crisis


def test_what_is_checked_is_never_written(people: People, store: Store, file: Path) -> None:
    before = bytes_of(file.parent)
    for number, text in enumerate((*BIT_BY_BIT, THREAT, TOLD, "i want to die")):
        for author in (None, SAM, KAYLA):
            people.check(SAM, text, f"{number}-{author}", author)
    assert bytes_of(file.parent) == before
    assert store.spaces() == []
    store.close()
    held = bytes_of(file.parent)
    for word in (SAM.id, "minutes", "gift cards", "family", "blackmailing", "want to die"):
        assert word.encode() not in held


# Choices.


def test_a_choice_about_private_warnings_is_kept(people: People, store: Store) -> None:
    assert people.protected(SAM) is None
    for on in (True, False):
        people.protect(SAM, on=on)
        assert people.protected(SAM) is on
        assert store.recipient(SAM).opted_in is on
    assert people.protected(BEN) is None


def test_who_says_that_a_warning_was_not_about_them_is_heard_once(people: People, store: Store) -> None:
    case = case_about(KAYLA, "c1", SAM, BEN)
    store.record(case, [], 0.0)
    for _ in range(2):
        people.disclaim(SAM, "c1")
    now = store.case_of("c1")
    assert now == replace(case, targets=(Target(SAM, Advice.DISPUTED), Target(BEN, Advice.DELIVERED)))
    assert waiting(store) == [UpdateAlert(view(now), "post-1")]


@pytest.mark.parametrize("person", [KAYLA, MO, Account("elsewhere", SAM.id)])
def test_nobody_disclaims_what_was_not_sent_to_them(people: People, store: Store, person: Account) -> None:
    case = case_about(KAYLA, "c1", SAM)
    store.record(case, [], 0.0)
    people.disclaim(person, "c1")
    people.disclaim(SAM, "gone")
    assert store.case_of("c1") == case
    assert waiting(store) == []


# Reports.


def test_a_report_is_recorded_for_the_moderators_and_sealed(people: People, store: Store, file: Path) -> None:
    case = people.report(SAM, WORDS, KAYLA, space="home", channel="lobby", key="r1")
    assert store.case_of(case.id) == case
    assert (case.about, case.accused, case.opened_at, case.crisis) == (SAM, KAYLA, NOON, False)
    assert waiting(store) == [AlertModerators(view(case))]
    store.close()
    assert WORDS.encode() not in bytes_of(file.parent)


@pytest.mark.parametrize(("text", "crisis"), [("i want to die", True), ("he annoys me", False), ("", False)])
def test_despair_in_a_report_is_told_to_the_moderators(people: People, text: str, crisis: bool) -> None:
    assert people.report(SAM, text, None, space="home", channel="lobby", key="r1").crisis is crisis


def test_three_reports_in_an_hour_are_enough_also_after_a_restart(
    people: People, store: Store, file: Path, seal: Seal, classifier: Classifier, clock: Clock
) -> None:
    def report(people: People, key: str, member: Account = SAM, space: str = "home") -> Case:
        return people.report(member, "help", None, space=space, channel="lobby", key=key)

    for key in ("a", "b", "c"):
        report(people, key)
        clock.forward(minutes=10)
    for _ in range(2):
        with pytest.raises(TooManyReportsError):
            report(people, "d")
    assert len(waiting(store)) == 3
    assert report(people, "e", member=BEN).about == BEN
    assert report(people, "f", space="work").space == "work"
    store.close()
    with composed(Config(), Store(file, seal), [], classifier, clock) as again:
        with pytest.raises(TooManyReportsError):
            report(again.people, "g")
        clock.forward(minutes=31)
        assert report(again.people, "h").id
        with pytest.raises(TooManyReportsError):
            report(again.people, "i")


def test_at_most_five_reports_an_hour_in_a_space_call_the_role_and_all_come(
    file: Path, seal: Seal, classifier: Classifier, clock: Clock
) -> None:
    config = Config(policy=PolicySettings(page_role="9"))
    with composed(config, Store(file, seal), [], classifier, clock) as haven:

        def report(number: int, space: str = "home") -> Case:
            member = Account("console", f"member {number}")
            return haven.people.report(member, "help", None, space=space, channel="lobby", key=str(number))

        haven.store.record(replace(case_about(), reported=False), [], 0.0)  # no report
        pages = []
        for number in range(7):
            pages.append(report(number).page)
            clock.forward(minutes=5)
        assert pages == ["9"] * 5 + [None] * 2
        alerts = [effect.alert for effect in waiting(haven.store) if isinstance(effect, AlertModerators)]
        assert [alert.page for alert in alerts] == pages
        assert report(7, space="work").page == "9"
        clock.forward(minutes=40)
        assert report(8).page == "9"


def test_what_haven_saw_of_somebody_does_not_count_as_their_report(people: People, store: Store) -> None:
    for number in range(5):
        store.record(case_about(SAM, f"c{number}", SAM, kind=Kind.DISCLOSURE), [], 0.0)
    assert people.report(SAM, "help", None, space="home", channel="lobby", key="r").reported


def test_before_the_moderators_can_be_reached_a_report_is_refused_and_not_recorded(
    file: Path, seal: Seal, classifier: Classifier, clock: Clock
) -> None:
    with composed(Config(), Store(file, seal), [], classifier, clock, needs_channel=True) as haven:
        with pytest.raises(NotSetUpError):
            haven.people.report(SAM, "help", None, space="home", channel="lobby", key="r1")
        assert haven.store.spaces() == []
        assert waiting(haven.store) == []
        haven.policies.choose("home", MO, {"alert_channel": "77", "page_role": "9"}, 0.0)
        assert haven.people.report(SAM, "help", None, space="home", channel="lobby", key="r1").page == "9"


# What is kept about somebody.


def exported(people: People, person: Account) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(people.export(person))
    return held


def test_of_somebody_unknown_nothing_is_kept(people: People, store: Store) -> None:
    store.record(case_about(KAYLA, "c1", BEN), [], 0.0)
    assert exported(people, SAM) == {
        "account": {"platform": "console", "id": SAM.id},
        "private_messages": "not chosen",
        "last_written_to": None,
        "cases": [],
    }


def test_the_cases_of_somebody_aimed_at_are_shown_without_the_words_and_names_of_others(
    people: People, store: Store
) -> None:
    case = case_about(KAYLA, "c1", SAM, BEN)
    warning = AdviseTarget("c1", "home", SAM, Kind.THREAT, "en-GB", crisis=False)
    store.record(case, [warning], 0.0)
    people.protect(SAM, on=True)
    held = exported(people, SAM)
    assert (held["private_messages"], held["last_written_to"]) == ("on", "2026-11-21T12:00:00Z")
    (told,) = held["cases"]
    assert (told["case"], told["kind"], told["community"], told["opened"]) == (
        "c1",
        "threat",
        "home",
        "2026-11-21T12:00:00Z",
    )
    assert (told["warning"], told["your_words"]) == (["delivered"], [])
    for hidden in (WORDS, KAYLA.id, BEN.id):
        assert hidden not in people.export(SAM).decode()


def test_what_somebody_told_is_shown_in_their_own_words(people: People, store: Store) -> None:
    people.report(SAM, "he scares me", KAYLA, space="home", channel="lobby", key="r1")
    (told,) = exported(people, SAM)["cases"]
    assert (told["kind"], told["your_words"], told["warning"]) == ("disclosure", ["he scares me"], ["asked"])
    assert KAYLA.id not in people.export(SAM).decode()


def test_nobody_learns_whether_others_hold_them_to_threaten_somebody(people: People, store: Store) -> None:
    nothing = exported(people, KAYLA)
    store.record(case_about(KAYLA, "c1", SAM), [], 0.0)
    store.record(replace(case_about(KAYLA, "c2"), ruling=Ruling.CONFIRMED, likely=BEN), [], 0.0)
    people.report(SAM, "it is her", KAYLA, space="home", channel="lobby", key="r1")
    assert exported(people, KAYLA) == nothing
    store.record(case_about(SAM, "c3", KAYLA), [], 0.0)
    assert [case["case"] for case in exported(people, KAYLA)["cases"]] == ["c3"]


# Having it erased.


def test_who_is_forgotten_is_named_in_no_case_of_others_and_the_alert_is_edited(people: People, store: Store) -> None:
    case = case_about(KAYLA, "c1", SAM, BEN)
    guess = replace(case_about(BEN, "c2"), likely=SAM, post=Post("post-2"))
    unrelated = case_about(MO, "c3", BEN)
    for one in (case, guess, unrelated):
        store.record(one, [], 0.0)
    assert people.delete(SAM) == 2
    left = replace(case, targets=(Target(BEN, Advice.DELIVERED),), forgotten=True)
    assert left.evidence  # the words were aimed at Ben, too
    guessed = replace(guess, likely=None)
    assert [store.case_of(id) for id in ("c1", "c2", "c3")] == [left, guessed, unrelated]
    edits = [UpdateAlert(view(left), "post-1"), UpdateAlert(view(guessed), "post-2")]
    assert sorted(waiting(store), key=str) == sorted(edits, key=str)
    assert exported(people, SAM)["cases"] == []
    assert people.delete(SAM) == 0


def test_what_somebody_told_goes_also_where_a_moderator_has_named_somebody_else(
    haven: Parts, people: People, store: Store, file: Path
) -> None:
    report = people.report(SAM, WORDS, KAYLA, space="home", channel="lobby", key="r1")
    store.record(replace(report, post=Post("post-1")), [], 0.0)
    haven.moderation.advise("home", report.id, BEN, MO)
    waiting(store)
    people.delete(SAM)
    held = store.case_of(report.id)
    assert held
    assert (held.targets, held.evidence, held.accused) == ((), (), None)
    assert haven.moderation.cases("home") == []
    assert waiting(store) == [UpdateAlert(view(held), "post-1")]
    store.close()
    assert SAM.id.encode() not in bytes_of(file.parent)


def test_a_threat_stays_whatever_its_sender_wants_erased(people: People, store: Store) -> None:
    case = case_about(KAYLA, "c1", SAM)
    aimed = case_about(BEN, "c2", KAYLA)
    for one in (case, aimed):
        store.record(one, [], 0.0)
    assert people.delete(KAYLA) == 1
    assert store.case_of("c1") == case
    assert store.case_of("c2") == replace(aimed, targets=(), evidence=(), forgotten=True)
    assert [effect.alert.case for effect in waiting(store) if isinstance(effect, UpdateAlert)] == ["c2"]


def test_a_report_stays_whatever_the_accused_wants_erased(people: People, store: Store) -> None:
    case = people.report(SAM, WORDS, KAYLA, space="home", channel="lobby", key="r1")
    assert people.delete(KAYLA) == 0
    assert store.case_of(case.id) == case


def test_what_somebody_told_is_erased_with_their_name(people: People, store: Store, file: Path) -> None:
    unposted = replace(case_about(SAM, "c1", SAM, kind=Kind.DISCLOSURE), post=None)
    store.record(unposted, [], 0.0)
    assert people.delete(SAM) == 1
    assert store.case_of("c1") is None
    assert store.spaces() == []
    assert SAM.id.encode() not in bytes_of(file.parent)


def test_the_alert_of_what_somebody_told_is_edited_too(people: People, store: Store, file: Path) -> None:
    told = case_about(SAM, "c1", SAM, kind=Kind.DISCLOSURE)
    store.record(told, [], 0.0)
    report = people.report(SAM, WORDS, KAYLA, space="home", channel="lobby", key="r1")
    store.record(replace(report, post=Post("post-2")), [], 0.0)
    waiting(store)
    assert people.delete(SAM) == 2
    edits = [effect for effect in waiting(store) if isinstance(effect, UpdateAlert)]
    assert {edit.reference for edit in edits} == {"post-1", "post-2"}
    for edit in edits:
        assert (edit.alert.targets, edit.alert.evidence, edit.alert.sender) == ((), (), None)
    assert exported(people, SAM)["cases"] == []
    store.close()
    assert SAM.id.encode() not in bytes_of(file.parent)


def test_the_choice_of_who_is_forgotten_stays_and_their_warning_is_dropped(people: People, store: Store) -> None:
    case = replace(case_about(KAYLA, "c1", SAM), targets=(Target(SAM, Advice.PENDING),))
    store.record(case, [AdviseTarget("c1", "home", SAM, Kind.THREAT, "en-GB", crisis=False)], 0.0)
    people.protect(SAM, on=False)
    people.delete(SAM)
    assert people.protected(SAM) is False
    assert exported(people, SAM)["last_written_to"] is None
    assert [type(effect) for effect in waiting(store)] == [UpdateAlert]


def test_who_was_warned_is_not_warned_again_because_they_had_it_erased(people: People, store: Store) -> None:
    case = replace(case_about(KAYLA, "c1", SAM), targets=(Target(SAM, Advice.DELIVERED),))
    store.record(case, [AdviseTarget("c1", "home", SAM, Kind.THREAT, "en-GB", crisis=False)], 0.0)
    while row := store.begin("console", 1.0):
        store.settle(row, Delivery(Outcome.DELIVERED), 1.0)
    warned = store.recipient(SAM).advised_at
    people.delete(SAM)
    assert store.recipient(SAM).advised_at == warned is not None


def test_who_only_despaired_is_forgotten_too(people: People, store: Store) -> None:
    case = replace(case_about(KAYLA, "c1", SAM), crisis=True, despairing=SAM, also_despairing=(MO,))
    store.record(case, [], 0.0)
    assert people.delete(MO) == 1
    assert store.case_of("c1") == replace(case, also_despairing=())


def test_what_was_told_while_its_alert_is_on_its_way_is_erased_from_it(people: People, store: Store) -> None:
    report = people.report(SAM, WORDS, KAYLA, space="home", channel="lobby", key="r1")
    row = store.begin("console", NOON.timestamp() + 1)
    assert row
    assert report.post == Post()
    people.delete(SAM)
    held = store.case_of(report.id)
    assert held
    store.settle(row, Delivery(Outcome.DELIVERED, "post-1"), 1.0)
    now, effects = after(held, row.effect, Delivery(Outcome.DELIVERED, "post-1"))
    (edit,) = effects
    assert isinstance(edit, UpdateAlert)
    assert edit.alert.evidence == now.evidence == ()
    assert now.about != SAM


def test_what_was_checked_is_forgotten_too(people: People, check: Callable[..., Finding]) -> None:
    check(*BIT_BY_BIT[:-1])
    people.delete(BEN)
    assert check(BIT_BY_BIT[-1]) is Finding.BLACKMAIL
    people.delete(SAM)
    assert check(BIT_BY_BIT[-1]) is Finding.SIGNS


def test_a_closed_database_is_left_without_a_trace_of_who_was_forgotten(
    people: People, store: Store, file: Path, seal: Seal
) -> None:
    store.record(case_about(KAYLA, "c1", SAM), [], 0.0)
    people.delete(SAM)
    store.close()
    assert SAM.id.encode() not in bytes_of(file.parent)
    with closing(Store(file, seal)) as again:
        assert SAM not in [target.account for case in again.latest_cases("home", 9) for target in case.targets]


def test_what_was_shown_before_never_makes_less_of_a_threat(people: People) -> None:
    line = "pay me 400 or i send your nudes to your mum"
    assert people.check(SAM, line, "1").finding is Finding.BLACKMAIL
    for key, author in enumerate((KAYLA, BEN, SAM, None)):
        assert people.check(SAM, line, f"m{key}", author).finding is Finding.BLACKMAIL, author


def test_of_the_warnings_that_waited_the_latest_is_sent_once(haven: Parts, people: People, store: Store) -> None:
    first, second = unstarted("c1", KAYLA), replace(unstarted("c2", BEN), seen_at=NOON + timedelta(hours=1))
    for case in (first, second):
        store.record(case, (), NOON.timestamp())
    for _ in range(2):
        people.started(SAM)
    warned = [effect.case for effect in waiting(store) if isinstance(effect, AdviseTarget)]
    assert warned == ["c2"]
    held = {case.id: case.targets[0].advice for case in store.cases_naming(SAM)}
    assert held == {"c1": Advice.RECENT, "c2": Advice.PENDING}


# The parts together.


SCRIPT = (
    "i recorded our video call, i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family tonight",
)
GOES_ON = ("well? answer me", "pay now or i post your nudes everywhere. dont block me")


def threatened(haven: Parts, number: int, lines: Sequence[str], minutes: float) -> list[str]:
    """Let the sender of a number write to their target, and post the alerts; return whose they are."""
    sender, target = (Account("console", f"{who}-{number}") for who in ("raider", "target"))
    haven.guard.receive(
        [
            Message(f"{number} {minutes} {i}", "home", f"room {number}", sender, line, at, (target,))
            for i, line in enumerate(lines)
            for at in (NOON + timedelta(minutes=minutes + i / 10),)
        ]
    )
    alerts = []
    while row := haven.store.begin("console", NOON.timestamp() + 10**6):
        delivery = Delivery(Outcome.DELIVERED, f"post-{row.case}")
        haven.store.settle(row, delivery, NOON.timestamp())
        held = haven.store.case_of(row.case)
        assert held
        haven.store.record(*after(held, row.effect, delivery), NOON.timestamp())
        if isinstance(row.effect, AlertModerators):
            alerts.append(row.effect.alert.case)
    return alerts


@pytest.mark.parametrize("own", [True, False])
def test_a_raider_who_goes_on_is_alerted_although_their_target_was_forgotten_and_haven_started_anew(
    file: Path, seal: Seal, classifier: Classifier, clock: Clock, own: bool
) -> None:
    with composed(Config(), Store(file, seal), [], classifier, clock) as haven:
        told = [threatened(haven, number, SCRIPT, number) for number in range(4)]
        assert [len(alerts) for alerts in told] == [1, 1, 1, 0]
        target = Account("console", "target-3")
        assert (haven.people.delete(target) if own else haven.guard.forget(target)) == 1
    with composed(Config(), Store(file, seal), [], classifier, clock) as haven:
        held = haven.store.case("home", Account("console", "raider-3"), Kind.THREAT)
        assert held
        assert held.evidence == ()
        assert threatened(haven, 3, GOES_ON, 60) == [held.id]
        assert len(threatened(haven, 4, SCRIPT, 61)) == 1


def test_what_waited_for_a_choice_is_tried_again_at_once(haven: Parts, store: Store, clock: Clock) -> None:
    here, there = case_about(KAYLA, "c1", SAM), replace(case_about(BEN, "c2", SAM), space="work")
    for case in (here, there):
        store.record(case, [AlertModerators(view(case))], NOON.timestamp())
        row = store.begin("console", NOON.timestamp())
        assert row
        store.postpone(row, NOON.timestamp() + 900, undone=True)
    clock.forward(seconds=10)
    haven.set_up("home", MO, {"alert_channel": "77"})
    assert haven.policies.of("home").alert_channel == "77"
    assert [entry.at for entry in haven.records.trail("home")] == [NOON.timestamp() + 10]
    row = store.begin("console", NOON.timestamp() + 10)
    assert row
    assert row.case == "c1"
    assert store.begin("console", NOON.timestamp() + 10, ("c1",)) is None


def test_a_bad_choice_hastens_nothing(haven: Parts, store: Store) -> None:
    case = case_about(KAYLA, "c1", SAM)
    store.record(case, [AlertModerators(view(case))], NOON.timestamp())
    row = store.begin("console", NOON.timestamp())
    assert row
    store.postpone(row, NOON.timestamp() + 900, undone=True)
    with pytest.raises(InputError):
        haven.set_up("home", MO, {"mode": "loud"})
    assert store.next_due("console") == NOON.timestamp() + 900


def test_a_space_that_haven_leaves_starts_anew(haven: Parts, store: Store) -> None:
    haven.set_up("home", MO, {"mode": "observe", "alert_channel": "77"})
    store.record(case_about(KAYLA, "c1", SAM), [], 0.0)
    assert (haven.policies.of("home").mode, haven.policies.alerting("77")) == (Mode.OBSERVE, ["home"])
    haven.leave("home")
    assert store.spaces() == []
    assert haven.policies.of("home") == Config().policy_of("home", {})
    assert haven.policies.alerting("77") == []
