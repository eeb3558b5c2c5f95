"""Recent lines, and whose exchange they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from classifiers.conversation import Account, Message
from classifiers.exchange import EXCHANGE, RING, Conversation, Line, fading
from classifiers.normalise import words

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def account(name: str) -> Account:
    return Account("test", name)


A, B, C, D = map(account, "ABCD")


class Channel(Conversation):
    """A conversation with a short way to say something in it, ten minutes after the last line."""

    def __init__(self) -> None:
        super().__init__(START)
        self.said = 0

    def say(
        self,
        author: Account,
        text: str,
        *to: Account,
        id: str = "",
        after: timedelta = timedelta(minutes=10),
        forwarded: bool = False,
    ) -> tuple[Line, str]:
        self.said += 1
        message = Message(
            id=id or str(self.said),
            space="s",
            channel="c",
            author=author,
            text=text,
            sent_at=self.last_at + after,
            to=to,
            forwarded=forwarded,
        )
        return self.add(message, words(message.text))

    def texts(self, lines: list[Line] | None = None) -> list[str]:
        return [line.excerpt for line in (self.lines if lines is None else lines)]


def test_only_the_last_64_lines_are_kept() -> None:
    channel = Channel()
    for number in range(1000):
        channel.say(A, f"line {number}")
    assert channel.texts() == [f"line {number}" for number in range(1000 - RING, 1000)]


def test_of_a_long_text_the_words_of_4000_characters_and_an_excerpt_are_kept() -> None:
    line, _ = Channel().say(A, "word " * 20_000)
    assert line.excerpt == "word " * 40
    assert line.words == ["word"] * 800


def test_an_edit_replaces_the_line_where_it_stands() -> None:
    channel = Channel()
    channel.say(A, "one", id="1")
    channel.say(B, "two", id="2")
    channel.say(A, "three", id="3")
    line, _ = channel.say(B, "two, corrected", id="2")
    assert channel.texts() == ["one", "two, corrected", "three"]
    assert channel.lines[1] is line
    assert line.words == ["two", ",", "corrected"]


def test_an_edit_of_a_line_that_has_left_the_ring_is_a_new_line() -> None:
    channel = Channel()
    for number in range(RING + 1):
        channel.say(A, f"line {number}", id=str(number))
    channel.say(A, "line 0, corrected", id="0")
    assert len(channel.lines) == RING
    assert channel.texts()[-1] == "line 0, corrected"


def test_time_never_runs_backwards() -> None:
    channel = Channel()
    channel.say(A, "late")
    latest = channel.last_at
    channel.say(B, "early", after=-timedelta(hours=1))
    assert channel.last_at == latest


@pytest.mark.parametrize(
    ("author", "after", "before"),
    [
        pytest.param(A, timedelta(seconds=30), "video", id="the same author in the same breath"),
        pytest.param(A, timedelta(minutes=2), "video", id="the same author two minutes later"),
        pytest.param(A, timedelta(minutes=2, seconds=1), "^", id="the same author later"),
        pytest.param(B, timedelta(seconds=30), "^", id="somebody else"),
    ],
)
def test_a_line_continues_the_one_before(author: Account, after: timedelta, before: str) -> None:
    channel = Channel()
    channel.say(A, "the video")
    _, found = channel.say(author, "goes out", after=after)
    assert found == before


def test_a_line_continues_nothing_at_the_start_or_after_an_empty_line() -> None:
    channel = Channel()
    _, first = channel.say(A, "the video")
    channel.say(A, "", after=timedelta(0))
    _, after_nothing = channel.say(A, "goes out", after=timedelta(0))
    assert (first, after_nothing) == ("^", "^")


def test_an_edited_line_continues_the_line_before_it_and_not_the_latest() -> None:
    channel = Channel()
    channel.say(A, "the video", id="1", after=timedelta(0))
    channel.say(A, "goes out", id="2", after=timedelta(0))
    channel.say(A, "tonight", id="3", after=timedelta(0))
    _, before = channel.say(A, "goes everywhere", id="2", after=timedelta(0))
    assert before == "video"


def test_forwarded_words_are_nobodys() -> None:
    channel = Channel()
    line, _ = channel.say(A, "pay or I post it", forwarded=True)
    assert (line.words, line.excerpt) == ([], "")
    _, before = channel.say(A, "look at this", after=timedelta(0))
    assert before == "^"


def test_forget_drops_what_one_account_wrote_and_the_ring_stays_bounded() -> None:
    channel = Channel()
    for number in range(RING):
        channel.say((A, B)[number % 2], f"{number}")
    channel.forget(A)
    assert {line.author for line in channel.lines} == {B}
    assert len(channel.lines) == RING / 2
    for number in range(2 * RING):
        channel.say(B, f"more {number}")
    assert len(channel.lines) == RING


def test_between_two_everything_is_their_exchange_latest_first() -> None:
    channel = Channel()
    channel.say(A, "a1")
    for text in ("b1", "b2", "b3"):
        channel.say(B, text)
    line, _ = channel.say(A, "a2")
    exchange = channel.exchange(A, line)
    assert channel.texts(exchange.mine) == ["a2", "a1"]
    assert channel.texts(exchange.theirs) == ["b3", "b2", "b1"]


def test_an_exchange_has_at_most_14_lines() -> None:
    channel = Channel()
    for number in range(20):
        line, _ = channel.say((A, B)[number % 2], f"{number}")
    exchange = channel.exchange(line.author, line)
    assert channel.texts(exchange.mine) == ["19", "17", "15", "13", "11", "9", "7"]
    assert channel.texts(exchange.theirs) == ["18", "16", "14", "12", "10", "8", "6"]
    assert len(exchange.mine) + len(exchange.theirs) == EXCHANGE


def test_among_many_what_names_or_answers_the_speaker_or_stands_beside_is_the_exchange() -> None:
    channel = Channel()
    channel.say(C, "far away")
    channel.say(B, "names A", A)
    channel.say(C, "far away, too")
    channel.say(D, "just before A")
    channel.say(A, "A speaks")
    channel.say(C, "just after A, but to D", D)
    channel.say(A, "A again")
    channel.say(B, "just after A")
    channel.say(D, "nowhere near")
    channel.say(B, "nowhere near, either")
    line, _ = channel.say(A, "A at last", C)
    exchange = channel.exchange(A, line)
    assert channel.texts(exchange.mine) == ["A at last", "A again", "A speaks"]
    assert channel.texts(exchange.theirs) == ["nowhere near, either", "just after A", "just before A", "names A"]


def test_an_exchange_ends_with_the_line_that_is_read() -> None:
    channel = Channel()
    channel.say(A, "one", id="1")
    channel.say(B, "two", id="2")
    channel.say(C, "three", id="3")
    edited, _ = channel.say(A, "one, corrected", id="1")
    exchange = channel.exchange(A, edited)
    assert channel.texts(exchange.mine) == ["one, corrected"]
    assert exchange.theirs == []
    assert channel.addressee(A, edited) is None


def test_a_third_speaker_who_comes_later_does_not_change_what_came_before() -> None:
    channel = Channel()
    channel.say(B, "b1")
    channel.say(B, "b2")
    line, _ = channel.say(A, "a1")
    before = channel.exchange(A, line)
    channel.say(C, "c1")
    assert channel.exchange(A, line) == before


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([("A", "")], None, id="nobody else is there"),
        pytest.param([("B", ""), ("A", "")], B, id="who spoke just before"),
        pytest.param([("A", ""), ("B", ""), ("A", "B"), ("A", "B")], B, id="whom they name"),
        pytest.param([("B", ""), *[("A", ""), ("B", "")] * 2, ("A", "C")], B, id="four neighbours beat one name"),
        pytest.param([("C", ""), ("A", ""), ("C", ""), ("A", "B")], B, id="a name beats two neighbours"),
        pytest.param([("C", "A"), ("B", ""), ("A", "")], C, id="who names them"),
        pytest.param([("B", "C"), ("A", ""), ("C", "B"), ("A", "")], C, id="a tie goes to the later name"),
        pytest.param([("C", ""), ("B", ""), ("A", "B C"), ("A", "B")], B, id="whom they name most"),
        pytest.param([("B", ""), ("A", "A")], None, id="never themselves"),
        pytest.param([("A", ""), ("D", "C"), ("B", ""), ("A", "")], B, id="who speaks to another is not answering"),
        pytest.param([("B", ""), ("C", ""), ("D", ""), ("A", "")], D, id="only the line just before counts"),
    ],
)
def test_addressee(said: list[tuple[str, str]], expected: Account | None) -> None:
    channel = Channel()
    for author, to in said:
        line, _ = channel.say(account(author), "words", *map(account, to.split()))
    assert channel.addressee(A, line) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(0), 1.0),
        (timedelta(days=1), 0.5**0.5),
        (timedelta(days=2), 0.5),
        (timedelta(days=4), 0.25),
        (-timedelta(days=2), 1.0),
    ],
)
def test_a_line_counts_half_after_two_days(age: timedelta, expected: float) -> None:
    line, _ = Channel().say(A, "words", after=timedelta(0))
    assert fading(line, START + age) == pytest.approx(expected)
