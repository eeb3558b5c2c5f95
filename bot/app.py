"""Composes every part from the settings and runs them until told to stop."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TextIO

from bot.backup import remove_unfinished
from bot.config import Config
from bot.effects import Platform
from bot.files import check_file, check_foreign, claimed, followed, is_lost, is_there
from bot.guard import Guard
from bot.inbox import Inbox
from bot.ledger import Ledger
from bot.linker import Linker
from bot.memory import Memory
from bot.moderation import Moderation
from bot.outbox import Outbox
from bot.parts import Parts
from bot.people import People
from bot.policies import Policies
from bot.records import AUDIT_DAYS, Records
from bot.sealing import KEY_VARIABLE, Seal, WrongKeyError, load_seal, next_key_file, take_next_key
from bot.store import Store
from classifiers.artefact import bundled, load
from classifiers.classifier import Classifier
from classifiers.conversation import cut
from classifiers.errors import InputError

log = logging.getLogger(__name__)
_PURGE_EVERY = timedelta(hours=6)
_EXPIRE_EVERY = timedelta(minutes=5)
_LINES_AHEAD = 1_000
_SWITCH_SECONDS = 0.001
"""How long the threads that read and record let each other and the event loop wait."""


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
    *,
    needs_channel: bool = False,
) -> Iterator[Parts]:
    """Join the parts and close the store at the end; with `needs_channel`, spaces without one are only observed."""
    records = Records(store)
    ledger = Ledger(store)
    policies = Policies(config, records, ledger, needs_channel=needs_channel)
    linker = Linker(store, ledger, policies.of)
    memory = Memory(config.memory.max_conversations, timedelta(hours=config.memory.max_age_hours))
    guard = Guard(classifier, memory, store, policies.of, clock, linker)
    outbox = Outbox(store, platforms, clock, policies.of)
    try:
        yield Parts(
            store=store,
            records=records,
            policies=policies,
            guard=guard,
            linker=linker,
            inbox=Inbox(guard, outbox),
            outbox=outbox,
            people=People(classifier, store, guard, linker, policies, clock),
            moderation=Moderation(store, records, linker, policies, clock),
            clock=clock,
        )
    finally:
        store.close()


def open_store(config: Config, folder: Path, environment: Mapping[str, str]) -> Store:
    """Open the database that the settings name; a new one gets a new key."""
    database, key_file = folder / config.store.database, folder / config.store.key_file
    check_file(database)
    try:
        seal = open_seal(config, folder, environment, create=not is_there(database))
    except InputError:
        check_foreign(database)  # what is no database needs no key
        raise
    try:
        return Store(database, seal)
    except WrongKeyError:
        if environment.get(KEY_VARIABLE) or not next_key_file(key_file).exists():
            raise
        store = Store(database, load_seal(next_key_file(key_file), {}, create=False))
        take_next_key(key_file)  # a kill ended the change of keys between its last two steps
        return store


@contextmanager
def running(config: Config, folder: Path, environment: Mapping[str, str]) -> Iterator[Store]:
    """Open the database for the one Haven that runs on it."""
    key_file, database = folder / config.store.key_file, folder / config.store.database
    lost = is_lost(database)
    with claimed(database):
        store = open_store(config, folder, environment)
        if lost:
            log.warning(
                "%s was not there, and Haven was started on it before: it begins anew, without the cases, the settings"
                " of servers and the choices of people that it had; if there were any, stop and restore a backup",
                database,
            )
        remove_unfinished(followed(database))
        next_key_file(key_file).unlink(missing_ok=True)  # a kill ended the change of keys early
        yield store


def open_seal(config: Config, folder: Path, environment: Mapping[str, str], *, create: bool) -> Seal:
    """Return the seal that the settings name."""
    return load_seal(folder / config.store.key_file, environment, create=create)


def model_folder(config: Config, folder: Path) -> Path:
    """Return where the model is that the settings name: by default the one that came with Haven."""
    return folder / config.model.folder if config.model.folder else bundled()


def open_classifier(config: Config, folder: Path) -> Classifier:
    """Load the model that the settings name."""
    model, _ = load(model_folder(config, folder))
    classifier = Classifier(model)
    _trim()
    return classifier


def _trim() -> None:
    """Give free memory back to the system: reading a model takes twice what it needs. Only glibc does not by itself."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


async def serve(parts: Parts, readers: Sequence[Coroutine[None, None, None]]) -> None:
    """Read and deliver until every reader has ended or a signal comes.

    What was read is decided on and what was recorded is delivered before it returns, or stays recorded for the
    next start.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()  # what is there by now stays: to look through it for garbage would stop everything for 50 ms
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows ends the program itself
            loop.add_signal_handler(number, stopping.set)
    try:
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(work)
                for work in (parts.outbox.run(), parts.inbox.run(), _purge(parts), _expire(parts), *readers)
            ]
            reading = group.create_task(asyncio.wait(background[-len(readers) :]))
            stop = group.create_task(stopping.wait())
            await asyncio.wait((reading, stop), return_when=asyncio.FIRST_COMPLETED)
            if stopping.is_set():
                log.info("stopping: what was read is decided on and delivered first")
            for work in background[-len(readers) :]:
                work.cancel()
            await asyncio.wait(background[-len(readers) :])  # they may have messages left to hand over
            for task in (*background, reading, stop):
                task.cancel()
    except BaseExceptionGroup as failures:
        with suppress(InputError):  # what can still be recorded and delivered is
            await _drain(parts)
        raise _first(failures) from failures
    finally:
        gc.unfreeze()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
    await _drain(parts)


async def _drain(parts: Parts) -> None:
    await parts.inbox.drain()
    await parts.outbox.drain()


async def stdin_lines(stream: TextIO | None = sys.stdin) -> AsyncIterator[str]:
    """Yield lines as they come, from a terminal, a pipe or a file, without blocking the loop."""
    if stream is None:  # it was closed
        return
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    room = threading.Semaphore(_LINES_AHEAD)

    def pump() -> None:
        with suppress(RuntimeError):  # the loop has ended
            for line in chain(iter(stream.readline, ""), (None,)):
                room.acquire()
                loop.call_soon_threadsafe(queue.put_nowait, line and cut(line))

    threading.Thread(target=pump, daemon=True).start()
    while (line := await queue.get()) is not None:
        room.release()
        yield line


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


async def _expire(parts: Parts) -> None:
    """Drop from memory what is past its age, every few minutes, and see that the database is there."""
    while True:
        await asyncio.sleep(_EXPIRE_EVERY.total_seconds())
        await asyncio.to_thread(parts.guard.expire)
        await asyncio.to_thread(parts.people.expire)
        await asyncio.to_thread(parts.store.check)


async def _purge(parts: Parts) -> None:
    """Erase cases past the retention of their space, and old audit lines, at the start and every six hours."""
    while True:
        for space in await asyncio.to_thread(parts.store.spaces):
            before = now() - parts.policies.of(space).retention
            if erased := await asyncio.to_thread(parts.store.purge, space, before):
                log.info("erased cases past their retention: %d", erased)
                parts.policies.ruled(space)  # their rulings count no more
        retention = parts.policies.of("").retention
        await asyncio.to_thread(parts.store.forget_warnings, now() - retention)
        await asyncio.to_thread(parts.records.purge, (now() - timedelta(days=AUDIT_DAYS)).timestamp())
        await asyncio.to_thread(parts.store.checkpoint)
        await asyncio.sleep(_PURGE_EVERY.total_seconds())
