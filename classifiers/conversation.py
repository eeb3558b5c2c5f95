"""The words every part of Haven speaks in: who wrote what, where, when and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """One account on one platform, known by its opaque id; names and avatars are never kept."""

    platform: str
    id: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message as every platform and export is translated into.

    `space` is the server or group and decides the policy; `channel` is where the conversation happens.
    `to` names the accounts it answers or mentions. `quoted` holds words of somebody else that the
    author repeats (quotes, forwards), kept apart so that quoting a threat is not making one.
    `sent_at` is an aware UTC time.
    """

    id: str
    space: str
    channel: str
    author: Account
    text: str
    sent_at: datetime
    to: tuple[Account, ...] = ()
    quoted: str = ""
    forwarded: bool = False
