"""The buttons under an alert on Telegram: what each does, and what is refused, to whom and how."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from localtelegram.server import Group
from telegram_den import (
    SAID,
    UNCLEAR,
    Den,
    Home,
    lonely,
    one_home,
    refused,
    shows,
    title,
    untouched,
    watched,
)
from telegram_life import account

from bot.app import open_classifier
from bot.config import Config
from bot.effects import Act, Advice, Ruling
from classifiers.classifier import Classifier

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIRM, DISMISS, ADVISE, NOTE = "Confirm", "Not sextortion", "Send private advice", "Note"
RESTRICT, BAN, DELETE = "Restrict for 24 hours", "Ban", "Delete the messages"
BUTTONS = [CONFIRM, DISMISS, ADVISE, NOTE, RESTRICT, BAN, DELETE]
ACTS = {CONFIRM: "confirm", DISMISS: "dismiss", ADVISE: "advise", NOTE: "note", RESTRICT: "timeout", BAN: "ban"}
ACTS |= {DELETE: "delete"}
NEEDS = {RESTRICT: "can_restrict_members", BAN: "can_restrict_members", DELETE: "can_delete_messages"}
NAMED = {"can_restrict_members": "“Ban users”", "can_delete_messages": "“Delete messages”"}
WARNING = "A private message from Haven"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The bundled classifier."""
    return open_classifier(Config(), Path())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    """One Haven for all tests."""
    async with one_home(tmp_path_factory.mktemp("haven"), classifier) as home:
        yield home


@pytest_asyncio.fixture(loop_scope="module")
async def home(shared: Home, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Home]:
    """The shared Haven, which said nothing in public, logged no fault and was refused nothing when a test ends."""
    async with watched(shared, caplog) as there:
        yield there


def without(right: str) -> dict[str, Any]:
    """Return the usual rights of an admin but for one."""
    return {right: False}


@pytest.mark.parametrize(
    ("button", "ruling", "act"),
    [(CONFIRM, Ruling.CONFIRMED, Act.CONFIRMED), (DISMISS, Ruling.NOT_SEXTORTION, Act.NOT_SEXTORTION)],
)
async def test_rulings(home: Home, button: str, ruling: Ruling, act: Act) -> None:
    den = await Den(home, advice_by="moderator").threatened()
    assert den.alert.labels == BUTTONS
    before = den.alert
    answer = await den.press(den.mo, button)
    assert answer.alert
    assert (answer.text or "").startswith("Noted")
    assert den.case.ruling is ruling
    assert den.trail() == [(den.mo.id, act)]
    assert den.alert is before
    assert shows(den, act)
    assert den.alert.labels == [label for label in BUTTONS if label != button]
    other = DISMISS if button == CONFIRM else CONFIRM
    assert ((await den.press(den.max, other)).text or "").startswith("Noted")
    assert den.case.ruling is not ruling
    assert len(den.trail()) == 2
    assert home.telegram.complaints == []


async def test_advice_by_a_moderator(home: Home) -> None:
    telegram, den = home.telegram, await Den(home, advice_by="moderator").threatened()
    assert telegram.privates(den.sam) == []
    assert SAID.advice[Advice.WAITING] in den.alert.text
    assert "on its way" in ((await den.press(den.mo, ADVISE)).text or "")
    assert [title(message) for message in telegram.privates(den.sam)] == [WARNING]
    assert f"{den.sam.name}: {SAID.advice[Advice.DELIVERED]}" in den.alert.text
    assert den.trail() == [(den.mo.id, Act.ADVISED)]
    assert ADVISE not in den.alert.labels
    late = await home.craft(den.max, den.alert, f"advise:{den.case.id}")
    assert refused(late.text, "nobody to write to")
    assert len(telegram.privates(den.sam)) == 1
    assert telegram.complaints == []


@pytest.mark.parametrize("why", ["declined", "unstarted", "blocked"])
async def test_advice_that_does_not_arrive_is_said(home: Home, why: str) -> None:
    telegram, den = home.telegram, Den(home, advice_by="moderator", started=why != "unstarted")
    if why == "declined":
        await home.ask(den.sam, "/protect on")
    await den.threatened()
    if why == "declined":
        await home.ask(den.sam, "/protect off")
    elif why == "blocked":
        telegram.block(den.sam)
    answer = await den.press(den.mo, ADVISE)
    became = {"declined": Advice.DECLINED, "unstarted": Advice.UNSTARTED, "blocked": Advice.REFUSED}[why]
    assert ("asked not to be written to" if why == "declined" else "whether it arrives") in (answer.text or "")
    assert f"{den.sam.name}: {SAID.advice[became]}" in den.alert.text
    assert not any(title(message) == WARNING for message in telegram.privates(den.sam))
    assert telegram.complaints == []


async def test_a_guess_is_only_written_to_at_the_second_press(home: Home) -> None:
    telegram, den = home.telegram, await lonely(home)
    den.ann.started = True
    assert den.case.likely in (account(den.sam), account(den.ann))
    guessed = den.sam if den.case.likely == account(den.sam) else den.ann
    assert f"perhaps {guessed.name}" in den.alert.text
    first = await den.press(den.mo, ADVISE)
    assert first.alert
    assert refused(first.text, "only guesses", "Press again")
    assert refused((await den.press(den.max, ADVISE)).text, "Press again"), "each moderator for themselves"
    assert telegram.privates(den.sam) == telegram.privates(den.ann) == []
    assert den.trail() == []
    assert "on its way" in ((await den.press(den.mo, ADVISE)).text or "")
    assert [title(message) for message in telegram.privates(guessed)] == [WARNING]
    assert den.trail() == [(den.mo.id, Act.ADVISED)]
    assert telegram.complaints == []


async def test_where_nobody_can_be_guessed_the_command_is_named(home: Home) -> None:
    den = Den(home)
    for line in UNCLEAR:
        await den.write(den.eve, line)
    await home.settled()
    assert den.case.likely is None
    assert refused((await den.press(den.mo, ADVISE)).text, "does not know whom", f"/advise {den.case.id}")
    assert home.telegram.complaints == []


async def test_restrict(home: Home) -> None:
    telegram, den = home.telegram, await Den(home).threatened()
    before = time.time()
    assert (await den.press(den.mo, RESTRICT)).text == "They cannot write for 24 hours."
    member = den.group.member(den.eve)
    assert member.status == "restricted"
    assert not any(member.permissions.values())
    assert 86_300 < member.until - before < 86_500
    assert den.trail() == [(den.mo.id, "timed_out?"), (den.mo.id, Act.TIMED_OUT)]
    assert shows(den, Act.TIMED_OUT)
    assert telegram.privates(den.eve) == []
    assert telegram.complaints == []


@pytest.mark.parametrize("held", ["for ever", "longer", "shorter", "banned"])
async def test_a_restriction_is_never_made_milder(home: Home, held: str) -> None:
    den = await Den(home).threatened()
    until = {"for ever": 0, "longer": int(time.time()) + 7 * 86_400, "shorter": int(time.time()) + 3600}.get(held, 0)
    if held == "banned":
        den.group.kick(den.eve)
    else:
        den.group.mute(den.eve, until)
    answer = await den.press(den.mo, RESTRICT)
    member = den.group.member(den.eve)
    if held == "shorter":
        assert member.until > until
        assert shows(den, Act.TIMED_OUT)
    else:
        assert refused(answer.text, "banned already" if held == "banned" else "restricted for longer")
        assert (member.status, member.until) == ("kicked" if held == "banned" else "restricted", until)
        assert den.trail() == []
    assert home.telegram.complaints == []


async def test_ban_asks_first(home: Home) -> None:
    telegram, den = home.telegram, await Den(home).threatened()
    first = await den.press(den.mo, BAN)
    assert first.alert
    assert refused(first.text, "Press Ban again", f"/evidence {den.case.id}")
    assert refused((await den.press(den.max, BAN)).text, "Press Ban again"), "each moderator for themselves"
    assert untouched(den)
    assert (await den.press(den.mo, BAN)).text == "They are banned."
    assert den.group.member(den.eve).status == "kicked"
    assert all(message.id in den.group.messages for message in den.written), "the messages stay as evidence"
    assert den.trail() == [(den.mo.id, "banned?"), (den.mo.id, Act.BANNED)]
    assert shows(den, Act.BANNED)
    assert telegram.privates(den.eve) == []
    assert telegram.complaints == []


async def test_delete_asks_first(home: Home) -> None:
    telegram, den = home.telegram, await Den(home).threatened()
    urls = [one["url"] for one in den.alert.entities if one["type"] == "text_link"]
    seen = {int(url.rpartition("/")[2]) for url in urls}
    other = await den.write(den.ann, "what is going on")
    assert refused((await den.press(den.mo, DELETE)).text, "Press again", f"/evidence {den.case.id}")
    assert untouched(den)
    await telegram.remove(den.group.messages[min(seen)])
    assert (await den.press(den.mo, DELETE)).text == "The messages are deleted."
    assert not seen & set(den.group.messages)
    assert {message.id for message in den.written} - seen <= set(den.group.messages)
    assert other.id in den.group.messages
    assert den.trail() == [(den.mo.id, "deleted_messages?"), (den.mo.id, Act.DELETED_MESSAGES)]
    assert shows(den, Act.DELETED_MESSAGES)
    assert telegram.complaints == []


async def test_messages_from_before_a_group_moved_are_not_mistaken_for_others(home: Home) -> None:
    telegram, den = home.telegram, await Den(home, kind="group").threatened()
    moved = await telegram.upgrade(den.group)
    home.public.append(moved)
    await home.settled()
    for _ in range(200):
        moved.new_id()
    others = [await telegram.write(moved, den.ann, f"hello number {number}") for number in range(3)]
    await home.settled()
    numbers = [int(seen.message_id) for seen in home.parts.store.latest_cases(str(moved.id), 1)[0].evidence]
    for number, message in zip(numbers, others, strict=False):
        moved.messages[number] = message
    den.group = moved
    answers = [await home.press(den.mo, den.alert, DELETE) for _ in range(2)] if DELETE in den.alert.labels else []
    assert all(refused(answer.text, "no messages that could be deleted") for answer in answers)
    assert all(message in moved.messages.values() for message in others)
    assert telegram.complaints == []


async def test_all_that_was_done_stands_on_the_alert_and_in_the_trail(home: Home) -> None:
    den = await Den(home).threatened()
    before = den.alert
    for button in (CONFIRM, RESTRICT, DELETE, DELETE, BAN, BAN):
        await den.press(den.mo, button)
    assert den.alert is before
    assert shows(den, Act.CONFIRMED, Act.TIMED_OUT, Act.DELETED_MESSAGES, Act.BANNED)
    assert [act for _, act in den.trail()] == [
        Act.CONFIRMED,
        "timed_out?",
        Act.TIMED_OUT,
        "deleted_messages?",
        Act.DELETED_MESSAGES,
        "banned?",
        Act.BANNED,
    ]
    assert home.telegram.complaints == []


@pytest.mark.parametrize("button", BUTTONS)
async def test_who_is_no_admin_is_refused(home: Home, button: str) -> None:
    telegram, den = home.telegram, await Den(home, advice_by="moderator").threatened()
    joe = telegram.user("Joe")
    den.mods.join(joe, den.sam)
    den.mods.admin(joe)
    den.group.demote(den.max)
    for user in (joe, den.sam, den.max):
        assert refused((await den.press(user, button)).text, "Only admins of the group"), user.name
    assert telegram.privates(den.sam) == []
    assert untouched(den)
    assert telegram.complaints == []


@pytest.mark.parametrize("button", list(NEEDS))
async def test_an_admin_without_the_right_is_refused(home: Home, button: str) -> None:
    den = await Den(home).threatened()
    den.group.admin(den.mo, **without(NEEDS[button]))
    for _ in range(2):
        assert refused((await den.press(den.mo, button)).text, "You need the admin right", NAMED[NEEDS[button]])
    assert untouched(den)
    assert home.telegram.complaints == []


async def test_a_right_that_was_taken_between_two_presses_is_missed(home: Home) -> None:
    den = await Den(home).threatened()
    for button in (BAN, DELETE):
        assert refused((await den.press(den.mo, button)).text, "again")
    den.group.admin(den.mo, can_restrict_members=False, can_delete_messages=False)
    for button in (BAN, DELETE):
        assert refused((await den.press(den.mo, button)).text, "You need the admin right")
    assert untouched(den)
    assert home.telegram.complaints == []


@pytest.mark.parametrize("button", BUTTONS)
async def test_a_moderator_does_not_judge_their_own_case(home: Home, button: str) -> None:
    den = await Den(home, advice_by="moderator").threatened()
    den.group.admin(den.eve)
    den.mods.join(den.eve)
    for _ in range(2):
        assert refused((await den.press(den.eve, button)).text, "This case is about you")
    for command in (f"/evidence {den.case.id}", f"/advise {den.case.id} {den.sam.id}"):
        (answer,) = await den.command(den.eve, command)
        assert refused(answer.text, "This case is about you")
    assert home.telegram.privates(den.sam) == []
    assert untouched(den)
    assert home.telegram.complaints == []


@pytest.mark.parametrize("button", [RESTRICT, BAN])
@pytest.mark.parametrize("rank", ["admin", "owner"])
async def test_admins_are_acted_against_by_the_owner_only(home: Home, button: str, rank: str) -> None:
    den = Den(home)
    await den.threatened(den.owner if rank == "owner" else den.max)
    for _ in range(2):
        assert refused((await den.press(den.mo, button)).text, "an admin of the group")
    assert untouched(den)
    assert home.telegram.complaints == []


@pytest.mark.parametrize("button", [RESTRICT, BAN])
async def test_who_has_left_can_still_be_kept_out(home: Home, button: str) -> None:
    den = await Den(home).threatened()
    den.group.leave(den.eve)
    for _ in range(2 if button == BAN else 1):
        await den.press(den.mo, button)
    assert den.group.member(den.eve).status == ("kicked" if button == BAN else "restricted")
    assert shows(den, Act.BANNED if button == BAN else Act.TIMED_OUT)
    assert home.telegram.complaints == []


@pytest.mark.parametrize("button", list(NEEDS))
@pytest.mark.parametrize("failure", ["right", "refusal", "fault", "cut"])
async def test_what_telegram_did_not_do_is_not_called_done(home: Home, button: str, failure: str) -> None:
    telegram, den = home.telegram, await Den(home).threatened()
    method = {RESTRICT: "restrictChatMember", BAN: "banChatMember", DELETE: "deleteMessages"}[button]
    act = {RESTRICT: Act.TIMED_OUT, BAN: Act.BANNED, DELETE: Act.DELETED_MESSAGES}[button]
    if failure == "right":
        den.group.promote_bot(**{NEEDS[button]: False})
    elif failure == "refusal":
        telegram.fail(method, status=400, description="Bad Request: PARTICIPANT_ID_INVALID")
    else:
        telegram.fail(method, status=0 if failure == "cut" else 502)

    async def press() -> str | None:
        return [await den.press(den.mo, button) for _ in range(1 if button == RESTRICT else 2)][-1].text

    text = await press()
    words = {"right": "so it was not done: does Haven have that admin right?", "refusal": "so it was not done"}
    assert refused(text, words.get(failure, "Telegram had a fault"))
    assert den.trail() == [(den.mo.id, f"{act}?")], "the attempt stands in the trail, and no success"
    assert shows(den)
    assert den.case.acts == ()
    den.group.promote_bot()
    await press()
    assert shows(den, act)
    assert telegram.complaints == []


async def test_basic_groups_have_no_restriction(home: Home) -> None:
    den = await Den(home, kind="group").threatened()
    answer = await den.press(den.mo, RESTRICT)
    assert refused(answer.text, "so it was not done")
    assert "admin right" not in (answer.text or "")
    assert shows(den)
    for _ in range(2):
        await den.press(den.mo, BAN)
    assert shows(den, Act.BANNED)
    assert home.telegram.complaints == []


async def test_a_report_has_no_messages_and_nobody_to_punish(home: Home) -> None:
    den = Den(home)
    question = await home.ask(den.sam, f"/start report_{den.space}")
    await home.ask(den.sam, "somebody does this to me", reply_to=question)
    assert not {RESTRICT, BAN, DELETE} & set(den.alert.labels)
    for act, words in (("timeout", "Nobody is known"), ("ban", "Nobody is known"), ("delete", "no messages")):
        for _ in range(2):
            assert refused((await home.craft(den.mo, den.alert, f"{act}:{den.case.id}")).text, words)
    assert den.trail() == []
    assert home.telegram.complaints == []


@pytest.mark.parametrize("button", BUTTONS)
async def test_a_button_for_a_case_of_another_group_or_none_at_all(home: Home, button: str) -> None:
    den, other = await Den(home, advice_by="moderator").threatened(), await Den(home).threatened()
    other.group.admin(den.mo)
    den.group.admin(other.mo)
    for _ in range(2):
        crafted = await home.craft(other.mo, other.alert, f"{ACTS[button]}:{den.case.id}")
        assert refused(crafted.text, "There is no such case here")
    assert untouched(den)
    assert untouched(other)
    home.parts.store.purge(den.space, datetime.now(UTC) + timedelta(seconds=1))
    assert refused((await den.press(den.mo, button)).text, "There is no such case here")
    assert home.telegram.privates(den.sam) == []
    assert home.telegram.complaints == []


async def test_data_that_haven_did_not_write_is_answered(home: Home) -> None:
    den = await Den(home, advice_by="moderator").threatened()
    for data in (
        *("confirm", "confirm:", "confirm:0123456789", ":", "CONFIRM:{id}", "ban:' OR 1=1 --", "explode:{id}"),
        *("confirm:０１２３", "confirm:{id}:", "confirm: {id}", "\0", "x" * 64),
    ):
        answer = await home.craft(den.mo, den.alert, data.format(id=den.case.id))
        assert refused(answer.text, "no such case here") or refused(answer.text, "another version of Haven"), data
    assert untouched(den)
    assert home.telegram.complaints == []


@pytest.mark.parametrize("act", list(ACTS.values()))
async def test_buttons_of_moderators_do_nothing_in_private_and_in_the_group(home: Home, act: str) -> None:
    telegram, den = home.telegram, await Den(home).threatened()
    (warning,) = telegram.privates(den.sam)
    await den.write(den.ann, "/help")
    await home.settled()
    for user, message in ((den.sam, warning), (den.mo, telegram.sent(den.group)[-1])):
        for _ in range(2):
            answer = await home.craft(user, message, f"{act}:{den.case.id}")
            assert refused(answer.text, "There is no such case here")
    den.written.pop()
    assert untouched(den)
    assert telegram.complaints == []


async def test_buttons_in_a_chat_that_was_unlinked_do_nothing(home: Home) -> None:
    telegram, den = home.telegram, await Den(home).threatened()
    alert, elsewhere = den.alert, telegram.group("Other mods")
    den.choose(alert_channel=str(elsewhere.id))
    assert refused((await home.press(den.mo, alert, CONFIRM)).text, "There is no such case here")
    assert den.case.ruling is None
    assert telegram.complaints == []


@pytest.mark.parametrize("button", [CONFIRM, ADVISE, RESTRICT, BAN, DELETE])
async def test_two_moderators_at_once(home: Home, button: str) -> None:
    telegram, den = home.telegram, await Den(home, advice_by="moderator").threatened()
    alert = den.alert
    if button in (BAN, DELETE):
        await asyncio.gather(*(home.press(user, alert, button) for user in (den.mo, den.max)))
    said = [one.text for one in await asyncio.gather(*(home.press(user, alert, button) for user in (den.mo, den.max)))]
    assert not any("went wrong" in (text or "") for text in said)
    if button == ADVISE:
        assert sorted("on its way" in (text or "") for text in said) == [False, True]
        assert len(telegram.privates(den.sam)) == 1
        assert [act for _, act in den.trail()] == [Act.ADVISED]
    else:
        act = {CONFIRM: Act.CONFIRMED, RESTRICT: Act.TIMED_OUT, BAN: Act.BANNED, DELETE: Act.DELETED_MESSAGES}[button]
        assert shows(den, act), "it stands there once"
        assert {by for by, what in den.trail() if what == act} <= {den.mo.id, den.max.id}
    assert telegram.complaints == []


async def test_the_buttons_work_when_telegram_has_forgotten_the_alert(home: Home) -> None:
    den = await Den(home, advice_by="moderator").threatened()
    for button in (CONFIRM, ADVISE, RESTRICT, BAN, BAN, DELETE, DELETE):
        answer = await den.press(den.mo, button, inaccessible=True)
        assert "version of Haven" not in (answer.text or ""), button
    assert shows(den, Act.CONFIRMED, Act.TIMED_OUT, Act.BANNED, Act.DELETED_MESSAGES)
    await den.press(den.mo, NOTE, inaccessible=True)
    assert "note for case" in den.told[-1].text
    den.answers.append(den.told[-1])
    assert home.telegram.complaints == []


async def test_every_button_works_after_a_restart(home: Home) -> None:
    telegram, den, unclear = home.telegram, await Den(home, advice_by="moderator").threatened(), await lonely(home)
    unclear.ann.started = True
    await den.press(den.mo, NOTE)
    question = den.told[-1]
    den.answers.append(question)
    await home.restart()
    for button, text in (
        (DISMISS, SAID.dismissed),
        (CONFIRM, "Noted as sextortion."),
        (ADVISE, "The private advice is on its way."),
        (RESTRICT, "They cannot write"),
        (DELETE, "Press again"),
        (DELETE, "The messages are deleted."),
        (BAN, "Press Ban again"),
        (BAN, "They are banned."),
    ):
        assert ((await den.press(den.mo, button)).text or "").startswith(text), button
    (kept,) = await den.command(den.mo, "seen before", reply_to=question)
    assert kept.text.startswith("Kept.")
    for _ in range(2):
        await unclear.press(unclear.mo, ADVISE)
    assert len(telegram.privates(den.sam)) == 1
    assert len(telegram.privates(unclear.sam)) + len(telegram.privates(unclear.ann)) == 1
    assert shows(den, Act.CONFIRMED, Act.TIMED_OUT, Act.DELETED_MESSAGES, Act.BANNED, Act.NOTED)
    assert telegram.complaints == []


async def test_a_group_that_became_a_supergroup_keeps_its_case_and_its_settings(home: Home) -> None:
    telegram, den = home.telegram, await Den(home, kind="group").threatened()
    old, alert = den.space, den.alert
    moved: Group = await telegram.upgrade(den.group)
    await home.settled()
    den.group = moved
    home.public.append(moved)
    assert home.parts.store.latest_cases(old, 9) == []
    assert home.parts.policies.of(den.space).alert_channel == str(den.mods.id)
    assert ((await home.press(den.mo, alert, CONFIRM)).text or "").startswith("Noted")
    assert shows(den, Act.CONFIRMED)
    said = (await home.ask(den.mo, f"/start setup_{old}")).text
    assert refused(said, "a supergroup now")
    assert telegram.complaints == []
