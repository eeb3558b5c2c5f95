"""What is in order with Haven in a server and what is to mend, as `/doctor` and `haven doctor` say it."""

from __future__ import annotations

from collections.abc import Iterator

import discord

from bot.platforms.checkup import ADVICE_BY, MODES, Finding, last_read
from bot.platforms.discord_bot.channels import alert_channel
from bot.policy import Mode, Policy

INTENT_OFF = (
    "the Message Content Intent is off: switch it on in the Developer Portal (Bot, Privileged Gateway Intents,"
    " Message Content Intent), or set read_messages = false under [discord] to check on request only"
)
_BUTTONS = {
    "moderate_members": ("Time out members", "Time out the sender"),
    "ban_members": ("Ban Members", "Ban"),
    "manage_messages": ("Manage Messages", "Delete the messages"),
}
_NAMED = 10


def intent(flags: discord.ApplicationFlags, *, reading: bool) -> Finding:
    """Look at whether the application may read what Haven is to read."""
    if not reading:
        return Finding("Haven reads no channels, it checks what people show it (read_messages = false)")
    if flags.gateway_message_content or flags.gateway_message_content_limited:
        return Finding("the Message Content Intent is on")
    return Finding(INTENT_OFF, fine=False)


def examine(guild: discord.Guild, policy: Policy, *, reading: bool, seen_at: float | None) -> Iterator[Finding]:
    """Look at everything in a server that Haven needs there; `seen_at` is when a message was last read."""
    channel = alert_channel(guild, policy.alert_channel)
    if isinstance(channel, str):
        yield Finding(f"alerts cannot be posted: {channel}", fine=False)
    else:
        yield Finding(f"alerts come in #{channel.name}, which not everybody can read")
    yield Finding(MODES[policy.mode])
    if policy.mode is Mode.ADVISE:
        yield Finding(ADVICE_BY[policy.advice_by])
    if policy.page:
        wrong = page_trouble(guild, policy.page)
        yield Finding(wrong, fine=False) if wrong else Finding("the role for what cannot wait can be called")
    yield _buttons(guild)
    yield _rank(guild)
    if reading:
        yield _unread(guild, policy)
        yield last_read(seen_at)


def page_trouble(guild: discord.Guild, role_id: str) -> str | None:
    """Return why a role cannot be called to an alert, None if it can."""
    role = guild.get_role(int(role_id)) if role_id.isascii() and role_id.isdigit() else None
    if role is None:
        return "the role to call is gone: choose another with /setup"
    if role.mentionable or guild.me.guild_permissions.mention_everyone:
        return None
    return (
        f"Haven may not call @{role.name}: switch on “Allow anyone to @mention this role” in the settings of the role"
    )


def _buttons(guild: discord.Guild) -> Finding:
    held = guild.me.guild_permissions
    missing = [names for permission, names in _BUTTONS.items() if not getattr(held, permission)]
    if not missing:
        return Finding(f"Haven may {', '.join(name for name, _ in _BUTTONS.values())}: every button works")
    rights, buttons = (", ".join(names) for names in zip(*missing, strict=True))
    role = guild.me.top_role.name
    where = "give Haven a role with it" if guild.me.top_role.is_default() else f"allow it to the role {role}"
    return Finding(f"buttons that do not work: {buttons}; {where} (Server Settings, Roles): {rights}", fine=False)


def _rank(guild: discord.Guild) -> Finding:
    """Look for roles of ordinary members above Haven's: nobody who has one can be timed out or banned by it."""
    above = [
        role.name
        for role in guild.roles
        if role > guild.me.top_role and not role.is_bot_managed() and not role.permissions.moderate_members
    ]
    if not above:
        return Finding("Haven's role is above those of members")
    named = ", ".join(above[:_NAMED])
    step = "move Haven's role above them (Server Settings, Roles)"
    return Finding(f"Haven cannot time out or ban members with {len(above)} roles ({named}): {step}", fine=False)


def _unread(guild: discord.Guild, policy: Policy) -> Finding:
    hidden = [
        f"#{channel.name}"
        for channel in guild.channels
        if not isinstance(channel, discord.CategoryChannel)
        and {str(channel.id), str(channel.category_id)}.isdisjoint(policy.skipped)
        and not channel.permissions_for(guild.me).view_channel
    ]
    if not hidden:
        return Finding(f"Haven can read every channel that is not to be skipped ({len(policy.skipped)} are)")
    named = ", ".join(hidden[:_NAMED]) + (" …" if len(hidden) > _NAMED else "")
    step = "give its role View Channel there, or skip them with /setup"
    return Finding(f"Haven cannot read {len(hidden)} channels ({named}): {step}", fine=False)
