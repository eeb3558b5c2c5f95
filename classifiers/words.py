"""The words of a text, quickly: most of what stands between spaces in chat was read before, and is remembered."""

from __future__ import annotations

import re
from itertools import chain

from classifiers.confusables import REVERSED
from classifiers.normalise import Piece, settled, tokens
from classifiers.recent import Recent

_MOST = 32_000
_LONGEST_TEXT = 1_000
_SPACED = re.compile("sn*sn*s")
_PLAIN = re.compile(r"""([("]?)([a-z]{2,})(?:(['’/-])([a-z]{2,}))?([,.?!:;)"]{0,2})""", re.IGNORECASE | re.ASCII)
_STRETCHED = re.compile(r"(.)\1\1", re.IGNORECASE)
_NOT_PLAIN = frozenset([*REVERSED.split(), "www"])


def words(text: str) -> list[str]:
    """Return the words and signs of a text in normal form, the same as `normalise.tokens`."""
    pieces = [*map(_read.__getitem__, text.split())]
    if None in pieces or len(text) > _LONGEST_TEXT:
        return tokens(text)
    found = [*chain.from_iterable([piece.words for piece in pieces if piece])]
    flags = "".join([piece.flag for piece in pieces if piece])
    if flags.count("s") > 2 and _SPACED.search(flags):
        return tokens(text)
    if len({*found}) + 1 < len(found) and any(map(_alike, found, found[1:], found[2:])):
        return tokens(text)
    return found


def _alike(first: str, second: str, third: str) -> bool:
    return first == second == third


def _settled(part: str) -> Piece | None:
    """Return what `settled` says; most words need none of its rules."""
    match = _PLAIN.fullmatch(part)
    if match is None or _STRETCHED.search(part):
        return settled(part)
    before, word, sign, second, after = match.groups(default="")
    word, second = word.lower(), second.lower()
    if not _NOT_PLAIN.isdisjoint((word, second)):
        return settled(part)
    return Piece((*before, word, sign, second, *after) if sign else (*before, word, *after), "w")


_read = Recent(_settled, _MOST)
