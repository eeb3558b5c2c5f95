"""Floods: memory stays within what is stated, live cases stay in it, and what is left out is counted."""

from __future__ import annotations

import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flood import A_CONVERSATION, Size, flood, resident_memory

from bot import inbox as inbox_module
from bot.app import open_classifier
from bot.config import Config
from classifiers.assessment import Sensitivity
from classifiers.classifier import Classifier
from classifiers.conversation import LONGEST, MOST_NAMED, Account, Message, cut
from classifiers.exchange import RING, Conversation

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA = Account("console", "kayla")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The model that came with Haven."""
    return open_classifier(Config(), Path())


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_a_small_flood_stays_within_every_bound(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "CAPACITY", 100)
    monkeypatch.setattr(inbox_module, "MOST_DELAYED", 300)
    waves, wrong = await flood(Size().part(200), classifier, tmp_path, resident_memory())
    assert wrong == []
    assert [wave.name for wave in waves] == [
        "raid", "chatter", "widest lines", "one paste", "without spaces", "edits of one", "all at once",
    ]  # fmt: skip
    assert waves[-1].messages == 800
    assert waves[-1].most_waiting > 300


def test_the_widest_conversation_takes_no_more_than_is_stated(classifier: Classifier) -> None:
    def widest(number: int) -> Conversation:
        conversation = Conversation(NOON)
        for line in range(2 * RING):
            id, at = str(10**18 + 1000 * number + line), NOON + timedelta(seconds=line)
            named = tuple(Account("discord", f"{line}{10**17 + 1000 * number + one}") for one in range(20))
            author = Account("discord", f"{10**18 + line}")
            message = Message(id, "space", "channel", author, "\U0001f600" * 10_000, at, named)
            classifier.assess(conversation, message, Sensitivity.NORMAL)
        return conversation

    widest(0)
    tracemalloc.start()
    try:
        kept = [widest(number) for number in range(1, 4)]
        taken = tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()
    assert A_CONVERSATION / 2 < taken < A_CONVERSATION


@pytest.mark.parametrize("length", [0, 1, LONGEST - 1, LONGEST])
def test_a_message_of_usual_length_is_read_whole(length: int) -> None:
    assert cut("x" * length) == "x" * length


@pytest.mark.parametrize("length", [LONGEST + 1, 2 * LONGEST, 1_000_000])
def test_of_a_longer_message_the_beginning_and_the_end_are_read(length: int) -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 2000))) * (length // 2000 + 1)
    text = text[:length]
    kept = cut(text)
    assert len(kept) == LONGEST
    head, tail = kept.split("\n")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert abs(len(head) - len(tail)) <= 1


def test_a_message_is_bounded_however_it_is_made() -> None:
    named = tuple(Account("console", str(number)) for number in range(1000))
    message = Message("1", "home", "lobby", KAYLA, "a" * 10**6, NOON, named, "b" * 10**6)
    assert len(message.text) == len(message.quoted) == LONGEST
    assert message.to == named[:MOST_NAMED]


def test_a_threat_at_the_end_of_a_long_paste_is_read(classifier: Classifier) -> None:
    threat = "i have your nudes. send me 400 in gift cards or i send the video to your whole family. "
    conversation = Conversation(NOON)
    long = Message("1", "home", "lobby", KAYLA, "lorem ipsum dolor " * 10_000 + 4 * threat, NOON)
    found, _ = classifier.assess(conversation, long, Sensitivity.NORMAL)
    assert {evidence.marker for evidence in found.evidence} >= {"share_threat", "contacts_threat"}
