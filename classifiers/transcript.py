"""The neutral form of a conversation (JSON Lines, one conversation a line) and its translation into messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from classifiers.assessment import Marker
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

BASE = datetime(2000, 1, 1, tzinfo=UTC)
_PAUSE = 20.0
_LONGEST = 100 * 365 * 86_400.0


class TranscriptMessage(msgspec.Struct, rename={"author": "from"}):
    """One message of a transcript; `t` is in seconds since the start, `markers` is for corpora."""

    author: str
    text: str
    id: int | str | None = None
    to: list[str] | None = None
    reply_to: int | str | None = None
    mentions: list[str] | None = None
    t: float | None = None
    quoted: str = ""
    forwarded: bool = False
    markers: list[Marker] | None = None


class Transcript(msgspec.Struct):
    """One conversation; what follows `lang` is for corpora, unknown keys are ignored."""

    messages: list[TranscriptMessage]
    id: int | str | None = None
    platform: str = "transcript"
    lang: str = "en"
    kind: str = ""
    offenders: list[str] = []
    targets: list[str] = []
    subkind: str = ""
    surface: str = "dm"
    crisis: bool = False


_decoder = msgspec.json.Decoder(Transcript)


def parse(line: bytes | str, where: str) -> Transcript:
    """Read one line; InputError naming `where` and the key when it is not a transcript."""
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: not a transcript: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}") from None


def to_messages(transcript: Transcript, conversation: str) -> list[Message]:
    """Translate; ids are positions, and `to` joins whom a message is said to be for, answers and mentions."""
    wrote: dict[int | str, str] = {}
    found: list[Message] = []
    elapsed = -_PAUSE
    for position, message in enumerate(transcript.messages):
        elapsed = elapsed + _PAUSE if message.t is None else max(-_LONGEST, min(_LONGEST, message.t))
        answered = [] if message.reply_to is None else [wrote[message.reply_to]] if message.reply_to in wrote else []
        named = [*(message.to or ()), *answered, *(message.mentions or ())]
        if message.id is not None:
            wrote[message.id] = message.author
        found.append(
            Message(
                id=str(position),
                space=conversation,
                channel=conversation,
                author=Account(transcript.platform, _printable(message.author)),
                text=_printable(message.text),
                sent_at=BASE + timedelta(seconds=elapsed),
                to=tuple(
                    Account(transcript.platform, _printable(name))
                    for name in dict.fromkeys(named)
                    if name != message.author
                ),
                quoted=_printable(message.quoted),
                forwarded=message.forwarded,
            )
        )
    return found


def _printable(text: str) -> str:
    """Replace what cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode()
