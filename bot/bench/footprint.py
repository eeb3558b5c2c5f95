"""What a running Haven takes: memory, time to start, and how the cost of a message grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bot.bench.mix import Mix, Supply
from bot.bench.process import Child, child, helping, ready
from bot.bench.rows import seed
from bot.bench.sizes import Size
from bot.bench.subject import receive, subject
from bot.bench.timing import spent
from bot.parts import Parts
from classifiers.conversation import Message
from classifiers.exchange import RING
from classifiers.words import words

MIB = 1 << 20
_ELSEWHERE = 10**9  # channels that are not those of another mix
_MICROSECONDS = 1e6


class Filled(NamedTuple):
    """A Haven with so many lines in each of its conversations; memory in bytes, cost in seconds of CPU."""

    conversations: int
    lines: float
    before: int
    resident: int
    per_message: float

    @property
    def per_conversation(self) -> float:
        """How many bytes a conversation takes."""
        return (self.resident - self.before) / self.conversations


def starting(supply: Supply, size: Size) -> dict[str, float]:
    """Return the best of several starts, in seconds."""
    (message,) = Mix(supply, 1).take(1)
    starts = []
    for _ in range(size.starts):
        with TemporaryDirectory() as folder:
            starts.append(ready(Path(folder), message))
    return {
        "ready_seconds": min(one.wall for one in starts),
        "ready_cpu_seconds": min(one.cpu for one in starts),
        "help_cpu_seconds": min(helping().cpu for _ in range(size.starts)),
    }


def filled(supply: Supply, conversations: int, lines: int, size: Size) -> Filled:
    """Fill the conversations of a new Haven with lines, all in turn, for no longer than patience lasts, and measure.

    Before, a hundred other conversations fill its caches, so that what is added is what conversations take.
    """
    with TemporaryDirectory() as folder, child(Path(folder), conversations) as haven:
        _feed(haven, Mix(supply, 100, first=_ELSEWHERE), size.warm, size)
        before = haven.tell().resident
        mix = Mix(supply, conversations)
        start, fed = time.monotonic(), 0
        while fed < conversations * lines and (fed < conversations or time.monotonic() - start < size.patience):
            count = min(size.per_round, conversations * lines - fed)
            haven.read(mix.take(count))
            fed += count
        told = haven.tell()
        few = min(size.per_round, conversations)  # so that conversations hardly grow while it is measured
        cost = min(_cost(haven, mix.take, few) for _ in range(size.rounds))
        return Filled(conversations, fed / conversations, before, told.resident, cost)


def memory(supply: Supply, size: Size) -> dict[str, object]:
    """Return memory and cost by the number of conversations, and what a conversation takes whose ring is full."""
    lines = size.lines or round(supply.mean_lines)
    found = [filled(supply, conversations, lines, size) for conversations in size.filled]
    ring = filled(supply, size.ringed, RING, size)
    return {
        "rss_mb": {str(one.conversations): one.resident / MIB for one in found},
        "bytes_per_conversation": {str(one.conversations): one.per_conversation for one in found},
        "lines_per_conversation": {str(one.conversations): one.lines for one in found},
        "full_ring": {
            "conversations": ring.conversations,
            "lines": ring.lines,
            "bytes_per_conversation": ring.per_conversation,
            "rss_mb": ring.resident / MIB,
        },
        "cost_by_conversations_us": {str(one.conversations): _MICROSECONDS * one.per_message for one in found},
    }


def by_rows(supply: Supply, size: Size) -> dict[str, object]:
    """Return the cost of a message by the number of rows in the database, of the mix and of sextortion alone."""
    mixed, coercive, taken = {}, {}, {}
    with TemporaryDirectory() as folder:
        mix = Mix(supply, size.conversations)
        for number, rows in enumerate(size.rows):
            if number:
                taken[str(rows)] = seed(Path(folder), rows)
            with child(Path(folder), size.conversations) as haven:
                _feed(haven, mix, size.warm, size)
                haven.read(mix.coercive(size.per_round // 2))
                haven.tell()
                costs = [
                    (_cost(haven, mix.take, size.per_round), _cost(haven, mix.coercive, size.per_round // 5))
                    for _ in range(size.rounds)
                ]
            mixed[str(rows)], coercive[str(rows)] = (_MICROSECONDS * min(one) for one in zip(*costs, strict=True))
    return {"cost_by_rows_us": mixed, "cost_of_sextortion_by_rows_us": coercive, "database_bytes_by_rows": taken}


def by_length(parts: Parts, supply: Supply, size: Size) -> dict[str, object]:
    """Return the cost of a message by its length in characters, of the whole guard and of normalisation alone."""
    mix = Mix(supply, size.conversations, first=2 * _ELSEWHERE)
    guard, normalisation = {}, {}
    for length in size.lengths:
        rounds = [_costs_at(parts, mix, length, size) for _ in range(size.rounds)]
        guard[str(length)], normalisation[str(length)] = (_MICROSECONDS * min(one) for one in zip(*rounds, strict=True))
    return {"cost_by_length_us": guard, "normalisation_by_length_us": normalisation}


def on_disk(parts: Parts) -> dict[str, float]:
    """Return what the database takes for a million messages, judged by those that were read."""
    read = sum(parts.guard.levels.values())
    with TemporaryDirectory() as folder, subject(Path(folder), 1) as empty:
        return {"bytes_per_million_messages": (parts.store.size() - empty.store.size()) * 1e6 / read}


def _costs_at(parts: Parts, mix: Mix, length: int, size: Size) -> tuple[float, float]:
    messages = [_of_length(mix, length) for _ in range(size.long // length // size.rounds + 1)]
    guard = spent(lambda: receive(parts, messages)).cpu
    normalisation = spent(lambda: [words(message.text) for message in messages]).cpu
    return guard / len(messages), normalisation / len(messages)


def _of_length(mix: Mix, length: int) -> Message:
    """Return a message with the words of as many messages as it takes."""
    (message,) = mix.take(1)
    text = message.text
    while len(text) < length:
        text = f"{text} {mix.take(1)[0].text}"
    return replace(message, text=text[:length])


def _feed(haven: Child, mix: Mix, count: int, size: Size) -> None:
    for start in range(0, count, size.per_round):
        haven.read(mix.take(min(size.per_round, count - start)))


def _cost(haven: Child, take: Callable[[int], Sequence[Message]], count: int) -> float:
    """Return the CPU time of the guard for each of so many messages, in seconds."""
    haven.read(take(count))
    told = haven.tell()
    return told.cpu / told.messages
