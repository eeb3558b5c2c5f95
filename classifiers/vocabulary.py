"""The terms that a model knows, each with its row, in little memory."""

from __future__ import annotations

import re
import secrets
from array import array
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from classifiers.places import Numbers
from classifiers.terms import LONGEST_PIECE, PIECE, SHORTEST_PIECE, edged

NOTHING, UNKNOWN = 0, 1
"""Numbers that no word has: for what is not to be counted, and for any word without a number."""
_TERM = re.compile(rb"[^\n]+")
_SIZES = range(SHORTEST_PIECE, LONGEST_PIECE + 1)

_Places = npt.NDArray[np.intp]


class Vocabulary:
    """Rows by term; the terms, one a line, are numbered from 0. ValueError where one stands there twice, or none.

    `words` has the rows of words, `pairs` a row for each pair, in ascending order: the numbers of its words, which
    `paired` has, and its row. Pieces of words are looked up for many words at once, by 64 bits that are worked out from
    their characters with a multiplier drawn anew for each process, so that nobody can look for two that are the same.
    """

    def __init__(self, terms: str) -> None:
        self._terms = terms.encode("utf-8", "surrogatepass")
        self._count = sum(1 for _ in self)
        self._multiplier, self._start = np.frombuffer(secrets.token_bytes(16), dtype=np.uint64) | np.uint64(1)
        self.words: dict[str, int] = {}
        self.paired: dict[str, int] = {}
        pairs = array("i")
        rows = {size: array("i") for size in _SIZES}
        characters = {size: array("I") for size in _SIZES}
        for row, term in enumerate(self):
            first, space, second = term.partition(" ")
            if space:
                pairs.extend(self.paired.setdefault(word, len(self.paired) + UNKNOWN + 1) for word in (first, second))
                pairs.append(row)
            elif term[0] == PIECE and (size := len(term) - 1) in rows:
                rows[size].append(row)
                characters[size].extend(map(ord, term[1:]))
            else:
                self.words[term] = row
        found = np.array(pairs, dtype=np.int32).reshape(-1, 3)
        self.pairs = found[np.lexsort((found[:, 1], found[:, 0]))]
        numbers = np.concatenate(
            [
                self._numbered(np.array(codes, dtype=np.uint64))[size - SHORTEST_PIECE][::size]
                for size, codes in characters.items()
            ]
        )
        order = np.argsort(numbers)
        self._numbers = numbers[order]
        self._rows = np.concatenate([np.array(found, dtype=np.int32) for found in rows.values()])[order]
        twice = np.all(self.pairs[1:, :2] == self.pairs[:-1, :2], axis=1).sum()
        known = len(self.words) + len(self.pairs) - twice + len(np.unique(numbers))
        if not self._count or known < self._count:
            raise ValueError("there are no terms, or one stands there twice")

    def pieces(self, words: Sequence[str]) -> tuple[npt.NDArray[np.int32], _Places]:
        """Return the rows of the known pieces of words, and the place of the word of each, in ascending order."""
        whole = [edged(word) for word in words]
        sizes = np.fromiter(map(len, whole), dtype=np.intp, count=len(whole))
        owners = np.repeat(np.arange(len(words)), sizes)
        left = np.cumsum(sizes)[owners] - np.arange(len(owners))
        numbers = np.zeros((len(owners), len(_SIZES)), dtype=np.uint64)
        codes = np.frombuffer("".join(whole).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        for column, found in enumerate(self._numbered(codes.astype(np.uint64))):
            numbers[: len(found), column] = found
        asked = numbers[left[:, np.newaxis] >= np.array(_SIZES)]
        of_word = owners.repeat(np.minimum(np.maximum(left - _SIZES[0] + 1, 0), len(_SIZES)))
        if not len(self._numbers):
            return self._rows, of_word[:0]
        places = self._numbers[:-1].searchsorted(asked)
        known = self._numbers[places] == asked
        return self._rows[places[known]], of_word[known]

    def _numbered(self, codes: Numbers) -> list[Numbers]:
        """Return for each size of pieces the numbers of those that begin at each character."""
        numbers = codes + self._start
        found = []
        for size in range(2, LONGEST_PIECE + 1):
            numbers = numbers[:-1] * self._multiplier + codes[size - 1 :]
            if size >= SHORTEST_PIECE:
                found.append(numbers)
        return found

    def __iter__(self) -> Iterator[str]:
        return (match[0].decode("utf-8", "surrogatepass") for match in _TERM.finditer(self._terms))

    def __len__(self) -> int:
        return self._count
