"""Composes every part from the settings and runs them until told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TextIO

from bot.case import Policy
from bot.config import Config
from bot.effects import Platform
from bot.guard import Guard
from bot.memory import Memory
from bot.outbox import Outbox, to_its_end
from bot.sealing import Seal, load_seal
from bot.store import Store
from classifiers.artefact import bundled, load
from classifiers.classifier import Classifier

log = logging.getLogger(__name__)
_PURGE_EVERY = timedelta(hours=6)
_POLICIES = 10_000
_LINES_AHEAD = 1_000


@dataclass(frozen=True, slots=True)
class Haven:
    """The parts, joined."""

    store: Store
    guard: Guard
    outbox: Outbox
    policy_of: Callable[[str], Policy]


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@contextmanager
def composed(
    config: Config,
    store: Store,
    platforms: Sequence[Platform],
    classifier: Classifier,
    clock: Callable[[], datetime] = now,
) -> Iterator[Haven]:
    """Join the parts and close the store at the end."""
    policy_of = lru_cache(maxsize=_POLICIES)(config.policy_of)
    memory = Memory(config.memory.max_conversations, timedelta(hours=config.memory.max_age_hours))
    guard = Guard(classifier, memory, store, policy_of, clock)
    try:
        yield Haven(store, guard, Outbox(store, platforms, clock), policy_of)
    finally:
        store.close()


def open_store(config: Config, folder: Path, environment: Mapping[str, str]) -> Store:
    """Open the database that the settings name; a new one gets a new key."""
    database = folder / config.store.database
    return Store(database, open_seal(config, folder, environment, create=not database.exists()))


def open_seal(config: Config, folder: Path, environment: Mapping[str, str], *, create: bool) -> Seal:
    """Return the seal that the settings name."""
    return load_seal(folder / config.store.key_file, environment, create=create)


def model_folder(config: Config, folder: Path) -> Path:
    """Return where the model is that the settings name: by default the one that came with Haven."""
    return folder / config.model.folder if config.model.folder else bundled()


def open_classifier(config: Config, folder: Path) -> Classifier:
    """Load the model that the settings name."""
    model, _ = load(model_folder(config, folder))
    return Classifier(model)


async def serve(haven: Haven, lines: AsyncIterator[str], take: Callable[[str], None]) -> None:
    """Deliver in the background while `take` handles each line; end with the lines, or on a signal.

    What was recorded is delivered before it returns, or stays recorded for the next start.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows ends the program itself
            loop.add_signal_handler(number, stopping.set)
    try:
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(haven.outbox.run()),
                group.create_task(_purge(haven)),
            ]
            reading = group.create_task(_read(haven, lines, take))
            stop = group.create_task(stopping.wait())
            await asyncio.wait((reading, stop), return_when=asyncio.FIRST_COMPLETED)
            for task in (*background, reading, stop):
                task.cancel()
    except BaseExceptionGroup as failures:
        raise _first(failures) from failures
    await haven.outbox.drain()


async def stdin_lines(stream: TextIO = sys.stdin) -> AsyncIterator[str]:
    """Yield lines as they come, from a terminal, a pipe or a file, without blocking the loop."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue(_LINES_AHEAD)

    def pump() -> None:
        with suppress(RuntimeError, CancelledError):  # the loop has ended
            for line in chain(iter(stream.readline, ""), (None,)):
                asyncio.run_coroutine_threadsafe(queue.put(line), loop).result()

    threading.Thread(target=pump, daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line


async def _read(haven: Haven, lines: AsyncIterator[str], take: Callable[[str], None]) -> None:
    async for line in lines:
        await to_its_end(asyncio.to_thread(take, line))
        haven.outbox.wake()


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


async def _purge(haven: Haven) -> None:
    """Erase cases past the retention of their space, at the start and every six hours."""
    while True:
        for space in await asyncio.to_thread(haven.store.spaces):
            before = now() - haven.policy_of(space).retention
            if erased := await asyncio.to_thread(haven.store.purge, space, before):
                log.info("erased %d cases past their retention", erased)
        await asyncio.sleep(_PURGE_EVERY.total_seconds())
