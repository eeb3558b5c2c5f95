"""People, roles and channels as Discord holds them, with the objects that it sends about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localdiscord.permissions import THREADS, Intent, channel_permissions, guild_permissions

if TYPE_CHECKING:
    from localdiscord.guild import Guild
    from localdiscord.messages import Message
    from localdiscord.world import World

JSON = dict[str, Any]


def stamp(moment: datetime) -> str:
    """Return a moment in Discord's own format."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(eq=False, repr=False)
class User:
    """An account."""

    id: str
    name: str
    global_name: str | None
    bot: bool = False
    installed: bool = False

    def __repr__(self) -> str:
        return f"<User {self.name} {self.id}>"

    @property
    def mention(self) -> str:
        """The words that mention this account."""
        return f"<@{self.id}>"

    def payload(self) -> JSON:
        """Return the user object."""
        made: JSON = {
            "id": self.id,
            "username": self.name,
            "avatar": None,
            "discriminator": "0",
            "public_flags": 0,
            "flags": 0,
            "banner": None,
            "accent_color": None,
            "global_name": self.global_name,
            "avatar_decoration_data": None,
            "collectibles": None,
            "primary_guild": None,
        }
        return made | {"bot": True} if self.bot else made


@dataclass(eq=False, repr=False)
class Role:
    """A role of a guild; assigning its permissions, position or name tells the bot (GUILD_ROLE_UPDATE)."""

    id: str
    guild: Guild
    name: str
    permissions: int
    position: int
    managed: bool = False

    def __setattr__(self, name: str, value: object) -> None:
        changed = name in ("permissions", "position", "name") and getattr(self, name, value) != value
        super().__setattr__(name, value)
        if changed:
            self.guild.tell("GUILD_ROLE_UPDATE", {"guild_id": self.guild.id, "role": self.payload()})

    def __repr__(self) -> str:
        return f"<Role {self.name} {self.id}>"

    @property
    def mention(self) -> str:
        """The words that mention this role."""
        return f"<@&{self.id}>"

    def delete(self) -> None:
        """Remove the role from the guild and everybody in it."""
        del self.guild.roles[self.id]
        for member in self.guild.members.values():
            if self in member.roles:
                member.roles.remove(self)
        self.guild.tell("GUILD_ROLE_DELETE", {"guild_id": self.guild.id, "role_id": self.id})

    def payload(self) -> JSON:
        """Return the role object."""
        made: JSON = {
            "id": self.id,
            "name": self.name,
            "permissions": str(int(self.permissions)),
            "position": self.position,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": self.managed,
            "mentionable": False,
            "icon": None,
            "unicode_emoji": None,
            "flags": 0,
        }
        return made | {"tags": {"bot_id": self.guild.world.bot.id}} if self.managed else made


@dataclass(eq=False, repr=False)
class Member:
    """An account in a guild."""

    user: User
    guild: Guild
    roles: list[Role]
    nick: str | None
    joined_at: datetime
    timed_out_until: datetime | None = None

    def __repr__(self) -> str:
        return f"<Member {self.user.name} of {self.guild.name}>"

    @property
    def top(self) -> int:
        """The position of the highest role."""
        return max((role.position for role in self.roles), default=0)

    def is_timed_out(self) -> bool:
        """Say whether the member is in a time-out now."""
        return self.timed_out_until is not None and self.timed_out_until > datetime.now(UTC)

    def permissions(self, channel: Channel | None = None) -> int:
        """Return what the member may do, in a channel or in the guild."""
        return channel_permissions(self, channel) if channel else guild_permissions(self)

    def outranks(self, other: Member) -> bool:
        """Say whether this member's place in the order of roles is above another's."""
        if other.guild.owner is other.user:
            return False
        return self.guild.owner is self.user or self.top > other.top

    def change(self, *, roles: list[Role] | None = None, nick: str | None = None) -> None:
        """Give the member other roles or another nickname, and tell the bot."""
        self.roles = list(roles) if roles is not None else self.roles
        self.nick = nick if nick is not None else self.nick
        self.updated()

    def updated(self) -> None:
        """Tell the bot that the member changed."""
        intents = 0 if self.user is self.guild.world.bot else Intent.GUILD_MEMBERS
        self.guild.tell("GUILD_MEMBER_UPDATE", {"guild_id": self.guild.id} | self.payload(), intents)

    def payload(self, *, user: bool = True) -> JSON:
        """Return the member object."""
        made: JSON = {
            "avatar": None,
            "banner": None,
            "communication_disabled_until": stamp(self.timed_out_until) if self.timed_out_until else None,
            "flags": 0,
            "joined_at": stamp(self.joined_at),
            "nick": self.nick,
            "pending": False,
            "premium_since": None,
            "roles": [role.id for role in self.roles],
            "mute": False,
            "deaf": False,
        }
        return made | {"user": self.user.payload()} if user else made


@dataclass
class Overwrite:
    """What a channel allows and denies to a role (kind 0) or a member (kind 1)."""

    kind: int
    allow: int = 0
    deny: int = 0


@dataclass(eq=False, repr=False)
class Channel:
    """A channel of a guild, a thread, a DM or a group DM."""

    id: str
    kind: int
    name: str
    world: World
    guild: Guild | None = None
    parent: Channel | None = None
    owner: User | None = None
    position: int = 0
    recipients: list[User] = field(default_factory=list)
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    thread_members: set[str] = field(default_factory=set)
    with_bot: bool = False
    archived: bool = False
    locked: bool = False
    deleted: bool = False

    def __repr__(self) -> str:
        return f"<Channel {self.name} {self.id} of kind {self.kind}>"

    @property
    def mention(self) -> str:
        """The words that mention this channel."""
        return f"<#{self.id}>"

    @property
    def url(self) -> str:
        """The address of the channel in Discord's own client."""
        return f"https://discord.com/channels/{self.guild.id if self.guild else '@me'}/{self.id}"

    def allow(self, target: Role | User | Member, permissions: int) -> None:
        """Allow something here to a role or a member, and tell the bot."""
        overwrite = self._overwrite(target)
        overwrite.allow |= int(permissions)
        overwrite.deny &= ~int(permissions)
        self.updated()

    def deny(self, target: Role | User | Member, permissions: int) -> None:
        """Deny something here to a role or a member, and tell the bot."""
        overwrite = self._overwrite(target)
        overwrite.deny |= int(permissions)
        overwrite.allow &= ~int(permissions)
        self.updated()

    def _overwrite(self, target: Role | User | Member) -> Overwrite:
        whose = target.user if isinstance(target, Member) else target
        return self.overwrites.setdefault(whose.id, Overwrite(0 if isinstance(whose, Role) else 1))

    def rename(self, name: str) -> None:
        """Give the channel another name, and tell the bot."""
        self.name = name
        self.updated()

    def archive(self, *, locked: bool = False) -> None:
        """Archive a thread, and tell the bot."""
        self.archived, self.locked = True, locked
        self.updated()

    def updated(self) -> None:
        """Tell the bot that the channel changed."""
        if self.guild:
            self.guild.tell("THREAD_UPDATE" if self.kind in THREADS else "CHANNEL_UPDATE", self.payload())

    def delete(self) -> None:
        """Delete the channel with the threads in it, and tell the bot."""
        self.deleted = True
        self.world.channels.pop(self.id, None)
        if not self.guild:
            return
        self.guild.channels.pop(self.id, None)
        for thread in [one for one in self.guild.channels.values() if one.parent is self and one.kind in THREADS]:
            thread.deleted = True
            self.world.channels.pop(thread.id, None)
            self.guild.channels.pop(thread.id, None)
        if self.kind in THREADS:
            parent = self.parent.id if self.parent else None
            gone = {"id": self.id, "guild_id": self.guild.id, "parent_id": parent, "type": self.kind}
            self.guild.tell("THREAD_DELETE", gone)
        else:
            self.guild.tell("CHANNEL_DELETE", self.payload())

    def payload(self) -> JSON:
        """Return the channel object."""
        made: JSON = {
            "id": self.id,
            "type": self.kind,
            "flags": 0,
            "last_message_id": next(reversed(self.messages), None),
        }
        if self.guild is None:
            made["recipients"] = [user.payload() for user in self.recipients]
            if self.kind == 3:
                made |= {"name": self.name or None, "icon": None, "owner_id": self.recipients[0].id}
            return made
        made |= {"guild_id": self.guild.id, "name": self.name, "rate_limit_per_user": 0}
        made["parent_id"] = self.parent.id if self.parent else None
        if self.kind in THREADS:
            return made | self._thread()
        overwrites = [
            {"id": id, "type": one.kind, "allow": str(one.allow), "deny": str(one.deny)}
            for id, one in self.overwrites.items()
        ]
        made |= {"position": self.position, "permission_overwrites": overwrites, "nsfw": False}
        if self.kind in (2, 13):
            made |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
        if self.kind in (0, 5, 15):
            made["topic"] = None
        if self.kind == 15:
            made |= {"available_tags": [], "default_reaction_emoji": None, "default_sort_order": None}
            made |= {"default_forum_layout": 0}
        return made

    def _thread(self) -> JSON:
        began = stamp(self.world.moment(self.id))
        return {
            "owner_id": self.owner.id if self.owner else self.world.bot.id,
            "message_count": len(self.messages),
            "member_count": len(self.thread_members),
            "total_message_sent": len(self.messages),
            "thread_metadata": {
                "archived": self.archived,
                "archive_timestamp": began,
                "auto_archive_duration": 1440,
                "locked": self.locked,
                "create_timestamp": began,
            },
        }
