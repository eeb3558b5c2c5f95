"""The pure folds of what moderators and members say, and whom an alert that cannot wait calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Literal

import pytest

from bot.case import Case, Post, after, decide, despair, view
from bot.effects import (
    Act,
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
from bot.policy import AdviceBy, Mode, Policy, Recipient
from bot.rulings import REPORT_LENGTH, SENDABLE, acted, advise, disclaim, report, rule, started, withheld
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker
from classifiers.conversation import Account

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA, SAM, BEN = (Account("console", name) for name in ("kayla", "Sam", "Ben"))
HELPERS = Policy(page="helpers")
NOBODY_YET = Recipient()
POSTED = Delivery(Outcome.DELIVERED, reference="post-1")
ON_THE_ALERT = (Act.TIMED_OUT, Act.BANNED, Act.DELETED_MESSAGES, Act.NOTED, Act.TOOK_EVIDENCE)


def found(
    level: Level = Level.ADVISE, *, hours: float = 0, crisis: bool = False, target: Account | None = SAM
) -> Assessment:
    """What is found when kayla threatens, so many hours after noon."""
    id, at = f"m{hours}", NOON + timedelta(hours=hours)
    seen = Evidence(Marker.SHARE_THREAT, id, 0.9, "words")
    return Assessment(id, "home", "lobby", at, Kind.THREAT, level, 0.9, KAYLA, target, (seen,), crisis=crisis)


def decided(case: Case | None, seen: Assessment, policy: Policy = HELPERS) -> tuple[Case, tuple[Effect, ...]]:
    now, effects = decide(case, seen, policy, NOBODY_YET)
    assert now
    return now, effects


def posted(level: Level = Level.ADVISE, policy: Policy = HELPERS) -> Case:
    """A case whose alert is in front of the moderators."""
    opened, (alert, *_) = decided(None, found(level), policy)
    return after(opened, alert, POSTED)[0]


def with_advice(case: Case, advice: Advice) -> Case:
    return replace(case, targets=(Target(SAM, advice),))


def reported(
    text: str = "he scares me", accused: Account | None = KAYLA, policy: Policy = HELPERS, *, crisis: bool = False
) -> tuple[Case, tuple[Effect, ...]]:
    return report(SAM, text, accused, space="home", channel="lobby", key="r1", at=NOON, policy=policy, crisis=crisis)


def pages(effects: tuple[Effect, ...]) -> list[PageModerators]:
    return [effect for effect in effects if isinstance(effect, PageModerators)]


# What a member reports.


def test_a_report_is_one_alert_for_the_member_and_against_nobody_but_whom_they_name() -> None:
    case, effects = reported()
    assert effects == (AlertModerators(view(case)),)
    alert = view(case)
    assert (alert.kind, alert.level, alert.reported) == (Kind.DISCLOSURE, Level.ADVISE, True)
    assert (alert.space, alert.channel, alert.message_id) == ("home", "lobby", "")
    assert (alert.sender, alert.accused) == (None, KAYLA)
    assert (case.about, case.opened_at, case.seen_at) == (SAM, NOON, NOON)
    assert case.post == Post()
    assert view(reported(accused=None)[0]).accused is None


def warnings(effects: tuple[Effect, ...]) -> list[AdviseTarget]:
    return [effect for effect in effects if isinstance(effect, AdviseTarget)]


def test_who_reports_was_answered_with_the_advice_and_is_written_to_again_only_where_a_moderator_wishes_it() -> None:
    case, _ = reported()
    assert case.targets == (Target(SAM, Advice.ASKED),)
    told = replace(found(hours=1), kind=Kind.DISCLOSURE, sender=None)
    assert warnings(decided(case, told)[1]) == []
    now, effects = advise(case, SAM, NOBODY_YET)
    assert [effect.target for effect in warnings(effects)] == [SAM]
    assert now.targets == (Target(SAM, Advice.PENDING),)


def test_who_despairs_after_their_report_hears_whom_to_call() -> None:
    case, (alert,) = reported()
    case, _ = after(case, alert, POSTED)
    case, effects = despair(case, SAM, NOBODY_YET)
    assert [(effect.target, effect.crisis) for effect in warnings(effects)] == [(SAM, True)]
    assert case.targets == (Target(SAM, Advice.ASKED),)


@pytest.mark.parametrize("length", [0, 1, REPORT_LENGTH, REPORT_LENGTH + 1, 5000])
def test_a_report_keeps_the_members_own_words_up_to_a_bound(length: int) -> None:
    text = "ä" * length
    assert [seen.excerpt for seen in reported(text)[0].evidence] == ([text[:1000]] if text else [])


@pytest.mark.parametrize("crisis", [True, False])
def test_a_report_calls_the_role_at_once_and_tells_of_despair(crisis: bool) -> None:
    case, (alert,) = reported(crisis=crisis)
    assert isinstance(alert, AlertModerators)
    assert (alert.alert.page, alert.alert.crisis) == ("helpers", crisis)
    assert pages(after(case, alert, POSTED)[1]) == []


def test_reports_have_ids_of_their_own_and_the_same_request_leads_to_the_same() -> None:
    def id_of(member: Account = SAM, space: str = "home", key: str = "r1") -> str:
        made, _ = report(member, "", None, space=space, channel="c", key=key, at=NOON, policy=HELPERS, crisis=False)
        return made.id

    assert len({id_of(), id_of(BEN), id_of(space="work"), id_of(key="r2")}) == 4
    assert id_of() == id_of() == reported()[0].id


def test_a_report_speaks_the_language_of_the_space() -> None:
    assert reported(policy=Policy(locale="cy-GB"))[0].locale == "cy-GB"


# What moderators do.


@pytest.mark.parametrize("act", Act)
def test_what_a_moderator_did_is_shown_on_the_alert_once(act: Act) -> None:
    before = posted()
    case, effects = acted(before, act)
    if act in ON_THE_ALERT:
        assert view(case).acts == (act,)
        assert effects == (UpdateAlert(view(case), "post-1"),)
        assert acted(case, act) == (case, ())
    else:
        assert (case, effects) == (before, ())  # a ruling or advice is shown as what it is


def test_acts_are_shown_in_the_order_in_which_they_were_done() -> None:
    case = posted()
    for act in reversed(ON_THE_ALERT):
        case, _ = acted(case, act)
    assert case.acts == ON_THE_ALERT[::-1]


def test_what_was_done_before_the_alert_was_posted_is_shown_when_it_is() -> None:
    case, (alert, *_) = decided(None, found())
    case, effects = acted(case, Act.BANNED)
    assert effects == ()
    case, effects = after(case, alert, POSTED)
    assert effects == (UpdateAlert(view(case), "post-1"),)
    assert view(case).acts == (Act.BANNED,)


@pytest.mark.parametrize("advice", Advice)
def test_advice_is_sent_to_whom_none_reached_and_not_to_who_said_no(advice: Advice) -> None:
    case = with_advice(posted(), advice)
    sendable = advice in (
        Advice.WAITING,
        Advice.UNSURE,
        Advice.FAILED,
        Advice.UNKNOWN,
        Advice.RECENT,
        Advice.ASKED,
    )
    assert (advice in SENDABLE) is sendable
    for opted_in in (None, True):
        now, effects = advise(case, SAM, Recipient(opted_in=opted_in))
        sent = [effect.target for effect in effects if isinstance(effect, AdviseTarget)]
        assert sent == ([SAM] if sendable else [])
        assert now.targets == ((Target(SAM, Advice.PENDING),) if sendable else case.targets)
    now, effects = advise(case, SAM, Recipient(opted_in=False))
    assert not [effect for effect in effects if isinstance(effect, AdviseTarget)]
    assert now.targets == ((Target(SAM, Advice.DECLINED),) if sendable else case.targets)


@pytest.mark.parametrize("case", [posted(), reported()[0]], ids=["seen", "reported"])
def test_advice_goes_to_whom_a_moderator_names_but_never_to_who_is_held_to_threaten(case: Case) -> None:
    assert advise(case, KAYLA, NOBODY_YET) == (case, ())
    now, effects = advise(case, BEN, NOBODY_YET)
    assert [effect.target for effect in effects if isinstance(effect, AdviseTarget)] == [BEN]
    assert Target(BEN, Advice.PENDING) in now.targets
    assert pages(effects) == []  # a moderator who names somebody knows it


def test_what_a_moderator_wished_stays_their_wish() -> None:
    case, _ = decided(None, found(), replace(HELPERS, advice_by=AdviceBy.MODERATOR))
    case = replace(case, post=Post("post-1"))
    case, effects = advise(case, SAM, NOBODY_YET)
    (wished,) = warnings(effects)
    assert wished.by_moderator
    waits, _ = after(case, wished, Delivery(Outcome.UNSTARTED))
    later, effects = started(waits, SAM, NOBODY_YET, sent=False)
    assert [effect.by_moderator for effect in warnings(effects)] == [True]
    told, _ = after(later, wished, Delivery(Outcome.DELIVERED))
    crisis = warnings(despair(told, SAM, NOBODY_YET)[1])
    assert [(effect.by_moderator, effect.crisis) for effect in crisis] == [(True, True)]
    automatic, _ = after(posted(), replace(wished, by_moderator=False), Delivery(Outcome.UNSTARTED))
    assert [effect.by_moderator for effect in warnings(started(automatic, SAM, NOBODY_YET, sent=False)[1])] == [False]


# What the person who was warned says.


def test_who_says_that_it_was_not_about_them_is_believed_on_the_alert_once() -> None:
    case = with_advice(posted(), Advice.DELIVERED)
    now, effects = disclaim(case, SAM)
    assert now.targets == (Target(SAM, Advice.DISPUTED),)
    assert effects == (UpdateAlert(view(now), "post-1"),)
    assert disclaim(now, SAM) == (now, ())


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.REFUSED, Outcome.HELD])
def test_who_answers_before_the_platform_does_is_believed_all_the_same(outcome: Outcome) -> None:
    case, _ = disclaim(posted(), SAM)
    warning = AdviseTarget(case.id, "home", SAM, Kind.THREAT, "en-GB", crisis=False)
    assert after(case, warning, Delivery(outcome)) == (case, ())


def test_the_word_of_somebody_who_is_no_target_changes_nothing() -> None:
    case = with_advice(posted(), Advice.DELIVERED)
    for other in (BEN, KAYLA):
        assert disclaim(case, other) == (case, ())


def test_who_said_that_it_was_not_about_them_is_not_written_to_again() -> None:
    case, _ = disclaim(with_advice(posted(), Advice.DELIVERED), SAM)
    assert not [effect for effect in decided(case, found(hours=30))[1] if isinstance(effect, AdviseTarget)]
    assert not [effect for effect in despair(case, SAM, NOBODY_YET)[1] if isinstance(effect, AdviseTarget)]
    assert advise(case, SAM, NOBODY_YET) == (case, ())


# What is held back.


@pytest.mark.parametrize("policy", [HELPERS, Policy(mode=Mode.ALERT), Policy(advice_by=AdviceBy.MODERATOR)])
@pytest.mark.parametrize(("ruling", "opted_in"), list(product((None, *Ruling), (None, True, False))))
def test_a_no_of_the_person_stands_above_the_ruling_and_both_above_the_policy(
    ruling: Ruling | None, opted_in: bool | None, policy: Policy
) -> None:
    case = replace(posted(), ruling=ruling)
    warning = AdviseTarget(case.id, "home", SAM, Kind.THREAT, "en-GB", crisis=False)
    allowed = None if policy is HELPERS else Outcome.KEPT
    ruled_out = Outcome.WITHDRAWN if ruling is Ruling.NOT_SEXTORTION else allowed
    expected = Outcome.DECLINED if opted_in is False else ruled_out
    assert withheld(case, warning, Recipient(opted_in=opted_in), policy) is expected
    to_moderators: tuple[Effect, ...] = (
        AlertModerators(view(case)),
        UpdateAlert(view(case), "post-1"),
        PageModerators(case.id, "home", "helpers", "post-1"),
    )
    assert [withheld(case, effect, Recipient(opted_in=opted_in), policy) for effect in to_moderators] == [None] * 3


# Whom an alert calls.


@pytest.mark.parametrize(
    ("level", "crisis", "calls"),
    [
        (Level.ALERT, False, False),
        (Level.ALERT, True, True),
        (Level.ADVISE, False, True),
        (Level.ADVISE, True, True),
    ],
)
def test_a_grave_alert_calls_the_role_itself(level: Level, crisis: bool, calls: bool) -> None:
    case, (alert, *_) = decided(None, found(level, crisis=crisis))
    assert isinstance(alert, AlertModerators)
    assert alert.alert.page == ("helpers" if calls else None)
    case, effects = after(case, alert, POSTED)
    assert (case.paged, pages(effects)) == (calls, [])


def page_of(
    case: Case, why: Literal["grave", "another", "crisis"] = "grave", role: str | None = "helpers"
) -> PageModerators:
    return PageModerators(case.id, "home", role, "post-1", why)


def test_an_alert_that_becomes_grave_calls_the_role_once() -> None:
    case = posted(Level.ALERT)
    assert not case.paged
    case, effects = decided(case, found(hours=1))
    assert pages(effects) == [page_of(case)]
    assert effects[0] == UpdateAlert(view(case), "post-1")
    assert (view(case).page, case.paged) == ("helpers", True)
    assert after(case, page_of(case), Delivery(Outcome.DELIVERED)) == (case, ())
    case, effects = decided(case, replace(found(hours=2), evidence=(Evidence(Marker.PRESSURE, "m2", 0.9, "words"),)))
    assert isinstance(effects[0], UpdateAlert)
    assert pages(effects) == pages(rule(case, Ruling.CONFIRMED)[1]) == []


def test_somebody_else_who_is_aimed_at_is_told_and_the_role_called_only_where_it_was_not() -> None:
    case, effects = decided(posted(), found(hours=1, target=BEN))
    assert pages(effects) == [page_of(case, "another", None)]
    assert pages(decided(case, found(hours=2, target=BEN))[1]) == []
    grave, effects = decided(posted(Level.ALERT), found(hours=1, target=BEN))
    assert pages(effects) == [page_of(case, "another")]
    assert grave.paged
    not_grave, effects = decided(posted(Level.ALERT), found(Level.ALERT, hours=1, target=BEN))
    assert pages(effects) == [page_of(case, "another", None)]
    assert not not_grave.paged
    named, effects = decided(
        replace(posted(Level.ALERT), targets=()), replace(found(Level.ALERT, hours=1, target=BEN), evidence=())
    )
    assert isinstance(effects[0], UpdateAlert)
    assert pages(effects) == []
    assert [target.account for target in named.targets] == [BEN]


@pytest.mark.parametrize("level", [Level.ALERT, Level.ADVISE])
@pytest.mark.parametrize("how", ["seen", "folded"])
def test_despair_calls_the_role_once_more_even_where_it_was_called(level: Level, how: str) -> None:
    before = posted(level)
    assert before.paged is (level is Level.ADVISE)
    case, effects = (
        despair(before, SAM, NOBODY_YET) if how == "folded" else decided(before, found(level, hours=1, crisis=True))
    )
    assert pages(effects) == [page_of(case, "crisis")]
    assert case.paged
    assert pages(despair(case, SAM, NOBODY_YET)[1]) == []
    case, effects = decided(case, found(hours=2, target=BEN))
    assert pages(effects) == [page_of(case, "another", None)]
    case, effects = despair(case, BEN, NOBODY_YET)
    assert pages(effects) == [page_of(case, "crisis")]
    assert pages(decided(case, found(hours=3, crisis=True, target=BEN))[1]) == []


def test_despair_and_somebody_else_at_once_are_one_word() -> None:
    case, effects = decided(posted(), found(hours=1, target=BEN, crisis=True))
    assert pages(effects) == [page_of(case, "crisis")]


@pytest.mark.parametrize(
    ("later", "why", "role"),
    [
        (found(hours=1, target=BEN), "another", None),
        (found(hours=1, crisis=True), "crisis", "helpers"),
        (found(Level.NOTICE, hours=1), None, None),
    ],
)
def test_what_comes_while_the_alert_is_on_its_way_is_told_after_it(
    later: Assessment, why: Literal["another", "crisis"] | None, role: str | None
) -> None:
    case, (alert, *_) = decided(None, found())
    case, effects = decided(case, later)
    assert pages(effects) == []
    case, effects = after(case, alert, POSTED)
    assert pages(effects) == ([page_of(case, why, role)] if why else [])


def test_what_becomes_grave_while_the_alert_is_on_its_way_calls_the_role_after_it() -> None:
    case, (alert, *_) = decided(None, found(Level.ALERT))
    case, effects = decided(case, found(hours=1))
    assert pages(effects) == []
    case, effects = after(case, alert, POSTED)
    assert effects == (UpdateAlert(view(case), "post-1"), page_of(case))
    assert case.paged
    assert pages(decided(case, found(hours=2))[1]) == []


def test_a_grave_alert_that_failed_calls_the_role_when_it_is_posted_anew() -> None:
    case, (alert, *_) = decided(None, found())
    case, _ = after(case, alert, Delivery(Outcome.FAILED))
    assert not case.paged
    case, (alert, *_) = decided(case, found(Level.NOTICE, hours=1))
    assert isinstance(alert, AlertModerators)
    assert alert.alert.page == "helpers"
    assert after(case, alert, POSTED) == (replace(case, post=Post("post-1"), paged=True), ())


@pytest.mark.parametrize("outcome", [Outcome.GONE, Outcome.FAILED, Outcome.REFUSED])
def test_a_call_that_failed_is_not_repeated(outcome: Outcome) -> None:
    case, effects = despair(posted(Level.ALERT), SAM, NOBODY_YET)
    assert after(case, pages(effects)[0], Delivery(outcome)) == (case, ())


def test_an_alert_that_is_posted_anew_because_somebody_deleted_it_calls_nobody_again() -> None:
    case, (alert,) = after(posted(), UpdateAlert(view(posted()), "post-1"), Delivery(Outcome.GONE))
    assert isinstance(alert, AlertModerators)
    assert alert.alert.page is None
    case, effects = after(case, alert, Delivery(Outcome.DELIVERED, reference="post-2"))
    assert (case.paged, pages(effects)) == (True, [])


def test_without_a_role_nobody_is_called_and_moderators_get_a_word() -> None:
    case = posted(Level.ALERT, Policy())
    case, effects = decided(case, found(hours=1), Policy())
    assert (view(case).page, pages(effects), case.paged) == (None, [], False)
    for seen, why in ((found(hours=2, target=BEN), "another"), (found(hours=3, crisis=True), "crisis")):
        case, effects = decided(case, seen, Policy())
        assert [(page.role, page.why) for page in pages(effects)] == [(None, why)]
        assert not case.paged


def test_each_case_calls_the_role() -> None:
    first = posted()
    later, (alert, *_) = decided(first, found(hours=8 * 24))
    assert later.id != first.id
    assert isinstance(alert, AlertModerators)
    assert (alert.alert.page, later.paged) == ("helpers", False)
