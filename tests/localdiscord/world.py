"""Everything that exists on this Discord, and how changes reach the gateway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from localdiscord.guild import Guild
from localdiscord.permissions import Permission
from localdiscord.state import JSON, Channel, User

_EPOCH = 1420070400000


class Listener(Protocol):
    """What an event's builder may know of the session that it goes to."""

    intents: int


Build = Callable[[Listener], JSON]
Emit = Callable[[str, int, Guild | None, Build], None]


def no_gateway(event: str, intents: int, guild: Guild | None, build: Build) -> None:
    """Send nothing: there is no gateway."""


class World:
    """All users, guilds and channels, the bot's application, and the ids that were given out."""

    def __init__(self) -> None:
        self.emit: Emit = no_gateway
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.complaints: list[str] = []
        self.address = ""
        self._last = 0
        self._old = self._id_at(datetime.now(UTC) - timedelta(days=400))
        self._guild = (self._old - (1 << 52)) >> 32 << 32
        self._past = 0
        self.bot = self.new_user("haven", None, bot=True)
        self.app_id = self.bot.id

    @staticmethod
    def _id_at(moment: datetime) -> int:
        return (int(moment.timestamp() * 1000) - _EPOCH) << 22

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def new_id(self, at: datetime | None = None) -> str:
        """Return an id of now, or of a moment in the past; later ids of now are greater."""
        if at is not None:
            self._past += 1
            return str(self._id_at(at) + self._past % (1 << 22))
        self._last = max(self._id_at(datetime.now(UTC)), self._last + 1)
        return str(self._last)

    @staticmethod
    def moment(id: str) -> datetime:
        """Return when an id was given out."""
        return datetime.fromtimestamp(((int(id) >> 22) + _EPOCH) / 1000, UTC)

    def new_user(self, name: str, global_name: str | None, *, bot: bool = False) -> User:
        """Add an account, more than a year old."""
        self._old += 1 << 22
        user = User(str(self._old), name, global_name, bot)
        self.users[user.id] = user
        return user

    def new_guild_id(self) -> str:
        """Return an id for a guild: one after the other falls to the next shard."""
        self._guild += 1 << 22
        return str(self._guild - (1 << 22))

    def dm(self, user: User) -> Channel:
        """Return the DM channel of the bot with an account, made when it is first asked for."""
        for channel in self.channels.values():
            if channel.with_bot and channel.recipients == [user]:
                return channel
        made = Channel(self.new_id(), 1, user.name, self, recipients=[user], with_bot=True)
        self.channels[made.id] = made
        return made

    def group(self, *people: User) -> Channel:
        """Make a DM between people, in which the bot is not: a group if they are more than two."""
        made = Channel(self.new_id(), 1 if len(people) < 3 else 3, "", self, recipients=[*people])
        self.channels[made.id] = made
        return made

    def bot_permissions(self, channel: Channel) -> int:
        """Return what the bot may do in a guild's channel."""
        member = channel.guild.bot if channel.guild else None
        return member.permissions(channel) if member else 0

    def seen_by_bot(self, channel: Channel, *, ephemeral: bool = False) -> bool:
        """Say whether the bot gets the messages of a channel."""
        if ephemeral:
            return True
        if channel.guild is None:
            return channel.with_bot
        return bool(self.bot_permissions(channel) & Permission.VIEW_CHANNEL)

    def complain(self, text: str) -> None:
        """Note something that Discord would refuse or that is not like Discord."""
        self.complaints.append(text)
