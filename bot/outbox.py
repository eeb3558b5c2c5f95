"""Performs what is recorded, until it is done or refused; what a kill interrupts is done after the restart."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from bot.case import after
from bot.cases import LONGEST_HOLD, Row
from bot.effects import AdviseTarget, AlertModerators, Delivery, Outcome, Platform, UpdateAlert
from bot.policy import Policy
from bot.redaction import is_emptied
from bot.rulings import withheld
from bot.store import Store

log = logging.getLogger(__name__)
_T = TypeVar("_T")

WORKERS = 4  # per platform
FIRST_WAIT, LONGEST_WAIT = 2.0, 900.0
_CUT_OFF = Delivery(Outcome.UNKNOWN, detail="cut off while it was sent")
MOST_ATTEMPTS = 100  # about a day, at the longest wait; alerts are tried as long as their case is kept
_ATTEMPT_SECONDS = 75.0  # more than the client of any platform waits by itself
_STOP_SECONDS = 30.0
_READY_SECONDS = 1.0


class Outbox:
    """A few workers per platform; each takes the effect that is due, performs it once and settles it.

    Effects of one case are performed one after the other, so a person who cannot be reached delays no other case.
    `attempts` counts by platform, effect and outcome, `tried_at` has when the last was made, in seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        platforms: Sequence[Platform],
        clock: Callable[[], datetime],
        policy_of: Callable[[str], Policy] = lambda _: Policy(),
    ) -> None:
        self._store = store
        self._platforms = platforms
        self._clock = clock
        self._policy_of = policy_of
        self._news = {platform.name: asyncio.Event() for platform in platforms}
        self._busy: set[str] = set()
        self._turn = asyncio.Lock()
        self.attempts: Counter[tuple[str, str, Outcome]] = Counter()
        self.tried_at = dict.fromkeys(self._news, clock().timestamp())

    def wake(self) -> None:
        """Say that something was recorded."""
        for news in self._news.values():
            news.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for platform in self._platforms:
                for _ in range(WORKERS):
                    group.create_task(self._serve(platform))

    async def drain(self) -> None:
        """Deliver what is due now and what follows from it, where that can be reached, for half a minute at most."""
        for platform in self._platforms:
            try:
                async with asyncio.timeout(_READY_SECONDS):
                    await platform.ready()
            except TimeoutError:
                continue
            end = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < end and await self._deliver_next(platform):
                pass

    async def _serve(self, platform: Platform) -> None:
        news = self._news[platform.name]
        while True:
            await platform.ready()
            news.clear()
            if await to_its_end(self._deliver_next(platform)):
                continue
            due = await asyncio.to_thread(self._store.next_due, platform.name, tuple(self._busy))
            wait = None if due is None else max(0.0, due - self._now())
            try:
                async with asyncio.timeout(wait):
                    await news.wait()
            except TimeoutError:
                continue

    async def _deliver_next(self, platform: Platform) -> bool:
        async with self._turn:
            row = await asyncio.to_thread(self._store.begin, platform.name, self._now(), tuple(self._busy))
            if row is None:
                return False
            self._busy.add(row.case)
        self._news[platform.name].set()  # this worker took the news from the others, and there may be more
        try:
            delivery = await asyncio.to_thread(self._withheld, platform, row) or await self._attempt(platform, row)
            outcome = await asyncio.to_thread(self._finish, platform, row, delivery)
            self.attempts[platform.name, type(row.effect).__name__, outcome] += 1
            self.tried_at[platform.name] = self._now()
        finally:
            self._busy.discard(row.case)
        return True

    def _withheld(self, platform: Platform, row: Row) -> Delivery | None:
        """Return why a warning is not to be sent (any more), None for what is to be done."""
        if not isinstance(row.effect, AdviseTarget):
            return None
        if row.begun_at is not None and _is_forgotten(platform, row, self._now(), row.begun_at):
            return _CUT_OFF
        case = self._store.case_of(row.case)
        if case is None:
            return Delivery(Outcome.WITHDRAWN)
        recipient, policy = self._store.recipient(row.effect.target), self._policy_of(case.space)
        outcome = withheld(case, row.effect, recipient, policy)
        return Delivery(outcome) if outcome else None

    async def _attempt(self, platform: Platform, row: Row) -> Delivery:
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                return await platform.perform(row.effect, f"{row.case}-{row.id}")
        except Exception as error:  # noqa: BLE001 (a platform's fault must not stop the others)
            return Delivery(Outcome.LOST, detail=type(error).__name__)

    def _finish(self, platform: Platform, row: Row, delivery: Delivery) -> Outcome:
        """Settle what ended, fold it into the case and record what follows, in one transaction."""
        now = self._now()
        name = type(row.effect).__name__
        where = {"platform": platform.name, "case": row.case}
        if delivery.outcome in (Outcome.RETRY, Outcome.HELD, Outcome.LOST):
            due = now + wait_before(row.attempts, delivery.retry_after, random.random())  # noqa: S311
            if delivery.outcome is Outcome.LOST and _is_forgotten(platform, row, due, now):
                delivery = _CUT_OFF
            elif row.attempts < MOST_ATTEMPTS or isinstance(row.effect, AlertModerators):
                log.warning(
                    "%s of case %s: %s, again in %.0f s", name, row.case, delivery.detail, due - now, extra=where
                )
                with self._store.transaction():
                    self._store.postpone(row, due, undone=delivery.outcome is not Outcome.LOST)
                    if delivery.outcome is Outcome.HELD:
                        self._fold(row, delivery, now)
                return delivery.outcome
            else:
                delivery = Delivery(Outcome.FAILED, detail=f"gave up: {delivery.detail}")
        ended = " ".join(filter(None, (delivery.outcome, delivery.detail)))
        log.info("%s of case %s: %s", name, row.case, ended, extra=where)
        with self._store.transaction():
            self._store.settle(row, delivery, now)
            self._fold(row, delivery, now)
        return delivery.outcome

    def _fold(self, row: Row, delivery: Delivery, now: float) -> None:
        case = self._store.case_of(row.case)
        if case is not None:
            case, effects = after(case, row.effect, delivery)
            if is_emptied(case):  # an alert that is gone is as good as edited
                effects = tuple(effect for effect in effects if isinstance(effect, UpdateAlert))
            self._store.record(case, effects, now)
            if is_emptied(case):
                self._store.drop_delivered(case)

    def _now(self) -> float:
        return self._clock().timestamp()


def _is_forgotten(platform: Platform, row: Row, at: float, first: float) -> bool:
    """Return whether a warning that may have been sent would be sent twice at a time.

    By a clock that was set back since, it was begun in the future: nobody knows then how long ago that is.
    """
    begun_at = first if row.begun_at is None else row.begun_at
    return isinstance(row.effect, AdviseTarget) and not 0 <= at - begun_at <= platform.remembers


async def to_its_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Do the work; a cancellation takes effect after it, so that nothing begun is left half done."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):  # however often it is asked to stop
                await asyncio.wait((task,))
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            raise error from None  # worse news than the end
        raise


def wait_before(attempts: int, retry_after: float | None, chance: float) -> float:
    """Return the seconds until the next attempt: doubling, at most 15 minutes, spread by `chance` (0 to 1).

    A platform's own `retry_after` is a floor, up to `LONGEST_HOLD`.
    """
    doubling = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempts - 1, 20))
    return min(LONGEST_HOLD, max(doubling * (0.5 + chance), retry_after or 0.0))
