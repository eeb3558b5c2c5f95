"""Recent lines, and whose exchange they are."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from classifiers.conversation import Account, Message
from classifiers.exchange import EXCHANGE, RING, Conversation, Line, fading
from classifiers.words import words

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def account(name: str) -> Account:
    return Account("test", name)


A, B, C, D = map(account, "ABCD")


class Channel(Conversation):
    """A conversation with a short way to say something in it, ten minutes after the last line."""

    def __init__(self) -> None:
        super().__init__(START)
        self.said = 0
        self.now = START

    def say(
        self,
        author: Account,
        text: str,
        *to: Account,
        id: str = "",
        after: timedelta = timedelta(minutes=10),
        forwarded: bool = False,
    ) -> Line:
        self.said += 1
        self.now += after
        message = Message(
            id=id or str(self.said),
            space="s",
            channel="c",
            author=author,
            text=text,
            sent_at=self.now,
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


def test_of_a_long_text_an_excerpt_and_the_last_word_are_kept() -> None:
    line = Channel().say(A, "one two " * 10_000)
    assert line.excerpt == "one two " * 25
    assert line.last == "two"


def test_an_edit_replaces_the_line_where_it_stands() -> None:
    channel = Channel()
    channel.say(A, "one", id="1")
    channel.say(B, "two", id="2")
    channel.say(A, "three", id="3")
    line = channel.say(B, "two, corrected", id="2")
    assert channel.texts() == ["one", "two, corrected", "three"]
    assert channel.lines[1] is line
    assert line.last == "corrected"


def test_what_stood_in_the_place_of_an_edit_can_stand_again() -> None:
    channel = Channel()
    first = channel.say(A, "one", id="1")
    channel.say(B, "two", id="2")
    line = channel.say(A, "one, corrected", id="1")
    assert line.earlier is first
    channel.keep_earlier(line)
    assert channel.texts() == ["one", "two"]
    assert channel.lines[0] is first
    again = channel.say(A, "one, once more", id="1")
    assert (again.earlier, first.earlier) == (first, None)


def test_of_what_was_edited_again_and_again_only_the_last_version_is_kept_beside_the_line() -> None:
    channel = Channel()
    for number in range(5):
        line = channel.say(A, f"version {number}", id="1")
    assert line.earlier
    assert (line.earlier.excerpt, line.earlier.earlier) == ("version 3", None)


def test_a_line_that_is_no_edit_has_nothing_to_go_back_to() -> None:
    channel = Channel()
    line = channel.say(A, "one")
    channel.keep_earlier(line)
    assert (line.earlier, channel.texts()) == (None, ["one"])


def test_an_edit_of_a_line_that_has_left_the_ring_is_a_new_line() -> None:
    channel = Channel()
    for number in range(RING + 1):
        channel.say(A, f"line {number}", id=str(number))
    channel.say(A, "line 0, corrected", id="0")
    assert len(channel.lines) == RING
    assert channel.texts()[-1] == "line 0, corrected"


def test_what_is_written_does_not_say_when_the_channel_was_last_heard_of() -> None:
    channel = Channel()
    channel.say(A, "from the future", after=timedelta(days=400))
    channel.say(B, "from the past", after=-timedelta(days=800))
    assert channel.last_at == START


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
    assert channel.say(author, "goes out", after=after).before == before


def test_a_line_continues_nothing_at_the_start_or_after_an_empty_line() -> None:
    channel = Channel()
    first = channel.say(A, "the video")
    channel.say(A, "", after=timedelta(0))
    after_nothing = channel.say(A, "goes out", after=timedelta(0))
    assert (first.before, after_nothing.before) == ("^", "^")


def test_an_edited_line_continues_the_line_before_it_and_not_the_latest() -> None:
    channel = Channel()
    channel.say(A, "the video", id="1", after=timedelta(0))
    channel.say(A, "goes out", id="2", after=timedelta(0))
    channel.say(A, "tonight", id="3", after=timedelta(0))
    edited = channel.say(A, "goes everywhere", id="2", after=timedelta(0))
    assert edited.before == "video"


def test_forwarded_words_are_nobodys() -> None:
    channel = Channel()
    line = channel.say(A, "pay or I post it", forwarded=True)
    assert (line.last, line.excerpt) == ("", "")
    assert channel.say(A, "look at this", after=timedelta(0)).before == "^"


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
    channel.say(A, "a2")
    exchange = channel.exchange(A)
    assert channel.texts(exchange.mine) == ["a2", "a1"]
    assert channel.texts(exchange.theirs) == ["b3", "b2", "b1"]


def test_an_exchange_has_at_most_14_lines() -> None:
    channel = Channel()
    for number in range(20):
        line = channel.say((A, B)[number % 2], f"{number}")
    exchange = channel.exchange(line.author)
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
    channel.say(A, "A at last", C)
    exchange = channel.exchange(A)
    assert channel.texts(exchange.mine) == ["A at last", "A again", "A speaks"]
    assert channel.texts(exchange.theirs) == ["nowhere near, either", "just after A", "just before A", "names A"]


def test_an_edit_is_read_with_all_that_stands_in_the_channel_by_now() -> None:
    channel = Channel()
    channel.say(A, "one", id="1")
    channel.say(B, "two", id="2")
    channel.say(A, "three", id="3")
    channel.say(A, "one, corrected", id="1")
    exchange = channel.exchange(A)
    assert channel.texts(exchange.mine) == ["three", "one, corrected"]
    assert channel.texts(exchange.theirs) == ["two"]


def test_with_a_third_speaker_only_what_stands_beside_or_names_the_speaker_is_left() -> None:
    channel = Channel()
    for text in ("b1", "b2"):
        channel.say(B, text)
    channel.say(A, "a1")
    assert channel.texts(channel.exchange(A).theirs) == ["b2", "b1"]
    channel.say(C, "c1", B)
    assert channel.texts(channel.exchange(A).theirs) == ["b2"]


def addressee(said: str) -> Account | None:
    """Return whom A means; said is like "A>BC.5 B": A names B, then C, in a line of weight 0.5, then B speaks."""
    channel, weights = Channel(), {}
    for turn in said.split():
        match = re.fullmatch(r"(?P<author>[A-D])(>(?P<to>[A-D]+))?(?P<weight>[0-9.]+)?", turn)
        assert match, turn
        line = channel.say(account(match["author"]), "words", *map(account, match["to"] or ""))
        weights[line.message_id] = float(match["weight"] or 0)
    return channel.addressee(A, lambda line: weights[line.message_id])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param("A1", None, id="nobody is there"),
        pytest.param("A>A1", None, id="only they themselves are named"),
        pytest.param("B A1", B, id="the other one"),
        pytest.param("A0 B", B, id="the other one, whoever speaks"),
        pytest.param("B A>A1", B, id="the other one, who is not themselves"),
        pytest.param("B A>C1", C, id="somebody named who is not there"),
        pytest.param("B A>C1 A1", C, id="somebody named before who is not there"),
        pytest.param("B A>C.42", C, id="a name leads"),
        pytest.param("B A>C.41", None, id="a name does not quite lead"),
        pytest.param("B A>C.26", B, id="a weak line names somebody else"),
        pytest.param("B A>C0", B, id="a line without weight names somebody else"),
    ],
)
def test_in_a_channel_of_two_the_other_one_is_meant_unless_somebody_else_is_named(
    said: str, expected: Account | None
) -> None:
    assert addressee(said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param("C B A>B1", B, id="whom they name"),
        pytest.param("C B A>D1", D, id="whom they name, who is not there"),
        pytest.param("C B A1", None, id="who stands beside them"),
        pytest.param("C B A1 B A1 B", None, id="who stands beside them again and again"),
        pytest.param("C B A1 B>A", B, id="who stands beside them and answers"),
        pytest.param("C>A B A1", None, id="one names them and another stands beside them"),
        pytest.param("C A>B1 D>C A1", B, id="whom they named before, not who stands beside them"),
        pytest.param("B C A>B0 A1", B, id="whom they named in a line without weight"),
        pytest.param("B A>C0 A>C0 A>C0 A>B1", B, id="only lines with weight vote"),
        pytest.param("B C A>BC1", B, id="the first named"),
        pytest.param("B C A>CB1", C, id="the first named, in the other order"),
        pytest.param("B C A>AB1", B, id="never themselves"),
        pytest.param("B C A>B1 A>C1", None, id="two are named alike"),
        pytest.param("B C A>B1 A>C.79", B, id="the leader has more than five quarters"),
        pytest.param("B C A>B1 A>C.81", None, id="the leader has less than five quarters"),
        pytest.param("B C A>B.81 A>C1", None, id="less than five quarters, in the other order"),
        pytest.param("B C A>BC1 A>C.29", B, id="also named counts half of first named"),
        pytest.param("B C A>BC1 A>C.31", None, id="also named and once named is near first named"),
        pytest.param("B C A>BC1 A>C.74", None, id="also named and once named is not quite enough"),
        pytest.param("B C A>BC1 A>C.76", C, id="also named and once named beats first named"),
        pytest.param("B C A>B0 A1 A>C.53", B, id="named before counts two thirds of named"),
        pytest.param("B C A>B0 A1 A>C.54", None, id="named before is near named"),
        pytest.param("B C A>B0 A1 A>C.83", None, id="named is not quite enough against named before"),
        pytest.param("B C A>B0 A1 A>C.84", C, id="named beats named before"),
        pytest.param("B D A>B0 C A1", None, id="named before, and somebody else has spoken since"),
        pytest.param("B D A>B0 A0 A1 C", B, id="named before, in one breath"),
        pytest.param("B D A>B.01 C A1", B, id="named before beats beside"),
        pytest.param("B D A>B0 C A1 C", None, id="beside twice is like named before"),
        pytest.param("B D C>A A>B0 C A1 C", C, id="beside twice and an answer beat named before"),
        pytest.param("B D C>A A>B0 C A1.1 C", None, id="an answer weighs less beside stronger lines"),
        pytest.param("B D C>A A>B0 C A.9 C", C, id="an answer weighs more beside weaker lines"),
        pytest.param("B D C>A A>B.01 C A1 D>B C", B, id="beside is next to the line"),
        pytest.param("B C>A A>B.01 D>C C>B A1 C>B", B, id="who speaks to another is not beside after it"),
        pytest.param("C B>A C>A B>A", B, id="who answers most"),
        pytest.param("C A>B1 A>B1 A>B1 A>B1 A>B1 A>B1 A>C1 A>C1 A>C1", C, id="whom the last four lines name"),
        pytest.param("C A>B1 A>B1 A>B1 A>B1 A>B1 A>B1 A>C1 A>C1", None, id="who is named no more than another of late"),
        pytest.param("C B>A B>A B>A B>A B>A A1 A>C.5 A>C.5 A>C.5 A>C.5", C, id="answers of long ago count no more"),
    ],
)
def test_among_more_it_is_who_clearly_leads_and_is_named_or_answers(said: str, expected: Account | None) -> None:
    assert addressee(said) == expected


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
    line = Channel().say(A, "words", after=timedelta(0))
    assert fading(line, START + age) == pytest.approx(expected)
