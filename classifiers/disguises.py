"""Ways in which people hide words from readers of plain text, to measure what each costs."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import replace

from classifiers.corpus import Labelled

_WORD = re.compile(r"(?<![\w@#/])[^\W\d_]{3,}(?![\w/])")
_LEET = str.maketrans("oieasOIEAS", "0134501345")
_CYRILLIC = str.maketrans("aeopcyxABEKMHOPCTX", "аеорсухАВЕКМНОРСТХ")
_STROKES = "\u0336\u0335\u0337\u0338"


def _fonts(word: str) -> str:
    def bold(letter: str) -> str:
        if "a" <= letter <= "z":
            return chr(0x1D5EE + ord(letter) - ord("a"))
        return chr(0x1D5D4 + ord(letter) - ord("A")) if "A" <= letter <= "Z" else letter

    return "".join(map(bold, word))


DISGUISES: dict[str, Callable[[str], str]] = {
    "leetspeak": lambda word: word.translate(_LEET),
    "look-alike letters": lambda word: word.translate(_CYRILLIC),
    "zero-width characters": "\u200b".join,
    "spaced letters": " ".join,
    "dotted letters": ".".join,
    "fonts": _fonts,
    "piled marks": lambda word: "".join(letter + _STROKES[at % 4] for at, letter in enumerate(word)),
    "markdown": lambda word: f"{word[0]}**{word[1:]}**",
    "capitals": str.upper,
    "stretched letters": lambda word: word[:-1] + word[-1] * 5,
    "URL-encoding": lambda word: "".join(f"%{byte:02x}" for byte in word.encode()),
}
"""Each takes one word of at least three letters."""


def disguised(labelled: Labelled, disguise: str) -> Labelled:
    """Return the conversation with about every second word of every speaker disguised, always the same ones."""
    change = DISGUISES[disguise]

    def every_second(match: re.Match[str]) -> str:
        word = match[0]
        return change(word) if zlib.crc32(word.lower().encode()) % 2 else word

    return replace(
        labelled,
        messages=tuple(replace(message, text=_WORD.sub(every_second, message.text)) for message in labelled.messages),
    )
