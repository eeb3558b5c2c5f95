"""The pure folds: what is found, delivered, ruled and wished becomes a case and effects."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from bot.case import Case, Post, after, decide, despair, view
from bot.effects import (
    Advice,
    AdviseTarget,
    Alert,
    AlertModerators,
    Delivery,
    Effect,
    Outcome,
    PageModerators,
    Ruling,
    Target,
    UpdateAlert,
)
from bot.policy import AdviceBy, Mode, Policy, Recipient
from bot.rulings import advise, rule, withheld
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker
from classifiers.conversation import Account

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SENDER, SAM, BEN = (Account("console", name) for name in ("kayla", "Sam", "Ben"))
USUAL = Policy()
NOBODY_YET = Recipient()
NOT_YET_WRITTEN_TO = (Advice.UNSURE, Advice.WAITING, Advice.RECENT, Advice.DECLINED)
WARNED = (Advice.PENDING, Advice.HELD, Advice.DELIVERED, Advice.ASKED)
SENDABLE = (Advice.WAITING, Advice.UNSURE, Advice.FAILED, Advice.UNKNOWN, Advice.RECENT, Advice.ASKED)
ALERTED = Delivery(Outcome.DELIVERED, reference="post-1")


def threat(
    level: Level = Level.ADVISE,
    *,
    target: Account | None = SAM,
    hours: float = 0,
    markers: tuple[Marker, ...] = (Marker.SHARE_THREAT,),
    probability: float = 0.9,
    crisis: bool = False,
) -> Assessment:
    """What is found when the sender threatens, so many hours after noon."""
    return Assessment(
        message_id=f"m{hours}",
        space="home",
        channel="lobby",
        at=NOON + timedelta(hours=hours),
        kind=Kind.THREAT,
        level=level,
        score=0.9,
        sender=SENDER,
        target=target,
        evidence=tuple(Evidence(marker, f"m{hours}", probability, "words") for marker in markers),
        crisis=crisis,
    )


def disclosure(level: Level = Level.ADVISE) -> Assessment:
    return replace(threat(level), kind=Kind.DISCLOSURE, sender=None)


def decided(
    case: Case | None, found: Assessment, policy: Policy = USUAL, recipient: Recipient = NOBODY_YET
) -> tuple[Case, tuple[Effect, ...]]:
    now, effects = decide(case, found, policy, recipient)
    assert now is not None
    return now, effects


def posted(level: Level = Level.ADVISE) -> Case:
    """A case whose alert is in front of the moderators, and whose warning, at that level, is on its way."""
    opened, effects = decided(None, threat(level))
    assert isinstance(effects[0], AlertModerators)
    return after(opened, effects[0], ALERTED)[0]


def crisis_warning(case: Case) -> AdviseTarget:
    return AdviseTarget(case.id, "home", SAM, Kind.THREAT, "en-GB", crisis=True)


def despair_word(case: Case) -> PageModerators:
    """The word under the alert that somebody despairs; the space has no role."""
    return PageModerators(case.id, "home", None, "post-1", "crisis")


def advice_of(case: Case) -> dict[Account, Advice]:
    return {target.account: target.advice for target in case.targets}


def with_advice(advice: Advice) -> Case:
    return replace(posted(), targets=(Target(SAM, advice),))


# What is found.


def test_nothing_found_changes_nothing() -> None:
    case = posted()
    assert decide(None, threat(Level.NONE), USUAL, NOBODY_YET) == (None, ())
    assert decide(case, threat(Level.NONE, hours=1), USUAL, NOBODY_YET) == (case, ())


@pytest.mark.parametrize("level", [Level.NOTICE, Level.ALERT, Level.ADVISE])
def test_each_level_does_what_the_lower_ones_do_and_more(level: Level) -> None:
    case, effects = decided(None, threat(level))
    assert case.level is level
    assert (case.about, case.space, case.channel, case.message_id) == (SENDER, "home", "lobby", "m0")
    alert = AlertModerators(view(case))
    warning = AdviseTarget(case.id, "home", SAM, Kind.THREAT, "en-GB", crisis=False)
    assert effects == {Level.NOTICE: (), Level.ALERT: (alert,), Level.ADVISE: (alert, warning)}[level]
    states = {Level.NOTICE: {}, Level.ALERT: {SAM: Advice.UNSURE}, Level.ADVISE: {SAM: Advice.PENDING}}
    assert advice_of(case) == states[level]


def test_a_disclosure_supports_who_tells_of_it_and_accuses_nobody() -> None:
    case, (alert, warning) = decided(None, disclosure())
    assert isinstance(alert, AlertModerators)
    assert alert.alert.sender is None
    assert (case.about, case.kind) == (SAM, Kind.DISCLOSURE)
    assert warning == AdviseTarget(case.id, "home", SAM, Kind.DISCLOSURE, "en-GB", crisis=False)


def test_the_warning_about_a_private_chat_says_so_and_no_moderator_is_told() -> None:
    case, effects = decided(None, threat(), Policy(protects=SAM))
    warned = AdviseTarget(case.id, "home", SAM, Kind.THREAT, "en-GB", crisis=False, private=True)
    assert effects == (warned,)
    case, effects = despair(replace(case, targets=(Target(SAM, Advice.DELIVERED),)), SAM, NOBODY_YET)
    assert effects == (replace(warned, crisis=True),)


def test_a_threat_at_nobody_in_particular_is_alerted_without_a_warning() -> None:
    case, effects = decided(None, threat(Level.ALERT, target=None))
    assert case.targets == ()
    assert effects == (AlertModerators(view(case)),)


def test_a_finding_about_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="sender or its target"):
        decide(None, replace(disclosure(), target=None), USUAL, NOBODY_YET)


def test_the_policy_says_in_which_language_and_whom_to_call() -> None:
    case, (alert, warning) = decided(None, threat(), Policy(locale="cy-GB", page="helpers"))
    assert isinstance(alert, AlertModerators)
    assert (alert.alert.page, alert.alert.locale) == ("helpers", "cy-GB")
    assert isinstance(warning, AdviseTarget)
    assert warning.locale == "cy-GB"
    moved, _ = decided(case, threat(hours=1), Policy(locale="en-GB"))
    assert (moved.page, moved.locale) == (None, "en-GB")


@pytest.mark.parametrize("later", [Level.NOTICE, Level.ALERT, Level.ADVISE])
@pytest.mark.parametrize("first", [Level.NOTICE, Level.ALERT, Level.ADVISE])
def test_the_level_only_rises(first: Level, later: Level) -> None:
    case, _ = decided(None, threat(first))
    assert decided(case, threat(later, hours=1))[0].level is max(first, later)


def test_the_time_last_seen_does_not_go_back_for_a_late_message() -> None:
    case, _ = decided(None, threat(hours=2))
    case, _ = decided(case, threat(hours=1))
    assert case.seen_at == NOON + timedelta(hours=2)
    assert case.opened_at == case.seen_at


# Once only.


def test_the_same_again_is_remembered_and_has_no_effect() -> None:
    case = posted()
    for hours in range(1, 20):
        case, effects = decided(case, threat(hours=hours))
        assert effects == ()
    assert case.seen_at == NOON + timedelta(hours=19)


def test_an_alert_on_its_way_is_not_sent_again() -> None:
    case, _ = decided(None, threat(Level.ALERT))
    case, effects = decided(case, threat(Level.ALERT, hours=1, markers=(Marker.PRESSURE,)))
    assert effects == ()
    assert case.post == Post()


def test_a_higher_level_edits_the_alert_and_warns() -> None:
    case, effects = decided(posted(level=Level.ALERT), threat(hours=1))
    update, warning = effects
    assert update == UpdateAlert(view(case), "post-1")
    assert isinstance(warning, AdviseTarget)
    assert case.level is Level.ADVISE


def test_a_second_target_gets_a_warning_and_the_moderators_an_edit() -> None:
    case, effects = decided(posted(), threat(hours=1, target=BEN))
    assert effects == (
        UpdateAlert(view(case), "post-1"),
        PageModerators(case.id, "home", None, "post-1", "another"),
        AdviseTarget(case.id, "home", BEN, Kind.THREAT, "en-GB", crisis=False),
    )
    assert advice_of(case) == {SAM: Advice.PENDING, BEN: Advice.PENDING}
    for hours, target in enumerate((SAM, BEN), start=2):
        case, effects = decided(case, threat(hours=hours, target=target))
        assert effects == ()


@pytest.mark.parametrize("advice", [advice for advice in Advice if advice not in NOT_YET_WRITTEN_TO])
def test_whoever_was_written_to_in_a_case_is_not_written_to_again(advice: Advice) -> None:
    case, effects = decided(with_advice(advice), threat(hours=48))
    assert effects == ()
    assert advice_of(case) == {SAM: advice}


@pytest.mark.parametrize("advice", NOT_YET_WRITTEN_TO)
def test_whoever_was_not_written_to_is_once_nothing_is_in_the_way(advice: Advice) -> None:
    case, effects = decided(with_advice(advice), threat(hours=48))
    assert [type(effect) for effect in effects] == [UpdateAlert, AdviseTarget]
    assert advice_of(case) == {SAM: Advice.PENDING}


@pytest.mark.parametrize(("hours", "over"), [(7 * 24, False), (7 * 24 + 1, True)])
def test_a_case_that_was_quiet_for_the_gap_is_over(hours: int, over: bool) -> None:
    case = replace(posted(), ruling=Ruling.CONFIRMED)
    later, effects = decided(case, threat(hours=hours))
    assert (later.id != case.id) is over
    assert (later.ruling is None) is over
    assert [type(effect) for effect in effects] == ([AlertModerators, AdviseTarget] if over else [])
    assert later.opened_at == (later.seen_at if over else NOON)


def test_the_gap_counts_from_when_the_case_was_last_seen() -> None:
    case = posted()
    for day in range(1, 30):
        case, effects = decided(case, threat(Level.NOTICE, hours=day * 24))
        assert effects == ()
    assert case.id == posted().id


def test_cases_of_other_spaces_kinds_accounts_and_incidents_have_ids_of_their_own() -> None:
    found = [
        threat(),
        threat(hours=1),
        replace(threat(), space="work"),
        replace(threat(), sender=BEN),
        replace(threat(), sender=Account("elsewhere", SENDER.id)),
        disclosure(),
        replace(threat(), sender=SAM, target=None),
    ]
    ids = {decided(None, one)[0].id for one in found}
    assert len(ids) == len(found)
    assert decided(None, threat())[0].id in ids


# Who may be written to, and when.


@pytest.mark.parametrize(("mode", "opted_in"), list(product(Mode, (None, True))))
def test_the_mode_says_how_far_it_goes(mode: Mode, opted_in: bool | None) -> None:
    case, effects = decided(None, threat(), Policy(mode=mode), Recipient(opted_in=opted_in))
    kinds = [type(effect) for effect in effects]
    assert kinds == [[], [AlertModerators], [AlertModerators, AdviseTarget]][mode]
    assert advice_of(case) == {SAM: Advice.PENDING if mode is Mode.ADVISE else Advice.WAITING}
    assert (case.post is None) is (mode is Mode.OBSERVE)


def test_a_space_that_stops_only_observing_is_alerted_at_the_next_message() -> None:
    case, _ = decided(None, threat(), Policy(mode=Mode.OBSERVE))
    case, effects = decided(case, threat(Level.NOTICE, hours=1))
    assert effects == (AlertModerators(view(case)),)


@pytest.mark.parametrize(
    ("advice_by", "opted_in", "advice"),
    [
        (AdviceBy.AUTOMATIC, None, Advice.PENDING),
        (AdviceBy.AUTOMATIC, True, Advice.PENDING),
        (AdviceBy.AUTOMATIC, False, Advice.DECLINED),
        (AdviceBy.MODERATOR, None, Advice.WAITING),
        (AdviceBy.MODERATOR, True, Advice.WAITING),
        (AdviceBy.MODERATOR, False, Advice.DECLINED),
        (AdviceBy.OPTED_IN, None, Advice.WAITING),
        (AdviceBy.OPTED_IN, True, Advice.PENDING),
        (AdviceBy.OPTED_IN, False, Advice.DECLINED),
    ],
)
def test_policy_and_person_decide_who_sets_off_the_warning(
    advice_by: AdviceBy, opted_in: bool | None, advice: Advice
) -> None:
    case, effects = decided(None, threat(), Policy(advice_by=advice_by), Recipient(opted_in=opted_in))
    assert advice_of(case) == {SAM: advice}
    assert any(isinstance(effect, AdviseTarget) for effect in effects) is (advice is Advice.PENDING)
    again, effects = decided(case, threat(hours=1), Policy(advice_by=advice_by), Recipient(opted_in=opted_in))
    assert effects == ()
    assert advice_of(again) == {SAM: advice}


@pytest.mark.parametrize(
    ("hours", "advice"), [(1, Advice.RECENT), (23.9, Advice.RECENT), (24, Advice.PENDING), (-3, Advice.RECENT)]
)
def test_two_warnings_to_one_person_are_a_cool_down_apart(hours: float, advice: Advice) -> None:
    case, effects = decided(None, threat(hours=hours), recipient=Recipient(advised_at=NOON))
    assert advice_of(case) == {SAM: advice}
    assert isinstance(effects[0], AlertModerators)
    assert len(effects) == (2 if advice is Advice.PENDING else 1)


# Evidence and crisis.


def test_evidence_is_the_first_clear_sight_of_each_marker() -> None:
    case, _ = decided(None, threat(markers=(Marker.PRESSURE, Marker.SHARE_THREAT)))
    case, _ = decided(case, threat(hours=1, markers=(Marker.SHARE_THREAT, Marker.ISOLATION)))
    assert [(seen.marker, seen.message_id) for seen in case.evidence] == [
        (Marker.PRESSURE, "m0"),
        (Marker.SHARE_THREAT, "m0"),
        (Marker.ISOLATION, "m1"),
    ]


def test_what_is_only_hinted_at_is_no_evidence() -> None:
    assert decided(None, threat(Level.NOTICE, probability=0.49))[0].evidence == ()
    assert len(decided(None, threat(Level.NOTICE, probability=0.5))[0].evidence) == 1


def test_an_alert_shows_two_hints_where_nothing_is_clear() -> None:
    hints = threat(probability=0.2, markers=(Marker.SHARE_THREAT, Marker.PRESSURE, Marker.ISOLATION))
    assert [seen.marker for seen in decided(None, hints)[0].evidence] == [Marker.SHARE_THREAT, Marker.PRESSURE]


def test_what_made_a_notice_is_shown_anew_with_the_words_that_carried_it() -> None:
    case, _ = decided(None, threat(Level.NOTICE))
    (seen,) = threat(hours=1).evidence
    later, _ = decided(case, replace(threat(hours=1), evidence=(replace(seen, carried=((0, 5),)),)))
    assert [(one.message_id, one.carried) for one in later.evidence] == [("m1", ((0, 5),))]
    assert decided(later, threat(hours=2))[0].evidence == later.evidence


def test_a_guess_is_shown_where_nobody_is_clearly_aimed_at_and_moves_nothing_else() -> None:
    case, effects = decided(None, replace(threat(Level.ALERT, target=None), likely=SAM))
    assert (case.targets, case.likely) == ((), SAM)
    assert [effect.alert.likely for effect in effects if isinstance(effect, AlertModerators)] == [SAM]
    dismissed, _ = rule(case, Ruling.NOT_SEXTORTION)
    again, effects = decided(dismissed, replace(threat(Level.ALERT, target=None, hours=1), likely=SENDER))
    assert (again.ruling, effects) == (Ruling.NOT_SEXTORTION, ())
    named, _ = decided(case, threat(Level.ALERT, hours=1))
    assert view(named).likely is None
    better, _ = decided(case, replace(threat(Level.ALERT, target=None, hours=1), likely=SENDER))
    assert view(better).likely == SENDER


def test_what_a_member_reported_stays_beside_what_is_seen_later() -> None:
    told = Evidence(Marker.VICTIM_DISCLOSURE, "", 1.0, "what they reported")
    case = replace(decided(None, disclosure())[0], evidence=(told,), reported=True)
    seen = Evidence(Marker.VICTIM_DISCLOSURE, "m1", 0.9, "what they wrote", carried=((0, 4),))
    assert told in decided(case, replace(disclosure(), evidence=(seen,)))[0].evidence


def test_evidence_is_bounded_by_the_markers() -> None:
    case = posted()
    for hours in range(1, 50):
        case, _ = decided(case, threat(hours=hours, markers=tuple(Marker)))
    assert sorted(seen.marker for seen in case.evidence) == sorted(Marker)


def aimed_at(target: Account, hours: float, *lines: str) -> Assessment:
    """A threat at somebody in lines of their own, all of which show the same marker."""
    seen = tuple(Evidence(Marker.SHARE_THREAT, line, 0.9, "words") for line in lines)
    return replace(threat(hours=hours, target=target), evidence=seen)


def test_the_lines_that_are_aimed_at_somebody_else_are_evidence_too() -> None:
    case, _ = decided(None, aimed_at(SAM, 0, "m1"))
    case, _ = decided(case, aimed_at(SAM, 1, "m2"))
    assert [seen.message_id for seen in case.evidence] == ["m1"]
    hint = Evidence(Marker.PRESSURE, "hint", 0.49, "words")
    found = aimed_at(BEN, 2, "m1", "m3", "m4")
    case, _ = decided(case, replace(found, evidence=(*found.evidence, hint)))
    assert [seen.message_id for seen in case.evidence] == ["m1", "m3", "m4"]
    case, _ = decided(case, aimed_at(BEN, 3, "m5"))
    assert [seen.message_id for seen in case.evidence] == ["m1", "m3", "m4"]


def test_the_lines_of_many_targets_are_at_most_twenty_and_the_first_sight_of_a_marker_joins_all_the_same() -> None:
    case = posted()
    for number in range(30):
        lines = [f"{number}-{i}" for i in range(3)]
        case, _ = decided(case, aimed_at(Account("console", f"{number}"), number, *lines))
        assert len(case.evidence) == min(20, 1 + 3 * (number + 1))
    for hours, target in ((31, SAM), (32, BEN)):
        marker = (Marker.PRESSURE, Marker.ISOLATION)[hours % 2]
        case, _ = decided(case, threat(hours=hours, target=target, markers=(marker,)))
        assert case.evidence[-1].marker is marker
    assert len(case.evidence) == 22


def test_new_evidence_edits_the_alert_once() -> None:
    case, effects = decided(posted(), threat(hours=1, markers=(Marker.PRESSURE,)))
    assert effects == (UpdateAlert(view(case), "post-1"),)
    _, effects = decided(case, threat(hours=2, markers=(Marker.PRESSURE,)))
    assert effects == ()


def test_a_crisis_is_told_in_the_alert_and_in_the_warning() -> None:
    case, (alert, warning) = decided(None, threat(crisis=True))
    assert isinstance(alert, AlertModerators)
    assert isinstance(warning, AdviseTarget)
    assert (case.crisis, alert.alert.crisis, warning.crisis) == (True, True, True)


@pytest.mark.parametrize(("advice", "opted_in"), list(product(Advice, (None, True, False))))
def test_a_later_crisis_edits_the_alert_and_is_told_to_who_was_warned(advice: Advice, opted_in: bool | None) -> None:
    person = Recipient(opted_in=opted_in, advised_at=NOON)
    case, effects = decided(with_advice(advice), threat(Level.NOTICE, hours=1, crisis=True), recipient=person)
    told = advice in WARNED and opted_in is not False
    assert case.crisis
    assert advice_of(case) == {SAM: advice}
    edited = (UpdateAlert(view(case), "post-1"), despair_word(case))
    assert effects == (*edited, *([crisis_warning(case)] if told else []))


def test_a_crisis_is_told_once_and_stays() -> None:
    case, effects = decided(posted(), threat(hours=1, crisis=True))
    assert effects == (UpdateAlert(view(case), "post-1"), despair_word(case), crisis_warning(case))
    for hours, crisis in ((2, True), (3, False)):
        case, effects = decided(case, threat(hours=hours, crisis=crisis))
        assert (case.crisis, effects) == (True, ())
    assert despair(case, SAM, NOBODY_YET) == (case, ())


def test_who_is_first_warned_in_a_crisis_gets_one_warning() -> None:
    case, effects = decided(posted(level=Level.ALERT), threat(hours=1, crisis=True))
    assert effects == (UpdateAlert(view(case), "post-1"), despair_word(case), crisis_warning(case))
    assert advice_of(case) == {SAM: Advice.PENDING}


def test_a_crisis_at_nobody_in_particular_warns_nobody() -> None:
    case, effects = decided(posted(), threat(Level.ALERT, target=None, hours=1, crisis=True))
    assert effects == (UpdateAlert(view(case), "post-1"), despair_word(case))


@pytest.mark.parametrize(("advice", "opted_in"), list(product(Advice, (None, True, False))))
def test_despair_makes_a_crisis_which_is_told_once_to_who_was_warned(advice: Advice, opted_in: bool | None) -> None:
    before, person = with_advice(advice), Recipient(opted_in=opted_in, advised_at=NOON)
    case, effects = despair(before, SAM, person)
    told = advice in WARNED and opted_in is not False
    assert case == replace(before, crisis=True, despairing=SAM)
    edited = (UpdateAlert(view(case), "post-1"), despair_word(case))
    assert effects == (*edited, *([crisis_warning(case)] if told else []))
    assert despair(case, SAM, person) == (case, ())
    assert decided(case, threat(Level.NOTICE, hours=1, crisis=True), recipient=person)[1] == ()


@pytest.mark.parametrize("post", [None, Post()])
def test_despair_before_an_alert_is_posted_waits_for_it(post: Post | None) -> None:
    before = replace(posted(), post=post)
    case, effects = despair(before, SAM, NOBODY_YET)
    assert case.crisis
    assert effects == (crisis_warning(case),)
    if post:
        _, effects = after(case, AlertModerators(view(before)), ALERTED)
        assert effects == (UpdateAlert(view(case), "post-1"), despair_word(case))


def test_despair_lifts_the_ruling_that_it_is_not_sextortion_and_no_other() -> None:
    ruled, _ = rule(posted(), Ruling.NOT_SEXTORTION)
    case, effects = despair(ruled, SAM, NOBODY_YET)
    assert case == replace(ruled, crisis=True, despairing=SAM, ruling=None)
    assert effects == (UpdateAlert(view(case), "post-1"), despair_word(case), crisis_warning(case))
    case, _ = despair(rule(posted(), Ruling.CONFIRMED)[0], SAM, NOBODY_YET)
    assert (case.crisis, case.ruling) == (True, Ruling.CONFIRMED)


def test_whose_despair_it_is_stands_on_the_alert_and_stays() -> None:
    case, _ = decided(posted(), threat(hours=1, target=BEN))
    assert view(case).despairing is None
    for first, seen in (
        (SAM, despair(case, SAM, NOBODY_YET)[0]),
        (BEN, despair(case, BEN, NOBODY_YET)[0]),
        (SAM, decided(case, threat(Level.NOTICE, hours=2, crisis=True))[0]),
    ):
        assert view(seen).despairing == first
        assert decided(seen, threat(hours=3, target=BEN, crisis=True))[0].despairing == first
    assert decided(None, threat(crisis=True))[0].despairing == SAM
    assert decided(None, threat())[0].despairing is None


def test_an_edit_of_the_first_message_of_a_case_that_is_over_opens_another() -> None:
    again = [replace(threat(hours=8 * 24 * times), message_id="m0") for times in range(3)]
    first, _ = decided(None, again[0])
    second, _ = decided(first, again[1])
    third, _ = decided(second, again[2])
    assert len({first.id, second.id, third.id}) == 3
    assert decided(first, again[1])[0] == second


def test_who_aims_at_one_after_the_other_is_called_out_ever_more_seldom() -> None:
    case, said = posted(), []
    for number in range(1, 60):
        case, effects = decided(case, threat(hours=1, target=Account("console", f"target{number}")))
        said += [len(case.targets) for effect in effects if isinstance(effect, PageModerators)]
        assert any(isinstance(effect, AdviseTarget) for effect in effects)
    assert said == [2, 3, 4, 5, 10, 20, 50]


@pytest.mark.parametrize("how", ["seen", "folded"])
def test_each_who_is_aimed_at_and_despairs_is_told_of_and_hears_whom_to_call_once(how: str) -> None:
    case, _ = decided(posted(), threat(hours=1, target=BEN))
    case, _ = despair(case, SAM, NOBODY_YET)
    found = threat(hours=2, target=BEN, crisis=True)
    later, effects = despair(case, BEN, NOBODY_YET) if how == "folded" else decided(case, found)
    assert (view(later).despairing, view(later).also_despairing) == (SAM, (BEN,))
    assert effects == (
        UpdateAlert(view(later), "post-1"),
        despair_word(later),
        replace(crisis_warning(later), target=BEN),
    )
    assert despair(later, BEN, NOBODY_YET) == despair(later, SAM, NOBODY_YET) == (later, ())
    assert decided(later, replace(found, at=found.at + timedelta(hours=1)))[1] == ()
    case, _ = after(later, effects[0], Delivery(Outcome.GONE))
    assert case.post == Post()


def test_despair_of_ever_more_people_is_said_ever_more_seldom() -> None:
    case, said = posted(), []
    for number in range(1, 30):
        case, effects = despair(case, Account("console", f"person{number}"), NOBODY_YET)
        said += [number for effect in effects if isinstance(effect, PageModerators) and effect.why == "crisis"]
        assert isinstance(effects[0], UpdateAlert)
    assert said == [1, 2, 3, 4, 5, 10, 20]


def test_despair_of_another_while_the_alert_is_on_its_way_is_told_once_it_is_there() -> None:
    opened, (alert, _) = decided(None, threat(crisis=True))
    case, _ = despair(decided(opened, threat(hours=1, target=BEN))[0], BEN, NOBODY_YET)
    case, effects = after(case, alert, ALERTED)
    assert effects == (UpdateAlert(view(case), "post-1"), despair_word(case))


def test_only_who_despairs_hears_whom_to_call() -> None:
    case, _ = decided(posted(), threat(hours=1, target=BEN))
    case, effects = despair(case, BEN, NOBODY_YET)
    assert [effect.target for effect in effects if isinstance(effect, AdviseTarget)] == [BEN]


def test_the_view_tells_all_that_moderators_need_and_no_times() -> None:
    case = replace(posted(), ruling=Ruling.CONFIRMED, crisis=True, despairing=SAM)
    shown = view(case)
    for name in {field.name for field in fields(Alert)} - {"case", "sender"}:
        assert getattr(shown, name) == getattr(case, name)
    assert (shown.case, shown.sender) == (case.id, SENDER)
    assert view(replace(case, seen_at=NOON + timedelta(days=3))) == shown


# How a delivery ended.


def warning_of(case: Case) -> AdviseTarget:
    return AdviseTarget(case.id, case.space, SAM, case.kind, case.locale, case.crisis)


@pytest.mark.parametrize(
    ("outcome", "advice"),
    [
        (Outcome.DELIVERED, Advice.DELIVERED),
        (Outcome.REFUSED, Advice.REFUSED),
        (Outcome.UNREACHABLE, Advice.UNREACHABLE),
        (Outcome.DECLINED, Advice.DECLINED),
        (Outcome.WITHDRAWN, Advice.UNSURE),
        (Outcome.KEPT, Advice.WAITING),
        (Outcome.GONE, Advice.FAILED),
        (Outcome.FAILED, Advice.FAILED),
        (Outcome.HELD, Advice.HELD),
    ],
)
def test_moderators_learn_what_became_of_a_warning(outcome: Outcome, advice: Advice) -> None:
    case, effects = after(posted(), warning_of(posted()), Delivery(outcome))
    assert advice_of(case) == {SAM: advice}
    assert effects == (UpdateAlert(view(case), "post-1"),)


@pytest.mark.parametrize("before", [Advice.DELIVERED, Advice.ASKED])
@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.REFUSED, Outcome.FAILED])
def test_moderators_learn_that_whom_to_call_did_not_arrive(outcome: Outcome, before: Advice) -> None:
    case = with_advice(before)
    assert after(case, warning_of(case), Delivery(outcome)) == (case, ())
    now, effects = after(case, crisis_warning(case), Delivery(outcome))
    assert advice_of(now) == {SAM: Advice(outcome)}
    assert effects == (UpdateAlert(view(now), "post-1"),)
    assert after(case, crisis_warning(case), Delivery(Outcome.DELIVERED)) == (case, ())


@pytest.mark.parametrize("before", [Advice.DELIVERED, Advice.ASKED])
@pytest.mark.parametrize("outcome", [Outcome.WITHDRAWN, Outcome.KEPT, Outcome.DECLINED, Outcome.HELD])
def test_whom_to_call_that_is_not_sent_does_not_undo_the_warning_before(outcome: Outcome, before: Advice) -> None:
    case = with_advice(before)
    assert after(case, crisis_warning(case), Delivery(outcome)) == (case, ())


@pytest.mark.parametrize(
    ("ruling", "opted_in", "outcome"),
    [
        (None, None, None),
        (None, True, None),
        (Ruling.CONFIRMED, None, None),
        (None, False, Outcome.DECLINED),
        (Ruling.CONFIRMED, False, Outcome.DECLINED),
        (Ruling.NOT_SEXTORTION, None, Outcome.WITHDRAWN),
        (Ruling.NOT_SEXTORTION, True, Outcome.WITHDRAWN),
        (Ruling.NOT_SEXTORTION, False, Outcome.DECLINED),
    ],
)
def test_a_warning_is_withheld_when_the_person_or_the_moderators_said_no_since(
    ruling: Ruling | None, opted_in: bool | None, outcome: Outcome | None
) -> None:
    case, person = replace(posted(), ruling=ruling), Recipient(opted_in=opted_in, advised_at=NOON)
    assert withheld(case, warning_of(case), person, USUAL) is outcome
    for to_moderators in (AlertModerators(view(case)), UpdateAlert(view(case), "post-1")):
        assert withheld(case, to_moderators, person, USUAL) is None


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (Policy(), False),
        (Policy(advice_by=AdviceBy.OPTED_IN), False),
        (Policy(advice_by=AdviceBy.MODERATOR), True),
        (Policy(mode=Mode.ALERT), True),
        (Policy(mode=Mode.OBSERVE), True),
    ],
)
def test_an_automatic_warning_is_kept_for_the_moderators_where_the_space_wants_it_so_since(
    policy: Policy, kept: bool
) -> None:
    case, crisis = posted(), despair(posted(), SAM, NOBODY_YET)[0]
    for one, warning in ((case, warning_of(case)), (crisis, crisis_warning(crisis))):
        assert withheld(one, warning, NOBODY_YET, policy) is (Outcome.KEPT if kept else None)
        assert withheld(one, replace(warning, by_moderator=True), NOBODY_YET, policy) is None
        ruled = replace(one, ruling=Ruling.NOT_SEXTORTION)
        assert withheld(ruled, replace(warning, by_moderator=True), NOBODY_YET, policy) is Outcome.WITHDRAWN


def test_who_was_not_written_to_because_it_was_kept_can_be_by_a_moderator() -> None:
    case, _ = after(posted(), warning_of(posted()), Delivery(Outcome.KEPT))
    assert advice_of(case) == {SAM: Advice.WAITING}
    _, effects = advise(case, SAM, NOBODY_YET)
    assert effects[-1] == replace(warning_of(case), by_moderator=True)


def test_who_was_not_written_to_because_of_a_ruling_can_be_once_it_is_taken_back() -> None:
    case, _ = rule(posted(), Ruling.NOT_SEXTORTION)
    case, _ = after(case, warning_of(case), Delivery(Outcome.WITHDRAWN))
    case, _ = rule(case, Ruling.CONFIRMED)
    _, effects = decided(case, threat(hours=1))
    assert [type(effect) for effect in effects] == [UpdateAlert, AdviseTarget]


def test_a_warning_changes_the_state_of_its_target_only() -> None:
    case, _ = decided(posted(), threat(hours=1, target=BEN))
    case, _ = after(case, warning_of(case), Delivery(Outcome.REFUSED))
    assert advice_of(case) == {SAM: Advice.REFUSED, BEN: Advice.PENDING}


def test_a_warning_that_ends_before_the_alert_is_posted_is_shown_when_it_is() -> None:
    case, (alert, warning) = decided(None, threat())
    case, effects = after(case, warning, Delivery(Outcome.REFUSED))
    assert effects == ()
    case, effects = after(case, alert, ALERTED)
    assert effects == (UpdateAlert(view(case), "post-1"),)
    assert case.post == Post("post-1")


def test_an_alert_that_is_still_true_when_it_is_posted_is_left_alone() -> None:
    case, (alert, _) = decided(None, threat())
    assert after(case, alert, ALERTED) == (replace(case, post=Post("post-1")), ())


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.GONE, Outcome.FAILED])
def test_an_alert_that_did_not_arrive_is_sent_again_at_the_next_message(outcome: Outcome) -> None:
    case, (alert, _) = decided(None, threat())
    case, effects = after(case, alert, Delivery(outcome))
    assert (case.post, effects) == (None, ())
    case, effects = decided(case, threat(Level.NOTICE, hours=1))
    assert effects == (AlertModerators(view(case)),)


def test_an_edited_alert_changes_nothing() -> None:
    case = posted()
    assert after(case, UpdateAlert(view(case), "post-1"), Delivery(Outcome.DELIVERED, "post-1")) == (case, ())


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.FAILED])
def test_an_edit_that_fails_is_not_repeated(outcome: Outcome) -> None:
    case = posted()
    assert after(case, UpdateAlert(view(case), "post-1"), Delivery(outcome)) == (case, ())


def test_an_alert_that_somebody_deleted_is_posted_anew_with_what_is_known_now() -> None:
    case = posted()
    stale = UpdateAlert(view(case), "post-1")
    case = replace(case, crisis=True)
    case, effects = after(case, stale, Delivery(Outcome.GONE))
    assert effects == (AlertModerators(view(case)),)
    assert case.post == Post()


def test_two_edits_of_a_deleted_alert_post_it_anew_once() -> None:
    case = posted()
    edit = UpdateAlert(view(case), "post-1")
    case, effects = after(case, edit, Delivery(Outcome.GONE))
    assert after(case, edit, Delivery(Outcome.GONE)) == (case, ())
    case, _ = after(case, effects[0], Delivery(Outcome.DELIVERED, reference="post-2"))
    assert after(case, edit, Delivery(Outcome.GONE)) == (case, ())
    assert case.post == Post("post-2")


# What moderators judge and wish.


@pytest.mark.parametrize("ruling", Ruling)
def test_a_ruling_is_shown_on_the_alert_once(ruling: Ruling) -> None:
    case, effects = rule(posted(), ruling)
    assert effects == (UpdateAlert(view(case), "post-1"),)
    assert view(case).ruling is ruling
    assert rule(case, ruling) == (case, ())


@pytest.mark.parametrize("level", [Level.ALERT, Level.ADVISE])
def test_not_sextortion_silences_what_it_knew(level: Level) -> None:
    case, _ = rule(posted(level=level), Ruling.NOT_SEXTORTION)
    for found in (
        threat(level, hours=1),
        threat(level, hours=2, markers=tuple(Marker)),
        threat(Level.NOTICE, hours=3),
        threat(Level.ALERT, hours=4, target=None),
    ):
        case, effects = decided(case, found)
        assert (case.ruling, effects) == (Ruling.NOT_SEXTORTION, ())
    assert case.seen_at == NOON + timedelta(hours=4)


@pytest.mark.parametrize(
    ("found", "kinds"),
    [
        pytest.param(threat(hours=2, target=BEN), [UpdateAlert, PageModerators, AdviseTarget], id="somebody else"),
        pytest.param(threat(Level.ALERT, hours=2, target=BEN), [UpdateAlert, PageModerators], id="perhaps"),
        pytest.param(threat(hours=2), [UpdateAlert, PageModerators, AdviseTarget], id="surer than what was ruled on"),
        pytest.param(threat(Level.ALERT, hours=2, crisis=True), [UpdateAlert, PageModerators], id="despair"),
        pytest.param(threat(Level.NOTICE, hours=2, crisis=True), [UpdateAlert, PageModerators], id="only despair"),
    ],
)
def test_not_sextortion_is_lifted_by_what_it_did_not_know(found: Assessment, kinds: list[type[Effect]]) -> None:
    case, _ = rule(posted(level=Level.ALERT), Ruling.NOT_SEXTORTION)
    case, effects = decided(case, found)
    assert case.ruling is None
    assert [type(effect) for effect in effects] == kinds
    assert effects[0] == UpdateAlert(view(case), "post-1")


def test_not_sextortion_is_lifted_when_somebody_is_named_after_nobody_was() -> None:
    opened, (alert,) = decided(None, threat(Level.ALERT, target=None))
    case, _ = rule(after(opened, alert, ALERTED)[0], Ruling.NOT_SEXTORTION)
    assert decided(case, threat(Level.ALERT, target=None, hours=1))[1] == ()
    case, effects = decided(case, threat(Level.ALERT, hours=2))
    assert (case.ruling, advice_of(case)) == (None, {SAM: Advice.UNSURE})
    assert effects == (UpdateAlert(view(case), "post-1"), PageModerators(case.id, "home", None, "post-1", "again"))


def test_what_spoke_again_is_silent_once_it_is_ruled_on_again() -> None:
    case, _ = rule(posted(), Ruling.NOT_SEXTORTION)
    case, _ = decided(case, threat(hours=1, target=BEN, crisis=True))
    case, _ = rule(case, Ruling.NOT_SEXTORTION)
    for found in (threat(hours=2), threat(hours=3, target=BEN, crisis=True)):
        case, effects = decided(case, found)
        assert (case.ruling, effects) == (Ruling.NOT_SEXTORTION, ())
    assert despair(case, BEN, NOBODY_YET) == (case, ())
    assert despair(case, SAM, NOBODY_YET)[0].ruling is None


def test_not_sextortion_silences_a_case_that_was_not_alerted_yet() -> None:
    case, _ = decided(None, threat(Level.NOTICE))
    case, effects = rule(case, Ruling.NOT_SEXTORTION)
    assert effects == ()
    assert decided(case, threat(Level.NOTICE, hours=1))[1] == ()
    later, effects = decided(case, threat(hours=2))
    assert [type(effect) for effect in effects] == [AlertModerators, AdviseTarget]
    assert later.ruling is None


def test_not_sextortion_ends_with_the_incident() -> None:
    case, _ = rule(posted(), Ruling.NOT_SEXTORTION)
    later, effects = decided(case, threat(hours=8 * 24))
    assert [type(effect) for effect in effects] == [AlertModerators, AdviseTarget]
    assert later.ruling is None


def test_a_confirmed_case_goes_on() -> None:
    case, _ = rule(posted(), Ruling.CONFIRMED)
    case, effects = decided(case, threat(hours=1, target=BEN))
    assert [type(effect) for effect in effects] == [UpdateAlert, PageModerators, AdviseTarget]
    assert case.ruling is Ruling.CONFIRMED


@pytest.mark.parametrize("advice", Advice)
def test_a_moderator_can_have_a_target_warned_who_was_not(advice: Advice) -> None:
    before = with_advice(advice)
    case, effects = advise(before, SAM, NOBODY_YET)
    if advice in SENDABLE:
        assert effects == (UpdateAlert(view(case), "post-1"), replace(warning_of(case), by_moderator=True))
        assert advice_of(case) == {SAM: Advice.PENDING}
        assert advise(case, SAM, NOBODY_YET) == (case, ())
    else:
        assert (case, effects) == (before, ())


def test_a_moderator_can_name_whom_haven_could_not_but_never_the_sender() -> None:
    case = with_advice(Advice.WAITING)
    assert advise(case, SENDER, NOBODY_YET) == (case, ())
    now, effects = advise(case, BEN, NOBODY_YET)
    assert advice_of(now) == {SAM: Advice.WAITING, BEN: Advice.PENDING}
    assert [type(effect) for effect in effects] == [UpdateAlert, AdviseTarget]


def test_a_moderator_cannot_have_somebody_warned_who_said_no() -> None:
    case, effects = advise(with_advice(Advice.WAITING), SAM, Recipient(opted_in=False))
    assert advice_of(case) == {SAM: Advice.DECLINED}
    assert effects == (UpdateAlert(view(case), "post-1"),)


def test_a_moderators_wish_stands_above_the_cool_down() -> None:
    _, effects = advise(with_advice(Advice.WAITING), SAM, Recipient(advised_at=NOON))
    assert isinstance(effects[-1], AdviseTarget)
