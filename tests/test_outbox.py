"""Recorded effects are performed until they are done or refused, by platforms that behave and by ones that do not."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import outbox as outbox_module
from bot.case import Case, Post, decide, despair, view
from bot.cases import LONGEST_HOLD
from bot.effects import (
    Advice,
    AdviseTarget,
    AlertModerators,
    Delivery,
    Effect,
    Outcome,
    PageModerators,
    Ruling,
    UpdateAlert,
)
from bot.outbox import FIRST_WAIT, LONGEST_WAIT, MOST_ATTEMPTS, WORKERS, Outbox, to_its_end, wait_before
from bot.policy import AdviceBy, Mode, Policy, Recipient
from bot.rulings import advise, rule, started
from bot.sealing import Seal, one_time_seal
from bot.store import Store
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker
from classifiers.conversation import Account
from classifiers.errors import InputError

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WORDS = "pay or I send it to your family"
LATER = Delivery(Outcome.RETRY, detail="busy")
LONG = 100 * 86_400.0
SAM = Account("console", "Sam")


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
        self.remembers = 0.0
        self.answers = list(answers)
        self.performed: list[Effect] = []
        self.keys: list[str] = []

    async def ready(self) -> None:
        """There is nothing to wait for."""

    async def perform(self, effect: Effect, key: str) -> Delivery:
        self.performed.append(effect)
        self.keys.append(key)
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

    async def perform(self, effect: Effect, key: str) -> Delivery:
        delivery = await super().perform(effect, key)
        self.reached.set()
        await self.let_go.wait()
        return delivery


class Busy(Scripted):
    """A platform that takes its time, and does not answer at all where `stuck` says so before it is let go."""

    def __init__(self, stuck: Callable[[Effect], bool] = lambda _: False) -> None:
        super().__init__()
        self.stuck = stuck
        self.let_go = asyncio.Event()
        self.under_way: list[str] = []
        self.most_at_once = 0

    async def perform(self, effect: Effect, key: str) -> Delivery:
        case = case_of(effect)
        assert case not in self.under_way
        self.under_way.append(case)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        delivery = await super().perform(effect, key)
        if self.stuck(effect):
            await self.let_go.wait()
        await asyncio.sleep(0.002)
        self.under_way.remove(case)
        return delivery


class Away(Scripted):
    """A platform that cannot be reached before it is."""

    def __init__(self, name: str = "console") -> None:
        super().__init__(name)
        self.there = asyncio.Event()

    async def ready(self) -> None:
        await self.there.wait()


def case_of(effect: Effect) -> str:
    return effect.alert.case if isinstance(effect, AlertModerators | UpdateAlert) else effect.case


def found(platform: str = "console", level: Level = Level.ADVISE, sender: str = "kayla") -> Assessment:
    return Assessment(
        message_id="m1",
        space="home",
        channel="lobby",
        at=NOON,
        kind=Kind.THREAT,
        level=level,
        score=0.99,
        sender=Account(platform, sender),
        target=Account(platform, SAM.id),
        evidence=(Evidence(Marker.SHARE_THREAT, "m1", 0.9, WORDS),),
    )


def recorded(store: Store, platform: str = "console", level: Level = Level.ADVISE, sender: str = "kayla") -> Case:
    """Record an alert, and at that level a warning."""
    case, effects = decide(None, found(platform, level, sender), Policy(), Recipient())
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


async def until_nothing_waits(store: Store, outbox: Outbox, clock: Clock) -> None:
    """Deliver whatever is due whenever it is due."""
    while (due := store.next_due("console")) is not None:
        clock.forward(max(0.0, due - clock.now.timestamp()) + 0.01)
        await outbox.drain()


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
        AdviseTarget(case.id, "home", SAM, Kind.THREAT, "en-GB", crisis=False),
        UpdateAlert(view(after), "post-1"),
    ]
    await outbox.drain()
    clock.forward(LONG)
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


@pytest.mark.parametrize("edited", [Outcome.DELIVERED, Outcome.GONE, Outcome.FAILED])
@pytest.mark.parametrize("posted", [True, False])
async def test_of_what_somebody_told_who_is_forgotten_nothing_is_left_once_the_alert_says_so(
    store: Store, clock: Clock, posted: bool, edited: Outcome
) -> None:
    told = replace(found(), kind=Kind.DISCLOSURE, sender=None, target=SAM, level=Level.ALERT)
    case, effects = decide(None, told, Policy(), Recipient())
    assert case
    store.record(case, effects, NOON.timestamp())
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), Delivery(edited))
    outbox = Outbox(store, [platform], clock)
    if posted:
        await outbox.drain()
    store.forget(SAM, NOON.timestamp(), own=True)
    await outbox.drain()
    assert names(platform) == (["AlertModerators", "UpdateAlert"] if posted else [])
    assert store.case_of(case.id) is None
    assert store.next_due("console") is None


async def test_an_alert_that_is_on_its_way_when_somebody_is_forgotten_is_edited(store: Store, clock: Clock) -> None:
    told = replace(found(), kind=Kind.DISCLOSURE, sender=None, target=SAM, level=Level.ALERT)
    case, effects = decide(None, told, Policy(), Recipient())
    assert case
    store.record(case, effects, NOON.timestamp())
    platform = Stuck()
    outbox = Outbox(store, [platform], clock)
    async with running(outbox):
        await platform.reached.wait()
        store.forget(SAM, NOON.timestamp(), own=True)
        held = [store.seal.open(payload) for (payload,) in store.query("SELECT payload FROM outbox")]
        assert not any(WORDS.encode() in one for one in held), "a kill now would leave them to be posted"
        platform.let_go.set()
        await until(lambda: store.case_of(case.id) is None)
    assert names(platform) == ["AlertModerators", "UpdateAlert"]
    last = platform.performed[-1]
    assert isinstance(last, UpdateAlert)
    assert (last.alert.targets, last.alert.evidence) == ((), ())


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
    store.forget(Account("console", "kayla"), NOON.timestamp())
    if returns:
        recorded(store)
    platform.let_go.set()
    await draining
    assert names(platform)[1:] == (["AlertModerators", "AdviseTarget", "UpdateAlert"] if returns else [])
    assert store.next_due("console") is None


# Withheld at the last moment.


def opts_out(store: Store, case: Case) -> None:
    store.choose(SAM, opted_in=False)


def ruled_out(store: Store, case: Case) -> None:
    held = store.case_of(case.id)
    assert held
    store.record(*rule(held, Ruling.NOT_SEXTORTION), NOON.timestamp())


@pytest.mark.parametrize(
    ("act", "outcome", "advice", "choice"),
    [
        (opts_out, "declined", Advice.DECLINED, Recipient(opted_in=False)),
        (ruled_out, "withdrawn", Advice.UNSURE, Recipient()),
    ],
)
@pytest.mark.parametrize("attempts", [0, 1], ids=["before it was tried", "between two attempts"])
async def test_a_warning_that_is_no_longer_wanted_never_reaches_the_platform(
    store: Store,
    clock: Clock,
    tmp_path: Path,
    act: Callable[[Store, Case], None],
    outcome: str,
    advice: Advice,
    choice: Recipient,
    attempts: int,
) -> None:
    case = recorded(store)
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), *[LATER] * attempts)
    outbox = Outbox(store, [platform], clock)
    if attempts:
        await outbox.drain()
        assert names(platform) == ["AlertModerators", "AdviseTarget"]
    act(store, case)
    clock.forward(60)
    await outbox.drain()
    assert names(platform).count("AdviseTarget") == attempts
    told = platform.performed[-1]
    assert isinstance(told, UpdateAlert)
    assert told.reference == "post-1"
    assert [target.advice for target in told.alert.targets] == [advice]
    held = store.case_of(case.id)
    assert held
    assert told.alert == view(held)
    assert store.recipient(SAM) == choice
    assert store.next_due("console") is None
    with closing(sqlite3.connect(tmp_path / "haven.db")) as connection:
        settled = connection.execute("SELECT payload, outcome FROM outbox WHERE effect = 'AdviseTarget'").fetchall()
    assert settled == [(None, outcome)]


@pytest.mark.parametrize(
    "policy", [Policy(mode=Mode.OBSERVE), Policy(mode=Mode.ALERT), Policy(advice_by=AdviceBy.MODERATOR)]
)
@pytest.mark.parametrize("attempts", [0, 1], ids=["before it was tried", "between two attempts"])
async def test_a_warning_is_kept_for_the_moderators_once_the_space_wants_it_so(
    store: Store, clock: Clock, policy: Policy, attempts: int
) -> None:
    case = recorded(store)
    wanted = {"home": Policy()}
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), *[LATER] * attempts)
    outbox = Outbox(store, [platform], clock, wanted.__getitem__)
    if attempts:
        await outbox.drain()
        assert names(platform) == ["AlertModerators", "AdviseTarget"]
    wanted["home"] = policy
    clock.forward(60)
    await outbox.drain()
    assert names(platform).count("AdviseTarget") == attempts
    told = platform.performed[-1]
    assert isinstance(told, UpdateAlert)
    assert [target.advice for target in told.alert.targets] == [Advice.WAITING] == [advice_now(store, case)]
    assert store.recipient(SAM) == Recipient()
    assert ("AdviseTarget", Outcome.KEPT) in [(done.effect, done.outcome) for done in store.settled(case.id)]
    held = store.case_of(case.id)
    assert held
    store.record(*advise(held, SAM, store.recipient(SAM)), clock.now.timestamp())
    await outbox.drain()
    sent = [effect for effect in platform.performed if isinstance(effect, AdviseTarget)]
    assert [effect.by_moderator for effect in sent] == [False] * attempts + [True]
    assert advice_now(store, case) is Advice.DELIVERED


async def test_what_a_moderator_wished_goes_also_once_the_person_can_be_written_to(store: Store, clock: Clock) -> None:
    by_press = Policy(advice_by=AdviceBy.MODERATOR)
    case, effects = decide(None, found(), by_press, Recipient())
    assert case
    store.record(case, effects, NOON.timestamp())
    answers = [Delivery(Outcome.DELIVERED, reference="post-1"), Delivery(Outcome.UNSTARTED)]
    platform = Scripted("console", *answers)
    outbox = Outbox(store, [platform], clock, lambda _: by_press)
    store.record(*advise(case, SAM, Recipient()), NOON.timestamp())
    await outbox.drain()
    assert advice_now(store, case) is Advice.UNSTARTED
    held = store.case_of(case.id)
    assert held
    store.record(*started(held, SAM, Recipient(), sent=False), NOON.timestamp())
    await outbox.drain()
    assert names(platform).count("AdviseTarget") == 2
    assert advice_now(store, case) is Advice.DELIVERED
    held = store.case_of(case.id)
    assert held
    store.record(*despair(held, SAM, store.recipient(SAM)), NOON.timestamp())
    await outbox.drain()
    sent = [effect for effect in platform.performed if isinstance(effect, AdviseTarget)]
    assert [effect.crisis for effect in sent] == [False, False, True]


async def test_only_a_no_withholds_a_warning(store: Store, clock: Clock) -> None:
    case = recorded(store)
    store.choose(SAM, opted_in=True)
    store.choose(Account("console", "Ben"), opted_in=False)
    store.choose(Account("elsewhere", "Sam"), opted_in=False)
    store.record(*rule(case, Ruling.CONFIRMED), NOON.timestamp())
    platform = Scripted()
    await Outbox(store, [platform], clock).drain()
    assert "AdviseTarget" in names(platform)
    assert advice_now(store, case) is Advice.DELIVERED


async def test_what_moderators_read_is_never_withheld(store: Store, clock: Clock) -> None:
    case = recorded(store)
    opts_out(store, case)
    ruled_out(store, case)
    platform = Scripted()
    await Outbox(store, [platform], clock).drain()
    assert names(platform) == ["AlertModerators", "UpdateAlert"]
    told = platform.performed[-1]
    assert isinstance(told, UpdateAlert)
    assert told.alert.ruling is Ruling.NOT_SEXTORTION
    assert advice_now(store, case) is Advice.DECLINED


async def test_the_further_warning_in_a_crisis_comes_after_the_first_and_can_be_withheld(
    store: Store, clock: Clock
) -> None:
    case = recorded(store)
    store.record(*despair(case, SAM, store.recipient(SAM)), NOON.timestamp())
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"))
    outbox = Outbox(store, [platform], clock)
    await outbox.drain()
    warnings = [effect for effect in platform.performed if isinstance(effect, AdviseTarget)]
    assert [(warning.target, warning.crisis) for warning in warnings] == [(SAM, False), (SAM, True)]
    told = platform.performed[-1]
    assert isinstance(told, UpdateAlert)
    assert told.alert.crisis
    assert advice_now(store, case) is Advice.DELIVERED

    other = replace(case, id="other", crisis=False)
    store.record(other, [], NOON.timestamp())
    store.record(*despair(other, SAM, store.recipient(SAM)), NOON.timestamp())
    store.choose(SAM, opted_in=False)
    await outbox.drain()
    assert [effect for effect in platform.performed if isinstance(effect, AdviseTarget)] == warnings
    assert advice_now(store, other) is Advice.DECLINED


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


async def test_no_platform_makes_anything_wait_longer_than_there_is_to_wait(store: Store, clock: Clock) -> None:
    recorded(store, level=Level.ALERT)
    platform = Scripted("console", Delivery(Outcome.RETRY, retry_after=LONG))
    await Outbox(store, [platform], clock).drain()
    assert store.next_due("console") == clock.now.timestamp() + LONGEST_HOLD


@pytest.mark.parametrize("tried", [False, True])
async def test_nothing_waits_for_a_clock_that_was_set_back(store: Store, clock: Clock, tried: bool) -> None:
    recorded(store, level=Level.ALERT)
    platform = Scripted("console", *[LATER] * tried)
    if tried:
        await Outbox(store, [platform], clock).drain()
    clock.forward(-3 * 3600)
    async with running(Outbox(store, [platform], clock)):
        await until(lambda: store.next_due("console") is None)
    assert names(platform) == ["AlertModerators"] * (1 + tried)


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


async def test_the_log_says_how_it_ended_and_no_more(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    case = recorded(store)
    refused = Delivery(Outcome.REFUSED, detail="has blocked Haven")
    await Outbox(store, [Scripted("console", Delivery(Outcome.DELIVERED, reference="1"), refused)], clock).drain()
    assert caplog.messages[:2] == [
        f"AlertModerators of case {case.id}: delivered",
        f"AdviseTarget of case {case.id}: refused has blocked Haven",
    ]


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


@pytest.mark.parametrize(("refusals", "gives_up"), [(MOST_ATTEMPTS - 1, False), (MOST_ATTEMPTS, True)])
async def test_so_many_attempts_are_enough(store: Store, clock: Clock, refusals: int, gives_up: bool) -> None:
    case = recorded(store)
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), *[LATER] * refusals)
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert names(platform) == ["AlertModerators", *["AdviseTarget"] * MOST_ATTEMPTS, "UpdateAlert"]
    assert advice_now(store, case) is (Advice.FAILED if gives_up else Advice.DELIVERED)
    told = platform.performed[-1]
    assert isinstance(told, UpdateAlert)
    assert [target.advice for target in told.alert.targets] == [advice_now(store, case)]
    assert (store.recipient(SAM) == Recipient()) is gives_up


async def test_attempts_take_about_a_day(store: Store, clock: Clock) -> None:
    recorded(store)
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), *[LATER] * MOST_ATTEMPTS)
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert names(platform).count("AdviseTarget") == MOST_ATTEMPTS
    assert 0.5 * 80_000 < (clock.now - NOON).total_seconds() < 1.5 * (MOST_ATTEMPTS * LONGEST_WAIT)


@pytest.mark.parametrize("answer", [LATER, Delivery(Outcome.HELD), RuntimeError("gone")])
async def test_an_alert_is_never_given_up(store: Store, clock: Clock, answer: Delivery | Exception) -> None:
    case = recorded(store, level=Level.ALERT)
    platform = Scripted("console", *[answer] * (3 * MOST_ATTEMPTS))
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert names(platform) == ["AlertModerators"] * (3 * MOST_ATTEMPTS + 1)
    held = store.case_of(case.id)
    assert held
    assert held.post == Post(f"post-{3 * MOST_ATTEMPTS + 1}")


@pytest.mark.parametrize("effect", ["UpdateAlert", "PageModerators"])
async def test_what_follows_an_alert_is_given_up(store: Store, clock: Clock, effect: str) -> None:
    case = replace(recorded(store, level=Level.ALERT), post=Post("post-1"))
    await Outbox(store, [Scripted()], clock).drain()
    follows: dict[str, Effect] = {
        "UpdateAlert": UpdateAlert(view(case), "post-1"),
        "PageModerators": PageModerators(case.id, "home", None, "post-1", "crisis"),
    }
    store.record(case, [follows[effect]], clock.now.timestamp())
    platform = Scripted("console", *[LATER] * 1000)
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert names(platform) == [effect] * MOST_ATTEMPTS
    assert store.settled(case.id)[-1].outcome is Outcome.FAILED


async def test_what_waited_long_is_still_delivered(store: Store, clock: Clock, tmp_path: Path, seal: Seal) -> None:
    case = recorded(store)
    await Outbox(store, [Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), LATER)], clock).drain()
    store.close()
    clock.forward(LONG)
    with closing(Store(tmp_path / "haven.db", seal)) as again:
        platform = Scripted()
        await Outbox(again, [platform], clock).drain()
        assert names(platform) == ["AdviseTarget", "UpdateAlert"]
        assert advice_now(again, case) is Advice.DELIVERED


async def test_attempts_that_a_kill_cut_short_count_too(store: Store, clock: Clock) -> None:
    case = replace(recorded(store, level=Level.ALERT), post=Post("post-1"))
    await Outbox(store, [Scripted()], clock).drain()
    store.record(case, [UpdateAlert(view(case), "post-1")], clock.now.timestamp())
    for _ in range(MOST_ATTEMPTS - 1):
        assert store.begin("console", clock.now.timestamp())
    platform = Scripted("console", LATER)
    await Outbox(store, [platform], clock).drain()
    assert names(platform) == ["UpdateAlert"]
    assert store.next_due("console") is None


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


# Held back, because the platform makes Haven wait.


async def test_a_warning_that_is_held_back_is_told_to_the_moderators_and_tried_again(
    store: Store, clock: Clock
) -> None:
    case = recorded(store)
    held = Delivery(Outcome.HELD, detail="too many people", retry_after=5000.0)
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), held)
    outbox = Outbox(store, [platform], clock)
    await outbox.drain()
    assert names(platform) == ["AlertModerators", "AdviseTarget", "UpdateAlert"]
    told = platform.performed[-1]
    assert isinstance(told, UpdateAlert)
    assert [target.advice for target in told.alert.targets] == [Advice.HELD] == [advice_now(store, case)]
    assert store.next_due("console") == pytest.approx(clock.now.timestamp() + 5000.0)
    assert [done.effect for done in store.settled(case.id)] == ["AlertModerators", "UpdateAlert"]
    assert store.recipient(SAM).advised_at == NOON  # nobody else warns the same person meanwhile
    clock.forward(4999)
    await outbox.drain()
    assert len(platform.performed) == 3
    clock.forward(2)
    await outbox.drain()
    assert names(platform)[3:] == ["AdviseTarget", "UpdateAlert"]
    assert advice_now(store, case) is Advice.DELIVERED
    assert store.next_due("console") is None


async def test_a_warning_that_is_held_back_again_and_again_is_told_once_and_fails_in_the_end(
    store: Store, clock: Clock
) -> None:
    case = recorded(store)
    held = Delivery(Outcome.HELD, detail="too many people")
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), held)
    outbox = Outbox(store, [platform], clock)
    await outbox.drain()
    platform.answers = [held] * (MOST_ATTEMPTS - 1)
    await until_nothing_waits(store, outbox, clock)
    assert names(platform).count("AdviseTarget") == MOST_ATTEMPTS
    edits = [effect.alert.targets[0].advice for effect in platform.performed if isinstance(effect, UpdateAlert)]
    assert edits == [Advice.HELD, Advice.FAILED]
    assert advice_now(store, case) is Advice.FAILED
    assert store.recipient(SAM).advised_at is None


async def test_who_says_no_while_their_warning_is_held_back_never_gets_it(store: Store, clock: Clock) -> None:
    case = recorded(store)
    platform = Scripted("console", Delivery(Outcome.DELIVERED, reference="post-1"), Delivery(Outcome.HELD))
    outbox = Outbox(store, [platform], clock)
    await outbox.drain()
    opts_out(store, case)
    await until_nothing_waits(store, outbox, clock)
    assert names(platform) == ["AlertModerators", "AdviseTarget", "UpdateAlert", "UpdateAlert"]
    assert advice_now(store, case) is Advice.DECLINED


# Keys, by which a platform knows what it has done.


async def test_every_attempt_at_an_effect_has_the_same_key_and_no_other_effect_has_it(
    store: Store, clock: Clock
) -> None:
    recorded(store)
    recorded(store, sender="kim")
    platform = Scripted("console", *[LATER] * 8)
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert len(platform.keys) > len(set(platform.keys)) >= 4
    effects: dict[str, Effect] = {}
    for key, effect in zip(platform.keys, platform.performed, strict=True):
        assert effects.setdefault(key, effect) == effect
    assert len(set(map(str, effects.values()))) == len(effects)
    assert all(0 < len(key) <= 25 for key in platform.keys)


# Cases beside each other.


def is_warning_of(case: Case) -> Callable[[Effect], bool]:
    return lambda effect: isinstance(effect, AdviseTarget) and effect.case == case.id


async def test_a_warning_that_gets_nowhere_delays_no_other_case(store: Store, clock: Clock) -> None:
    first = recorded(store)
    platform = Busy(is_warning_of(first))
    outbox = Outbox(store, [platform], clock)
    async with running(outbox):
        await until(lambda: names(platform) == ["AlertModerators", "AdviseTarget"])
        other = recorded(store, sender="kim")
        outbox.wake()
        await until(lambda: advice_now(store, other) is Advice.DELIVERED)
        assert advice_now(store, first) is Advice.PENDING
        assert names(platform)[2:4] == ["AlertModerators", "AdviseTarget"]
        platform.let_go.set()
        await until(lambda: store.next_due("console") is None)
    assert advice_now(store, first) is Advice.DELIVERED


async def test_cases_are_served_side_by_side_but_each_in_its_order(store: Store, clock: Clock) -> None:
    cases = [recorded(store, sender=f"kay{number}") for number in range(3 * WORKERS)]
    platform = Busy()
    outbox = Outbox(store, [platform], clock)
    async with running(outbox):
        await until(lambda: store.next_due("console") is None)
    assert 1 < platform.most_at_once <= WORKERS
    for case in cases:
        performed = [type(effect) for effect in platform.performed if case_of(effect) == case.id]
        assert performed == [AlertModerators, AdviseTarget, UpdateAlert]


async def test_so_many_stuck_cases_leave_the_others_waiting_and_not_lost(store: Store, clock: Clock) -> None:
    for number in range(WORKERS + 2):
        recorded(store, level=Level.ALERT, sender=f"kay{number}")
    platform = Busy(lambda _: True)
    async with running(Outbox(store, [platform], clock)):
        await until(lambda: len(platform.performed) == WORKERS)
        await asyncio.sleep(0.02)
        assert len(platform.performed) == WORKERS
        platform.let_go.set()
        await until(lambda: store.next_due("console") is None)
    assert len(platform.performed) == WORKERS + 2


async def test_a_worker_that_gets_stuck_does_not_keep_the_news_from_the_others(
    tmp_path: Path, seal: Seal, clock: Clock
) -> None:
    class Slow(Store):
        """Answers all but the first who ask when something is due late, with what was so before."""

        def __init__(self) -> None:
            super().__init__(tmp_path / "haven.db", seal)
            self.asked = 0
            self.answer = threading.Event()

        def next_due(self, platform: str, busy: Sequence[str] = ()) -> float | None:
            due = super().next_due(platform, busy)
            self.asked += 1
            if self.asked > 1:
                self.answer.wait(20)
            return due

    with closing(Slow()) as store:
        platform = Busy(lambda _: True)
        outbox = Outbox(store, [platform], clock)
        async with running(outbox):
            await until(lambda: store.asked == WORKERS)
            for sender in ("kay", "kim"):
                recorded(store, level=Level.ALERT, sender=sender)
            outbox.wake()
            await until(lambda: len(platform.performed) == 1)
            store.answer.set()
            await until(lambda: len(platform.performed) == 2)
            platform.let_go.set()


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


async def test_nothing_is_performed_on_a_platform_before_it_is_ready(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_READY_SECONDS", 0.02)
    recorded(store, "away")
    recorded(store, "here")
    away, here = Away("away"), Scripted("here")
    outbox = Outbox(store, [away, here], clock)
    await outbox.drain()
    assert (names(away), names(here)) == ([], ["AlertModerators", "AdviseTarget", "UpdateAlert"])
    async with running(outbox):
        await asyncio.sleep(0.02)
        assert away.performed == []
        with closing(sqlite3.connect(store.path or "")) as connection:
            tried = connection.execute("SELECT max(attempts) FROM outbox WHERE platform = 'away'").fetchall()
        assert tried == [(0,)]
        away.there.set()
        await until(lambda: store.next_due("away") is None)
    assert names(away) == ["AlertModerators", "AdviseTarget", "UpdateAlert"]


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


@pytest.mark.parametrize("fails", [False, True])
async def test_what_has_begun_ends_however_often_it_is_asked_to_stop(fails: bool) -> None:
    go, done = asyncio.Event(), []

    async def work() -> None:
        await go.wait()
        if fails:
            raise InputError("disk is full")
        done.append("all of it")

    task = asyncio.create_task(to_its_end(work()))
    for _ in range(3):
        await asyncio.sleep(0.002)
        assert task.cancel()
    await asyncio.sleep(0.002)
    assert not task.done()
    go.set()
    with pytest.raises(InputError if fails else asyncio.CancelledError):
        await task
    assert done == ([] if fails else ["all of it"])


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


# Written to once, whatever is lost on the way.


@pytest.mark.parametrize("lost", [Delivery(Outcome.LOST, detail="HTTP 502"), ConnectionResetError()])
@pytest.mark.parametrize(("remembers", "sent", "advice"), [(0.0, 1, Advice.UNKNOWN), (120.0, 2, Advice.DELIVERED)])
async def test_a_warning_whose_answer_was_lost_is_only_sent_again_where_its_key_is_known(
    store: Store, clock: Clock, lost: Delivery | Exception, remembers: float, sent: int, advice: Advice
) -> None:
    case = recorded(store)
    platform = Scripted("console", Delivery(Outcome.DELIVERED, "post-1"), lost)
    platform.remembers = remembers
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert names(platform).count("AdviseTarget") == sent
    assert len({key for key, name in zip(platform.keys, names(platform), strict=True) if name == "AdviseTarget"}) == 1
    assert advice_now(store, case) is advice


async def test_a_warning_is_not_sent_again_once_its_key_is_forgotten(store: Store, clock: Clock) -> None:
    case = recorded(store)
    answers = [Delivery(Outcome.LOST, detail="HTTP 502") for _ in range(20)]
    platform = Scripted("console", Delivery(Outcome.DELIVERED, "post-1"), *answers)
    platform.remembers = 60.0
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert 2 <= names(platform).count("AdviseTarget") <= 8
    assert advice_now(store, case) is Advice.UNKNOWN
    (given_up,) = [done for done in store.settled(case.id) if done.effect == "AdviseTarget"]
    assert given_up.at - NOON.timestamp() < 120


@pytest.mark.parametrize(("away", "sent"), [(30.0, 1), (90.0, 0)])
async def test_a_warning_that_a_kill_interrupted_is_sent_again_only_while_its_key_is_known(
    store: Store, clock: Clock, away: float, sent: int
) -> None:
    case = recorded(store)
    first = store.begin("console", NOON.timestamp())
    assert first
    store.settle(first, Delivery(Outcome.DELIVERED, "post-1"), NOON.timestamp())
    assert store.begin("console", NOON.timestamp())  # and nobody knows how it ended
    clock.forward(away)
    platform = Scripted()
    platform.remembers = 60.0
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert names(platform).count("AdviseTarget") == sent
    assert advice_now(store, case) is (Advice.DELIVERED if sent else Advice.UNKNOWN)


@pytest.mark.parametrize("by", [30.0, 3600.0, 3 * 3600.0])
async def test_a_warning_that_was_begun_in_the_future_is_not_sent_again(store: Store, clock: Clock, by: float) -> None:
    case = recorded(store)
    lost = Delivery(Outcome.LOST, detail="HTTP 502")
    platform = Scripted("console", Delivery(Outcome.DELIVERED, "post-1"), lost)
    platform.remembers = 120.0
    await Outbox(store, [platform], clock).drain()
    clock.forward(-by)
    async with running(Outbox(store, [platform], clock)):
        await until(lambda: store.next_due("console") is None)
    assert names(platform).count("AdviseTarget") == 1
    assert advice_now(store, case) is Advice.UNKNOWN


async def test_what_was_surely_not_done_is_done_however_late(store: Store, clock: Clock) -> None:
    case = recorded(store)
    platform = Scripted("console", Delivery(Outcome.DELIVERED, "post-1"), LATER, LATER, LATER)
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert names(platform).count("AdviseTarget") == 4
    assert advice_now(store, case) is Advice.DELIVERED


async def test_an_alert_whose_answer_was_lost_is_made_again(store: Store, clock: Clock) -> None:
    recorded(store, level=Level.ALERT)
    platform = Scripted("console", Delivery(Outcome.LOST, detail="HTTP 502"))
    await until_nothing_waits(store, Outbox(store, [platform], clock), clock)
    assert names(platform) == ["AlertModerators", "AlertModerators"]
