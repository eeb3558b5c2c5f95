"""The terms a line of chat is counted by: words, pairs of words and pieces of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import overload

import numpy as np
import numpy.typing as npt

SHORTEST_PIECE, LONGEST_PIECE = 2, 5
PIECE = "~"
"""What a term that is a piece of a word begins with."""
START, END = "^", "$"
"""What stands in pairs before the first word of a line that continues none, and after the last."""
_LONGEST_KNOWN = 20
_LONG = 20


def terms(line: list[str], before: str = START) -> list[str]:
    """Return the terms of a line of words; `before` is the word it continues, so that split lines join."""
    found: list[str] = []
    for word in line:
        found.extend(_known(word) if len(word) <= _LONGEST_KNOWN else word_terms(word))
    found.extend(f"{first} {second}" for first, second in pairs_of(line, before))
    return found


def word_terms(word: str) -> tuple[str, ...]:
    """Return the word and its pieces of 2 to 5 characters, edges marked; pieces start with a tilde."""
    whole = edged(word)
    pieces = [word]
    for length in range(SHORTEST_PIECE, LONGEST_PIECE + 1):
        pieces += [f"{PIECE}{whole[start : start + length]}" for start in range(len(whole) - length + 1)]
    return tuple(pieces)


def edged(word: str) -> str:
    """Return a word with its edges marked."""
    return f"<{word}>"


def pairs_of(line: Sequence[str], before: str = START) -> Iterator[tuple[str, str]]:
    """Return the pairs of neighbours, one more than the words: first with `before`, last with the line's end."""
    return zip((before, *line), (*line, END), strict=True)


@overload
def weight(words: int) -> float: ...
@overload
def weight(words: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]: ...
def weight(words: int | npt.NDArray[np.intp]) -> float | npt.NDArray[np.float64]:
    """Return how much each term of a line of so many words counts: long lines say less per word."""
    return 1 / (1 + words / _LONG)


@lru_cache(maxsize=20_000)
def _known(word: str) -> tuple[str, ...]:
    """Remember the pieces of ordinary words; long ones would let senders fill the memory."""
    return word_terms(word)
