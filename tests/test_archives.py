"""Exports as their programs write them, and as accidents and mischief leave them."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.archives import NAMES, Conversation, Entry, read
from classifiers.conversation import cut
from classifiers.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

EXPORTS = Path(__file__).parent / "exports"


def texts(data: bytes | str, source: str = "export", format_: str = "auto") -> dict[str, list[str]]:
    """Return the texts of each conversation."""
    return {name: [entry.message.text for entry in found] for name, found in entries(data, source, format_).items()}


def entries(data: bytes | str, source: str = "export", format_: str = "auto") -> dict[str, list[Entry]]:
    """Return the entries of each conversation."""
    raw = data.encode() if isinstance(data, str) else data
    return {found.id: list(found.entries) for found in read(io.BytesIO(raw), source, format_)}


def until_error(data: bytes, source: str = "export", format_: str = "auto") -> tuple[list[str], str]:
    """Return the texts before the error and the error."""
    found: list[str] = []

    def collect() -> None:
        for conversation in read(io.BytesIO(data), source, format_):
            found.extend(entry.message.text for entry in conversation.entries)

    with pytest.raises(InputError) as caught:
        collect()
    return found, str(caught.value)


def described(conversations: Iterator[Conversation]) -> list[dict[str, Any]]:
    """Return everything that is read, as plain data."""
    return [
        {
            "conversation": found.id,
            "place": (entry.message.space, entry.message.channel),
            "author": (entry.message.author.platform, entry.message.author.id, entry.name),
            "text": entry.message.text,
            "at": entry.message.sent_at.strftime("%Y-%m-%d %H:%M:%S"),
            "to": [account.id for account in entry.message.to],
            "quoted": entry.message.quoted,
            "forwarded": entry.message.forwarded,
        }
        for found in conversations
        for entry in found.entries
    ]


def row(place: str, author: str, text: str, at: str, **more: Any) -> dict[str, Any]:
    """Return one message as `described` does, of "conversation|space|channel" and "platform|id|name"."""
    conversation, space, channel = place.split("|")
    plain = {"to": [], "quoted": "", "forwarded": False}
    return {
        "conversation": conversation,
        "place": (space, channel),
        "author": tuple(author.split("|")),
        "text": text,
        "at": at,
        **plain,
        **more,
    }


SEEDS = "Allotment Society / seeds|100|200"
CREW = "Rowing Crew|9001|9001"
PARTY = "Street Party|Street Party|Street Party"
ROBIN = "Robin|Robin|Robin"

SAMPLES: dict[str, list[dict[str, Any]]] = {
    "transcript.jsonl": [
        row("club|club|club", "discord|Ada|Ada", "who has the van keys?", "2000-01-01 00:00:00"),
        row("club|club|club", "discord|Bo|Bo", "me, since noon", "2000-01-01 00:00:20", to=["Ada"]),
        row("club|club|club", "discord|Cy|Cy", "", "2000-01-01 00:01:30", to=["Bo", "Ada"]),
        row(
            *("club|club|club", "discord|Ada|Ada", "thanks", "2000-01-01 00:01:50"),
            to=["Cy"],
            quoted="me, since noon",
            forwarded=True,
        ),
    ],
    "discord.json": [
        row(SEEDS, "discord|1|Ada", "who has spare beans? 🌱 [photo] [file]", "2026-01-04 12:00:00"),
        row(
            *(SEEDS, "discord|2|bo", "I do, ask @Cy too [sticker]", "2026-01-04 12:03:00"),
            to=["1", "3"],
            quoted="who has spare beans?",
        ),
        row(
            SEEDS,
            "discord|3|Cy",
            "",
            "2026-01-04 12:04:00",
            quoted="swap on Sunday [video]",
            forwarded=True,
        ),
    ],
    "discord.csv": [
        row(
            *("discord|discord|discord", "discord|1|ada_l"),
            'who has "spare" beans? [photo] [file]',
            "2026-01-04 12:00:00",
        ),
        row("discord|discord|discord", "discord|2|bo", "I do", "2026-01-04 12:03:00", quoted="beans?"),
        row("discord|discord|discord", "discord|2|bo", "and peas", "2026-01-04 12:03:00"),
    ],
    "telegram_chat.json": [
        row(CREW, "telegram|11|Ada", "boat at seven, Bo@cy", "2026-02-01 07:01:00", to=["12"]),
        row(CREW, "telegram|12|Deleted Account", "this one? [photo]", "2026-02-01 07:02:00", to=["11"]),
        row(
            *(CREW, "telegram|channel13|Cy", "", "2026-02-01 08:03:00"),
            quoted="lock is broken [audio]",
            forwarded=True,
        ),
        row(
            *(CREW, "telegram|deleted|Deleted Account", "not any more [photo]", "2026-02-01 08:04:00"),
            quoted="lock is broken",
        ),
    ],
    "telegram_account.json": [
        row("Bo|12|12", "telegram|11|Ada", "hi", "2026-02-01 07:01:00"),
        row(
            *("telegram_account:3|telegram_account:3|telegram_account:3", "telegram|11|Ada"),
            "hello",
            "2026-02-01 07:01:00",
        ),
        row("15|15|15", "telegram|12|Bo", "bye", "2026-02-01 07:01:00"),
    ],
    "WhatsApp Chat with Street Party.txt": [
        row(PARTY, "whatsapp|Ada|Ada", "fireworks at 10:30\nbring chairs\n\nand tea", "2023-12-31 21:41:00"),
        row(PARTY, "whatsapp|+44 7700 900123|+44 7700 900123", "[photo]", "2023-12-31 21:42:00"),
        row(PARTY, "whatsapp|Ada|Ada", "[photo]\nhappy new year", "2024-01-01 00:05:00"),
    ],
    "WhatsApp Chat - Robin/_chat.txt": [
        row(
            *(ROBIN, "whatsapp|Robin|Robin", "Messages and calls are end-to-end encrypted."),
            "2023-12-31 21:41:07",
        ),
        row(ROBIN, "whatsapp|Robin|Robin", "[photo]", "2023-12-31 21:41:09"),
        row(ROBIN, "whatsapp|Ada|Ada", "[audio]", "2023-12-31 21:42:00"),
        row(ROBIN, "whatsapp|Ada|Ada", "cheers @Robin", "2024-01-01 00:00:01", to=["Robin"]),
        row(ROBIN, "whatsapp|Robin|Robin", "[file]", "2024-01-01 00:00:02"),
    ],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_sample(name: str) -> None:
    with (EXPORTS / name).open("rb", buffering=0) as stream:
        assert described(read(stream, str(EXPORTS / name))) == SAMPLES[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_in_utf_16_and_small_reads(name: str) -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(7, size or 7))

    content = (EXPORTS / name).read_bytes().decode("utf-8-sig")
    assert described(read(Dripping(content.encode("utf-16")), str(EXPORTS / name))) == SAMPLES[name]


def test_conversations_without_messages_and_positions_as_ids() -> None:
    with (EXPORTS / "transcript.jsonl").open("rb") as stream:
        found = {conversation.id: list(conversation.entries) for conversation in read(stream, "t.jsonl")}
    assert [entry.message.id for entry in found["club"]] == ["0", "1", "2", "3"]
    assert found["t.jsonl:3"] == []


def test_unread_entries_are_passed_over() -> None:
    with (EXPORTS / "telegram_account.json").open("rb") as stream:
        conversations = list(read(stream, "result.json"))
    assert [found.id for found in conversations] == ["Bo", "Saved Messages", "result:3", "15"]
    assert [list(found.entries) for found in conversations] == [[], [], [], []]


# Transcripts


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('{"id": "a"}', "t.jsonl, line 2: Object missing required field `messages`"),
        ('{"messages": {}}', "t.jsonl, line 2: Expected `array`, got `object` - at `$.messages`"),
        (
            '{"messages": [{"text": ""}]}',
            "t.jsonl, line 2: Object missing required field `from` - at `$.messages[0]`",
        ),
        (
            '{"messages": [{"from": 1, "text": ""}]}',
            "t.jsonl, line 2: Expected `str`, got `int` - at `$.messages[0].from`",
        ),
        (
            '{"messages": [{"from": "a", "text": null}]}',
            "t.jsonl, line 2: Expected `str`, got `null` - at `$.messages[0].text`",
        ),
        ('{"messages": [3]}', "t.jsonl, line 2: Expected `object`, got `int` - at `$.messages[0]`"),
        ('{"messages": [', "t.jsonl, line 2: not JSON, one conversation a line: Input data was truncated"),
        ('{"x": ' + "[" * 100_000, "t.jsonl, line 2: not JSON, one conversation a line: maximum recursion"),
    ],
)
def test_transcript_error(line: str, error: str) -> None:
    before, found = until_error(f'{{"messages": [{{"from": "a", "text": "hi"}}]}}\n{line}\n'.encode(), "t.jsonl")
    assert before == ["hi"]
    assert found.startswith(error)


def test_transcript_takes_wrong_types_as_missing() -> None:
    wrong = {
        "id": [],
        "to": "b",
        "mentions": [1, None, "c"],
        "reply_to": {},
        "t": "soon",
        "quoted": 1,
        "forwarded": "y",
    }
    line = json.dumps({"id": 7, "platform": 3, "messages": [{"from": "a", "text": "x", **wrong}]})
    (entry,) = entries(line)["7"]
    assert entry.message.author.platform == "transcript"
    assert [account.id for account in entry.message.to] == ["1", "c"]
    assert (entry.message.quoted, entry.message.forwarded) == ("", False)
    assert entry.message.sent_at == datetime(2000, 1, 1, tzinfo=UTC)


def test_transcript_times_stay_in_range() -> None:
    messages = [{"from": "a", "text": "", "t": t} for t in (1e300, 10**30)]
    assert len(entries(json.dumps({"id": "x", "messages": messages}))["x"]) == 2


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"reply_to": 9}, "t.jsonl, line 2: Expected the `id` of a message before it - at `$.messages[1].reply_to`"),
        ({"id": 3, "reply_to": 3}, "t.jsonl, line 2: Expected the `id` of a message before it"),
        ({"reply_to": 0}, "t.jsonl, line 2: Expected the `id` of a message before it"),
        ({"t": -5}, "t.jsonl, line 2: Expected seconds since the start, not before it - at `$.messages[1].t`"),
        ({"t": -1e300}, "t.jsonl, line 2: Expected seconds since the start, not before it"),
    ],
)
def test_transcript_with_an_answer_to_nothing_or_an_impossible_time_is_read_and_named(
    keys: dict[str, object], error: str
) -> None:
    start = {"from": "a", "text": "hi", "id": 1, "t": 0}
    talks = [
        [start],
        [start, {"from": "b", "text": "odd", **keys}],
        [start, {"from": "b", "text": "yes", "reply_to": 1}],
    ]
    data = "".join(json.dumps({"messages": talk}) + "\n" for talk in (*talks, talks[1]))
    found, message = until_error(data.encode(), "t.jsonl")
    assert found == ["hi", "hi", "odd", "hi", "yes", "hi", "odd"]
    assert message.startswith(error)


# Discord


def discord(messages: object, **more: object) -> bytes:
    return json.dumps(
        {
            "guild": {"id": "1", "name": "G"},
            "channel": {"id": "2", "name": "c"},
            "messages": messages,
            **more,
        }
    ).encode()


def post(content: object = "hi", **more: object) -> dict[str, object]:
    return {"id": "1", "type": "Default", "content": content, "author": {"id": "5", "name": "Ada"}, **more}


@pytest.mark.parametrize(
    ("message", "text", "name"),
    [
        (
            post(None, attachments=[{"fileName": "a.opus"}, 3, {"url": "https://x.example/b.mov?q=1"}]),
            "[audio] [video]",
            "Ada",
        ),
        (post(timestamp="99999-01-01", mentions={"id": 1}, reference=[]), "hi", "Ada"),
        (post(timestamp="0001-01-01T00:00:00+14:00"), "hi", "Ada"),
        (post(author=None), "hi", "Deleted User"),
        (post(author={"id": 5, "name": None, "nickname": 7}), "hi", "7"),
        (post(type=None), "hi", "Ada"),
        (post(type="19", stickers={"id": 1}), "hi", "Ada"),
        (post("x" * 200_000), cut("x" * 200_000), "Ada"),
    ],
)
def test_discord_with_odd_fields(message: object, text: str, name: str) -> None:
    (entry,) = entries(discord([None, "x", [], message]))["G / c"]
    assert (entry.message.text, entry.name) == (text, name)


@pytest.mark.parametrize(
    ("content", "text", "quoted"),
    [
        ("> pay me\nhe wrote that", "he wrote that", "pay me"),
        ("look\n> a\n> b\nwhat now\n> c", "look\nwhat now", "a\nb\nc"),
        ("see\n>>> a\nb", "see", "a\nb"),
        (">_<", ">_<", ""),
    ],
)
def test_discord_quotes(content: str, text: str, quoted: str) -> None:
    (entry,) = entries(discord([post(content)]))["G / c"]
    assert (entry.message.text, entry.message.quoted) == (text, quoted)


def test_discord_snapshots_are_forwarded() -> None:
    snapshots = [{"message": {"content": "pay"}}, {"content": "now"}]
    (entry,) = entries(discord([post("look", messageSnapshots=snapshots)]))["G / c"]
    assert (entry.message.text, entry.message.quoted, entry.message.forwarded) == ("look", "pay\nnow", True)


def test_discord_with_its_place_last() -> None:
    data = json.dumps({"messages": [post(timestamp="2024-01-01T00:00:00Z")], "guild": {"name": "G"}})
    assert texts(data, "dir/chan.json") == {"chan": ["hi"]}


def test_discord_remembers_a_thousand_authors() -> None:
    def reply(number: int, to: int) -> dict[str, object]:
        return post(id=number, author={"id": f"u{number}"}, reference={"messageId": to})

    messages = [reply(0, 0), *(reply(number, 0) for number in range(1, 1_002))]
    found = entries(discord(messages))["G / c"]
    assert [account.id for account in found[999].message.to] == ["u0"]
    assert found[1_001].message.to == ()


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["05/01/2024 3:04 PM"], ["2024-05-01 15:04"]),
        (["5/1/2024 3:04 pm", "31/1/2024 12:04 am"], ["2024-01-05 15:04", "2024-01-31 00:04"]),
        (["01.05.2024 15:04"], ["2024-05-01 15:04"]),
        (["01-Jan-20 01:33 AM"], ["2020-01-01 01:33"]),
        (["2024-05-01 15:04"], ["2024-05-01 15:04"]),
        (
            ["2024-05-01T12:00:00.0000000+02:00", "31.31.2024 10:00"],
            ["2024-05-01 10:00", "2024-05-01 10:00"],
        ),
    ],
)
def test_discord_csv_dates(dates: list[str], expected: list[str]) -> None:
    data = "AuthorID,Author,Date,Content,Attachments,Reactions\n" + "".join(
        f'"1","Ada","{date}","hi","",""\n' for date in dates
    )
    found = entries(data, "a.csv")["a"]
    assert [entry.message.sent_at.strftime("%Y-%m-%d %H:%M") for entry in found] == expected


@pytest.mark.parametrize(
    ("rest", "error"),
    [
        ('"1","Ada","","un', "a.csv, line 3: unexpected end of data"),
        ('"1","Ada"\n', "a.csv, line 3: the row ends early"),
        ('"1"x,"Ada"\n', "a.csv, line 3: ',' expected after '\"'"),
    ],
)
def test_discord_csv_error(rest: str, error: str) -> None:
    data = f'AuthorID,Author,Date,Content,Attachments,Reactions\n"1","Ada","","{"x" * 200_000}","",""\n{rest}'
    assert until_error(data.encode(), "a.csv") == ([cut("x" * 200_000)], error)


# Telegram


def telegram(*messages: object) -> bytes:
    return json.dumps({"name": "N", "type": "private_group", "id": 1, "messages": messages}).encode()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"text": ["a", 3, None, {"type": "link", "text": "b"}, {"text": 4}, {}]}, "ab"),
        ({"text": {"type": "bold", "text": "c"}}, "c"),
        ({"text": 5, "media_type": "sticker", "file": "s.webp"}, "[sticker]"),
        ({"text": "", "media_type": [], "file": "files/a.mp4"}, "[video]"),
        ({"text": "v", "media_type": "video_message", "file": None}, "v [video]"),
        ({"text": "d", "file_name": "plan.odt", "file": "files/f"}, "d [file]"),
        ({"text": "e", "date_unixtime": "9" * 5_000, "date": "10000-01-01"}, "e"),
        ({"text": "f", "date_unixtime": 1.5e300, "from": {}, "from_id": ["x"]}, "f"),
    ],
)
def test_telegram_with_odd_fields(message: dict[str, object], text: str) -> None:
    assert texts(telegram(None, [], "x", {"type": "service", "text": "no"}, message)) == {"N": [text]}


def test_telegram_without_name_and_id() -> None:
    data = '{"messages": [{"from_id": "user1", "text": "a"}], "name": "too late", "id": 4}'
    (entry,) = entries(data, "x/result.json")["result"]
    assert (entry.message.space, entry.message.channel) == ("result", "result")


def test_telegram_account_without_chats() -> None:
    assert texts('{"about": "", "personal_information": {"user_id": 1}, "chats": {"list": {}}}') == {}


# WhatsApp


@pytest.mark.parametrize(
    ("header", "at"),
    [
        ("12/31/23, 9:41 PM - ", "2023-12-31 21:41:00"),
        ("12/31/23, 12:41\u202fAM - ", "2023-12-31 00:41:00"),
        ("31/12/2023, 21:41 - ", "2023-12-31 21:41:00"),
        ("31.12.23, 21:41 - ", "2023-12-31 21:41:00"),
        ("31/12/2023, 9:41\u00a0p.\u00a0m. - ", "2023-12-31 21:41:00"),
        ("2023-12-31, 9:41 p.m. - ", "2023-12-31 21:41:00"),
        ("2023/12/31 下午9:41 - ", "2023-12-31 21:41:00"),
        ("31.12.23 à 21:41 - ", "2023-12-31 21:41:00"),
        ("\u200f٣١/١٢/٢٠٢٣، ٩:٤١ م - ", "2023-12-31 21:41:00"),
        ("[31/12/2023, 21:41:07] ", "2023-12-31 21:41:07"),
        ("\u200e[12/31/23, 9:41:07\u202fPM] ", "2023-12-31 21:41:07"),
        ("[31.12.2023 klo 21.41.07] ", "2023-12-31 21:41:07"),
        ("31-12-2023 21:41:07: ", "2023-12-31 21:41:07"),
        ("31/02/2023, 21:41 - ", "2000-01-01 00:00:00"),
        ("1/1/2023, 99:99 - ", "2000-01-01 00:00:00"),
    ],
)
def test_whatsapp_header(header: str, at: str) -> None:
    (found,) = described(read(io.BytesIO(f"{header}Ada Lee: see: you\n".encode()), "a.txt"))
    assert (found["author"][1], found["text"], found["at"]) == ("Ada Lee", "see: you", at)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["1/2/24", "1/3/24"], ["02-01", "03-01"]),
        (["1/2/24", "1/13/24"], ["01-02", "01-13"]),
        (["1/2/24", "13/2/24"], ["02-01", "02-13"]),
    ],
)
def test_whatsapp_day_and_month(dates: list[str], expected: list[str]) -> None:
    data = "".join(f"{date}, 10:00 - Ada: hi\n" for date in dates)
    assert [entry.message.sent_at.strftime("%m-%d") for entry in entries(data, "a.txt")["a"]] == expected


def test_whatsapp_month_first_is_proven_late() -> None:
    data = "1/2/24, 10:00 - Ada: hi\n" * 5_000 + "1/13/24, 10:00 - Ada: hi\n1/2/24, 10:00 - Ada: hi\n"
    found = entries(data, "a.txt")["a"]
    assert [entry.message.sent_at.month for entry in (found[0], found[-1])] == [2, 1]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("<Media omitted>", "[photo]"),
        ("<Medien ausgeschlossen>", "[photo]"),
        ("<Médias omis>\nla plage", "[photo]\nla plage"),
        ("\u200evideo omitted", "[video]"),
        ("\u200eBild weggelassen", "[photo]"),
        ("\u200eaudio omitido", "[audio]"),
        ("\u200eautocollant omis", "[sticker]"),
        ("\u200eplan.pdf • \u200e3 pages \u200edocument omitted", "[file]"),
        ("\u200e<attached: 0001-PHOTO-2023.jpg>", "[photo]"),
        ("\u200e<angehängt: 0001-VIDEO-2023.mp4>", "[video]"),
        ("\u200ePTT-2023.opus (archivo adjunto)", "[audio]"),
        ("notes.docx (file attached)\nread them", "[file]\nread them"),
        ("the weather omitted", "the weather omitted"),
        ("song.mp3 (my favourite)", "song.mp3 (my favourite)"),
        ("", ""),
    ],
)
def test_whatsapp_media(written: str, text: str) -> None:
    assert texts(f"31/12/2023, 21:41 - Ada: {written}\n", "a.txt") == {"a": [text]}


@pytest.mark.parametrize(
    "notice",
    [
        "Messages and calls are end-to-end encrypted.",
        "Ada created group “Plan: B”",
        'Ada changed the subject from "a" to "b: c"',
        "+44 7700 900123 left",
        "Ada changed the group name to 10:30 club",
    ],
)
def test_whatsapp_notices_are_skipped(notice: str) -> None:
    data = f"31/12/23, 21:40 - {notice}\nwith more\n31/12/23, 21:41 - Bo: hi\n"
    assert texts(data, "a.txt") == {"a": ["hi"]}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("WhatsApp Chat with Bo.txt", "Bo"),
        ("x/WhatsApp-Chat mit Bo Lee.txt", "Bo Lee"),
        ("Chat de WhatsApp con Bo.txt", "Bo"),
        ("WhatsApp Chat - Bo/_chat.txt", "Bo"),
        ("exports/_chat.txt", "exports"),
        ("_chat.txt", "_chat"),
        ("party.txt", "party"),
        ("\udcff.txt", "\ufffd"),
    ],
)
def test_whatsapp_name(source: str, name: str) -> None:
    assert texts("31/12/23, 21:41 - Bo: hi", source) == {name: ["hi"]}


# What is no export


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "x: the file is empty"),
        (b"\xef\xbb\xbf \n", "x: the file is empty"),
        (b"PK\x03\x04....", "it looks like a zip archive: unpack it"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\0", "a picture"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\n<!DOCTYPE html><html>", "a web page: export again, as JSON"),
        (b"caf\xe9 society", "byte 3 is not UTF-8 text"),
        (b"abc\0def", "byte 3 is zero"),
        (b"dear diary", "it is other text; known are discord, telegram, transcript, whatsapp"),
        (b'{"a": 1}', "it is other JSON; known are discord"),
        (b"[1, 2]", "it is other JSON"),
        (b"[" * 100_000, "it is other JSON"),
    ],
)
def test_no_export(data: bytes, error: str) -> None:
    found, message = until_error(data, "x")
    assert found == []
    assert message.startswith("x: ")
    assert error in message
    for name in NAMES[1:]:
        assert until_error(data, "x", name)[0] == []


CALLED = {
    "discord": "a Discord export",
    "telegram": "a Telegram export",
    "transcript": "a transcript",
    "whatsapp": "a WhatsApp export",
}


@pytest.mark.parametrize("format_", CALLED)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_of_another_format_is_refused_with_what_it_looks_like(name: str, format_: str) -> None:
    content = (EXPORTS / name).read_bytes()
    own = next(one for one in CALLED if name.lower().startswith(one))
    if own == format_:
        assert entries(content, name, format_) == entries(content, name)
    elif (name, format_) == ("telegram_chat.json", "transcript"):  # whose messages are from somebody, too
        assert until_error(content, name, format_)[1].startswith(f"{name}, line 1: not JSON, one conversation a line")
    else:
        error = f"{name}: not {CALLED[format_]}: it looks like {CALLED[own]}"
        assert until_error(content, name, format_) == ([], error)


@pytest.mark.parametrize("format_", CALLED)
def test_a_format_that_is_asked_for_makes_no_export_of_other_json(format_: str) -> None:
    export = json.dumps({"participants": [], "messages": [{"sender_name": "Ada", "content": "hi"}]})
    assert until_error(export.encode(), "x.json", format_)[1].endswith("it looks like other JSON")


def test_unknown_format() -> None:
    assert until_error(b"x", "x", "msn")[1] == (
        "x: no export format is called 'msn'; there are auto, discord, telegram, transcript, whatsapp"
    )


# What is broken


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (b', {"type": "Def', "x.json: ends in the middle, at byte"),
        (b", NaN]}", "x.json: not JSON near byte"),
        (b', {"n": ' + b"9" * 10_000 + b"}]}", "x.json: not JSON near byte"),
        (b', {"n": ' + b"[" * 100_000, "x.json: nested deeper than any chat export"),
        (b"]} trailing", "x.json: "),
        (b', "\xff"]}', "is not UTF-8 text"),
        (b', "\xe2\x82', "ends in the middle of a character"),
    ],
)
@pytest.mark.parametrize("export", [discord([post("a"), post("b")]), telegram({"text": "a"}, {"text": "b"})])
def test_broken_json_gives_what_comes_before(export: bytes, end: bytes, error: str) -> None:
    found, message = until_error(export.removesuffix(b"]}") + end, "x.json")
    assert found == ["a", "b"]
    assert error in message


def test_after_an_error_there_are_no_more_conversations() -> None:
    conversations = read(io.BytesIO(telegram({"text": "a"})[:-3]), "x.json")
    with pytest.raises(InputError):
        list(next(conversations).entries)
    assert list(conversations) == []


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"\ud800", "\ufffd"),
        (r"\uDC00x", "\ufffdx"),
        (r"\ud83c\udf31", "🌱"),
        (r"\ud83c\ud83c\udf31", "\ufffd🌱"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\ufffd"),
    ],
)
@pytest.mark.parametrize("padding", [0, 65_000, 65_500])
def test_lone_surrogates(escaped: str, text: str, padding: int) -> None:
    word = "ab, " * (padding // 4)
    line = json.dumps({"id": "1", "messages": [{"from": "A", "text": "@"}]}).replace("@", word + escaped)
    assert texts(line) == {"1": [cut(word + text)]}
    assert texts(telegram({"text": "@"}).replace(b"@", (word + escaped).encode())) == {"N": [cut(word + text)]}


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_but_input_errors(name: str) -> None:
    content = (EXPORTS / name).read_bytes()
    chance = random.Random(name)  # noqa: S311
    for trial in range(150):
        data = bytearray(content[: chance.randrange(len(content) + 1)] if trial % 2 else content)
        for _ in range(chance.randrange(6)):
            if data:
                data[chance.randrange(len(data))] = chance.choice([0, 10, 34, 44, 91, 123, 125, 255, 0x31, 0x5C])
        for format_ in ("auto", chance.choice(NAMES)):
            complaint = None
            try:
                entries(bytes(data), name, format_)
            except InputError as error:
                complaint = str(error)
            assert complaint is None or (complaint.startswith(name) and "\n" not in complaint)


@pytest.mark.parametrize(
    ("before", "message", "after", "source"),
    [
        (
            b'{"guild": {}, "channel": {}, "messages": [',
            json.dumps(post("x" * 2_000)).encode() + b",",
            b"{}]}",
            "x.json",
        ),
        (b'{"type": "replies", "messages": [', b'{"text": "' + b"x" * 2_000 + b'"},', b"{}]}", "x.json"),
        (b"", b'{"messages": [{"from": "A", "text": "' + b"x" * 2_000 + b'"}]}\n', b"", "x.jsonl"),
        (b"AuthorID,Author,Date,Content,Attachments\n", b'1,A,,"' + b"x" * 2_000 + b'",\n', b"", "x.csv"),
        (b"", b"31/12/23, 21:41 - A: " + b"x" * 1_000 + b"\n" + b"y" * 1_000 + b"\n", b"", "x.txt"),
    ],
)
def test_memory_is_bounded(before: bytes, message: bytes, after: bytes, source: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield before
        for _ in range(160):
            yield message * 30
        yield after

    tracemalloc.start()
    try:
        stream = Generated(chunks())
        found = read(io.BufferedReader(stream), source)
        count = sum(1 for conversation in found for _ in conversation.entries)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count >= 4_800
    assert stream.given > 9_000_000
    assert peak < 3_000_000


class Generated(io.RawIOBase):
    """A stream that cannot be sought and is longer than what is kept of it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer)
        self._rest = self._rest or next(self._chunks, b"")
        taken, self._rest = self._rest[: len(room)], self._rest[len(room) :]
        room[: len(taken)] = taken
        self.given += len(taken)
        return len(taken)
