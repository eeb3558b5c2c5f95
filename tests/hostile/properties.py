"""What must hold of anything that Haven reads and of everything that it shows, whoever wrote it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import sys
import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import discord
import telegram
from hostile import discord_reading, payloads, telegram_reading
from rich.console import Console

from bot.app import composed, open_classifier, serve
from bot.archives import read
from bot.archives.export import sound
from bot.case import Case
from bot.config import Config, load_config
from bot.effects import Advice, Target
from bot.evidence import Origin, sealed, sheet, trouble
from bot.moderation import Event
from bot.platforms.console import ConsolePlatform, visible
from bot.platforms.discord_bot import markup as on_discord
from bot.platforms.discord_bot import reading as discord_payloads
from bot.platforms.room import Room
from bot.platforms.telegram_bot import markup as on_telegram
from bot.platforms.telegram_bot import reading as telegram_payloads
from bot.platforms.telegram_bot import setup
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.artefact import MANIFEST_FILE, MODEL_FILE, bundled, load
from classifiers.assessment import Evidence, Kind, Level, Marker
from classifiers.classifier import Classifier
from classifiers.conversation import Account, Message
from classifiers.despair import shows_despair
from classifiers.errors import InputError
from classifiers.normalise import normalise, spans, tokens
from classifiers.terms import terms
from classifiers.transcript import parse, to_messages
from classifiers.words import words

AT = datetime(2026, 11, 20, 14, 3, 12, tzinfo=UTC)
SEAL = one_time_seal()
_ORIGIN = Origin("Discord", lambda space, channel, message: f"https://d/{space}/{channel}/{message}", "Ask Discord.")
_FORMULA = re.compile(r"\s*[=+@\t\r]|\s*-[^-\s]")
_ACTS = ("exec", "compile", "os.system", "os.exec", "os.mkdir", "subprocess.Popen", "pickle.find_class")
_watched = False
_UNSEEN = ("Cc", "Cs", "Zl", "Zp")
_STEERS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def steering(screen: str) -> list[str]:
    """Return what in a text would do more to a terminal than show itself, line breaks aside."""
    return [
        repr(one) for one in screen if (unicodedata.category(one) in _UNSEEN and one not in "\n\t") or one in _STEERS
    ]


def _explains(error: InputError, begins: str) -> None:
    """Check that an error is shown as one clear line that says first what it is about."""
    shown = visible(str(error))
    assert shown.startswith(visible(begins)), shown
    assert not steering(shown), shown
    assert "\n" not in shown
    assert len(shown) < 2000 + len(begins)


def check_words(text: str) -> None:
    """Words and their spans agree, whatever the text."""
    found, places = words(text), spans(text)
    assert found == tokens(text)
    assert len(found) == len(places)
    assert all(0 <= start < end <= len(text) for start, end in places)
    shows_despair(found)
    terms(found)
    assert not normalise(text) or text


def _check_message(message: Message) -> None:
    for part in (message.id, message.space, message.channel, message.author.id, message.text, message.quoted):
        part.encode()
    assert message.sent_at.utcoffset() == timedelta()
    assert message.author not in message.to
    for account in message.to:
        account.id.encode()


def check_transcript(line: bytes) -> None:
    """A line is a conversation, or an InputError says why not."""
    try:
        found = to_messages(parse(line, "line 1"), "c")
    except InputError as error:
        _explains(error, "line 1: ")
        return
    for message in found:
        _check_message(message)


def check_export(data: bytes, name: str = "export.json", format: str = "auto") -> None:
    """A file is read to its end, or to an InputError that names it."""
    try:
        for conversation in read(io.BytesIO(data), name, format):
            conversation.id.encode()
            for position, entry in enumerate(conversation.entries):
                assert entry.message.id == str(position)
                entry.name.encode()
                _check_message(entry.message)
    except InputError as error:
        _explains(error, name)


def check_discord(payload: discord.Message) -> None:
    """What the gateway brings is a message, or nothing."""
    if message := discord_payloads.to_message(payload):
        _check_message(message)
    discord_payloads.shown_words(payload).encode()


def check_telegram(payload: telegram.Message) -> None:
    """What an update brings is a message, or nothing."""
    if message := telegram_payloads.to_message(payload, telegram_payloads.Usernames()):
        _check_message(message)
    for part in telegram_payloads.parted(payload):
        part.encode()
    telegram_payloads.command_of(payload, payload.entities, "haven_bot")


def check_markup(text: str, marks: Sequence[tuple[int, int]] = ()) -> None:
    """Somebody's words are words on every platform: all of them are there, and nothing in them is alive."""
    marks = [(start, end) for start, end in marks if start < end <= len(text)]
    for reading, disarmed, hidden in (
        (discord_reading.read, on_discord.disarmed, on_discord.hidden),
        (telegram_reading.read, on_telegram.disarmed, on_telegram.Markup({}).hidden),
    ):
        shown = reading(disarmed(text))
        assert not shown.alive, shown.alive
        assert not shown.covered
        assert not shown.bold
        assert _plain(shown.words) == _plain(visible(text))
        covered = reading(hidden(text, marks))
        assert not covered.alive, covered.alive
        assert covered.covered
        assert [_plain(bold) for bold in covered.bold] == [_plain(visible(text[start:end])) for start, end in marks]
        assert _plain(covered.words) == _plain(visible(text))
    assert not steering(visible(text)), steering(visible(text))


def _plain(text: str) -> str:
    return text.replace("\u200b", "")


@cache
def classifier() -> Classifier:
    """Return the model that came with Haven."""
    return open_classifier(Config(), Path())


@cache
def _nothing() -> Store:
    return Store(None, one_time_seal())


def check_console(lines: Sequence[str]) -> None:
    """Whatever people and moderators type, the console goes on and nothing steers the terminal."""
    screen = io.StringIO()
    console = Console(file=screen, highlight=False, force_terminal=False, width=100)
    store = Store(None, one_time_seal())

    async def typed() -> AsyncIterator[str]:
        for line in lines:
            yield line.encode(errors="replace").decode()  # as standard input is read

    async def live() -> None:
        with composed(Config(), store, [ConsolePlatform(console)], classifier()) as parts:
            await serve(parts, [Room(parts, console).read(typed())])

    asyncio.run(live())
    assert not steering(screen.getvalue()), steering(screen.getvalue())


def check_settings(data: bytes) -> None:
    """A settings file is settings, or an InputError that names it."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "haven.toml")
        file.write_bytes(data)
        try:
            config, _ = load_config(file)
        except InputError as error:
            _explains(error, str(file))
            return
    for space in config.spaces:
        config.policy_of(space)


def check_sealed(data: bytes) -> None:
    """No file passes for one that Haven sealed."""
    assert trouble(data, SEAL)


def check_sheet(words: str, note: str, id: str, other: str) -> None:
    """Nobody's words make a line, a formula or a terminal's command in a sheet, and it is sealed as it is."""
    made = _sheet(words, note, id, other)
    assert made.count("\n") == _sheet("x" * len(words), "x" * len(note), "1" if id else "", "1").count("\n")
    assert not steering(made), steering(made)
    assert not [line for line in made.split("\n") if _FORMULA.match(line)]
    assert trouble(sealed(made, SEAL), SEAL) is None


def _sheet(words: str, note: str, id: str, other: str) -> str:
    about, accused = Account("discord", id), Account("discord", other)
    case = Case(
        id="0123456789",
        space=id,
        channel=id,
        message_id=id,
        kind=Kind.THREAT,
        about=about,
        level=Level.ADVISE,
        opened_at=AT,
        seen_at=AT,
        locale="en-GB",
        targets=(Target(accused, Advice.PENDING),),
        accused=accused,
        evidence=(Evidence(Marker.PAYMENT_DEMAND, id, 0.9, words, at=AT),),
    )
    return sheet(case, [Event(AT, "noted", accused, note)], about, AT, _ORIGIN)


def check_button(id: str) -> None:
    """What comes back with a press is what Haven wrote there, or leads nowhere."""
    if found := on_discord.BUTTON.fullmatch(id):
        assert id == on_discord.button_id(found["act"], found["of"] or "")
    data = sound(payloads.pressed(id).data or "")
    of = data.partition(":")[2]
    assert _nothing().case_of(of) is None
    assert not setup.is_group(of) or of == str(int(of))


def check_manifest(data: bytes) -> None:
    """A manifest is one of the model beside it, or an InputError names the file."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / MANIFEST_FILE).write_bytes(data)
        (place / MODEL_FILE).write_bytes(b"")
        _refused(place)


def check_model(data: bytes) -> None:
    """A model file that its manifest vouches for is a model, or an InputError names the file."""
    manifest = json.loads((bundled() / MANIFEST_FILE).read_bytes())
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / MODEL_FILE).write_bytes(data)
        (place / MANIFEST_FILE).write_text(json.dumps(manifest | {"sha256": hashlib.sha256(data).hexdigest()}))
        _refused(place)


def _refused(place: Path) -> None:
    global _watched
    with suppress(InputError):
        load(place)  # imports what it needs, which the second time need not
    _watched = True
    try:
        load(place)
    except InputError as error:
        _explains(error, str(place))
    else:
        raise AssertionError("it was loaded")
    finally:
        _watched = False


def _watch(event: str, _details: object) -> None:
    if _watched and event in _ACTS:
        raise AssertionError(f"reading a model led to {event}")


sys.addaudithook(_watch)
