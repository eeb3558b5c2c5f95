"""What a space wants: the settings file, what the file says of the space, and above both what its moderators chose."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.config import Config, PolicySettings
from bot.policies import Policies
from bot.policy import AdviceBy, Mode, Policy
from bot.records import Entry, Records
from bot.sealing import Seal, one_time_seal
from bot.store import Store
from classifiers.assessment import Sensitivity
from classifiers.conversation import Account
from classifiers.errors import InputError

MO = Account("console", "Mo")
SETTINGS = """
[policy]
mode = "alert"
sensitivity = "low"
retention_days = 9

[spaces.home]
sensitivity = "high"
alert_channel = "77"
"""


@pytest.fixture
def config() -> Config:
    return msgspec.toml.decode(SETTINGS, type=Config)


@pytest.fixture
def seal() -> Seal:
    return one_time_seal()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "haven.db"


@pytest.fixture
def store(file: Path, seal: Seal) -> Iterator[Store]:
    with closing(Store(file, seal)) as store:
        yield store


@pytest.fixture
def records(store: Store) -> Records:
    return Records(store)


@pytest.fixture
def policies(config: Config, records: Records) -> Policies:
    return Policies(config, records)


# Which word counts.


def test_a_space_is_above_all_spaces_and_its_moderators_above_the_file(policies: Policies) -> None:
    of_all = Policy(mode=Mode.ALERT, sensitivity=Sensitivity.LOW, retention=timedelta(days=9))
    of_home = replace(of_all, sensitivity=Sensitivity.HIGH, alert_channel="77")
    assert policies.of("elsewhere") == of_all
    assert policies.of("home") == of_home
    chosen = policies.choose("home", MO, {"sensitivity": "normal", "retention_days": 3}, 1.0)
    assert chosen == policies.of("home")
    assert chosen == replace(of_home, sensitivity=Sensitivity.NORMAL, retention=timedelta(days=3))
    assert policies.of("elsewhere") == of_all


def test_every_key_of_a_policy_may_be_chosen(policies: Policies) -> None:
    changes: dict[str, Any] = {
        "mode": "advise",
        "sensitivity": "high",
        "advice_by": "opted-in",
        "locale": "en-GB",
        "alert_channel": "1",
        "page_role": "2",
        "skip_channels": ["3", "4"],
        "cooldown_hours": 5,
        "incident_gap_days": 6,
        "retention_days": 7,
        "share_campaigns": False,
        "follow_rulings": False,
    }
    assert list(changes) == list(PolicySettings.__struct_fields__)
    assert policies.choose("work", MO, changes, 1.0) == Policy(
        mode=Mode.ADVISE,
        sensitivity=Sensitivity.HIGH,
        advice_by=AdviceBy.OPTED_IN,
        locale="en-GB",
        alert_channel="1",
        page="2",
        skipped=("3", "4"),
        cooldown=timedelta(hours=5),
        incident_gap=timedelta(days=6),
        retention=timedelta(days=7),
        share_campaigns=False,
        follow_rulings=False,
    )


def test_a_choice_adds_to_the_ones_before_and_survives_a_restart(
    policies: Policies, config: Config, store: Store, file: Path, seal: Seal
) -> None:
    policies.choose("home", MO, {"mode": "observe", "page_role": "5"}, 1.0)
    policies.choose("home", MO, {"mode": "advise"}, 2.0)
    chosen = policies.choose("home", MO, {"page_role": "", "alert_channel": "88"}, 3.0)
    assert (chosen.mode, chosen.page, chosen.alert_channel) == (Mode.ADVISE, None, "88")
    store.close()
    with closing(Store(file, seal)) as again:
        assert Policies(config, Records(again)).of("home") == chosen
        assert Records(again).settings("home") == {"mode": "advise", "page_role": "", "alert_channel": "88"}


# What was read is kept only until something is chosen.


def test_a_choice_counts_at_once_although_policies_are_kept(policies: Policies) -> None:
    spaces = ("home", "work")
    before = {space: policies.of(space) for space in spaces}
    assert all(policies.of(space) is before[space] for space in spaces)
    policies.choose("work", MO, {"skip_channels": ["1"]}, 1.0)
    assert policies.of("work").skipped == ("1",)
    assert policies.of("home") == before["home"]


# Where an alert channel is needed.


def test_a_space_whose_moderators_cannot_be_reached_is_only_observed(config: Config, records: Records) -> None:
    policies = Policies(config, records, needs_channel=True)
    assert (policies.of("work").mode, policies.reaches_moderators("work")) == (Mode.OBSERVE, False)
    assert (policies.of("home").mode, policies.reaches_moderators("home")) == (Mode.ALERT, True)
    assert policies.choose("work", MO, {"mode": "advise"}, 1.0).mode is Mode.OBSERVE
    assert policies.choose("work", MO, {"alert_channel": "99"}, 2.0).mode is Mode.ADVISE
    assert policies.reaches_moderators("work")
    assert policies.choose("work", MO, {"alert_channel": ""}, 3.0).mode is Mode.OBSERVE


def test_what_a_space_wants_is_known_before_it_has_a_channel(config: Config, records: Records) -> None:
    policies = Policies(config, records, needs_channel=True)
    chosen = policies.choose("work", MO, {"mode": "advise", "sensitivity": "high"}, 1.0)
    wanted = policies.wanted("work")
    assert (chosen.mode, wanted.mode, wanted.sensitivity) == (Mode.OBSERVE, Mode.ADVISE, Sensitivity.HIGH)
    assert wanted == replace(chosen, mode=Mode.ADVISE)
    assert policies.wanted("elsewhere").mode is Mode.ALERT
    assert policies.wanted("home") == policies.of("home")
    assert policies.choose("work", MO, {"alert_channel": "99"}, 2.0) == policies.wanted("work")


def test_policies_are_read_anew_once_they_are_forgotten(policies: Policies, records: Records, store: Store) -> None:
    policies.choose("work", MO, {"mode": "advise", "alert_channel": "99"}, 1.0)
    assert policies.alerting("99") == ["work"]
    store.leave("work", 0.0)
    assert policies.of("work").mode is Mode.ADVISE
    policies.reread()
    assert policies.of("work").mode is Mode.ALERT
    assert policies.alerting("99") == []


def test_what_is_read_while_somebody_chooses_is_not_kept(
    policies: Policies, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = records.settings

    def slowly(space: str) -> dict[str, Any]:
        found = read(space)
        monkeypatch.undo()
        policies.choose("work", MO, {"alert_channel": "99"}, 1.0)  # as if in another thread
        return found

    monkeypatch.setattr(records, "settings", slowly)
    assert policies.of("work").alert_channel is None
    assert policies.of("work").alert_channel == "99"


def test_where_no_channel_is_needed_none_is_missed(policies: Policies) -> None:
    assert (policies.of("work").mode, policies.reaches_moderators("work")) == (Mode.ALERT, True)


# What is not allowed.


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mode": "loud"}, "mode: Invalid enum value 'loud'; allowed: observe, alert, advise"),
        ({"retention_days": 91}, "retention_days: Expected int <= 90"),
        ({"retention_days": "9"}, "retention_days: Expected int, got str"),
        ({"alert_channel": 77}, "alert_channel: Expected str, got int"),
        ({"alert_channel": "#mods"}, "alert_channel: expected the id of a channel or chat, such as "),
        ({"skip_channels": "77"}, "skip_channels: Expected array, got str"),
        ({"sensitivity": "low", "colour": "red"}, "colour: unknown key; allowed: mode, "),
        ({"sensitivity": "low", "mode": None}, "mode: Expected str, got null"),
    ],
)
def test_a_bad_value_is_named_and_nothing_is_kept(
    policies: Policies, records: Records, changes: dict[str, Any], complaint: str
) -> None:
    policies.choose("home", MO, {"mode": "advise"}, 1.0)
    before, trail = policies.of("home"), records.trail("home")
    with pytest.raises(InputError) as caught:
        policies.choose("home", MO, changes, 2.0)
    assert str(caught.value).startswith(f"settings of home: {complaint}")
    assert policies.of("home") == before
    assert records.settings("home") == {"mode": "advise"}
    assert records.trail("home") == trail


# On record.


def test_who_chose_what_is_on_the_trail_sealed(policies: Policies, records: Records, file: Path) -> None:
    policies.choose("home", MO, {"mode": "advise", "retention_days": 5}, 1.0)
    policies.choose("work", MO, {"page_role": "4711"}, 2.0)
    assert records.trail("home") == [Entry(1.0, MO, "set_up", None, "mode = advise, retention_days = 5")]
    assert records.trail("work") == [Entry(2.0, MO, "set_up", None, "page_role = 4711")]
    with closing(sqlite3.connect(file)) as connection:
        notes = connection.execute("SELECT note FROM audit").fetchall()
    assert len(notes) == 2
    assert not any(b"retention" in note or b"4711" in note for (note,) in notes)


def test_when_a_space_was_last_read_is_kept_beside_its_choices(policies: Policies, records: Records) -> None:
    assert records.seen_at("home") is None
    records.seen("home", 5.0)
    assert (records.seen_at("home"), records.settings("home")) == (5.0, {})
    policies.choose("home", MO, {"mode": "advise"}, 6.0)
    records.seen("home", 7.0)
    assert (records.seen_at("home"), records.settings("home")) == (7.0, {"mode": "advise"})
    assert (records.seen_at("work"), records.settings("work")) == (None, {})


def test_choices_that_this_haven_does_not_know_are_told_in_one_line(config: Config, store: Store) -> None:
    Records(store).choose("home", {"sensitivity": "extreme"})
    with pytest.raises(InputError, match=r"^settings of home: sensitivity: .*extreme"):
        Policies(config, Records(store))
