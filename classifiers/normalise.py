"""Undo what hides words from a reader of plain text: look-alikes, invisible characters, spacing, leetspeak, markup."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote

_MAX_CHARACTERS = 4000
_LOOK_ALIKES = str.maketrans(
    "авеёкмнорстухіїјѕԁԛԝһɡαβεικνορτυχϲϳ",
    "abeekmhopctyxiijsdqwhgabeikvoptuxcj",
)
_LEET = str.maketrans("013457@$", "oieastas")
_INVISIBLE = dict.fromkeys(
    [
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2065),
        *range(0xFE00, 0xFE10),
        0xAD,
        0xFEFF,
    ]
)
_MARKUP = re.compile(r"[*~|`]{1,3}|(?<![^\W_])_{1,2}|_{1,2}(?![^\W_])")
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W\d_][ .·\-]){3,}[^\W\d_](?![^\W_])")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_LINK = re.compile(r"https?://\S+|www\.\S+")
_ENCODED = re.compile(r"(?:%[0-9a-fA-F]{2}){2,}")
_DIGIT = re.compile(r"\d")
_TOKEN = re.compile(r"\w+|[^\w\s]")


def normalise(text: str) -> str:
    """Return the text in lower case with disguises undone and every digit as 0; real Cyrillic and Greek stay.

    Only the first 4,000 characters are read.
    """
    text = text[:_MAX_CHARACTERS]
    if _ENCODED.search(text):
        text = unquote(text, errors="ignore")
    text = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
    text = _LINK.sub(" link ", text)
    text = _without_zalgo(text).lower()
    text = _MARKUP.sub("", text)
    text = _SPACED.sub(lambda match: re.sub(r"[ .·\-]", "", match[0]), text)
    text = _TOKEN.sub(lambda match: _plain_token(match[0]), text)
    text = _REPEATED.sub(r"\1\1", text)
    return _DIGIT.sub("0", text)


def words(text: str) -> list[str]:
    """Return the words and signs of a text in normal form."""
    return _TOKEN.findall(normalise(text))


@lru_cache(maxsize=20_000)
def _plain_token(token: str) -> str:
    """Fold the look-alikes of a token that mixes alphabets, and leetspeak between letters."""
    if token.isascii():
        if token.isalpha() or not any(character.isalpha() for character in token):
            return token
    elif any("a" <= character <= "z" for character in token):
        token = token.translate(_LOOK_ALIKES)
    if re.search(r"[a-z][0-9@$]+[a-z]", token):
        return token.translate(_LEET)
    return token


def _without_zalgo(text: str) -> str:
    """Drop combining marks piled on a letter, keeping the first, which may belong to the language."""
    if not any(unicodedata.combining(character) for character in text):
        return text
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= 1:
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))
