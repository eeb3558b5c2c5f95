"""The model: one table of term weights; everything it says is a sum over the terms of recent lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from classifiers.assessment import Kind, Level, Marker, Sensitivity
from classifiers.exchange import Exchange, Line, fading
from classifiers.terms import terms, weight

MARKERS = tuple(Marker)
ENGLISH = len(MARKERS)
MINE = {Kind.THREAT: ENGLISH + 1, Kind.DISCLOSURE: ENGLISH + 3}
THEIRS = {Kind.THREAT: ENGLISH + 2, Kind.DISCLOSURE: ENGLISH + 4}
COLUMNS = ENGLISH + 5
LOUDEST_LINE = 2.0
_AGREEMENT, _CLEAR_FROM = 4.0, 0.3
_PARTS_OF_A_THREAT = (
    (Marker.IMAGE_CLAIM, Marker.SHARE_THREAT),
    (Marker.SHARE_THREAT, Marker.CONTACTS_THREAT),
    (Marker.PAYMENT_DEMAND, Marker.COMPLIANCE_DEMAND),
)
_COLUMN = {marker: column for column, marker in enumerate(MARKERS)}
GROUPS = ("english", "other")


class Thresholds(NamedTuple):
    """The lowest scores of the levels above none."""

    notice: float
    alert: float
    advise: float

    def level(self, score: float) -> Level:
        """Return the level that the score reaches."""
        return Level(sum(score >= threshold for threshold in self))


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns a sum of weights into a score between 0 and 1."""

    slope: float
    offset: float

    def __call__(self, total: float) -> float:
        """Return the score."""
        return sigmoid(self.slope * total + self.offset)


@dataclass(frozen=True, slots=True)
class Model:
    """What training leaves: plain arrays and numbers.

    `weights` has a row per term and 15 columns: the ten markers, "is English", and for each kind
    what a line says when the speaker wrote it and when it was written to them. `biases` has the
    first eleven columns' constants, `constants` one per kind.
    """

    rows: Mapping[str, int]
    weights: npt.NDArray[np.float32]
    biases: npt.NDArray[np.float32]
    constants: Mapping[Kind, float]
    scales: Mapping[Kind, Scale]
    thresholds: Mapping[Kind, Mapping[Sensitivity, Mapping[str, Thresholds]]]

    def read_line(self, words: list[str], before: str) -> list[float]:
        """Return the markers' probabilities and the line's other sums, of which none is louder than 2."""
        rows = [row for term in terms(words, before) if (row := self.rows.get(term)) is not None]
        sums = self.weights[rows].sum(axis=0) * weight(words)
        sums[: len(self.biases)] += self.biases
        sums[:ENGLISH] = 1 / (1 + np.exp(-np.clip(sums[:ENGLISH], -60, 60)))
        np.clip(sums[ENGLISH + 1 :], -LOUDEST_LINE, LOUDEST_LINE, out=sums[ENGLISH + 1 :])
        result: list[float] = sums.tolist()
        return result

    def total(self, kind: Kind, exchange: Exchange, now: datetime) -> float:
        """Return the sum of an exchange, older lines fading; clear words of a threat add to it."""
        mine, theirs = MINE[kind], THEIRS[kind]
        total = (
            self.constants[kind]
            + sum(line.scores[mine] * fading(line, now) for line in exchange.mine)
            + sum(line.scores[theirs] * fading(line, now) for line in exchange.theirs)
        )
        return total + _agreement(exchange, now) if kind is Kind.THREAT else total

    def group(self, exchange: Exchange) -> str:
        """Return the language group that the exchange is held to."""
        lines = exchange.mine + exchange.theirs
        return GROUPS[sum(line.scores[ENGLISH] for line in lines if line.words) < 0]


def _agreement(exchange: Exchange, now: datetime) -> float:
    """Return what it adds that the speaker claims images, threatens and demands, all in clear words.

    Without it a short, blunt threat would wait for more lines. The two numbers were chosen on
    writers held out.
    """
    lines = [(line.scores, fading(line, now)) for line in exchange.mine if line.words]
    if not lines:
        return 0.0
    clearest = min(
        max(scores[_COLUMN[marker]] * kept for scores, kept in lines for marker in part) for part in _PARTS_OF_A_THREAT
    )
    return _AGREEMENT * max(0.0, clearest - _CLEAR_FROM)


def marker_probability(line: Line, marker: Marker) -> float:
    """Return how likely the line does what the marker says."""
    return line.scores[_COLUMN[marker]] if line.words else 0.0


def sigmoid(value: float) -> float:
    """Return the logistic function, safe for any finite value."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
