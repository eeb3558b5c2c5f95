"""Guilds as Discord holds them, and what happens in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localdiscord.permissions import EVERYONE, THREADS, Intent, Permission
from localdiscord.state import JSON, Channel, Member, Overwrite, Role, User, stamp

if TYPE_CHECKING:
    from localdiscord.world import World


@dataclass
class Ban:
    """A ban, as it was asked for."""

    user: User
    reason: str | None
    delete_message_seconds: int


@dataclass(eq=False, repr=False)
class Guild:
    """A guild; the bot is in it until `remove_bot`."""

    id: str
    name: str
    owner: User
    world: World
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    bans: dict[str, Ban] = field(default_factory=dict)
    locale: str = "en-US"

    def __repr__(self) -> str:
        return f"<Guild {self.name} {self.id}>"

    @property
    def everyone(self) -> Role:
        """The role @everyone."""
        return self.roles[self.id]

    @property
    def bot(self) -> Member | None:
        """The bot as a member, if it is one."""
        return self.members.get(self.world.bot.id)

    @property
    def bot_role(self) -> Role:
        """The bot's own role."""
        return next(role for role in self.roles.values() if role.managed)

    def tell(self, event: str, data: JSON, intents: int = Intent.GUILDS) -> None:
        """Send an event about this guild while the bot is in it."""
        if self.bot:
            self.world.emit(event, intents, self, lambda session: data)

    def role(self, name: str, permissions: int = 0, position: int | None = None, *, managed: bool = False) -> Role:
        """Add a role, by default just above the other ordinary ones."""
        ordinary = [role.position for role in self.roles.values() if not role.managed]
        place = position if position is not None else max(ordinary, default=0) + 1
        role = Role(self.world.new_id(), self, name, int(permissions), place, managed)
        self.roles[role.id] = role
        self.tell("GUILD_ROLE_CREATE", {"guild_id": self.id, "role": role.payload()})
        return role

    def join(self, user: User, roles: list[Role] | tuple[Role, ...] = (), nick: str | None = None) -> Member:
        """Let an account join; one that is there already only gets the roles and the nickname."""
        member = self.members.get(user.id)
        if member:
            member.change(roles=[*roles], nick=nick)
            return member
        member = self.members[user.id] = Member(user, self, [*roles], nick, datetime.now(UTC))
        self.tell("GUILD_MEMBER_ADD", {"guild_id": self.id} | member.payload(), Intent.GUILD_MEMBERS)
        return member

    def kick(self, user: User) -> None:
        """Take an account out of the guild; the bot itself is removed, too."""
        if user is self.world.bot:
            self.remove_bot()
            return
        del self.members[user.id]
        self.tell("GUILD_MEMBER_REMOVE", {"guild_id": self.id, "user": user.payload()}, Intent.GUILD_MEMBERS)

    def remove_bot(self) -> None:
        """Take the bot out of the guild (GUILD_DELETE)."""
        self.tell("GUILD_DELETE", {"id": self.id})
        member = self.members.pop(self.world.bot.id)
        for role in [role for role in member.roles if role.managed]:
            del self.roles[role.id]

    def fall(self) -> None:
        """Let the guild be out of order (GUILD_DELETE, as when the bot is removed, but unavailable)."""
        self.tell("GUILD_DELETE", {"id": self.id, "unavailable": True})

    def rise(self) -> None:
        """Let the guild be there again."""
        self.world.emit("GUILD_CREATE", Intent.GUILDS, self, lambda session: self.payload(session.intents))

    def add_bot(self, permissions: int, position: int = 50) -> None:
        """Invite the bot with a role of its own."""
        role = self.role(self.world.bot.name, permissions, position, managed=True)
        self.members[self.world.bot.id] = Member(self.world.bot, self, [role], None, datetime.now(UTC))
        self.rise()

    def channel(
        self,
        name: str,
        private: bool = False,
        kind: int = 0,
        *,
        may: tuple[Role, ...] = (),
        parent: Channel | None = None,
    ) -> Channel:
        """Add a channel; a private one is seen by the bot's role, roles that moderate and the roles in `may` only."""
        made = Channel(self.world.new_id(), kind, name, self.world, self, parent, position=len(self.channels))
        if private:
            moderating = Permission.MANAGE_MESSAGES | Permission.MODERATE_MEMBERS | Permission.BAN_MEMBERS
            seeing = Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES | Permission.READ_MESSAGE_HISTORY
            made.overwrites[self.id] = Overwrite(0, deny=int(Permission.VIEW_CHANNEL))
            for role in self.roles.values():
                if role in may or (role is not self.everyone and (role.managed or role.permissions & moderating)):
                    made.overwrites[role.id] = Overwrite(0, allow=int(seeing))
        self.world.channels[made.id] = self.channels[made.id] = made
        self.tell("CHANNEL_CREATE", made.payload())
        return made

    def thread(self, channel: Channel, title: str, kind: int = 11, owner: User | None = None) -> Channel:
        """Open a thread or a forum post in a channel."""
        by = owner or self.owner
        made = Channel(self.world.new_id(), kind, title, self.world, self, channel, by)
        made.thread_members.add(by.id)
        self.world.channels[made.id] = self.channels[made.id] = made
        if self.bot and (kind != 12 or self.bot.permissions(made)):
            self.tell("THREAD_CREATE", made.payload() | {"newly_created": True})
        return made

    def payload(self, intents: int | None = None) -> JSON:
        """Return the guild object, with what GUILD_CREATE adds if intents are given."""
        nothing = (
            "icon description home_header splash discovery_splash banner application_id afk_channel_id "
            "system_channel_id widget_channel_id max_presences vanity_url_code rules_channel_id "
            "safety_alerts_channel_id public_updates_channel_id incidents_data"
        )
        made: JSON = dict.fromkeys(nothing.split())
        made |= {"id": self.id, "name": self.name, "owner_id": self.owner.id, "region": "deprecated"}
        made |= {"features": [], "emojis": [], "stickers": [], "afk_timeout": 300, "system_channel_flags": 0}
        made |= {"roles": [role.payload() for role in self.roles.values()], "preferred_locale": self.locale}
        made |= {"widget_enabled": False, "premium_progress_bar_enabled": False, "nsfw": False, "nsfw_level": 0}
        made |= {"verification_level": 0, "default_message_notifications": 0, "mfa_level": 0, "premium_tier": 0}
        made |= {"explicit_content_filter": 0, "max_members": 500000, "premium_subscription_count": 0}
        made |= {"max_stage_video_channel_users": 50, "max_video_channel_users": 25}
        if intents is None:
            return made
        whole = intents & Intent.GUILD_PRESENCES
        shown = self.members.values() if whole else [one for one in (self.bot,) if one]
        made |= {"joined_at": stamp(self.bot.joined_at if self.bot else datetime.now(UTC)), "unavailable": False}
        made |= {"large": False, "member_count": len(self.members), "members": [one.payload() for one in shown]}
        made |= {"channels": [one.payload() for one in self.channels.values() if one.kind not in THREADS]}
        made |= {"threads": [one.payload() for one in self.channels.values() if self._shows(one)]}
        return made | {
            key: []
            for key in ("voice_states", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds")
        }

    def _shows(self, channel: Channel) -> bool:
        seen = self.bot is not None and bool(self.bot.permissions(channel) & Permission.VIEW_CHANNEL)
        return channel.kind in THREADS and not channel.archived and seen


def new_guild(world: World, name: str, owner: User, id: str, bot_permissions: int | None) -> Guild:
    """Make a guild with its owner in it and, unless permissions are None, the bot."""
    guild = Guild(id, name, owner, world)
    guild.roles[id] = Role(id, guild, "@everyone", EVERYONE, 0)
    guild.members[owner.id] = Member(owner, guild, [], None, datetime.now(UTC))
    world.guilds[id] = guild
    if bot_permissions is not None:
        guild.add_bot(bot_permissions)
    return guild
