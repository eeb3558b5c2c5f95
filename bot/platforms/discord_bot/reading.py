"""Translates what Discord's gateway brings into messages."""

from __future__ import annotations

import re

import discord

from bot.archives import media
from bot.archives.discord_json import unquote
from bot.archives.export import recipients, sound
from classifiers.conversation import Account, Message

NAME = "discord"
_WRITTEN = (discord.MessageType.default, discord.MessageType.reply)
_MARKUP = (
    (re.compile(r"<@!?\d+>"), "@somebody"),
    (re.compile(r"<(?:@&|#)\d+>"), ""),
    (re.compile(r"<a?(:\w+:)\d+>"), r"\1"),
    (re.compile(r"</([\w -]+):\d+>"), r"/\1"),
    (re.compile(r"<t:-?\d+(?::\w)?>"), ""),
)


def account(user: discord.abc.Snowflake) -> Account:
    """Return the account of a user."""
    return Account(NAME, str(user.id))


def to_message(message: discord.Message) -> Message | None:
    """Translate what a member wrote or edited; None for bots, webhooks, system messages and what has no words.

    Quoted lines and forwards are kept apart from the author's own words.
    """
    if message.author.bot or message.webhook_id or message.type not in _WRITTEN:
        return None
    quotes = sound(unquote(message.content)[1])
    text, quoted = own_words(message), "\n".join(filter(None, [quotes, forwarded_words(message)]))
    if not text and not quoted:
        return None
    author = account(message.author)
    return Message(
        id=str(message.id),
        space=str(message.guild.id) if message.guild else NAME,
        channel=str(message.channel.id),
        author=author,
        text=text,
        sent_at=message.edited_at or message.created_at,
        to=recipients(author, _named(message)),
        quoted=quoted,
        forwarded=bool(message.message_snapshots),
    )


def _named(message: discord.Message) -> list[Account]:
    """Return whom a message is said to: whom it answers, then the members whom it mentions, in the order of its words.

    Discord mentions anybody, also who has never been in the server and cannot be meant.
    """
    members = {user.id: user for user in message.mentions if isinstance(user, discord.Member) and not user.bot}
    named = [account(members[id]) for id in (*message.raw_mentions, *members) if id in members]
    replied = message.reference.resolved if message.reference else None
    if isinstance(replied, discord.Message) and not replied.author.bot and not message.message_snapshots:
        return [account(replied.author), *named]
    return named


def own_words(message: discord.Message) -> str:
    """Return what the author wrote, without quotes and markup, with a word for each file, a post's title and a poll."""
    titles = [message.channel.name] if isinstance(message.channel, discord.Thread) and _begins(message) else []
    poll = [message.poll.question, *(answer.text for answer in message.poll.answers)] if message.poll else []
    return sound("\n".join(filter(None, [*titles, _words(unquote(message.content)[0], message), *poll])))


def _begins(message: discord.Message) -> bool:
    """Return whether a message begins a post of a forum, whose title its author wrote, too."""
    return message.id == message.channel.id


def forwarded_words(message: discord.Message) -> str:
    """Return what a forward carries; Discord does not say who wrote it."""
    return "\n".join(filter(None, (_words(snapshot.content, snapshot) for snapshot in message.message_snapshots)))


def shown_words(message: discord.Message) -> str:
    """Return everything that can be read in a message, as a private check looks at it."""
    return "\n".join(filter(None, [_words(message.content, message), forwarded_words(message)]))


def _words(content: str, holder: discord.Message | discord.MessageSnapshot) -> str:
    content = sound(content)
    for pattern, plain in _MARKUP:
        content = pattern.sub(plain, content)
    files = [media.word(attachment.filename) for attachment in holder.attachments]
    return media.append(content.strip(), [*files, *(media.STICKER for _ in holder.stickers)])
