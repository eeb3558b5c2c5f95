"""Undo what hides words from a reader of plain text: look-alikes, invisible characters, spacing, leetspeak, markup."""

from __future__ import annotations

import re
import unicodedata
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
        *range(0x064B, 0x0653),  # Arabic vowel signs and the stretching stroke, which readers do without
        0x0640,
        0xAD,
        0xFEFF,
    ]
)
_MARKUP = re.compile(r"[*~|`]{1,3}|(?<![^\W_])_{1,2}|_{1,2}(?![^\W_])")
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W\d_][ .·\-]){3,}[^\W\d_](?![^\W_])")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_REPEATED_SIGN = re.compile(r"([^\w\s])\1{2,}")
_REPEATED_WORD = re.compile(r"\b(\w+)(?:\s+\1\b){2,}")
_LINK = re.compile(r"https?://\S+|www\.\S+")
_ENCODED = re.compile(r"(?:%[0-9a-fA-F]{2}){2,}")
_DIGIT = re.compile(r"\d")
_PILED = re.compile(r"(\w?)[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")
# The marks of Hebrew, Hindi, Thai and the like are parts of words.
_MARKS = "".join(chr(code) for code in range(0x0590, 0x1A7F) if unicodedata.category(chr(code))[0] == "M")
_TOKEN = re.compile(rf"[\w{_MARKS}]+|[^\w\s]")
_DISGUISED = re.compile(r"[\w$]+(?:@(?!\w+\.\w)[\w$]+)*")


def normalise(text: str) -> str:
    """Return the text in lower case with disguises undone and every digit as 0; real Cyrillic and Greek stay.

    Only the first 4,000 characters are read.
    """
    text = text[:_MAX_CHARACTERS]
    if _ENCODED.search(text):
        text = unquote(text, errors="ignore")
    text = unicodedata.normalize("NFKC", text)[:_MAX_CHARACTERS].translate(_INVISIBLE)
    text = _LINK.sub(" link ", text).lower()
    text = _PILED.sub(lambda match: unicodedata.normalize("NFD", match[1])[:1], text)
    text = _MARKUP.sub("", text)
    text = _SPACED.sub(lambda match: re.sub(r"[ .·\-]", "", match[0]), text)
    text = _DISGUISED.sub(lambda match: _plain_token(match[0]), text)
    text = _REPEATED.sub(r"\1\1", text)
    text = _REPEATED_WORD.sub(r"\1 \1", _REPEATED_SIGN.sub(r"\1\1", text))
    return _DIGIT.sub("0", text)


def words(text: str) -> list[str]:
    """Return the words and signs of a text in normal form."""
    return _TOKEN.findall(normalise(text))


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
