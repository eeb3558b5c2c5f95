"""A story: a transcript in TOML and the effects it must cause, told through the real guard, store and outbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from bot.config import PolicySettings
from bot.effects import Advice, Ruling
from classifiers.assessment import Kind
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

START = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
_PAUSE = timedelta(seconds=20)


class Turn(Struct, frozen=True, forbid_unknown_fields=True, rename={"author": "from"}):
    """One message; `after` is in seconds since the one before, `edits` is the number of the one it replaces."""

    author: str
    text: str = ""
    to: tuple[str, ...] = ()
    quoted: str = ""
    forwarded: bool = False
    after: float = _PAUSE.total_seconds()
    edits: int | None = None


class Act(Struct, frozen=True, forbid_unknown_fields=True):
    """What a moderator does after a turn to the case about somebody: rule it, or have one target warned."""

    after: int
    about: str
    ruling: Ruling | None = None
    advise: str | None = None


class Expected(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="effect"):
    """An effect that must come at a turn, or at the latest `until` another; turns count from 0."""

    turn: int
    until: int | None = None
    kind: Kind = Kind.THREAT


class ExpectedAdvice(Expected, frozen=True, kw_only=True, tag="advise"):
    """A private warning to one person; `crisis` None may be either."""

    to: str
    crisis: bool | None = None


class ExpectedAlert(Expected, frozen=True, kw_only=True, tag="alert"):
    """A new alert; `sender` None accuses nobody, what else is None may be anything."""

    sender: str | None = None
    targets: dict[str, Advice] | None = None
    level: Literal["alert", "advise"] | None = None
    crisis: bool | None = None
    ruling: Ruling | None = None


class ExpectedUpdate(ExpectedAlert, frozen=True, kw_only=True, tag="update"):
    """An alert edited in place."""


class ExpectedPage(Expected, frozen=True, kw_only=True, tag="page"):
    """A short word under an alert, and the role that it calls; `why` None may be any."""

    why: Literal["grave", "another", "crisis"] | None = None
    role: str | None = None


class ExpectedCase(Struct, frozen=True, forbid_unknown_fields=True):
    """What is remembered of somebody in the end; `crisis` None may be either."""

    about: str
    targets: dict[str, Advice]
    kind: Kind = Kind.THREAT
    level: Literal["alert", "advise"] = "advise"
    crisis: bool | None = None
    ruling: Ruling | None = None


class Story(Struct, frozen=True, forbid_unknown_fields=True):
    """What is said (`turns`), under which policy, to people with which choices, and what must come of it.

    `expect` has every alert, warning and page in order, and those updates that matter; `cases` has
    every case above the level of a notice.
    """

    about: str
    turns: tuple[Turn, ...]
    policy: PolicySettings = PolicySettings()
    choices: dict[str, bool] = {}
    refuses: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    expect: tuple[ExpectedAdvice | ExpectedAlert | ExpectedUpdate | ExpectedPage, ...] = ()
    cases: tuple[ExpectedCase, ...] = ()


def load_story(raw: bytes, name: str) -> Story:
    """Read a story; InputError says what is wrong with it."""
    try:
        return msgspec.toml.decode(raw, type=Story)
    except (msgspec.DecodeError, ValueError) as error:
        raise InputError(f"{name}: not a story: {error}") from None


def read_story(file: Path) -> Story:
    """Read a story from a file."""
    return load_story(file.read_bytes(), str(file))


def messages_of(story: Story, platform: str, space: str) -> Iterator[Message]:
    """Yield the story's messages with the ids 0, 1, …; an edit carries the id of what it replaces."""
    at = START
    for position, turn in enumerate(story.turns):
        at += timedelta(seconds=turn.after)
        yield Message(
            id=str(position if turn.edits is None else turn.edits),
            space=space,
            channel=space,
            author=Account(platform, turn.author),
            text=turn.text,
            sent_at=at,
            to=tuple(Account(platform, name) for name in turn.to),
            quoted=turn.quoted,
            forwarded=turn.forwarded,
        )
