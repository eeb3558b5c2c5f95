"""Campaigns, raids and what rulings move, on Telegram: what moderators of two groups read and press."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from localtelegram.server import User
from telegram_life import account, protect
from telegram_storm import Den, den, until, words

from bot.app import open_classifier
from bot.config import Config
from bot.effects import Ruling
from bot.feedback import FEWEST
from classifiers.assessment import Kind

KNOWN = "The same script or payment details were seen in 1 other case, in 1 other community."


@pytest.fixture
def at_work(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[], AbstractAsyncContextManager[Den]]:
    return lambda: den(tmp_path, open_classifier(Config(), Path()), caplog)


async def test_two_groups_learn_that_they_have_the_same_script(
    at_work: Callable[[], AbstractAsyncContextManager[Den]],
) -> None:
    async with at_work() as here:
        telegram = here.telegram
        other = telegram.group("Elsewhere", "supergroup", privacy=False)
        rick, ann = telegram.user("Rick"), telegram.user("Ann")
        other.join(rick, ann)
        mods = here.moderators()
        protect(here.parts, other, other.owner, alert_channel=str(mods.id))
        await here.threaten()
        await here.calm()
        await here.threaten(rick, ann, other)
        await here.calm()
        for chat, theirs in ((here.mods, other), (mods, here.group)):
            shown = words(here.alert(chat))
            assert KNOWN in shown
            assert str(theirs.id) not in shown
            assert "Elsewhere" not in shown
        here.parts.set_up(str(other.id), account(other.owner), {"share_campaigns": False})
        here.parts.outbox.wake()
        await here.calm()
        assert "The same script" not in words(here.alert(here.mods)) + words(here.alert(mods)), (
            "nor what was said before"
        )


async def test_a_raid_is_one_alert_whose_cases_can_be_ruled_on_together(
    at_work: Callable[[], AbstractAsyncContextManager[Den]],
) -> None:
    async with at_work() as here:
        targets: list[User] = []
        for number in range(5):
            sender, target = here.member(f"Bot{number}"), here.member(f"Member{number}")
            targets.append(target)
            await here.threaten(sender, target)
            await here.calm()
        alerts = here.posted()
        assert len(alerts) == 3
        (digest,) = [one for one in alerts if "stands for at least 5 cases with one script" in words(one)]
        pressed = await here.telegram.press(here.owner, digest, "Confirm all cases of it")
        assert pressed.text == "Noted for 5 cases."
        await here.calm()
        cases = here.parts.moderation.cases(str(here.group.id))
        assert [case.ruling for case in cases] == [Ruling.CONFIRMED] * 5
        assert [here.warned(target) for target in targets[3:]] == [1, 1]  # those without an alert of their own


async def test_setup_turns_sharing_off_and_lets_go_of_what_rulings_moved(
    at_work: Callable[[], AbstractAsyncContextManager[Den]],
) -> None:
    async with at_work() as here:
        space, owner = str(here.group.id), here.owner
        for number in range(FEWEST):
            await here.threaten(here.member(f"Eve{number}"))
        await here.calm()
        for case in here.parts.moderation.cases(space):
            here.parts.moderation.rule(space, case.id, Ruling.NOT_SEXTORTION, account(owner))
        here.parts.outbox.wake()
        assert here.parts.policies.of(space).shift.get(Kind.THREAT, 0.0) > 0
        owner.started = True
        await here.telegram.write(owner.private, owner, f"/start setup_{space}")
        await here.calm()
        form = here.telegram.privates(owner)[-1]
        assert "threats less readily" in words(form)
        await here.telegram.press(owner, form, "Compare with other communities: off")
        assert not here.parts.policies.of(space).share_campaigns
        await here.telegram.press(owner, form, "Forget what rulings moved")
        await until(lambda: "they have not moved what Haven alerts on" in words(here.telegram.privates(owner)[-1]))
        form = here.telegram.privates(owner)[-1]
        assert "within this community only" in words(form)
        assert here.parts.policies.of(space).shift.get(Kind.THREAT, 0.0) == 0
