"""Telegram's flood limits, off unless a test wants them."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque

from localtelegram.world import World

_PAIRS = ((1, 1.0), (20, 60.0), (30, 1.0))


class Flood:
    """Counts what the bot sends and edits: per chat and second, per group and minute, and altogether."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.on = False
        self.per_chat, self.per_group, self.overall = _PAIRS
        self._sent: dict[tuple[str, int], deque[float]] = defaultdict(deque)

    def wait(self, method: str, chat_id: int | str | None) -> int:
        """Return how many seconds the bot has to wait, 0 if this request is within the limits, and count it."""
        if not self.on or chat_id is None or not method.lower().startswith(("send", "edit", "copy", "forward")):
            return 0
        chat = self.world.find_chat(chat_id)
        if chat is None or method.lower() == "sendchataction":
            return 0
        now = time.monotonic()
        limits = [("all", 0, self.overall), ("chat", chat.id, self.per_chat)]
        if chat.kind != "private":
            limits.append(("group", chat.id, self.per_group))
        longest = 0.0
        for name, id, (most, period) in limits:
            times = self._sent[name, id]
            while times and times[0] <= now - period:
                times.popleft()
            if len(times) >= most:
                longest = max(longest, times[0] + period - now)
        if longest:
            return math.ceil(longest)
        for name, id, _ in limits:
            self._sent[name, id].append(now)
        return 0
