"""Messages on their way from a platform's event loop to the guard, which reads in one thread and records in another."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from bot.guard import Finding, Guard, Unread
from bot.outbox import Outbox, to_its_end
from classifiers.conversation import Message
from classifiers.errors import InputError

log = logging.getLogger(__name__)

CAPACITY = 2_000
REASONS = ("flood", "unreadable")  # for which a message is left out
MOST_DELAYED = 8_000  # of a platform that cannot be slowed down
AT_ONCE = 128
_MOST_FOUND = 256  # that wait to be recorded, before reading pauses

_Mark = asyncio.Future[None]


class Inbox:
    """A bounded queue; when it is full, `put` waits.

    Discord's gateway cannot be slowed down: from it more and more would wait, so beyond `MOST_DELAYED` they are left
    out. `left_out` counts by platform and reason, `delayed` counts messages that found the queue full.
    """

    def __init__(self, guard: Guard, outbox: Outbox) -> None:
        self._guard = guard
        self._outbox = outbox
        self._queue: asyncio.Queue[Message | _Mark] = asyncio.Queue(CAPACITY)
        self._found: asyncio.Queue[Finding | _Mark] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()
        self._working = 0
        self._overrun = False
        self.at_the_door = 0
        self.delayed = 0
        self.left_out: Counter[tuple[str, str]] = Counter()

    @property
    def waiting(self) -> int:
        """How many messages were handed over and are not decided on."""
        return self._queue.qsize() + self._working + self._found.qsize()

    async def put(self, message: Message) -> None:
        """Hand a message over; messages are read in the order in which they are handed over."""
        if self.at_the_door >= MOST_DELAYED:
            self._leave_out(message, "flood")
            if not self._overrun:
                log.error("messages come faster than they can be read: some are left out")
            self._overrun = True
            return
        self.delayed += self._queue.full()
        self.at_the_door += 1
        try:
            await self._queue.put(message)
        finally:
            self.at_the_door -= 1

    async def caught_up(self) -> None:
        """Return once all that was handed over until now is decided on; it has to be running."""
        mark = asyncio.get_running_loop().create_future()
        await self._queue.put(mark)
        await mark

    async def run(self) -> None:
        """Read, and record beside it, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_on())
            group.create_task(self._record_on())

    async def drain(self) -> None:
        """Read all that waits and record what was found."""
        while not (self._queue.empty() and self._found.empty()):
            if not self._queue.empty():
                await self._read([])
            if not self._found.empty():
                await self._record([])

    async def _read_on(self) -> None:
        while True:
            first = await self._queue.get()
            self._working += 1  # it is in no queue any more, and waits until its reading begins
            await to_its_end(self._read([first]))
            await self._room.wait()

    async def _record_on(self) -> None:
        while True:
            first = await self._found.get()
            self._working += 1
            await to_its_end(self._record([first]))

    async def _read(self, batch: list[Message | _Mark]) -> None:
        taken = len(batch)
        while len(batch) < AT_ONCE and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        self._working += len(batch) - taken
        messages = [one for one in batch if isinstance(one, Message)]
        for one in await asyncio.to_thread(self._guard.read, messages):
            if isinstance(one, Unread):
                self._fail(one.message, one.error)
            else:
                self._found.put_nowait(one)
        for mark in batch:
            if not isinstance(mark, Message):
                self._found.put_nowait(mark)  # behind everything that was handed over before it
        self._working -= len(batch)
        if self._found.qsize() >= _MOST_FOUND:
            self._room.clear()
        if self._overrun and self._queue.empty():
            log.warning("all messages that waited have been read; none is left out any more")
            self._overrun = False

    async def _record(self, batch: list[Finding | _Mark]) -> None:
        taken = len(batch)
        while len(batch) < AT_ONCE and not self._found.empty():
            batch.append(self._found.get_nowait())
        self._working += len(batch) - taken
        self._room.set()
        findings = [one for one in batch if isinstance(one, Finding)]
        await asyncio.to_thread(self._try_to_record, findings)
        self._working -= len(batch)
        for mark in batch:
            if not isinstance(mark, Finding) and not mark.done():
                mark.set_result(None)
        self._outbox.wake()

    def _try_to_record(self, findings: list[Finding]) -> None:
        """Record everything; what fails by itself, too, is left out, and costs nothing else."""
        try:
            self._guard.record(findings)
        except InputError:
            raise  # the database: nothing can be recorded any more
        except Exception as error:  # noqa: BLE001 (what somebody writes must not stop the recording of others)
            if len(findings) == 1:
                self._fail(findings[0].message, error)
            else:
                for one in findings:
                    self._try_to_record([one])

    def _fail(self, message: Message, error: Exception) -> None:
        log.error("a message could not be read or recorded and was left out", exc_info=error)
        self._leave_out(message, "unreadable")

    def _leave_out(self, message: Message, reason: str) -> None:
        self.left_out[message.author.platform, reason] += 1
