"""JSON of any size read value by value, in the order of the file."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import ijson

from classifiers.errors import InputError

_CHUNK = 1 << 16
_SLICE = 1 << 10  # what an error's position is exact to
_DEEPEST = 256

_STARTS = frozenset({"start_map", "start_array"})
_ENDS = frozenset({"end_map", "end_array"})
_OVER = ("over", None)

# An escaped backslash and a proper surrogate pair are kept, any other surrogate is not text.
_SURROGATE = re.compile(rb"(\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|\\u[dD][89a-fA-F]..", re.DOTALL)

# What ijson's parsers, of which one is in C and one in Python, let through besides their own error.
_BROKEN = (ijson.JSONError, ValueError, RecursionError, StopIteration)


class Cursor:
    """A place in a JSON text: each method reads what comes next; InputError where the text is broken.

    `members` and `items` step through a container while its values are read; what is left unread when
    they go on is skipped, and they end early when the cursor has left their container.
    """

    def __init__(self, text: io.BufferedIOBase, source: str) -> None:
        self._events = _events(text, source)
        self._source = source
        self._ahead: tuple[str, Any] | None = None
        self._open: list[object] = []
        self._taken = 0

    def members(self) -> Iterator[str]:
        """Yield the keys of the object that comes next, none if it is no object."""
        return self._children("start_map")

    def items(self) -> Iterator[None]:
        """Yield once before each item of the list that comes next, never if it is no list."""
        return self._children("start_array")

    def value(self) -> Any:
        """Return the value that comes next."""
        event, value = self._take()
        if event not in _STARTS:
            return value
        root: Any = {} if event == "start_map" else []
        parents = [root]
        key = ""
        for event, value in self._events:
            if event == "map_key":
                key = value
                continue
            if event in _ENDS:
                parents.pop()
                if not parents:
                    break
                continue
            starts = event in _STARTS
            if starts:
                value = {} if event == "start_map" else []
            if isinstance(parents[-1], list):
                parents[-1].append(value)
            else:
                parents[-1][key] = value
            if starts:
                self._check_depth(len(parents))
                parents.append(value)
        self._open.pop()
        return root

    def _children(self, start: str) -> Iterator[Any]:
        if self._peek() != start:
            return
        self._take()
        depth, container = len(self._open), self._open[-1]
        while self._peek() not in _ENDS and self._peek() != "over":
            key = self._take()[1] if start == "start_map" else None
            taken = self._taken
            yield key
            if len(self._open) < depth or self._open[depth - 1] is not container:
                return
            if self._taken == taken:
                self._take()
            while len(self._open) > depth:
                self._take()
        self._take()
        if not self._open:
            self._peek()

    def _peek(self) -> str:
        if self._ahead is None:
            self._ahead = next(self._events, _OVER)
        return self._ahead[0]

    def _take(self) -> tuple[str, Any]:
        event = self._ahead or next(self._events, _OVER)
        self._ahead = None
        self._taken += 1
        if event[0] in _STARTS:
            self._check_depth(len(self._open))
            self._open.append(object())
        elif event[0] in _ENDS:
            self._open.pop()
        elif event is _OVER:
            self._open.clear()
        return event

    def _check_depth(self, depth: int) -> None:
        if depth == _DEEPEST:
            raise InputError(f"{self._source}: nested deeper than any chat export")


def outline(head: bytes) -> set[str]:
    """Return the keys of the object that the head of a file begins with.

    The keys of its messages come as "messages.key", its type as "type=value".
    """
    keys: set[str] = set()
    cursor = Cursor(io.BytesIO(head), "")
    with suppress(InputError):
        for key in cursor.members():
            keys.add(key)
            if key == "type":
                keys.add(f"type={cursor.value()}")
            elif key == "messages":
                for _ in cursor.items():
                    keys.update(f"messages.{inner}" for inner in cursor.members())
    return keys


def mend(data: bytes) -> bytes:
    """Replace escaped surrogates that have no partner by U+FFFD, so that every string can be written."""
    if b"\\ud" not in data and b"\\uD" not in data:
        return data
    return _SURROGATE.sub(lambda found: found[1] or rb"\ufffd", data)


def _events(text: io.BufferedIOBase, source: str) -> Iterator[tuple[str, Any]]:
    events = ijson.sendable_list()
    # Without `use_float`, ijson's C parser crashes the interpreter on an integer of 5,000 digits.
    parser = ijson.basic_parse_coro(events, use_float=True)
    position, size, ended = 0, _SLICE, False
    try:
        for chunk in _mended(text):
            start = 0
            while part := chunk[start : start + size]:
                parser.send(part)
                # The parser reads an unfinished string again with every part, so its parts grow.
                size = _SLICE if events else 2 * size
                yield from events
                events.clear()
                start += len(part)
                position += len(part)
        ended = True
        parser.close()
    except _BROKEN:
        yield from events
        what = "ends in the middle, at" if ended else "not JSON near"
        raise InputError(f"{source}: {what} byte {position:,}") from None
    finally:
        with suppress(*_BROKEN):
            parser.close()


def _mended(text: io.BufferedIOBase) -> Iterator[bytes]:
    # Chunks end where no escape is being written.
    rest = b""
    while chunk := text.read1(_CHUNK):
        data = rest + chunk
        cut = max(data.rfind(end) for end in (b",", b":", b" ", b"\n")) + 1 or len(data)
        yield mend(data[:cut])
        rest = data[cut:]
    yield mend(rest)
