"""How far the rulings of a space's moderators move its thresholds: from the scores of its cases, never from words."""

from __future__ import annotations

from collections.abc import Sequence

from bot.effects import Ruling

RULINGS = 20
"""How many rulings count, the latest."""
FEWEST = 5
"""Fewer rulings move nothing."""
BOUND = 0.5
"""The furthest that the threshold of an alert moves, in log-odds: from a score of 0.54 to one of 0.42 or 0.66."""
_INERTIA = 10.0  # as if so much had spoken for no shift before anybody ruled


def shift(rulings: Sequence[tuple[float, Ruling]]) -> float:
    """Return how far the threshold of an alert moves: up where high scores were ruled out, down where low ones held.

    It is the shift of log-odds under which the scores would have been right: one step of logistic regression with
    nothing but an offset, drawn to 0.
    """
    if len(rulings) < FEWEST:
        return 0.0
    latest = rulings[:RULINGS]
    excess = sum(score - (ruling is Ruling.CONFIRMED) for score, ruling in latest)
    certainty = sum(score * (1 - score) for score, _ in latest) + _INERTIA
    return max(-BOUND, min(BOUND, round(excess / certainty, 2)))
