"""What follows from cases that share a script or a payment handle, as pure folds like those of `case.py`."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.case import Case, Post, shown, view
from bot.effects import AlertModerators, Effect, Elsewhere, Raid, Ruling, UpdateAlert
from classifiers.assessment import Kind

RAID = 3
"""How many alerts of one campaign a space gets within `RAID_TIME`, before the next cases stand under one of them."""
RAID_TIME = timedelta(minutes=10)
LISTED = 10
EXACT = 5
"""Counts from here on are rounded down."""
_STEPS: tuple[int, ...] = (*range(EXACT + 1), 10, 20, 50, 100, 200, 500, 1000)


def elsewhere(case: Case, spread: Mapping[str, int]) -> Elsewhere | None:
    """Return what the alert of a case says of its campaign, of which each space has so many cases that count."""
    counted = 0 if case.ruling is Ruling.NOT_SEXTORTION else 1
    cases = sum(spread.values()) - counted
    communities = sum(count > 0 for space, count in spread.items() if space != case.space)
    return Elsewhere(stepped(cases), stepped(communities)) if cases > 0 else None


def linked(case: Case, effects: tuple[Effect, ...], known: Elsewhere | None) -> tuple[Case, tuple[Effect, ...]]:
    """Fold what is known of its campaign into a case; a new alert says it, and one that was posted is edited."""
    return _told(case, replace(case, elsewhere=known), effects)


def led(case: Case, ids: Sequence[str], senders: int) -> tuple[Case, tuple[Effect, ...]]:
    """Fold into the case whose alert stands for a raid which cases that are (`ids`), its own among them."""
    others = tuple(id for id in ids if id != case.id)[:LISTED]
    return _told(case, replace(case, raid=Raid(stepped(len(ids)), stepped(senders), others)), ())


def gathered(case: Case, effects: tuple[Effect, ...], leader: str) -> tuple[Case, tuple[Effect, ...]]:
    """Let a case of a raid stand under the alert of another instead of its own; people are warned as ever."""
    others = tuple(effect for effect in effects if not isinstance(effect, AlertModerators))
    return replace(case, post=None, under=leader), others


def ungathered(case: Case, effects: tuple[Effect, ...]) -> tuple[Case, tuple[Effect, ...]]:
    """Give a case that stood under the alert of another an alert of its own."""
    now = replace(case, post=Post(), under=None)
    return now, (AlertModerators(view(now)), *effects)


def can_be_gathered(case: Case) -> bool:
    """Return whether moderators can do without an alert for this very case: a threat, and nobody despairs."""
    return case.kind is Kind.THREAT and not case.crisis


def stepped(count: int) -> int:
    """Return the greatest of 0 to 5, 10, 20, 50 … up to the count, so that few of its changes edit an alert."""
    return _STEPS[bisect(_STEPS, count) - 1]


def _told(case: Case, now: Case, effects: tuple[Effect, ...]) -> tuple[Case, tuple[Effect, ...]]:
    if any(isinstance(effect, AlertModerators | UpdateAlert) for effect in effects):
        alert = view(now)
        return now, tuple(
            replace(effect, alert=alert) if isinstance(effect, AlertModerators | UpdateAlert) else effect
            for effect in effects
        )
    now, edits = shown(case, now)
    return now, (*effects, *edits)
