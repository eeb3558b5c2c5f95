"""Everything Haven can do to the world, as data; there is no effect that posts publicly or addresses the sender."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from classifiers.assessment import Evidence, Kind, Level
from classifiers.conversation import Account


class Advice(StrEnum):
    """What became of the private warning to one target."""

    PENDING = "pending"  # recorded, being delivered
    DELIVERED = "delivered"
    REFUSED = "refused"  # the person accepts no private messages
    UNREACHABLE = "unreachable"  # the platform gives no way to write to this person
    FAILED = "failed"  # the platform did not take it in time
    DECLINED = "declined"  # the person asked not to be written to
    RECENT = "recent"  # the person was written to within the cool-down
    WAITING = "waiting"  # a moderator has to press, or the person has not opted in
    UNSURE = "unsure"  # the evidence is below the level of writing to the target


class Ruling(StrEnum):
    """A moderator's judgement of a case."""

    CONFIRMED = "confirmed"
    NOT_SEXTORTION = "not_sextortion"


@dataclass(frozen=True, slots=True)
class Target:
    """One person aimed at in a case, and what became of the warning to them."""

    account: Account
    advice: Advice


@dataclass(frozen=True, slots=True)
class Alert:
    """What the moderators of a space see of one case; it changes only when it has something new to say.

    `destination` is where the moderators read, None for the platform's default; `channel` and
    `message_id` say where the case was noticed. `sender` is None when only a disclosure was seen.
    """

    case: str
    space: str
    destination: str | None
    locale: str
    kind: Kind
    level: Level
    channel: str
    message_id: str
    sender: Account | None
    targets: tuple[Target, ...]
    evidence: tuple[Evidence, ...]
    crisis: bool
    ruling: Ruling | None
    likely: Account | None = None


@dataclass(frozen=True, slots=True)
class AdviseTarget:
    """Send the advice to one person in private; it carries no word of what was written to them."""

    case: str
    space: str
    target: Account
    kind: Kind
    locale: str
    crisis: bool


@dataclass(frozen=True, slots=True)
class AlertModerators:
    """Show a new alert to the moderators."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class UpdateAlert:
    """Edit the alert that `reference` names in place."""

    alert: Alert
    reference: str


Effect = AdviseTarget | AlertModerators | UpdateAlert


class Outcome(StrEnum):
    """How an attempt to perform an effect ended."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    DECLINED = "declined"  # the person has said no since
    WITHDRAWN = "withdrawn"  # the case has been ruled out since
    GONE = "gone"  # the alert to edit no longer exists
    FAILED = "failed"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of one attempt: the platform's id of what was posted, and a detail free of message text.

    `retry_after` is in seconds and only read when the outcome is RETRY.
    """

    outcome: Outcome
    reference: str | None = None
    detail: str = ""
    retry_after: float | None = None


class Platform(Protocol):
    """Where effects become real; one file under `bot/platforms` each."""

    name: str

    async def perform(self, effect: Effect) -> Delivery:
        """Do it once and say how it ended; an exception counts as RETRY."""
        ...
