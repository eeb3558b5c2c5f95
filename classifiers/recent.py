"""What was worked out of late, by what it was worked out from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class Recent(dict[str, _T]):
    """A cache: `recent[text]` works out what is not known; at least the `most` / 2 that were used last stay.

    It holds up to `most` texts of up to `longest` characters; what is longer is worked out each time, so that nobody
    fills the memory.
    """

    def __init__(self, work_out: Callable[[str], _T], most: int, longest: int) -> None:
        super().__init__()
        self._work_out = work_out
        self._half = most // 2
        self._longest = longest
        self._older: dict[str, _T] = {}

    def __missing__(self, text: str) -> _T:
        older = self._older  # which another thread may replace
        if text in older:
            found = older[text]
        else:
            found = self._work_out(text)
            if len(text) > self._longest:
                return found
        if len(self) >= self._half:
            self._older = dict(self)
            self.clear()
        self[text] = found
        return found
