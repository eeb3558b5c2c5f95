"""What is read quickly is read the same: words, lines that cannot matter, and every decision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.effects import Effect
from bot.guard import Guard
from bot.memory import Memory
from bot.policy import Policy
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers import despair
from classifiers.artefact import bundled, load
from classifiers.assessment import Kind, Level
from classifiers.classifier import LEAST, Classifier
from classifiers.conversation import Message
from classifiers.corpus import Labelled, load_corpus
from classifiers.despair import shows_despair
from classifiers.model import MARKERS, Model
from classifiers.normalise import tokens
from classifiers.recent import Recent
from classifiers.terms import word_terms
from classifiers.vocabulary import Vocabulary
from classifiers.words import words

_Decided = tuple[str, Kind, Level, bool, tuple[Effect, ...]]
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
_PARTS = (
    "i a no No, no. pay $ 0 1 3 7 @ @sam #general > >>> - -- -# s e n d s3nd m0ney 3v3 mp3 10am 100% %73 don't I'm x-y "
    "https://a.b/c (www.x.y ,x 10.0.0.1 *h* **e** _l_ ~~p~~ ||x|| hey!!! soooo … “so” café ŉ İ ﬁ 😀 👍🏽 ❤️ привет рау "
    "α h.e.l.p e.g. yenom ... 1,000 v1d30s"
)
PARTS = st.sampled_from(_PARTS.split())


@pytest.fixture(scope="module")
def haven() -> Model:
    model, _ = load(bundled())
    return model


@pytest.fixture(scope="module")
def classifier(haven: Model) -> Classifier:
    return Classifier(haven)


@pytest.fixture(scope="module")
def rows(haven: Model) -> dict[str, int]:
    """Each term with its row."""
    return {term: row for row, term in enumerate(haven.rows)}


@pytest.fixture(scope="module")
def conversations() -> Sequence[Labelled]:
    return load_corpus(Path(__file__).parents[1] / "data" / "corpus").conversations[::20]


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(PARTS | st.text(max_size=4), st.sampled_from([" ", "  ", "\n"])), max_size=12))
def test_words_are_those_of_the_normal_form_whatever_stands_beside_what(parts: list[tuple[str, str]]) -> None:
    text = "".join(part + gap for part, gap in parts)
    assert words(text) == tokens(text)


def test_words_of_conversations_are_those_of_the_normal_form(conversations: Sequence[Labelled]) -> None:
    for message in (message for one in conversations for message in one.messages):
        assert words(message.text) == tokens(message.text)


def test_a_line_that_is_left_out_shows_no_marker_that_counts(
    haven: Model, classifier: Classifier, conversations: Sequence[Labelled]
) -> None:
    screen = classifier.screen
    left_out = 0
    for message in (message for one in conversations for message in one.messages):
        heard = words(message.text)
        shown = haven.read_line(heard, "^").scores
        reached = any(shown[MARKERS.index(marker)] >= least for marker, least in LEAST.items())
        marker, watched = screen.shown(heard, "^")
        left_out += not marker
        assert marker or not reached, message.text
        assert watched or not shows_despair(heard), message.text
    assert left_out > 1000


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_no_words_however_chosen_hide_a_marker_that_counts(
    haven: Model, classifier: Classifier, data: st.DataObject
) -> None:
    known = st.sampled_from([*haven.rows.words][::7])
    heard, before = data.draw(st.lists(known, max_size=30)), data.draw(known)
    shown = haven.read_line(heard, before).scores
    if any(shown[MARKERS.index(marker)] >= least for marker, least in LEAST.items()):
        assert classifier.screen.shown(heard, before).marker


def decided(
    classifier: Classifier, messages: Sequence[Message], *, thorough: bool
) -> list[tuple[str, Kind, Level, bool, tuple[Effect, ...]]]:
    """Return every decision that is more than nothing, with what follows from it."""
    with closing(Store(None, one_time_seal())) as store:
        memory = Memory(10, timedelta(days=400))
        guard = Guard(classifier, memory, store, lambda _: Policy(salt="s"), lambda: NOON, thorough=thorough)
        found = guard.receive(messages)
    return [
        (one.found.message_id, one.found.kind, one.found.level, one.found.crisis, one.effects)
        for one in found
        if one.found.level or one.effects
    ]


def test_every_decision_is_the_one_of_the_thorough_path(
    classifier: Classifier, conversations: Sequence[Labelled]
) -> None:
    levels = set()
    for one in conversations:
        quick = decided(classifier, one.messages, thorough=False)
        assert quick == decided(classifier, one.messages, thorough=True), one.id
        levels |= {level for _, _, level, _, _ in quick}
    assert levels >= {Level.NOTICE, Level.ALERT, Level.ADVISE}


@pytest.mark.parametrize("phrase", [phrase for _, phrase in despair._PHRASES])
def test_a_phrase_of_despair_is_sought_wherever_it_stands(phrase: str) -> None:
    @settings(max_examples=60, deadline=None, database=None)
    @given(st.from_regex(re.compile(phrase), fullmatch=True))
    def holds(text: str) -> None:
        heard = re.findall(r"\w+|[^\w\s]", text)
        said = despair._APOSTROPHE.sub(" ", " ".join(heard))
        if re.search(rf"(?<!\w)(?:{phrase})(?!\w)", said):
            assert shows_despair(heard)

    holds()


def test_what_is_remembered_is_bounded_and_worked_out_once() -> None:
    asked: list[str] = []

    def work_out(words: Sequence[str]) -> list[int]:
        asked.extend(words)
        return [*map(len, words)]

    recent = Recent(work_out, most=10)
    assert [recent["one"], recent["one"], recent["x" * 100], recent["x" * 100]] == [3, 3, 100, 100]
    assert asked == ["one", "x" * 100, "x" * 100]
    for number in range(1000):
        assert recent[f"word {number}"] == len(f"word {number}")
        assert len(recent) <= 5
    assert recent["word 999"] == 8
    assert asked.count("word 999") == 1
    recent.expect(["word 999", "y", "four", "four", "y" * 100])
    assert sorted(asked[-2:]) == ["four", "y"]
    assert (recent["four"], recent["y"], asked.count("four")) == (4, 1, 1)


@pytest.mark.parametrize("terms", ["", "a\nb\na", "~<a\n~a>\n~<a", "a b\na b"])
def test_a_vocabulary_has_terms_and_each_of_them_once(terms: str) -> None:
    with pytest.raises(ValueError, match="no terms"):
        Vocabulary(terms)


def test_a_vocabulary_finds_the_rows_of_what_it_knows() -> None:
    terms = ["pay", "~<pa", "^ pay", "é", "~", "~ é", "~<~", "~pay>", "~ay", "~é>"]
    vocabulary = Vocabulary("\n".join(terms))
    assert ([*vocabulary], len(vocabulary)) == (terms, len(terms))
    assert vocabulary.words == {"pay": 0, "é": 3, "~": 4}
    assert {pair: terms[row] for pair, row in vocabulary.pairs.items()} == {("^", "pay"): "^ pay", ("~", "é"): "~ é"}
    rows, owners = vocabulary.pieces(["é", "nothing", "pay", "~", "", "repay"])
    found = sorted((int(owner), terms[row]) for row, owner in zip(rows, owners, strict=True))
    assert found == [(0, "~é>"), (2, "~<pa"), (2, "~ay"), (2, "~pay>"), (3, "~<~"), (5, "~ay"), (5, "~pay>")]
    assert owners.tolist() == sorted(owners)


@settings(max_examples=200, deadline=None)
@given(heard=st.lists(st.text(min_size=1, max_size=12).filter(lambda word: not word.isspace()), max_size=5))
def test_words_add_what_their_terms_add(haven: Model, rows: dict[str, int], heard: list[str]) -> None:
    for word, added in zip(heard, haven.sums(heard, haven.steps), strict=True):
        known = [rows[term] for term in word_terms(word) if term in rows]
        np.testing.assert_allclose(added, haven.sizes[known] @ haven.steps[known].astype(np.float32), atol=1e-5)
