"""Haven's own transcripts: JSON Lines, one conversation a line."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import msgspec

from bot.archives.export import Conversation, Entry, Format, label
from bot.archives.jsonstream import mend, outline
from bot.archives.text import lines
from classifiers.errors import InputError
from classifiers.transcript import Transcript, TranscriptMessage, to_messages


class _Message(msgspec.Struct, rename={"author": "from"}):
    author: str
    text: str
    id: Any = None
    to: Any = None
    reply_to: Any = None
    mentions: Any = None
    t: Any = None
    quoted: Any = None
    forwarded: Any = None


class _Conversation(msgspec.Struct):
    messages: list[_Message]
    id: Any = None
    platform: Any = None


_decoder = msgspec.json.Decoder(_Conversation)


def _recognises(filename: str, head: bytes) -> bool:
    keys = outline(head)
    unlabelled = not any(key.startswith("messages.") for key in keys)
    return (
        filename.lower().endswith((".jsonl", ".ndjson"))
        or "messages.from" in keys
        or ("messages" in keys and unlabelled)
    )


def _read(text: io.BufferedReader, source: str) -> Iterator[Conversation]:
    odd: InputError | None = None
    for number, line in enumerate(lines(text, source), 1):
        if line.strip():
            where = f"{source}, line {number}"
            transcript = _neutral(_decode(line, where))
            if odd is None and (why := _odd(transcript.messages)):
                odd = InputError(f"{where}: {why}")
            name = label(transcript.id) or f"{PurePath(source).name}:{number}"
            yield Conversation(name, _entries(transcript, name))
    if odd:
        raise odd


def _decode(line: bytes, where: str) -> _Conversation:
    try:
        return _decoder.decode(mend(line))
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{where}: not JSON, one conversation a line: {error}") from None


def _neutral(decoded: _Conversation) -> Transcript:
    """Take what is optional as missing where it is of a wrong type."""
    platform = decoded.platform if isinstance(decoded.platform, str) and decoded.platform else "transcript"
    return Transcript([_message(one) for one in decoded.messages], id=label(decoded.id), platform=platform)


def _message(message: _Message) -> TranscriptMessage:
    return TranscriptMessage(
        message.author,
        message.text,
        id=label(message.id),
        to=_labels(message.to),
        reply_to=label(message.reply_to),
        mentions=_labels(message.mentions),
        t=message.t if isinstance(message.t, int | float) and not isinstance(message.t, bool) else None,
        quoted=message.quoted if isinstance(message.quoted, str) else "",
        forwarded=message.forwarded is True,
    )


def _odd(messages: Sequence[TranscriptMessage]) -> str | None:
    """Say where the messages can be read and not be meant: an answer to nothing, or a time before the start."""
    known: set[int | str | None] = {None}
    for position, message in enumerate(messages):
        if message.reply_to not in known:
            return f"Expected the `id` of a message before it - at `$.messages[{position}].reply_to`"
        if message.t is not None and message.t < 0:
            return f"Expected seconds since the start, not before it - at `$.messages[{position}].t`"
        known.add(message.id)
    return None


def _entries(transcript: Transcript, name: str) -> Iterator[Entry]:
    for message in to_messages(transcript, name):
        yield Entry(message, message.author.id)


def _labels(value: object) -> list[str]:
    return [name for item in value if (name := label(item))] if isinstance(value, list) else []


FORMAT = Format("transcript", "a transcript", _recognises, _read)
