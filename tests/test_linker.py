"""Campaigns in a real database: what links cases, what does not, who is told, and what the file holds of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from bot.campaign import RAID
from bot.case import Case, after, decide
from bot.effects import AlertModerators, Delivery, Effect, Elsewhere, Outcome, Ruling, UpdateAlert
from bot.ledger import Ledger
from bot.linker import Linker
from bot.policy import Mode, Policy, Recipient, private_space
from bot.rotation import rotate
from bot.rulings import report, rule
from bot.sealing import Seal, one_time_seal
from bot.store import Store
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker
from classifiers.conversation import Account

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SCRIPT = "send me 400 in gift cards or i send the video to your mum and your whole family tonight"
OTHER = "you have until midnight, i know where you work and all of your colleagues get to see what i have"
WALLET = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
NOW = NOON.timestamp()


class World:
    """Spaces with cases of senders that are all different people."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.policies: dict[str, Policy] = {}
        self.ledger = Ledger(store)
        self.linker = Linker(store, self.ledger, lambda space: self.policies.get(space, Policy()))
        self._numbers = count()

    def case(
        self,
        space: str,
        *lines: str,
        written: Sequence[str] = (),
        level: Level = Level.ADVISE,
        minutes: float = 0,
        crisis: bool = False,
    ) -> Case:
        """Let somebody new threaten somebody new with these lines, and return the case."""
        number = next(self._numbers)
        sender, target = Account("console", f"sender{number}"), Account("console", f"target{number}")
        evidence = tuple(
            Evidence(marker, f"m{number}", 0.9, line) for marker, line in zip(Marker, lines or ("short",), strict=False)
        )
        at = NOON + timedelta(minutes=minutes)
        found = Assessment(
            f"m{number}", space, "lobby", at, Kind.THREAT, level, 0.9, sender, target, evidence, crisis=crisis
        )
        with self.store.transaction():
            case, effects = decide(None, found, self.policies.get(space, Policy()), Recipient())
            assert case
            case, effects = self.linker.link(case, effects, [*lines, *written], NOW)
            self.store.record(case, effects, NOW)
        return case

    def deliver(self) -> list[Effect]:
        """Deliver all that waits, with what follows, and return it."""
        done = []
        while row := self.store.begin("console", NOW):
            delivery = Delivery(Outcome.DELIVERED, f"post-{row.case}")
            with self.store.transaction():
                self.store.settle(row, delivery, NOW)
                case = self.store.case_of(row.case)
                assert case
                self.store.record(*after(case, row.effect, delivery), NOW)
            done.append(row.effect)
        return done

    def held(self, case: Case) -> Case:
        held = self.store.case_of(case.id)
        assert held
        return held

    def known(self, case: Case) -> Elsewhere | None:
        return self.held(case).elsewhere

    def goes_on(self, case: Case, minutes: float) -> Case:
        """Let the sender of a case write once more."""
        now = replace(self.held(case), seen_at=NOON + timedelta(minutes=minutes))
        with self.store.transaction():
            now, effects = self.linker.link(now, (), [], NOW)
            self.store.record(now, effects, NOW)
        return now


@pytest.fixture
def seal() -> Seal:
    return one_time_seal()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "haven.db"


@pytest.fixture
def world(file: Path, seal: Seal) -> Iterator[World]:
    with closing(Store(file, seal)) as store:
        yield World(store)


def test_the_same_script_in_two_communities_is_said_on_both_alerts(world: World) -> None:
    first = world.case("home", SCRIPT)
    world.deliver()
    second = world.case("away", SCRIPT.replace("400", "650").upper())
    assert world.known(first) == second.elsewhere == Elsewhere(1, 1)
    told = world.deliver()
    edits = [one.alert for one in told if isinstance(one, UpdateAlert) and one.alert.case == first.id]
    assert [alert.elsewhere for alert in edits] == [Elsewhere(1, 1)]
    assert [one.alert.elsewhere for one in told if isinstance(one, AlertModerators)] == [Elsewhere(1, 1)]


def test_the_same_payment_handle_links_other_words(world: World) -> None:
    first = world.case("home", SCRIPT, written=[f"to {WALLET}"])
    assert world.case("away", OTHER, written=[f"pay: {WALLET.upper()}"]).elsewhere == Elsewhere(1, 1)
    assert world.known(first) == Elsewhere(1, 1)


def test_a_handle_that_is_written_later_links_a_case_that_is_open(world: World) -> None:
    first, second = world.case("home", SCRIPT), world.case("away", OTHER, written=[WALLET])
    world.deliver()
    again = world.store.case_of(first.id)
    assert again
    world.store.record(*world.linker.link(again, (), [WALLET], NOW), NOW)
    assert world.known(first) == world.known(second) == Elsewhere(1, 1)
    assert len([one for one in world.deliver() if isinstance(one, UpdateAlert)]) == 2


def test_two_campaigns_that_turn_out_to_be_one_are_one(world: World) -> None:
    cases = [world.case("a", SCRIPT), world.case("b", SCRIPT), world.case("c", OTHER), world.case("d", OTHER)]
    assert world.case("e", SCRIPT, OTHER).elsewhere == Elsewhere(4, 4)
    assert [world.known(case) for case in cases] == [Elsewhere(4, 4)] * 4


def test_other_words_gift_cards_and_people_link_nothing(world: World) -> None:
    first = world.case("home", SCRIPT, written=["steam cards only", "@sam"])
    assert world.case("away", OTHER, written=["steam cards only", "@sam"]).elsewhere is None
    assert world.known(first) is None


def test_what_is_only_noticed_is_not_linked(world: World) -> None:
    world.case("home", SCRIPT, level=Level.NOTICE)
    assert world.case("away", SCRIPT).elsewhere is None


def test_a_space_that_is_only_observed_counts_and_is_told_nothing(world: World) -> None:
    world.policies["quiet"] = Policy(mode=Mode.OBSERVE)
    world.case("quiet", SCRIPT)
    assert world.case("home", SCRIPT).elsewhere == Elsewhere(1, 1)
    assert all(one.alert.space == "home" for one in world.deliver() if isinstance(one, AlertModerators | UpdateAlert))


def test_a_space_that_does_not_share_neither_gives_nor_takes(world: World) -> None:
    world.policies["alone"] = Policy(share_campaigns=False)
    first = world.case("home", SCRIPT)
    assert [world.case("alone", SCRIPT).elsewhere for _ in range(2)] == [None, Elsewhere(1, 0)]
    assert world.known(first) is None
    assert world.case("third", SCRIPT).elsewhere == Elsewhere(1, 1)


def test_switching_off_counts_at_once_for_what_is_said_from_then_on(world: World) -> None:
    first = world.case("home", SCRIPT)
    world.case("leaving", SCRIPT)
    assert world.known(first) == Elsewhere(1, 1)
    world.policies["leaving"] = Policy(share_campaigns=False)
    assert world.case("third", SCRIPT).elsewhere == Elsewhere(1, 1)


def test_private_chats_take_no_part(world: World) -> None:
    owner = Account("console", "target0")
    world.policies[private_space(owner)] = Policy(protects=owner)
    world.case(private_space(owner), SCRIPT)
    assert world.case("home", SCRIPT).elsewhere is None


def test_a_report_is_linked_by_payment_details_but_not_by_telephone_numbers(world: World) -> None:
    first = world.case("home", SCRIPT, written=["cashapp $rick77", "+447911123456"])

    def told(text: str, key: str) -> Case:
        member = Account("console", f"member{key}")
        case, effects = report(
            member, text, None, space="away", channel="c", key=key, at=NOON, policy=Policy(), crisis=False
        )
        case, effects = world.linker.link(case, effects, [text], NOW)
        world.store.record(case, effects, NOW)
        return case

    assert told("they want it to +447911123456", "1").elsewhere is None
    assert told("he says pay cash app $Rick77", "2").elsewhere == Elsewhere(1, 1)
    assert world.known(first) == Elsewhere(1, 1)


def test_a_case_that_is_ruled_out_counts_no_more_until_that_is_changed(world: World) -> None:
    def rule(ruling: Ruling) -> None:
        world.store.record(replace(second, ruling=ruling), (), NOW)
        world.linker.ruled(second, ruling, NOW, counts=True)

    first, second = world.case("home", SCRIPT), world.case("away", SCRIPT)
    rule(Ruling.NOT_SEXTORTION)
    assert world.known(first) is None
    rule(Ruling.CONFIRMED)
    assert world.known(first) == Elsewhere(1, 1)
    rule(Ruling.NOT_SEXTORTION)
    world.store.record(*world.linker.link(replace(second, ruling=None), (), [SCRIPT], NOW), NOW)
    assert world.known(first) == Elsewhere(1, 1), "something new was seen, which no ruling knew of"


def test_it_is_kept_as_long_as_the_case(world: World) -> None:
    first = world.case("home", SCRIPT, written=[WALLET])
    world.linker.ruled(first, Ruling.CONFIRMED, NOW, counts=True)
    world.store.purge("home", NOON + timedelta(days=1))
    counts = "SELECT (SELECT count(*) FROM campaigns), (SELECT count(*) FROM marks), (SELECT count(*) FROM feedback)"
    assert world.store.query(counts) == [(0, 0, 0)]
    assert world.case("away", SCRIPT, written=[WALLET]).elsewhere is None


def test_who_is_forgotten_leaves_no_mark_of_what_was_written_to_them(world: World) -> None:
    first = world.case("home", SCRIPT)
    world.store.forget(first.targets[0].account, NOW)
    assert world.store.query("SELECT * FROM marks") == []


def test_a_sender_who_writes_ever_more_handles_fills_nothing(world: World) -> None:
    case = world.case("home", SCRIPT)
    for number in range(0, 2000, 100):
        wallets = [f"0x{one:040x}" for one in range(number, number + 100)]
        case, _ = world.linker.link(case, (), wallets, NOW)
    ((kept,),) = world.store.query("SELECT count(*) FROM marks")
    assert kept == 400
    assert world.case("away", SCRIPT).elsewhere == Elsewhere(1, 1)


def test_the_file_shows_neither_words_nor_handles_nor_a_hash_that_can_be_guessed(world: World, file: Path) -> None:
    world.case("home", SCRIPT, written=[WALLET])
    world.store.checkpoint()
    marks = {mark for (mark,) in world.store.query("SELECT mark FROM marks")}
    held = file.read_bytes()
    assert {len(mark) for mark in marks} == {16}
    for word in (WALLET, "gift cards", "whole family"):
        assert word.encode() not in held
    with closing(Store(None, one_time_seal())) as other:
        elsewhere = World(other)
        elsewhere.case("home", SCRIPT, written=[WALLET])
        assert not marks & {mark for (mark,) in other.query("SELECT mark FROM marks")}


@pytest.mark.parametrize("wrote", [SCRIPT, WALLET])
def test_cases_of_before_a_new_key_are_still_linked(world: World, wrote: str) -> None:
    def marks() -> set[bytes]:
        return {mark for (mark,) in world.store.query("SELECT mark FROM marks")}

    world.case("home", wrote)
    before = marks()
    for changes in (1, 2):
        rotate(world.store, one_time_seal(), NOW + changes)
        assert not before & marks(), "who has an old key can compare nothing with them"
        assert world.case("home", wrote).elsewhere == Elsewhere(changes, 0)
        before |= marks()


def test_a_file_is_opened_again_and_still_links(world: World, file: Path, seal: Seal) -> None:
    world.case("home", SCRIPT)
    with closing(Store(file, seal)) as store:
        assert World(store).case("away", SCRIPT).elsewhere == Elsewhere(1, 1)


# Raids.


def raid(world: World, size: int, space: str = "home", minutes: float = 0) -> list[Case]:
    return [world.case(space, SCRIPT, minutes=minutes + i / 100) for i in range(size)]


def test_a_raid_gets_one_alert_that_grows_after_the_first_few(world: World) -> None:
    cases = raid(world, 60)
    told = [one.alert.case for one in world.deliver() if isinstance(one, AlertModerators)]
    assert told == [case.id for case in cases[:RAID]]
    leader = world.store.case_of(cases[0].id)
    assert leader
    assert leader.raid
    assert (leader.raid.cases, leader.raid.senders) == (50, 50)
    assert leader.raid.others[0] == cases[1].id
    assert {case.under for case in cases[RAID:]} == {leader.id}
    assert {case.targets[0].advice for case in cases} == {"pending"}
    assert len(world.store.latest_cases("home", 100)) == 60


def test_the_alerts_of_a_raid_are_edited_a_bounded_number_of_times(world: World) -> None:
    edits = 0
    for i in range(200):
        world.case("home", SCRIPT, minutes=i / 100)
        edits += sum(isinstance(one, UpdateAlert) for one in world.deliver())
    assert edits < 60


def test_a_flood_of_one_script_keeps_few_marks(world: World) -> None:
    raid(world, 50)
    (most,) = world.store.query("SELECT max(n) FROM (SELECT count(*) AS n FROM marks GROUP BY mark)")[0]
    assert most == 8
    assert world.store.query("SELECT count(DISTINCT campaign) FROM campaigns") == [(1,)]


def test_another_space_is_told_by_itself_and_slow_repeats_are_no_raid(world: World) -> None:
    raid(world, 10)
    assert [case.under for case in raid(world, RAID, "away")] == [None] * RAID
    assert [world.case("slow", SCRIPT, minutes=6 * i).under for i in range(8)] == [None] * 8


def test_a_raid_goes_on_under_its_alert_and_a_later_one_has_another(world: World) -> None:
    first = raid(world, 30)
    later = raid(world, 5, minutes=9)
    assert {case.under for case in later} == {first[0].id}
    again = raid(world, 5, minutes=60)
    assert [case.under for case in again] == [None] * RAID + [again[0].id] * 2


def test_despair_in_a_raid_is_never_gathered(world: World) -> None:
    raid(world, 5)
    case = world.case("home", SCRIPT, minutes=1, crisis=True)
    assert case.under is None
    assert any(isinstance(one, AlertModerators) and one.alert.case == case.id for one in world.deliver())


def test_when_the_case_of_the_alert_is_gone_another_alert_stands_for_the_next(world: World) -> None:
    cases = raid(world, 5)
    world.store.forget(cases[0].about, NOW)
    assert raid(world, 1, minutes=1)[0].under == cases[1].id


def dismiss(world: World, *cases: Case) -> None:
    for case in cases:
        world.store.record(*rule(world.held(case), Ruling.NOT_SEXTORTION), NOW)
        world.linker.ruled(case, Ruling.NOT_SEXTORTION, NOW, counts=True)


def test_no_case_stands_under_an_alert_that_was_ruled_out(world: World) -> None:
    cases = raid(world, RAID)
    dismiss(world, *cases)
    later = raid(world, RAID + 1, minutes=1)
    assert [case.under for case in later] == [None] * RAID + [later[0].id]
    dismiss(world, later[0])
    assert raid(world, 1, minutes=2)[0].under == later[1].id


@pytest.mark.parametrize(("dismissed", "minutes", "alone"), [(False, 9, False), (True, 9, True), (False, 11, True)])
def test_who_goes_on_after_the_raid_or_its_alert_gets_an_alert_of_their_own(
    world: World, dismissed: bool, minutes: float, alone: bool
) -> None:
    cases = raid(world, RAID + 1)
    assert cases[-1].under == cases[0].id
    world.deliver()
    if dismissed:
        dismiss(world, *cases[:RAID])
    case = world.goes_on(cases[-1], minutes)
    told = [one.alert.case for one in world.deliver() if isinstance(one, AlertModerators)]
    assert told == ([case.id] if alone else [])
    assert (case.under is None) is alone
    world.goes_on(case, minutes + 1)
    assert not any(isinstance(one, AlertModerators) for one in world.deliver())


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "no longer linked"])
def test_who_goes_on_after_their_target_was_forgotten_gets_an_alert(world: World, linked: bool) -> None:
    *_, case = raid(world, RAID + 1)
    assert case.under
    world.deliver()
    world.store.forget(case.targets[0].account, NOW, own=True)
    if not linked:
        world.store.query("DELETE FROM campaigns")
    world.deliver()
    world.goes_on(case, 1)
    assert world.deliver() == []
    world.goes_on(case, 60)
    assert [one.alert.case for one in world.deliver() if isinstance(one, AlertModerators)] == [case.id]


def test_who_is_ruled_on_gets_no_alert_for_going_on(world: World) -> None:
    cases = raid(world, RAID + 1)
    world.deliver()
    world.store.record(*rule(cases[-1], Ruling.CONFIRMED), NOW)
    world.goes_on(cases[-1], 60)
    assert not any(isinstance(one, AlertModerators) for one in world.deliver())


def test_a_raid_that_goes_on_storms_nobody_either(world: World) -> None:
    cases = raid(world, 40)
    world.deliver()
    for minutes in (11, 12):
        for case in cases[RAID:]:
            world.goes_on(case, minutes)
    assert sum(isinstance(one, AlertModerators) for one in world.deliver()) == RAID


def test_which_cases_an_alert_stands_for(world: World) -> None:
    cases = raid(world, 6)
    raid(world, 2, "away")
    leader = world.store.case_of(cases[0].id)
    assert leader
    assert world.linker.raid(leader) == [case.id for case in cases]
    assert world.linker.raid(cases[1]) == []
    assert replace(cases[5]).raid is None


def test_a_case_of_the_file_before_campaigns_is_read(world: World, file: Path) -> None:
    case = world.case("home")
    world.store.record(case, (), NOW)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM campaigns").fetchone() == (0,)
