"""Bytes of a fuzzer as texts, numbers and choices: any bytes will do, and nearby bytes give nearby values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Choice = TypeVar("Choice")


class Taps:
    """Draws values from bytes until they run dry; then all is empty, zero and the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def number(self, most: int) -> int:
        """Return a number from 0 to `most`."""
        size = max(1, (most.bit_length() + 7) // 8)
        taken, self._data = self._data[:size], self._data[size:]
        return int.from_bytes(taken, "little") % (most + 1)

    def choice(self, of: Sequence[Choice]) -> Choice:
        """Return one of some."""
        return of[self.number(len(of) - 1)]

    def sometimes(self) -> bool:
        """Return yes or no."""
        return self.number(255) > 170

    def text(self, most: int = 4000) -> str:
        """Return a text: what is left up to a 0xFF, which stands in no UTF-8; halves of pairs may be in it."""
        taken, _, self._data = self._data.partition(b"\xff")
        return taken.decode("utf-8", "surrogatepass" if _paired(taken) else "replace")[:most]

    def rest(self) -> bytes:
        """Return what is left."""
        return self._data


def _paired(taken: bytes) -> bool:
    try:
        taken.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True
