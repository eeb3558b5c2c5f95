"""Discord's permission bits, gateway intents and how roles and overwrites add up."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localdiscord.state import Channel, Member


class Permission(IntFlag):
    """The permission bits that this server knows."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_AUDIT_LOG = 1 << 7
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    CHANGE_NICKNAME = 1 << 26
    MANAGE_NICKNAMES = 1 << 27
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    USE_EXTERNAL_STICKERS = 1 << 37
    SEND_MESSAGES_IN_THREADS = 1 << 38
    MODERATE_MEMBERS = 1 << 40
    USE_EXTERNAL_APPS = 1 << 50


class Intent(IntFlag):
    """The gateway intents."""

    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_MODERATION = 1 << 2
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    DIRECT_MESSAGES = 1 << 12
    MESSAGE_CONTENT = 1 << 15


P = Permission
ALL = (1 << 53) - 1
EVERYONE = int(
    P.CREATE_INSTANT_INVITE
    | P.ADD_REACTIONS
    | P.VIEW_CHANNEL
    | P.SEND_MESSAGES
    | P.EMBED_LINKS
    | P.ATTACH_FILES
    | P.READ_MESSAGE_HISTORY
    | P.USE_EXTERNAL_EMOJIS
    | P.CONNECT
    | P.SPEAK
    | P.CHANGE_NICKNAME
    | P.USE_APPLICATION_COMMANDS
    | P.CREATE_PUBLIC_THREADS
    | P.SEND_MESSAGES_IN_THREADS
    | P.USE_EXTERNAL_APPS
)
BOT = int(
    P.VIEW_CHANNEL
    | P.SEND_MESSAGES
    | P.SEND_MESSAGES_IN_THREADS
    | P.EMBED_LINKS
    | P.ATTACH_FILES
    | P.READ_MESSAGE_HISTORY
    | P.MANAGE_MESSAGES
    | P.BAN_MEMBERS
    | P.MODERATE_MEMBERS
)
PRIVATE = int(
    P.VIEW_CHANNEL
    | P.SEND_MESSAGES
    | P.EMBED_LINKS
    | P.ATTACH_FILES
    | P.READ_MESSAGE_HISTORY
    | P.ADD_REACTIONS
    | P.USE_EXTERNAL_EMOJIS
    | P.USE_APPLICATION_COMMANDS
)
_TIMED_OUT = int(P.VIEW_CHANNEL | P.READ_MESSAGE_HISTORY)
THREADS = (10, 11, 12)


def guild_permissions(member: Member) -> int:
    """Return what a member may do in the guild as a whole."""
    if member.guild.owner is member.user:
        return ALL
    granted = int(member.guild.everyone.permissions)
    for role in member.roles:
        granted |= int(role.permissions)
    return ALL if granted & P.ADMINISTRATOR else granted


def channel_permissions(member: Member, channel: Channel) -> int:
    """Return what a member may do in one channel, as Discord computes it."""
    granted = guild_permissions(member)
    if granted & P.ADMINISTRATOR:
        return granted
    place = channel.parent if channel.kind in THREADS and channel.parent else channel
    everyone = place.overwrites.get(member.guild.everyone.id)
    if everyone:
        granted = granted & ~everyone.deny | everyone.allow
    of_roles = [place.overwrites[role.id] for role in member.roles if role.id in place.overwrites]
    deny = allow = 0
    for overwrite in of_roles:
        deny |= overwrite.deny
        allow |= overwrite.allow
    granted = granted & ~deny | allow
    own = place.overwrites.get(member.user.id)
    if own:
        granted = granted & ~own.deny | own.allow
    if channel.kind == 12 and member.user.id not in channel.thread_members and not granted & P.MANAGE_THREADS:
        return 0
    if not granted & P.VIEW_CHANNEL:
        return 0
    if channel.kind in THREADS:
        granted &= ~P.SEND_MESSAGES
        if granted & P.SEND_MESSAGES_IN_THREADS:
            granted |= P.SEND_MESSAGES
    if not granted & P.SEND_MESSAGES:
        granted &= ~(P.EMBED_LINKS | P.ATTACH_FILES | P.MENTION_EVERYONE)
    if member.is_timed_out():
        granted &= _TIMED_OUT
    return int(granted)
