"""`/setup`: a form in one message that only its reader sees; every choice counts at once and is written down."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands

from bot.moderation import RefusedError
from bot.platforms.checkup import ADVICE_BY, MODES, SHARED, rulings
from bot.platforms.discord_bot import answers, forms
from bot.platforms.discord_bot.answers import Interaction
from bot.platforms.discord_bot.case_buttons import presser
from bot.platforms.discord_bot.channels import alert_channel, trouble
from bot.platforms.discord_bot.doctor import page_trouble
from bot.platforms.discord_bot.pages import Press, buttons
from bot.platforms.discord_bot.reading import account
from bot.policy import AdviceBy, Mode, Policy
from classifiers.assessment import Sensitivity

SETTING = re.compile(r"haven_set:(?P<key>[a-z_]+)")
_RIGHT = "manage_guild"
_FIRST, _MORE = "first", "more"
_ON_MORE = ("sensitivity", "page_role", "skip_channels", "retention_days", "share_campaigns")
_MOST_SKIPPED = 25  # as many as Discord lets somebody choose
_KINDS = [
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.voice,
    discord.ChannelType.stage_voice,
    discord.ChannelType.forum,
    discord.ChannelType.category,
]
_MODES = {
    Mode.OBSERVE: "Only observe",
    Mode.ALERT: "Alert the moderators",
    Mode.ADVISE: "Alert, and warn who is targeted",
}
_ADVICE_BY = {
    AdviceBy.AUTOMATIC: "Warnings: Haven, when it is sure",
    AdviceBy.MODERATOR: "Warnings: a moderator with a button",
    AdviceBy.OPTED_IN: "Warnings: only members who said yes",
}
_SENSITIVITIES = {
    Sensitivity.LOW: ("Sensitivity: low", "fewest false alarms"),
    Sensitivity.NORMAL: ("Sensitivity: normal", "some false alarms, and some misses"),
    Sensitivity.HIGH: ("Sensitivity: high", "fewest misses"),
}
_RULE = (
    "Discord's Developer Policy forbids apps to contact people without permission. So you, who run this server, decide"
    " whether Haven may write to members first, in private and once for an incident: please tell them. Every member can"
    " say `/protect off`, and Haven never writes to them first."
)


@app_commands.command(name="setup", description="Choose where Haven alerts your moderators, and what it may do.")
@app_commands.allowed_installs(guilds=True)
@app_commands.allowed_contexts(guilds=True)
@app_commands.default_permissions(manage_guild=True)
async def setup(interaction: Interaction) -> None:
    """Show the form."""
    await answers.begin(interaction)
    await _show(interaction, _FIRST)


async def chosen(interaction: Interaction, key: str, values: Sequence[str]) -> None:
    """Keep what was chosen in one of the form's lists, and show the form as it is now."""
    if key != "skip_channels":
        await _keep(interaction, key, "".join(values))
        return
    guild = presser(interaction, _RIGHT).guild
    policy = await asyncio.to_thread(interaction.client.parts.policies.of, str(guild.id))
    listed = {str(channel.id) for channel in _channels(guild, policy.skipped)}
    others = [id for id in policy.skipped if id not in listed]  # threads, and what the list has no room for
    await _keep(interaction, key, [*others, *values])


async def _keep(interaction: Interaction, key: str, value: object) -> None:
    """Keep one setting; the form says why when it is refused."""
    moderator, parts = presser(interaction, _RIGHT), interaction.client.parts
    await interaction.response.defer()
    refused = ""
    try:
        _check(moderator.guild, key, value)
        await asyncio.to_thread(parts.set_up, str(moderator.guild.id), account(moderator), {key: value})
        parts.outbox.wake()
    except RefusedError as error:
        refused = f"**Not changed:** {error}."
    await _show(interaction, _MORE if key in _ON_MORE else _FIRST, refused)


def _check(guild: discord.Guild, key: str, value: object) -> None:
    """Refuse what a list offers or a form takes, but the server must not choose."""
    if key == "alert_channel":
        channel = guild.get_channel(int(str(value)))
        if not isinstance(channel, discord.TextChannel):
            raise RefusedError("Haven cannot see that channel: give its role View Channel there")
        if why := trouble(channel):
            raise RefusedError(why)
    if key == "page_role" and value == str(guild.id):
        raise RefusedError("choose a role of your moderators, not everybody")
    if key == "retention_days" and value not in range(1, 91):
        raise RefusedError("write a whole number of days from 1 to 90")


async def _show(interaction: Interaction, page: str, refused: str = "") -> None:
    guild = presser(interaction, _RIGHT).guild
    policy = await asyncio.to_thread(interaction.client.parts.policies.wanted, str(guild.id))
    view = (_more if page == _MORE else _first)(guild, policy)
    await answers.answer(interaction, refused, embed=_summary(guild, policy), view=view)


def _summary(guild: discord.Guild, policy: Policy) -> discord.Embed:
    """Return the present settings, the next step and the platform's rule."""
    skipped = " ".join(f"<#{id}>" for id in policy.skipped[:_MOST_SKIPPED]) or "none"
    role = f"<@&{policy.page}>" if policy.page else "none"
    if policy.page and (why := page_trouble(guild, policy.page)):
        role += f". **To mend:** {why}."
    lines = [
        _next_step(guild, policy),
        "",
        f"**Alert channel:** {f'<#{policy.alert_channel}>' if policy.alert_channel else 'none yet'}",
        f"**Mode:** {MODES[policy.mode]}.",
        f"**Private warnings:** {ADVICE_BY[policy.advice_by]}.",
        f"**Sensitivity:** {', '.join(_SENSITIVITIES[policy.sensitivity]).removeprefix('Sensitivity: ')}",
        f"**Role called when it cannot wait:** {role}",
        f"**Channels not read:** {skipped}",
        f"**Cases are erased** {policy.retention.days} days after they were last seen.",
        f"**Campaigns:** {SHARED[policy.share_campaigns]}.",
        f"**Confirm and Not sextortion:** {rulings(policy)}.",
        f"**Language of the advice:** {policy.locale}",
        "",
        _RULE,
    ]
    return discord.Embed(title="Haven in this server", description="\n".join(lines)[:4096])


def _next_step(guild: discord.Guild, policy: Policy) -> str:
    if policy.alert_channel is None:
        step = "Choose one that your moderators can read and @everyone cannot."
        return f"**Haven only observes until an alert channel is set.** {step}"
    channel = alert_channel(guild, policy.alert_channel)
    if isinstance(channel, str):
        return f"**To mend:** {channel}. Alerts wait until then."
    if policy.mode is Mode.OBSERVE:
        return "**Haven only observes.** Nobody is told of cases; `/cases` shows them. Choose another mode when ready."
    return f"**Done: Haven now protects this server.** Alerts come in {channel.mention}; `/doctor` looks at everything."


def _first(guild: discord.Guild, policy: Policy) -> discord.ui.View:
    """Return the form's first page: where alerts come, and what Haven may do."""
    view = buttons([Press("More settings", "setup", _MORE, row=4)])
    view.add_item(
        discord.ui.ChannelSelect(
            custom_id="haven_set:alert_channel",
            placeholder="Alert channel",
            channel_types=[discord.ChannelType.text],
            default_values=_channels(guild, [policy.alert_channel or ""]),
        )
    )
    modes = [
        discord.SelectOption(label=label, value=mode.name.lower(), description=MODES[mode], default=mode is policy.mode)
        for mode, label in _MODES.items()
    ]
    view.add_item(discord.ui.Select(custom_id="haven_set:mode", placeholder="Mode", options=modes))
    ways = [
        discord.SelectOption(label=label, value=way, description=ADVICE_BY[way], default=way is policy.advice_by)
        for way, label in _ADVICE_BY.items()
    ]
    view.add_item(discord.ui.Select(custom_id="haven_set:advice_by", placeholder="Private warnings", options=ways))
    return view


def _more(guild: discord.Guild, policy: Policy) -> discord.ui.View:
    """Return the form's second page."""
    share = "off" if policy.share_campaigns else "on"
    view = buttons(
        [
            Press("Back", "setup", _FIRST, row=4),
            Press("Days that cases are kept", "setup_days", row=4),
            Press(f"Compare with other communities: {share}", "setup_share", share, row=4),
            Press("Forget what rulings moved", "setup_anew", disabled=not any(policy.shift.values()), row=4),
        ]
    )
    levels = [
        discord.SelectOption(label=label, value=level, description=what, default=level is policy.sensitivity)
        for level, (label, what) in _SENSITIVITIES.items()
    ]
    view.add_item(discord.ui.Select(custom_id="haven_set:sensitivity", placeholder="Sensitivity", options=levels))
    role = [role for role in guild.roles if str(role.id) == policy.page]
    view.add_item(
        discord.ui.RoleSelect(
            custom_id="haven_set:page_role",
            placeholder="Role to call when it cannot wait (nobody)",
            min_values=0,
            default_values=role,
        )
    )
    view.add_item(
        discord.ui.ChannelSelect(
            custom_id="haven_set:skip_channels",
            placeholder="Channels and categories to skip (none)",
            channel_types=_KINDS,
            min_values=0,
            max_values=_MOST_SKIPPED,
            default_values=_channels(guild, policy.skipped),
        )
    )
    return view


def _channels(guild: discord.Guild, ids: Sequence[str]) -> list[discord.Object]:
    return [discord.Object(channel.id) for channel in guild.channels if str(channel.id) in ids][:_MOST_SKIPPED]


async def _turn(interaction: Interaction, page: str) -> None:
    presser(interaction, _RIGHT)
    await interaction.response.defer()
    await _show(interaction, page)


async def _days(interaction: Interaction, _of: str) -> None:
    space = str(presser(interaction, _RIGHT).guild.id)
    policy = await asyncio.to_thread(interaction.client.parts.policies.of, space)
    days: discord.ui.TextInput[Any] = discord.ui.TextInput(default=str(policy.retention.days), max_length=2)
    described = "A case is erased so long after it was last seen, with its notes."
    await forms.ask(interaction, "days", "", "How long cases are kept", "Days, from 1 to 90", described, days)


async def keep_days(interaction: Interaction, _of: str) -> None:
    """Keep the number of days that was written into the form, or say why not."""
    written = forms.written(interaction).strip()
    days = int(written) if written.isascii() and written.isdigit() else 0
    await _keep(interaction, "retention_days", days)


async def _share(interaction: Interaction, choice: str) -> None:
    await _keep(interaction, "share_campaigns", choice == "on")


async def _anew(interaction: Interaction, _of: str) -> None:
    moderator, parts = presser(interaction, _RIGHT), interaction.client.parts
    await interaction.response.defer()
    await asyncio.to_thread(parts.start_anew, str(moderator.guild.id), account(moderator))
    await _show(interaction, _MORE)


BUTTONS = {"setup": _turn, "setup_days": _days, "setup_share": _share, "setup_anew": _anew}
