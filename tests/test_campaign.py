"""The pure folds of a campaign: what alerts say of it, how few edits that costs, and what stands under one alert."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.campaign import LISTED, elsewhere, gathered, led, linked, stepped
from bot.case import Case, Post, after, decide, despair, view
from bot.effects import (
    AdviseTarget,
    AlertModerators,
    Delivery,
    Effect,
    Elsewhere,
    Outcome,
    Raid,
    Ruling,
    UpdateAlert,
)
from bot.policy import Policy, Recipient
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker
from classifiers.conversation import Account

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA, SAM = Account("console", "kayla"), Account("console", "Sam")
FOUND = Assessment(
    "m1", "home", "lobby", NOON, Kind.THREAT, Level.ADVISE, 0.9, KAYLA, SAM,
    (Evidence(Marker.SHARE_THREAT, "m1", 0.9, "pay or i send it"),),
)  # fmt: skip
KNOWN = Elsewhere(2, 1)


def opened() -> tuple[Case, tuple[Effect, ...]]:
    case, effects = decide(None, FOUND, Policy(), Recipient())
    assert case
    return case, effects


def posted() -> Case:
    case, effects = opened()
    return after(case, effects[0], Delivery(Outcome.DELIVERED, "post-1"))[0]


@pytest.mark.parametrize(
    ("spread", "known"),
    [
        ({"home": 1}, None),
        ({}, None),
        ({"home": 3}, Elsewhere(2, 0)),
        ({"home": 1, "b": 1}, Elsewhere(1, 1)),
        ({"home": 2, "b": 2, "c": 1}, Elsewhere(4, 2)),
        ({"home": 1, "b": 17}, Elsewhere(10, 1)),
    ],
)
def test_an_alert_says_how_many_other_cases_and_communities(spread: dict[str, int], known: Elsewhere | None) -> None:
    assert elsewhere(opened()[0], spread) == known


def test_a_case_that_is_ruled_out_is_not_taken_off_what_it_does_not_count_in() -> None:
    case = replace(opened()[0], ruling=Ruling.NOT_SEXTORTION)
    assert elsewhere(case, {"b": 2}) == Elsewhere(2, 1)
    assert elsewhere(case, {}) is None


def test_a_new_alert_says_it_at_once_and_the_warning_goes_out_as_ever() -> None:
    case, effects = opened()
    now, told = linked(case, effects, KNOWN)
    assert now.elsewhere == KNOWN
    assert told == (AlertModerators(view(now)), effects[1])
    assert isinstance(told[1], AdviseTarget)


def test_a_posted_alert_is_edited_once_and_only_for_something_new() -> None:
    now, told = linked(posted(), (), KNOWN)
    assert told == (UpdateAlert(view(now), "post-1"),)
    assert linked(now, (), KNOWN) == (now, ())


def test_an_alert_on_its_way_is_edited_when_it_has_arrived() -> None:
    case, effects = opened()
    now, told = linked(case, (), KNOWN)
    assert told == ()
    assert after(now, effects[0], Delivery(Outcome.DELIVERED, "post-1"))[1] == (UpdateAlert(view(now), "post-1"),)


def test_a_thousand_cases_edit_an_alert_a_dozen_times() -> None:
    case, edits = posted(), 0
    for count in range(1, 1001):
        case, told = linked(case, (), elsewhere(case, {"home": 1, "b": count}))
        edits += len(told)
    assert edits == len({stepped(count) for count in range(1, 1001)}) == 12
    assert [stepped(count) for count in (0, 1, 5, 6, 9, 10, 19, 5000)] == [0, 1, 5, 5, 5, 10, 10, 1000]


def test_a_case_of_a_raid_has_no_alert_of_its_own_and_its_target_is_warned() -> None:
    case, effects = opened()
    under, left = gathered(case, effects, "leader")
    assert (under.under, under.post, left) == ("leader", None, effects[1:])
    again, more = decide(under, replace(FOUND, message_id="m2"), Policy(), Recipient())
    assert (again, more) == (under, ())


def test_who_despairs_under_a_raid_gets_an_alert_of_its_own() -> None:
    under, _ = gathered(*opened(), "leader")
    case, effects = despair(under, SAM, Recipient())
    assert effects[0] == AlertModerators(view(case))
    assert case.post == Post()
    now, effects = decide(under, replace(FOUND, crisis=True), Policy(), Recipient())
    assert now
    assert AlertModerators(view(now)) in effects


def test_one_alert_stands_for_a_raid_with_as_many_cases_as_fit() -> None:
    leader = posted()
    ids = [leader.id, *(f"case{i}" for i in range(30))]
    now, told = led(leader, ids, 25)
    assert now.raid == Raid(20, 20, tuple(ids[1 : 1 + LISTED]))
    assert told == (UpdateAlert(view(now), "post-1"),)
