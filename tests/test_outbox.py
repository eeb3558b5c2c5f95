"""Recorded effects are performed until they are done or refused, by platforms that behave and by ones that do not."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.case import Case, Policy, Post, Recipient, decide, view
from bot.effects import Advice, AdviseTarget, AlertModerators, Delivery, Effect, Outcome, UpdateAlert
from bot.outbox import FIRST_WAIT, GIVE_UP_AFTER, LONGEST_WAIT, Outbox, wait_before
from bot.sealing import Seal, one_time_seal
from bot.store import Store
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker
from classifiers.conversation import Account
from classifiers.errors import InputError

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WORDS = "pay or I send it to your family"
LATER = Delivery(Outcome.RETRY, detail="busy")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Scripted:
    """A platform that answers as it is told, and well when nothing is left to tell; it notes what it performed."""

    def __init__(self, name: str = "console", *answers: Delivery | Exception) -> None:
        self.name = name
        self.answers = list(answers)
        self.performed: list[Effect] = []

    async def perform(self, effect: Effect) -> Delivery:
        self.performed.append(effect)
        if not self.answers:
            return Delivery(Outcome.DELIVERED, reference=f"post-{len(self.performed)}")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Stuck(Scripted):
    """A platform that does as it should but does not answer before it is let go."""

    def __init__(self, name: str = "console") -> None:
        super().__init__(name)
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()

    async def perform(self, effect: Effect) -> Delivery:
        delivery = await super().perform(effect)
        self.reached.set()
        await self.let_go.wait()
        return delivery


def found(platform: str = "console", level: Level = Level.ADVISE) -> Assessment:
    return Assessment(
        message_id="m1",
        space="home",
        channel="lobby",
        at=NOON,
        kind=Kind.THREAT,
        level=level,
        score=0.99,
        sender=Account(platform, "kayla"),
        target=Account(platform, "Sam"),
        evidence=(Evidence(Marker.SHARE_THREAT, "m1", 0.9, WORDS),),
    )


def recorded(store: Store, platform: str = "console", level: Level = Level.ADVISE) -> Case:
    """Record an alert, and at that level a warning."""
    case, effects = decide(None, found(platform, level), Policy(), Recipient())
    assert case
    store.record(case, effects, NOON.timestamp())
    return case


def names(platform: Scripted) -> list[str]:
    return [type(effect).__name__ for effect in platform.performed]


def advice_now(store: Store, case: Case) -> Advice:
    held = store.case_of(case.id)
    assert held
    return held.targets[0].advice


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (what is waited for is in the database)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(outbox: Outbox) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(outbox.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seal() -> Seal:
    return one_time_seal()


@pytest.fixture
def store(tmp_path: Path, seal: Seal) -> Iterator[Store]:
    with closing(Store(tmp_path / "haven.db", seal)) as store:
        yield store


# Done once.


async def test_what_is_recorded_is_performed_once_and_what_follows_too(store: Store, clock: Clock) -> None:
    case = recorded(store)
    platform = Scripted()
    outbox = Outbox(store, [platform], clock)
    await outbox.drain()
    after = store.case_of(case.id)
    assert after
    assert (after.post, advice_now(store, case)) == (Post("post-1"), Advice.DELIVERED)
    assert platform.performed == [
        AlertModerators(view(case)),
        AdviseTarget(case.id, "home", Account("console", "Sam"), Kind.THREAT, "en-GB", crisis=False),
        UpdateAlert(view(after), "post-1"),
    ]
    await outbox.drain()
    clock.forward(GIVE_UP_AFTER)
    await outbox.drain()
    assert len(platform.performed) == 3
    assert store.next_due("console") is None


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (Delivery(Outcome.REFUSED, detail="no private messages"), Advice.REFUSED),
        (Delivery(Outcome.UNREACHABLE), Advice.UNREACHABLE),
        (Delivery(Outcome.FAILED), Advice.FAILED),
    ],
)
async def test_a_warning_that_fails_is_told_to_the_moderators(
    store: Store, clock: Clock, answer: Delivery, advice: Advice
) -> None:
    case = recorded(store)
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), answer)
    await Outbox(store, [platform], clock).drain()
    assert names(platform) == ["AlertModerators", "AdviseTarget", "UpdateAlert"]
    told = platform.performed[-1]
    assert isinstance(told, UpdateAlert)
    assert [target.advice for target in told.alert.targets] == [advice]
    assert advice_now(store, case) is advice


async def test_an_alert_that_somebody_deleted_is_posted_anew(store: Store, clock: Clock) -> None:
    case = recorded(store)
    posted = Delivery(Outcome.DELIVERED, reference="post-1")
    platform = Scripted("console", posted, posted, Delivery(Outcome.GONE))
    await Outbox(store, [platform], clock).drain()
    assert names(platform) == ["AlertModerators", "AdviseTarget", "UpdateAlert", "AlertModerators"]
    held = store.case_of(case.id)
    assert held
    assert held.post == Post("post-4")


@pytest.mark.parametrize("returns", [False, True], ids=["for good", "and seen anew"])
async def test_a_case_that_is_erased_meanwhile_is_let_go(store: Store, clock: Clock, returns: bool) -> None:
    recorded(store)
    platform = Stuck()
    draining = asyncio.create_task(Outbox(store, [platform], clock).drain())
    await platform.reached.wait()
    store.forget(Account("console", "kayla"))
    if returns:
        recorded(store)
    platform.let_go.set()
    await draining
    assert names(platform)[1:] == (["AlertModerators", "AdviseTarget", "UpdateAlert"] if returns else [])
    assert store.next_due("console") is None


# Again and again.


async def test_what_should_come_later_waits_its_time(store: Store, clock: Clock) -> None:
    case = recorded(store, level=Level.ALERT)
    platform = Scripted("console", LATER, LATER)
    outbox = Outbox(store, [platform], clock)
    for attempts in (1, 2):
        await outbox.drain()
        assert len(platform.performed) == attempts
        due = store.next_due("console")
        assert due
        wait = due - clock.now.timestamp()
        assert FIRST_WAIT * attempts * 0.5 <= wait <= FIRST_WAIT * attempts * 1.5
        clock.forward(wait - 0.01)
        await outbox.drain()
        assert len(platform.performed) == attempts
        clock.forward(0.02)
    await outbox.drain()
    assert platform.performed == [AlertModerators(view(case))] * 3
    assert store.next_due("console") is None


async def test_the_platform_may_ask_for_a_longer_wait(store: Store, clock: Clock) -> None:
    recorded(store, level=Level.ALERT)
    platform = Scripted("console", Delivery(Outcome.RETRY, retry_after=5000.0))
    await Outbox(store, [platform], clock).drain()
    assert store.next_due("console") == pytest.approx(clock.now.timestamp() + 5000.0)


@pytest.mark.parametrize("error", [RuntimeError(WORDS), ValueError(WORDS), TimeoutError(WORDS), OSError(5, WORDS)])
async def test_an_error_is_a_reason_to_try_again(
    store: Store, clock: Clock, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    recorded(store, level=Level.ALERT)
    platform = Scripted("console", error)
    outbox = Outbox(store, [platform], clock)
    await outbox.drain()
    assert type(error).__name__ in caplog.text
    clock.forward(60)
    await outbox.drain()
    assert names(platform) == ["AlertModerators"] * 2
    assert store.next_due("console") is None
    assert WORDS not in caplog.text


async def test_one_effect_that_waits_does_not_hold_up_the_next(store: Store, clock: Clock) -> None:
    case = recorded(store)
    platform = Scripted("console", LATER)
    outbox = Outbox(store, [platform], clock)
    await outbox.drain()
    assert names(platform) == ["AlertModerators", "AdviseTarget"]
    assert advice_now(store, case) is Advice.DELIVERED
    clock.forward(60)
    await outbox.drain()
    assert names(platform)[2:] == ["AlertModerators", "UpdateAlert"]


@pytest.mark.parametrize(("age", "gives_up"), [(GIVE_UP_AFTER - 1, False), (GIVE_UP_AFTER, True)])
async def test_a_day_is_long_enough(store: Store, clock: Clock, age: float, gives_up: bool) -> None:
    case = recorded(store)
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), LATER, LATER)
    outbox = Outbox(store, [platform], clock)
    await outbox.drain()
    clock.forward(age)
    await outbox.drain()
    assert advice_now(store, case) is (Advice.FAILED if gives_up else Advice.PENDING)
    assert names(platform)[3:] == (["UpdateAlert"] if gives_up else [])
    assert (store.next_due("console") is None) is gives_up
    if gives_up:
        assert store.recipient(Account("console", "Sam")) == Recipient()


async def test_attempts_of_a_day_are_bounded_in_number(store: Store, clock: Clock) -> None:
    recorded(store, level=Level.ALERT)
    platform = Scripted("console", *[LATER] * 1000)
    outbox = Outbox(store, [platform], clock)
    while (due := store.next_due("console")) is not None:
        clock.forward(max(0.0, due - clock.now.timestamp()) + 0.01)
        await outbox.drain()
    assert GIVE_UP_AFTER / (1.5 * LONGEST_WAIT) < len(platform.performed) < 20 + GIVE_UP_AFTER / (0.5 * LONGEST_WAIT)
    assert (clock.now - NOON).total_seconds() < GIVE_UP_AFTER + 1.5 * LONGEST_WAIT + 1


@pytest.mark.parametrize(
    ("attempts", "retry_after", "shortest", "longest"),
    [
        (1, None, 1.0, 3.0),
        (2, None, 2.0, 6.0),
        (5, None, 16.0, 48.0),
        (10, None, 450.0, 1350.0),
        (10**6, None, 450.0, 1350.0),
        (1, 0.0, 1.0, 3.0),
        (1, 2.0, 2.0, 3.0),
        (1, 7200.0, 7200.0, 7200.0),
        (1, -5.0, 1.0, 3.0),
    ],
)
def test_waits_double_up_to_a_bound_and_are_spread(
    attempts: int, retry_after: float | None, shortest: float, longest: float
) -> None:
    assert wait_before(attempts, retry_after, 0.0) == shortest
    assert wait_before(attempts, retry_after, 1.0) == longest
    assert shortest <= wait_before(attempts, retry_after, 0.3) <= longest


# Platforms beside each other.


@pytest.mark.parametrize("order", [1, -1])
async def test_a_platform_that_does_not_answer_holds_up_no_other(store: Store, clock: Clock, order: int) -> None:
    recorded(store, "slow")
    case = recorded(store, "quick")
    slow, quick = Stuck("slow"), Scripted("quick")
    async with running(Outbox(store, [slow, quick][::order], clock)):
        await slow.reached.wait()
        await until(lambda: store.next_due("quick") is None)
        assert names(quick) == ["AlertModerators", "AdviseTarget", "UpdateAlert"]
        assert advice_now(store, case) is Advice.DELIVERED
        assert names(slow) == ["AlertModerators"]
        slow.let_go.set()
        await until(lambda: store.next_due("slow") is None)
    assert names(slow) == ["AlertModerators", "AdviseTarget", "UpdateAlert"]


async def test_a_platform_that_fails_stops_no_other(store: Store, clock: Clock) -> None:
    recorded(store, "broken")
    recorded(store, "sound")
    broken, sound = Scripted("broken", *[RuntimeError()] * 100), Scripted("sound")
    async with running(Outbox(store, [broken, sound], clock)) as task:
        await until(lambda: store.next_due("sound") is None and len(broken.performed) >= 2)
        assert not task.done()
    assert names(sound) == ["AlertModerators", "AdviseTarget", "UpdateAlert"]


async def test_each_platform_performs_its_own_effects_only(store: Store, clock: Clock) -> None:
    case = recorded(store, "one")
    one, other = Scripted("one"), Scripted("other")
    await Outbox(store, [other, one], clock).drain()
    assert other.performed == []
    assert advice_now(store, case) is Advice.DELIVERED


# Running, stopping and starting again.


async def test_what_is_recorded_while_it_runs_is_delivered_when_it_is_woken(store: Store, clock: Clock) -> None:
    platform = Scripted()
    outbox = Outbox(store, [platform], clock)
    async with running(outbox):
        await asyncio.sleep(0.05)
        recorded(store)
        outbox.wake()
        await until(lambda: store.next_due("console") is None)
    assert names(platform) == ["AlertModerators", "AdviseTarget", "UpdateAlert"]


async def test_what_waits_for_its_time_is_delivered_without_being_woken(store: Store) -> None:
    clock = Clock()

    def hurried() -> datetime:
        clock.forward(0.9)
        return clock.now

    recorded(store, level=Level.ALERT)
    platform = Scripted("console", LATER)
    async with running(Outbox(store, [platform], hurried)):
        await until(lambda: store.next_due("console") is None)
    assert names(platform) == ["AlertModerators"] * 2


async def test_what_is_under_way_at_the_end_is_settled_and_not_repeated(
    store: Store, clock: Clock, tmp_path: Path, seal: Seal
) -> None:
    recorded(store, level=Level.ALERT)
    platform = Stuck()
    async with running(Outbox(store, [platform], clock)) as task:
        await platform.reached.wait()
        task.cancel()
        await asyncio.sleep(0.05)
        platform.let_go.set()
    store.close()
    with closing(Store(tmp_path / "haven.db", seal)) as again:
        await Outbox(again, [platform], clock).drain()
    assert names(platform) == ["AlertModerators"]


async def test_a_restart_goes_on_where_it_stopped(store: Store, clock: Clock, tmp_path: Path, seal: Seal) -> None:
    case = recorded(store)
    before = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), LATER)
    await Outbox(store, [before], clock).drain()
    store.close()
    clock.forward(60)
    with closing(Store(tmp_path / "haven.db", seal)) as again:
        platform = Scripted()
        await Outbox(again, [platform], clock).drain()
        assert names(platform) == ["AdviseTarget", "UpdateAlert"]
        assert isinstance(platform.performed[1], UpdateAlert)
        assert platform.performed[1].reference == "post-1"
        assert advice_now(again, case) is Advice.DELIVERED


async def test_what_a_kill_left_unsettled_is_performed_again(
    store: Store, clock: Clock, tmp_path: Path, seal: Seal
) -> None:
    recorded(store, level=Level.ALERT)
    assert store.begin("console", clock.now.timestamp())
    store.close()
    with closing(Store(tmp_path / "haven.db", seal)) as again:
        platform = Scripted()
        await Outbox(again, [platform], clock).drain()
    assert names(platform) == ["AlertModerators"]


async def test_a_delivery_is_settled_together_with_what_follows_or_not_at_all(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    case = recorded(store)
    with closing(sqlite3.connect(tmp_path / "haven.db")) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON outbox WHEN new.effect = 'UpdateAlert'"
            " BEGIN SELECT raise(ABORT, 'disk is full'); END"
        )
    platform = Scripted()
    with pytest.raises(InputError, match="disk is full"):
        await Outbox(store, [platform], clock).drain()
    assert advice_now(store, case) is Advice.PENDING
    with closing(sqlite3.connect(tmp_path / "haven.db")) as connection, connection:
        connection.execute("DROP TRIGGER full")
    await Outbox(store, [platform], clock).drain()
    assert names(platform) == ["AlertModerators", "AdviseTarget", "AdviseTarget", "UpdateAlert"]
