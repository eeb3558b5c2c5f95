"""What a space wants of Haven, and what a person chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from classifiers.assessment import Kind, Sensitivity
from classifiers.conversation import Account

_PRIVATE = "private"


class Mode(IntEnum):
    """How far a space lets Haven go: only record, also tell moderators, also write to targets."""

    OBSERVE = 0
    ALERT = 1
    ADVISE = 2


class AdviceBy(StrEnum):
    """Who sets off the private warning in a space."""

    AUTOMATIC = "automatic"
    MODERATOR = "moderator"
    OPTED_IN = "opted-in"


@dataclass(frozen=True, slots=True)
class Policy:
    """What one space wants of Haven.

    `alert_channel` is where its moderators read and `page` the role to call where it cannot wait; channels in
    `skipped` are not read. A private chat that its owner lets Haven read `protects` them: nobody else is written to,
    and no moderator is told. `cooldown` is the shortest time between two warnings to one person; a case that was
    quiet for `incident_gap` is over, and what follows is a new one. `salt` keeps ids of cases from telling about whom
    they are to somebody who has no key. With `share_campaigns` the script and the payment
    handles of its cases are compared with those of other spaces. `shift` is how far its moderators' rulings have moved
    what it is alerted of, which they do only with `follow_rulings`.
    """

    mode: Mode = Mode.ADVISE
    sensitivity: Sensitivity = Sensitivity.NORMAL
    advice_by: AdviceBy = AdviceBy.AUTOMATIC
    locale: str = "en-GB"
    alert_channel: str | None = None
    page: str | None = None
    skipped: tuple[str, ...] = ()
    protects: Account | None = None
    cooldown: timedelta = timedelta(days=1)
    incident_gap: timedelta = timedelta(days=7)
    retention: timedelta = timedelta(days=30)
    salt: str = field(default="", compare=False, repr=False)
    share_campaigns: bool = True
    follow_rulings: bool = True
    shift: Mapping[Kind, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a person chose about private warnings (None: nothing yet) and when they last got one."""

    opted_in: bool | None = None
    advised_at: datetime | None = None


def private_space(owner: Account) -> str:
    """Return the space of the private chats that somebody lets Haven read for them."""
    return f"{_PRIVATE}:{owner.platform}:{owner.id}"


def owner_of(space: str) -> Account | None:
    """Return whose private chats a space is, None for a server or group."""
    kind, _, owner = space.partition(":")
    return Account(*owner.split(":", 1)) if kind == _PRIVATE else None
