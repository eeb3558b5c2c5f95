"""Tells lines that cannot matter from those that may, without working out what they say.

What a line says of a marker is a sum over its words and pairs of words. Here each of them is one whole number that
holds what it adds to all markers that decide, rounded up, side by side in lanes of 32 bits: adding such numbers adds
all lanes at once. So a sum here is never below the exact one, and a line whose sums stay below is one that shows
nothing. For most lines it is enough to take for each word the most that any pair could add that it begins, and to look
up no pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
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


_SHOWN = {marker: (Shown(marker, watched=False), Shown(marker, watched=True)) for marker in (False, True)}


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
        self._pairs, self._most = self._of_pairs()

    def expect(self, lines: Iterable[Sequence[str]]) -> None:
        """Work out at once what is to be known of lines that are asked about next."""
        self._words.expect(chain.from_iterable(lines))

    def shown(self, words: Sequence[str], before: str) -> Shown:
        """Return what a line of words may show; `before` is the word that it continues.

        A line of which it is False shows each marker with less than its least probability.
        """
        if len(words) > _LONGEST:
            return _SHOWN[True][True]
        most = sum(map(self._words.__getitem__, words)) + self._most.get(before, 0) + self._least(len(words))
        if not most & self._signs:
            return _SHOWN[False][most >> self._above > 0]
        known = filter(None, map(self._model.rows.pairs.get, pairs_of(words, before)))
        reached = (
            most + sum(map(self._pairs.__getitem__, known)) - sum(map(self._most.get, (before, *words), repeat(0)))
        )
        return _SHOWN[reached & self._signs > 0][reached >> self._above > 0]

    def _worked_out(self, words: int) -> int:
        """Return what to add to the sums of a line, so that the highest bit of a lane is set where it reaches."""
        (needed,) = self._packed(np.floor(self._gaps / weight(words) * _UNIT)[np.newaxis])
        return self._signs - needed

    def _added(self, words: Sequence[str]) -> Iterator[int]:
        """Yield what each word adds at most, alone and by the pair that it begins."""
        for word, added in zip(words, self._packed(_up(self._model.sums(words, self._steps))), strict=True):
            yield added + self._most.get(word, 0) + (self._watched(word) << self._above)

    def _of_pairs(self) -> tuple[dict[int, int], dict[str, int]]:
        """Return what each pair adds, by its row, and the most that any of those adds that a word begins."""
        pairs = self._model.rows.pairs
        rows = [*pairs.values()]
        added = _up(self._steps[rows] * self._model.sizes[rows][:, np.newaxis])
        beginning: dict[str, int] = {}
        begun = [beginning.setdefault(first, len(beginning)) for first, _ in pairs]
        most = np.zeros((len(beginning), added.shape[1]))
        np.maximum.at(most, np.array(begun, dtype=np.intp), added)
        return dict(zip(rows, self._packed(added), strict=True)), dict(zip(beginning, self._packed(most), strict=True))

    def _packed(self, lanes: npt.NDArray[np.float64]) -> Iterator[int]:
        """Yield each row of whole numbers, also those below 0, as one number; added to that is to each by itself."""
        size = lanes.shape[1] * _LANE // 8
        packed = (lanes + _HALF).astype("<u4").tobytes()
        for start in range(0, len(packed), size):
            yield int.from_bytes(packed[start : start + size], "little") - self._signs


def _up(sums: Floats) -> npt.NDArray[np.float64]:
    """Return sums in whole units, none less than it was."""
    return np.ceil(sums.astype(np.float64) * _UNIT)
