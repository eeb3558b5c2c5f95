"""Where moderators read: which channel may hold alerts, and what is wrong with one."""

from __future__ import annotations

import discord

NEEDED = discord.Permissions(view_channel=True, send_messages=True, embed_links=True)
WANTED = NEEDED | discord.Permissions(moderate_members=True, ban_members=True, manage_messages=True)
_NAMES = {"view_channel": "View Channel", "send_messages": "Send Messages", "embed_links": "Embed Links"}


def alert_channel(guild: discord.Guild | None, id: str | None) -> discord.TextChannel | str:
    """Return the channel if alerts may be posted there now, or else why not.

    Alerts name people, so a channel that everybody can read is refused.
    """
    if guild is None:
        return "Haven is not in this server"
    if id is None:
        return "no alert channel is set (/setup)"
    channel = _channel(guild, id)
    if channel is None:
        return "the alert channel is gone, or Haven cannot see it (/setup)"
    return trouble(channel) or channel


def reads_alerts(guild: discord.Guild | None, id: str | None, member: object) -> bool:
    """Return whether somebody can read the alert channel, even where alerts have to wait now."""
    channel = _channel(guild, id) if guild and id else None
    return channel is not None and isinstance(member, discord.Member) and channel.permissions_for(member).view_channel


def _channel(guild: discord.Guild, id: str) -> discord.TextChannel | None:
    channel = guild.get_channel(int(id)) if id.isascii() and id.isdigit() else None
    return channel if isinstance(channel, discord.TextChannel) else None


def trouble(channel: discord.TextChannel) -> str | None:
    """Return why alerts may not be posted in a channel, None where they may."""
    if channel.permissions_for(channel.guild.default_role).view_channel:
        return "everybody can read the alert channel: take View Channel from @everyone there"
    held = channel.permissions_for(channel.guild.me)
    missing = [_NAMES[name] for name, needed in NEEDED if needed and not getattr(held, name)]
    if missing:
        return f"Haven lacks {', '.join(missing)} in the alert channel"
    return None
