"""The words of a text, quickly: most of what stands between spaces in chat was read before, and is remembered."""

from __future__ import annotations

import re
from operator import eq

from classifiers.confusables import REVERSED
from classifiers.normalise import LONE, SIGN, UNSETTLED, WORDS, settled, tokens
from classifiers.recent import Recent

_MOST = 32_000
_LONGEST_TEXT = 1_000
_SPACED = re.compile(f"{LONE}{SIGN}*{LONE}{SIGN}*{LONE}")
_PLAIN = re.compile(r"""([("]?)([a-z]{2,})(?:(['’/-])([a-z]{2,}))?([,.?!:;)"]{0,2})""", re.IGNORECASE | re.ASCII)
_STRETCHED = re.compile(r"(.)\1\1", re.IGNORECASE)
_NOT_PLAIN = frozenset(REVERSED.split())


def words(text: str) -> list[str]:
    """Return the words and signs of a text in normal form, the same as `normalise.tokens`."""
    found: list[str] = []
    kinds = ""
    for piece in map(_read.__getitem__, text.split()):
        if piece > " ":
            found.append(piece)
            kinds += WORDS
        else:
            found += piece[1:].split()
            kinds += piece[0]
    if UNSETTLED in kinds or len(text) > _LONGEST_TEXT or (kinds.count(LONE) > 2 and _SPACED.search(kinds)):
        return tokens(text)
    if True in map(eq, found, found[1:]) and any(map(_alike, found, found[1:], found[2:])):
        return tokens(text)
    return found


def _alike(first: str, second: str, third: str) -> bool:
    return first == second == third


def _settled(part: str) -> str:
    """Return what `settled` says; most words need none of its rules."""
    match = _PLAIN.fullmatch(part)
    if match is None or _STRETCHED.search(part):
        return settled(part)
    before, word, sign, second, after = match.groups(default="")
    word, second = word.lower(), second.lower()
    if not _NOT_PLAIN.isdisjoint((word, second)):
        return settled(part)
    if not (before or sign or after):
        return word
    return WORDS + " ".join((*before, word, sign, second, *after) if sign else (*before, word, *after))


_read = Recent(_settled, _MOST)
