"""Telegram's HTML, read as its server reads it: the words, and what it would make of them by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

# What Telegram finds in plain text: mentions, tags, commands, addresses with or without a scheme, mail, and numbers
# to call or to pay with.
_FOUND = re.compile(
    r"""
    (?P<mention>@\w)
  | (?P<tag>[\#$]\w)
  | (?P<command>/\w)
  | (?P<number>\d(?:[ ().-]{0,2}\d){6})
  | (?P<address>\w\.\w|:/|:\w*//)
  | (?P<break>[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])
    """,
    re.VERBOSE,
)


@dataclass
class Shown:
    """What a reader sees: the words, those of them in bold, whether they are covered, and what else is alive."""

    words: str = ""
    bold: list[str] = field(default_factory=list)
    covered: bool = False
    alive: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shown = Shown()
        self._open: list[str] = []
        self._begun = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("b", "tg-spoiler") or attrs or tag in self._open:
            self.shown.alive.append(f"tag: {tag}")
        self.shown.covered |= tag == "tg-spoiler" and not self.shown.words
        self._begun = len(self.shown.words)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.shown.alive.append(f"end of {tag}")
        if tag == "b":
            self.shown.bold.append(self.shown.words[self._begun :])

    def handle_data(self, data: str) -> None:
        self.shown.words += data

    def handle_comment(self, data: str) -> None:
        self.shown.alive.append(f"comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.shown.alive.append(f"declaration: {decl!r}")

    def handle_pi(self, data: str) -> None:
        self.shown.alive.append(f"instruction: {data!r}")

    def unknown_decl(self, data: str) -> None:
        self.shown.alive.append(f"section: {data!r}")

    def close(self) -> None:
        super().close()
        self.shown.alive += [f"never closed: {tag}" for tag in self._open]


def read(html: str) -> Shown:
    """Read one line of HTML, in which covering and bold type are Haven's own."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    shown = reader.shown
    shown.alive += [f"{found.lastgroup}: {found[0]!r}" for found in _FOUND.finditer(shown.words)]
    return shown
