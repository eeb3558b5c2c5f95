"""What was worked out of late, by what it was worked out from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

LONGEST_REMEMBERED = 24
"""Characters of a word: nobody is to fill the memory."""

_T = TypeVar("_T")


class Recent(dict[str, _T]):
    """A cache: `recent[word]` works out what is not known; of `most` words at least the half used last stay.

    Long words are worked out each time.
    """

    def __init__(self, work_out: Callable[[str], _T], most: int) -> None:
        super().__init__()
        self._work_out = work_out
        self._half = most // 2
        self._older: dict[str, _T] = {}

    def __missing__(self, word: str) -> _T:
        older = self._older  # which another thread may replace
        found = older[word] if word in older else self._work_out(word)
        if len(word) <= LONGEST_REMEMBERED:
            if len(self) >= self._half:
                self._older = dict(self)
                self.clear()
            self[word] = found
        return found
