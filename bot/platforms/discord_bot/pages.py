"""Pages of advice as embeds, and the buttons under them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import discord

from bot import advice
from bot.advice import Page
from bot.platforms.discord_bot.markup import button_id

_BLUE = discord.Colour(0x3B6FB6)
_ROW = 5


@dataclass(frozen=True, slots=True)
class Press:
    """A button: its label, what pressing it does (see `buttons.py`) and to what, how it looks and in which row."""

    label: str
    act: str
    of: str = ""
    style: discord.ButtonStyle = discord.ButtonStyle.secondary
    disabled: bool = False
    row: int | None = None


def embed_of(page: Page, colour: discord.Colour = _BLUE) -> discord.Embed:
    """Return a page as one embed: the headings bold, the lines as they are."""
    parts = [f"**{section.heading}**\n{section.body}" if section.heading else section.body for section in page.sections]
    return discord.Embed(title=page.title, description="\n\n".join(parts), colour=colour)


def buttons(presses: Iterable[Press]) -> discord.ui.View:
    """Return the buttons as a view; they need no process to remember them."""
    view = discord.ui.View(timeout=None)
    for press in presses:
        view.add_item(
            discord.ui.Button(
                label=press.label,
                style=press.style,
                custom_id=button_id(press.act, press.of),
                disabled=press.disabled,
                row=press.row,
            )
        )
    view.stop()
    return view


def help_presses(locale: str) -> list[Press]:
    """Return a button for each situation that a person may be in."""
    return [Press(label, "help", id) for id, label in advice.situations(locale).items()]


def warning_presses(locale: str, case: str) -> list[Press]:
    """Return the buttons under a private warning."""
    says = advice.says(locale)
    return [
        *help_presses(locale),
        Press(says.not_me_button, "not_me", case, row=1),
        Press(says.stop_button, "stop", row=1),
    ]
