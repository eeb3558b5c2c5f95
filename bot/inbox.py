"""Messages on their way from a platform's event loop to the guard, which reads in a thread."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from bot.guard import Guard
from bot.outbox import Outbox, to_its_end
from classifiers.conversation import Message
from classifiers.errors import InputError

log = logging.getLogger(__name__)

CAPACITY = 2_000
MOST_DELAYED = 8_000  # of a platform that cannot be slowed down
_AT_ONCE = 64


class Inbox:
    """A bounded queue; when it is full, `put` waits.

    Discord's gateway cannot be slowed down: from it more and more would wait, so beyond `MOST_DELAYED` they are left
    out. `left_out` counts by platform and reason, `delayed` counts messages that found the queue full.
    """

    def __init__(self, guard: Guard, outbox: Outbox) -> None:
        self._guard = guard
        self._outbox = outbox
        self._queue: asyncio.Queue[Message | asyncio.Future[None]] = asyncio.Queue(CAPACITY)
        self._reading = 0
        self._overrun = False
        self.at_the_door = 0
        self.delayed = 0
        self.left_out: Counter[tuple[str, str]] = Counter()

    @property
    def waiting(self) -> int:
        """How many messages were handed over and are not decided on."""
        return self._queue.qsize() + self._reading

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
        """Read until cancelled."""
        while True:
            first = await self._queue.get()
            self._reading = 1  # it is in no queue any more, and waits until its reading begins
            await to_its_end(self._read([first]))

    async def drain(self) -> None:
        """Read all that waits."""
        while not self._queue.empty():
            await self._read([])

    async def _read(self, batch: list[Message | asyncio.Future[None]]) -> None:
        while len(batch) < _AT_ONCE and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        self._reading = len(batch)
        await asyncio.to_thread(self._decide, [one for one in batch if isinstance(one, Message)])
        self._reading = 0
        if self._overrun and self._queue.empty():
            log.warning("all messages that waited have been read; none is left out any more")
            self._overrun = False
        for mark in batch:
            if isinstance(mark, asyncio.Future) and not mark.done():
                mark.set_result(None)
        self._outbox.wake()

    def _decide(self, messages: list[Message]) -> None:
        """Read messages; one that cannot be read is left out, and costs no other."""
        try:
            self._guard.receive(messages)
        except InputError:
            raise  # the database: nothing can be recorded any more
        except Exception as error:  # what somebody writes must not stop the reading of others
            if len(messages) <= 1:
                log.error("a message could not be read and was left out", exc_info=error)
                for message in messages:
                    self._leave_out(message, "unreadable")
                return
            for message in messages:
                self._decide([message])

    def _leave_out(self, message: Message, reason: str) -> None:
        self.left_out[message.author.platform, reason] += 1
