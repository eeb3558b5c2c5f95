"""A Discord of one's own: a gateway and an HTTP API on this machine for a real client, and the people on it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Self

from aiohttp import web
from localdiscord.acting import Acting
from localdiscord.channels import Channels
from localdiscord.contract import EventCheck, load_contract
from localdiscord.gateway import Gateway
from localdiscord.guild import Guild, new_guild
from localdiscord.guilds import Guilds
from localdiscord.interactions import Answer, Interactions
from localdiscord.invoking import Invoking
from localdiscord.messages import SNAPSHOT, File, Message, poll_of, snapshot_of
from localdiscord.permissions import BOT, Intent, Permission
from localdiscord.portal import Portal
from localdiscord.rest import PREFIX, Failure, Request, Rest
from localdiscord.state import JSON, Channel, Member, Role, User
from localdiscord.world import World

_OPENING = (40003, 10013, 50033)
__all__ = ["Answer", "Channel", "Guild", "LocalDiscord", "Member", "Message", "Permission", "Request", "Role", "User"]


async def until(condition: Callable[[], bool], patience: float, what: str) -> None:
    """Wait until something is so."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while not condition():
        assert loop.time() < end, f"{what}: not within {patience} s"
        await asyncio.sleep(0.002)


class LocalDiscord(Acting):
    """Starts and stops the server; everything that happens on this Discord is done through this object."""

    def __init__(self, *, shards: int = 1) -> None:
        self.token = f"{secrets.token_hex(12)}.{secrets.token_hex(3)}.{secrets.token_hex(19)}"
        super().__init__(World())
        self.gateway = Gateway(self.world, lambda: self.token, lambda: self.gateway_url)
        self.rest = Rest(self.world, lambda: self.token)
        self._channels = Channels(self.world, self.rest)
        self._channels.content_enabled = lambda: self.message_content_enabled
        self.guilds_api = Guilds(self.world, self.rest)
        self.guilds_api.members_enabled = lambda: self.members_enabled
        self.interactions = Interactions(self.world, self.rest)
        self.people = Invoking(self.world, self.gateway, self.interactions, self.guilds_api.commands)
        self.owner = self.user("owner")
        self.portal = Portal(self.world, self.gateway, self.rest, self.owner, shards)
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/gateway", self.gateway.handle)
        app.router.add_get("/gateway/", self.gateway.handle)
        app.router.add_get("/attachments/{channel_id}/{id}/{name}", self._attachment)
        app.router.add_route("*", PREFIX + "/{path:.*}", self.rest.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.world.address = f"http://127.0.0.1:{self._port}"
        self.rest.contract = load_contract()
        self.gateway.check = EventCheck(self.world, self.rest.contract)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gateway.stopped = True
        self.gateway.open.set()
        await self.gateway.close(1001)
        if self._runner:
            await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        """The base of the HTTP API, for `Route.BASE`."""
        return f"http://127.0.0.1:{self._port}{PREFIX}"

    @property
    def gateway_url(self) -> str:
        """The gateway, for `DiscordWebSocket.DEFAULT_GATEWAY`."""
        return f"ws://127.0.0.1:{self._port}/gateway"

    def _privileged(self, intent: Intent, *, granted: bool) -> None:
        kept = self.gateway.privileged & ~intent
        self.gateway.privileged = int(kept | intent) if granted else int(kept)

    @property
    def message_content_enabled(self) -> bool:
        """Whether the portal grants the application the content of messages."""
        return bool(self.gateway.privileged & Intent.MESSAGE_CONTENT)

    @message_content_enabled.setter
    def message_content_enabled(self, granted: bool) -> None:
        self._privileged(Intent.MESSAGE_CONTENT, granted=granted)

    @property
    def members_enabled(self) -> bool:
        """Whether the portal grants the application the members of guilds."""
        return bool(self.gateway.privileged & Intent.GUILD_MEMBERS)

    @members_enabled.setter
    def members_enabled(self, granted: bool) -> None:
        self._privileged(Intent.GUILD_MEMBERS, granted=granted)

    @property
    def shards(self) -> int:
        """The number of shards that Discord recommends."""
        return self.portal.shards

    @shards.setter
    def shards(self, count: int) -> None:
        self.portal.shards = count

    @property
    def bot(self) -> User:
        """The bot's account."""
        return self.world.bot

    @property
    def requests(self) -> list[Request]:
        """Every HTTP request of the bot, in order."""
        return self.rest.requests

    @property
    def complaints(self) -> list[str]:
        """Everything that Discord would refuse or that is not to its specification."""
        return self.world.complaints

    @property
    def commands(self) -> list[JSON]:
        """The global commands that are registered."""
        return self.guilds_api.commands[None]

    @property
    def patience(self) -> float:
        """How many seconds answers are waited for."""
        return self.people.patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        self.people.patience = seconds

    async def _attachment(self, request: web.Request) -> web.Response:
        known = [*self.world.channels.values()]
        messages = [message for channel in known for message in channel.messages.values()]
        messages += [message for one in self.interactions.all.values() for message in one.answer.messages]
        for file in [file for message in messages for file in message.attachments]:
            if file.id == request.match_info["id"]:
                return web.Response(body=file.data, content_type=file.kind.split(";")[0])
        return web.Response(status=404)

    def user(self, name: str, bot: bool = False, *, global_name: str | None = None) -> User:
        """Add an account."""
        return self.world.new_user(name, global_name or name.capitalize(), bot=bot)

    def guild(self, name: str, owner: User | None = None, *, bot_permissions: int | None = BOT) -> Guild:
        """Add a guild with the bot in it (`bot_permissions=None`: without)."""
        return new_guild(self.world, name, owner or self.owner, self.world.new_guild_id(), bot_permissions)

    def dm(self, user: User) -> Channel:
        """Return the DM of the bot with somebody."""
        return self.world.dm(user)

    def group(self, *people: User) -> Channel:
        """Add a DM between people in which the bot is not, a group from three people on."""
        return self.world.group(*people)

    async def ready(self, shards: int = 1) -> None:
        """Wait until the bot has identified on so many shards and was sent its guilds."""
        there = self.gateway.sessions
        await until(
            lambda: len({one.shard for one in there.values() if one.connection}) >= shards, self.patience, "ready"
        )
        await self.gateway.flush()

    async def heard(self) -> None:
        """Wait until the bot has taken in all events sent to it; asked for a heartbeat, it says how far it is."""
        marks = {one: len(one.sent) for one in self.gateway.sessions.values()}
        asked: set[object] = set()

        def there() -> bool:
            behind = [one for one, mark in marks.items() if one.heard < mark]
            for connection in [one.connection for one in behind if one.connection and one.connection not in asked]:
                connection.send({"op": 1, "d": None, "s": None, "t": None})
                asked.add(connection)
            return not behind

        await until(there, self.patience, "heard")

    async def write(
        self,
        channel: Channel,
        author: User,
        content: str,
        reply_to: Message | None = None,
        mentions: Sequence[User | Role] = (),
        snapshot: str | None = None,
        webhook: bool = False,
        type: int = 0,
        attachments: Mapping[str, bytes] | Iterable[tuple[str, bytes]] = (),
        *,
        of: Message | None = None,
        at: datetime | None = None,
        ping: bool = True,
        poll: Sequence[str] = (),
        begins: bool = False,
    ) -> Message:
        """Write a message as somebody; `of` is the message that a snapshot forwards, `at` a time in the past.

        Without `ping` a reply does not mention whom it answers. `poll` is a question and its answers; what `begins` a
        forum post has the id of its thread.
        """
        world = self.world
        if channel.guild and not webhook:
            member = channel.guild.members.get(author.id)
            assert member or type, f"{author.name} is not in {channel.guild.name}"
            assert not member or not member.is_timed_out(), f"{author.name} is in a time-out"
        message = Message(channel.id if begins else world.new_id(at), channel, author, content, at or world.now(), type)
        message.webhook_id = author.id if webhook else None
        message.poll = poll_of(poll[0], poll[1:], world.now() + timedelta(days=1)) if poll else None
        if snapshot is not None:
            message.snapshot, message.flags = snapshot_of(snapshot, of, channel), SNAPSHOT
        elif reply_to:
            message.reply_to, message.type = reply_to, type or 19
        for name, data in attachments.items() if isinstance(attachments, Mapping) else attachments:
            id = world.new_id()
            message.attachments.append(File(id, name, data, f"{world.address}/attachments/{channel.id}/{id}/{name}"))
        allowed = None if ping else {"parse": ["users", "roles", "everyone"], "replied_user": False}
        message.read_mentions(allowed, mentions)
        channel.messages[message.id] = message
        message.tell("MESSAGE_CREATE")
        await self.gateway.flush()
        return message

    async def edit(self, message: Message, content: str) -> None:
        """Edit a message as its author."""
        message.content, message.edited = content, self.world.now()
        message.read_mentions(None)
        await self._updated(message)

    async def unfurl(self, message: Message, **embed: Any) -> None:
        """Add the embed of a link, as Discord does by itself: an update that is no edit."""
        message.embeds = [{"type": "link", "url": "https://example.org/", "title": "Example"} | embed]
        await self._updated(message)

    async def _updated(self, message: Message) -> None:
        message.tell("MESSAGE_UPDATE")
        await self.gateway.flush()

    async def remove(self, message: Message) -> None:
        """Delete a message as its author."""
        message.delete()
        await self.gateway.flush()

    def dms(self, user: User) -> list[Message]:
        """Return what the bot has written to somebody in private."""
        found = self.world.dm(user).messages.values()
        return [message for message in found if message.author is self.bot and not message.ephemeral]

    def messages(self, channel: Channel) -> list[Message]:
        """Return the messages that are now in a channel."""
        return list(channel.messages.values())

    def asked(self, method: str, route: str) -> list[Request]:
        """Return the requests to one route, by its template."""
        return [one for one in self.requests if (one.method, one.route) == (method, route)]

    def closes_dms(self, user: User, code: int = 50007, status: int = 403, *, opening: bool | None = None) -> None:
        """Refuse the bot's DMs to somebody, when they are sent or (by default for some codes) opened."""
        when_opening = code in _OPENING if opening is None else opening
        self._channels.closed[user.id] = (code, status, when_opening)

    def opens_dms(self, user: User) -> None:
        """Accept the bot's DMs again."""
        self._channels.closed.pop(user.id, None)

    def fail(
        self,
        method: str,
        route: str,
        times: int = 1,
        status: int = 500,
        retry_after: float = 0.1,
        after: bool = False,
        *,
        code: int = 0,
        message: str = "",
        delay: float = 0,
        channel: Channel | None = None,
    ) -> None:
        """Let the next requests to a route fail (status 0: cut the connection), before or after they are done."""
        at = channel.id if channel else None
        self.rest.failures.append(Failure(method, route, times, status, retry_after, after, code, message, delay, at))

    def slow(self, method: str, route: str, seconds: float, times: int = 1) -> None:
        """Let the next requests to a route take their time, and then succeed."""
        self.rest.failures.append(Failure(method, route, times, -1, 0, True, 0, "", seconds, None))

    async def drop(self, code: int | None = 4000) -> None:
        """Close the websockets with a code (None: cut the TCP connection); sessions can be resumed."""
        there = set(self.gateway.connections)
        await self.gateway.close(code)
        await until(lambda: not there & self.gateway.connections, 5, "drop")

    @asynccontextmanager
    async def outage(self, code: int | None = 4000) -> AsyncIterator[None]:
        """Drop the connections and let nobody connect for a while; what happens then is kept for resuming."""
        self.gateway.open.clear()
        try:
            await self.drop(code)
            yield
        finally:
            self.gateway.open.set()

    def forget_sessions(self) -> None:
        """Forget all sessions: resuming is answered with op 9."""
        self.gateway.sessions.clear()

    async def reconnect(self) -> None:
        """Ask the bot to reconnect and resume (op 7)."""
        for connection in list(self.gateway.connections):
            connection.send({"op": 7, "d": None, "s": None, "t": None})
        await self.gateway.flush()
