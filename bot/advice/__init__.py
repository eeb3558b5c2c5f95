"""What Haven says to people: pages from one TOML file per locale, with each number and link stated once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, toml
from msgspec.structs import replace

from bot.effects import Act, Advice
from classifiers.assessment import CLEAR, Evidence, Kind, Marker
from classifiers.errors import InputError

LOCALES: tuple[str, ...] = ("en-GB",)
_REASONS = 4
_PRESS = "{press}"

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


class Finding(StrEnum):
    """What a private check came to."""

    BLACKMAIL = "blackmail"
    SIGNS = "signs"
    TOLD = "told"
    NOTHING = "nothing"


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A heading and its lines; `id` is stable, `when` is the one occasion it is shown on (None: always).

    One with a `button` is a page of its own where there are buttons.
    """

    heading: str
    lines: tuple[str, ...]
    id: str = ""
    button: str | None = None
    when: Literal["threat", "disclosure", "crisis", "community", "private"] | None = None

    @property
    def body(self) -> str:
        """The lines without the heading."""
        return "\n".join(self.lines)

    def plain(self) -> str:
        """Return the section as text without markup."""
        return f"{self.heading}\n{self.body}" if self.heading else self.body


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


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """The answers to a private check, and what comes first where the person despairs."""

    blackmail: Page
    signs: Page
    told: Page
    nothing: Page
    crisis: Section


class Says(Struct, frozen=True, forbid_unknown_fields=True):
    """Short answers to people, and the labels of buttons."""

    because: str
    press: str
    type: str
    check_how: str
    languages: str
    report_how: str
    nothing_to_check: str
    protect_on: str
    protect_off: str
    protect_unset: str
    not_me_button: str
    not_me: str
    stop_button: str
    stop: str
    privacy: str
    export_button: str
    exported: str
    delete_button: str
    delete_sure: str
    delete_sure_button: str
    deleted: str
    reported: str
    report_too_many: str
    report_moderator: str
    report_not_set_up: str
    failed: str


class OnAlert(Struct, frozen=True, forbid_unknown_fields=True):
    """How an alert puts what became of a warning, and what moderators did."""

    advice: dict[Advice, str]
    acts: dict[Act, str]
    dismissed: str


class Book(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything Haven says in one locale; its pages hold the sections of every occasion."""

    facts: dict[str, Fact]
    because: Because
    warning: Page
    guidance: Page
    help: Page
    check: Check
    says: Says
    alert: OnAlert


def warning(locale: str, *, kind: Kind, crisis: bool, private: bool = False) -> Page:
    """Return the private message to the person aimed at; in a crisis the self-harm lines come first.

    `private` when it is about a private chat of theirs, which nobody else reads.
    """
    return _on_occasion(_book(locale).warning, kind, "private" if private else "community", crisis=crisis)


def guidance(locale: str, *, kind: Kind, crisis: bool) -> Page:
    """Return what moderators read under an alert."""
    return _on_occasion(_book(locale).guidance, kind, crisis=crisis)


def because(locale: str, evidence: Sequence[Evidence]) -> str:
    """Return in one sentence what the lines behind an alert do: all that is clear, or else the two likeliest things."""
    return _book(locale).because.sentence.format(done=_done(locale, evidence))


def help_page(locale: str) -> Page:
    """Return the answer to /help: all advice, with a section for each situation a person may be in."""
    return _book(locale).help


def situations(locale: str) -> dict[str, str]:
    """Return the label of the button of each situation that a person may be in, by the section's id."""
    return {section.id: section.button for section in help_page(locale).sections if section.button}


def front_page(locale: str) -> Page:
    """Return the answer to /help where buttons open the situations."""
    page = help_page(locale)
    return replace(page, sections=tuple(section for section in page.sections if not section.button))


def situation(locale: str, id: str) -> Page:
    """Return the page of one situation, with whom to report to; InputError when there is no such situation."""
    page = help_page(locale)
    found = [section for section in page.sections if section.id == id and section.button]
    if not found:
        raise InputError(f"no help for {id!r}; known: {', '.join(situations(locale))}")
    always = [section for section in page.sections if section.id == "report"]
    return Page(title=found[0].heading, sections=(replace(found[0], heading=""), *always))


def checked(locale: str, finding: Finding, evidence: Sequence[Evidence], *, crisis: bool, buttons: bool = True) -> Page:
    """Return the answer to a private check: what was found and why, and what to do next, with or without buttons."""
    book = _book(locale)
    page: Page = getattr(book.check, finding)
    how = book.says.press if buttons else book.says.type
    first, *rest = (
        replace(section, lines=tuple(line.replace(_PRESS, how) for line in section.lines)) for section in page.sections
    )
    if evidence and finding in (Finding.BLACKMAIL, Finding.SIGNS):
        why = book.says.because.format(done=_done(locale, evidence))
        first = replace(first, lines=(*first.lines, why))
    if not crisis:
        return replace(page, sections=(first, *rest))
    title = book.check.crisis.heading if finding is Finding.NOTHING else page.title
    return replace(page, title=title, sections=(book.check.crisis, first, *rest))


def says(locale: str) -> Says:
    """Return the short answers to people."""
    return _book(locale).says


def on_alert(locale: str) -> OnAlert:
    """Return how an alert puts what became of a warning, and what moderators did."""
    return _book(locale).alert


def facts(locale: str) -> Mapping[str, Fact]:
    """Return every number and link of a locale by name."""
    return _book(locale).facts


def parse(raw: bytes, name: str) -> Book:
    """Return the texts of a locale file with the facts filled in; InputError says what is wrong."""
    try:
        book = toml.decode(raw, type=Book)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    for where, held, enum in (
        ("because.markers", book.because.markers, Marker),
        ("alert.advice", book.alert.advice, Advice),
        ("alert.acts", book.alert.acts, Act),
    ):
        if missing := {str(member) for member in enum} - {str(key) for key in held}:
            raise InputError(f"{name}: {where} lacks {', '.join(sorted(missing))}")
    words = {key: str(fact) for key, fact in book.facts.items()}
    words["press"] = _PRESS
    words |= {f"{key}_url": fact.url for key, fact in book.facts.items() if fact.url}

    def fill(line: str) -> str:
        try:
            return line.format_map(words)
        except (LookupError, AttributeError, ValueError) as error:
            raise InputError(f"{name}: the facts do not fill {line!r}: {error}") from None

    def fill_section(section: Section) -> Section:
        return replace(section, lines=tuple(map(fill, section.lines)))

    def fill_all(held: Any) -> Any:
        if isinstance(held, Page):
            return replace(held, sections=tuple(map(fill_section, held.sections)))
        return fill_section(held)

    says = replace(book.says, failed=fill(book.says.failed))
    check = Check(**{name: fill_all(getattr(book.check, name)) for name in Check.__struct_fields__})
    pages = {name: fill_all(getattr(book, name)) for name in ("warning", "guidance", "help")}
    return replace(book, **pages, check=check, says=says)


def _on_occasion(page: Page, kind: Kind, *others: str, crisis: bool) -> Page:
    shown = (None, kind, *others, "crisis") if crisis else (None, kind, *others)
    return replace(page, sections=tuple(section for section in page.sections if section.when in shown))


def _done(locale: str, evidence: Sequence[Evidence]) -> str:
    words = _book(locale).because
    clear = [seen for seen in evidence if seen.probability >= CLEAR] or evidence[:2]
    done = [words.markers[seen.marker] for seen in clear[:_REASONS]]
    return words.last.join([*filter(None, [", ".join(done[:-1])]), *done[-1:]])


@cache
def _book(locale: str) -> Book:
    if locale not in LOCALES:
        raise InputError(f"no advice in the locale {locale!r}; known: {', '.join(LOCALES)}")
    name = f"{locale}.toml"
    return parse((resources.files(__name__) / name).read_bytes(), f"bot/advice/{name}")
