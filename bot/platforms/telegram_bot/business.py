"""Private chats that their owner lets Haven read through Telegram Business; only the owner is ever written to."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from telegram import BusinessConnection, Message
from telegram.error import BadRequest, TelegramError

from bot.platforms.telegram_bot.reading import NAME, Usernames, account, to_message
from bot.policy import private_space
from classifiers.conversation import Account

if TYPE_CHECKING:
    from bot.platforms.telegram_bot.client import HavenClient

log = logging.getLogger(__name__)
_REMEMBERED = 10_000
_WAITS = (0.5, 2.0, 5.0)  # seconds between questions whose a connection is, while Telegram cannot be reached


class Connections:
    """Who owns which connection; asked for again after a restart, and forgotten with everything read when it ends."""

    def __init__(self, client: HavenClient) -> None:
        self._client = client
        self._known: OrderedDict[str, BusinessConnection] = OrderedDict()

    async def changed(self, connection: BusinessConnection) -> None:
        """Take note of a new, changed or ended connection."""
        self._keep(connection)
        if connection.is_enabled:
            log.info("telegram: a private account is connected")
            return
        space = private_space(account(connection.user))
        await self._client.parts.inbox.caught_up()
        await asyncio.to_thread(self._client.parts.guard.leave, space)
        log.info("telegram: a private account is disconnected and forgotten")

    async def read(self, message: Message | None) -> None:
        """Read a message of a connected chat, while the connection stands."""
        if message is None or message.business_connection_id is None or not self._client.is_newest(message):
            return
        connection = await self._connection(message.business_connection_id)
        if connection is None or not connection.is_enabled:
            return
        owner, other = account(connection.user), Account(NAME, str(message.chat.id))
        translated = to_message(message, Usernames(), private_space(owner))
        if translated:
            to = (owner,) if translated.author == other else (other,)
            await self._client.parts.inbox.put(replace(translated, to=() if translated.forwarded else to))

    async def _connection(self, id: str) -> BusinessConnection | None:
        for wait in (*_WAITS, None):
            if id in self._known:
                break
            try:
                self._keep(await self._client.bot.get_business_connection(id))
            except TelegramError as error:
                if isinstance(error, BadRequest) or wait is None:
                    log.warning("telegram: a business connection is unknown (%s)", type(error).__name__)
                    return None
                await asyncio.sleep(wait)
        return self._known[id]

    def _keep(self, connection: BusinessConnection) -> None:
        self._known[connection.id] = connection
        self._known.move_to_end(connection.id)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
