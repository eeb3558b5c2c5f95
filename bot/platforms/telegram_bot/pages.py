"""Pages of advice as HTML, and the buttons under them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot import advice
from bot.advice import Page

Rows = Sequence[Sequence[tuple[str, str]]]


def html_of(page: Page) -> str:
    """Return a page with its headings in bold."""
    parts = [f"<b>{escape(page.title, quote=False)}</b>"]
    for section in page.sections:
        heading = f"<b>{escape(section.heading, quote=False)}</b>\n" if section.heading else ""
        parts.append(heading + escape(section.body, quote=False))
    return "\n\n".join(parts)


def keyboard(rows: Rows) -> InlineKeyboardMarkup | None:
    """Return rows of labels and what pressing them does (`act` or `act:of`), None for none."""
    shown = [[InlineKeyboardButton(label, callback_data=data) for label, data in row] for row in rows]
    return InlineKeyboardMarkup(shown) if shown else None


def help_rows(locale: str) -> list[list[tuple[str, str]]]:
    """Return a button for each situation that a person may be in, one below the other."""
    return [[(label, f"help:{id}")] for id, label in advice.situations(locale).items()]


def warning_rows(locale: str, case: str) -> list[list[tuple[str, str]]]:
    """Return the buttons under a private warning."""
    says = advice.says(locale)
    return [*help_rows(locale), [(says.not_me_button, f"not_me:{case}")], [(says.stop_button, "stop")]]
