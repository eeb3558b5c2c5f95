"""A Telegram of one's own: a Bot API on this machine for a real client, and the people on it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from aiohttp import web
from localtelegram.acting import Acting, CallbackAnswer, until
from localtelegram.api import Api, Failure, Request
from localtelegram.business import Business, Connection
from localtelegram.chats import Chats
from localtelegram.entities import JSON
from localtelegram.groups import Group
from localtelegram.messages import Messages
from localtelegram.rights import Member
from localtelegram.settings import Key, Settings
from localtelegram.spec import load_spec
from localtelegram.state import Chat, Message, User
from localtelegram.updates import Updates
from localtelegram.world import World

__all__ = ["CallbackAnswer", "Chat", "Connection", "Group", "LocalTelegram", "Message", "Request", "User", "until"]


class LocalTelegram(Acting, Business):
    """Starts and stops the server; everything that happens on this Telegram is done through this object."""

    def __init__(self, *, privacy: bool = True) -> None:
        bot_id = 7_000_000_000 + secrets.randbelow(10**9)
        self.token = f"{bot_id}:AA{secrets.token_urlsafe(24)[:33].ljust(33, 'x')}"
        world = World(bot_id)
        world.privacy = privacy
        self.api = Api(world, lambda: self.token)
        self.updates = Updates(world, self.api)
        Acting.__init__(self, world, self.api)
        Business.__init__(self, world, self.api, Messages(world, self.api))
        self.chats_api = Chats(world, self.api)
        self.settings = Settings(world, self.api)
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/bot{token}/{method}", self.api.handle)
        app.router.add_get("/file/bot{token}/{path:.+}", self._file)
        self._runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.api.contract = load_spec()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.updates.close()
        if self._runner:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """The base of the Bot API, as `ApplicationBuilder.base_url` wants it."""
        return f"http://127.0.0.1:{self._port}/bot"

    @property
    def base_file_url(self) -> str:
        """The base of files, as `ApplicationBuilder.base_file_url` wants it."""
        return f"http://127.0.0.1:{self._port}/file/bot"

    @property
    def bot(self) -> User:
        """The bot's account."""
        return self.world.bot

    @property
    def privacy(self) -> bool:
        """Whether privacy mode is on; a change counts in groups that the bot is added to afterwards."""
        return self.world.privacy

    @privacy.setter
    def privacy(self, on: bool) -> None:
        self.world.privacy = on

    @property
    def flood_limits(self) -> bool:
        """Whether Telegram's flood limits count."""
        return self.api.flood.on

    @flood_limits.setter
    def flood_limits(self, on: bool) -> None:
        self.api.flood.on = on

    @property
    def requests(self) -> list[Request]:
        """Every request of the bot, in order."""
        return self.api.requests

    @property
    def complaints(self) -> list[str]:
        """Every mistake of the bot's, and everything that is not to the published specification."""
        return self.world.complaints

    @property
    def commands(self) -> dict[Key, list[JSON]]:
        """The commands that are registered, by scope, chat, user and language."""
        return self.settings.commands

    async def _file(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != self.token:
            return web.Response(status=401)
        for file in self.world.files.values():
            if file.path == request.match_info["path"]:
                return web.Response(body=file.data, content_type=file.kind.split(";")[0])
        return web.Response(status=404)

    def user(self, name: str, username: str | None = None, language: str | None = "en", bot: bool = False) -> User:
        """Add an account; what follows the first word of the name is the last name."""
        return self.world.new_user(name, username, language, bot=bot)

    def group(
        self,
        title: str,
        kind: str = "supergroup",
        forum: bool = False,
        privacy: bool | None = None,
        *,
        owner: User | None = None,
        bot: bool = True,
        username: str | None = None,
    ) -> Group:
        """Add a group in which the bot has been for long; `privacy` is the mode under which it was added."""
        assert kind in ("group", "supergroup"), kind
        chat = self.world.new_chat(title, kind, forum=forum, username=username)
        if privacy is not None:
            chat.privacy = privacy
        return self._founded(chat, owner, bot)

    def channel(
        self,
        title: str,
        *,
        linked: Group | None = None,
        owner: User | None = None,
        bot: bool = True,
        username: str | None = None,
    ) -> Group:
        """Add a channel, which the bot administers; posts also appear in the group linked to it."""
        chat = self._founded(self.world.new_chat(title, "channel", username=username), owner, False)
        if bot:
            chat.members[self.bot.id] = Member(self.bot, "member")
            with self._silence():
                chat.promote_bot()
        if linked:
            chat.linked, linked.linked = linked, chat
        return chat

    def _founded(self, chat: Group, owner: User | None, bot: bool) -> Group:
        who = owner or self.user(f"Owner of {chat.title}")
        chat.members[who.id] = Member(who, "creator")
        if bot:
            chat.members[self.bot.id] = Member(self.bot, "member")
        return chat

    @contextmanager
    def _silence(self) -> Iterator[None]:
        emit, self.world.emit = self.world.emit, lambda kind, payload: None
        try:
            yield
        finally:
            self.world.emit = emit

    def privates(self, user: User) -> list[Message]:
        """Return what the bot has written to somebody in private."""
        return [message for message in user.private.messages.values() if message.by_bot]

    def messages(self, chat: Chat) -> list[Message]:
        """Return the messages that are now in a chat."""
        return list(chat.messages.values())

    def sent(self, chat: Chat) -> list[Message]:
        """Return the messages of the bot that are now in a chat."""
        return [message for message in chat.messages.values() if message.by_bot]

    def asked(self, method: str, chat: Chat | None = None) -> list[Request]:
        """Return the requests of one method, of one chat."""
        here = [one for one in self.requests if one.method.lower() == method.lower()]
        return [one for one in here if chat is None or str(one.chat_id) == str(chat.id)]

    def fail(
        self,
        method: str,
        times: int = 1,
        status: int = 429,
        retry_after: int = 1,
        after: bool = False,
        chat: Chat | None = None,
        *,
        description: str = "",
        delay: float = 0,
    ) -> None:
        """Let the next requests of a method fail (status 0: cut the connection), before or after they are done."""
        self.api.failures.append(Failure(method, times, status, retry_after, after, description, delay, chat))

    def slow(self, method: str, seconds: float, times: int = 1) -> None:
        """Let the next requests of a method take their time, and then succeed."""
        self.api.failures.append(Failure(method, times, -1, 0, True, "", seconds, None))

    def duplicate(self, count: int = 1) -> None:
        """Send the last updates again, with the ids that they had."""
        self.updates.duplicate(count)

    @contextmanager
    def reordered(self) -> Iterator[None]:
        """Let the bot get what happens within in the reverse order."""
        self.updates.hold()
        try:
            yield
        finally:
            self.updates.release()

    async def cut(self) -> None:
        """Abort all open connections."""
        server = self._runner.server if self._runner else None
        for connection in list(server.connections) if server else []:
            if connection.transport:
                connection.transport.abort()
        await asyncio.sleep(0)

    async def polled(self) -> None:
        """Wait until the bot has fetched every update and waits for more (with a webhook: has taken them all)."""
        await until(lambda: self.updates.idle, self.patience, "the bot polls")
