"""The log on standard error: one line a record, with nothing in it that anybody wrote, and no token.

What libraries log may hold addresses with tokens in them, and what was being read: of that only the unfilled pattern is
shown, and of an exception its type and where in Haven it passed.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from traceback import walk_tb
from typing import TextIO

import msgspec

from bot.config import LogSettings
from bot.platforms.console import visible

_OURS = ("bot", "classifiers")
_CLIENTS = ("discord", "telegram", "httpx", "aiohttp", "asyncio", "tornado")  # they say no more than warnings
_PLACEHOLDER = re.compile(r"%%|%(?:\(\w+\))?[-#0 +]*[\d.*]*[a-zA-Z]")
_PLATFORM = re.compile(r"bot\.platforms\.(\w+)_bot\b")


class _Entry(msgspec.Struct, omit_defaults=True):
    """One line of the JSON format."""

    time: str
    level: str
    logger: str
    message: str
    platform: str | None = None
    case: str | None = None
    error: str | None = None
    where: str | None = None


class TextLine(logging.Formatter):
    """`LEVEL logger: message (exception, where)`."""

    def format(self, record: logging.LogRecord) -> str:
        entry = _entry(record)
        fault = f" ({', '.join(filter(None, (entry.error, entry.where)))})" if entry.error else ""
        return f"{record.levelname} {entry.logger}: {entry.message}{fault}"


class JsonLine(logging.Formatter):
    """The same as a JSON object, with the time, and the case and the platform where they are known."""

    def format(self, record: logging.LogRecord) -> str:
        return msgspec.json.encode(_entry(record)).decode()


@contextmanager
def to_stderr(settings: LogSettings) -> Iterator[None]:
    """Log to standard error until the end of the block, what fails in threads and warnings too."""
    handler = logging.StreamHandler()
    handler.setFormatter({"text": TextLine, "json": JsonLine}[settings.format]())
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    for client in _CLIENTS:
        logging.getLogger(client).setLevel(max(logging.WARNING, logging.getLogger().level))
    before = logging.raiseExceptions, threading.excepthook, sys.unraisablehook, warnings.showwarning
    logging.raiseExceptions = False
    threading.excepthook = sys.unraisablehook = _failed_aside
    warnings.showwarning = _warned
    try:
        yield
    finally:
        logging.raiseExceptions, threading.excepthook, sys.unraisablehook, warnings.showwarning = before


def _failed_aside(fault: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    logging.getLogger(__name__).error("something failed aside", exc_info=fault.exc_value)


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    logging.getLogger(__name__).warning("%s in line %d of %s", category.__name__, lineno, filename)


def _entry(record: logging.LogRecord) -> _Entry:
    platform = _PLATFORM.match(record.name)
    error = record.exc_info[1] if record.exc_info else None
    return _Entry(
        time=datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        level=record.levelname.lower(),
        logger=record.name,
        message=_said(record),
        platform=platform[1] if platform else getattr(record, "platform", None),
        case=getattr(record, "case", None),
        error=type(error).__name__ if error else None,
        where=_place(error) if error else None,
    )


def _said(record: logging.LogRecord) -> str:
    if record.name.partition(".")[0] in _OURS:
        return visible(record.getMessage())
    pattern = next(iter(str(record.msg).splitlines()), "")
    return visible(_PLACEHOLDER.sub(lambda found: "%" if found[0] == "%%" else "…", pattern))


def _place(error: BaseException) -> str | None:
    """Return the last module of Haven that an exception passed, and the line there."""
    passed = [
        f"{name}:{line}"
        for frame, line in walk_tb(error.__traceback__)
        if (name := frame.f_globals.get("__name__", "")).partition(".")[0] in _OURS
    ]
    return passed[-1] if passed else None
