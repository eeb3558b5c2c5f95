"""What is held of conversations in RAM, bounded in number and age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.memory import Memory
from classifiers.conversation import Account, Message
from classifiers.exchange import Conversation

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
SAM, BEN = Account("console", "Sam"), Account("console", "Ben")


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def say(memory: Memory, channel: str, hours: float, author: Account = SAM, space: str = "home") -> Conversation:
    conversation = memory.conversation(space, channel, at(hours))
    message = Message(f"{channel}-{hours}", space, channel, author, "hello", at(hours))
    conversation.add(message, ["hello"])
    return conversation


def lines(memory: Memory, channel: str, hours: float = 0, space: str = "home") -> int:
    return len(memory.conversation(space, channel, at(hours)).lines)


PLACES = [("home", "lobby"), ("work", "lobby"), ("home", "garden")]


@pytest.mark.parametrize(
    ("dropped", "left"),
    [
        ({"channel": "lobby"}, [0, 0, 1]),
        ({"space": "home"}, [0, 1, 0]),
        ({"space": "nowhere"}, [1, 1, 1]),
        ({"channel": "nowhere"}, [1, 1, 1]),
        ({}, [1, 1, 1]),
    ],
)
def test_the_conversations_of_a_space_or_a_channel_can_be_dropped(dropped: dict[str, str], left: list[int]) -> None:
    memory = Memory(10, WEEK)
    for space, channel in PLACES:
        say(memory, channel, 0, space=space)
    memory.drop(**dropped)
    assert len(memory) == sum(left)
    assert [lines(memory, channel, space=space) for space, channel in PLACES] == left


def test_a_channel_has_one_conversation() -> None:
    memory = Memory(10, WEEK)
    first = say(memory, "lobby", 0)
    assert say(memory, "lobby", 1) is first
    assert lines(memory, "lobby", 2) == 2
    assert len(memory) == 1


def test_channels_and_spaces_have_conversations_of_their_own() -> None:
    memory = Memory(10, WEEK)
    for space, channel in (("home", "lobby"), ("home", "garden"), ("work", "lobby"), ("homelobby", "")):
        assert len(say(memory, channel, 0, space=space).lines) == 1
    assert len(memory) == 4


@pytest.mark.parametrize("most", [1, 3, 50])
def test_the_number_is_bounded(most: int) -> None:
    memory = Memory(most, WEEK)
    for number in range(100):
        say(memory, str(number), number / 100)
        assert len(memory) == min(number + 1, most)


def test_the_channel_that_was_silent_for_longest_leaves_first() -> None:
    memory = Memory(2, WEEK)
    say(memory, "a", 0)
    say(memory, "b", 1)
    say(memory, "a", 2)
    say(memory, "c", 3)
    assert lines(memory, "a", 4) == 2
    assert lines(memory, "c", 4) == 1
    assert lines(memory, "b", 4) == 0


@pytest.mark.parametrize(("hours", "left"), [(7 * 24, 1), (7 * 24 + 0.1, 0)])
def test_a_channel_that_was_silent_for_too_long_starts_anew(hours: float, left: int) -> None:
    memory = Memory(10, WEEK)
    say(memory, "lobby", 0)
    assert lines(memory, "lobby", hours) == left


def test_a_channel_that_goes_on_is_kept_however_old_it_is() -> None:
    memory = Memory(10, WEEK)
    for day in range(30):
        say(memory, "lobby", day * 24)
    assert lines(memory, "lobby", 30 * 24) == 30


def test_all_old_channels_leave_when_another_speaks() -> None:
    memory = Memory(10, WEEK)
    for number in range(5):
        say(memory, str(number), number)
    say(memory, "later", 7 * 24 + 2.5)
    assert len(memory) == 3
    assert [lines(memory, str(number), 7 * 24 + 2.5) for number in (3, 4)] == [1, 1]


def test_old_channels_leave_also_when_nobody_speaks() -> None:
    memory = Memory(10, WEEK)
    for number in range(3):
        say(memory, str(number), number)
    for hours, left in ((7 * 24, 3), (7 * 24 + 0.5, 2), (7 * 24 + 9, 0), (7 * 24 + 10, 0)):
        memory.expire(at(hours))
        assert len(memory) == left


def test_a_late_message_neither_ends_nor_ages_a_conversation() -> None:
    memory = Memory(10, WEEK)
    say(memory, "lobby", 100)
    assert len(say(memory, "lobby", -100).lines) == 2
    assert memory.conversation("home", "lobby", at(100 + 7 * 24)).lines


def test_the_time_of_a_conversation_goes_on_with_each_look_and_never_back() -> None:
    memory = Memory(10, WEEK)
    assert say(memory, "lobby", 1).last_at == at(1)
    assert memory.conversation("home", "lobby", at(5)).last_at == at(5)
    assert memory.conversation("home", "lobby", at(2)).last_at == at(5)


def test_the_time_of_a_message_does_not_end_other_conversations() -> None:
    memory = Memory(10, WEEK)
    say(memory, "lobby", 0)
    ahead = Message("ahead", "home", "garden", BEN, "hello", at(400 * 24))
    memory.conversation("home", "garden", at(1)).add(ahead, ["hello"])
    assert lines(memory, "lobby", 2) == 1
    assert lines(memory, "garden", 2) == 1


def test_forgetting_drops_what_an_account_wrote_everywhere() -> None:
    memory = Memory(10, WEEK)
    for channel in ("a", "b"):
        for hours, author in enumerate((SAM, BEN, SAM, Account("elsewhere", "Sam"))):
            say(memory, channel, hours, author)
    memory.forget(SAM)
    for channel in ("a", "b"):
        kept = memory.conversation("home", channel, at(4)).lines
        assert [line.author for line in kept] == [BEN, Account("elsewhere", "Sam")]


def test_a_conversation_stays_bounded_after_forgetting() -> None:
    memory = Memory(10, WEEK)
    say(memory, "lobby", 0)
    memory.forget(SAM)
    for number in range(1000):
        say(memory, "lobby", number / 1000, BEN)
    assert lines(memory, "lobby", 1) == 64


# Live cases.


def test_a_held_conversation_outlives_a_flood_of_others() -> None:
    memory = Memory(4, WEEK)
    say(memory, "live", 0)
    memory.hold("home", "live", at(100))
    for number in range(50):
        say(memory, str(number), 1 + number / 50)
        assert len(memory) <= 4
    assert lines(memory, "live", 3) == 1
    assert memory.held == 1


def test_half_of_the_room_at_most_is_held_and_the_longest_silent_is_let_go_first() -> None:
    memory = Memory(4, WEEK)
    for hours, channel in enumerate("abc"):
        say(memory, channel, hours)
        memory.hold("home", channel, at(100))
    assert memory.held == 2
    for number in range(3):
        say(memory, f"other {number}", 10 + number)
    assert len(memory) == 4
    assert [lines(memory, channel, 20) for channel in "bca"] == [1, 1, 0]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_present_conversation_always_has_room(most: int) -> None:
    memory = Memory(most, WEEK)
    for number in range(20):
        channel = str(number)
        say(memory, channel, number / 20)
        memory.hold("home", channel, at(100))
        assert len(say(memory, channel, number / 20).lines) == (1 if most else 0)
        assert len(memory) <= most
        assert memory.held <= most // 2
    say(memory, "new", 2)
    assert len(say(memory, "new", 3).lines) == 2


def test_a_conversation_is_held_until_its_time_and_then_leaves_first() -> None:
    memory = Memory(4, WEEK)
    for hours, channel in enumerate("ab"):
        say(memory, channel, hours)
    memory.hold("home", "a", at(10))
    memory.hold("home", "a", at(5))  # never sooner
    say(memory, "c", 9)
    assert memory.held == 1
    say(memory, "d", 11)
    assert memory.held == 0
    say(memory, "e", 12)
    assert [lines(memory, channel, 13) for channel in "bcde"] == [1, 1, 1, 1]


def test_age_ends_a_held_conversation_too() -> None:
    memory = Memory(4, WEEK)
    say(memory, "live", 0)
    memory.hold("home", "live", at(10_000))
    say(memory, "other", 7 * 24 + 1)
    assert (len(memory), memory.held) == (1, 0)


def test_what_is_gone_cannot_be_held_and_what_is_held_can_be_dropped() -> None:
    memory = Memory(4, WEEK)
    memory.hold("home", "lobby", at(100))
    assert (len(memory), memory.held) == (0, 0)
    say(memory, "lobby", 0)
    memory.hold("home", "lobby", at(100))
    memory.drop(space="home")
    assert (len(memory), memory.held) == (0, 0)
