"""Scripts that offenders copy: a hash of lines that near-duplicates share, and other lines do not.

MinHash over the pieces of a normalised line, cut into bands: lines that share nine pieces of ten share a band almost
surely, lines that share half of them hardly ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import rensa

from classifiers.words import words

_BANDS, _ROWS = 16, 9
_PIECE = 5  # characters
_WORDS, _CHARACTERS = 10, 55  # different words; shorter lines are written by many people alike
_SEED = 1
_VERSION = rensa.RMinHash.ALGORITHM_VERSION


def bands(lines: Iterable[str]) -> frozenset[bytes]:
    """Return the bands of what somebody wrote: of each line of ten different words or more, else of all together."""
    written = [[word for word in words(line) if word[0].isalnum()] for line in dict.fromkeys(lines)]
    together = [word for line in written for word in line]
    long = [line for line in written if _is_long(line)] or [line for line in [together] if _is_long(line)]
    return frozenset(band for line in long for band in _bands(" ".join(line)))


def _is_long(line: list[str]) -> bool:
    return len({*line}) >= _WORDS and len(" ".join(line)) >= _CHARACTERS


def _bands(text: str) -> Iterator[bytes]:
    hashed = rensa.RMinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
    hashed.update(sorted({text[i : i + _PIECE] for i in range(len(text) - _PIECE + 1)}))
    digest = hashed.digest()
    for band in range(_BANDS):
        rows = digest[band * _ROWS : (band + 1) * _ROWS]
        yield b"%d %d " % (_VERSION, band) + b"".join(row.to_bytes(8, "big") for row in rows)
