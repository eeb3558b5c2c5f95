"""Discord's written forms: ids, times and links, and other people's words without their power."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import discord

from bot.platforms.console import visible
from classifiers.conversation import Account

BUTTON = re.compile(r"haven:(?P<act>[a-z_]+)(?::(?P<of>\w{1,64}))?")
_LINK = re.compile(r"(?i)(?<=[a-z0-9+.-]):(?=//)|discord(?:app)?\.(?=gg|com/invite)")
_SPECIAL = re.compile(r"([\\`*_~|>\[\]()#:<@-])")


def button_id(act: str, of: str = "") -> str:
    """Return the id of a button: what it does and to what."""
    return f"haven:{act}:{of}" if of else f"haven:{act}"


def person(account: Account) -> str:
    """Return a mention, which shows the present name to those who read it."""
    return f"<@{account.id}>"


def moment(at: datetime) -> str:
    """Return a time that everybody reads in their own time zone."""
    return discord.utils.format_dt(at, "f")


def bold(text: str) -> str:
    """Return Haven's own words in bold."""
    return f"**{text}**"


def jump(space: str, channel: str, message: str) -> str:
    """Return the address of a message."""
    return f"https://discord.com/channels/{space}/{channel}/{message}"


def link(text: str, space: str, channel: str, message: str) -> str:
    """Return a link to a message."""
    return f"[{text}]({jump(space, channel, message)})"


def disarmed(text: str) -> str:
    """Return somebody's words as plain text: no markdown, mention, link, line break or control character is alive."""
    return _SPECIAL.sub(r"\\\1", _LINK.sub(lambda found: found[0] + "\u200b", visible(text))).replace("@", "@\u200b")


def hidden(excerpt: str, carried: Sequence[tuple[int, int]]) -> str:
    """Return an excerpt, disarmed and hidden until it is pressed, with the words that carried it in bold."""
    parts, end = [], 0
    for start, stop in carried:
        parts += [disarmed(excerpt[end:start]), f"**{disarmed(excerpt[start:stop])}**"]
        end = stop
    return f"||{''.join([*parts, disarmed(excerpt[end:])])}||"
