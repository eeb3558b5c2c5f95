"""Finds where numbers stand in an array, many at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_SLOTS = 6  # at least, for each number

Numbers = npt.NDArray[np.uint64]


class Places:
    """The places of numbers, all different, in an array; `nowhere`, one past the last, is that of any other.

    A table has in each slot the place of one number that belongs there. Those that find their slot taken are in the
    next table, which is smaller.
    """

    def __init__(self, numbers: Numbers) -> None:
        self.nowhere = len(numbers)
        self._numbers = np.append(numbers, np.uint64(0))
        self._tables: list[npt.NDArray[np.int32]] = []
        left = np.arange(len(numbers), dtype=np.int32)
        while len(left) or not self._tables:
            table = np.full(1 << (_SLOTS * len(left)).bit_length(), self.nowhere, dtype=np.int32)
            slots = _slots(numbers[left], len(self._tables), table)
            table[slots] = left
            self._tables.append(table)
            left = left[table[slots] != left]

    def __call__(self, asked: Numbers) -> npt.NDArray[np.int32]:
        """Return the place of each number."""
        table, *others = self._tables
        places: npt.NDArray[np.int32] = table[_slots(asked, 0, table)]
        missed = np.flatnonzero(self._numbers[places] != asked)
        for level, table in enumerate(others, 1):
            missed = missed[places[missed] != self.nowhere]  # where a slot is free, nothing stands in a later table
            if not len(missed):
                return places
            places[missed] = table[_slots(asked[missed], level, table)]
            missed = missed[self._numbers[places[missed]] != asked[missed]]
        places[missed] = self.nowhere
        return places


def _slots(numbers: Numbers, level: int, table: npt.NDArray[np.int32]) -> Numbers:
    """Return the slot of each number in a table of a power of two; other ones at each level."""
    spread = np.uint64(0x9E3779B97F4A7C15 + 2 * level * 0x632BE59BD9B4E019 & (1 << 64) - 1)
    return numbers * spread >> np.uint64(65 - len(table).bit_length())
