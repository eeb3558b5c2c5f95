"""What a reading of a conversation answers: level, score and the evidence for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from classifiers.conversation import Account

CLEAR = 0.5
"""The probability from which a marker counts as seen, rather than hinted at."""


class Marker(StrEnum):
    """One thing that a message does from its speaker towards the addressee."""

    PAYMENT_DEMAND = "payment_demand"
    SHARE_THREAT = "share_threat"
    CONTACTS_THREAT = "contacts_threat"
    IMAGE_CLAIM = "image_claim"
    IMAGE_SOLICITATION = "image_solicitation"
    COMPLIANCE_DEMAND = "compliance_demand"
    PRESSURE = "pressure"
    ISOLATION = "isolation"
    VICTIM_DISCLOSURE = "victim_disclosure"
    DISTRESS = "distress"


class Kind(StrEnum):
    """Whether the speaker threatens somebody or tells of being threatened."""

    THREAT = "threat"
    DISCLOSURE = "disclosure"


class Level(IntEnum):
    """How sure Haven is, in the order of what follows: record, tell moderators, write to the target."""

    NONE = 0
    NOTICE = 1
    ALERT = 2
    ADVISE = 3


class Sensitivity(StrEnum):
    """How readily a space wants to be told; each has thresholds of its own in the model's manifest."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A marker seen in one message with its probability (0 to 1) and the beginning of what was written.

    `at` is when it was written and `channel` where; the writer is the speaker whom the assessment is about. `carried`
    has the start and end of the parts of the excerpt that count most for the marker, in order; they are looked for
    when an alert is raised.
    """

    marker: Marker
    message_id: str
    probability: float
    excerpt: str
    carried: tuple[tuple[int, int], ...] = ()
    at: datetime | None = None
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the conversation looks like at one message; it explains itself even when it finds nothing.

    `score` is 0 to 1. For a threat `sender` threatens `target`; for a disclosure `target` is the person
    telling of it and `sender` is unknown. Where it is not clear whom a threat is aimed at, `target` is None
    and it is no more than an alert; `likely` may then name somebody for a person to judge, once it has been
    explained. `evidence` has the strongest line of each marker that is at least hinted at, likeliest first.
    `crisis` is set when the target shows despair.
    """

    message_id: str
    space: str
    channel: str
    at: datetime
    kind: Kind
    level: Level
    score: float
    sender: Account | None
    target: Account | None
    evidence: tuple[Evidence, ...] = ()
    crisis: bool = False
    likely: Account | None = None
