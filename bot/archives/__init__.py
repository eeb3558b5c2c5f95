"""Chat exports read into messages: one file per format, everything streamed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from bot.archives import discord_csv, discord_json, telegram, transcript, whatsapp
from bot.archives.export import Conversation, Entry, Format
from bot.archives.text import HEAD, open_text, unknown
from classifiers.errors import InputError

__all__ = ["FORMATS", "NAMES", "Conversation", "Entry", "Format", "read"]

FORMATS: tuple[Format, ...] = (
    discord_json.FORMAT,
    telegram.FORMAT,
    transcript.FORMAT,
    discord_csv.FORMAT,
    whatsapp.FORMAT,
)

NAMES: tuple[str, ...] = ("auto", *sorted({format_.name for format_ in FORMATS}))

_SURROGATE = re.compile("[\ud800-\udfff]")


def read(stream: BinaryIO, source: str, format: str = "auto") -> Iterator[Conversation]:
    """Read the export that begins here, in one of NAMES, without seeking and in bounded memory.

    `source` is its path, for errors and default ids. InputError when it is no export, or not of that format, and
    from the iterators, after what comes before, where it is broken or ends early.
    """
    source = _SURROGATE.sub("\ufffd", source)
    text = open_text(stream, source)
    head = text.peek(HEAD)
    if not head.strip():
        text.read(HEAD)
        raise InputError(f"{source}: the file is empty")
    return _format(text, source, format).read(text, source)


def _format(text: io.BufferedReader, source: str, name: str) -> Format:
    filename, head = PurePath(source).name, text.peek(HEAD)
    wanted = [known for known in FORMATS if name in ("auto", known.name)]
    if not wanted:
        raise InputError(f"{source}: no export format is called {name!r}; there are {', '.join(NAMES)}")
    for known in wanted:
        if known.recognises(filename, head):
            return known
    # What is not text at all says so itself.
    text.read(HEAD)
    other = f"other {'JSON' if head.lstrip().startswith((b'{', b'[')) else 'text'}"
    if name == "auto":
        raise unknown(source, f"it is {other}; known are {', '.join(NAMES[1:])}")
    looks = next((known.called for known in FORMATS if known.recognises(filename, head)), other)
    raise InputError(f"{source}: not {wanted[0].called}: it looks like {looks}")
