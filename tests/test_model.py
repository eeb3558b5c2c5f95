"""The sums that the model makes are those that were learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from classifiers import training
from classifiers.artefact import bundled, load
from classifiers.assessment import Kind, Level, Marker
from classifiers.conversation import Account
from classifiers.corpus import Labelled, load_corpus
from classifiers.exchange import Conversation, Exchange, Line
from classifiers.model import COLUMNS, ENGLISH, MARKERS, MINE, THEIRS, Model, Scale, Thresholds, marker_probability
from classifiers.normalise import words
from classifiers.terms import weight

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


def n_grams(line: list[str], before: str) -> Counter[str]:
    """Count the terms of a line, written anew."""
    found: Counter[str] = Counter(line)
    for word in line:
        edged = ["<", *word, ">"]
        for size in (2, 3, 4, 5):
            found.update("~" + "".join(piece) for piece in zip(*(edged[skip:] for skip in range(size)), strict=False))
    found.update(" ".join(pair) for pair in pairwise([before, *line, "$"]))
    return found


def as_matrix(model: Model, lines: list[tuple[list[str], str]]) -> sparse.csr_matrix:
    counts = [n_grams(*line) for line in lines]
    cells = [
        (row, model.rows[term], count * weight(lines[row][0]))
        for row, counted in enumerate(counts)
        for term, count in counted.items()
        if term in model.rows
    ]
    rows, columns, values = zip(*cells, strict=True)
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(lines), len(model.rows)))


@pytest.fixture(scope="module")
def haven() -> Model:
    model, _ = load(bundled())
    return model


@pytest.mark.parametrize("before", ["^", "the", "video"])
def test_a_line_is_read_as_a_matrix_product_would(haven: Model, before: str) -> None:
    lines = [(words(text), before) for text in LINES]
    sums = np.asarray(as_matrix(haven, lines) @ haven.weights.astype(float))
    sums[:, : ENGLISH + 1] += haven.biases
    sums[:, :ENGLISH] = 1 / (1 + np.exp(-sums[:, :ENGLISH]))
    sums[:, ENGLISH + 1 :] = sums[:, ENGLISH + 1 :].clip(-2, 2)
    found = np.array([haven.read_line(*line) for line in lines])
    assert found.shape == (len(LINES), COLUMNS)
    np.testing.assert_allclose(found, sums, rtol=1e-4, atol=1e-4)


def test_the_line_before_matters(haven: Model) -> None:
    assert haven.read_line(["video"], "the") != haven.read_line(["video"], "^")


def test_no_line_is_too_loud_whatever_it_repeats(haven: Model) -> None:
    loudest = [
        max(haven.rows, key=lambda term: abs(float(haven.weights[haven.rows[term], column])) * (" " not in term))
        for column in range(COLUMNS)
    ]
    for term in loudest:
        scores = np.array(haven.read_line([term.strip("~<>")] * 1000, "^"))
        assert np.isfinite(scores).all()
        assert ((scores[:ENGLISH] >= 0) & (scores[:ENGLISH] <= 1)).all()
        assert (abs(scores[ENGLISH + 1 :]) <= 2).all()


def test_the_unlikeliest_markers_are_just_that(haven: Model) -> None:
    certain = replace(haven, biases=np.where(np.arange(ENGLISH + 1) % 2, 1000, -1000).astype(np.float32))
    assert certain.read_line(["pay"], "^")[:ENGLISH] == pytest.approx([0, 1] * 5)


class Learned:
    """The tiny corpus as training sees it, and what was learned from it."""

    def __init__(self) -> None:
        self.corpus = load_corpus(TINY)
        self.examples = training.prepare(self.corpus, ordinary_conversations=10)
        self.model = training.fit(self.examples)

    def decisions(self, kind: Kind) -> npt.NDArray[np.float64]:
        """Let scikit-learn decide on every exchange."""
        examples = self.examples
        windows = sparse.hstack([examples.mine @ examples.lines, examples.theirs @ examples.lines]).tocsr()
        windows = windows * training._WINDOW_SCALE
        labels = examples.window_labels[kind]
        coefficients, constant = training._regress(windows[labels >= 0], labels[labels >= 0])
        regression = LogisticRegression()
        regression.classes_ = np.array([0, 1])
        regression.coef_, regression.intercept_ = coefficients[np.newaxis], np.array([constant])
        decided: npt.NDArray[np.float64] = regression.decision_function(windows)
        return decided

    def streamed(self) -> Iterator[tuple[datetime, Exchange]]:
        """Read the tiny corpus line by line, as live chat is read."""
        for labelled in self.corpus.conversations:
            yield from self.read(labelled)

    def read(self, labelled: Labelled) -> Iterator[tuple[datetime, Exchange]]:
        conversation = Conversation(labelled.messages[0].sent_at)
        for message in labelled.messages:
            line, before = conversation.add(message, words(message.text))
            line.scores = self.model.read_line(line.words, before)
            yield line.at, conversation.exchange(line.author)


@pytest.fixture(scope="module")
def learned() -> Learned:
    return Learned()


@pytest.mark.parametrize("kind", Kind)
def test_live_chat_is_scored_as_scikit_learn_decides(learned: Learned, kind: Kind) -> None:
    totals, loudest = [], 0.0
    for now, exchange in learned.streamed():
        totals.append(learned.model.total(kind, exchange, now))
        lines = exchange.mine + exchange.theirs
        loudest = max(loudest, *(abs(score) for line in lines for score in line.scores[ENGLISH + 1 :]))
    decided = learned.decisions(kind)[: len(totals)]
    assert loudest < 2, "no line of the tiny corpus is cut short"
    assert max(totals) - min(totals) > 0.5, "there is something to tell apart"
    np.testing.assert_allclose(totals, decided, atol=0.02)


def test_a_threat_sums_higher_than_ordinary_chat(learned: Learned) -> None:
    highest: dict[str, float] = {}
    for labelled in learned.corpus.conversations:
        totals = [learned.model.total(Kind.THREAT, found, now) for now, found in learned.read(labelled)]
        highest[labelled.kind] = max(highest.get(labelled.kind, -99), *totals)
    assert highest["sextortion"] > highest["hard_negative"] > highest["benign"]


NOW = datetime(2026, 5, 1, tzinfo=UTC)


CLEAR = 0.9


def a_line(
    author: str,
    *markers: Marker,
    text: str = "words",
    at: datetime = NOW,
    mine: float = 0,
    theirs: float = 0,
    english: float = 0,
) -> Line:
    """Return a line with scores by hand, in which the markers are clear."""
    scores = [CLEAR * (marker in markers) for marker in MARKERS] + [0.0] * (COLUMNS - ENGLISH)
    scores[ENGLISH], scores[MINE[Kind.THREAT]], scores[THEIRS[Kind.THREAT]] = english, mine, theirs
    return Line("1", Account("test", author), text, at, (), text.split(), scores)


def test_own_lines_and_others_lines_count_in_their_own_columns_and_fade(haven: Model) -> None:
    mine = [a_line("A", mine=1.5, theirs=99), a_line("A", mine=1, at=NOW - timedelta(days=2))]
    theirs = [a_line("B", theirs=-0.25, mine=99), a_line("C", theirs=-4, at=NOW - timedelta(days=4))]
    total = haven.total(Kind.THREAT, Exchange(mine, theirs), NOW)
    assert total - haven.constants[Kind.THREAT] == pytest.approx(1.5 + 0.5 - 0.25 - 1)


CLAIM, THREAT, DEMAND = Marker.IMAGE_CLAIM, Marker.CONTACTS_THREAT, Marker.COMPLIANCE_DEMAND


def added(haven: Model, exchange: Exchange, kind: Kind = Kind.THREAT) -> float:
    """Return what markers alone add to the sum."""
    return haven.total(kind, exchange, NOW) - haven.constants[kind]


def test_a_claim_a_threat_and_a_demand_in_clear_words_add_to_a_threat(haven: Model) -> None:
    apart = Exchange([a_line("A", CLAIM), a_line("A", THREAT), a_line("A", DEMAND)], [])
    at_once = Exchange([a_line("A", CLAIM, THREAT, DEMAND)], [])
    assert added(haven, apart) == added(haven, at_once) > 1
    assert added(haven, apart, Kind.DISCLOSURE) == 0
    share_and_pay = a_line("A", Marker.SHARE_THREAT, Marker.PAYMENT_DEMAND)
    assert added(haven, Exchange([share_and_pay], [])) == added(haven, apart)


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(Exchange([a_line("A", CLAIM), a_line("A", THREAT)], []), id="no demand"),
        pytest.param(Exchange([a_line("A", CLAIM), a_line("A", DEMAND)], []), id="no threat"),
        pytest.param(Exchange([a_line("A", THREAT), a_line("A", DEMAND)], []), id="no claim"),
        pytest.param(Exchange([a_line("A", CLAIM, THREAT)], [a_line("B", DEMAND)]), id="a demand by another"),
        pytest.param(Exchange([a_line("A", CLAIM, THREAT, DEMAND, text="")], []), id="nothing written"),
        pytest.param(
            Exchange([a_line("A", CLAIM, THREAT), a_line("A", DEMAND, at=NOW - timedelta(days=9))], []),
            id="long ago",
        ),
        pytest.param(Exchange([], []), id="nobody"),
    ],
)
def test_less_than_all_three_adds_nothing(haven: Model, exchange: Exchange) -> None:
    assert added(haven, exchange) == 0


@pytest.mark.parametrize(
    ("english", "group"),
    [([1.0], "english"), ([-1.0], "other"), ([1.0, -3.0], "other"), ([3.0, -1.0], "english"), ([], "english")],
)
def test_the_language_is_that_of_the_whole_exchange(haven: Model, english: list[float], group: str) -> None:
    lines = [a_line("A", english=score) for score in english]
    empty = a_line("A", text="", english=-99)
    assert haven.group(Exchange(lines[:1], lines[1:])) == group
    assert haven.group(Exchange([*lines, empty], [empty])) == group


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
