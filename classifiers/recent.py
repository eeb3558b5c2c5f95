"""What was worked out of late, by what it was worked out from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

LONGEST_REMEMBERED = 24
"""Characters of a word: nobody is to fill the memory."""

_T = TypeVar("_T")


class Recent(dict[str, _T]):
    """A cache: `recent[word]` works out what is not known; of more than `most` words the oldest are let go.

    Long words are worked out each time.
    """

    def __init__(self, work_out: Callable[[str], _T], most: int) -> None:
        super().__init__()
        self._work_out = work_out
        self._most = most
        self._order: deque[str] = deque()

    def __missing__(self, word: str) -> _T:
        found = self._work_out(word)
        if len(word) <= LONGEST_REMEMBERED:
            self[word] = found
            self._order.append(word)
            if len(self._order) > self._most:
                self.pop(self._order.popleft(), None)  # it stands there twice where two threads worked it out
        return found
