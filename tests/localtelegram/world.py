"""Everything that exists on this Telegram, and the way from an event to an update."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from localtelegram.entities import JSON
from localtelegram.groups import Group
from localtelegram.rights import PERMISSIONS, SENDING, Member
from localtelegram.state import Chat, File, Message, User

Emit = Callable[[str, JSON], None]
BOT_SENDER = 136817688
ANONYMOUS = 1087968824
SERVICE = 777000


class World:
    """All accounts, chats and files, and the ids that were given out."""

    def __init__(self, bot_id: int) -> None:
        self.emit: Emit = lambda kind, payload: None
        self.complaints: list[str] = []
        self.users: dict[int, User] = {}
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, File] = {}
        self.last_id = 0
        self.privacy = True
        self.bots_hear_bots = False
        self._account, self._group = 5_000_000_000, 1_000_000_000
        self.bot = User(self, bot_id, "Haven", None, "haven_test_bot", is_bot=True)
        self.anonymous = User(self, ANONYMOUS, "Group", None, "GroupAnonymousBot", is_bot=True)
        self.as_channel = User(self, BOT_SENDER, "Channel", None, "Channel_Bot", is_bot=True)
        self.telegram = User(self, SERVICE, "Telegram")
        self.users = {one.id: one for one in (self.bot, self.anonymous, self.as_channel, self.telegram)}

    @staticmethod
    def now() -> int:
        """Return the time in seconds, as Telegram counts it."""
        return int(time.time())

    def complain(self, text: str) -> None:
        """Note something that Telegram would refuse as a mistake or that is not like Telegram."""
        self.complaints.append(text)

    def new_user(self, name: str, username: str | None, language: str | None, *, bot: bool) -> User:
        """Add an account; its id does not fit into 32 bits."""
        self._account += 1 + secrets.randbelow(1000)
        first, _, last = name.strip().partition(" ")
        user = User(self, self._account, first, last or None, username, language, bot)
        self.users[user.id] = user
        return user

    def new_chat(self, title: str, kind: str, *, forum: bool = False, username: str | None = None) -> Group:
        """Add a group, supergroup or channel, without members."""
        self._group += 1 + secrets.randbelow(1000)
        id = -self._group if kind == "group" else -1_000_000_000_000 - self._group
        chat = Group(self, id, kind, title, username, forum, privacy=self.privacy)
        chat.permissions = {right: right in SENDING or right == "can_invite_users" for right in PERMISSIONS}
        self.chats[chat.id] = chat
        return chat

    def private(self, user: User) -> Chat:
        """Return the private chat of somebody with the bot."""
        chat = self.chats.get(user.id)
        if chat is None:
            chat = self.chats[user.id] = Chat(self, user.id, "private", user.name, user=user)
        return chat

    def find_chat(self, id: int | str) -> Chat | None:
        """Return a chat by its id or @name, as the bot knows it."""
        if isinstance(id, str) and id.startswith("@"):
            named = [one for one in self.chats.values() if one.username and not one.user]
            return next((one for one in named if f"@{one.username}".lower() == id.lower()), None)
        if int(id) in self.users:
            return self.private(self.users[int(id)])
        return self.chats.get(int(id))

    def new_file(self, data: bytes, name: str | None, kind: str) -> File:
        """Keep the bytes of a file."""
        number = len(self.files)
        folder = "photos" if kind.startswith("image/") else "documents"
        ending = "." + name.rsplit(".", 1)[-1] if name and "." in name else ".jpg" if folder == "photos" else ""
        path = f"{folder}/file_{number}{ending}"
        id = f"BQACAgIAAxkB{secrets.token_urlsafe(24)}"
        file = self.files[id] = File(id, secrets.token_urlsafe(11), name, data, kind, path)
        return file

    def hears(self, message: Message, *, meant: bool = True) -> bool:
        """Say whether the bot gets a message: membership, privacy mode and other bots count."""
        chat, bot = message.chat, message.chat.bot
        if chat.connection or chat.kind == "private":
            return True
        if bot is None or not bot.inside:
            return bool(message.extra.get("left_chat_member") == self.bot.payload())
        if message.service or chat.kind == "channel":
            return True
        author = message.author
        if author and author.is_bot and not message.sender_chat and not self.bots_hear_bots:
            return False
        return bot.is_admin or not chat.privacy or (meant and self.is_meant(message))

    def is_meant(self, message: Message) -> bool:
        """Say whether a message in a group is one for the bot: a command, a reply to it, a mention of it."""
        own = f"@{self.bot.username}".lower()
        answered = message.reply_to
        if answered and (answered.author is self.bot or answered.for_bot):
            return True
        for one in message.entities:
            part = message.text.encode("utf-16-le")[one["offset"] * 2 :][: one["length"] * 2].decode("utf-16-le")
            if one["type"] == "bot_command":
                name = part.partition("@")[2]
                if f"@{name}".lower() == own if name else message.chat.last_bot in (None, self.bot):
                    return True
            elif part.lower() == own or one.get("user", {}).get("id") == self.bot.id:
                return True
        return False

    def deliver(self, message: Message, *, edited: bool = False) -> None:
        """Tell the bot of a message, new or edited, if it may have it."""
        message.for_bot = message.chat.is_group and not message.service and self.is_meant(message)
        if not self.hears(message):
            return
        if message.chat.connection:
            kind = "edited_business_message" if edited else "business_message"
        elif message.chat.kind == "channel":
            kind = "edited_channel_post" if edited else "channel_post"
        else:
            kind = "edited_message" if edited else "message"
        self.emit(kind, message.payload())

    def member_changed(self, chat: Chat, by: User, old: JSON, new: Member) -> None:
        """Tell the bot that a membership changed: always of its own, of others only as an administrator."""
        own = new.user is self.bot
        if not own and not (chat.bot and chat.bot.is_admin):
            return
        shown = new.payload()
        if shown == old:
            return
        payload = {"chat": chat.payload(), "from": by.payload(), "date": self.now()}
        payload |= {"old_chat_member": old, "new_chat_member": shown}
        self.emit("my_chat_member" if own else "chat_member", payload)

    def service(self, chat: Chat, author: User, as_chat: Chat | None = None, **fields: Any) -> Message:
        """Write a service message and tell the bot of it."""
        message = Message(chat, chat.new_id(), author, self.now(), sender_chat=as_chat, service=True, extra=fields)
        chat.messages[message.id] = message
        self.deliver(message)
        return message
