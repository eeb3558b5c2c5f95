"""Discord's Markdown, read as its clients read it: what in a text would be more than words."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPED = re.compile(r"\\([^0-9A-Za-z\s])")
_INLINE = re.compile(
    r"""
    (?P<code>`+)
  | (?P<masked>\[(?=[^\]]*\]\())
  | (?P<mention><(?:@[!&]?|\#|id:|t:|/|a?:|sound:))
  | (?P<address><?[a-z][a-z0-9+.-]*:(?=//))
  | (?P<spoiler>\|\|)
  | (?P<bold>\*\*)
  | (?P<underline>__)
  | (?P<strike>~~)
  | (?P<emphasis>[*_](?=\S))
  | (?P<emoji>:\w+:)
  | (?P<break>[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BLOCK = re.compile(r"(?P<quote>>{1,3}\ )|(?P<heading>\#{1,3}\ |-\#\ )|(?P<list>\s*(?:[-*]|\d+\.)\ )", re.VERBOSE)
# What the server looks for in the text itself, whatever stands around it.
_CALLS = re.compile(r"@(?:everyone|here)|<@[!&]?\d|discord(?:app)?\.(?:gg|com/invite)/", re.IGNORECASE)
_OWN = ("spoiler", "bold")


@dataclass(frozen=True)
class Shown:
    """What a reader sees: the words, those of them in bold, and what else is alive."""

    words: str
    bold: list[str]
    covered: bool
    alive: list[str]


def read(source: str) -> Shown:
    """Read one line of Markdown, in which covering and bold type are Haven's own."""
    words: list[str] = []
    pieces: list[str] = []  # of words, with a mark wherever type changes: no address reaches across
    bold: list[str] = []
    alive = [name for name, found in _matched(_BLOCK.match(source)) if found]
    covered = source.startswith("||") and source.endswith("||") and len(source) >= 4
    spoilers = inside = at = 0
    while at < len(source):
        if escaped := _ESCAPED.match(source, at):
            words.append(escaped[1])
            pieces.append(escaped[1])
            at = escaped.end()
            continue
        found = _INLINE.match(source, at)
        if found is None:
            words.append(source[at])
            pieces.append(source[at])
            at += 1
            continue
        pieces.append("\0")
        if found.lastgroup == "bold":
            inside = not inside
            if inside:
                begun = len(words)
            else:
                bold.append("".join(words[begun:]))
        elif found.lastgroup == "spoiler":
            spoilers += 1
        else:
            alive.append(f"{found.lastgroup}: {source[at : at + 20]!r}")
        at = found.end()
    text, apart = "".join(words), "".join(pieces)
    alive += [f"call: {call!r}" for call in _CALLS.findall(source) + _CALLS.findall(apart)]
    alive += [f"address: {text!r}"] if re.search(r"(?i)[a-z0-9]://", apart) else []
    if inside or spoilers != 2 * covered:
        alive.append("unbalanced")
    return Shown(text, bold, covered, alive)


def _matched(found: re.Match[str] | None) -> list[tuple[str, str | None]]:
    return list(found.groupdict().items()) if found else []
