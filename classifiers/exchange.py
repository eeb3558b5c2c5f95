"""The recent lines of one channel, and of them the exchange that one speaker is part of."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from classifiers.conversation import Account, Message

RING = 64
EXCHANGE = 14
HALF_LIFE = timedelta(days=2)
_EXCERPT = 200
_SAME_BREATH = timedelta(minutes=2)
_ADDRESSED, _NEIGHBOUR = 3, 1


@dataclass(slots=True)
class Line:
    """A message in the ring: its words, the first 200 characters to show, and the model's scores (one per column)."""

    message_id: str
    author: Account
    excerpt: str
    at: datetime
    to: tuple[Account, ...]
    words: list[str]
    scores: Sequence[float] = ()


class Exchange(NamedTuple):
    """The lines of one speaker and of those who talk with them, latest first."""

    mine: list[Line]
    theirs: list[Line]


class Conversation:
    """The last 64 lines of a channel; reading one message costs the same however long the channel is."""

    def __init__(self, last_at: datetime) -> None:
        self.last_at = last_at
        self.lines: deque[Line] = deque(maxlen=RING)

    def add(self, message: Message, words: list[str]) -> tuple[Line, str]:
        """Take a message in, or its edit in place; return its line and the word that it continues.

        The word is that of the same author just before ("^" when there is none), so that lines
        sent in one breath read as one. Forwarded words are nobody's here.
        """
        excerpt = "" if message.forwarded else message.text[:_EXCERPT]
        line = Line(message.id, message.author, excerpt, message.sent_at, message.to, words if excerpt else [])
        self.last_at = max(self.last_at, message.sent_at)
        position = next((i for i, known in enumerate(self.lines) if known.message_id == message.id), None)
        if position is None:
            self.lines.append(line)
            position = len(self.lines) - 1
        else:
            self.lines[position] = line
        before = self.lines[position - 1] if position else None
        joined = (
            before is not None
            and before.author == line.author
            and bool(before.words)
            and line.at - before.at <= _SAME_BREATH
        )
        return line, before.words[-1] if joined and before else "^"

    def forget(self, account: Account) -> None:
        """Drop what the account wrote."""
        kept = [line for line in self.lines if line.author != account]
        self.lines = deque(kept, maxlen=RING)

    def exchange(self, speaker: Account, until: Line) -> Exchange:
        """Return the last 14 lines, up to `until`, that the speaker wrote or that were written to them.

        In a channel of two everything is; among more, what answers or names the speaker, and what
        stands next to their lines and names nobody.
        """
        lines = self._until(until)
        just_two = len({line.author for line in lines}) <= 2
        mine: list[Line] = []
        theirs: list[Line] = []
        for i in range(len(lines) - 1, -1, -1):
            line = lines[i]
            if line.author == speaker:
                mine.append(line)
            elif just_two or speaker in line.to or (not line.to and _beside(lines, i, speaker)):
                theirs.append(line)
            if len(mine) + len(theirs) == EXCHANGE:
                break
        return Exchange(mine, theirs)

    def addressee(self, speaker: Account, until: Line) -> Account | None:
        """Return whom the speaker's lines are aimed at: whom they name, else who speaks around them."""
        votes: Counter[Account] = Counter()
        lines = self._until(until)
        for i, line in enumerate(lines):
            if line.author == speaker:
                votes.update(dict.fromkeys(line.to, _ADDRESSED))
                if i and lines[i - 1].author != speaker and not line.to:
                    votes[lines[i - 1].author] += _NEIGHBOUR
            elif speaker in line.to:
                votes[line.author] += _ADDRESSED
            elif not line.to and i and lines[i - 1].author == speaker:
                votes[line.author] += _NEIGHBOUR
        votes.pop(speaker, None)
        return max(votes, key=lambda account: (votes[account], account)) if votes else None

    def _until(self, line: Line) -> list[Line]:
        lines = list(self.lines)
        while lines[-1] is not line:
            lines.pop()
        return lines


def fading(line: Line, now: datetime) -> float:
    """Return how much a line still counts, 1 for now, half of it after two days."""
    age = max((now - line.at).total_seconds(), 0.0)
    weight: float = 0.5 ** (age / HALF_LIFE.total_seconds())
    return weight


def _beside(lines: list[Line], i: int, speaker: Account) -> bool:
    return (i + 1 < len(lines) and lines[i + 1].author == speaker) or (i > 0 and lines[i - 1].author == speaker)
