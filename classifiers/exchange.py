"""The recent lines of one channel, and of them the exchange that one speaker is part of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from classifiers.conversation import Account, Message
from classifiers.terms import START

RING = 64
EXCHANGE = 14
HALF_LIFE = timedelta(days=2)
EXCERPT = 200
_HALF_LIFE_SECONDS = HALF_LIFE.total_seconds()
_SAME_BREATH = timedelta(minutes=2)
_NAMED, _ALSO_NAMED, _NAMED_BEFORE, _BESIDE, _ANSWERS = 3.0, 1.5, 2.0, 1.0, 0.5
_LEAD = 1.25
_LATEST = 4  # lines with weight that say who is meant now
_SHARED = 3  # lines that are looked through for the same author, whose account is then in memory once


_UNREAD = np.zeros(0, dtype=np.float32)


class Line(msgspec.Struct, eq=False, gc=False):
    """A message in the ring: 200 characters to show, its last word and the one that its first continues.

    `noted` is whether it may matter, `earlier` what stood there before an edit. `features` and `scores` are what the
    model reads, empty until then; numpy's arrays, because the garbage collector looks through lists again and again.
    """

    message_id: str
    author: Account
    excerpt: str
    at: datetime
    to: tuple[Account, ...]
    last: str
    before: str = START
    noted: bool = False
    earlier: Line | None = None
    features: npt.NDArray[np.float32] = _UNREAD
    scores: npt.NDArray[np.float32] = _UNREAD


class Exchange(NamedTuple):
    """The lines of one speaker and of those who talk with them, latest first, and the latest of all."""

    mine: list[Line]
    theirs: list[Line]
    latest: Line


class Conversation:
    """The last 64 lines of a channel; reading one message costs the same however long the channel is."""

    __slots__ = ("_count", "_lines", "_noted", "last_at")

    def __init__(self, last_at: datetime) -> None:
        self.last_at = last_at
        self._lines: dict[str, Line] = {}
        self._count = 0
        self._noted: dict[Account, int] = {}

    def add(self, message: Message, words: Sequence[str]) -> Line:
        """Take a message in, or its edit in place; return its line.

        It continues the last word of the same author just before ("^" when there is none), so that
        lines sent in one breath read as one. Forwarded words are nobody's here.
        """
        text, last = ("", "") if message.forwarded else (message.text[:EXCERPT], words[-1] if words else "")
        lines = self._lines
        author = message.author
        for latest in islice(reversed(lines.values()), _SHARED):
            if latest.author == author:
                author = latest.author
                break
        line = Line(message.id, author, text, message.sent_at, message.to, last)
        line.earlier = lines.get(message.id)
        if line.earlier:
            line.earlier.earlier = None
            before = self._before(message.id)
        else:
            self._count += 1
            before = next(reversed(lines.values()), None)
        lines[message.id] = line
        if len(lines) > RING:
            del lines[next(iter(lines))]
        if before and before.author == line.author and before.last and line.at - before.at <= _SAME_BREATH:
            line.before = before.last
        return line

    @property
    def lines(self) -> list[Line]:
        """The lines, the latest last."""
        return [*self._lines.values()]

    @property
    def latest_at(self) -> datetime:
        """When the latest line was written."""
        return next(reversed(self._lines.values())).at

    def keep_earlier(self, line: Line) -> None:
        """Let what stood in a line's place before its edit stand again."""
        if line.earlier:
            self._lines[line.message_id] = line.earlier

    def note(self, line: Line) -> None:
        """Remember that the latest line, or an edit, may matter, and its author as long as it may be in the ring."""
        line.noted = True
        self._noted.pop(line.author, None)
        self._noted[line.author] = self._count
        if self._count - self._noted[oldest := next(iter(self._noted))] >= RING:
            del self._noted[oldest]

    def noted(self, author: Account) -> bool:
        """Return whether a line of an author that is in the ring may matter."""
        return self._count - self._noted.get(author, -RING) < RING

    def copy(self) -> Conversation:
        """Return the lines as they are now, to read them later."""
        copied = Conversation(self.last_at)
        copied._lines = self._lines.copy()
        return copied

    def forget(self, account: Account) -> None:
        """Drop what the account wrote."""
        self._lines = {id: line for id, line in self._lines.items() if line.author != account}
        self._noted.pop(account, None)

    def _before(self, message_id: str) -> Line | None:
        before = None
        for id, line in self._lines.items():
            if id == message_id:
                break
            before = line
        return before

    def exchange(self, speaker: Account) -> Exchange:
        """Return the last 14 lines that the speaker wrote or that were written to them.

        In a channel of two everything is; among more, what answers or names the speaker, and what
        stands next to their lines and names nobody.
        """
        lines = self.lines
        just_two = _just_two(lines)
        mine: list[Line] = []
        theirs: list[Line] = []
        latest: Line | None = None
        own, after = lines[-1].author == speaker, False
        for i in range(len(lines) - 1, -1, -1):
            line = lines[i]
            before = i > 0 and lines[i - 1].author == speaker
            if own:
                mine.append(line)
                latest = latest or line
            elif just_two or speaker in line.to or (not line.to and (before or after)):
                theirs.append(line)
                latest = latest or line
            if len(mine) + len(theirs) == EXCHANGE:
                break
            own, after = before, own
        return Exchange(mine, theirs, latest or lines[-1])

    def addressee(self, speaker: Account, weight: Callable[[Line], float]) -> Account | None:
        """Return whom the speaker's lines are aimed at, None when nobody clearly leads.

        In a channel of two it is the other one, unless somebody else is named; among more, standing next to
        a line is not enough.
        """
        ranked, pointed_at = self._ranked(speaker, weight)
        if not ranked or (len(ranked) > 1 and ranked[0][0] < _LEAD * ranked[1][0]):
            return None
        return ranked[0][1] if ranked[0][1] in pointed_at else None

    def likeliest_addressee(self, speaker: Account, weight: Callable[[Line], float]) -> Account | None:
        """Return who leads however little, for a person to judge; None when nobody else is about."""
        ranked, _ = self._ranked(speaker, weight)
        return ranked[0][1] if ranked else None

    def _ranked(
        self, speaker: Account, weight: Callable[[Line], float]
    ) -> tuple[list[tuple[float, Account]], set[Account]]:
        """Return who may be meant, the likeliest first, and who was named, answered or is the only other one.

        Who was only greeted is not meant: a name counts in a line with weight, or just before one, in one breath.

        Only the last four lines with a `weight` above 0 vote, so that whoever was meant long ago hides nobody: for whom
        they name, the first named most; when they name nobody, for whom the speaker named last and for who wrote just
        before. Who answers the speaker gains a little.
        """
        votes: dict[Account, float] = defaultdict(float)
        named: tuple[Account, ...] = ()
        just_named: tuple[Account, ...] = ()
        lines = self.lines
        weights = [weight(line) if line.author == speaker else 0.0 for line in lines]
        heavy = [i for i, counts in enumerate(weights) if counts]
        since = heavy[-_LATEST] if len(heavy) > _LATEST else 0
        others = {line.author for line in lines} - {speaker}
        pointed_at = set(others) if len(others) == 1 else set()
        for i, line in enumerate(lines):
            before = lines[i - 1] if i else None
            if line.author == speaker:
                named = line.to or named
                just_named = line.to or (just_named if before and before.author == speaker else ())
                counts = weights[i] if i >= since else 0.0
                if counts:
                    pointed_at.update(just_named)
                for rank, account in enumerate(line.to):
                    votes[account] += counts * (_NAMED if rank == 0 else _ALSO_NAMED)
                if not line.to:
                    for account in named[:1]:
                        votes[account] += counts * _NAMED_BEFORE
                    if before and before.author != speaker:
                        votes[before.author] += counts * _BESIDE
            elif i < since:
                continue
            elif speaker in line.to:
                votes[line.author] += _ANSWERS
                pointed_at.add(line.author)
            elif not line.to and before and before.author == speaker and weights[i - 1]:
                votes[line.author] += weights[i - 1] * _BESIDE
        if len(others) == 1:
            votes[next(iter(others))] += _BESIDE
        ranked = sorted(
            ((vote, account) for account, vote in votes.items() if account != speaker and vote), reverse=True
        )
        return ranked, pointed_at


def fading(line: Line, now: datetime) -> float:
    """Return how much a line still counts, 1 for now, half of it after two days."""
    age = max((now - line.at).total_seconds(), 0.0)
    weight: float = 0.5 ** (age / _HALF_LIFE_SECONDS)
    return weight


def _just_two(lines: list[Line]) -> bool:
    authors = set()
    for line in reversed(lines):
        authors.add(line.author)
        if len(authors) > 2:
            return False
    return True
