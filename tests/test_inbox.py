"""Messages wait their turn on the way to the guard: in order, bounded, and none is lost when everything stops."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from byhand import Meaning, adding_model

from bot import app
from bot import inbox as inbox_module
from bot.app import composed, serve
from bot.config import Config
from bot.effects import Delivery, Effect, Outcome
from bot.guard import Decision, Finding, Guard, Unread
from bot.inbox import Inbox
from bot.logs import TextLine
from bot.memory import Memory
from bot.outbox import Outbox
from bot.people import People
from bot.policy import Policy
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.assessment import Kind, Marker
from classifiers.classifier import Classifier, Question
from classifiers.conversation import Account, Message

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA, SAM = Account("console", "kayla"), Account("console", "Sam")
CAPACITY = 300
POISON = "poison menace"
MENACE = Meaning((Marker.PAYMENT_DEMAND, Marker.PRESSURE), {Kind.THREAT: 9})


class Watched(Guard):
    """A guard that notes what it has read, and reads nothing while its gate is shut."""

    def __init__(self, store: Store) -> None:
        classifier = Classifier(adding_model({"menace": MENACE}, rare=-6))
        super().__init__(classifier, Memory(10, timedelta(days=7)), store, lambda _: Policy(), lambda: NOON)
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()
        self.heard: list[str] = []
        self.batches: list[int] = []

    def read(self, messages: Iterable[Message]) -> list[Finding | Unread]:
        batch = list(messages)
        self.reached.set()
        self.gate.wait(20)
        findings = super().read(batch)
        self.heard += [message.id for message in batch]
        self.batches.append(len(batch))
        return findings


class Noting:
    """A platform that does as it should and notes it."""

    name = "console"
    remembers = 0.0

    def __init__(self) -> None:
        self.performed: list[Effect] = []

    async def ready(self) -> None:
        """There is nothing to wait for."""

    async def perform(self, effect: Effect, key: str) -> Delivery:
        self.performed.append(effect)
        return Delivery(Outcome.DELIVERED, reference="post-1")


def said(*ids: int, text: str = "hello") -> list[Message]:
    return [Message(str(id), "home", f"room {id}", KAYLA, text, NOON + timedelta(seconds=id), (SAM,)) for id in ids]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (what is waited for happens in a thread)
            await asyncio.sleep(0.002)


@asynccontextmanager
async def running(*parts: Inbox | Outbox) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def put_all(inbox: Inbox, messages: Iterable[Message]) -> None:
    for message in messages:
        await inbox.put(message)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "haven.db", one_time_seal())) as store:
        yield store


@pytest.fixture
def guard(store: Store) -> Watched:
    return Watched(store)


@pytest.fixture
def platform() -> Noting:
    return Noting()


@pytest.fixture
def outbox(store: Store, platform: Noting) -> Outbox:
    return Outbox(store, [platform], lambda: NOON)


@pytest.fixture
def inbox(guard: Watched, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """An inbox that holds three hundred."""
    monkeypatch.setattr(inbox_module, "CAPACITY", CAPACITY)
    return Inbox(guard, outbox)


def names(ids: Iterable[int]) -> list[str]:
    return list(map(str, ids))


async def test_messages_are_read_once_in_the_order_in_which_they_were_handed_over(inbox: Inbox, guard: Watched) -> None:
    async with running(inbox):
        await put_all(inbox, said(*range(3 * CAPACITY)))
        await until(lambda: inbox.waiting == 0)
    assert guard.heard == names(range(3 * CAPACITY))


async def test_a_flood_is_read_many_at_a_time_but_not_all_at_once(inbox: Inbox, guard: Watched) -> None:
    await put_all(inbox, said(*range(CAPACITY)))
    async with running(inbox):
        await until(lambda: inbox.waiting == 0)
    assert sum(guard.batches) == CAPACITY
    assert 1 < len(guard.batches) < 10


async def test_a_full_inbox_makes_its_platform_wait(inbox: Inbox, guard: Watched) -> None:
    await put_all(inbox, said(*range(CAPACITY)))
    more = asyncio.create_task(put_all(inbox, said(*range(CAPACITY, 2 * CAPACITY))))
    await asyncio.sleep(0.02)
    assert not more.done()
    assert inbox.waiting == CAPACITY
    async with running(inbox):
        await more
        await until(lambda: inbox.waiting == 0)
    assert guard.heard == names(range(2 * CAPACITY))


async def test_what_is_handed_over_and_not_decided_on_waits(inbox: Inbox, guard: Watched) -> None:
    guard.gate.clear()
    await put_all(inbox, said(*range(3)))
    async with running(inbox):
        await until(guard.reached.is_set)
        await put_all(inbox, said(3, 4))
        assert inbox.waiting == 5
        guard.gate.set()
        await until(lambda: inbox.waiting == 0)
    assert guard.heard == names(range(5))


async def test_draining_reads_all_that_waits(inbox: Inbox, guard: Watched) -> None:
    await inbox.drain()
    assert guard.batches == []
    await put_all(inbox, said(*range(CAPACITY)))
    await inbox.drain()
    assert guard.heard == names(range(CAPACITY))
    assert inbox.waiting == 0


async def test_draining_records_what_it_finds_before_it_reads_on(
    inbox: Inbox, guard: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, heard_by_then = guard.record, []

    def note(findings: Sequence[Finding]) -> list[Decision]:
        heard_by_then.append(len(guard.heard))
        return record(findings)

    monkeypatch.setattr(guard, "record", note)
    await put_all(inbox, said(*range(CAPACITY), text="menace"))
    await inbox.drain()
    assert heard_by_then[0] == guard.batches[0] < CAPACITY == len(guard.heard)


async def test_a_flood_of_threats_is_read_no_faster_than_it_is_recorded(
    inbox: Inbox, guard: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, recorded, ahead = guard.record, 0, [0]

    def slow(findings: Sequence[Finding]) -> list[Decision]:
        nonlocal recorded
        time.sleep(0.05)
        recorded += len(findings)
        ahead.append(len(guard.heard) - recorded)
        return record(findings)

    monkeypatch.setattr(guard, "record", slow)
    async with running(inbox):
        await put_all(inbox, said(*range(4 * CAPACITY), text="menace"))
        await until(lambda: inbox.waiting == 0)
    assert recorded == len(guard.heard) == 4 * CAPACITY
    assert max(ahead) < 2 * CAPACITY


async def test_draining_lets_in_who_waits_at_the_door(inbox: Inbox, guard: Watched) -> None:
    await put_all(inbox, said(*range(CAPACITY)))
    more = asyncio.create_task(put_all(inbox, said(*range(CAPACITY, CAPACITY + 50))))
    await asyncio.sleep(0)
    await inbox.drain()
    await more
    await inbox.drain()
    assert guard.heard == names(range(CAPACITY + 50))


async def test_what_is_being_read_at_the_end_is_read_to_its_end_and_the_rest_waits(
    inbox: Inbox, guard: Watched
) -> None:
    guard.gate.clear()
    await put_all(inbox, said(*range(CAPACITY)))
    async with running(inbox) as (task,):
        await until(guard.reached.is_set)
        task.cancel()
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.sleep(0.02)
        assert not task.done()
        guard.gate.set()
    assert 0 < len(guard.heard) < CAPACITY
    assert len(guard.heard) + inbox.waiting == CAPACITY
    await inbox.drain()
    assert guard.heard == names(range(CAPACITY))


@pytest.mark.parametrize("turns", range(8))
async def test_a_stop_at_any_moment_loses_no_message_and_repeats_none(inbox: Inbox, guard: Watched, turns: int) -> None:
    async with running(inbox) as (task,):
        await asyncio.sleep(0)
        await inbox.put(said(0)[0])
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await put_all(inbox, said(1, 2))
    assert len(guard.heard) + inbox.waiting == 3
    await inbox.drain()
    assert guard.heard == names(range(3))


async def test_a_second_run_goes_on_where_the_first_was_stopped(inbox: Inbox, guard: Watched) -> None:
    async with running(inbox):
        await put_all(inbox, said(0, 1))
    async with running(inbox):
        await put_all(inbox, said(2))
        await until(lambda: inbox.waiting == 0)
    assert guard.heard == names(range(3))


async def test_what_a_message_leads_to_is_delivered_without_being_asked_for(
    inbox: Inbox, outbox: Outbox, platform: Noting
) -> None:
    async with running(inbox, outbox):
        await asyncio.sleep(0.02)
        assert platform.performed == []
        await put_all(inbox, said(1, text="menace"))
        await until(lambda: len(platform.performed) >= 2)
    assert [type(effect).__name__ for effect in platform.performed[:2]] == ["AlertModerators", "AdviseTarget"]


def messages_in(what: Iterable[Any]) -> Iterator[Message]:
    """Yield the messages that a step of the classifier is given."""
    for one in what:
        if isinstance(one, Message):
            yield one
        elif isinstance(one, list):
            yield from messages_in(one)
        elif isinstance(one, Question):
            yield one.message


@pytest.fixture(params=["hear", "take", "answer"])
def choking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reading of some words fail, at one step after the other."""
    step = request.param
    real = getattr(Classifier, step)

    def fail(self: Classifier, *what: Any, **how: Any) -> Any:
        if any(POISON in one.text for one in messages_in(what)):
            raise ValueError(POISON)
        return real(self, *what, **how)

    monkeypatch.setattr(Classifier, step, fail)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.usefixtures("choking")
async def test_a_message_that_cannot_be_read_is_left_out_and_costs_no_other(
    store: Store,
    guard: Watched,
    inbox: Inbox,
    outbox: Outbox,
    platform: Noting,
    position: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    messages = [*said(0), *said(1, text="menace"), *said(2)]
    messages.insert(position, said(9, text=POISON)[0])
    await put_all(inbox, messages)
    async with running(inbox, outbox):
        await inbox.caught_up()
        assert inbox.waiting == 0
        await put_all(inbox, said(3))
        await inbox.caught_up()
        await until(lambda: store.next_due("console") is None)
    assert inbox.left_out == {("console", "unreadable"): 1}
    assert guard.levels.total() == 4
    kinds = [type(effect).__name__ for effect in platform.performed]
    assert (kinds.count("AlertModerators"), kinds.count("AdviseTarget")) == (1, 1)
    logged = [TextLine().format(record) for record in caplog.records]
    assert sum("a message could not be read or recorded and was left out (ValueError" in line for line in logged) == 1
    assert not [line for line in logged if POISON in line]


@pytest.mark.parametrize(("mode", "warned"), [("advise", True), ("alert", False), ("observe", False)])
async def test_what_moderators_choose_while_a_warning_waits_counts(
    tmp_path: Path, platform: Noting, mode: str, warned: bool
) -> None:
    classifier = Classifier(adding_model({"menace": MENACE}, rare=-6))
    with composed(Config(), Store(tmp_path / "haven.db", one_time_seal()), [platform], classifier) as parts:
        parts.guard.receive(said(1, text="menace"))
        parts.set_up("home", SAM, {"mode": mode})
        await parts.outbox.drain()
    kinds = [type(effect).__name__ for effect in platform.performed]
    assert kinds == ["AlertModerators", *(["AdviseTarget"] if warned else []), "UpdateAlert"]


async def test_when_a_reader_fails_what_was_read_is_decided_on_and_delivered(tmp_path: Path, platform: Noting) -> None:
    classifier = Classifier(adding_model({"menace": MENACE}, rare=-6))
    with composed(Config(), Store(tmp_path / "haven.db", one_time_seal()), [platform], classifier) as parts:

        async def reading() -> None:
            await parts.inbox.put(said(1, text="menace")[0])
            raise RuntimeError("the platform broke")

        with pytest.raises(RuntimeError, match="the platform broke"):
            await serve(parts, [reading()])
        assert parts.inbox.waiting == 0
        assert parts.store.next_due("console") is None
    kinds = [type(effect).__name__ for effect in platform.performed]
    assert kinds == ["AlertModerators", "AdviseTarget", "UpdateAlert"]


async def test_when_a_reader_fails_and_nothing_can_be_recorded_its_failure_is_told(
    tmp_path: Path, platform: Noting
) -> None:
    classifier = Classifier(adding_model({"menace": MENACE}, rare=-6))
    with composed(Config(), Store(tmp_path / "haven.db", one_time_seal()), [platform], classifier) as parts:

        async def reading() -> None:
            await parts.inbox.put(said(1, text="menace")[0])
            parts.store.close()
            raise RuntimeError("the platform broke")

        with pytest.raises(RuntimeError, match="the platform broke"):
            await serve(parts, [reading()])
    assert platform.performed == []


async def test_what_is_past_its_age_leaves_memory_while_it_runs(
    tmp_path: Path, platform: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_EXPIRE_EVERY", timedelta(milliseconds=5))
    classifier = Classifier(adding_model({"menace": MENACE}, rare=-6))
    with composed(Config(), Store(tmp_path / "haven.db", one_time_seal()), [platform], classifier) as parts:
        expired: list[str] = []
        monkeypatch.setattr(Guard, "expire", lambda _: expired.append("guard"))
        monkeypatch.setattr(People, "expire", lambda _: expired.append("people"))
        await serve(parts, [until(lambda: len(expired) >= 4)])
    assert expired[:4] == ["guard", "people"] * 2


async def test_when_people_were_warned_is_erased_at_the_start_although_their_space_has_no_cases(
    tmp_path: Path, platform: Noting
) -> None:
    classifier = Classifier(adding_model({"menace": MENACE}, rare=-6))
    store = Store(tmp_path / "haven.db", one_time_seal())
    with composed(Config(), store, [platform], classifier) as parts:
        parts.guard.receive(said(1, text="menace"))
        await parts.outbox.drain()
        assert store.recipient(SAM).advised_at
        with store.transaction():
            store.db.conn.execute("DELETE FROM cases")
            store.db.conn.execute("UPDATE recipients SET advised_at = '2020-01-01T00:00:00+00:00'")
        await serve(parts, [until(lambda: store.recipient(SAM).advised_at is None)])


async def test_a_guard_that_fails_ends_the_run(inbox: Inbox, guard: Watched, store: Store) -> None:
    store.close()
    task = asyncio.create_task(inbox.run())
    await put_all(inbox, said(1, text="menace"))
    async with asyncio.timeout(20):
        with pytest.raises(ExceptionGroup) as failed:
            await task
    assert "closed" in str(failed.value.exceptions[0])


async def test_more_than_may_wait_are_left_out_and_counted(
    inbox: Inbox, guard: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "MOST_DELAYED", 30)
    crowd = [asyncio.create_task(inbox.put(message)) for message in said(*range(CAPACITY + 50))]
    await asyncio.sleep(0)
    assert (inbox.waiting, inbox.at_the_door, inbox.delayed) == (CAPACITY, 30, 30)
    assert inbox.left_out == {("console", "flood"): 20}
    async with running(inbox):
        await asyncio.gather(*crowd)
        await until(lambda: inbox.waiting == 0)
        await inbox.put(said(999)[0])
        await until(lambda: inbox.waiting == 0)
    assert sorted(map(int, guard.heard)) == [*range(CAPACITY + 30), 999]
    assert inbox.at_the_door == 0
