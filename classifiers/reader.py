"""Reads lines of words, many at once: what each says, or quicker, whether it can say anything that matters.

What a line says is a sum over its words and its pairs of words. What each word adds is worked out once and remembered,
as a row of an array; the lines of a batch stand end to end in one row of numbers, and are summed in one step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from classifiers.assessment import Marker
from classifiers.model import ENGLISH, FEATURES, HIDDEN, LOUDEST, MARKERS, Floats, Model
from classifiers.places import Numbers, Places
from classifiers.recent import LONGEST_REMEMBERED
from classifiers.terms import END, START, weight
from classifiers.vocabulary import NOTHING, UNKNOWN

_MOST_WORDS = 32_000
_MOST_SHOWN, _MOST_BEGUN = 16_000, 8_000
"""Words, and characters, that are worked on at once, of which each takes some hundred bytes meanwhile."""
_MARGIN = 0.01
"""More than single precision loses in the exact sums."""
_JUDGED = slice(HIDDEN, HIDDEN + len(MARKERS))

_Indices = npt.NDArray[np.intp]


class Reading(NamedTuple):
    """What the model makes of one line.

    `features` (75) go on into the exchange: 64 that training found of use, between 0 and 8, then the probabilities
    of the ten markers and of English. `scores` has the markers' probabilities again and the sum of "is English".
    """

    features: Floats
    scores: Floats


class Shown(NamedTuple):
    """What each of several lines may do: show a marker that matters, and have a word that is watched for."""

    markers: list[bool]
    watched: list[bool]


class _Laid(NamedTuple):
    """Lines end to end, each with what stands before and after it.

    The number of each word, the place of each pair with the word after it, where each line starts, how much its terms
    count (one a row), the number of its first word, and what each word adds.
    """

    numbers: _Indices
    pairs: npt.NDArray[np.int32]
    starts: _Indices
    weights: Floats
    firsts: _Indices
    added: Floats


class Reader:
    """Reads lines as a model says; those of its markers that `least` has matter from that probability on.

    `watched` says of a word whether it is watched for. It may be called from any thread.
    """

    def __init__(self, model: Model, least: Mapping[Marker, float], watched: Callable[[str], bool]) -> None:
        self._model = model
        self._watched = watched
        needed = [np.log(least[one] / (1 - least[one])) if one in least else np.inf for one in MARKERS]
        self._needed = np.array(needed) - model.biases[_JUDGED] - _MARGIN
        self._lock = Lock()
        known = model.rows
        self._number = _Numbers(known.paired, _MOST_WORDS)
        self._useful = np.zeros((self._number.most, HIDDEN), dtype=np.float32)
        self._decisive = np.zeros((self._number.most, FEATURES - HIDDEN + 1), dtype=np.float32)
        self._decisive[UNKNOWN] = np.inf
        firsts, seconds, rows = known.pairs.T.astype(np.intp)
        self._places = Places(_paired(firsts, seconds))
        self._rows = np.append(rows, 0)
        self._sizes = np.append(model.sizes[rows], np.float32(0))[:, np.newaxis]
        self._pairs = np.zeros((len(self._rows), self._decisive.shape[1]), dtype=np.float32)  # of markers only
        self._pairs[:, : len(MARKERS)] = model.steps[self._rows, _JUDGED] * self._sizes
        self._ending = np.zeros((len(known.paired) + UNKNOWN + 2, self._pairs.shape[1]), dtype=np.float32)
        np.maximum.at(self._ending, seconds, self._pairs[:-1])

    def shown(self, lines: Sequence[Sequence[str]]) -> Shown:
        """Return what each line may show, whatever it continues.

        A line for which `markers` has False shows each marker with less than its least probability: its first pair
        counts as the most that any adds that ends so, and no sum is below the exact one.
        """
        shown = Shown([], [])
        for run in _runs([*map(len, lines)], _MOST_SHOWN):
            laid = self._lay(lines[run], self._decisive)
            laid.added[:-1] += self._pairs.take(laid.pairs, axis=0)
            laid.added[laid.starts] += self._ending.take(laid.firsts, axis=0, mode="clip")
            sums = np.add.reduceat(laid.added, laid.starts, dtype=np.float64)
            reached = np.any(sums[:, : len(MARKERS)] * laid.weights >= self._needed, axis=1)
            shown.markers.extend(reached.tolist())
            shown.watched.extend((sums[:, -1] > 0).tolist())
        return shown

    def read(self, lines: Sequence[Sequence[str]], before: Iterable[str]) -> list[Reading]:
        """Return what each line says by itself; `before` has the words that they continue, or START."""
        return self.end(self.begin(lines), lines, before)

    def begin(self, lines: Sequence[Sequence[str]]) -> Floats:
        """Return what lines (rows) add up to whatever they continue, which is for `end` to go on from."""
        begun = np.empty((len(lines), FEATURES), dtype=np.float32)
        for run in _runs([sum(map(len, line)) for line in lines], _MOST_BEGUN):
            laid = self._lay(lines[run], self._useful, self._decisive)
            self._complete(laid, lines[run])
            laid.added[:-1, :FEATURES] += self._model.steps[self._rows[laid.pairs]] * self._sizes[laid.pairs]
            begun[run] = np.add.reduceat(laid.added[:, :FEATURES], laid.starts) * laid.weights
        return begun + self._model.biases

    def end(self, begun: Floats, lines: Sequence[Sequence[str]], before: Iterable[str]) -> list[Reading]:
        """Return what each line says that continues these words."""
        if not lines:
            return []
        paired = self._model.rows.paired
        firsts = np.array([paired.get(word, NOTHING) for word in before])
        seconds = np.array([paired.get(line[0] if line else END, NOTHING) for line in lines])
        pairs = self._places(_paired(firsts, seconds))
        weights = weight(np.array([*map(len, lines)])).astype(np.float32)[:, np.newaxis]
        features = begun + self._model.steps[self._rows[pairs]] * (self._sizes[pairs] * weights)
        scores = features[:, HIDDEN:].copy()
        useful, judged = features[:, :HIDDEN], features[:, HIDDEN:]
        np.minimum(np.maximum(useful, 0, out=useful), LOUDEST, out=useful)
        np.minimum(np.maximum(judged, -60, out=judged), 60, out=judged)
        np.exp(np.negative(judged, out=judged), out=judged)
        judged += 1
        np.reciprocal(judged, out=judged)
        scores[:, :ENGLISH] = judged[:, :ENGLISH]
        return [Reading(*map(np.copy, told)) for told in zip(features, scores, strict=True)]

    def shares(self, words: Sequence[str], before: str) -> Floats:
        """Return what each word of a line (row) adds to the sum of each marker (column).

        Pairs count half for each of their words.
        """
        laid = self._lay([words], self._useful, self._decisive, before=before)
        self._complete(laid, [words])
        pairs = self._pairs[laid.pairs, : len(MARKERS)] * np.float32(0.5)
        shares: Floats = (laid.added[1:-1, _JUDGED] + pairs[:-1] + pairs[1:]) * laid.weights
        return shares

    def _lay(self, lines: Sequence[Sequence[str]], *tables: Floats, before: str | None = None) -> _Laid:
        """Lay lines end to end, with what words add in these tables.

        A line's first pair is left out, except that of a single line with `before`, the word that it continues.
        """
        sizes = np.fromiter(map(len, lines), dtype=np.intp, count=len(lines))
        ends = np.cumsum(sizes + 2) - 1
        starts = ends - sizes - 1
        numbers = np.full(ends[-1] + 1, NOTHING, dtype=np.intp)
        inside = np.ones(len(numbers), dtype=bool)
        inside[starts] = inside[ends] = False
        with self._lock:
            number = self._number.__getitem__
            numbers[inside] = np.fromiter(map(number, chain.from_iterable(lines)), dtype=np.intp, count=sizes.sum())
            numbers[ends] = number(END)
            if before is not None:
                numbers[starts] = number(before)
            self._learn()
            pairs = _paired(numbers[:-1], numbers[1:])
            firsts = numbers[starts + 1]
            numbers[starts] = numbers[ends] = NOTHING
            added = [table.take(numbers, axis=0) for table in tables]
        weights = weight(sizes).astype(np.float32)[:, np.newaxis]
        together = added[0] if len(added) == 1 else np.concatenate(added, axis=1)
        return _Laid(numbers, self._places(pairs), starts, weights, firsts, together)

    def _learn(self) -> None:
        """Work out what those words add that are new."""
        if new := self._number.new:
            sums = self._model.sums(new)
            rows = [self._number[word] for word in new]
            self._useful[rows], self._decisive[rows, :-1] = sums[:, :HIDDEN], sums[:, HIDDEN:]
            self._decisive[rows, -1] = [*map(self._watched, new)]
            self._number.make_room()

    def _complete(self, laid: _Laid, lines: Sequence[Sequence[str]]) -> None:
        """Work out what words add that have no number."""
        unknown = np.flatnonzero(laid.numbers == UNKNOWN)
        if len(unknown):
            words = [*chain.from_iterable((START, *line, END) for line in lines)]
            laid.added[unknown, :FEATURES] = self._model.sums([words[place] for place in unknown])


class _Numbers(dict[str, int]):
    """The number, below `most`, of each word that was met.

    A word of pairs has its own, so many others have one while there is room, any more are UNKNOWN. `new` has the words
    that got theirs since `make_room` was last called, which lets the oldest go until there is room for an eighth again.
    """

    def __init__(self, paired: Mapping[str, int], others: int) -> None:
        super().__init__()
        self._paired = paired
        self._others = others
        self._next = len(paired) + UNKNOWN + 1
        self.most = self._next + others
        self.new: list[str] = []
        self._freed: list[int] = []
        self._order: deque[str] = deque()

    def __missing__(self, word: str) -> int:
        number = self._paired.get(word)
        if number is None:
            if len(word) > LONGEST_REMEMBERED or len(self._order) == self._others:
                return UNKNOWN
            if self._freed:
                number = self._freed.pop()
            else:
                number = self._next
                self._next += 1
            self._order.append(word)
        self[word] = number
        self.new.append(word)
        return number

    def make_room(self) -> None:
        """Begin to collect new words again."""
        self.new.clear()
        while len(self._order) > self._others * 7 // 8:
            self._freed.append(self.pop(self._order.popleft()))


def _runs(sizes: Sequence[int], most: int) -> Iterator[slice]:
    """Cut what has these sizes into runs that have at most so much together, or are one."""
    start = together = 0
    for at, size in enumerate(sizes):
        if together + size > most and at > start:
            yield slice(start, at)
            start, together = at, 0
        together += size
    if sizes:
        yield slice(start, len(sizes))


def _paired(firsts: _Indices, seconds: _Indices) -> Numbers:
    """Return one number for the two of each pair."""
    return (firsts << 32 | seconds).astype(np.uint64)
