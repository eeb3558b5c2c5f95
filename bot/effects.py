"""Everything Haven can do to the world, as data; there is no effect that posts publicly or addresses the sender."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from classifiers.assessment import Evidence, Kind, Level
from classifiers.conversation import Account


class Advice(StrEnum):
    """What became of the private warning to one target."""

    PENDING = "pending"  # recorded, being delivered
    DELIVERED = "delivered"
    REFUSED = "refused"  # the person accepts no private messages
    UNREACHABLE = "unreachable"  # the platform gives no way to write to this person
    UNSTARTED = "unstarted"  # the platform lets nobody be written to before they write; it is sent once they do
    HELD = "held"  # the platform makes Haven wait before it writes to more people
    FAILED = "failed"  # the platform did not take it in time
    UNKNOWN = "unknown"  # Haven was cut off while it wrote: it may have arrived, and is not sent twice
    DISPUTED = "disputed"  # the person was warned and says that it was not about them
    DECLINED = "declined"  # the person asked not to be written to
    ASKED = "asked"  # the person asked for help and got the advice as the answer
    RECENT = "recent"  # a warning because of another case set out within the cool-down
    WAITING = "waiting"  # a moderator has to press, or the person has not opted in
    UNSURE = "unsure"  # the evidence is below the level of writing to the target


class Ruling(StrEnum):
    """A moderator's judgement of a case."""

    CONFIRMED = "confirmed"
    NOT_SEXTORTION = "not_sextortion"


class Act(StrEnum):
    """What a moderator did about a case, as the alert and the audit trail name it."""

    CONFIRMED = "confirmed"
    NOT_SEXTORTION = "not_sextortion"
    ADVISED = "advised"
    TIMED_OUT = "timed_out"
    BANNED = "banned"
    DELETED_MESSAGES = "deleted_messages"
    NOTED = "noted"
    TOOK_EVIDENCE = "took_evidence"


@dataclass(frozen=True, slots=True)
class Target:
    """One person aimed at in a case, what became of the warning to them, and whether a moderator wished it."""

    account: Account
    advice: Advice
    by_moderator: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """How often the script or the payment details of a case are found in others: in cases, and in other communities.

    Both are rounded down from five on, and nothing says where, when or who.
    """

    cases: int
    communities: int


@dataclass(frozen=True, slots=True)
class Raid:
    """The cases of one campaign that share an alert: how many, by how many senders, and the first of the others."""

    cases: int
    senders: int
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """What the moderators of a space see of one case; it changes only when it has something new to say.

    `channel` and `message_id` say where the case was noticed. `sender` is None when only a disclosure was seen;
    a member who asked the moderators for help (`reported`) may have `accused` somebody. `page` is the role to
    call where it cannot wait; `despairing` showed despair first, `also_despairing` later. `elsewhere` says how far the
    case's campaign is known, `raid` that the alert stands for several cases of it; `forgotten` that a target was
    forgotten since.
    """

    case: str
    space: str
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
    acts: tuple[Act, ...] = ()
    reported: bool = False
    accused: Account | None = None
    page: str | None = None
    despairing: Account | None = None
    also_despairing: tuple[Account, ...] = ()
    elsewhere: Elsewhere | None = None
    raid: Raid | None = None
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class AdviseTarget:
    """Send the advice to one person in private; it carries no word of what was written to them.

    `by_moderator` when a moderator wished it, whatever the policy of the space; `private` when it is about a private
    chat of theirs. Once it is recorded, `at` is the time that it counts from, and `before` that of the warning to them
    before it.
    """

    case: str
    space: str
    target: Account
    kind: Kind
    locale: str
    crisis: bool
    by_moderator: bool = False
    private: bool = False
    at: datetime | None = field(default=None, compare=False)
    before: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AlertModerators:
    """Show a new alert to the moderators."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class UpdateAlert:
    """Edit the alert that `reference` names in place."""

    alert: Alert
    reference: str


@dataclass(frozen=True, slots=True)
class PageModerators:
    """Say under the alert that `reference` names what an edit alone would not tell; `role` is called, if there is one.

    `why` is that it cannot wait any more, that somebody else is aimed at, that somebody despairs, or that it goes on
    although it was ruled not to be sextortion.
    """

    case: str
    space: str
    role: str | None
    reference: str
    why: Literal["grave", "another", "crisis", "again"] = "grave"


Effect = AdviseTarget | AlertModerators | UpdateAlert | PageModerators


class Outcome(StrEnum):
    """How an attempt to perform an effect ended."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNSTARTED = "unstarted"  # the person has to write first
    DECLINED = "declined"  # the person has said no since
    WITHDRAWN = "withdrawn"  # the case has been ruled out since
    KEPT = "kept"  # the space has chosen since that a moderator decides
    GONE = "gone"  # the alert to edit no longer exists
    FAILED = "failed"
    UNKNOWN = "unknown"  # it may have been done, and must not be done twice
    HELD = "held"  # the platform makes Haven wait; tried again, and moderators are told
    LOST = "lost"  # no answer came: it may have been done
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of one attempt: the platform's id of what was posted, and a detail free of message text.

    `retry_after` is in seconds and only read when the outcome is HELD, LOST or RETRY, which is for what was not done.
    """

    outcome: Outcome
    reference: str | None = None
    detail: str = ""
    retry_after: float | None = None


class Connection(Protocol):
    """What can be told of a platform without asking it."""

    name: str

    @property
    def connected(self) -> bool:
        """Whether what is written there reaches Haven now."""
        ...


class Platform(Protocol):
    """Where effects become real; one file or folder under `bot/platforms` each.

    `remembers` is for how many seconds the platform knows a key, so that an effect with the same key is not done twice.
    """

    name: str
    remembers: float

    async def ready(self) -> None:
        """Return once effects can be performed."""
        ...

    async def perform(self, effect: Effect, key: str) -> Delivery:
        """Do it once and say how it ended; an exception counts as LOST.

        `key` (at most 25 characters) is the same for every attempt at one effect, so that a platform that knows
        idempotency keys does not do it twice.
        """
        ...
