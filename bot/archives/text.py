"""The bytes of an export as UTF-8 text, refused with the place where they stop being text."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from classifiers.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD = 1 << 16
LONGEST_LINE = 1 << 28

_UNPACK = "archive: unpack it and give the file inside"
_LOOKS = (
    (b"PK\x03\x04", f"a zip {_UNPACK}"),
    (b"PK\x05\x06", f"a zip {_UNPACK}"),
    (b"\x1f\x8b", f"a gzip {_UNPACK}"),
    (b"7z\xbc\xaf", f"a 7z {_UNPACK}"),
    (b"Rar!", f"a rar {_UNPACK}"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"SQLite format 3", "an SQLite database"),
    (b"<!doctype html", "a web page: export again, as JSON"),
    (b"<html", "a web page: export again, as JSON"),
)


def open_text(stream: BinaryIO, source: str) -> io.BufferedReader:
    """Return the stream as UTF-8 without a byte order mark, whose `peek` shows the head.

    Reading raises InputError at the first byte that is not UTF-8 (or UTF-16 with a mark), after what
    comes before it.
    """
    return io.BufferedReader(_Chunks(_checked(stream, source)), HEAD)


def lines(text: io.BufferedReader, source: str) -> Iterator[bytes]:
    """Yield the lines with their ends; InputError for one that no memory should have to hold."""
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise InputError(f"{source}: a line is longer than {LONGEST_LINE >> 20} MiB")
        yield line


def unknown(source: str, why: str) -> InputError:
    """Return the error for a file that is no export, saying why."""
    return InputError(f"{source}: not a chat export that Haven knows ({why})")


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer).cast("B")
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        taken = self._rest[: len(room)]
        room[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


def _checked(stream: BinaryIO, source: str) -> Iterator[bytes]:
    chunks = _raw(stream, source)
    head = next(chunks, b"")
    beginning = head.lstrip()[:20].lower()
    for magic, looks in _LOOKS:
        if beginning.startswith(magic.lower()):
            raise unknown(source, f"it looks like {looks}")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        yield from _without_nul((decoder.decode(chunk).encode() for chunk in chain([head], chunks)), source)
    else:
        yield from _without_nul(_utf8(chain([head.removeprefix(codecs.BOM_UTF8)], chunks), source), source)


def _raw(stream: BinaryIO, source: str) -> Iterator[bytes]:
    try:
        head = b""
        while len(head) < HEAD and (chunk := stream.read(HEAD - len(head))):
            head += chunk
        yield head
        while chunk := stream.read(HEAD):
            yield chunk
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from None


def _utf8(chunks: Iterator[bytes], source: str) -> Iterator[bytes]:
    position, carried = 0, b""
    for chunk in chunks:
        data = carried + chunk
        end = len(data)
        try:
            data.decode()
        except UnicodeDecodeError as error:
            end = error.start
            if error.reason != "unexpected end of data":
                yield data[:end]
                raise _not_text(source, position + end, "not UTF-8 text") from None
        yield data[:end]
        position, carried = position + end, data[end:]
    if carried:
        raise InputError(f"{source}: ends in the middle of a character, at byte {position:,}")


def _without_nul(chunks: Iterator[bytes], source: str) -> Iterator[bytes]:
    position = 0
    for chunk in chunks:
        end = chunk.find(b"\0")
        if end >= 0:
            yield chunk[:end]
            raise _not_text(source, position + end, "zero, as in no text")
        yield chunk
        position += len(chunk)


def _not_text(source: str, position: int, what: str) -> InputError:
    what = f"byte {position:,} is {what}"
    return unknown(source, what) if position < HEAD else InputError(f"{source}: {what}")
