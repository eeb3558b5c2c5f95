"""Haven on a Discord that fails: connections that break, requests that are refused, answers that are lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from discord_den import EDIT, OPEN, POST, Den, Living, den, hurry
from discord_life import THREAT, living, protect, until
from localdiscord.server import Guild, LocalDiscord, User

from bot import outbox
from bot.app import open_classifier
from bot.config import Config
from bot.effects import Advice
from bot.platforms.discord_bot import delivery
from classifiers.classifier import Classifier


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The model that came with Haven."""
    return open_classifier(Config(), Path())


@pytest.fixture
def haven(
    tmp_path: Path, classifier: Classifier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Living:
    """Haven in a server, where the second attempt comes soon after the first."""
    hurry(monkeypatch)
    return lambda **settings: den(tmp_path, classifier, caplog, **settings)


def warned(there: Den) -> int:
    return len(there.discord.dms(there.sam))


async def pair(there: Den, number: int) -> User:
    """Let somebody threaten somebody else in a channel of their own, and return the target."""
    target = there.member(f"target{number}")
    await there.threaten(there.member(f"sender{number}"), target, there.guild.channel(f"room{number}"))
    return target


async def test_what_is_written_while_the_connection_is_down_is_replayed(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:1])
        async with there.discord.outage():
            await there.threaten(lines=THREAT[1:3])
            assert not there.posted()
        await there.threaten(lines=THREAT[3:])
        await until(there.posted)
        await there.calm()
        assert len(there.discord.gateway.resumes) == 1
        assert len(there.discord.gateway.identifies) == 1
        assert there.alert().embeds[0]["description"].count("[message]") == 3
        assert warned(there) == 1
        assert there.shown().endswith("was warned in private")


@pytest.mark.parametrize("how", ["asked to reconnect", "cut"])
async def test_a_broken_connection_is_resumed(haven: Living, how: str) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        if how == "cut":
            await there.discord.drop(None)
        else:
            await there.discord.reconnect()
        await there.threaten(lines=THREAT[2:])
        await until(lambda: there.discord.gateway.resumes)
        await there.calm()
        assert len(there.discord.gateway.identifies) == 1
        assert len(there.posted()) == warned(there) == 1
        assert "pressure" in there.alert().embeds[0]["description"]


async def test_a_session_that_discord_forgot_is_begun_anew(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        there.discord.forget_sessions()
        await there.discord.drop()
        await until(lambda: len(there.discord.gateway.identifies) == 2)  # discord.py waits five seconds
        await there.threaten(lines=THREAT[2:])
        await there.calm()
        assert len(there.discord.gateway.resumes) == 1
        assert len(there.posted()) == warned(there) == 1
        assert "pressure" in there.alert().embeds[0]["description"]


async def test_a_storm_of_429_delays_and_repeats_nothing(haven: Living) -> None:
    async with haven() as there:
        private = there.discord.dm(there.sam)
        for channel in (there.mods, private):
            there.discord.fail(*POST, times=7, status=429, retry_after=0.02, channel=channel)
        there.discord.fail(*EDIT, times=7, status=429, retry_after=0.02)
        there.discord.fail(*OPEN, times=7, status=429, retry_after=0.02)
        await there.threaten()
        await there.calm()
        assert not any(failure.times for failure in there.discord.rest.failures)
        assert len(there.posted()) == warned(there) == 1
        assert there.shown().endswith("was warned in private")


async def test_a_long_429_is_waited_for_outside_of_discord_py(haven: Living) -> None:
    async with haven() as there:
        there.discord.fail(*POST, status=429, retry_after=600, channel=there.mods)
        await there.threaten()
        await there.read()
        await until(lambda: there.waiting() == ["AlertModerators"])
        assert warned(there) == 1
        (due,) = there.parts.store.query("SELECT due_at - ? FROM outbox WHERE settled_at IS NULL", (there.now(),))[0]
        assert 590 < due <= 600
        there.hasten()
        await there.calm()
        assert len(there.posted()) == 1


@pytest.mark.parametrize(("status", "times"), [(500, 1), (503, 4), (0, 3)])
async def test_a_failing_discord_is_asked_until_it_works(haven: Living, status: int, times: int) -> None:
    async with haven() as there:
        private = there.discord.dm(there.sam)
        for channel in (there.mods, private):
            there.discord.fail(*POST, times=times, status=status, channel=channel)
        there.discord.fail(*EDIT, times=times, status=status)
        there.discord.fail(*OPEN, times=times, status=status)
        await there.threaten()
        await there.calm()
        assert not any(failure.times for failure in there.discord.rest.failures)
        assert len(there.posted()) == warned(there) == 1
        assert there.shown().endswith("was warned in private")


@pytest.mark.parametrize("status", [503, 0])
async def test_an_answer_that_was_lost_leads_to_no_second_message(haven: Living, status: int) -> None:
    async with haven() as there:
        private = there.discord.dm(there.sam)
        for channel in (there.mods, private):
            there.discord.fail(*POST, times=3, status=status, after=True, channel=channel)
        await there.threaten()
        await there.calm()
        assert there.count(*POST, there.mods) == there.count(*POST, private) == 4
        assert len(there.posted()) == warned(there) == 1
        assert there.shown().endswith("was warned in private")


async def test_an_answer_that_comes_too_late_leads_to_no_second_message(
    haven: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_ATTEMPT_SECONDS", 0.3)
    async with haven() as there:
        there.discord.slow(*POST, seconds=0.8, times=2)
        await there.threaten()
        await there.calm()
        await until(lambda: all(one.status == 200 for one in there.discord.asked(*POST)))
        assert there.count(*POST, there.mods) == there.count(*POST, there.discord.dm(there.sam)) == 2
        assert len(there.posted()) == warned(there) == 1


@pytest.mark.parametrize("how", ["503", "500", "cut", "slow"])
async def test_while_no_private_chat_can_be_opened_nobody_may_have_been_warned(
    haven: Living, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(delivery, "_OPENING_SECONDS", 0.2)
    monkeypatch.setattr(delivery.DiscordPlatform, "remembers", 0.0)  # an attempt that may have arrived is the last
    async with haven() as there:
        if how == "slow":
            there.discord.slow(*OPEN, seconds=1.0, times=2)
        else:
            there.discord.fail(*OPEN, times=2, status={"503": 503, "500": 500, "cut": 0}[how])
        await there.threaten()
        await there.calm()
        assert there.count(*OPEN) == 3
        assert warned(there) == 1
        assert there.shown().endswith("was warned in private")
        assert "cut off" not in there.log.text


@pytest.mark.parametrize("status", [503, 0])
async def test_a_warning_whose_answer_is_lost_is_repeated_as_long_as_discord_knows_it(
    haven: Living, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    remembers = 0.4
    monkeypatch.setattr(delivery.DiscordPlatform, "remembers", remembers)
    async with haven() as there:
        private = there.discord.dm(there.sam)
        there.discord.fail(*POST, times=100, status=status, after=True, channel=private)
        await there.threaten()
        await there.calm()
        asked = [one.at for one in there.discord.asked(*POST) if one.channel_id == private.id]
        assert len(asked) > 1
        assert asked[-1] - asked[0] < remembers + 0.2
        assert "may have been warned" in there.shown()
        assert warned(there) == 1
        there.discord.rest.failures.clear()
        answer = await there.discord.press(there.guild.owner, there.alert(), "Send private advice")
        assert answer.ephemeral
        await there.calm()
        assert there.shown().endswith("was warned in private")
        assert warned(there) == 2


async def test_on_stopping_the_gateway_is_left_before_what_waits_is_delivered(haven: Living) -> None:
    async with haven() as there:
        there.discord.slow(*POST, seconds=0.7, times=2)
        await there.threaten(lines=THREAT[:2])
        await until(lambda: there.discord.asked(*POST))
        (stopping,) = [one for one in asyncio.all_tasks() if getattr(one.get_coro(), "__name__", "") == "serve"]
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: not there.discord.gateway.connections)
        assert not stopping.done()
        other = there.member("other")
        while not stopping.done():
            await there.threaten(there.member("late"), other)
            await asyncio.sleep(0.05)
        assert there.parts.inbox.waiting == 0
        assert there.waiting() == []
        assert warned(there) == len(there.posted()) == 1
        assert there.shown().endswith("was warned in private")
        assert there.discord.dms(other) == []
        assert "resuming" not in there.log.text


async def test_haven_stops_while_it_cannot_connect_again(haven: Living) -> None:
    async with haven() as there:
        (stopping,) = [one for one in asyncio.all_tasks() if getattr(one.get_coro(), "__name__", "") == "serve"]
        async with there.discord.outage():
            await until(lambda: "resuming" in there.log.text)
            os.kill(os.getpid(), signal.SIGTERM)
            assert await asyncio.wait((stopping,), timeout=5) == ({stopping}, set())


async def test_login_is_tried_until_discord_is_there(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    async with LocalDiscord() as discord:
        for route in ("/users/@me", "/oauth2/applications/@me"):
            discord.fail("GET", route, times=2, status=503)
        discord.fail("GET", "/users/@me", status=0)
        discord.fail("PUT", "/applications/{application_id}/commands", times=2, status=503)
        discord.fail("GET", "/gateway/bot", times=2, status=503)
        async with living(discord, tmp_path, classifier):
            await until(lambda: discord.commands)
        assert len(discord.gateway.identifies) == 1
        assert discord.complaints == []


async def test_commands_that_cannot_be_published_keep_nobody_from_being_protected(haven: Living) -> None:
    route = ("PUT", "/applications/{application_id}/commands")
    async with haven(before=lambda discord: discord.fail(*route, status=429, retry_after=3600)) as there:
        await there.threaten()
        await there.calm()
        assert warned(there) == 1
        assert not there.discord.commands


async def test_tokens_of_interactions_stay_out_of_the_log(haven: Living) -> None:
    route = ("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original")
    async with haven() as there:
        there.discord.fail(*route, status=429, retry_after=0.02)
        answer = await there.discord.slash(there.sam, "protect status", where="private")
        assert answer.text
        assert "is rate limited" in there.log.text


@pytest.mark.parametrize(
    ("code", "status", "opening", "said"),
    [
        (50007, 403, False, "accepts no private messages"),
        (50007, 400, False, "accepts no private messages"),
        (50007, 403, True, "accepts no private messages"),
        (50278, 403, False, "cannot be written to"),
        (10013, 404, True, "cannot be written to"),
        (50033, 400, True, "could not be delivered"),
    ],
)
async def test_somebody_who_cannot_be_written_to_is_shown_on_the_alert(
    haven: Living, code: int, status: int, opening: bool, said: str
) -> None:
    async with haven() as there:
        there.discord.closes_dms(there.sam, code, status, opening=opening)
        await there.threaten()
        await there.calm()
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        assert said in there.shown()
        assert there.count(*OPEN) == 1  # and is not tried again
        assert warned(there) == 0
        if status == 400:
            (complaint,) = there.discord.complaints
            assert str(code) in complaint
            there.expected = [complaint]


async def test_somebody_who_left_cannot_be_written_to(haven: Living) -> None:
    async with haven() as there:
        async with there.discord.outage():
            await there.threaten()
            there.guild.kick(there.sam)
        await there.calm()
        assert "cannot be written to" in there.shown()
        assert warned(there) == 0


@pytest.mark.parametrize("code", [40003, 20026])
async def test_while_discord_holds_private_messages_back_nobody_is_written_to(
    haven: Living, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(delivery, "_HELD_SECONDS", 2.0)
    async with haven() as there:
        there.discord.closes_dms(there.sam, code, 403)
        await there.threaten()
        await there.read()
        await until(lambda: there.posted() and "is held back" in there.shown())
        assert there.count(*OPEN) == 1
        others = [await pair(there, i) for i in range(2)]
        await there.read()
        await until(lambda: sum("is held back" in one.text for one in there.posted()) == 3)  # alerts go on
        there.discord.opens_dms(there.sam)
        assert there.count(*OPEN) == 1
        await there.calm()
        assert [len(there.discord.dms(user)) for user in (there.sam, *others)] == [1] * 3
        assert all("was warned in private" in one.text for one in there.posted())


async def test_no_more_warnings_are_sent_than_the_day_allows(haven: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_DAY", 1.0)
    monkeypatch.setattr(delivery, "_BUDGET_SECONDS", 0.2)
    async with haven(warnings_a_day=2, before=lambda discord: others(discord, 5)) as there:
        guilds = [one for one in there.discord.world.guilds.values() if one is not there.guild]
        async with there.discord.outage():  # so that all are due at the same time
            targets = [await threatened_in(there, guild) for guild in guilds]
        await there.calm()
        sent = written_to(there, targets)
        assert len(sent) == 5
        assert all(later - earlier >= 1.0 for earlier, later in pairwise(sent[::2]))
        assert [len(there.discord.dms(target)) for target in targets] == [1] * 5


async def test_one_server_uses_a_quarter_of_the_warnings_at_most(
    haven: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_DAY", 1.5)
    monkeypatch.setattr(delivery, "_BUDGET_SECONDS", 0.2)
    async with haven(warnings_a_day=8, before=lambda discord: others(discord, 1)) as there:
        (guild,) = [one for one in there.discord.world.guilds.values() if one is not there.guild]
        there.discord.slow(*OPEN, seconds=0.3, times=6)  # so that several are under way at the same time
        async with there.discord.outage():
            targets = [await pair(there, i) for i in range(5)]
            elsewhere = await threatened_in(there, guild)  # whom that does not hold up
        await until(lambda: there.discord.dms(elsewhere))
        await until(lambda: held(there) == 3)
        assert len(written_to(there, targets)) == 2
        await there.calm()
        sent = written_to(there, targets)
        assert len(sent) == 5
        assert all(later - earlier >= 1.5 for earlier, later in pairwise(sent[::2]))
        assert written_to(there, [elsewhere])[0] < sent[2]
        assert all("was warned in private" in one.text for one in there.posted())


def held(there: Den) -> int:
    """Return how many warnings of the server are held back."""
    cases = there.parts.store.latest_cases(there.guild.id, 9)
    return sum(target.advice is Advice.HELD for case in cases for target in case.targets)


def others(discord: LocalDiscord, count: int) -> None:
    """Add servers in which nobody is yet."""
    for number in range(count):
        guild = discord.guild(f"Other {number}")
        guild.channel("general")
        guild.channel("mods", private=True)


async def threatened_in(there: Den, guild: Guild) -> User:
    """Let somebody be threatened in another server, and return them."""
    sender, target = there.discord.user("sender"), there.discord.user("target")
    guild.join(sender)
    guild.join(target)
    general, mods = guild.channels.values()
    there.alerts.append(mods)
    protect(there.parts, guild, alert_channel=mods.id)
    await there.threaten(sender, target, general)
    return target


def written_to(there: Den, targets: Sequence[User]) -> list[float]:
    """Return when people were written to."""
    private = {there.discord.dm(target).id for target in targets}
    return sorted(one.at for one in there.discord.asked(*POST) if one.channel_id in private)


async def test_a_budget_of_nothing_means_that_nobody_is_written_to(haven: Living) -> None:
    async with haven(warnings_a_day=0) as there:
        await there.threaten()
        await there.read()
        await until(lambda: there.posted() and "is held back" in there.shown())
        assert there.count(*OPEN) == 0
