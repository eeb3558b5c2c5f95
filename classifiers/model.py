"""The model: a small network over the terms of recent lines, and how its sums become scores and levels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from classifiers.assessment import Kind, Level, Marker, Sensitivity
from classifiers.exchange import Exchange, Line, fading
from classifiers.vocabulary import Vocabulary

MARKERS = tuple(Marker)
ENGLISH = len(MARKERS)
HIDDEN = 64
FEATURES = HIDDEN + ENGLISH + 1
PARTS = 5
LOUDEST = 8.0
GROUPS = ("english", "other")
_COLUMN = {marker: column for column, marker in enumerate(MARKERS)}

Floats = npt.NDArray[np.float32]


_NOTHING: Floats = np.zeros((1, FEATURES), dtype=np.float32)


class Thresholds(NamedTuple):
    """The lowest scores of the levels above none."""

    notice: float
    alert: float
    advise: float

    def level(self, score: float) -> Level:
        """Return the level that the score reaches."""
        return Level(sum(score >= threshold for threshold in self))

    def above(self, score: float) -> Thresholds:
        """Return thresholds of which none above *notice* is reached by this score or a lower one."""
        least = math.ceil((score + 1e-4) * 1e4) / 1e4 if score else 0.0
        return Thresholds(self.notice, max(self.alert, least), max(self.advise, least))

    def moved(self, shift: float) -> Thresholds:
        """Return thresholds with that of an alert moved by so much of log-odds, between the two others, which stay."""
        if not shift or not 0 < self.alert < 1:
            return self
        alert = sigmoid(math.log(self.alert / (1 - self.alert)) + shift)
        return self._replace(alert=min(max(alert, self.notice), self.advise))


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns a sum into a score between 0 and 1."""

    slope: float
    offset: float

    def __call__(self, total: float) -> float:
        """Return the score."""
        return sigmoid(self.slope * total + self.offset)


class Layer(NamedTuple):
    """Weights with a row per input and a column per output, and a bias per output."""

    weights: Floats
    biases: Floats

    def __call__(self, inputs: Floats) -> Floats:
        """Return the outputs for one row of inputs, or for several."""
        return inputs @ self.weights + self.biases


@dataclass(frozen=True, slots=True)
class Model:
    """What training leaves: plain arrays and numbers.

    Everything about a line is a sum over its terms: `steps` has a row per term in whole numbers from -127 to 127
    with a column per feature, `sizes` what one step of each row is worth, `biases` a number per feature.
    `hidden` and then `verdicts` read the features of an exchange.
    """

    rows: Vocabulary
    steps: npt.NDArray[np.int8]
    sizes: Floats
    biases: Floats
    hidden: Layer
    verdicts: Layer
    scales: Mapping[Kind, Scale]
    thresholds: Mapping[Kind, Mapping[Sensitivity, Mapping[str, Thresholds]]]

    def sums(self, words: Sequence[str]) -> Floats:
        """Return what each word (row) adds to each feature of a line (column), pairs that it is part of aside."""
        rows, owners = self.rows.pieces(words)
        sums = np.zeros((len(words), FEATURES), dtype=np.float32)
        if len(rows):
            firsts = np.concatenate(([0], np.flatnonzero(owners[1:] != owners[:-1]) + 1))
            sums[owners[firsts]] = np.add.reduceat(self.steps[rows] * self.sizes[rows, np.newaxis], firsts)
        known = [(place, row) for place, row in enumerate(map(self.rows.words.get, words)) if row is not None]
        for place, row in known:
            sums[place] += self.steps[row] * self.sizes[row]
        return sums

    def totals(self, exchange: Exchange, now: datetime) -> dict[Kind, float]:
        """Return for each kind what an exchange adds up to, above 0 for likely; older lines fade."""
        hidden = np.maximum(self.hidden(gathered(exchange, now)), 0)
        return dict(zip(Kind, self.verdicts(hidden).tolist(), strict=True))

    def group(self, exchange: Exchange) -> str:
        """Return the language group that the exchange is held to."""
        lines = exchange.mine + exchange.theirs
        return GROUPS[sum(line.scores.item(ENGLISH) for line in lines if line.last) < 0]


def gathered(exchange: Exchange, now: datetime) -> Floats:
    """Return an exchange as one row: sums and maxima of the speaker's and the others' lines, then the latest line."""
    sides = [_faded(exchange.mine, now), _faded(exchange.theirs, now)]
    parts = [*(np.add.reduce(side) / 2 for side in sides), *(np.maximum.reduce(side) for side in sides)]
    return np.concatenate([*parts, exchange.latest.features])


def _faded(lines: Sequence[Line], now: datetime) -> Floats:
    if not lines:
        return _NOTHING
    faded: Floats = np.array([line.features for line in lines])
    faded *= np.array([[fading(line, now)] for line in lines], dtype=np.float32)
    return faded


def marker_probability(line: Line, marker: Marker) -> float:
    """Return how likely the line does what the marker says."""
    return line.scores.item(_COLUMN[marker]) if line.last else 0.0


def sigmoid(value: float) -> float:
    """Return the logistic function, safe for any finite value."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
