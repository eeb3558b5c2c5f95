"""A model made by hand, which adds up what words say, for tests that need to know what it will answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from classifiers.assessment import Kind, Marker, Sensitivity
from classifiers.model import FEATURES, GROUPS, HIDDEN, MARKERS, PARTS, Layer, Model, Scale, Thresholds
from classifiers.vocabulary import Vocabulary

_STEP = 0.1


class Meaning(NamedTuple):
    """What a word clearly shows, and what it adds to each kind when the speaker or the others write it."""

    markers: Collection[Marker] = ()
    mine: Mapping[Kind, float] = {}
    theirs: Mapping[Kind, float] = {}


def adding_model(words: Mapping[str, Meaning], start: float = -1.0, rare: float = -5.0) -> Model:
    """Return a model that knows these words, no pieces of words and no pairs; all its thresholds are 0.

    A kind's sum starts from `start`, that of every marker from `rare`.
    """
    steps = np.zeros((len(words), FEATURES), dtype=np.int8)
    hidden = np.zeros((PARTS * FEATURES, HIDDEN), dtype=np.float32)
    verdicts = np.zeros((HIDDEN, len(Kind)), dtype=np.float32)
    for row, meaning in enumerate(words.values()):
        steps[row, row] = 1 / _STEP
        for marker in meaning.markers:
            steps[row, HIDDEN + MARKERS.index(marker)] = 9 / _STEP
        hidden[row, row] = hidden[FEATURES + row, len(words) + row] = 2
        verdicts[row] = [meaning.mine.get(kind, 0) for kind in Kind]
        verdicts[len(words) + row] = [meaning.theirs.get(kind, 0) for kind in Kind]
    biases = np.zeros(FEATURES, dtype=np.float32)
    biases[HIDDEN:] = rare
    biases[-1] = 1
    return Model(
        rows=Vocabulary("\n".join(words)),
        steps=steps,
        sizes=np.full(len(words), _STEP, dtype=np.float32),
        biases=biases,
        hidden=Layer(hidden, np.zeros(HIDDEN, dtype=np.float32)),
        verdicts=Layer(verdicts, np.full(len(Kind), start, dtype=np.float32)),
        scales=dict.fromkeys(Kind, Scale(1.0, 0.0)),
        thresholds={kind: dict.fromkeys(Sensitivity, dict.fromkeys(GROUPS, Thresholds(0, 0, 0))) for kind in Kind},
    )
