"""What moderators see of a case: one embed and the buttons under it."""

from __future__ import annotations

import discord

from bot.effects import Alert, Ruling
from bot.platforms import sheet
from bot.platforms.discord_bot import markup
from bot.platforms.discord_bot.pages import Press

_RED, _ORANGE, _GREY = discord.Colour(0xC0392B), discord.Colour(0xD68910), discord.Colour(0x7F8C8D)
_FIELD = 1024


def embed(alert: Alert) -> discord.Embed:
    """Return the alert as an embed; words of members are hidden and disarmed, and nobody can be pinged by them."""
    urgent = _RED if sheet.is_grave(alert) else _ORANGE
    shown = discord.Embed(
        title=sheet.title(alert),
        description="\n".join(sheet.seen(alert, markup)),
        colour=_GREY if alert.ruling is Ruling.NOT_SEXTORTION else urgent,
    )
    fields = sheet.people(alert, markup)
    if done := sheet.done(alert):
        fields.append(("What moderators did", done))
    for name, value in (*fields, sheet.to_do(alert)):
        if value:
            shown.add_field(name=name, value=value[:_FIELD], inline=False)
    return shown.set_footer(text=f"case {alert.case}")


def presses(alert: Alert) -> list[Press]:
    """Return the buttons under an alert; each carries the case's id, so that it works after a restart.

    Advice can always be sent to somebody else than whom Haven took for the one who is meant.
    """
    styles = {"confirm": discord.ButtonStyle.primary}
    return [
        Press(
            button.label,
            button.act,
            alert.case,
            discord.ButtonStyle.danger if button.danger else styles.get(button.act, discord.ButtonStyle.secondary),
            not (button.enabled or (button.act == "advise" and alert.sender)),
            row,
        )
        for row, buttons in enumerate(sheet.buttons(alert))
        for button in buttons
    ]
