"""Discord channels as DiscordChatExporter writes them in CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import PurePath

from bot.archives import media
from bot.archives.dates import STAMP, START, Calendar, from_iso
from bot.archives.discord_json import CALLED, DELETED, PLATFORM, unquote
from bot.archives.export import Conversation, Entry, Format
from bot.archives.text import HEAD, lines
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

_LONGEST_FIELD = 1 << 24
_COLUMNS = ("authorid", "author", "date", "content", "attachments")
_STAMP = re.compile(STAMP)


def _recognises(_filename: str, head: bytes) -> bool:
    first = head.lstrip().partition(b"\n")[0].lower()
    return all(name in first for name in (b"authorid", b"date", b"content"))


def _read(text: io.BufferedReader, source: str) -> Iterator[Conversation]:
    name = PurePath(source).stem
    yield Conversation(name, _entries(text, source, name))


def _entries(text: io.BufferedReader, source: str, name: str) -> Iterator[Entry]:
    calendar = _calendar(text.peek(HEAD).decode(errors="ignore"))
    sent_at = START
    rows = _rows((line.decode() for line in lines(text, source)), source)
    for position, row in enumerate(rows):
        sent_at = _moment(row["date"], calendar) or sent_at
        written, quoted = unquote(row["content"])
        files = [media.word(address) for address in row["attachments"].split(",") if address.strip()]
        yield Entry(
            Message(
                id=str(position),
                space=name,
                channel=name,
                author=Account(PLATFORM, row["authorid"] or row["author"] or DELETED[0]),
                text=media.append(written, files),
                sent_at=sent_at,
                quoted=quoted,
            ),
            row["author"] or row["authorid"] or DELETED[1],
        )


def _rows(text: Iterable[str], source: str) -> Iterator[dict[str, str]]:
    """Yield the columns of each message; InputError for a row that ends early."""
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(text, strict=True)
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        missing = [column for column in ("authorid", "content") if column not in header]
        if missing:
            raise InputError(f"{source}, line 1: not a Discord export: no column {missing[0]}")
        for row in reader:
            if not row:
                continue
            if len(row) < len(header):
                raise InputError(f"{source}, line {reader.line_num}: the row ends early")
            cells = dict(zip(header, row, strict=False))
            yield {column: cells.get(column, "") for column in _COLUMNS}
    except csv.Error as error:
        raise InputError(f"{source}, line {reader.line_num}: {error}") from None


def _calendar(head: str) -> Calendar:
    """Take the order of day and month from the head; capital AM and PM are American."""
    calendar = Calendar(month_first=re.search(r"/.{,20}\d [AP]M\b", head) is not None)
    with suppress(InputError):
        for row in _rows(io.StringIO(head, newline="\n"), ""):
            if stamp := _STAMP.fullmatch(row["date"].strip()):
                calendar.learn(stamp)
    return calendar


def _moment(date: str, calendar: Calendar) -> datetime | None:
    stamp = _STAMP.fullmatch(date.strip())
    return from_iso(date.strip()) or (calendar.moment(stamp) if stamp else None)


FORMAT = Format(PLATFORM, CALLED, _recognises, _read)
