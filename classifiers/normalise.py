"""Undo what hides words from a reader of plain text: look-alikes, invisible characters, spacing, leetspeak, markup.

Each step is a rule of one pattern, so that `spans` can follow the very steps that `tokens` takes. What is not undone,
because ordinary writing looks the same: letters with accents or strokes, I for l, ! for i, and most words backwards.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote

from classifiers.confusables import (
    ARMENIAN,
    CHEROKEE,
    CYRILLIC,
    DRAWN,
    DRAWN_LETTERS,
    FLAG,
    FROM_INDICATORS,
    GREEK,
    INDICATORS,
    INVISIBLE,
    PILED,
    REVERSED,
    SAME,
    SIGNS,
    STRUCK,
)
from classifiers.conversation import LONGEST

# The marks of Hebrew, Hindi, Thai and the like are parts of words.
_MARKS = "".join(chr(code) for code in range(0x0590, 0x1A7F) if unicodedata.category(chr(code))[0] == "M")
_TOKEN = re.compile(rf"[\w{_MARKS}]+|[^\w\s]")


class _Rule(NamedTuple):
    """What is looked for, and what stands in its place."""

    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


def normalise(text: str) -> str:
    """Return the text in lower case with disguises undone and every digit as 0; real Cyrillic and Greek stay.

    Only the first 4,000 characters are read.
    """
    return _undo(text, lambda rule, text: rule.pattern.sub(rule.replacement, text), _compose)


def tokens(text: str) -> list[str]:
    """Return the words and signs of a text in normal form; `words.words` does the same, and quicker."""
    return _TOKEN.findall(normalise(text))


def spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end in the text of what each of its `tokens` was read from."""
    trail = _Trail(text)
    plain = _undo(text, trail.sub, trail.compose)
    return [trail.span(*match.span()) for match in _TOKEN.finditer(plain)]


def _undo(text: str, sub: Callable[[_Rule, str], str], compose: Callable[[str], str]) -> str:
    """Take all steps in order; the caller applies the rules and composes, and may keep a record of it."""
    text = text[:LONGEST]
    if "%" in text:
        text = sub(_ENCODED, text)
    if not text.isascii():
        text = sub(_DRAWN, text)
        text = sub(_INDICATED, text)
        text = compose(text)[:LONGEST]
        text = sub(_UNSEEN, text)
        text = sub(_PILED, text)
        if _FOREIGN.search(text):
            mixed = sub(_MIXED, text)
            unlike, rule = (_SURE, _ALONE) if mixed == text else (_UNLIKE, _LIKEWISE)
            text = sub(rule, mixed) if _is_latin(mixed, unlike) else mixed
        text = text.replace("İ", "i")  # the only letter that is longer in lower case
    text = text.lower()
    for rule in _RULES:
        before, text = text, sub(rule, text)
        if rule is _LEETSPEAK and sum(map(str.__ne__, before, text)) >= _PLAINLY_LEET:
            text = sub(_LEETSPEAK_AT_EDGES, text)
    return text


def _compose(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


class _Trail:
    """Takes the steps and remembers which part of the original text each character came from."""

    def __init__(self, text: str) -> None:
        self._origins = [(i, i + 1) for i in range(min(len(text), LONGEST))]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the part of the original that these characters came from."""
        return self._origins[start][0], self._origins[end - 1][1]

    def sub(self, rule: _Rule, text: str) -> str:
        """Apply a rule."""
        origins: list[tuple[int, int]] = []
        done = 0

        def place(match: re.Match[str]) -> str:
            nonlocal done
            new = match.expand(rule.replacement) if isinstance(rule.replacement, str) else rule.replacement(match)
            start, end = match.span()
            origins.extend(self._origins[done:start])
            origins.extend(self.span(start + first, start + last) for first, last in _aligned(match[0], new))
            done = end
            return new

        changed = rule.pattern.sub(place, text)
        self._origins = origins + self._origins[done : len(text)]
        return changed

    def compose(self, text: str) -> str:
        """Compose each character with those after it that join it."""
        pieces: list[str] = []
        starts: list[int] = []
        for i, character in enumerate(text):
            if pieces and _joins(pieces[-1], character):
                pieces[-1] += character
            else:
                pieces.append(character)
                starts.append(i)
        parts = [self.span(*part) for part in pairwise([*starts, len(text)])]
        composed = [_compose(piece) for piece in pieces]
        self._origins = [part for piece, part in zip(composed, parts, strict=True) for _ in piece]
        return "".join(composed)


def _aligned(old: str, new: str) -> list[tuple[int, int]]:
    """Return the piece of the old text for each new character: with what was dropped after it, or else all of it."""
    if len(old) == len(new):
        return list(pairwise(range(len(old) + 1)))
    places: list[int] = []
    for character in new:
        places.append(old.find(character, places[-1] + 1 if places else 0))
        if places[-1] < 0:
            return [(0, len(old))] * len(new)
    return list(pairwise([*places, len(old)]))


def _joins(piece: str, character: str) -> bool:
    """Return whether a character composes with the piece before it or may change places with its marks."""
    if character.isascii():
        return False
    if unicodedata.combining(unicodedata.normalize("NFKD", character)[0]):
        return True
    return _compose(piece + character) != _compose(piece) + _compose(character)


# URL-encoding, a character at a time: "%73%65" and "s%65nd", but not "100%25", Turkish "%50" or what is in a link.
_CODE = "%[0-9a-f]{2}"
_ENCODED = _Rule(
    re.compile(
        rf"(?P<link>https?://\S+|www\.\S+)"
        rf"|(?:(?={_CODE}{_CODE})|(?<={_CODE})|(?<=[^\W\d_])(?=(?:{_CODE}[^\W\d_]|%20\w))|(?<=[\d.,!?])(?=%20[^\W\d_]))"
        rf"(?:%[c-f][0-9a-f](?:%[89ab][0-9a-f]){{1,3}}|{_CODE})",
        re.IGNORECASE,
    ),
    lambda match: match[0] if match["link"] else unquote(match[0], errors="ignore"),
)

# Letters drawn as signs, and rows of flags' letters that are no flags.
_FROM_SIGNS = str.maketrans(DRAWN)
_DRAWN = _Rule(re.compile(f"[{DRAWN_LETTERS}]+"), lambda match: match[0].translate(_FROM_SIGNS))
_FLAGS = re.compile(f"(?:{FLAG})+")
_INDICATED = _Rule(
    re.compile(f"[{INDICATORS[0]}-{INDICATORS[-1]}]+"),
    lambda match: match[0] if _FLAGS.fullmatch(match[0]) else match[0].translate(FROM_INDICATORS),
)

_UNSEEN = _Rule(re.compile(f"[{INVISIBLE}]+"), "")


# Zalgo takes a word's own accents with it; a lone mark is a stress mark, which leaves them.
_MARK = re.compile(f"[{PILED}]")
_ZALGO = re.compile(f"[{PILED}]{{2}}|[{STRUCK}]")


def _bare(match: re.Match[str]) -> str:
    word = match[0]
    return _compose(_MARK.sub("", unicodedata.normalize("NFD", word) if _ZALGO.search(word) else word))


_PILED = _Rule(re.compile(rf"(?<![\w{PILED}])\w*+[{PILED}][\w{PILED}]*+"), _bare)

# Words of several scripts become Latin when each of their letters has a Latin twin; so does, in a text that is Latin
# otherwise, a word of nothing but twins. A Latin word with a Russian ending ("smsка") needs such a text as well.
_LETTERS = "\u0370-\u058f\u13a0-\u13ff\uab70-\uabbf"
_FOREIGN = re.compile(f"[{_LETTERS}]+")
_PLAIN = re.compile("[a-zA-Z]+")
_LATIN = "a-zA-Z" + "".join(SIGNS)
_SCRIPTS = [_LATIN, *("".join(twins) for twins in (CYRILLIC, GREEK, ARMENIAN, CHEROKEE))]
_TWINS, _SAMES = "".join(_SCRIPTS[1:]), "".join(SAME)
_TO_LATIN = str.maketrans(CYRILLIC | GREEK | ARMENIAN | CHEROKEE | SIGNS)
_START, _END = rf"(?<![\w{''.join(SIGNS)}])", rf"(?![\w{''.join(SIGNS)}])"
_ONE_SCRIPT = "|".join(f"[{script}0-9_]++" for script in _SCRIPTS)
_INFLECTED = f"[a-zA-Z]{{2,}}+[{_SCRIPTS[1]}]++"


def _twin_rule(pattern: str) -> _Rule:
    return _Rule(re.compile(f"{_START}{pattern}{_END}"), lambda match: match[0].translate(_TO_LATIN))


_MIXED = _twin_rule(f"(?!(?:{_ONE_SCRIPT}|{_INFLECTED}){_END})[{_LATIN}{_TWINS}0-9_]++")
_ALONE = _twin_rule(f"(?:{_INFLECTED}|(?=[0-9_]*[{_SAMES}])[{_SAMES}0-9_]++)")
_SURE = re.compile(rf"{_START}[{_SAMES}0-9_]*+[{_LETTERS}][{_LETTERS}0-9_]*+{_END}")
# Where words were mixed, the rest need not look just like Latin.
_LIKEWISE = _twin_rule(f"(?:{_INFLECTED}|(?=[0-9_]*[{_TWINS}])[{_TWINS}0-9_]++)")
_UNLIKE = re.compile(f"(?![{_TWINS}])[{_LETTERS}]")


def _is_latin(text: str, unlike: re.Pattern[str]) -> bool:
    """Return whether nothing in the text is unlike Latin and no more words are in other scripts."""
    return not unlike.search(text) and len(_PLAIN.findall(text)) >= len(_FOREIGN.findall(text))


_LINK = _Rule(re.compile(r"https?://\S+|www\.\S+"), " link ")

# Network addresses and the like, whose many numbers would look like sums of money.
_ADDRESS = _Rule(
    re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{2,4}(?::[0-9a-f]{2,4}){3,})(?![\w.:]\w)"), " address "
)

# Markup of chats, but not one sign between digits, as in "2*3" and "5|6", or one low line inside "a_name".
_QUOTED = _Rule(re.compile(r"^(?:>|>>>|#{1,3}|-#) ", re.MULTILINE), "")
_MARKUP = _Rule(re.compile(r"[*~|`_]++(?<!\d[*~|`](?=\d))(?<![^\W_]_(?=[^\W_]))"), "")

# Three letters with gaps between them, wider gaps being those between words; or three with one sign between them, which
# are an abbreviation when that sign ends them. Scripts that are written without gaps are left.
_LETTER = r"[^\W\d_\u0900-\u109f\u1780-\u17ff\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
_SIGN = r"[.·•‧∙_/\u2010-\u2015-]"
_SINGLE = rf"{_LETTER}(?![^\W_]|(?:{_SIGN}|['’])[^\W_])"
_GAP = rf"(?:\s{_SIGN}\s|\s{{1,5}})"
_GAPS = re.compile(_GAP)


def _closed(match: re.Match[str]) -> str:
    gaps = _GAPS.findall(match[0])
    signs = 2 * sum(map(str.isspace, gaps)) < len(gaps)
    widths = {gap: (gap.isspace() is signs, "\n" in gap, len(gap)) for gap in gaps}
    narrowest = min(widths.values())
    return _GAPS.sub(lambda gap: "" if widths[gap[0]] == narrowest else gap[0], match[0])


_SPACED = _Rule(
    re.compile(rf"(?<![^\W_])(?<!['’]){_LETTER}(?=\s)(?:{_GAP}(?:{_SINGLE}|[013457@$](?={_GAP}{_SINGLE}))){{2,}}+"),
    _closed,
)
_NEXT = rf"(?P=sign){_LETTER}(?![^\W_])"
_DOTTED = _Rule(
    re.compile(
        rf"(?<![^\W_])(?<![^\W_]{_SIGN})(?<![@/]){_LETTER}(?P<sign>{_SIGN}){_LETTER}"
        rf"{_NEXT}(?:(?:{_NEXT})++(?!(?P=sign)[^\W_])|(?!(?P=sign)))(?!@)"
    ),
    lambda match: match[0].replace(match["sign"], ""),
)

# Leetspeak: digits and signs between letters, and the 0 of "vide0" and "0nly".
_HONEST = "|".join(
    (
        r"(?:\d+(?:hr?s?|m|mins?|s|secs?|d|w|y|x|v|on|ft|k|[ap]m?))+\d*",  # 1h30m, 3v3
        r"([a-z])4\1|[mfw]4[mfwa]",  # f4f, m4w
        r"(?:mp|ps|iphone|ipad|note|win)\d\w*",  # mp3s, iphone5s
        r"s\d+e\d+|h\dn\d|c3p[o0]",  # s01e05, h1n1
        r"bc1q|[a-z]{1,2}(?!34|41|(\d)\2)\d\d[a-z]?",  # s10e
        r"0x[0-9a-f]+",
        r"[a-z]*a[37][a-z0-9]*|[a-z35]*7[a-z357]*",  # Arabic in Latin letters: ya3ni, mar7aba
        r"(?!inst@)[a-z0-9]*[aeiou013][a-z0-9]*@[a-z0-9]*[aeiou013][a-z0-9]*",  # sam@home
    )
)
_LEET = str.maketrans("03457@$€£", "oeastasel")
_ELL = re.compile(
    "11|1(?=y)|(?<![a-z])1(?=[aeou])|(?<=[aeiou])1(?=[aeiouk])|(?<=[bcfgps])1(?=[aeou])|(?<=[eiou])1(?=l)|(?<=o)1(?=d)"
)


def _spelled(match: re.Match[str]) -> str:
    word = match[0].translate(_LEET)
    return _ELL.sub(lambda ones: "l" * len(ones[0]), word).replace("1", "i")


_LEETSPEAK = _Rule(
    re.compile(
        rf"(?<![\w@#$/])(?<!\w\.)(?=2?[a-z]*+[013457@$€£])(?=[a-z0-9])(?![a-z0-9]{{25}})(?!(?:{_HONEST})(?![\w@]))"
        r"(?:[0-57]{0,2}[a-z]++(?:(?:0{3,}+|[013457@$€£]{1,2})[a-z]++)++[013457$]{0,2}|(?:[a-z]{2,}+|[dgnst])0"
        r"|0(?:nly|ne|ver|ther|ur|ut|ff|ld|r|pen|kay))(?![\w@]|[./]\w)"
    ),
    _spelled,
)

# Where several letters were spelled so, digits at the edges of a word are letters too, but not in "42nd" or "10am".
_PLAINLY_LEET = 2
_LEETSPEAK_AT_EDGES = _Rule(
    re.compile(
        r"(?<![\w@#$/.])(?=[a-z]*[0-57])(?=[0-57]*[a-z])(?!\d*(?:1st|2nd|3rd|\d(?:th|[ap]m|mins?|hrs?|[hkmx]|km|kg|[gm]b|usd|eur))\b)"
        r"(?!\w{25})[a-z0-57@$]{2,}+(?![\w@])"
    ),
    _spelled,
)

_BACKWARDS = _Rule(re.compile(rf"\b(?:{REVERSED.replace(' ', '|')})\b"), lambda match: match[0][::-1])
_STRETCHED = _Rule(re.compile(r"([^\W\d_])\1{2,}"), r"\1")
_REPEATED_SIGN = _Rule(re.compile(r"([^\w\s])\1{2,}"), r"\1\1")
_REPEATED_WORD = _Rule(re.compile(r"\b(\w++)(?:\s++\1\b){2,}+"), r"\1 \1")
_DIGITS = _Rule(re.compile(r"\d"), "0")

_RULES = (
    _LINK,
    _ADDRESS,
    _QUOTED,
    _MARKUP,
    _SPACED,
    _DOTTED,
    _LEETSPEAK,
    _BACKWARDS,
    _STRETCHED,
    _REPEATED_SIGN,
    _REPEATED_WORD,
    _DIGITS,
)


# What reads the same whatever stands around it, see `words.py`: nothing here joins, hides or turns its neighbours.
_SETTLED = re.compile(r"[!-~\u00c0-\u012f\u0132-\u024f‘’“”…\u2600-\u27bf\ufe0f\U0001f300-\U0001faff]+")
_UNSETTLED = re.compile(rf"(?:>|>>>|#{{1,3}}|-#)$|.*{_CODE}", re.IGNORECASE)
_LOOSE = re.compile(rf"(?!{_LETTER}['’][^\W_]){_LETTER}(?![^\W_])|.*(?<![^\W_])(?<!['’]){_LETTER}$|[013457@$]$")


UNSETTLED, LONE, SIGN, WORDS = "\0", "\1", "\2", "\3"
"""How a piece begins that is not one word: it reads otherwise beside others, is a letter alone, has none, or has some.

A piece is what stands between spaces in a text: a word in normal form, or one of these and words with spaces between.
It is a string, because the garbage collector looks through tuples again and again.
"""


def settled(text: str) -> str:
    """Return as which piece a text without spaces reads wherever it stands, if it does.

    Letters alone are joined with others that are alone, with signs between them or without; and of a word that comes
    three times or more without anything between them two remain. Everything else is the same as in any longer text.
    """
    if not _SETTLED.fullmatch(text):
        return UNSETTLED
    plain = (text if text.isascii() else _UNSEEN.pattern.sub("", _compose(text))).lower()
    if _UNSETTLED.match(plain):
        return UNSETTLED
    kind = WORDS
    for rule in _RULES:
        changed = rule.pattern.sub(rule.replacement, plain)
        if changed != plain and (rule is _LEETSPEAK or rule is _ADDRESS or (rule is _LINK and changed[0] != " ")):
            return UNSETTLED  # leetspeak counts in the whole text
        plain = changed
        if rule is _MARKUP:
            kind = LONE if _LOOSE.match(plain) else WORDS if any(map(str.isalnum, plain)) else SIGN
    read = _TOKEN.findall(plain)
    return read[0] if kind == WORDS and len(read) == 1 else kind + " ".join(read)
