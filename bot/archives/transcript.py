"""Haven's own transcripts: JSON Lines, one conversation a line."""

from __future__ import annotations

import io
from collections.abc import Iterator
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
    for number, line in enumerate(lines(text, source), 1):
        if line.strip():
            decoded = _decode(line, f"{source}, line {number}")
            name = label(decoded.id) or f"{PurePath(source).name}:{number}"
            yield Conversation(name, _entries(decoded, name))


def _decode(line: bytes, where: str) -> _Conversation:
    try:
        return _decoder.decode(mend(line))
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{where}: not JSON, one conversation a line: {error}") from None


def _entries(decoded: _Conversation, name: str) -> Iterator[Entry]:
    platform = decoded.platform if isinstance(decoded.platform, str) and decoded.platform else "transcript"
    neutral = Transcript([_neutral(message) for message in decoded.messages], platform=platform)
    for message in to_messages(neutral, name):
        yield Entry(message, message.author.id)


def _neutral(message: _Message) -> TranscriptMessage:
    """Take what is optional as missing where it is of a wrong type."""
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


def _labels(value: object) -> list[str]:
    return [name for item in value if (name := label(item))] if isinstance(value, list) else []


FORMAT = Format("transcript", "a transcript", _recognises, _read)
