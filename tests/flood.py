"""Floods a real Haven, with its model, database and delivery, and holds its memory against the stated bound.

    python tests/flood.py            everything at full size (about ten minutes on two cores)
    python tests/flood.py --part 50  a fiftieth of it

Exit code 1 when memory is above the bound, or something that must hold does not.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click

from bot import inbox as inbox_module
from bot.app import composed, now, open_classifier
from bot.config import Config, MemorySettings
from bot.effects import AlertModerators, Delivery, Effect, Outcome
from bot.inbox import AT_ONCE
from bot.parts import Parts
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.classifier import Classifier
from classifiers.conversation import LONGEST, Account, Message
from classifiers.exchange import RING

MIB = 1 << 20
A_CONVERSATION = 300 << 10
"""The most bytes that one conversation takes: 64 lines of 200 emoji, each naming ten accounts."""
THE_REST = 200 * MIB
"""What everything else may take beyond what a Haven that has read nothing takes: queues, caches, the allocator."""

MESSAGES, CHANNELS, ACCOUNTS, EDITS, CASES, PASTE = 100_000, 10_000, 50_000, 10_000, 5_000, 1_000_000
UNSPACED, FEWEST_UNSPACED = 5_000, 2 * AT_ONCE
CALM = (
    "hello there",
    "did you see the match yesterday?",
    "who is up for a game tonight",
    "lol",
    "see you at eight then",
)
THREAT = (
    "i recorded our video call. i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family",
)


class Nowhere:
    """A platform on which everything is delivered at once."""

    name = "flood"
    remembers = 0.0
    connected = True

    def __init__(self) -> None:
        self.alerts = 0

    async def ready(self) -> None:
        """There is nothing to wait for."""

    async def perform(self, effect: Effect, key: str) -> Delivery:
        """Count alerts."""
        self.alerts += isinstance(effect, AlertModerators)
        return Delivery(Outcome.DELIVERED, reference=key)


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    messages: int = MESSAGES
    channels: int = CHANNELS
    accounts: int = ACCOUNTS
    edits: int = EDITS
    cases: int = CASES
    paste: int = PASTE
    unspaced: int = UNSPACED
    crowded: int = LONGEST

    def part(self, of: int) -> Size:
        """Return a part of it; a paste stays as long, what comes in a crowd does not."""
        if of == 1:
            return self
        return Size(
            max(1, self.messages // of),
            max(1, self.channels // of),
            max(1, self.accounts // of),
            max(1, self.edits // of),
            max(1, self.cases // of),
            unspaced=max(FEWEST_UNSPACED, self.unspaced // of),
            crowded=LONGEST // of,
        )


@dataclass(frozen=True)
class Wave:
    """What one flood came to: memory in bytes when all was read and the most meanwhile.

    `conversations` are those held in memory and those of live cases.
    """

    name: str
    messages: int
    seconds: float
    memory: int
    most_memory: int
    most_waiting: int
    conversations: tuple[int, int]

    def line(self) -> str:
        """Return it as it is printed."""
        held, live = self.conversations
        return (
            f"{self.name:>14}: {self.messages:>7,} messages at {self.messages / self.seconds:>5,.0f} a second,"
            f" at most {self.most_waiting:>6,} waiting; {held:>6,} conversations, {live:,} of live cases;"
            f" {self.memory / MIB:,.0f} MiB, at most {self.most_memory / MIB:,.0f}"
        )


class Flood:
    """One Haven and what is poured over it, wave after wave."""

    def __init__(self, parts: Parts, size: Size) -> None:
        self.parts = parts
        self.size = size
        self._random = random.Random(6)  # noqa: S311 (the same flood every time)
        self._count = 0

    async def pour(self, name: str, messages: Iterator[Message], *, crowd: bool = False) -> Wave:
        """Hand messages over as fast as they are taken, or (`crowd`) all at once; return what that came to."""
        _forget_most_memory()
        inbox, start, most, count = self.parts.inbox, time.monotonic(), 0, 0
        pending: set[asyncio.Task[None]] = set()
        for message in messages:
            count += 1
            if crowd:
                pending.add(asyncio.create_task(inbox.put(message)))
            else:
                await inbox.put(message)
            most = max(most, inbox.waiting)
        await asyncio.sleep(0)
        most = max(most, inbox.waiting + inbox.at_the_door)
        while pending:
            most = max(most, inbox.waiting + inbox.at_the_door)
            _, pending = await asyncio.wait(pending, timeout=0.05)
        await inbox.caught_up()
        while self.parts.store.backlogs():  # noqa: ASYNC110 (what is waited for happens in a thread)
            await asyncio.sleep(0.01)
        gc.collect()
        took = time.monotonic() - start
        return Wave(
            name, count, took, resident_memory(), resident_memory("VmHWM"), most, self.parts.guard.conversations
        )

    def chatter(self) -> Iterator[Message]:
        """Yield ordinary chat of many accounts in many channels."""
        for _ in range(self.size.messages):
            author, other = (self._random.randrange(self.size.accounts) for _ in range(2))
            channel = self._random.randrange(self.size.channels)
            yield self._message(channel, author, self._random.choice(CALM), other)

    def crowd(self) -> Iterator[Message]:
        """Yield more messages than may wait."""
        for number in range(2 * most_waiting()):
            yield self._message(0, number, ("hello there " * LONGEST)[: self.size.crowded], 1)

    def widest(self) -> Iterator[Message]:
        """Yield the lines that take most memory, as many as there is room for in a hundredth of the channels."""
        for channel in range(max(1, self.size.channels // 100)):
            for line in range(RING):
                yield self._message(10**9 + channel, line, "\U0001f600" * LONGEST, *range(20))

    def paste(self) -> Iterator[Message]:
        """Yield one message that is far too long."""
        yield self._message(1, 1, ("pay me or else " * self.size.paste)[: self.size.paste], 2)

    def unspaced(self) -> Iterator[Message]:
        """Yield long messages of a single word, no two of them the same, that none is left out early."""
        for number in range(self.size.unspaced):
            text = "".join(
                self._random.choices(("send", "money", "photo", "video", "family", "please"), k=LONGEST // 4)
            )
            yield self._message(3 + number % 8, number % 20, text, 2)

    def edits(self) -> Iterator[Message]:
        """Yield one message that is edited over and over."""
        for number in range(self.size.edits):
            yield self._message(2, 1, f"{self._random.choice(CALM)} {number}", 2, id="edited")

    def raid(self) -> Iterator[Message]:
        """Yield threats, each by another account in a channel of its own, to somebody else."""
        for number in range(self.size.cases):
            for line in THREAT:
                yield self._message(10**6 + number, 2 * number, line, 2 * number + 1)

    def _message(self, channel: int, author: int, text: str, *to: int, id: str = "") -> Message:
        self._count += 1
        named = tuple(Account("flood", str(10**18 + one)) for one in to)
        sent_at = now() + timedelta(microseconds=self._count)
        writer = Account("flood", str(10**18 + author))
        return Message(id or str(10**18 + self._count), "flood", f"{10**18 + channel}", writer, text, sent_at, named)


async def flood(
    size: Size, classifier: Classifier, folder: Path, before: int, told: Callable[[Wave], None] = lambda _: None
) -> tuple[list[Wave], list[str]]:
    """Pour every wave over a Haven that has room for nine channels of ten; return them and what did not hold.

    `before` is what memory this process took before any message.
    """
    platform = Nowhere()
    most = most_conversations(size)
    config = Config(memory=MemorySettings(max_conversations=most))
    with composed(config, Store(folder / "haven.db", one_time_seal()), [platform], classifier) as parts:
        over = Flood(parts, size)
        async with asyncio.TaskGroup() as group:
            working = [group.create_task(work) for work in (parts.outbox.run(), parts.inbox.run())]
            waves: list[Wave] = []
            wrong = []
            for name, messages in (
                ("raid", over.raid()),
                ("chatter", over.chatter()),
                ("widest lines", over.widest()),
                ("one paste", over.paste()),
                ("without spaces", over.unspaced()),
                ("edits of one", over.edits()),
                ("all at once", over.crowd()),
            ):
                wave = await over.pour(name, messages, crowd=name == "all at once")
                waves.append(wave)
                told(wave)
                if wave.memory > bound(before, size):
                    wrong.append(f"{name}: memory is above the bound")
                if wave.most_memory - wave.memory > THE_REST:
                    wrong.append(f"{name}: memory was above what is left for reading")
                if wave.conversations[0] > most:
                    wrong.append(f"{name}: {wave.conversations[0]} conversations, above {most}")
                if wave.most_waiting > most_waiting() + 64:
                    wrong.append(f"{name}: {wave.most_waiting} messages waited")
            cases = parts.store.latest_cases("flood", 2 * size.cases)
            seen = sum(case.post is not None or case.under is not None for case in cases)
            if seen < size.cases or not platform.alerts:
                wrong.append(f"{platform.alerts} alerts, which tell of {seen} of {size.cases} cases")
            if waves[-1].conversations[1] < min(size.cases, most // 2):
                wrong.append(f"{waves[-1].conversations[1]} conversations of live cases are left")
            if not parts.inbox.left_out["flood", "flood"] or not parts.inbox.delayed:
                wrong.append("the crowd before the inbox was not counted")
            for task in working:
                task.cancel()
    return waves, wrong


def most_conversations(size: Size) -> int:
    """Return the setting of the Haven that is flooded."""
    return max(4, size.channels * 9 // 10)


def bound(before: int, size: Size) -> int:
    """Return the stated bound of memory, in bytes."""
    return before + most_conversations(size) * A_CONVERSATION + THE_REST


def most_waiting() -> int:
    """Return how many messages may wait in all."""
    return inbox_module.CAPACITY + inbox_module.MOST_DELAYED


def resident_memory(what: str = "VmRSS") -> int:
    """Return how many bytes of memory this process takes now or (VmHWM) took at most since that was forgotten."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith(f"{what}:")]
    return int(line.split()[1]) * 1024


def _forget_most_memory() -> None:
    with suppress(OSError):  # where it is not allowed, the most is that of the whole life
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


@click.command(help=__doc__.split("\n")[0])
@click.option("--part", type=click.IntRange(1, 1000), default=1, help="An N-th of it.")
def main(part: int) -> None:
    """Flood, and print a line for each wave."""
    size = Size().part(part)
    classifier = open_classifier(Config(), Path())
    before, most = resident_memory(), most_conversations(size)
    click.echo(
        f"the bound: {before / MIB:.0f} MiB before any message + {most:,} conversations x {A_CONVERSATION >> 10} KiB"
        f" + {THE_REST / MIB:.0f} MiB = {bound(before, size) / MIB:,.0f} MiB"
    )
    with tempfile.TemporaryDirectory() as folder:
        _, wrong = asyncio.run(flood(size, classifier, Path(folder), before, lambda wave: click.echo(wave.line())))
    for line in wrong:
        click.echo(f"WRONG: {line}")
    if wrong:
        sys.exit(1)
    click.echo("all within the bound")


if __name__ == "__main__":
    main()
