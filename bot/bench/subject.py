"""The Haven that is measured: all parts as `haven run` joins them, its database on disk, and nobody to write to."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.app import composed, open_classifier, open_store
from bot.bench.mix import PLATFORM
from bot.config import Config, MemorySettings, PolicySettings
from bot.effects import Delivery, Effect, Outcome
from bot.inbox import AT_ONCE
from bot.parts import Parts
from classifiers.conversation import Message


class Nowhere:
    """A platform on which everything is delivered at once."""

    name = PLATFORM
    remembers = 0.0
    connected = True

    async def ready(self) -> None:
        """There is nothing to wait for."""

    async def perform(self, effect: Effect, key: str) -> Delivery:
        """Deliver."""
        return Delivery(Outcome.DELIVERED, reference=key)


@contextmanager
def subject(folder: Path, conversations: int) -> Iterator[Parts]:
    """Open a Haven in a folder that remembers so many conversations, and those of sextortion."""
    config = Config(
        memory=MemorySettings(max_conversations=2 * conversations + 1_000),
        policy=PolicySettings(alert_channel="1"),
    )
    store = open_store(config, folder, {})
    with composed(config, store, [Nowhere()], open_classifier(config, folder)) as parts:
        gc.freeze()  # as `serve` does
        yield parts


def receive(parts: Parts, messages: Sequence[Message]) -> None:
    """Let the guard read messages, as many at a time as the inbox hands over."""
    for start in range(0, len(messages), AT_ONCE):
        parts.guard.receive(messages[start : start + AT_ONCE])
