"""Tells lines that cannot matter from those that may, without working out what they say.

What a line says of a marker is a sum over its words and pairs of words. Here each of them is one whole number that
holds what it adds to all markers that decide, rounded up, side by side in lanes of 32 bits: adding such numbers adds
all lanes at once. So a sum here is never below the exact one, and a line whose sums stay below is one that shows
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from classifiers.assessment import Marker
from classifiers.model import HIDDEN, MARKERS, Floats, Model
from classifiers.recent import Recent
from classifiers.terms import pairs_of, weight

_MOST_WORDS = 64_000
_LANE = 32
_UNIT = 1 << 12
"""What a sum of 1 is in a lane."""
_HALF = 1 << (_LANE - 1)
_MARGIN = 0.01
"""More than single precision loses in the exact sums."""
_LONGEST = 1_000
"""Words of a line beyond which it is left to the exact sums; far from where a lane would run over."""


class Shown(NamedTuple):
    """What a line may do: show a marker that matters, and have a word that is watched for."""

    marker: bool
    watched: bool


_SHOWN = {(marker, watched): Shown(marker, watched) for marker in (False, True) for watched in (False, True)}


class Screen:
    """Compares lines with the least probability from which each marker matters, of those that are given one.

    `watched` says of a word whether it is watched for.
    """

    def __init__(self, model: Model, least: Mapping[Marker, float], watched: Callable[[str], bool]) -> None:
        self._model = model
        self._watched = watched
        columns = [HIDDEN + MARKERS.index(marker) for marker in least]
        biases = model.biases[columns].tolist()
        self._steps = model.steps[:, columns]
        needed = [math.log(p / (1 - p)) - bias - _MARGIN for p, bias in zip(least.values(), biases, strict=True)]
        self._gaps = np.array(needed)
        self._signs = sum(_HALF << (_LANE * lane) for lane in range(len(needed)))
        self._above = _LANE * len(needed)  # how many of the words are watched for is counted above the lanes
        self._least = lru_cache(maxsize=_LONGEST)(self._worked_out)
        self._words = Recent(self._added, _MOST_WORDS)
        self._pairs = self._all_pairs()

    def expect(self, lines: Iterable[Sequence[str]]) -> None:
        """Work out at once what is to be known of lines that are asked about next."""
        self._words.expect(chain.from_iterable(lines))

    def shown(self, words: Sequence[str], before: str) -> Shown:
        """Return what a line of words may show; `before` is the word that it continues.

        A line of which it is False shows each marker with less than its least probability.
        """
        if len(words) > _LONGEST:
            return _SHOWN[True, True]
        alone = sum(map(self._words.__getitem__, words))
        known = filter(None, map(self._model.rows.pairs.get, pairs_of(words, before)))
        reached = alone + sum(map(self._pairs.__getitem__, known)) + self._least(len(words))
        return _SHOWN[bool(reached & self._signs), bool(reached >> self._above)]

    def _worked_out(self, words: int) -> int:
        """Return what to add to the sums of a line, so that the highest bit of a lane is set where it reaches."""
        (needed,) = self._packed(np.floor(self._gaps / weight(words) * _UNIT)[np.newaxis])
        return self._signs - needed

    def _added(self, words: Sequence[str]) -> Iterator[int]:
        for word, added in zip(words, self._packed(_up(self._model.sums(words, self._steps))), strict=True):
            yield added + (self._watched(word) << self._above)

    def _all_pairs(self) -> dict[int, int]:
        rows = [*self._model.rows.pairs.values()]
        added = self._steps[rows] * self._model.sizes[rows][:, np.newaxis]
        return dict(zip(rows, self._packed(_up(added)), strict=True))

    def _packed(self, lanes: npt.NDArray[np.float64]) -> Iterator[int]:
        """Yield each row of whole numbers, also those below 0, as one number; added to that is to each by itself."""
        size = lanes.shape[1] * _LANE // 8
        packed = (lanes + _HALF).astype("<u4").tobytes()
        for start in range(0, len(packed), size):
            yield int.from_bytes(packed[start : start + size], "little") - self._signs


def _up(sums: Floats) -> npt.NDArray[np.float64]:
    """Return sums in whole units, none less than it was."""
    return np.ceil(sums.astype(np.float64) * _UNIT)
