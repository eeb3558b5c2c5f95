"""What was worked out of late, by what it was worked out from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import filterfalse
from typing import TypeVar

_LONGEST = 24  # characters of a word that is remembered: nobody is to fill the memory

_T = TypeVar("_T")


class Recent(dict[str, _T]):
    """A cache: `recent[word]` works out what is not known; of `most` words at least the half used last stay.

    `work_out` takes words and returns what belongs to each; `expect` saves calls of it. Long words are worked out each
    time.
    """

    def __init__(self, work_out: Callable[[Sequence[str]], Iterable[_T]], most: int) -> None:
        super().__init__()
        self._work_out = work_out
        self._half = most // 2
        self._older: dict[str, _T] = {}

    def expect(self, words: Iterable[str]) -> None:
        """Work out at once what is not known of words that are asked for next."""
        new = {*filterfalse(self.__contains__, words)}
        unknown = [word for word in new if word not in self._older and len(word) <= _LONGEST]
        if len(unknown) > 1:
            for word, found in zip(unknown, self._work_out(unknown), strict=True):
                self._keep(word, found)

    def __missing__(self, word: str) -> _T:
        older = self._older  # which another thread may replace
        if word in older:
            found = older[word]
        else:
            (found,) = self._work_out([word])
            if len(word) > _LONGEST:
                return found
        self._keep(word, found)
        return found

    def _keep(self, word: str, found: _T) -> None:
        if len(self) >= self._half:
            self._older = dict(self)
            self.clear()
        self[word] = found
