"""What people do on this Telegram: writing, editing, deleting, pressing buttons, blocking the bot."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localtelegram.api import Api, Call, bad
from localtelegram.composing import Origin, compose, read
from localtelegram.entities import JSON
from localtelegram.groups import Group
from localtelegram.rights import Member
from localtelegram.state import Chat, Message, User
from localtelegram.world import World

_OLD = "query is too old and response timeout expired or query ID is invalid"


async def until(condition: Callable[[], object], patience: float, what: str) -> None:
    """Wait until something is so."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while not condition():
        assert loop.time() < end, f"{what}: not within {patience} s"
        await asyncio.sleep(0.002)


@dataclass
class CallbackAnswer:
    """What the bot answered to the press of a button; `answered` is false until it does."""

    query: str
    at: float
    text: str | None = None
    alert: bool = False
    url: str | None = None
    answered: bool = False


class Acting:
    """Messages, edits, buttons and blocks."""

    def __init__(self, world: World, api: Api) -> None:
        self.world = world
        self.patience = 5.0
        self.query_age = 15.0
        self.queries: dict[str, CallbackAnswer] = {}
        api.add(answerCallbackQuery=self._answer)

    async def write(
        self,
        chat: Chat,
        author: User | None,
        text: str = "",
        *,
        reply_to: Message | None = None,
        mentions: Sequence[User] = (),
        topic: int | None = None,
        as_chat: Chat | None = None,
        forward_of: Origin | None = None,
        quote: str | None = None,
        photo_caption: str | None = None,
        entities: Sequence[JSON] = (),
        html: bool = False,
        at: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Message:
        """Write a message, `as_chat` the group itself anonymously; `extra` is for other fields, such as a sticker."""
        if as_chat is None and author and chat.member(author).anonymous:
            as_chat = chat
        self._may(chat, author, as_chat)
        message = compose(
            self.world,
            chat,
            author,
            text,
            reply_to=reply_to,
            mentions=mentions,
            topic=topic,
            as_chat=as_chat,
            forward_of=forward_of,
            quote=quote,
            photo_caption=photo_caption,
            entities=entities,
            html=html,
            at=at,
            extra=extra,
        )
        if chat.is_group and author and author.is_bot:
            chat.last_bot = author
        self.world.deliver(message)
        if chat.kind == "channel" and chat.linked:
            self._repost(message, chat.linked)
        await asyncio.sleep(0)
        return message

    def _may(self, chat: Chat, author: User | None, as_chat: Chat | None) -> None:
        assert author is None or not author.deactivated, f"{author.name} has no account any more"
        if chat.kind == "private":
            assert author is chat.user, "others do not write in a private chat"
            assert author
            if author.blocked:
                self.unblock(author)
            author.started = True
        elif chat.is_group and (as_chat is None or as_chat is chat):
            assert author, "somebody has to write"
            member = chat.member(author)
            assert member.inside, f"{author.name} is not in {chat.title}"
            silent = member.status == "restricted" and not member.permissions.get("can_send_messages")
            assert not silent, f"{author.name} may not write in {chat.title}"
            assert as_chat is None or member.is_admin, f"{author.name} does not administer {chat.title}"
        assert not chat.migrated_to, f"{chat.title} is a supergroup now"

    def _repost(self, post: Message, group: Chat) -> None:
        copy = compose(self.world, group, self.world.telegram, "", as_chat=post.chat, forward_of=post)
        copy.author = self.world.telegram
        copy.extra["is_automatic_forward"] = True
        self.world.deliver(copy)

    async def edit(self, message: Message, text: str, *, html: bool = False) -> None:
        """Edit a message as its author."""
        assert message.chat.messages.get(message.id) is message, "the message is not there any more"
        message.text, message.entities = read(text, (), (), html=html)
        message.edited = max(self.world.now(), message.date)
        self.world.deliver(message, edited=True)
        await asyncio.sleep(0)

    async def announce(self, chat: Chat, author: User, **fields: Any) -> Message:
        """Write a service message, `new_chat_title="…"` for one."""
        message = self.world.service(chat, author, **fields)
        await asyncio.sleep(0)
        return message

    async def remove(self, message: Message) -> None:
        """Delete a message as its author or an administrator: bots are not told."""
        del message.chat.messages[message.id]
        await asyncio.sleep(0)

    def block(self, user: User) -> None:
        """Block the bot as somebody."""
        user.blocked = True
        self._private_changed(user, "member", "kicked")

    def unblock(self, user: User) -> None:
        """Unblock the bot."""
        user.blocked = False
        self._private_changed(user, "kicked", "member")

    def _private_changed(self, user: User, old: str, new: str) -> None:
        bot = self.world.bot
        self.world.member_changed(user.private, user, Member(bot, old).payload(), Member(bot, new))

    def deactivate(self, user: User) -> None:
        """Delete somebody's account."""
        user.deactivated = True

    @staticmethod
    def _find(message: Message, button: str) -> JSON:
        for one in message.buttons:
            if button in (one["text"], one.get("callback_data")):
                return one
        raise AssertionError(f"no button {button!r} among {message.labels}")

    async def press(
        self, user: User, message: Message, button: str, *, final: bool = True, inaccessible: bool = False
    ) -> CallbackAnswer:
        """Press a button, named by its label or callback data, and wait for the answer unless `final` is false."""
        chat = message.chat
        assert chat.messages.get(message.id) is message, "the message is not there any more"
        assert chat.user is user or chat.member(user).inside, f"{user.name} does not see this message"
        data = self._find(message, button).get("callback_data")
        assert data is not None, f"{button!r} does not call back"
        id = str(secrets.randbelow(1 << 62))
        answer = self.queries[id] = CallbackAnswer(id, time.monotonic())
        shown = message.payload()
        if inaccessible:
            shown = {"chat": shown["chat"], "message_id": message.id, "date": 0}
        payload: JSON = {"id": id, "from": user.payload(), "message": shown, "data": data}
        self.world.emit("callback_query", payload | {"chat_instance": str(hash(chat.id))})
        await asyncio.sleep(0)
        if final:
            await until(lambda: answer.answered, self.patience, f"an answer to {button!r}")
        return answer

    async def follow(self, user: User, message: Message, button: str) -> Message:
        """Follow a button with a deep link to the bot: `/start`, with the link's payload."""
        url = str(self._find(message, button).get("url", ""))
        link, _, payload = url.partition("?start=")
        assert link.endswith(f"t.me/{self.world.bot.username}"), f"{url!r} is no deep link to the bot"
        return await self.write(user.private, user, f"/start {payload}".strip())

    async def _answer(self, call: Call) -> Any:
        query = self.queries.get(str(call["callback_query_id"]))
        if query is None or query.answered or time.monotonic() - query.at > self.query_age:
            raise bad(_OLD)
        text = call.get("text")
        if text is not None and len(str(text)) > 200:
            raise bad("MESSAGE_TOO_LONG", fault=True)
        query.text, query.alert, query.url = text, bool(call.get("show_alert")), call.get("url")
        query.answered = True
        return True

    async def upgrade(self, group: Group) -> Group:
        """Make a group a supergroup and return it: it has another id, and the bot is told in both."""
        assert group.kind == "group", f"{group.title} is a supergroup"
        world = self.world
        made = world.new_chat(group.title, "supergroup")
        made.privacy = group.privacy
        made.permissions = dict(group.permissions)
        made.members = {id: one for id, one in group.members.items() if one.user is not world.bot}
        if group.bot:
            here = made.members[world.bot.id] = Member(world.bot, group.bot.status, group.bot.rights)
            world.member_changed(made, group.owner, Member(world.bot, "left").payload(), here)
        world.service(group, group.owner, migrate_to_chat_id=made.id)
        world.service(made, world.anonymous, made, migrate_from_chat_id=group.id)
        group.migrated_to = made
        await asyncio.sleep(0)
        return made
