"""What anybody may ask: a check, the advice, a choice about private messages, their data, the moderators' help."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot import advice
from bot.moderation import RefusedError
from bot.people import NotSetUpError, TooManyReportsError, Verdict
from bot.platforms.discord_bot import answers
from bot.platforms.discord_bot.answers import Interaction
from bot.platforms.discord_bot.channels import reads_alerts
from bot.platforms.discord_bot.pages import Press, buttons, embed_of, help_presses
from bot.platforms.discord_bot.reading import NAME, account, shown_words
from bot.platforms.discord_bot.turns import BusyError, Turns
from classifiers.conversation import Account

if TYPE_CHECKING:
    from bot.platforms.discord_bot.client import HavenClient

log = logging.getLogger(__name__)

_MESSAGE = 4000
_REPORT = 1000


@app_commands.context_menu(name="Check for blackmail")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def check_message(interaction: Interaction, message: discord.Message) -> None:
    """Answer in private whether a message looks like blackmail."""
    await answers.begin(interaction)
    unknown = message.message_snapshots or message.webhook_id
    author = None if unknown else account(message.author)
    await _answer_check(interaction, _readable(message), str(message.id), author)


@app_commands.command(name="check", description="Ask in private whether a message looks like blackmail.")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
@app_commands.describe(text="What they wrote to you, or what is happening. Nobody else sees it, and it is not kept.")
async def check(interaction: Interaction, text: app_commands.Range[str, 1, _MESSAGE]) -> None:
    """Answer in private whether a text looks like blackmail."""
    await answers.begin(interaction)
    await _answer_check(interaction, text, str(interaction.id), None)


@app_commands.command(name="help", description="What to do if someone threatens you with private pictures.")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def help_(interaction: Interaction) -> None:
    """Show the advice."""
    locale = interaction.client.locale_of(interaction)
    await answers.answer(interaction, embed=embed_of(advice.front_page(locale)), presses=help_presses(locale))


protect = app_commands.Group(
    name="protect",
    description="Choose whether Haven may write to you first, in private.",
    allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
)


@protect.command(name="on", description="Haven may write to you in private if it sees someone threaten you.")
async def protect_on(interaction: Interaction) -> None:
    """Keep that the person wants warnings."""
    await _choose(interaction, on=True)


@protect.command(name="off", description="Haven never writes to you first.")
async def protect_off(interaction: Interaction) -> None:
    """Keep that the person wants no warnings."""
    await _choose(interaction, on=False)


@protect.command(name="status", description="What you have chosen.")
async def protect_status(interaction: Interaction) -> None:
    """Show what the person chose."""
    await answers.begin(interaction)
    says = advice.says(interaction.client.locale_of(interaction))
    chosen = await asyncio.to_thread(interaction.client.parts.people.protected, account(interaction.user))
    await answers.answer(
        interaction, {None: says.protect_unset, True: says.protect_on, False: says.protect_off}[chosen]
    )


@app_commands.command(name="privacy", description="What Haven keeps about you, to see or to delete.")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def privacy(interaction: Interaction) -> None:
    """Say what is kept, with buttons to see and to delete it."""
    policy = interaction.client.parts.policies.of(str(interaction.guild_id or NAME))
    says = advice.says(policy.locale)
    presses = [Press(says.export_button, "export"), Press(says.delete_button, "delete_mine")]
    await answers.answer(interaction, says.privacy.format(days=policy.retention.days), presses=presses)


@app_commands.command(name="report", description="Tell this server's moderators in private. Nobody else sees it.")
@app_commands.allowed_installs(guilds=True)
@app_commands.allowed_contexts(guilds=True)
@app_commands.describe(text="What happened, as much as you want to say.", member="Who is doing it, if they are here.")
async def report(
    interaction: Interaction,
    text: app_commands.Range[str, 0, _REPORT] = "",
    member: discord.Member | discord.User | None = None,
) -> None:
    """Tell the moderators, and show the advice at once."""
    await answers.begin(interaction)
    client = interaction.client
    locale = client.locale_of(interaction)
    says = advice.says(locale)
    page = embed_of(advice.front_page(locale))
    channel = client.parts.policies.of(str(interaction.guild_id)).alert_channel
    if reads_alerts(interaction.guild, channel, member):
        await answers.answer(interaction, says.report_moderator, embed=page, presses=help_presses(locale))
        return
    try:
        await asyncio.to_thread(
            client.parts.people.report,
            account(interaction.user),
            text,
            account(member) if member else None,
            space=str(interaction.guild_id),
            channel=str(interaction.channel_id),
            key=str(interaction.id),
        )
        said = says.reported
    except NotSetUpError:
        said = says.report_not_set_up
    except TooManyReportsError:
        said = says.report_too_many
    client.parts.outbox.wake()
    await answers.answer(interaction, said, embed=page, presses=help_presses(locale))


async def answer_direct_message(client: HavenClient, message: discord.Message) -> None:
    """Answer what somebody writes or forwards to Haven as a private check."""
    written = message.type in (discord.MessageType.default, discord.MessageType.reply)
    if message.author.bot or not written:
        return
    try:
        with client.written.admitted(account(message.author)):
            await _answer_message(client, message)
    except BusyError:
        client.parts.inbox.left_out[NAME, "flood"] += 1


async def _answer_message(client: HavenClient, message: discord.Message) -> None:
    locale = client.parts.policies.of(NAME).locale
    try:
        person, text = account(message.author), _readable(message)
        embed = await _checked(client, client.written, person, text, str(message.id), None, locale)
    except Exception as error:  # noqa: BLE001 (whoever asks is answered)
        log.error("discord: a private check failed (%s)", type(error).__name__)
        embed = discord.Embed(description=advice.says(locale).failed)
    try:
        await message.channel.send(embed=embed, view=buttons(help_presses(locale)))
    except discord.HTTPException as error:
        log.warning("discord: a private check was not answered (%d)", error.code)


def _readable(message: discord.Message) -> str:
    """Return what a check reads of a message: nothing where it, or what it forwards, has no words."""
    written = [message.content, *(snapshot.content for snapshot in message.message_snapshots)]
    return shown_words(message) if any(text.strip() for text in written) else ""


async def _answer_check(interaction: Interaction, text: str, key: str, author: Account | None) -> None:
    client, person = interaction.client, account(interaction.user)
    locale = client.locale_of(interaction)
    with client.asked.admitted(person):
        embed = await _checked(client, client.asked, person, text, key, author, locale)
        await answers.answer(interaction, embed=embed, presses=help_presses(locale))


async def _checked(
    client: HavenClient, turns: Turns, person: Account, text: str, key: str, author: Account | None, locale: str
) -> discord.Embed:
    if not text.strip():
        return discord.Embed(description=advice.says(locale).nothing_to_check)
    verdict: Verdict = await turns.serve(client.parts.people.check, person, text, key, author)
    return embed_of(advice.checked(locale, verdict.finding, verdict.evidence, crisis=verdict.crisis))


async def _choose(interaction: Interaction, *, on: bool) -> None:
    await answers.begin(interaction)
    says = advice.says(interaction.client.locale_of(interaction))
    await asyncio.to_thread(interaction.client.parts.people.protect, account(interaction.user), on=on)
    await answers.answer(interaction, says.protect_on if on else says.protect_off)


async def _show_help(interaction: Interaction, situation: str) -> None:
    locale = interaction.client.locale_of(interaction)
    if situation not in advice.situations(locale):
        raise RefusedError("this button is from another version of Haven: type /help for the advice")
    await answers.answer(interaction, embed=embed_of(advice.situation(locale, situation)))


async def _not_me(interaction: Interaction, case: str) -> None:
    await answers.begin(interaction)
    parts = interaction.client.parts
    await asyncio.to_thread(parts.people.disclaim, account(interaction.user), case)
    parts.outbox.wake()
    await answers.answer(interaction, advice.says(interaction.client.locale_of(interaction)).not_me)


async def _stop(interaction: Interaction, _of: str) -> None:
    await answers.begin(interaction)
    await asyncio.to_thread(interaction.client.parts.people.protect, account(interaction.user), on=False)
    await answers.answer(interaction, advice.says(interaction.client.locale_of(interaction)).stop)


async def _export(interaction: Interaction, _of: str) -> None:
    await answers.begin(interaction)
    turns, person = interaction.client.asked, account(interaction.user)
    with turns.admitted(person):
        held = await turns.serve(interaction.client.parts.people.export, person)
    file = discord.File(io.BytesIO(held), "haven-about-me.json")
    await answers.answer(interaction, advice.says(interaction.client.locale_of(interaction)).exported, file=file)


async def _delete_mine(interaction: Interaction, _of: str) -> None:
    says = advice.says(interaction.client.locale_of(interaction))
    sure = Press(says.delete_sure_button, "delete_mine_yes", style=discord.ButtonStyle.danger)
    await answers.answer(interaction, says.delete_sure, presses=[sure])


async def _delete_mine_yes(interaction: Interaction, _of: str) -> None:
    await answers.begin(interaction)
    parts, turns, person = interaction.client.parts, interaction.client.asked, account(interaction.user)
    with turns.admitted(person):
        await turns.serve(parts.people.delete, person)
    parts.outbox.wake()
    await answers.answer(interaction, advice.says(interaction.client.locale_of(interaction)).deleted)


BUTTONS: dict[str, Callable[[Interaction, str], Awaitable[None]]] = {
    "help": _show_help,
    "not_me": _not_me,
    "stop": _stop,
    "export": _export,
    "delete_mine": _delete_mine,
    "delete_mine_yes": _delete_mine_yes,
}
COMMANDS: tuple[app_commands.Command[Any, ..., None] | app_commands.Group | app_commands.ContextMenu, ...] = (
    check_message,
    check,
    help_,
    protect,
    privacy,
    report,
)
