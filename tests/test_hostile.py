"""Whatever hostile people write, whatever an export or a file holds: properties that hold of all of it.

`tests/hostile/fuzz.py` looks for what breaks them, guided by coverage; what it found interesting is replayed here.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from hostile import discord_reading, payloads, properties, telegram_reading
from hostile.targets import CHUNKS, CORPORA, TARGETS, seeds
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.archives import NAMES
from bot.evidence import exact
from bot.platforms.console import visible
from bot.platforms.discord_bot import markup as on_discord
from bot.platforms.room import to_message
from bot.platforms.telegram_bot import markup as on_telegram
from classifiers.normalise import normalise, spans

# The same examples on every run, as many as take some seconds in all; the fuzzer takes its time.
often = settings(
    derandomize=True, max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
seldom = settings(often, max_examples=25)

_SIGNS = "@#$/:.<>[]()*_~|`\\-+=%&;!?'\"\n\r\t \x00\x1b\x9b\u200b\u2028\u202e\u0301\ufe0f"
texts = st.lists(
    st.one_of(st.sampled_from(CHUNKS), st.text(max_size=20), st.text(_SIGNS, max_size=8)), max_size=20
).map("".join)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def objects(*keys: str) -> st.SearchStrategy[dict[str, object]]:
    """Objects with some of these keys, whose values may be of any kind."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, anything))


# What the fuzzer found, and what it began with.


@pytest.mark.parametrize("target", TARGETS)
def test_what_the_fuzzer_found_interesting_holds(target: str) -> None:
    found = seeds(target)
    assert found, f"no corpus in {CORPORA / target}"
    for data in found:
        TARGETS[target](data)


# Reading.


@often
@given(texts)
@example("\ud800")
def test_words_and_their_places_agree(text: str) -> None:
    properties.check_words(text)


@often
@given(
    st.fixed_dictionaries(
        {"messages": st.lists(objects("from", "text", "id", "to", "reply_to", "mentions", "t", "quoted", "forwarded"))},
        optional={"id": anything, "platform": anything, "lang": anything},
    )
)
def test_transcripts_are_read_or_refused(conversation: dict[str, object]) -> None:
    line = json.dumps(conversation).encode()
    properties.check_transcript(line)
    properties.check_export(line, "a.jsonl", "transcript")


_DISCORD = objects(
    *("id", "type", "timestamp", "content", "author", "mentions", "attachments", "reference", "stickers"),
    *("forwardedMessage", "messageSnapshots"),
)
_TELEGRAM = objects(
    *("id", "type", "date", "date_unixtime", "from", "from_id", "text", "forwarded_from", "reply_to_message_id"),
    *("media_type", "photo", "file", "file_name", "mime_type"),
)


@often
@given(st.lists(_DISCORD | _TELEGRAM, max_size=5), objects("id", "name", "type"), st.sampled_from(NAMES))
def test_exports_in_json_are_read_or_refused(said: list[object], place: dict[str, object], format: str) -> None:
    properties.check_export(json.dumps({"guild": place, "channel": place, **place, "messages": said}).encode())
    account = {"chats": {"list": [{**place, "messages": said}]}}
    properties.check_export(json.dumps(account).encode(), "result.json", format)


@often
@given(st.lists(st.tuples(st.sampled_from(("20/11/2026", "11-20-26 3:04 PM", "", "x")), texts, texts)), texts)
def test_exports_in_csv_are_read_or_refused(rows: list[tuple[str, str, str]], header: str) -> None:
    lines = [f'1,"{name}",{at},"{text}",a.png' for at, name, text in rows]
    whole = "\n".join([f"AuthorID,Author,Date,Content,Attachments{header[:3]}", *lines])
    properties.check_export(whole.encode(errors="surrogatepass"), "a.csv")


@often
@given(st.lists(st.tuples(st.sampled_from(("20/11/2026, 14:03 - ", "[1.2.26, 3:04:05] ", "")), texts), max_size=8))
def test_exports_in_text_are_read_or_refused(lines: list[tuple[str, str]]) -> None:
    whole = "\n".join(f"{stamp}Ann: {text}" for stamp, text in lines)
    properties.check_export(whole.encode(errors="replace"), "_chat.txt")


@often
@given(st.binary(max_size=300), texts, st.sampled_from(NAMES))
def test_any_file_is_read_or_refused(data: bytes, name: str, format: str) -> None:
    properties.check_export(data, name or "x", format)


@often
@given(texts, st.lists(texts, max_size=2), st.none() | texts, st.none() | texts, st.booleans())
def test_any_payload_of_discord_is_translated(
    text: str, files: list[str], forwarded: str | None, answers: str | None, in_guild: bool
) -> None:
    properties.check_discord(
        payloads.on_discord(text, files=files, forwarded=forwarded, answers=answers, in_guild=in_guild)
    )


@often
@given(
    texts,
    st.lists(st.tuples(st.sampled_from(payloads.ENTITIES), st.integers(-5, 200), st.integers(-5, 200)), max_size=4),
    st.none() | texts,
    st.none() | texts,
    st.booleans(),
    st.sampled_from((None, "photo", "video", "voice", "sticker", "document", "animation")),
)
@example("😀@a", [("mention", 1, 2)], None, None, False, None)
@example("", [], "\ud800", None, False, "animation")
def test_any_payload_of_telegram_is_translated(
    text: str,
    entities: list[tuple[str, int, int]],
    quote: str | None,
    answers: str | None,
    forwarded: bool,
    media: str | None,
) -> None:
    properties.check_telegram(
        payloads.on_telegram(text, entities=entities, quote=quote, answers=answers, forwarded=forwarded, media=media)
    )


@often
@given(texts | st.from_regex(r"(haven:|set:)?[a-z_]{1,8}:?[-\w]{0,40}", fullmatch=True))
@example("haven:confirm:\ud800")
def test_the_id_of_a_button_leads_where_it_says_or_nowhere(id: str) -> None:
    properties.check_button(id)


@seldom
@given(
    st.lists(st.tuples(st.sampled_from(("eve> ", "sam> /check ", "sam> /report ", "/note x ", "/forget ", "")), texts))
)
def test_whatever_is_typed_the_console_goes_on(lines: list[tuple[str, str]]) -> None:
    properties.check_console([f"{who}{text}" for who, text in lines])


def test_the_console_shows_hostile_names_and_words_without_their_power() -> None:
    eve = "e\x1b[31mve\u202e\x9b"
    properties.check_console(
        [
            f"{eve}> @sam i recorded our video call. i have your nudes \x1b]0;x\x07 and i saved all your followers",
            f"{eve}> @sam send me 400 in gift cards or i send the video to your mum and your whole family",
            f"{eve}> @sam you have 30 minutes. dont block me or i post it everywhere \u2028",
            *("/cases", f"{eve}> /report \x1b[2J", f"{eve}> /privacy", f"/forget {eve}"),
        ]
    )


@often
@given(st.dictionaries(st.sampled_from(("policy", "spaces", "store", "log", "memory", "x\n\x1b")), anything))
def test_settings_are_read_or_refused(found: dict[str, object]) -> None:
    lines = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in found.items()]
    properties.check_settings("\n".join(lines).encode(errors="replace"))


@pytest.mark.parametrize("data", [b"a=" + b"[" * 5000, b"a=" + b"{a=" * 5000, b"a=" + b"9" * 5000])
def test_settings_that_no_reader_of_toml_bears_are_refused(data: bytes) -> None:
    properties.check_settings(data)


@often
@given(objects("format", "sha256", "data_sha256", "libraries", "scales", "thresholds", "metrics"))
def test_manifests_are_read_or_refused(found: dict[str, object]) -> None:
    properties.check_manifest(json.dumps(found).encode())


# Showing.


@often
@given(texts, st.lists(st.integers(0, 60), max_size=6))
@example("@sam", [1, 4])
@example("evil.com", [5, 8])
@example("https://evil.com", [5, 9])
@example("discord.gg/abc", [8, 10])
@example("_https://evil.com and mydiscord.gg/abc", [])
def test_somebodys_words_are_words_on_every_platform(text: str, places: list[int]) -> None:
    at = sorted({*places})
    properties.check_markup(text, list(zip(at[::2], at[1::2], strict=False)))


@often
@given(texts, texts, texts, texts)
def test_nobodys_words_make_more_than_their_part_of_a_sheet(words: str, note: str, id: str, other: str) -> None:
    properties.check_sheet(words, note, id, other)


@often
@given(st.binary(max_size=200))
@example(b"\n" * 1000)
def test_no_file_passes_for_one_that_haven_sealed(data: bytes) -> None:
    properties.check_sealed(data)


@pytest.mark.parametrize(
    "source",
    [
        *("**a", "`a`", "[a](https://b)", "<@22>", "<@&22>", "<#22>", "</a:1>", "<t:1:R>", "<:a:1>", "@everyone"),
        *("https://a.b", "<https://a.b>", "discord.gg/a", "||a||b||", "> a", "# a", "-# a", "- a", "1. a", "a\nb"),
        *("__a__", "~~a~~", "*a*", "_a_", ":smile:", "\\\\**a"),
    ],
)
def test_the_reading_of_discords_markdown_sees_what_is_alive(source: str) -> None:
    assert discord_reading.read(source).alive


@pytest.mark.parametrize(
    "source",
    [
        *("@sam", "#tag", "$TAG", "/cmd", "a.b", "https://a", "tg://a", "a@b.c", "<i>a</i>", "<b>a", "</b>", "a\nb"),
        *('<a href="x">a</a>', "@<b>sam</b>", "evil.<b>com</b>", "<!-- a -->", "<b class='x'>a</b>"),
    ],
)
def test_the_reading_of_telegrams_html_sees_what_is_alive(source: str) -> None:
    assert telegram_reading.read(source).alive


# How long it takes. Four times as much takes four times as long, not sixteen; the rest is for a busy machine.

_AT = datetime(2026, 11, 20, tzinfo=UTC)
_SLOWEST = 10.0
_UNITS = (
    *("a", "a ", "a.", ".", " ", "\n", "1", "4a", "@", "@a", "%41", "%", "a\u0301", "\u0301", "ia", "іa", "🇸🇪", "🇸"),
    *("https://", "www.", ":", "://", "discord.", "<", "<@", "<:a", "</a", "<a:", "*", "||", "\\", "> ", "&", "ха ха "),
    *("aaa", "ha ha ", "0a", "1a1a", "a@a", "s e n d ", "s.e.n.d. ", "@\u2068", "\u2068", "• ", "((", "'", "ﷺ", "ﬁ"),
    *('"', '""', ",", '{"a":', "[", "\\ud83d", '"a",', "1/1/1, 1:11 - a: ", "- ", "=", "=\n", "a=1\n", "\x1b", "\x00"),
)


def _export(name: str, format: str, head: str, tail: str) -> Callable[[str], object]:
    return lambda text: properties.check_export((head + text + tail).encode(errors="replace"), name, format)


def _taken(work: Callable[[str], object], text: str) -> float:
    begun = time.process_time()
    work(text)
    return time.process_time() - begun


_PLACE = '{"guild":{},"channel":{},"type":"personal_chat","messages":['
_SAID = _PLACE + '{"from":"a","author":{},"text":"'
_BOUNDED: dict[str, tuple[int, Callable[[str], object]]] = {
    "normalise": (1_000, normalise),
    "spans": (1_000, spans),
    "visible": (20_000, visible),
    "exact": (20_000, exact),
    "disarmed on Discord": (20_000, on_discord.disarmed),
    "disarmed on Telegram": (20_000, on_telegram.disarmed),
    "a line of the console": (20_000, lambda text: to_message(f"a> {text}", "s", "1", _AT)),
    "the name on a line of the console": (20_000, lambda text: to_message(text, "s", "1", _AT)),
    "a message of Discord": (20_000, lambda text: properties.check_discord(payloads.on_discord(text, forwarded=text))),
    "a message of Telegram": (20_000, lambda text: properties.check_telegram(payloads.on_telegram(text, quote=text))),
    "Discord's JSON": (50_000, _export("a.json", "discord", _SAID, '"}]}')),
    "Discord's JSON, values": (50_000, _export("a.json", "discord", _PLACE, "]}")),
    "Discord's CSV": (50_000, _export("a.csv", "discord", 'AuthorID,Date,Content\n1,2,"', '"')),
    "Telegram's JSON": (50_000, _export("a.json", "telegram", _SAID, '"}]}')),
    "a transcript": (50_000, _export("a.jsonl", "transcript", _SAID, '"}]}')),
    "WhatsApp's text": (50_000, _export("a.txt", "whatsapp", "1/1/26, 1:11 - a: ", "\n1/1/26, 1:12 - b: <a")),
    "a sealed sheet": (200_000, lambda text: properties.check_sealed(text.encode(errors="replace"))),
}


@pytest.mark.parametrize("name", _BOUNDED)
def test_time_grows_no_faster_than_length(name: str) -> None:
    size, work = _BOUNDED[name]
    for unit in _UNITS:
        short, long = (unit * (length // len(unit)) for length in (size, 4 * size))
        work(short)
        for attempt in range(4):
            grown = _taken(work, long) / max(_taken(work, short), 0.002)
            if grown < _SLOWEST:
                break
            assert attempt < 3, f"{unit!r}: four times as much takes {grown:.0f} times as long"


# Names that lead elsewhere.


@pytest.mark.parametrize(
    "name", ["../../outside", "/outside", "a\x00b", "C:\\outside", "=cmd|' /C calc'!A0", "\x1b[2J"]
)
def test_the_names_in_an_export_lead_nowhere(invoke: Callable[..., Result], tmp_path: Path, name: str) -> None:
    message = {
        "id": "1",
        "type": "Default",
        "timestamp": "2026-11-20T14:03:12Z",
        "content": "hi",
        "author": {"id": "1"},
    }
    export = {"guild": {"id": name, "name": name}, "channel": {"id": name, "name": name}, "messages": [message]}
    inside = tmp_path / "in" / "side"
    inside.mkdir(parents=True)
    (inside / "export.json").write_text(json.dumps(export))
    before = sorted(tmp_path.rglob("*"))
    for how in ((), ("--json",)):
        result = invoke("scan", *how, inside / "export.json")
        assert result.exit_code == 0
        assert not properties.steering(result.output)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["[link=mailto:x]y.json", "[bold]x.json", "{task}.json", "\x1b[31m.json", ":smile:.json"]
)
def test_the_name_of_a_file_is_shown_on_a_terminal_as_it_is(
    haven: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes((Path(__file__).parent / "exports" / "discord.json").read_bytes())
    done = haven("scan", name, FORCE_COLOR="1", TERM="xterm")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert visible(name) in done.stderr
    assert "\x1b]8" not in done.stderr
