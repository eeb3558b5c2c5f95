"""Forms of one field; like buttons they carry their purpose in their id, so that one sent after a restart counts."""

from __future__ import annotations

import re
from typing import Any

import discord

from bot.platforms.discord_bot.answers import Interaction

FORM = re.compile(r"haven_form:(?P<act>[a-z_]+)(?::(?P<of>\w{1,64}))?")


async def ask(
    interaction: Interaction,
    act: str,
    of: str,
    title: str,
    label: str,
    description: str,
    field: discord.ui.TextInput[Any],
) -> None:
    """Show a form; what is written there comes back as `act` (see `buttons.py`)."""
    form = discord.ui.Modal(title=title, custom_id=f"haven_form:{act}:{of}" if of else f"haven_form:{act}")
    form.add_item(discord.ui.Label(text=label, description=description, component=field))
    form.stop()
    await interaction.response.send_modal(form)


def written(interaction: Interaction) -> str:
    """Return what was written into the one field of a form, empty for what is no form."""
    data: dict[str, Any] = dict(interaction.data or {})
    found: list[Any] = list(data.get("components") or [])
    while found:
        component = found.pop()
        if "value" in component:
            return str(component["value"])
        found += [*component.get("components", []), *filter(None, [component.get("component")])]
    return ""
