"""Business connections: an account lets the bot read its private chats."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from typing import Any

from localtelegram.api import Api, Call, bad
from localtelegram.composing import compose, read
from localtelegram.entities import JSON
from localtelegram.messages import Messages
from localtelegram.state import Chat, Message, User
from localtelegram.world import World

_DAY = 24 * 3600


class Connection:
    """A Business connection; without `people`, all of the account's private chats belong to it."""

    def __init__(self, world: World, user: User, rights: dict[str, bool], people: Collection[User] | None) -> None:
        self.world, self.user, self.people = world, user, people
        self.rights = {right: True for right, given in rights.items() if given}
        self.id = secrets.token_urlsafe(18)
        self.date = world.now()
        self.enabled = True
        self._chats: dict[int, Chat] = {}

    def chat(self, stranger: User) -> Chat:
        """Return the private chat of the account with somebody."""
        if stranger.id not in self._chats:
            made = Chat(self.world, stranger.id, "private", stranger.name, user=stranger, connection=self.id)
            self._chats[stranger.id] = made
        return self._chats[stranger.id]

    def everything(self) -> list[Chat]:
        """Return all chats that were written in."""
        return list(self._chats.values())

    def covers(self, stranger: User) -> bool:
        """Say whether the bot gets the messages of a chat."""
        return self.enabled and (self.people is None or stranger in self.people)

    def target(self, id: Any) -> Chat:
        """Return the chat that the bot wants to write in, or refuse."""
        chat = self._chats.get(int(id))
        if not self.enabled:
            raise bad("business connection not found")
        if chat is None or chat.user is None or not self.covers(chat.user):
            raise bad("BUSINESS_PEER_INVALID")
        if not self.rights.get("can_reply"):
            raise bad("not enough rights to send messages on behalf of the business account")
        last = max((one.date for one in chat.messages.values() if not one.by_bot), default=0)
        if self.world.now() - last > _DAY:
            raise bad("BUSINESS_PEER_USAGE_MISSING")
        return chat

    def payload(self) -> JSON:
        """Return the BusinessConnection object."""
        made = {"id": self.id, "user": self.user.payload(), "user_chat_id": self.user.id, "date": self.date}
        return made | {"is_enabled": self.enabled} | ({"rights": dict(self.rights)} if self.enabled else {})


class Business:
    """What people do with Business connections."""

    def __init__(self, world: World, api: Api, messages: Messages) -> None:
        self.world, self._messages = world, messages
        self.connections: dict[str, Connection] = {}
        messages.connections = self.connections
        api.add(getBusinessConnection=self._get, readBusinessMessage=self._read)
        api.add(deleteBusinessMessages=self._delete)

    async def connect_business(
        self, user: User, *, can_reply: bool = True, chats: Collection[User] | None = None, **rights: bool
    ) -> Connection:
        """Connect the bot to somebody's account, for all private chats or those with the people given."""
        given = {"can_reply": can_reply, "can_read_messages": True} | rights
        connection = Connection(self.world, user, given, chats)
        self.connections[connection.id] = connection
        return await self._tell(connection)

    async def change_business(self, connection: Connection, **rights: bool) -> Connection:
        """Change the rights that the bot has in a connection."""
        changed = {**dict.fromkeys(connection.rights, True), **rights}
        connection.rights = {right: True for right, given in changed.items() if given}
        return await self._tell(connection)

    async def disconnect_business(self, connection: Connection) -> None:
        """Take the bot off the account."""
        connection.enabled = False
        await self._tell(connection)

    async def _tell(self, connection: Connection) -> Connection:
        self.world.emit("business_connection", connection.payload())
        await asyncio.sleep(0)
        return connection

    async def business_write(
        self, connection: Connection, stranger: User, text: str = "", *, mine: bool = False, **more: Any
    ) -> Message:
        """Write to the owner of a connection, or (`mine`) as the owner; takes what `write` takes."""
        chat = connection.chat(stranger)
        message = compose(self.world, chat, connection.user if mine else stranger, text, **more)
        if connection.covers(stranger):
            self.world.deliver(message)
        await asyncio.sleep(0)
        return message

    async def business_edit(self, message: Message, text: str) -> None:
        """Edit a message in a chat of a connection."""
        connection = self._of(message)
        message.text, message.entities = read(text, (), (), html=False)
        message.edited = self.world.now()
        if message.chat.user and connection.covers(message.chat.user):
            self.world.deliver(message, edited=True)
        await asyncio.sleep(0)

    async def business_delete(self, *messages: Message) -> None:
        """Delete messages of one chat of a connection."""
        connection, chat = self._of(messages[0]), messages[0].chat
        for message in messages:
            del chat.messages[message.id]
        if chat.user and connection.covers(chat.user):
            payload = {"business_connection_id": connection.id, "chat": chat.payload()}
            self.world.emit("deleted_business_messages", payload | {"message_ids": [one.id for one in messages]})
        await asyncio.sleep(0)

    def _of(self, message: Message) -> Connection:
        assert message.chat.connection, "this message is in no Business chat"
        return self.connections[message.chat.connection]

    async def _get(self, call: Call) -> Any:
        connection = self.connections.get(str(call["business_connection_id"]))
        if connection is None:
            raise bad("business connection not found")
        return connection.payload()

    async def _read(self, call: Call) -> Any:
        connection = self.connections.get(str(call["business_connection_id"]))
        if connection is None or not connection.enabled:
            raise bad("business connection not found")
        return True

    async def _delete(self, call: Call) -> Any:
        connection = self.connections.get(str(call["business_connection_id"]))
        if connection is None or not connection.enabled:
            raise bad("business connection not found")
        if not connection.rights.get("can_delete_all_messages"):
            raise bad("not enough rights to delete messages of the business account")
        wanted = {int(id) for id in call["message_ids"]}
        chats = [chat for chat in connection.everything() if wanted & set(chat.messages)]
        for chat in chats:
            for id in wanted & set(chat.messages):
                del chat.messages[id]
        return True
