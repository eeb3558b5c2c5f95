"""Telegram's written forms: names, times and links in HTML, and other people's words without their power."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape, unescape
from unicodedata import category

from bot.platforms.console import visible
from classifiers.conversation import Account

LONGEST = 4096
_TAG = re.compile(r"<[^>]*>")
_NAME = 40
_SUPERGROUPS = 10**12  # supergroups are numbered from minus this down, basic groups above it
_ALIVE = re.compile(r"[@#$/:.](?!\s)")  # at the end, too: words in bold may follow
_NUMBER = re.compile(r"\d(?:\W{0,3}\d){6,}")  # to call, or of a card
_BREAK = "\u200b"
_UNSEEN = ("C", "Z", "M")
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs that show nothing


def disarmed(text: str) -> str:
    """Return somebody's words as plain text: no tag, link, number, line break or control sign is alive."""
    text = _NUMBER.sub(lambda found: _BREAK.join(found[0]), visible(text))
    return escape(_ALIVE.sub(f"\\g<0>{_BREAK}", text), quote=False)


def jump(space: str, channel: str, message: str) -> str | None:
    """Return the address of a message, None in basic groups and from before a group moved."""
    chat, _, topic = channel.partition("/")
    inside = -int(space) - _SUPERGROUPS
    if inside <= 0 or chat != space:
        return None
    return "/".join(["https://t.me/c", str(inside), *([topic] if topic else []), message])


def length(html: str) -> int:
    """Return how long Telegram holds a text to be: without its tags, in units of UTF-16."""
    return len(unescape(_TAG.sub("", html)).encode("utf-16-le", "surrogatepass")) // 2


def latest(lines: Sequence[str]) -> str:
    """Return the last lines that fit into one message, in HTML."""
    kept: list[str] = []
    for line in reversed(lines):
        if length("\n".join([*kept, line])) > LONGEST:
            break
        kept.append(line)
    return "\n".join(reversed(kept))


class Markup:
    """Writes an alert in HTML; `names` are what people are called now, by id."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def bold(self, text: str) -> str:
        """Return Haven's own words in bold."""
        return f"<b>{escape(text, quote=False)}</b>"

    def person(self, account: Account) -> str:
        """Return the present name, without a link that would call them."""
        name = self._names.get(account.id, "")
        seen = any(category(one)[0] not in _UNSEEN and one not in _BLANK for one in name[:_NAME])
        return disarmed(name[:_NAME]) if seen else f"account {account.id}"

    def moment(self, at: datetime) -> str:
        """Return a time in UTC."""
        return f"{at:%d %b %Y %H:%M} UTC"

    def link(self, text: str, space: str, channel: str, message: str) -> str:
        """Return a link to a message, or the words alone."""
        address = jump(space, channel, message)
        return f'<a href="{address}">{text}</a>' if address else text

    def hidden(self, excerpt: str, carried: Sequence[tuple[int, int]]) -> str:
        """Return an excerpt, disarmed and hidden until it is pressed, with the words that carried it in bold."""
        parts, end = [], 0
        for start, stop in carried:
            parts += [disarmed(excerpt[end:start]), f"<b>{disarmed(excerpt[start:stop])}</b>"]
            end = stop
        return f"<tg-spoiler>{_BREAK.join([*parts, disarmed(excerpt[end:])])}</tg-spoiler>"
