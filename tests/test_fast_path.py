"""What is read quickly is read the same: words, lines that cannot matter, and every decision."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.effects import Effect
from bot.guard import Finding, Guard, Unread
from bot.inbox import AT_ONCE
from bot.memory import Memory
from bot.policy import Policy
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers import despair
from classifiers.artefact import bundled, load
from classifiers.assessment import Assessment, Level
from classifiers.classifier import LEAST, Answer, Classifier, Question
from classifiers.conversation import Account, Message
from classifiers.corpus import Labelled, load_corpus
from classifiers.despair import shows_despair
from classifiers.model import MARKERS, Model
from classifiers.normalise import spans, tokens
from classifiers.places import Places
from classifiers.reader import Reader
from classifiers.recent import Recent
from classifiers.terms import START, word_terms
from classifiers.vocabulary import Vocabulary
from classifiers.words import words

_Decided = tuple[Assessment, tuple[Effect, ...]]
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
_PARTS = (
    "i a no No, no. pay $ 0 1 3 7 @ @sam #general > >>> - -- -# s e n d s3nd m0ney 3v3 mp3 10am 100% %73 don't I'm x-y "
    "https://a.b/c (www.x.y ,x 10.0.0.1 *h* **e** _l_ ~~p~~ ||x|| hey!!! soooo … “so” café ŉ İ ﬁ 😀 👍🏽 ❤️ привет рау "
    "α h.e.l.p e.g. yenom ... 1,000 v1d30s \ufe0f # ## . / * | } %20 e%20i >10.0.0.1 >http://b www.b Aaa ſs …z b n -"
)
PARTS = st.sampled_from(_PARTS.split())
GAPS = st.sampled_from([" ", "  ", "\n", "\u3000", "\xa0", ""])


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
@given(st.lists(st.tuples(PARTS | st.text(max_size=4), GAPS), max_size=12))
def test_words_are_those_of_the_normal_form_whatever_stands_beside_what(parts: list[tuple[str, str]]) -> None:
    text = "".join(part + gap for part, gap in parts)
    assert words(text) == tokens(text)
    assert len(spans(text)) == len(words(text))


@pytest.mark.parametrize("head", [">", ">>>", "#", "##", "-#"])
@pytest.mark.parametrize("mark", ["{}\ufe0f", "\ufe0f{}", "{}\ufe0f\u3000"])
@pytest.mark.parametrize("text", ["pay", "b\n7 - w", "Aaa e%20i0@ n n / n", "ſs …z\n0 ß", " >http://b >0.0.0.7"])
def test_words_after_a_head_of_a_line_are_those_of_the_normal_form(head: str, mark: str, text: str) -> None:
    for whole in (f"{mark.format(head)} {text}", text, f"x\n{head} {text}"):
        assert words(whole) == tokens(whole)


def test_words_of_conversations_are_those_of_the_normal_form(conversations: Sequence[Labelled]) -> None:
    for message in (message for one in conversations for message in one.messages):
        assert words(message.text) == tokens(message.text)


def test_a_line_that_is_left_out_shows_no_marker_that_counts(
    classifier: Classifier, conversations: Sequence[Labelled]
) -> None:
    lines = [words(message.text) for one in conversations for message in one.messages]
    shown = classifier.reader.shown(lines)
    for line, marker, watched in zip(lines, *shown, strict=True):
        assert marker or not counting(classifier.reader, line, START), line
        assert watched or not shows_despair(line), line
    assert 1000 < shown.markers.count(False) < len(lines)
    assert classifier.reader.shown([]) == ([], [])
    assert classifier.reader.shown([[], ["thanks"], ["die"]]) == ([False, False, False], [False, False, True])


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_no_words_however_chosen_hide_a_marker_that_counts(
    haven: Model, classifier: Classifier, data: st.DataObject
) -> None:
    known = st.sampled_from([*haven.rows.words][::7])
    lines, before = data.draw(st.lists(st.lists(known, max_size=30), min_size=1, max_size=4)), data.draw(known)
    for line, marker in zip(lines, classifier.reader.shown(lines).markers, strict=True):
        assert marker or not counting(classifier.reader, line, before)


@pytest.mark.parametrize("at_once", [1_000, 140_000])
def test_more_words_than_are_remembered_hide_nothing(haven: Model, at_once: int) -> None:
    reader = Reader(haven, LEAST, despair.may_show_despair)
    telling = ["send", "me", "money", "or", "i", "send", "your", "nudes", "to", "your", "family"]
    assert counting(reader, telling, START)
    for first in range(0, 140_000, at_once):
        others = [f"x{number}" for number in range(first, first + at_once)]
        assert reader.shown([others, telling]).markers[1]
        assert reader.shown([["thanks"], telling, ["y" * 100]]).markers == [False, True, True]


@pytest.mark.parametrize("most", [8, 500])
def test_after_any_number_of_words_lines_say_what_they_said(
    haven: Model, conversations: Sequence[Labelled], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("classifiers.reader._MOST_WORDS", most)
    reader = Reader(haven, LEAST, despair.may_show_despair)
    lines = [words(message.text) for one in conversations[:100] for message in one.messages]
    before = [START] * len(lines)
    first = reader.read(lines[:64], before[:64]), reader.shown(lines[:64])
    with in_turns(), ThreadPoolExecutor(4) as threads:
        reading = threads.map(lambda at: reader.read(lines[at : at + 7], before[at : at + 7]), range(0, len(lines), 7))
        shown = threads.map(lambda at: reader.shown(lines[at : at + 5]).markers, range(0, len(lines), 5))
        in_pieces, shown_in_pieces = [*chain.from_iterable(reading)], [*chain.from_iterable(shown)]
    assert [one.scores.tolist() for one in first[0]] == [one.scores.tolist() for one in in_pieces[:64]]
    alone = Reader(haven, LEAST, despair.may_show_despair)
    for line, reading_then, shown_then in zip(lines, in_pieces, shown_in_pieces, strict=True):
        (expected,) = alone.read([line], [START])
        assert reading_then.scores.tolist() == expected.scores.tolist()
        assert reading_then.features.base is None
        assert shown_then or not counting(alone, line, START)


@contextmanager
def in_turns() -> Iterator[None]:
    """Let threads take turns all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_a_word_is_watched_for_again_after_it_was_let_go_and_no_other_in_its_place(
    haven: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifiers.reader._MOST_WORDS", 8)
    reader = Reader(haven, LEAST, {"watched": True}.__contains__)
    assert reader.shown([["watched"]]).watched == [True]
    for number in range(40):
        assert reader.shown([[f"x{number}"]]).watched == [False]
    assert reader.shown([["watched"], ["x39"]]).watched == [True, False]


def test_the_words_that_were_met_last_are_remembered_and_no_long_ones(
    haven: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifiers.reader._MOST_WORDS", 80)
    asked: list[str] = []

    def watched(word: str) -> bool:
        asked.append(word)
        return False

    reader = Reader(haven, LEAST, watched)
    for number in range(200):
        reader.shown([[f"x{number}", "y" * 25]])
    asked.clear()
    reader.shown([[f"x{number}" for number in range(131, 200)]])
    assert asked == []
    reader.shown([["x120", "y" * 25]])
    assert asked == ["x120"]


def test_long_lines_are_read_a_few_at_a_time(
    classifier: Classifier, conversations: Sequence[Labelled], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [words(message.text) for one in conversations[:20] for message in one.messages]
    together = classifier.reader.shown(lines), classifier.reader.begin(lines).tolist()
    monkeypatch.setattr("classifiers.reader._MOST_SHOWN", 30)
    monkeypatch.setattr("classifiers.reader._MOST_BEGUN", 90)
    assert (classifier.reader.shown(lines), classifier.reader.begin(lines).tolist()) == together


def test_what_was_begun_can_be_ended_again(classifier: Classifier) -> None:
    line = ["send", "me", "money"]
    begun = classifier.reader.begin([line])
    first, again = (classifier.reader.end(begun, [line], ["please"]) for _ in range(2))
    assert first[0].scores.tolist() == again[0].scores.tolist()


def test_lines_read_together_say_what_each_says_alone(
    classifier: Classifier, conversations: Sequence[Labelled]
) -> None:
    lines = [words(message.text) for one in conversations[:40] for message in one.messages] + [[], ["x" * 100, "pay"]]
    before = [START, *(line[-1] if line else START for line in lines[:-1])]
    for line, word, together in zip(lines, before, classifier.reader.read(lines, before), strict=True):
        (alone,) = classifier.reader.read([line], [word])
        assert together.scores.tolist() == alone.scores.tolist()
        assert together.features.tolist() == alone.features.tolist()


def counting(reader: Reader, line: Sequence[str], before: str) -> bool:
    """Return whether a line shows a marker that counts, worked out exactly."""
    (reading,) = reader.read([line], [before])
    return any(reading.scores[MARKERS.index(marker)] >= least for marker, least in LEAST.items())


def decided(
    classifier: Classifier, messages: Sequence[Message], *, thorough: bool = False, at_once: int = 10_000
) -> list[_Decided]:
    """Return every decision that is more than nothing, with what follows from it."""
    with closing(Store(None, one_time_seal())) as store:
        memory = Memory(1_000, timedelta(days=400))
        guard = Guard(classifier, memory, store, lambda _: Policy(salt="s"), lambda: NOON, thorough=thorough)
        batches = [messages[at : at + at_once] for at in range(0, len(messages), at_once)]
        found = [*chain.from_iterable(map(guard.receive, batches))]
    return [(one.found, one.effects) for one in found if one.found.level or one.effects]


def test_every_decision_is_the_one_of_the_thorough_path(
    classifier: Classifier, conversations: Sequence[Labelled]
) -> None:
    levels = set()
    for one in conversations:
        quick = decided(classifier, one.messages)
        assert quick == decided(classifier, one.messages, thorough=True), one.id
        levels |= {found.level for found, _ in quick}
    assert levels >= {Level.NOTICE, Level.ALERT, Level.ADVISE}


def interleaved(conversations: Sequence[Labelled]) -> Iterator[Message]:
    """Yield the lines of all in turn, each in a channel of its own, with edits, doubles, forwards and bystanders."""
    for lines in zip_longest(*(one.messages for one in conversations)):
        for number, line in enumerate(lines):
            if line:
                message = replace(line, id=f"{number} {line.id}", space=f"{number % 3}", channel=f"{number}")
                yield message
                match (number + len(line.text)) % 9:
                    case 0:
                        yield replace(message, text=f"{message.text} ok")
                    case 1:
                        yield replace(message, text="never mind")
                    case 2:
                        yield message
                    case 3:
                        yield replace(message, id=f"{message.id} f", forwarded=True)
                    case 4:
                        bystander = Account(message.author.platform, f"bystander {number}")
                        yield replace(message, id=f"{message.id} b", author=bystander, text="what is going on", to=())
                    case 5:
                        target = message.to[:1] or (message.author,)
                        yield replace(message, id=f"{message.id} d", author=target[0], text="i want to die", to=())


@pytest.mark.parametrize("at_once", [3, AT_ONCE, 100_000])
def test_decisions_are_the_same_however_many_messages_are_read_at_once(
    classifier: Classifier, conversations: Sequence[Labelled], at_once: int
) -> None:
    messages = [*interleaved(conversations[::4])]
    one_by_one = decided(classifier, messages, at_once=1)
    together = decided(classifier, messages, at_once=at_once)
    assert together == one_by_one
    assert {found.level for found, _ in together} >= {Level.NOTICE, Level.ALERT, Level.ADVISE}
    assert any(found.crisis for found, _ in together)


def test_what_cannot_be_read_changes_no_decision_about_others(
    classifier: Classifier, conversations: Sequence[Labelled], monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [*interleaved(conversations[::16])]
    expected = decided(classifier, messages)
    assert expected
    answer = Classifier.answer

    def fail(self: Classifier, questions: Sequence[Question]) -> list[Answer | None]:
        if any(question.message.id == "bad" for question in questions):
            raise ValueError("bad")
        return answer(self, questions)

    monkeypatch.setattr(Classifier, "answer", fail)
    bad = replace(messages[0], id="bad", channel="elsewhere", text="pay me or i leak your nudes to your family")
    with closing(Store(None, one_time_seal())) as store:
        memory = Memory(1_000, timedelta(days=400))
        guard = Guard(classifier, memory, store, lambda _: Policy(salt="s"), lambda: NOON)
        read = guard.read([bad, *messages])
        assert [one.message.id for one in read if isinstance(one, Unread)] == ["bad"]
        found = guard.record([one for one in read if isinstance(one, Finding)])
    assert [(one.found, one.effects) for one in found if one.found.level or one.effects] == expected


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


def test_a_word_that_two_threads_work_out_is_let_go_once() -> None:
    both = Barrier(2)

    def work_out(word: str) -> str:
        if word == "both":
            both.wait(20)
        return word

    recent = Recent(work_out, most=4)
    with ThreadPoolExecutor(2) as threads:
        assert [*threads.map(recent.__getitem__, ["both", "both"])] == ["both", "both"]
    assert [recent[str(number)] for number in range(20)] == [str(number) for number in range(20)]
    assert len(recent) == 4


def test_what_is_remembered_is_bounded_and_worked_out_once() -> None:
    asked: list[str] = []

    def work_out(word: str) -> int:
        asked.append(word)
        return len(word)

    recent = Recent(work_out, most=10)
    assert [recent["one"], recent["one"], recent["x" * 100], recent["x" * 100]] == [3, 3, 100, 100]
    assert asked == ["one", "x" * 100, "x" * 100]
    for number in range(1000):
        assert recent[f"word {number}"] == len(f"word {number}")
        assert len(recent) <= 10
    asked.clear()
    assert [recent[f"word {number}"] for number in range(999, 989, -1)] == [8] * 10
    assert asked == []
    assert recent["word 989"] == 8
    assert asked == ["word 989"]


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 40), max_size=200), st.sets(st.integers(0, 2**64 - 1)))
def test_a_number_is_found_where_it_stands_and_no_other(numbers: set[int], others: set[int]) -> None:
    places = Places(np.array([*numbers], dtype=np.uint64))
    asked = [*numbers, *(others - numbers), *(set(range(60)) - numbers)]
    expected = [*range(len(numbers)), *[len(numbers)] * (len(asked) - len(numbers))]
    assert places(np.array(asked, dtype=np.uint64)).tolist() == expected


def test_numbers_that_fall_together_are_found_too() -> None:
    pairs = [first << 32 | second for first in range(300) for second in range(300)]
    places = Places(np.array(pairs, dtype=np.uint64))
    assert places(np.array(pairs[::-1], dtype=np.uint64)).tolist() == [*range(len(pairs))][::-1]


@pytest.mark.parametrize("terms", ["", "a\nb\na", "~<a\n~a>\n~<a", "a b\na b"])
def test_a_vocabulary_has_terms_and_each_of_them_once(terms: str) -> None:
    with pytest.raises(ValueError, match="no terms"):
        Vocabulary(terms)


def test_a_vocabulary_finds_the_rows_of_what_it_knows() -> None:
    terms = ["pay", "~<pa", "^ pay", "é", "~", "~ é", "~<~", "~pay>", "~ay", "~é>"]
    vocabulary = Vocabulary("\n".join(terms))
    assert ([*vocabulary], len(vocabulary)) == (terms, len(terms))
    assert vocabulary.words == {"pay": 0, "é": 3, "~": 4}
    assert vocabulary.paired == {"^": 2, "pay": 3, "~": 4, "é": 5}
    assert vocabulary.pairs.tolist() == [[2, 3, terms.index("^ pay")], [4, 5, terms.index("~ é")]]
    rows, owners = vocabulary.pieces(["é", "nothing", "pay", "~", "", "repay"])
    found = sorted((int(owner), terms[row]) for row, owner in zip(rows, owners, strict=True))
    assert found == [(0, "~é>"), (2, "~<pa"), (2, "~ay"), (2, "~pay>"), (3, "~<~"), (5, "~ay"), (5, "~pay>")]
    assert owners.tolist() == sorted(owners)


@settings(max_examples=200, deadline=None)
@given(
    heard=st.lists(st.text(min_size=1, max_size=12).filter(lambda word: not any(map(str.isspace, word))), max_size=5)
)
def test_words_add_what_their_terms_add(haven: Model, rows: dict[str, int], heard: list[str]) -> None:
    for word, added in zip(heard, haven.sums(heard), strict=True):
        known = [rows[term] for term in word_terms(word) if term in rows]
        np.testing.assert_allclose(added, haven.sizes[known] @ haven.steps[known].astype(np.float32), atol=1e-5)
