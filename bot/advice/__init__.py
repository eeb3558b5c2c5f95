"""What Haven says to people: pages from one TOML file per locale, with each number and link stated once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from msgspec import Meta, Struct, toml
from msgspec.structs import replace

from classifiers.assessment import CLEAR, Evidence, Kind, Marker
from classifiers.errors import InputError

LOCALES: tuple[str, ...] = ("en-GB",)
_REASONS = 4

_Link = Annotated[str, Meta(pattern="^https://")]


class Fact(Struct, frozen=True, forbid_unknown_fields=True):
    """A number or link, whose it is, who says so, when that was checked and whether it is first-hand.

    `hours` tells when a number is answered; `url` is the website beside a number.
    """

    value: str
    label: str
    source: str
    checked_on: date
    verified: bool
    hours: str | None = None
    url: _Link | None = None

    def __str__(self) -> str:
        return f"{self.value} ({self.hours})" if self.hours else self.value


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A heading and its lines; `id` is stable, `when` is the one occasion it is shown on (None: always)."""

    id: str
    heading: str
    lines: tuple[str, ...]
    when: Literal["threat", "disclosure", "crisis"] | None = None

    @property
    def body(self) -> str:
        """The lines without the heading."""
        return "\n".join(self.lines)

    def plain(self) -> str:
        """Return the section as text without markup."""
        return f"{self.heading}\n{self.body}"


class Page(Struct, frozen=True, forbid_unknown_fields=True):
    """One message in sections; the title is neutral, because a locked screen shows it."""

    title: str
    sections: tuple[Section, ...]

    def plain(self) -> str:
        """Return the page as text without markup."""
        return "\n\n".join((self.title, *(section.plain() for section in self.sections)))


class Because(Struct, frozen=True, forbid_unknown_fields=True):
    """How the reason for an alert is put: a sentence with {done} in it, the last joint of a list, words per marker."""

    sentence: str
    last: str
    markers: dict[Marker, str]


class Book(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything Haven says in one locale; its pages hold the sections of every occasion."""

    facts: dict[str, Fact]
    because: Because
    warning: Page
    guidance: Page
    help: Page


def warning(locale: str, *, kind: Kind, crisis: bool) -> Page:
    """Return the private message to the person aimed at; in a crisis the self-harm lines come first."""
    return _on_occasion(_book(locale).warning, kind, crisis=crisis)


def guidance(locale: str, *, kind: Kind, crisis: bool) -> Page:
    """Return what moderators read under an alert."""
    return _on_occasion(_book(locale).guidance, kind, crisis=crisis)


def because(locale: str, evidence: Sequence[Evidence]) -> str:
    """Return in one sentence what the lines behind an alert do: all that is clear, or else the two likeliest things."""
    words = _book(locale).because
    clear = [seen for seen in evidence if seen.probability >= CLEAR] or evidence[:2]
    done = [words.markers[seen.marker] for seen in clear[:_REASONS]]
    return words.sentence.format(done=words.last.join([*filter(None, [", ".join(done[:-1])]), *done[-1:]]))


def help_page(locale: str) -> Page:
    """Return the answer to /help: all advice, with a section for each situation a person may be in."""
    return _book(locale).help


def facts(locale: str) -> Mapping[str, Fact]:
    """Return every number and link of a locale by name."""
    return _book(locale).facts


def parse(raw: bytes, name: str) -> Book:
    """Return the texts of a locale file with the facts filled in; InputError says what is wrong."""
    try:
        book = toml.decode(raw, type=Book)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    if missing := {*Marker} - {*book.because.markers}:
        raise InputError(f"{name}: because.markers lacks {', '.join(sorted(missing))}")
    words = {key: str(fact) for key, fact in book.facts.items()}
    words |= {f"{key}_url": fact.url for key, fact in book.facts.items() if fact.url}

    def fill(line: str) -> str:
        try:
            return line.format_map(words)
        except (LookupError, AttributeError, ValueError) as error:
            raise InputError(f"{name}: the facts do not fill {line!r}: {error}") from None

    def fill_page(page: Page) -> Page:
        return replace(page, sections=tuple(replace(s, lines=tuple(map(fill, s.lines))) for s in page.sections))

    return replace(book, warning=fill_page(book.warning), guidance=fill_page(book.guidance), help=fill_page(book.help))


def _on_occasion(page: Page, kind: Kind, *, crisis: bool) -> Page:
    shown = (None, kind, "crisis") if crisis else (None, kind)
    return replace(page, sections=tuple(section for section in page.sections if section.when in shown))


@cache
def _book(locale: str) -> Book:
    if locale not in LOCALES:
        raise InputError(f"no advice in the locale {locale!r}; known: {', '.join(LOCALES)}")
    name = f"{locale}.toml"
    return parse((resources.files(__name__) / name).read_bytes(), f"bot/advice/{name}")
