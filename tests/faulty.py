"""Runs `haven run` with faults put into the real parts: what they raise repeats all that was being read."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import warnings
from typing import Any

from bot import outbox
from bot.cli import main
from bot.guard import Guard
from bot.platforms.console import ConsolePlatform
from bot.platforms.discord_bot import DiscordPlatform, client, reading
from bot.store import Store
from classifiers.classifier import Classifier

BREAK = "breaks"
_PLATFORMS: tuple[Any, ...] = (ConsolePlatform, DiscordPlatform)


def failing_guard() -> None:
    """Fail at messages that say so."""
    take: Any = Classifier.take

    def fail(self: Classifier, conversation: Any, message: Any, *how: Any, **more: Any) -> Any:
        if BREAK in message.text:
            raise ValueError(repr(message))
        return take(self, conversation, message, *how, **more)

    Classifier.take = fail  # type: ignore[method-assign]


def failing_outbox() -> None:
    """Fail where a delivered warning is to be settled."""

    def fail(_: Store, row: Any, delivery: Any, now: float) -> None:
        raise RuntimeError(f"cannot settle {row}, {delivery} at {now}")

    Store.settle = fail  # type: ignore[method-assign, assignment]


def failing_platform() -> None:
    """Fail at the first attempt at everything, and at messages that say so."""
    outbox.FIRST_WAIT = 0.02
    for platform in _PLATFORMS:
        platform.perform = _once(platform.perform)
    to_message = reading.to_message

    def fail(message: Any) -> Any:
        if BREAK in message.content:
            raise ValueError(message.content, message.author.display_name)
        return to_message(message)

    vars(client)["to_message"] = fail


def _once(perform: Any) -> Any:
    tried = set()

    async def attempt(self: Any, effect: Any, key: str) -> Any:
        if key not in tried:
            tried.add(key)
            raise RuntimeError(repr(effect))
        return await perform(self, effect, key)

    return attempt


def failing_aside() -> None:
    """Fail in threads, forgotten tasks, finalisers, libraries and log calls."""
    read: Any = Guard.read

    def fail(self: Guard, messages: Any) -> Any:
        messages = list(messages)
        said = repr(messages)

        def thread() -> None:
            raise ValueError(said)

        async def task() -> None:
            raise ValueError(said)

        class Finalised:
            def __del__(self) -> None:
                raise ValueError(said)

        threading.Thread(target=thread).start()
        asyncio.run(_forget(task()))
        Finalised()
        warnings.warn(said, stacklevel=1)
        logging.getLogger("discord.http").warning("%s was limited", said)
        logging.getLogger("discord.http").warning("%d of %d", said)
        try:
            raise ValueError(said)
        except ValueError:
            logging.getLogger("httpx").exception("lost %s\nat %s", said, said)
        return read(self, messages)

    Guard.read = fail  # type: ignore[method-assign]


async def _forget(work: Any) -> None:
    task = asyncio.create_task(work)
    await asyncio.sleep(0.01)
    assert task.done()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        {"guard": failing_guard, "outbox": failing_outbox, "platform": failing_platform, "aside": failing_aside}[name]()
    main(["run"])
