"""Answers to requests: for the person who asked and nobody else, within the three seconds that Discord waits."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import discord
from discord import app_commands

from bot import advice
from bot.moderation import RefusedError
from bot.platforms.discord_bot.pages import Press, buttons

if TYPE_CHECKING:
    from bot.platforms.discord_bot.client import HavenClient

Interaction: TypeAlias = "discord.Interaction[HavenClient]"

log = logging.getLogger(__name__)
_WHOLE = 2000


async def begin(interaction: Interaction) -> None:
    """Tell Discord that an answer follows, which only the person who asked will see."""
    await interaction.response.defer(ephemeral=True, thinking=True)


async def answer(
    interaction: Interaction,
    text: str = "",
    *,
    embed: discord.Embed | None = None,
    presses: Sequence[Press] = (),
    view: discord.ui.View | None = None,
    file: discord.File | None = None,
) -> None:
    """Answer the person who asked, in private, whether or not `begin` was called."""
    shown = view or (buttons(presses) if presses else discord.utils.MISSING)
    if interaction.response.is_done():
        await interaction.edit_original_response(
            content=text[:_WHOLE] or None,
            embed=embed,
            view=None if shown is discord.utils.MISSING else shown,
            attachments=[file] if file else [],
        )
        return
    await interaction.response.send_message(
        text[:_WHOLE] or None,
        embed=embed or discord.utils.MISSING,
        view=shown,
        file=file or discord.utils.MISSING,
        ephemeral=True,
    )


async def attempt(interaction: Interaction, work: Awaitable[None]) -> None:
    """Do what was asked; whatever goes wrong, the person gets an answer."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 (a button has nobody else to catch it)
        await failed(interaction, error)


async def failed(interaction: Interaction, error: Exception) -> None:
    """Say why a request was refused; of a fault say that it is one, and log its name."""
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    if isinstance(cause, RefusedError):
        text = f"{str(cause)[:1].upper()}{str(cause)[1:]}."
    else:
        text = advice.says(interaction.client.locale_of(interaction)).failed
        log.error("discord: a request failed (%s)", type(cause).__name__)
    try:
        await answer(interaction, text)
    except discord.HTTPException as lost:
        log.warning("discord: an answer was not delivered (%d)", lost.code)
