"""Accounts, chats and messages, and the objects by which Telegram shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localtelegram.entities import JSON
from localtelegram.rights import Member

if TYPE_CHECKING:
    from localtelegram.world import World


@dataclass(eq=False)
class User:
    """An account; `started` once it has pressed start in the private chat with the bot."""

    world: World = field(repr=False)
    id: int
    name: str
    last_name: str | None = None
    username: str | None = None
    language: str | None = None
    is_bot: bool = False
    premium: bool = False
    started: bool = False
    blocked: bool = False
    deactivated: bool = False

    @property
    def private(self) -> Chat:
        """The private chat of the account with the bot."""
        return self.world.private(self)

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.name} {self.last_name}" if self.last_name else self.name

    def payload(self) -> JSON:
        """Return the User object."""
        made: JSON = {"id": self.id, "is_bot": self.is_bot, "first_name": self.name}
        more = {"last_name": self.last_name, "username": self.username}
        more["language_code"] = None if self.is_bot else self.language
        made |= {key: value for key, value in more.items() if value}
        return made | {"is_premium": True} if self.premium else made


@dataclass(eq=False)
class File:
    """A file with its bytes."""

    id: str
    unique: str
    name: str | None
    data: bytes = field(repr=False)
    kind: str
    path: str

    def payload(self, **more: Any) -> JSON:
        """Return the fields that all kinds of files share."""
        return {"file_id": self.id, "file_unique_id": self.unique, "file_size": len(self.data)} | more


@dataclass(eq=False)
class Chat:
    """A private chat, group, supergroup or channel; `connection` for the chats of a Business account."""

    world: World = field(repr=False)
    id: int
    kind: str
    title: str
    username: str | None = None
    forum: bool = False
    privacy: bool = True
    user: User | None = None
    connection: str | None = None
    linked: Chat | None = field(default=None, repr=False)
    migrated_to: Chat | None = field(default=None, repr=False)
    permissions: JSON = field(default_factory=dict, repr=False)
    members: dict[int, Member] = field(default_factory=dict, repr=False)
    messages: dict[int, Message] = field(default_factory=dict, repr=False)
    topics: dict[int, str] = field(default_factory=dict, repr=False)
    last_id: int = 0
    last_bot: User | None = field(default=None, repr=False)

    @property
    def is_group(self) -> bool:
        """Whether people write in it together."""
        return self.kind in ("group", "supergroup")

    @property
    def bot(self) -> Member | None:
        """The bot's membership, if it has or had one."""
        return self.members.get(self.world.bot.id)

    def new_id(self) -> int:
        """Return the next message id: each supergroup and channel counts by itself, all other chats together."""
        counter: Chat | World = self if self.kind in ("supergroup", "channel") else self.world
        counter.last_id += 1
        return counter.last_id

    def member(self, user: User) -> Member:
        """Return somebody's membership, `left` if there is none."""
        return self.members.get(user.id) or Member(user, "left")

    def payload(self) -> JSON:
        """Return the Chat object."""
        made: JSON = {"id": self.id, "type": self.kind}
        if self.user:
            shown = self.user.payload()
            return made | {key: shown[key] for key in ("first_name", "last_name", "username") if key in shown}
        made["title"] = self.title
        if self.username:
            made["username"] = self.username
        return made | {"is_forum": True} if self.forum else made


@dataclass(eq=False)
class Message:
    """A message; `extra` holds the fields of the object that need no handling here."""

    chat: Chat
    id: int
    author: User | None
    date: int
    text: str = ""
    entities: list[JSON] = field(default_factory=list)
    sender_chat: Chat | None = None
    reply_to: Message | None = field(default=None, repr=False)
    topic: int | None = None
    edited: int | None = None
    keyboard: JSON | None = None
    file: File | None = None
    service: bool = False
    for_bot: bool = False
    by_bot: bool = False
    extra: JSON = field(default_factory=dict)

    @property
    def world(self) -> World:
        """Where it is."""
        return self.chat.world

    @property
    def data(self) -> bytes | None:
        """The bytes of its file."""
        return self.file.data if self.file else None

    @property
    def buttons(self) -> list[JSON]:
        """The buttons of its inline keyboard."""
        rows = (self.keyboard or {}).get("inline_keyboard", [])
        return [button for row in rows for button in row]

    @property
    def labels(self) -> list[str]:
        """The labels of its buttons."""
        return [button["text"] for button in self.buttons]

    def origin(self) -> JSON:
        """Return the MessageOrigin for a forward of it."""
        if self.sender_chat and self.chat.kind == "channel":
            return {"type": "channel", "date": self.date, "chat": self.chat.payload(), "message_id": self.id}
        if self.sender_chat:
            return {"type": "chat", "date": self.date, "sender_chat": self.sender_chat.payload()}
        assert self.author
        return {"type": "user", "date": self.date, "sender_user": self.author.payload()}

    def payload(self, *, inner: bool = False) -> JSON:
        """Return the Message object; the one inside a reply has no reply of its own."""
        made: JSON = {"message_id": self.id, "date": self.date, "chat": self.chat.payload()}
        if self.author:
            made["from"] = self.author.payload()
        if self.sender_chat:
            made["sender_chat"] = self.sender_chat.payload()
        if self.topic is not None:
            made["message_thread_id"] = self.topic
            if self.chat.forum:
                made["is_topic_message"] = True
        if self.chat.connection:
            made["business_connection_id"] = self.chat.connection
        if self.reply_to and not inner:
            made["reply_to_message"] = self.reply_to.payload(inner=True)
        if self.edited:
            made["edit_date"] = self.edited
        media = "photo" in self.extra or "document" in self.extra
        if self.text:
            made["caption" if media else "text"] = self.text
        if self.entities and self.text:
            made["caption_entities" if media else "entities"] = self.entities
        if self.keyboard:
            made["reply_markup"] = self.keyboard
        return made | self.extra
