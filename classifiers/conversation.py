"""The words every part of Haven speaks in: who wrote what, where, when and to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

LONGEST = 4_000
"""The characters that are read of a message, as many as Discord allows; of a longer one its beginning and its end."""
MOST_NAMED = 10
"""The accounts that a message may answer or name; those after them are left out."""


class Account(msgspec.Struct, frozen=True, order=True, gc=False):
    """One account on one platform, known by its opaque id; names and avatars are never kept."""

    platform: str
    id: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message as every platform and export is translated into.

    `space` is the server or group and decides the policy; `channel` is where the conversation happens.
    `to` names the accounts it answers or mentions. `quoted` holds words of somebody else that the
    author repeats (quotes, forwards), kept apart so that quoting a threat is not making one.
    `sent_at` is an aware UTC time. However much was written, a message is bounded from here on.
    """

    id: str
    space: str
    channel: str
    author: Account
    text: str = field(repr=False)  # so that no error shows it
    sent_at: datetime
    to: tuple[Account, ...] = ()
    quoted: str = field(default="", repr=False)
    forwarded: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", cut(self.text))
        object.__setattr__(self, "quoted", cut(self.quoted))
        object.__setattr__(self, "to", self.to[:MOST_NAMED])


def cut(text: str) -> str:
    """Return a text, or of one that is longer than `LONGEST` the two ends of it."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[: half - 1]}\n{text[-half:]}"
