"""What `/doctor` looks at and `/evidence` hands out on every platform, and the words for what a space may choose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from bot.advice import Finding as Checked
from bot.effects import Act
from bot.evidence import Origin, sealed, sheet
from bot.feedback import BOUND, FEWEST, RULINGS
from bot.parts import Parts
from bot.policy import AdviceBy, Mode, Policy
from classifiers.assessment import Kind
from classifiers.conversation import Account
from classifiers.errors import InputError

MODES = {
    Mode.OBSERVE: "Haven only observes: cases are recorded (/cases) and nobody is told",
    Mode.ALERT: "moderators are told of each case, and may send the private warning themselves",
    Mode.ADVISE: "moderators are told of each case, and the person targeted is written to in private",
}
ADVICE_BY = {
    AdviceBy.AUTOMATIC: "Haven sends the private warning by itself when it is sure",
    AdviceBy.MODERATOR: "a moderator sends the private warning with a button",
    AdviceBy.OPTED_IN: "Haven sends the private warning by itself, but only to members who said /protect on",
}
SHARED = {
    True: "alerts say in how many other cases, also of other communities, the same script or payment details were seen,"
    " and cases from here count there; never where, when or who",
    False: "scripts and payment details are compared within this community only",
}
_WHAT = {Kind.THREAT: "threats", Kind.DISCLOSURE: "people who tell of it"}
_SEEN_EVERY = 600.0
_THREAT = "send me 400 or i post your nudes to your whole family"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; what is not fine says how to mend it, in plain text with people's names in it."""

    text: str
    fine: bool = True


def unlike(platform: str, api_url: str, why: str) -> str:
    """Say that where a platform should be, something else answers."""
    where, remedy = (api_url, ": mend api_url") if api_url else (platform, "")
    return f"{platform.lower()}: {where} answered, but not as {platform} does ({why}){remedy}"


class Seen:
    """When each space was last read, which is written down every ten minutes at most."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._noted: dict[str, float] = {}

    async def note(self, space: str) -> None:
        """Note that a message of the space is being read."""
        now = time.monotonic()
        if now - self._noted.get(space, -_SEEN_EVERY) >= _SEEN_EVERY:
            self._noted[space] = now
            await asyncio.to_thread(self._parts.records.seen, space, self._parts.clock().timestamp())


def rulings(policy: Policy) -> str:
    """Say how far moderators' rulings have moved what Haven alerts on."""
    if not policy.follow_rulings:
        return "they do not move what Haven alerts on (follow_rulings is off)"
    moved = [
        f"{_WHAT[kind]} {'less' if shift > 0 else 'more'} readily ({shift:+.2f} of at most {BOUND:.2f})"
        for kind, shift in policy.shift.items()
        if shift
    ]
    if not moved:
        return f"they have not moved what Haven alerts on (it takes {FEWEST} or more of the last {RULINGS})"
    return f"the last {RULINGS} let Haven alert on {' and on '.join(moved)}"


def last_read(seen_at: float | None) -> Finding:
    """Say when a message of a space was last read."""
    if seen_at is None:
        return Finding("no message was read yet: write one where Haven can read, and look again", fine=False)
    return Finding(f"a message was last read on {datetime.fromtimestamp(seen_at, UTC):%Y-%m-%d at %H:%M} UTC")


def inside(parts: Parts, space: str, platform: str, key: str, actor: Account) -> Iterator[Finding]:
    """Ask the database and the model something whose answer is known; `key` is new for each time.

    No case counts in which the `actor`, who asks, is held to threaten somebody.
    """
    try:
        waiting = len(parts.moderation.cases(space, open_only=True, actor=actor))
        yield Finding(f"the database answers: open cases: {waiting}")
    except InputError:
        yield Finding("the database does not answer: run haven config check on Haven's computer", fine=False)
    start = time.monotonic()
    found = parts.people.check(Account(platform, "doctor"), _THREAT, key).finding
    took = (time.monotonic() - start) * 1000
    if found is Checked.NOTHING:
        yield Finding("the model misses a plain threat: run haven config check on Haven's computer", fine=False)
    else:
        yield Finding(f"the model knows a plain threat, in {took:.0f} ms")


def take(parts: Parts, space: str, id: str, moderator: Account, origin: Origin) -> bytes:
    """Return the sealed sheet of a case, once it is written down who takes it."""
    case, history = parts.moderation.case(space, id, moderator), parts.moderation.history(space, id)
    content = sealed(sheet(case, history, moderator, parts.clock(), origin), parts.store.seal)
    parts.moderation.act(space, id, Act.TOOK_EVIDENCE, moderator, f"SHA-256 {sha256(content).hexdigest()}")
    return content
