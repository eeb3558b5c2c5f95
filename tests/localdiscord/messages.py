"""Messages with their embeds, components and files, and the objects that Discord sends about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localdiscord.permissions import Intent, Permission
from localdiscord.state import JSON, Channel, Role, User, stamp

SUPPRESS_EMBEDS, EPHEMERAL, LOADING, SNAPSHOT, COMPONENTS_V2 = 1 << 2, 1 << 6, 1 << 7, 1 << 14, 1 << 15
_MENTION = re.compile(r"<@(?P<role>&?)!?(?P<id>\d+)>")


@dataclass(eq=False, repr=False)
class File:
    """A file of a message."""

    id: str
    name: str
    data: bytes
    url: str
    description: str | None = None
    kind: str = "application/octet-stream"

    def __repr__(self) -> str:
        return f"<File {self.name} {len(self.data)} bytes>"

    def payload(self) -> JSON:
        """Return the attachment object."""
        made: JSON = {"id": self.id, "filename": self.name, "size": len(self.data), "url": self.url}
        made |= {"proxy_url": self.url, "content_type": self.kind}
        return made | {"description": self.description} if self.description else made


def nested(components: Iterable[JSON]) -> Iterator[JSON]:
    """Go through components and everything inside them."""
    for component in components:
        yield component
        yield from nested(component.get("components") or ())
        for key in ("component", "accessory"):
            if isinstance(component.get(key), dict):
                yield from nested([component[key]])


def whole_components(components: Iterable[JSON]) -> list[JSON]:
    """Return components as Discord gives them back: with ids and defaults, without what is null."""
    count = 0

    def whole(component: JSON) -> JSON:
        nonlocal count
        count += 1
        made = {key: value for key, value in component.items() if value is not None}
        made["id"] = component.get("id") or count
        if made["type"] in (3, 5, 6, 7, 8):
            made = {"min_values": 1, "max_values": 1} | made
        if made["type"] == 17:
            made = {"accent_color": None, "spoiler": False} | made
        for key, value in made.items():
            if key == "components":
                made[key] = [whole(one) for one in value]
            elif key in ("component", "accessory"):
                made[key] = whole(value)
            elif key == "default_values":
                made[key] = [one | {"id": str(one["id"])} for one in value]
        return made

    return [whole(component) for component in components]


def whole_embeds(embeds: Iterable[JSON]) -> list[JSON]:
    """Return embeds as Discord gives them back: of kind rich, with defaults."""
    made = []
    for embed in embeds:
        one = {key: value for key, value in embed.items() if value not in (None, "", [])} | {"type": "rich"}
        if "fields" in one:
            one["fields"] = [{"inline": False} | field for field in one["fields"]]
        made.append(one)
    return made


def words(content: str, embeds: Iterable[JSON], components: Iterable[JSON]) -> str:
    """Return everything that a reader sees as text: content, embeds and text components."""
    seen = [content]
    for embed in embeds:
        seen += [embed.get("author", {}).get("name", ""), embed.get("title", ""), embed.get("description", "")]
        for one in embed.get("fields", []):
            seen += [one["name"], one["value"]]
        seen.append(embed.get("footer", {}).get("text", ""))
    seen += [component["content"] for component in nested(components) if component["type"] == 10]
    return "\n".join(part for part in seen if part)


@dataclass(eq=False, repr=False)
class Message:
    """A message, kept after its deletion, too."""

    id: str
    channel: Channel
    author: User
    content: str
    at: datetime
    type: int = 0
    flags: int = 0
    embeds: list[JSON] = field(default_factory=list)
    components: list[JSON] = field(default_factory=list)
    attachments: list[File] = field(default_factory=list)
    mentions: list[User] = field(default_factory=list)
    mention_roles: list[Role] = field(default_factory=list)
    mention_everyone: bool = False
    reply_to: Message | None = None
    snapshot: JSON | None = None
    webhook_id: str | None = None
    interaction: JSON | None = None
    poll: JSON | None = None
    nonce: str | int | None = None
    edited: datetime | None = None
    deleted: bool = False

    def __repr__(self) -> str:
        return f"<Message {self.id} of {self.author.name}: {self.text!r}>"

    @property
    def ephemeral(self) -> bool:
        """Whether only one person sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def text(self) -> str:
        """Everything that a reader sees as text."""
        return words(self.content, self.embeds, self.components)

    @property
    def files(self) -> dict[str, bytes]:
        """The files by name."""
        return {file.name: file.data for file in self.attachments}

    @property
    def buttons(self) -> list[str]:
        """The labels of the buttons."""
        return [one.get("label", "") for one in nested(self.components) if one["type"] == 2]

    @property
    def url(self) -> str:
        """The address of the message in Discord's own client."""
        return f"{self.channel.url}/{self.id}"

    def read_mentions(self, allowed: JSON | None, extra: Iterable[User | Role] = ()) -> None:
        """Find whom the text mentions, as far as that is allowed."""
        world, guild = self.channel.world, self.channel.guild
        rules: JSON = (
            allowed if allowed is not None else {"parse": ["users", "roles", "everyone"], "replied_user": True}
        )
        parse: list[str] = rules.get("parse") or []
        users: dict[str, User] = {one.id: one for one in extra if isinstance(one, User)}
        roles: dict[str, Role] = {one.id: one for one in extra if isinstance(one, Role)}
        for found in _MENTION.finditer(self.content):
            id = found["id"]
            if found["role"]:
                may = "roles" in parse or id in map(str, rules.get("roles") or [])
                if guild and id in guild.roles and may:
                    roles[id] = guild.roles[id]
            elif id in world.users and ("users" in parse or id in map(str, rules.get("users") or [])):
                users[id] = world.users[id]
        if self.reply_to and rules.get("replied_user") and self.reply_to.author is not self.author:
            users[self.reply_to.author.id] = self.reply_to.author
        self.mentions, self.mention_roles = list(users.values()), list(roles.values())
        named = "@everyone" in self.content or "@here" in self.content
        member = guild.members.get(self.author.id) if guild else None
        may = member is None or bool(member.permissions(self.channel) & Permission.MENTION_EVERYONE)
        self.mention_everyone = guild is not None and named and "everyone" in parse and may

    def open_to(self, bot: User) -> bool:
        """Say whether the bot gets the content even without the intent."""
        private = self.channel.guild is None or self.ephemeral
        return private or self.author is bot or bot in self.mentions or self.webhook_id == self.channel.world.app_id

    def payload(self, content: bool = True, *, reply: bool = True) -> JSON:
        """Return the message object, with its content or without."""
        bot = self.channel.world.bot
        shown = content or self.open_to(bot)
        author = self.author.payload()
        if self.webhook_id and self.author is not bot:
            author |= {"id": self.webhook_id, "bot": True, "discriminator": "0000"}
        made: JSON = {
            "type": self.type,
            "content": self.content if shown else "",
            "mentions": [user.payload() for user in self.mentions],
            "mention_roles": [role.id for role in self.mention_roles],
            "attachments": [file.payload() for file in self.attachments] if shown else [],
            "embeds": self.embeds if shown and not self.flags & SUPPRESS_EMBEDS else [],
            "timestamp": stamp(self.at),
            "edited_timestamp": stamp(self.edited) if self.edited else None,
            "flags": self.flags,
            "components": self.components if shown else [],
            "id": self.id,
            "channel_id": self.channel.id,
            "author": author,
            "pinned": False,
            "mention_everyone": self.mention_everyone,
            "tts": False,
        }
        if self.webhook_id:
            made["webhook_id"] = self.webhook_id
        if self.webhook_id == self.channel.world.app_id:
            made["application_id"] = self.webhook_id
        if self.interaction:
            made["interaction_metadata"] = self.interaction
        if self.poll and shown:
            made["poll"] = self.poll
        if self.nonce is not None:
            made["nonce"] = self.nonce
        if self.snapshot:
            made["message_reference"] = self.snapshot["reference"]
            made["message_snapshots"] = [{"message": self.snapshot["message"]}] if shown else []
        elif self.reply_to:
            made["message_reference"] = self.reply_to.reference()
            if reply:
                gone = self.reply_to.deleted
                made["referenced_message"] = None if gone else self.reply_to.payload(content, reply=False)
        return made

    def reference(self, kind: int = 0) -> JSON:
        """Return how another message refers to this one."""
        made: JSON = {"type": kind, "channel_id": self.channel.id, "message_id": self.id}
        return made | {"guild_id": self.channel.guild.id} if self.channel.guild else made

    def in_gateway(self, content: bool) -> JSON:
        """Return the object as gateway events have it: with guild, member and the members mentioned."""
        made = self.payload(content)
        guild = self.channel.guild
        if guild is None or self.ephemeral:
            return made | {"channel_type": self.channel.kind}
        made |= {"guild_id": guild.id, "channel_type": self.channel.kind}
        if self.author.id in guild.members and (not self.webhook_id or self.author is guild.world.bot):
            made["member"] = guild.members[self.author.id].payload(user=False)
        for mention in made["mentions"]:
            if mention["id"] in guild.members:
                mention["member"] = guild.members[mention["id"]].payload(user=False)
        return made

    def tell(self, event: str) -> None:
        """Send MESSAGE_CREATE or MESSAGE_UPDATE, if the bot may see the message."""
        world, guild = self.channel.world, self.channel.guild
        if not world.seen_by_bot(self.channel, ephemeral=self.ephemeral):
            return
        private = guild is None or self.ephemeral
        intents = Intent.DIRECT_MESSAGES if private else Intent.GUILD_MESSAGES
        world.emit(
            event,
            intents,
            None if private else guild,
            lambda session: self.in_gateway(bool(session.intents & Intent.MESSAGE_CONTENT)),
        )

    def delete(self, *, quietly: bool = False) -> None:
        """Delete the message and, unless told otherwise, send MESSAGE_DELETE."""
        self.deleted = True
        self.channel.messages.pop(self.id, None)
        guild = self.channel.guild
        if quietly or not self.channel.world.seen_by_bot(self.channel, ephemeral=self.ephemeral):
            return
        private = guild is None or self.ephemeral
        data: dict[str, Any] = {"id": self.id, "channel_id": self.channel.id}
        if guild and not private:
            data["guild_id"] = guild.id
        intents = Intent.DIRECT_MESSAGES if private else Intent.GUILD_MESSAGES
        self.channel.world.emit("MESSAGE_DELETE", intents, None if private else guild, lambda session: data)


def snapshot_of(text: str, of: Message | None, channel: Channel) -> JSON:
    """Return what a forward carries: a reference to where it is from and a copy of the text."""
    moment = of.at if of else channel.world.now()
    reference = of.reference(1) if of else {"type": 1, "channel_id": channel.world.new_id()}
    if not of:
        reference["message_id"] = channel.world.new_id()
    copy: JSON = {"type": 0, "content": text, "timestamp": stamp(moment), "edited_timestamp": None, "flags": 0}
    copy |= {key: [] for key in ("mentions", "mention_roles", "attachments", "embeds", "components")}
    return {"reference": reference, "message": copy}


def poll_of(question: str, answers: Iterable[str], end: datetime) -> JSON:
    """Return a poll that nobody has answered yet."""
    options = [{"answer_id": number, "poll_media": {"text": text}} for number, text in enumerate(answers, 1)]
    made: JSON = {"question": {"text": question}, "answers": options, "expiry": stamp(end), "layout_type": 1}
    return made | {"allow_multiselect": False, "results": {"is_finalized": False, "answer_counts": []}}


def bulk_delete(channel: Channel, ids: Iterable[str]) -> None:
    """Delete several messages of a guild's channel with one event."""
    gone = [id for id in ids if id in channel.messages]
    for id in gone:
        channel.messages[id].delete(quietly=True)
    guild = channel.guild
    if gone and guild and channel.world.seen_by_bot(channel):
        data = {"ids": gone, "channel_id": channel.id, "guild_id": guild.id}
        channel.world.emit("MESSAGE_DELETE_BULK", Intent.GUILD_MESSAGES, guild, lambda session: data)
