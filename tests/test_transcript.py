"""The neutral form of a conversation."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from classifiers.assessment import Marker
from classifiers.conversation import Account, Message
from classifiers.errors import InputError
from classifiers.transcript import BASE, parse, to_messages

WHERE = "talks.jsonl:7"


def messages(*turns: dict[str, Any], **keys: object) -> list[Message]:
    """Read a conversation whose turns say "words" unless they say otherwise."""
    full = [{"text": "words", **turn} for turn in turns]
    return to_messages(parse(json.dumps({"messages": full, **keys}), WHERE), "talk")


def names(message: Message) -> list[str]:
    return [account.id for account in message.to]


def test_every_key_of_a_transcript_is_read() -> None:
    transcript = parse(
        json.dumps(
            {
                "id": "w-1",
                "platform": "discord",
                "lang": "cy",
                "kind": "sextortion",
                "offenders": ["A"],
                "targets": ["B"],
                "messages": [
                    {"id": 5, "from": "B", "text": "helo", "t": 3},
                    {
                        "id": "six",
                        "from": "A",
                        "text": "fifty",
                        "to": ["C"],
                        "reply_to": 5,
                        "mentions": ["D"],
                        "t": 9.5,
                        "quoted": "helo",
                        "forwarded": True,
                        "markers": ["payment_demand", "pressure"],
                    },
                ],
            }
        ),
        WHERE,
    )
    assert (transcript.id, transcript.lang, transcript.kind) == ("w-1", "cy", "sextortion")
    assert (transcript.offenders, transcript.targets) == (["A"], ["B"])
    assert transcript.messages[1].markers == [Marker.PAYMENT_DEMAND, Marker.PRESSURE]
    first, second = to_messages(transcript, "talk")
    assert first == Message(
        id="0",
        space="talk",
        channel="talk",
        author=Account("discord", "B"),
        text="helo",
        sent_at=BASE + timedelta(seconds=3),
    )
    assert second == Message(
        id="1",
        space="talk",
        channel="talk",
        author=Account("discord", "A"),
        text="fifty",
        sent_at=BASE + timedelta(seconds=9.5),
        to=(Account("discord", "C"), Account("discord", "B"), Account("discord", "D")),
        quoted="helo",
        forwarded=True,
    )


def test_unknown_keys_are_ignored() -> None:
    (message,) = messages({"from": "A", "text": "hi", "mood": "good"}, colour={"deep": [1, 2]})
    assert message.text == "hi"


def test_empty_optional_keys_are_as_good_as_none() -> None:
    nothing = dict.fromkeys(["id", "to", "reply_to", "mentions", "t", "markers"])
    assert messages({"from": "A", **nothing}, id=None) == messages({"from": "A"})


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        pytest.param({"reply_to": 1}, ["B"], id="an answer is to whom it answers"),
        pytest.param({"reply_to": "x"}, ["C"], id="ids may be words"),
        pytest.param({"reply_to": "1"}, [], id="the word 1 is not the number 1"),
        pytest.param({"reply_to": 99}, [], id="an answer to nothing known"),
        pytest.param({"reply_to": 1, "mentions": ["B", "C"], "to": ["C"]}, ["C", "B"], id="each name once"),
        pytest.param({"mentions": ["A", "B"]}, ["B"], id="never to themselves"),
        pytest.param({"reply_to": 3}, [], id="an answer to oneself"),
    ],
)
def test_to_joins_whom_a_message_names_mentions_and_answers(turn: dict[str, Any], expected: list[str]) -> None:
    found = messages({"from": "B", "id": 1}, {"from": "C", "id": "x"}, {"from": "A", "id": 3}, {"from": "A", **turn})
    assert names(found[-1]) == expected


def test_times_are_kept_and_missing_ones_follow_at_a_chats_pace() -> None:
    found = messages({"from": "A"}, {"from": "B"}, {"from": "A", "t": 300}, {"from": "B"}, {"from": "A", "t": -5})
    assert [(message.sent_at - BASE).total_seconds() for message in found] == [0, 20, 300, 320, -5]


@pytest.mark.parametrize("t", [1e300, -1e300, 10**30])
def test_impossible_times_stay_within_a_hundred_years(t: float) -> None:
    (message,) = messages({"from": "A", "t": t})
    assert abs(message.sent_at - BASE) == timedelta(days=36_500)


def test_an_empty_conversation_has_no_messages() -> None:
    assert messages() == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"{", "not JSON", id="cut off"),
        pytest.param(b'{"messages": [{"from": "A", "text": "\xff"}]}', "not JSON", id="not UTF-8"),
        pytest.param(b'{"unknown": ' + b"[" * 100_000, "not JSON", id="too deep"),
        pytest.param(b'{"messages": [], "id": NaN}', "not JSON", id="not a number"),
        pytest.param(b"[]", "not a transcript", id="a list"),
        pytest.param(b"{}", "`messages`", id="no messages"),
        pytest.param(b'{"messages": {}}', "$.messages", id="messages that are none"),
        pytest.param(b'{"messages": [{"text": "hi"}]}', "`from`", id="nobody wrote it"),
        pytest.param(b'{"messages": [{"from": "A"}]}', "`text`", id="nothing was written"),
        pytest.param(b'{"messages": [{"from": "A", "text": 5}]}', "$.messages[0].text", id="a number for a text"),
        pytest.param(b'{"messages": [{"from": "A", "text": "", "t": "1"}]}', "$.messages[0].t", id="a word for a time"),
        pytest.param(b'{"messages": [{"from": "A", "text": "", "id": []}]}', "$.messages[0].id", id="a list for an id"),
        pytest.param(
            b'{"messages": [{"from": "A", "text": "", "markers": ["rude"]}]}', "$.messages[0].markers", id="marker"
        ),
    ],
)
def test_what_is_no_transcript_is_named_in_one_line(line: bytes, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(line, WHERE)
    text = str(caught.value)
    assert text.startswith(f"{WHERE}: ")
    assert says in text
    assert "\n" not in text


def test_half_characters_become_question_marks() -> None:
    half = "\ud83d"
    transcript = parse('{"messages": [{"from": "A", "text": "x"}]}', WHERE)
    transcript.messages[0].text = f"hi {half}"
    transcript.messages[0].author = f"A{half}"
    (message,) = to_messages(transcript, "talk")
    assert (message.text, message.author.id) == ("hi ?", "A?")
