"""Learns the model's network: plain gradient descent in numpy, so that the same data give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

from classifiers.model import FEATURES, HIDDEN, LOUDEST, PARTS, Floats

_EPOCHS, _FEWEST_STEPS = 4, 300
_BATCH = 32
_RATE, _LOWEST_RATE = 2e-3, 1e-5
_DROPPED = np.float32(0.3)
_MOMENTUM, _VARIANCE = np.float32(0.1), np.float32(0.001)
_TINY = np.float32(1e-8)
_HALF = np.float32(0.5)
_RARE = -2
_SEED = 20261127

Parameters = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Windows:
    """Exchanges as rows of at most 14 line numbers, the latest last.

    `mine` and `theirs` say how much each line counts for the speaker's and for the others' part; where both are 0 the
    place is unused and names a line of the row again. `labels` has a column per kind: 1, 0 or -1 (not for learning);
    `importance` a weight per row; rows of one `conversation` are learned together.
    """

    lines: npt.NDArray[np.int32]
    mine: Floats
    theirs: Floats
    labels: npt.NDArray[np.int8]
    importance: Floats
    conversation: npt.NDArray[np.int32]

    def __getitem__(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Windows:
        """Return some of the exchanges."""
        return Windows(
            self.lines[rows],
            self.mine[rows],
            self.theirs[rows],
            self.labels[rows],
            self.importance[rows],
            self.conversation[rows],
        )


def learn(terms: sparse.csr_matrix, markers: npt.NDArray[np.int8], windows: Windows) -> Parameters:
    """Return the parameters that fit lines (a row of term weights each) to markers, and exchanges to verdicts.

    The columns that tell markers learn from markers alone, so that they stay explanations of a line. The 64 others
    learn what serves the verdicts; "hints", a second reading of markers from them, only helps them on their way.
    """
    chance = np.random.default_rng(_SEED)
    adam = _Adam(_start(chance, terms.shape[1], windows.labels.shape[1]))
    order = np.argsort(windows.conversation, kind="stable")
    _, first = np.unique(windows.conversation[order], return_index=True)
    conversations = np.split(order, first[1:])
    batches = -(-len(conversations) // _BATCH)
    epochs = max(_EPOCHS, _FEWEST_STEPS // batches)
    met = np.zeros(terms.shape[1], dtype=bool)
    with threadpool_limits(1):
        for epoch in range(epochs):
            shuffled = chance.permutation(len(conversations))
            for batch in range(batches):
                chosen = [conversations[c] for c in shuffled[batch * _BATCH : (batch + 1) * _BATCH]]
                done = (epoch * batches + batch) / (epochs * batches)
                gradients = _gradients(adam.parameters, terms, markers, windows[np.concatenate(chosen)], chance)
                adam.step(*gradients, np.float32(_RATE * (1 - done) + _LOWEST_RATE))
                met[gradients[1]] = True
    adam.parameters["terms"][~met] = 0
    return adam.parameters


def _start(chance: np.random.Generator, terms: int, verdicts: int) -> Parameters:
    def normal(rows: int, columns: int, size: float) -> Floats:
        return chance.standard_normal((rows, columns), dtype=np.float32) * np.float32(size)

    markers, gathered = FEATURES - HIDDEN, PARTS * FEATURES
    found = {
        "terms": normal(terms, FEATURES, 0.01),
        "biases": np.zeros(FEATURES, dtype=np.float32),
        "hints": normal(HIDDEN, markers, HIDDEN**-0.5),
        "hint biases": np.zeros(markers, dtype=np.float32),
        "hidden": normal(gathered, HIDDEN, gathered**-0.5),
        "hidden biases": np.zeros(HIDDEN, dtype=np.float32),
        "verdicts": normal(HIDDEN, verdicts, HIDDEN**-0.5),
        "verdict biases": np.zeros(verdicts, dtype=np.float32),
    }
    found["terms"][:, HIDDEN:] = 0
    found["biases"][HIDDEN:] = _RARE
    return found


def _gradients(
    known: Parameters,
    terms: sparse.csr_matrix,
    markers: npt.NDArray[np.int8],
    windows: Windows,
    chance: np.random.Generator,
) -> tuple[Mapping[str, Floats], npt.NDArray[np.intp]]:
    """Return how to change every parameter, and which rows of "terms" its gradient is for."""
    ids, places = np.unique(windows.lines, return_inverse=True)
    places = places.reshape(windows.lines.shape)
    lines, rows = _used(terms[ids])

    # Forwards: lines, their markers, exchanges, their verdicts; some features are dropped at random.
    sums = lines @ known["terms"][rows] + known["biases"]
    kept = _kept((len(ids), HIDDEN), chance)
    useful = np.clip(sums[:, :HIDDEN], 0, LOUDEST) * kept
    likely = _sigmoid(sums[:, HIDDEN:])
    said = np.concatenate([useful, likely], axis=1)[places]
    sides = [counts[:, :, np.newaxis] for counts in (windows.mine, windows.theirs)]
    parts = [said * counts for counts in sides]
    strongest = [part.argmax(axis=1)[:, np.newaxis] for part in parts]
    loudest = [np.take_along_axis(part, at, 1)[:, 0] for part, at in zip(parts, strongest, strict=True)]
    gathered = np.concatenate([*(part.sum(axis=1) * _HALF for part in parts), *loudest, said[:, -1]], axis=1)
    inside = gathered @ known["hidden"] + known["hidden biases"]
    hidden_kept = _kept(inside.shape, chance)
    hidden = np.maximum(inside, 0) * hidden_kept

    # Backwards, from the errors of the verdicts and of the markers to the terms.
    judged = (windows.labels >= 0) * (windows.importance / np.float32(windows.labels.size))[:, np.newaxis]
    error = (_sigmoid(hidden @ known["verdicts"] + known["verdict biases"]) - (windows.labels > 0)) * judged
    hidden_error: Floats = (error @ known["verdicts"].T) * hidden_kept * (inside > 0)
    to_sums, to_loudest, to_latest = _split(hidden_error @ known["hidden"].T)
    said_error = np.zeros((*places.shape, HIDDEN), dtype=np.float32)
    for counts, summed, most, at in zip(sides, to_sums, to_loudest, strongest, strict=True):
        said_error += _HALF * summed[:, np.newaxis] * counts
        at = at[:, :, :HIDDEN]
        there = np.take_along_axis(np.broadcast_to(counts, said_error.shape), at, 1)
        np.put_along_axis(said_error, at, np.take_along_axis(said_error, at, 1) + most[:, np.newaxis] * there, 1)
    said_error[:, -1] += to_latest
    line_of = sparse.csr_matrix(
        (np.ones(places.size, dtype=np.float32), (places.ravel(), np.arange(places.size))), (len(ids), places.size)
    )
    taught = markers[ids]
    marker_error = (likely - taught) / np.float32(taught.size)
    hint_error = (_sigmoid(useful @ known["hints"] + known["hint biases"]) - taught) / np.float32(taught.size)
    useful_error = line_of @ said_error.reshape(-1, HIDDEN) + hint_error @ known["hints"].T
    useful_error *= kept * ((sums[:, :HIDDEN] > 0) & (sums[:, :HIDDEN] < LOUDEST))
    sum_error = np.concatenate([useful_error, marker_error], axis=1)
    return {
        "terms": lines.T @ sum_error,
        "biases": sum_error.sum(axis=0),
        "hints": useful.T @ hint_error,
        "hint biases": hint_error.sum(axis=0),
        "hidden": gathered.T @ hidden_error,
        "hidden biases": hidden_error.sum(axis=0),
        "verdicts": hidden.T @ error,
        "verdict biases": error.sum(axis=0),
    }, rows


def _split(error: Floats) -> tuple[list[Floats], list[Floats], Floats]:
    """Return the error of the sums, of the maxima and of the latest line, for the 64 features only."""
    parts = [part[:, :HIDDEN] for part in np.split(error, PARTS, axis=1)]
    return parts[:2], parts[2:4], parts[4]


class _Adam:
    """Adam, for "terms" only on the rows that a batch uses."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self._means = {name: np.zeros_like(values) for name, values in parameters.items()}
        self._squares = {name: np.zeros_like(values) for name, values in parameters.items()}
        self._steps = 0

    def step(self, gradients: Mapping[str, Floats], rows: npt.NDArray[np.intp], rate: np.float32) -> None:
        self._steps += 1
        unbiased = np.float32(1 - (1 - _MOMENTUM) ** self._steps), np.float32(1 - (1 - _VARIANCE) ** self._steps)
        for name, gradient in gradients.items():
            where = rows if name == "terms" else slice(None)
            mean = self._means[name][where]
            square = self._squares[name][where]
            mean = mean + _MOMENTUM * (gradient - mean)
            square = square + _VARIANCE * (gradient * gradient - square)
            self._means[name][where], self._squares[name][where] = mean, square
            change: Floats = rate * (mean / unbiased[0]) / (np.sqrt(square / unbiased[1]) + _TINY)
            self.parameters[name][where] -= change


def _used(lines: sparse.csr_matrix) -> tuple[sparse.csr_matrix, npt.NDArray[np.intp]]:
    """Return the lines with only the columns that they use, and which those are."""
    columns, places = np.unique(lines.indices, return_inverse=True)
    narrow = sparse.csr_matrix((lines.data, places.astype(np.int32), lines.indptr), (lines.shape[0], len(columns)))
    return narrow, columns


def _kept(shape: tuple[int, ...], chance: np.random.Generator) -> Floats:
    return np.where(chance.random(shape, dtype=np.float32) >= _DROPPED, 1 / (1 - _DROPPED), np.float32(0))


def _sigmoid(sums: Floats) -> Floats:
    return (1 / (1 + np.exp(-np.clip(sums, -30, 30)))).astype(np.float32)
