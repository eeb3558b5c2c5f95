"""Channels and their messages over HTTP: sending, editing, reading, deleting and opening DMs and threads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from localdiscord.messages import (
    COMPONENTS_V2,
    EPHEMERAL,
    SUPPRESS_EMBEDS,
    File,
    Message,
    bulk_delete,
    whole_components,
    whole_embeds,
)
from localdiscord.permissions import THREADS, Permission
from localdiscord.rest import Call, Created, Refusal, Rest, Upload
from localdiscord.rules import Problem, check_message, is_empty
from localdiscord.state import JSON, Channel, User
from localdiscord.world import World


def invalid(problems: list[Problem]) -> Refusal:
    """Return the refusal of a body."""
    return Refusal(400, 50035, "Invalid Form Body", problems)


def files_of(world: World, channel: Channel, uploads: list[Upload], body: JSON, kept: list[File]) -> list[File]:
    """Return the files that a message has after a request."""
    listed: list[JSON] | None = body.get("attachments")
    described = {str(one.get("id")): one for one in listed or []}
    made = kept if listed is None else [file for file in kept if file.id in described]
    for index, upload in enumerate(uploads):
        about = described.get(upload.field.removeprefix("files[").removesuffix("]"), {})
        id = world.new_id()
        name = about.get("filename") or upload.name or f"file{index}"
        url = f"{world.address}/attachments/{channel.id}/{id}/{name}"
        made = [*made, File(id, name, upload.data, url, about.get("description"), upload.kind)]
    return made


def apply(message: Message, body: JSON, uploads: list[Upload]) -> None:
    """Give a message what a request's body has for it."""
    world = message.channel.world
    if "content" in body:
        message.content = (body["content"] or "").strip()
    if "embeds" in body:
        message.embeds = whole_embeds(body["embeds"] or [])
    if "components" in body:
        message.components = whole_components(body["components"] or [])
    message.attachments = files_of(world, message.channel, uploads, body, message.attachments)
    if body.get("flags") is not None:
        kept = message.flags & ~SUPPRESS_EMBEDS
        message.flags = kept | int(body["flags"]) & (SUPPRESS_EMBEDS | COMPONENTS_V2 | 1 << 12)
    if "content" in body or "allowed_mentions" in body:
        message.read_mentions(body.get("allowed_mentions"))


def check(body: JSON, uploads: list[Upload], flags: int, before: Message | None = None) -> None:
    """Refuse a message's body as Discord does."""
    problems = check_message(body, flags | int(body.get("flags") or 0), len(uploads))
    if problems:
        raise invalid(problems)
    shown: JSON = body
    files = len(uploads)
    if before:
        shown = {"content": before.content, "embeds": before.embeds, "components": before.components} | body
        files += len(before.attachments) if body.get("attachments") is None else len(body["attachments"])
    if is_empty(shown, files):
        raise Refusal(400, 50006, "Cannot send an empty message")


class Channels:
    """The routes below /channels."""

    def __init__(self, world: World, rest: Rest) -> None:
        self.world = world
        self.closed: dict[str, tuple[int, int, bool]] = {}
        self.nonces: dict[tuple[str, str], Message] = {}
        self.content_enabled: Callable[[], bool] = lambda: True
        one = "/channels/{channel_id}/messages/{message_id}"
        rest.add("POST", "/users/@me/channels", self.open)
        rest.add("GET", "/channels/{channel_id}", self.get)
        rest.add("DELETE", "/channels/{channel_id}", self.close)
        rest.add("POST", "/channels/{channel_id}/messages", self.send)
        rest.add("GET", "/channels/{channel_id}/messages", self.history)
        rest.add("GET", one, self.fetch)
        rest.add("PATCH", one, self.edit)
        rest.add("DELETE", one, self.delete)
        rest.add("POST", "/channels/{channel_id}/messages/bulk-delete", self.bulk)
        rest.add("POST", "/channels/{channel_id}/typing", self.typing)
        rest.add("POST", "/channels/{channel_id}/threads", self.thread)
        rest.add("POST", one + "/threads", self.thread)
        rest.add("PUT", "/channels/{channel_id}/thread-members/@me", self.join)

    def _channel(self, call: Call, needed: int = 0) -> Channel:
        channel = self.world.channels.get(call["channel_id"])
        if channel is None:
            raise Refusal(404, 10003, "Unknown Channel")
        if not self.world.seen_by_bot(channel):
            raise Refusal(403, 50001, "Missing Access")
        if channel.guild and needed & ~self.world.bot_permissions(channel):
            raise Refusal(403, 50013, "Missing Permissions")
        return channel

    def _message(self, call: Call, channel: Channel) -> Message:
        message = channel.messages.get(call["message_id"])
        if message is None:
            raise Refusal(404, 10008, "Unknown Message")
        return message

    def _shown(self, message: Message) -> JSON:
        return message.payload(self.content_enabled())

    async def open(self, call: Call) -> Any:
        """Open the DM with somebody."""
        user = self.world.users.get(str(call.body.get("recipient_id")))
        if user is None or user is self.world.bot:
            raise Refusal(400, 50033, "Invalid Recipient(s)")
        self._refused(user, opening=True)
        return self.world.dm(user).payload()

    def _refused(self, user: User, *, opening: bool) -> None:
        code, status, when_opening = self.closed.get(user.id, (0, 0, False))
        if code and opening is when_opening:
            texts = {50278: "Cannot send messages to this user due to having no mutual guilds"}
            texts |= {40003: "You are opening direct messages too fast", 20026: "Access to DMs was limited"}
            raise Refusal(status, code, texts.get(code, "Cannot send messages to this user"))

    def _sending_to(self, channel: Channel) -> None:
        user = channel.recipients[0]
        if user.bot:
            raise Refusal(403, 50007, "Cannot send messages to this user")
        self._refused(user, opening=False)
        shared = any(guild.bot and user.id in guild.members for guild in self.world.guilds.values())
        wrote = any(message.author is user for message in channel.messages.values())
        if not (shared or wrote or user.installed):
            raise Refusal(403, 50278, "Cannot send messages to this user due to having no mutual guilds")

    async def get(self, call: Call) -> Any:
        """Answer with a channel."""
        return self._channel(call).payload()

    async def close(self, call: Call) -> Any:
        """Delete a channel."""
        channel = self._channel(call)
        right = Permission.MANAGE_THREADS if channel.kind in THREADS else Permission.MANAGE_CHANNELS
        self._channel(call, right)
        if channel.guild:
            channel.delete()
        return channel.payload()

    async def send(self, call: Call) -> Any:
        """Write a message as the bot."""
        channel, body = self._channel(call), call.body
        if channel.guild:
            self._may_send(channel, call)
        if channel.kind in (4, 15, 16):
            raise Refusal(400, 50008, "Cannot send messages in a non-text channel")
        check(body, call.files, 0)
        nonce = body.get("nonce")
        if nonce is not None and body.get("enforce_nonce"):
            old = self.nonces.get((channel.id, str(nonce)))
            if old and self.world.now() - old.at < timedelta(minutes=5):
                return self._shown(old)
        if channel.guild is None:
            self._sending_to(channel)
        message = Message(self.world.new_id(), channel, self.world.bot, "", self.world.now(), nonce=nonce)
        reference = body.get("message_reference")
        if reference:
            message.reply_to = channel.messages.get(str(reference.get("message_id")))
            if message.reply_to is None and reference.get("fail_if_not_exists", True):
                raise invalid([("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")])
            if channel.guild and not self.world.bot_permissions(channel) & Permission.READ_MESSAGE_HISTORY:
                raise Refusal(403, 160002, "Cannot reply without permission to read message history")
            message.type = 19 if message.reply_to else 0
        apply(message, {"content": ""} | body, call.files)
        if int(body.get("flags") or 0) & EPHEMERAL:
            self.world.complain(f"POST {call.path}: only answers to interactions can be ephemeral")
        if channel.archived and not channel.locked:
            channel.archived = False
            channel.updated()
        channel.messages[message.id] = message
        if nonce is not None:
            self.nonces[channel.id, str(nonce)] = message
        message.tell("MESSAGE_CREATE")
        return self._shown(message)

    def _may_send(self, channel: Channel, call: Call) -> None:
        needed = int(Permission.SEND_MESSAGES)
        if call.body.get("embeds"):
            needed |= Permission.EMBED_LINKS
        if call.files:
            needed |= Permission.ATTACH_FILES
        self._channel(call, needed)
        if channel.locked and not self.world.bot_permissions(channel) & Permission.MANAGE_THREADS:
            raise Refusal(400, 50083, "Thread is archived")

    async def history(self, call: Call) -> Any:
        """Answer with messages, the newest first."""
        channel = self._channel(call)
        if channel.guild and not self.world.bot_permissions(channel) & Permission.READ_MESSAGE_HISTORY:
            return []
        found = sorted(channel.messages.values(), key=lambda one: int(one.id), reverse=True)
        limit = int(call.query.get("limit", 50))
        if not 1 <= limit <= 100:
            raise invalid([("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")])
        if "before" in call.query:
            found = [one for one in found if int(one.id) < int(call.query["before"])]
        if "after" in call.query:
            found = [one for one in found if int(one.id) > int(call.query["after"])][-limit:]
        if "around" in call.query:
            middle = int(call.query["around"])
            found = sorted(found, key=lambda one: abs(int(one.id) - middle))[:limit]
            found.sort(key=lambda one: int(one.id), reverse=True)
        return [self._shown(one) for one in found[:limit]]

    async def fetch(self, call: Call) -> Any:
        """Answer with a message."""
        channel = self._channel(call, int(Permission.READ_MESSAGE_HISTORY))
        return self._shown(self._message(call, channel))

    async def edit(self, call: Call) -> Any:
        """Edit one of the bot's messages."""
        message = self._message(call, self._channel(call))
        if message.author is not self.world.bot:
            raise Refusal(403, 50005, "Cannot edit a message authored by another user")
        check(call.body, call.files, message.flags, message)
        apply(message, call.body, call.files)
        message.edited = self.world.now()
        message.tell("MESSAGE_UPDATE")
        return self._shown(message)

    async def delete(self, call: Call) -> None:
        """Delete a message."""
        channel = self._channel(call)
        message = self._message(call, channel)
        if message.author is not self.world.bot:
            if channel.guild is None:
                raise Refusal(403, 50003, "Cannot execute action on a DM channel")
            self._channel(call, int(Permission.MANAGE_MESSAGES))
        message.delete()

    async def bulk(self, call: Call) -> None:
        """Delete several messages."""
        channel, ids = self._channel(call, int(Permission.MANAGE_MESSAGES)), call.body.get("messages") or []
        if channel.guild is None:
            raise Refusal(403, 50003, "Cannot execute action on a DM channel")
        if not 2 <= len(ids) <= 100:
            raise Refusal(
                400, 50016, "Provided too few or too many messages to delete. Must provide 2 to 100 messages."
            )
        oldest = self.world.now() - timedelta(days=14)
        if any(self.world.moment(str(id)) < oldest for id in ids):
            raise Refusal(400, 50034, "You can only bulk delete messages that are under 14 days old.")
        bulk_delete(channel, map(str, ids))

    async def typing(self, call: Call) -> None:
        """Show that the bot types."""
        channel = self._channel(call, int(Permission.SEND_MESSAGES))
        if channel.guild is None:
            self._refused(channel.recipients[0], opening=False)

    async def thread(self, call: Call) -> Any:
        """Open a thread or a forum post."""
        private = call.body.get("type", 12 if "message_id" not in call.params else 11) == 12
        right = Permission.CREATE_PRIVATE_THREADS if private else Permission.CREATE_PUBLIC_THREADS
        channel = self._channel(call, int(Permission.SEND_MESSAGES if "message" in call.body else right))
        if channel.guild is None:
            raise Refusal(403, 50003, "Cannot execute action on a DM channel")
        made = channel.guild.thread(channel, str(call.body.get("name")), 12 if private else 11, self.world.bot)
        if "message" in call.body:
            check(call.body["message"], call.files, 0)
            message = Message(made.id, made, self.world.bot, "", self.world.now())
            apply(message, {"content": ""} | call.body["message"], call.files)
            made.messages[message.id] = message
            message.tell("MESSAGE_CREATE")
            return Created(made.payload() | {"message": self._shown(message)})
        return Created(made.payload())

    async def join(self, call: Call) -> None:
        """Let the bot join a thread."""
        channel = self._channel(call)
        channel.thread_members.add(self.world.bot.id)
