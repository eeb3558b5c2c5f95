"""What the model makes of lines and exchanges is what was learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from classifiers import training
from classifiers.artefact import bundled, load
from classifiers.assessment import Kind, Level, Marker
from classifiers.classifier import Classifier
from classifiers.conversation import Account
from classifiers.corpus import Labelled, load_corpus
from classifiers.exchange import Conversation, Exchange, Line
from classifiers.model import (
    ENGLISH,
    FEATURES,
    HIDDEN,
    LOUDEST,
    MARKERS,
    Model,
    Scale,
    Thresholds,
    gathered,
    marker_probability,
)
from classifiers.network import Windows
from classifiers.reader import Reader, Reading
from classifiers.terms import weight
from classifiers.words import words

TINY = Path(__file__).parent / "corpus"
LINES = [
    "",
    "ok",
    "pay 200 or your sister gets the video",
    "j'ai ta vidéo, paie ce soir!!",
    "привет, как дела?",
    "sеnd m0ney n o w  please 😱",
    "word " * 300,
]
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def n_grams(line: list[str], before: str) -> Counter[str]:
    """Count the terms of a line, written anew."""
    found: Counter[str] = Counter(line)
    for word in line:
        edged = ["<", *word, ">"]
        for size in (2, 3, 4, 5):
            found.update("~" + "".join(piece) for piece in zip(*(edged[skip:] for skip in range(size)), strict=False))
    found.update(" ".join(pair) for pair in pairwise([before, *line, "$"]))
    return found


def sums(model: Model, line: list[str], before: str) -> npt.NDArray[np.float64]:
    """Return a line's sums, term by term."""
    found = model.biases.astype(float)
    rows = {term: row for row, term in enumerate(model.rows)}
    for term, count in n_grams(line, before).items():
        if (row := rows.get(term)) is not None:
            found = found + count * weight(len(line)) * model.sizes[row] * model.steps[row].astype(float)
    return found


@pytest.fixture(scope="module")
def haven() -> Model:
    model, _ = load(bundled())
    return model


@pytest.fixture(scope="module")
def reader(haven: Model) -> Reader:
    return Classifier(haven).reader


@pytest.fixture(scope="module")
def rows(haven: Model) -> dict[str, int]:
    """Each term with its row."""
    return {term: row for row, term in enumerate(haven.rows)}


def read(reader: Reader, line: list[str], before: str = "^") -> Reading:
    (reading,) = reader.read([line], [before])
    return reading


@pytest.mark.parametrize("before", ["^", "the", "video", "x" * 100])
@pytest.mark.parametrize("text", [*LINES, f"{'pay' * 20} me {'nudes' * 20}"])
def test_a_line_is_the_sum_of_its_terms(haven: Model, reader: Reader, text: str, before: str) -> None:
    line = words(text)
    expected = sums(haven, line, before)
    found = read(reader, line, before)
    assert found.features.shape == (FEATURES,)
    likely = 1 / (1 + np.exp(-expected[HIDDEN:]))
    np.testing.assert_allclose(found.features[:HIDDEN], expected[:HIDDEN].clip(0, LOUDEST), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.features[HIDDEN:], likely, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.scores, [*likely[:ENGLISH], expected[-1]], rtol=1e-3, atol=1e-4)


def test_the_line_before_matters(reader: Reader) -> None:
    assert read(reader, ["video"], "the").scores.tolist() != read(reader, ["video"]).scores.tolist()


def test_no_line_is_too_loud_whatever_it_repeats(haven: Model, reader: Reader) -> None:
    for column in range(FEATURES):
        loudest = max(
            haven.rows.words,
            key=lambda word: (
                float(haven.steps[haven.rows.words[word], column]) * float(haven.sizes[haven.rows.words[word]])
            ),
        )
        features, scores = read(reader, [loudest] * 1000)
        assert np.isfinite(features).all()
        assert ((features[:HIDDEN] >= 0) & (features[:HIDDEN] <= LOUDEST)).all()
        assert ((features[HIDDEN:] >= 0) & (features[HIDDEN:] <= 1)).all()
        assert np.isfinite(scores).all()


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("text", [*LINES, f"{'pay' * 20} me {'nudes' * 20}"])
def test_the_shares_of_words_add_up_to_the_sum_of_a_marker(
    haven: Model, reader: Reader, rows: dict[str, int], text: str, marker: Marker
) -> None:
    line = words(text)
    column = HIDDEN + MARKERS.index(marker)
    shares = reader.shares(line, "the")[:, MARKERS.index(marker)]
    edges = [("the", line[0]), (line[-1], "$")] if line else []  # the outer halves belong to no word of the line
    known = [rows[pair] for pair in map(" ".join, edges) if pair in rows]
    outer = sum(float(haven.sizes[row]) * int(haven.steps[row, column]) / 2 for row in known) * weight(len(line))
    alone = sums(haven, line, "the")[column] - haven.biases[column] if line else 0
    assert len(shares) == len(line)
    assert sum(shares) + outer == pytest.approx(alone, rel=1e-3, abs=1e-3)


class Learned:
    """The tiny corpus as training sees it, and what was learned from it."""

    def __init__(self) -> None:
        self.corpus = load_corpus(TINY)
        self.examples = training.prepare(self.corpus, ordinary_conversations=10)
        self.model = training.fit(self.examples)
        self.reader = Classifier(self.model).reader

    def read(self, labelled: Labelled) -> Iterator[tuple[datetime, Exchange]]:
        """Read a conversation line by line, as live chat is read."""
        conversation = Conversation(labelled.messages[0].sent_at)
        for message in labelled.messages:
            heard = words(message.text)
            line = conversation.add(message, heard)
            line.features, line.scores = read(self.reader, heard, line.before)
            yield line.at, conversation.exchange(line.author)


@pytest.fixture(scope="module")
def learned() -> Learned:
    return Learned()


def as_learned(model: Model, features: npt.NDArray[np.float32], windows: Windows, row: int) -> npt.NDArray[np.float32]:
    """Return an exchange as one row the way that training gathers it."""
    said = features[windows.lines[row]]
    parts = [said * counts[row][:, np.newaxis] for counts in (windows.mine, windows.theirs)]
    return np.concatenate([*(part.sum(axis=0) / 2 for part in parts), *(part.max(axis=0) for part in parts), said[-1]])


def test_live_chat_is_gathered_as_it_was_learned(learned: Learned) -> None:
    examples, model = learned.examples, learned.model
    unquantised = examples.lines / examples.sizes  # counts by weight, to which the model's own table is applied
    table = model.sizes[:, np.newaxis] * model.steps.astype(np.float32)
    added = unquantised @ table + model.biases
    likely = 1 / (1 + np.exp(-added[:, HIDDEN:]))
    features = np.concatenate([added[:, :HIDDEN].clip(0, LOUDEST), likely], axis=1).astype(np.float32)
    rows = 0
    for labelled in learned.corpus.conversations:
        for now, exchange in learned.read(labelled):
            expected = as_learned(model, features, examples.windows, rows)
            np.testing.assert_allclose(gathered(exchange, now), expected, rtol=1e-3, atol=1e-3)
            rows += 1
    assert rows == (examples.window_writers != "").sum()


def test_a_threat_sums_higher_than_ordinary_chat(learned: Learned) -> None:
    highest: dict[str, float] = {}
    for labelled in learned.corpus.conversations:
        totals = [learned.model.totals(found, now)[Kind.THREAT] for now, found in learned.read(labelled)]
        highest[labelled.kind] = max(highest.get(labelled.kind, -99), *totals)
    assert highest["sextortion"] > highest["hard_negative"] > highest["benign"]


CLEAR = 0.875  # exact in single precision


def a_line(
    author: str, *markers: Marker, text: str = "words", at: datetime = NOW, feature: float = 0, english: float = 0
) -> Line:
    """Return a line by hand, in which the markers are clear and every feature has the same value."""
    scores = np.array([*(CLEAR * (marker in markers) for marker in MARKERS), english], dtype=np.float32)
    features = np.full(FEATURES, feature, dtype=np.float32)
    return Line("1", Account("test", author), text, at, (), text, features=features, scores=scores)


def test_an_exchange_is_sums_and_maxima_of_both_sides_and_the_latest_line() -> None:
    old = a_line("A", feature=2, at=NOW - timedelta(days=2))
    latest = a_line("B", feature=3)
    exchange = Exchange(
        [a_line("A", feature=1.5), old], [latest, a_line("C", feature=8, at=NOW - timedelta(days=4))], latest
    )
    found = np.split(gathered(exchange, NOW), 5)
    assert [part.tolist() for part in found] == [[value] * FEATURES for value in (1.25, 2.5, 1.5, 3, 3)]


def test_where_nobody_else_speaks_their_side_is_empty() -> None:
    line = a_line("A", feature=1)
    found = np.split(gathered(Exchange([line], [], line), NOW), 5)
    assert [part[0] for part in found] == [0.5, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("english", "group"),
    [([1.0], "english"), ([-1.0], "other"), ([1.0, -3.0], "other"), ([3.0, -1.0], "english"), ([], "english")],
)
def test_the_language_is_that_of_the_whole_exchange(haven: Model, english: list[float], group: str) -> None:
    lines = [a_line("A", english=score) for score in english]
    empty = a_line("A", text="", english=-99)
    assert haven.group(Exchange(lines[:1], lines[1:], empty)) == group
    assert haven.group(Exchange([*lines, empty], [empty], empty)) == group


def test_a_marker_of_an_empty_line_is_unlikely() -> None:
    assert MARKERS[0] is Marker.PAYMENT_DEMAND
    assert marker_probability(a_line("A", Marker.PAYMENT_DEMAND), Marker.PAYMENT_DEMAND) == CLEAR
    assert marker_probability(a_line("A", Marker.PAYMENT_DEMAND, text=""), Marker.PAYMENT_DEMAND) == 0


@pytest.mark.parametrize(
    ("score", "level"),
    [(0.0, Level.NONE), (0.29, Level.NONE), (0.3, Level.NOTICE), (0.5, Level.ALERT), (0.8, Level.ADVISE), (1.0, 3)],
)
def test_a_level_begins_at_its_threshold(score: float, level: Level) -> None:
    assert Thresholds(0.3, 0.5, 0.8).level(score) is Level(level)


@pytest.mark.parametrize(("total", "score"), [(-0.5, 0.5), (0.5, 0.880797), (1e9, 1.0), (-1e9, 0.0)])
def test_a_scale_turns_any_sum_into_a_probability(total: float, score: float) -> None:
    assert Scale(slope=2.0, offset=1.0)(total) == pytest.approx(score)
