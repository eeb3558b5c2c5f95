"""Campaigns, raids and what rulings move, on Discord: what moderators of two servers read and press."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from discord_den import Den, den
from discord_life import THREAT, protect, settled
from localdiscord.server import Message

from bot.app import open_classifier
from bot.campaign import RAID
from bot.config import Config
from bot.effects import Ruling
from bot.feedback import FEWEST
from classifiers.assessment import Kind

KNOWN = "The same script or payment details were seen in 1 other case, in 1 other community."


@pytest.fixture
def at_work(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[], AbstractAsyncContextManager[Den]]:
    return lambda: den(tmp_path, open_classifier(Config(), Path()), caplog)


async def test_two_servers_learn_that_they_have_the_same_script_and_one_can_stay_out(
    at_work: Callable[[], AbstractAsyncContextManager[Den]],
) -> None:
    async with at_work() as here:
        discord, parts = here.discord, here.parts
        other = discord.guild("Other")
        rick, ann = discord.user("rick"), discord.user("ann")
        other.join(rick)
        other.join(ann)
        lobby, mods = other.channel("lobby"), other.channel("mods", private=True)
        here.alerts.append(mods)
        protect(parts, other, alert_channel=mods.id)
        await here.threaten()
        await here.calm()
        assert KNOWN not in here.alert().text
        await here.threaten(rick, ann, lobby)
        await here.calm()
        for channel, theirs in ((here.mods, other), (mods, here.guild)):
            shown = here.alert(channel).text
            assert KNOWN in shown
            assert theirs.id not in shown
            assert "Other" not in shown

        form = await discord.press(other.owner, await discord.slash(other.owner, "setup", where=lobby), "More settings")
        assert "cases from here count there" in form.text
        form = await discord.press(other.owner, form, "Compare with other communities: off")
        assert "within this community only" in form.text
        third = here.member("tom")
        await here.threaten(third, here.sam)
        await here.calm()
        assert "in 1 other case." in here.posted()[-1].text  # the one of this server


async def test_a_raid_is_one_alert_whose_cases_can_be_ruled_on_together(
    at_work: Callable[[], AbstractAsyncContextManager[Den]],
) -> None:
    async with at_work() as here:
        for number in range(6):
            sender, target = here.member(f"bot{number}"), here.member(f"member{number}")
            channel = here.guild.channel(f"room{number}")
            await here.threaten(sender, target, channel)
            await here.calm()
            assert len(here.discord.dms(target)) == 1
        assert len(here.posted()) == 3
        digest: Message = here.posted()[0]
        assert "This alert stands for at least 5 cases with one script, by at least 5 senders: " in digest.text
        cases = here.parts.moderation.cases(here.guild.id)
        assert len(cases) == 6
        answer = await here.discord.press(here.guild.owner, digest, "None of them is sextortion")
        assert answer.text == "Noted for 6 cases."
        await here.calm()
        assert {case.ruling for case in here.parts.moderation.cases(here.guild.id)} == {Ruling.NOT_SEXTORTION}
        assert here.parts.store.query("SELECT count(*) FROM feedback") == [(1,)]
        assert not any("Ban all" in label for label in digest.buttons)


async def test_who_repeats_a_script_that_was_ruled_out_as_a_joke_raises_an_alert(
    at_work: Callable[[], AbstractAsyncContextManager[Den]],
) -> None:
    async with at_work() as here:
        for number in range(RAID):
            await here.threaten(here.member(f"joker{number}"), here.sam, here.guild.channel(f"room{number}"))
        await here.calm()
        for alert in here.posted():
            await here.discord.press(here.guild.owner, alert, "Not sextortion")
        ann = here.member("ann")
        await here.threaten(here.eve, ann)
        await here.calm()
        assert here.eve.mention in here.posted()[-1].text
        assert len(here.posted()) == RAID + 1
        assert len(here.discord.dms(ann)) == 1


async def test_setup_shows_what_rulings_moved_and_lets_go_of_it(
    at_work: Callable[[], AbstractAsyncContextManager[Den]],
) -> None:
    async with at_work() as here:
        for number in range(FEWEST):
            lines = [f"{line} {'abcdefgh'[number] * 9}" for line in THREAT]
            sender = here.member(f"eve{number}")
            await here.threaten(sender, here.sam, lines=lines)
        await here.calm()
        for case in here.parts.moderation.cases(here.guild.id):
            here.parts.moderation.rule(here.guild.id, case.id, Ruling.NOT_SEXTORTION, case.targets[0].account)
        moved = here.parts.policies.of(here.guild.id).shift.get(Kind.THREAT, 0.0)
        assert moved > 0
        owner = here.guild.owner
        form = await here.discord.press(
            owner, await here.discord.slash(owner, "setup", where=here.general), "More settings"
        )
        assert f"threats less readily ({moved:+.2f} of at most 0.50)" in form.text
        form = await here.discord.press(owner, form, "Forget what rulings moved")
        assert "they have not moved what Haven alerts on" in form.text
        assert here.parts.policies.of(here.guild.id).shift.get(Kind.THREAT, 0.0) == 0
        assert "count anew" in here.parts.records.trail(here.guild.id)[-1].note
        here.parts.outbox.wake()
        await settled(here.parts)
