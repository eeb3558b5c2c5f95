"""Lets people in to what takes time, so that a flood of requests costs nobody else an answer or an alert."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bot.moderation import RefusedError
from classifiers.conversation import Account

OF_ONE, IN_ALL = 10, 200  # requests under way
_T = TypeVar("_T")


class BusyError(RefusedError):
    """There are too many requests, of this person or in all."""


class Turns:
    """Counts the requests that are under way; one is served at a time."""

    def __init__(self) -> None:
        self._under_way: Counter[Account] = Counter()
        self._serving = asyncio.Lock()

    @contextmanager
    def admitted(self, person: Account) -> Iterator[None]:
        """Count a request until it is answered; BusyError when there are too many."""
        if self._under_way[person] >= OF_ONE or self._under_way.total() >= IN_ALL:
            raise BusyError("too much is asked at the moment: ask again in a minute. /help has the advice at once")
        self._under_way[person] += 1
        try:
            yield
        finally:
            self._under_way[person] -= 1
            if not self._under_way[person]:
                del self._under_way[person]

    async def serve(self, work: Callable[..., _T], *args: object) -> _T:
        """Do in a thread what takes time, once those who asked before are served."""
        async with self._serving:
            return await asyncio.to_thread(work, *args)
