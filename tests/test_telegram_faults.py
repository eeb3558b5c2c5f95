"""Haven on a Telegram that fails: connections that break, refused requests, groups that move, hostile names."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from localtelegram.api import Api
from localtelegram.entities import units
from localtelegram.server import LocalTelegram, Message
from telegram_life import PATIENCE, account, living, protect
from telegram_storm import THREAT, Den, Living, den, hurry, listening, nothing_told, until, words

from bot import advice, inbox
from bot.app import open_classifier
from bot.case import Case, Post, view, with_advice, with_target
from bot.config import Config
from bot.effects import Advice, AlertModerators
from bot.parts import Parts
from bot.platforms.telegram_bot import client, leaving
from classifiers.assessment import Evidence, Kind, Level, Marker
from classifiers.classifier import Classifier
from classifiers.conversation import Account
from classifiers.errors import InputError

ROOT = Path(__file__).parents[1]
BECAME = advice.on_alert("en-GB").advice
GUIDANCE = advice.guidance("en-GB", kind=Kind.THREAT, crisis=False).plain()
OWN = {"bold", "spoiler", "code", "text_link"}  # the forms that an alert is written in


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The model that came with Haven."""
    return open_classifier(Config(), Path())


@pytest.fixture
def haven(
    tmp_path: Path, classifier: Classifier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Living:
    """Haven in a group, where the second attempt comes soon after the first."""
    hurry(monkeypatch)
    return lambda **settings: den(tmp_path, classifier, caplog, **settings)


def quotes(there: Den) -> int:
    """Return how many messages the one alert quotes."""
    return sum(one["type"] == "spoiler" for one in joined(there.alert()))


def joined(alert: Message) -> list[dict[str, Any]]:
    return [dict(one) for one in alert.entities]


async def test_a_storm_of_429_delays_and_repeats_nothing(haven: Living) -> None:
    async with haven() as there:
        there.telegram.fail("sendMessage", 2, chat=there.mods)
        there.telegram.fail("sendMessage", chat=there.sam.private)
        there.telegram.fail("editMessageText")
        await there.threaten()
        await there.calm()
        assert not any(failure.times for failure in there.telegram.api.failures)
        assert len(there.posted()) == there.warned() == 1
        assert there.shown() == "was warned in private"


async def test_a_long_429_is_waited_for_and_holds_up_nothing_else(haven: Living) -> None:
    async with haven() as there:
        there.telegram.fail("sendMessage", retry_after=600, chat=there.mods)
        await there.threaten()
        await until(lambda: there.waiting() == ["AlertModerators"])
        assert there.warned() == 1
        assert 590 < there.due() <= 600
        assert there.count("sendMessage", there.mods) == 1
        there.hasten()
        await there.calm()
        assert len(there.posted()) == 1


async def test_no_429_is_waited_for_longer_than_a_day(haven: Living) -> None:
    async with haven() as there:
        there.telegram.fail("sendMessage", retry_after=10**12, chat=there.mods)
        await there.threaten()
        await until(lambda: there.waiting() == ["AlertModerators"] and there.due() > 600)
        assert there.due() <= 86_400
        assert there.warned() == 1


@pytest.mark.parametrize(("status", "times"), [(500, 1), (502, 4), (0, 3)])
async def test_a_failing_telegram_is_asked_until_it_works(haven: Living, status: int, times: int) -> None:
    async with haven() as there:
        there.telegram.fail("sendMessage", times, status, chat=there.mods)
        there.telegram.fail("editMessageText", times, status)
        there.telegram.fail("getChatMember", times, status)
        await there.threaten()
        await there.calm()
        assert not any(failure.times for failure in there.telegram.api.failures)
        assert len(there.posted()) == there.warned() == 1
        assert there.shown() == "was warned in private"


@pytest.mark.parametrize("status", [502, 0])
async def test_an_answer_that_was_lost_is_the_only_reason_to_say_it_again(haven: Living, status: int) -> None:
    async with haven() as there:
        there.telegram.fail("sendMessage", 1, status, after=True, chat=there.mods)
        there.telegram.fail("editMessageText", 2, status, after=True)
        await there.threaten()
        await there.calm()
        assert len(there.posted()) == 2  # Telegram knows no keys by which it could tell
        stale, live = there.posted()
        assert stale.edited is None
        assert "was warned in private" in words(live)
        assert there.count("editMessageText") == 3
        await there.threaten()
        await there.calm()
        assert len(there.posted()) == 2
        assert there.warned() == 1


@pytest.mark.parametrize("status", [502, 0])
@pytest.mark.parametrize("arrived", [True, False])
async def test_a_warning_that_may_have_arrived_is_not_sent_twice(haven: Living, status: int, arrived: bool) -> None:
    async with haven() as there:
        there.telegram.fail("sendMessage", 1, status, after=arrived, chat=there.sam.private)
        await there.threaten()
        await there.calm()
        await there.threaten()
        await there.calm()
        assert there.count("sendMessage", there.sam.private) == 1
        assert there.warned() == arrived
        assert there.shown() == BECAME[Advice.UNKNOWN]
        assert "Send private advice" in there.alert().labels  # a moderator decides


async def test_a_connection_that_is_cut_while_it_waits_loses_and_doubles_nothing(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        await there.telegram.cut()
        await there.threaten(lines=THREAT[2:3])
        await there.telegram.cut()
        await there.threaten(lines=THREAT[3:])
        await there.calm()
        assert quotes(there) == 3
        assert there.warned() == 1
        assert there.said("connection lost")


@pytest.mark.parametrize("status", [502, 0])
async def test_updates_whose_answer_was_lost_come_again_and_count_once(haven: Living, status: int) -> None:
    async with haven() as there:
        there.telegram.fail("getUpdates", 1, status, after=True)
        await there.threaten()
        await there.calm()
        assert quotes(there) == 3
        assert len(there.posted()) == there.warned() == 1


async def test_a_broken_answer_is_asked_for_again_and_stays_out_of_the_log(
    haven: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Api._response
    broken: list[dict[str, Any]] = []

    def break_once(body: dict[str, Any], status: int) -> web.Response:
        if isinstance(body.get("result"), list) and body["result"] and not broken:
            broken.append(body)
            return web.Response(body=json.dumps(body).encode()[:-9], content_type="application/json")
        return answer(body, status)

    monkeypatch.setattr(Api, "_response", staticmethod(break_once))
    async with haven() as there:
        await there.threaten()
        await there.calm()
        assert broken
        assert len(there.posted()) == there.warned() == 1


async def test_an_update_that_nobody_can_read_keeps_none_after_it_from_being_read(haven: Living) -> None:
    async with haven() as there:
        told = len(there.telegram.complaints)
        await there.threaten(lines=THREAT[:2])
        poll = {"id": "1", "question": "a poll of an older Bot API server, without fields that are new", "options": []}
        await there.telegram.write(there.group, there.eve, extra={"poll": poll})
        await there.threaten(lines=THREAT[2:])
        await there.calm()
        del there.telegram.complaints[told:]
        assert quotes(there) == 3
        assert len(there.posted()) == there.warned() == 1
        assert there.said("could not be read") == 1
        assert there.parts.inbox.left_out == {("telegram", "unreadable"): 1}


async def test_another_program_with_the_token_is_told_of_once_and_outlived(haven: Living) -> None:
    async with haven() as there, aiohttp.ClientSession() as session:
        address = f"{there.telegram.base_url}{there.telegram.token}/getUpdates"

        async def poll() -> None:
            while True:
                async with session.post(address, data={"timeout": "1"}) as answer:
                    await answer.read()

        other = asyncio.create_task(poll())
        await until(lambda: sum(one.status == 409 for one in there.telegram.asked("getUpdates")) > 3)
        await there.threaten(lines=THREAT[:2])
        other.cancel()
        await there.threaten(lines=THREAT[2:])
        await there.calm()
        assert there.said("another program reads with this token") == 1
        assert len(there.posted()) == there.warned() == 1


async def test_the_same_update_again_leads_to_nothing(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:2])
        there.telegram.duplicate(2)
        await there.threaten(lines=THREAT[2:])
        there.telegram.duplicate(4)
        await there.calm()
        asked = len(there.telegram.requests)
        there.telegram.duplicate(4)
        await there.calm()
        assert {one.method for one in there.telegram.requests[asked:]} == {"getUpdates"}
        assert len(there.posted()) == there.warned() == 1
        await there.restart()
        there.telegram.duplicate(4)  # as after a kill, before they were confirmed
        await there.calm()
        assert len(there.posted()) == there.warned() == 1


async def test_a_request_that_comes_again_is_answered_once(haven: Living) -> None:
    async with haven() as there:
        await there.telegram.write(there.sam.private, there.sam, "/help")
        there.telegram.duplicate(1)
        await until(there.warned)
        there.telegram.duplicate(1)
        await there.calm()
        await asyncio.sleep(0.05)
        assert there.warned() == 1


async def test_of_edits_that_come_in_disorder_the_latest_stands(haven: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    async with haven() as there:
        now = there.telegram.world.now()
        with there.telegram.reordered():
            for line in THREAT:
                monkeypatch.setattr(type(there.telegram.world), "now", staticmethod(lambda: now))
                message = await there.say(there.eve, "hello Sam", mentions=[there.sam])
                for i, text in enumerate((line, "see you tomorrow then")):
                    monkeypatch.setattr(type(there.telegram.world), "now", staticmethod(lambda i=i: now + i))
                    await there.telegram.edit(message, text)
        await there.calm()
        assert not there.cases()


async def test_the_second_edit_within_a_second_is_read(haven: Living) -> None:
    async with haven() as there:
        for line in THREAT:
            message = await there.say(there.eve, "hello Sam", mentions=[there.sam])
            await there.telegram.edit(message, "hello")
            await there.telegram.edit(message, line)
        await there.calm()
        assert len(there.posted()) == 1


async def test_a_group_that_becomes_a_supergroup_takes_its_open_case_with_it(haven: Living) -> None:
    async with haven(kind="group") as there:
        old = there.group
        await there.threaten()
        await there.calm()
        before = there.alert()
        there.group = await there.telegram.upgrade(old)
        await there.threaten()
        await there.calm()
        assert there.alert() is before
        assert there.warned() == 1
        assert len(there.cases()) == 1
        assert there.parts.store.spaces() == [str(there.group.id)]
        assert there.parts.policies.of(str(there.group.id)).alert_channel == str(there.mods.id)
        assert there.parts.policies.of(str(old.id)).alert_channel is None
        await there.threaten(there.member("Eva"), there.member("Tom"))
        await there.calm()
        assert len(there.posted()) == 2


async def test_what_waits_while_a_group_moves_arrives_after_it(haven: Living) -> None:
    async with haven(kind="group") as there:
        there.telegram.fail("sendMessage", retry_after=600, chat=there.mods)
        await there.threaten()
        await until(lambda: there.waiting() == ["AlertModerators"])
        there.group = await there.telegram.upgrade(there.group)
        await until(lambda: there.parts.store.spaces() == [str(there.group.id)])
        there.hasten()
        await there.calm()
        assert there.shown() == "was warned in private"
        assert "Sender: Eve" in words(there.alert())
        assert there.count("editMessageText") == 1
        assert there.warned() == 1
        links = [one["url"] for one in there.alert().entities if one["type"] == "text_link"]
        assert links == []  # the numbers of old messages are those of others by now


async def test_what_is_written_just_before_a_group_moves_counts(haven: Living) -> None:
    async with haven(kind="group") as there:
        await there.threaten()
        there.group = await there.telegram.upgrade(there.group)
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        assert len(there.posted()) == there.warned() == len(there.cases()) == 1


async def test_after_a_move_no_button_deletes_the_messages_of_others(haven: Living) -> None:
    async with haven(kind="group") as there:
        there.group.promote_bot()
        await there.threaten()
        await there.calm()
        there.group = await there.telegram.upgrade(there.group)
        innocent = [await there.say(there.sam, f"message number {i} of mine") for i in range(9)]
        await there.calm()
        alert = there.alert()
        if "Delete the messages" in alert.labels:
            await there.telegram.press(there.owner, alert, "Delete the messages")
            await there.telegram.press(there.owner, alert, "Delete the messages")
        assert [one for one in innocent if one.id in there.group.messages] == innocent


@pytest.mark.parametrize("told", [True, False])
async def test_the_moderators_chat_may_move_too(haven: Living, told: bool) -> None:
    async with haven(mods_kind="group") as there:
        await there.threaten(lines=THREAT[:3])
        await there.calm()
        assert len(there.posted()) == 1
        there.telegram.fail("editMessageText", retry_after=600)
        there.parts.people.disclaim(account(there.sam), there.cases()[0])
        there.parts.outbox.wake()
        await until(lambda: there.waiting() == ["UpdateAlert"] and there.due() > 100)
        old = there.mods
        if told:
            there.mods = await there.telegram.upgrade(old)
            await until(lambda: there.parts.policies.alerted_in(str(there.mods.id)))
        else:
            with there.telegram._silence():
                there.mods = await there.telegram.upgrade(old)
        there.alerts.append(there.mods)
        there.hasten()
        await there.calm()
        assert "says that it was not about them" in there.shown()
        assert len(there.posted(old)) == 1
        await there.threaten(there.member("Eva"), there.member("Tom"))
        await there.calm()
        assert len(there.posted()) == 2
        assert there.warned() == 1


async def test_a_call_to_a_moderator_follows_the_chat(haven: Living) -> None:
    async with haven(mods_kind="group") as there:
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        assert len(there.posted()) == 1
        protect(there.parts, there.group, there.owner, page_role=str(there.owner.id))
        there.telegram.fail("sendMessage", retry_after=600, chat=there.mods)
        await there.threaten(lines=THREAT[2:])
        await until(lambda: there.waiting() == ["PageModerators"] and there.due() > 100)
        old, there.mods = there.mods, await there.telegram.upgrade(there.mods)
        there.alerts.append(there.mods)
        await until(lambda: there.parts.policies.alerted_in(str(there.mods.id)))
        there.hasten()
        await there.calm()
        (call,) = there.posted()
        assert [one["user"]["id"] for one in call.entities if one["type"] == "text_mention"] == [there.owner.id]
        assert len(there.posted(old)) == 1


async def test_a_moderators_chat_that_haven_is_removed_from_gets_its_alerts_later(haven: Living) -> None:
    async with haven() as there:
        there.mods.remove_bot()
        await there.threaten()
        await there.read()
        await until(lambda: there.waiting() == ["AlertModerators"] and there.due() > 100)
        await there.threaten()
        await there.read()
        await asyncio.sleep(0.3)
        assert there.count("sendMessage", there.mods) <= 1
        assert there.count("getChat", there.mods) <= 1
        assert there.warned() == 1  # nobody waits for the moderators
        there.mods.add_bot()
        await there.calm()
        assert there.shown() == "was warned in private"


async def test_an_alert_is_edited_again_once_haven_is_back(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:3])
        await there.calm()
        there.mods.remove_bot()
        there.parts.people.disclaim(account(there.sam), there.cases()[0])
        there.parts.outbox.wake()
        await until(lambda: there.waiting() == ["UpdateAlert"] and there.due() > 100)
        assert there.count("editMessageText") == 1
        there.mods.add_bot()
        await there.calm()
        assert "not about them" in there.shown()


async def test_a_group_that_haven_is_removed_from_is_not_read_until_it_is_back(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:3])
        await there.calm()
        there.group.remove_bot()
        there.parts.people.disclaim(account(there.sam), there.cases()[0])
        there.parts.outbox.wake()
        await there.calm()
        assert f"Sender: account {there.eve.id}" in words(there.alert())
        there.telegram.privacy = False
        there.group.add_bot()
        await there.threaten()
        await there.calm()
        assert len(there.posted()) == there.warned() == len(there.cases()) == 1


async def test_what_was_chosen_goes_with_the_last_case_of_a_group_that_haven_is_not_in(
    haven: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LOOK_EVERY", 0.02)
    monkeypatch.setattr(leaving, "EVERY", 0.02)
    async with haven() as there:
        space = str(there.group.id)
        await there.threaten()
        await there.calm()
        there.group.remove_bot()
        there.telegram.fail("getChatMember", times=3, status=500)
        asked = there.count("getMe")
        await until(lambda: there.count("getMe") > asked + 5)
        assert there.parts.policies.of(space).alert_channel, "to be added again may be a step of setting up"
        there.parts.store.purge(space, there.parts.clock())
        await until(lambda: there.parts.records.spaces() == [])
        await until(lambda: there.parts.policies.of(space).alert_channel is None)


async def test_an_alert_that_was_deleted_is_posted_anew_once(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:3])
        await there.calm()
        await there.telegram.remove(there.alert())
        there.parts.people.disclaim(account(there.sam), there.cases()[0])
        there.parts.outbox.wake()
        await there.calm()
        assert "not about them" in there.shown()
        await there.threaten()
        await there.calm()
        assert there.alert()
        assert there.count("sendMessage", there.mods) == 2


async def test_later_edits_go_to_the_chat_that_is_linked_by_then(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:3])
        await there.calm()
        old, text = there.alert(), there.alert().text
        other = there.moderators()
        protect(there.parts, there.group, there.owner, alert_channel=str(other.id))
        there.parts.people.disclaim(account(there.sam), there.cases()[0])
        there.parts.outbox.wake()
        await there.calm()
        assert "not about them" in there.shown(chat=other)
        assert there.alert() is old
        assert old.text == text


async def test_where_everybody_can_read_no_alert_is_posted(haven: Living) -> None:
    async with haven() as there:
        there.mods.username = "open_to_all"
        await there.threaten()
        await until(lambda: there.waiting() == ["AlertModerators"] and there.due() > 100)
        assert not there.posted()
        there.mods.username = None
        there.hasten()
        await there.calm()
        assert len(there.posted()) == 1


async def test_a_moderators_chat_that_becomes_public_hears_no_more(haven: Living) -> None:
    async with haven() as there:
        await there.threaten()
        await there.calm()
        text, case = there.alert().text, there.cases()[0]
        there.mods.username = "open_to_all"
        await there.say(there.sam, "i cant do this any more, i want to die")
        await until(lambda: there.said("anybody can read the moderators' chat") == 2)
        assert there.alert().text == text
        for words in ("/cases", "/doctor", f"/case {case}", f"/evidence {case}"):
            await there.say(there.owner, words, there.mods)
        await there.telegram.press(there.owner, there.posted()[0], "Note")
        await until(lambda: len(there.posted()) == 5)
        assert {one.text.partition(":")[0] for one in there.posted()[1:]} == {"Anybody can read this chat"}
        there.mods.username = None
        there.hasten()
        await there.calm()
        assert there.posted()[0].text != text
        assert len(there.posted()) == 6


@pytest.mark.parametrize(
    ("state", "said"),
    [("blocked", "accepts no private messages"), ("deactivated", "cannot be written to")],
)
async def test_somebody_who_cannot_be_written_to_is_shown_on_the_alert(haven: Living, state: str, said: str) -> None:
    async with haven() as there:
        if state == "blocked":
            there.telegram.block(there.sam)
        else:
            there.telegram.deactivate(there.sam)
        await there.threaten()
        await there.calm()
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        assert said in there.shown()
        assert there.count("sendMessage", there.sam.private) == 1  # and is not tried again
        assert there.warned() == 0


@pytest.mark.parametrize("again", [False, True])
async def test_advice_waits_for_somebody_who_has_never_pressed_start(haven: Living, again: bool) -> None:
    async with haven() as there:
        there.sam.started = False
        await there.threaten()
        await there.calm()
        assert "has never opened a chat with Haven" in there.shown()
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        assert there.count("sendMessage", there.sam.private) == 1
        if again:
            await there.restart()
        for _ in range(2):
            await there.telegram.write(there.sam.private, there.sam, "/start")
            await there.calm()
        answers = [one for one in there.telegram.privates(there.sam) if "not_me" in str(one.keyboard)]
        assert len(answers) == 1
        assert there.shown() == "was warned in private"
        assert len(there.posted()) == 1


def harmless(alert: Message) -> None:
    """Check that nothing in an alert is alive but Haven's own forms and links."""
    text = alert.text.encode("utf-16-le")
    for one in alert.entities:
        part = text[2 * one["offset"] :][: 2 * one["length"]].decode("utf-16-le")
        assert one["type"] in OWN or (one["type"] == "url" and part in GUIDANCE), (one, part)
        assert one["type"] != "text_link" or one["url"].startswith("https://t.me/c/")


NAMES = (
    '<b>x</b> <a href="tg://user?id=1">press</a>',
    "tg://user?id=5000000001 https://evil.example",
    "@everyone /ban@haven_test_bot #now",
    "\u202egnp.evil \u2066abc\u2069",
    "😀" * 32 + " " + "👩\u200d👩\u200d👧" * 12,
    "\u3164",
    "\u200b\u2800",
    "&lt;&amp;&#64; %s{}\\",
    "</tg-spoiler></b> x\nCase: none",
    "+447700900123 +44 (7700) 900-123",
)


@pytest.mark.parametrize("name", NAMES)
async def test_a_hostile_name_is_only_a_name(haven: Living, name: str) -> None:
    async with haven() as there:
        eve, sam = there.member(name), there.member(name)
        target = await there.say(sam, "hello all")
        for line in THREAT:
            await there.say(eve, line, reply_to=target)
        await there.calm()
        alert = there.alert()
        harmless(alert)
        assert "\u202e" not in alert.text
        assert units(alert.text) <= 4096
        (sender,) = [line for line in words(alert).splitlines() if line.startswith("Sender: ")]
        assert sender.endswith(f" ({eve.id})")
        if name in ("\u3164", "\u200b\u2800"):
            assert sender == f"Sender: account {eve.id} ({eve.id})"
            assert f"Aimed at: account {sam.id}: was warned in private" in words(alert)
        assert there.warned(sam) == 1


async def test_hostile_words_are_only_words(haven: Living) -> None:
    async with haven() as there:
        evil = (
            "<b>{}</b> </tg-spoiler><a href='tg://user?id=1'>x</a>",
            "@everyone {} &lt;i&gt; https://evil.example/x?y=z",
            "\u202e{} /ban #now $BTC evil.example/pay",
            "+44 7700 900123 4242424242424242 {}\n\ncase 0000000000",
        )
        for form, line in zip(evil, THREAT, strict=True):
            await there.say(there.eve, "Sam " + form.format(line), mentions=[there.sam])
        await there.calm()
        alert = there.alert()
        harmless(alert)
        assert "</tg-spoiler><a href='tg://user?id=1'>x</a>" in words(alert) or "&lt;i&gt;" in words(alert)
        assert "\u202e" not in alert.text
        assert alert.text.count("\ncase ") == 1


SIGNS = ("&", "<", "😀", "@", ".a", "﷽", "x")


async def test_an_alert_is_never_too_long(haven: Living) -> None:
    async with haven() as there:
        people = crowd(there)
        now, space = there.parts.clock(), str(there.group.id)
        for i, sign in enumerate(SIGNS):
            case = Case(
                id=f"{i}123456789",
                space=space,
                channel=space,
                message_id="9",
                kind=Kind.THREAT,
                about=people[0],
                level=Level.ADVISE,
                opened_at=now,
                seen_at=now - timedelta(seconds=1),
                locale="en-GB",
                crisis=True,
                evidence=tuple(
                    Evidence(marker, str(number), 0.9, (sign * 200)[:200], at=now, channel=space)
                    for number, marker in enumerate(Marker, 1)
                ),
                post=Post(),
                page=str(there.owner.id),
            )
            for person in people[1:]:
                case = with_advice(with_target(case, person), person, Advice.UNREACHABLE)
            there.parts.store.record(case, (AlertModerators(view(case)),), now.timestamp())
        there.parts.outbox.wake()
        await there.calm()
        assert len(there.posted()) == len(SIGNS)
        for alert in there.posted():
            assert units(alert.text) <= 4096
            assert alert.text.splitlines()[-1].startswith("case ")
            assert sum(one["type"] == "spoiler" for one in alert.entities) > 0


async def test_a_report_is_shown_whole(haven: Living) -> None:
    async with haven() as there:
        people = crowd(there)
        for i, sign in enumerate(SIGNS):
            space = str(there.group.id)
            text = (sign * 1000)[:1000]
            there.parts.people.report(people[i], text, people[i - 1], space=space, channel=space, key=str(i))
        there.parts.outbox.wake()
        await there.calm()
        assert len(there.posted()) == len(SIGNS)
        for alert in there.posted():
            assert units(alert.text) <= 4096
            assert any((sign * 1000)[:1000] in words(alert) for sign in SIGNS)


def crowd(there: Den) -> list[Account]:
    """Let people with the longest names join."""
    names = ["😀" * 64 + " " + "<&>" * 21, "&" * 64 + " " + "@" * 64]
    return [account(there.member(names[i % 2])) for i in range(15)]


async def started(
    telegram: LocalTelegram, folder: Path, environment: dict[str, str], token: str, settings: str = ""
) -> asyncio.subprocess.Process:
    """Start `haven run` as a process."""
    address = telegram.base_url.removesuffix("/bot")
    (folder / "haven.toml").write_text(f'[telegram]\napi_url = "{address}"\nfile_url = "{address}"\n{settings}')
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "bot", "run",
        cwd=folder, env=environment | {"HAVEN_TELEGRAM_TOKEN": token}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("token", ["7000000001:AAwrong", "nonsense", "7000000001:AA wrong", "7000000001:AA/../x"])
async def test_a_token_that_telegram_refuses_ends_haven_with_one_line(
    environment: dict[str, str], tmp_path: Path, token: str
) -> None:
    async with LocalTelegram() as telegram:
        process = await started(telegram, tmp_path, environment, token)
        _, err = await asyncio.wait_for(process.communicate(), 20)
        (line,) = [one for one in err.decode().splitlines() if not one.startswith("INFO")]
        assert process.returncode == 1
        assert line.startswith("haven: ")
        assert "HAVEN_TELEGRAM_TOKEN" in line
        assert token not in err.decode()
        assert telegram.complaints == []


async def test_a_token_that_is_revoked_ends_haven(
    tmp_path: Path, classifier: Classifier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LOOK_EVERY", 0.05)
    async with LocalTelegram() as telegram:

        async def revoke(_: Parts) -> None:
            telegram.fail("getMe", 1, 502)  # no reason to end
            await until(lambda: len(telegram.asked("getMe")) > 3)
            telegram.token = f"{telegram.token[:-2]}xx"
            await telegram.cut()
            await asyncio.sleep(0.5)

        listening(caplog)
        assert "HAVEN_TELEGRAM_TOKEN" in await fault(telegram, tmp_path, classifier, revoke)
        assert telegram.complaints == []
        nothing_told(telegram, caplog)


async def test_haven_ends_when_nothing_can_be_recorded_any_more(
    tmp_path: Path, classifier: Classifier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "CAPACITY", 5)
    monkeypatch.setattr(client, "_END_SECONDS", 0.5)
    async with LocalTelegram() as telegram:
        group, sam = telegram.group("Den", privacy=False), telegram.user("Sam")
        group.join(sam)

        async def damage(parts: Parts) -> None:
            parts.store.db.conn.execute("DROP TABLE cases")
            for i in range(800):
                await telegram.write(group, sam, f"{THREAT[i % 4]} {i}")
            await asyncio.sleep(1)

        listening(caplog)
        assert "haven.db" in await fault(telegram, tmp_path, classifier, damage)
        assert telegram.complaints == []
        nothing_told(telegram, caplog)


async def fault(
    telegram: LocalTelegram, folder: Path, classifier: Classifier, work: Callable[[Parts], Awaitable[None]]
) -> str:
    """Return with what fault Haven has ended by itself by the end of the work."""
    async with asyncio.timeout(PATIENCE):
        try:
            async with living(telegram, folder, classifier) as parts:
                await work(parts)
        except InputError as error:
            return str(error)
    return ""


async def test_login_is_tried_until_telegram_is_there(haven: Living) -> None:
    def broken(telegram: LocalTelegram) -> None:
        telegram.fail("getMe", 2, 502)
        telegram.fail("getMe", 2, 0)
        telegram.fail("deleteWebhook", 1, 502)

    async with haven(before=broken) as there:
        assert not any(failure.times for failure in there.telegram.api.failures)
        assert there.said("cannot log in") == 4
        await there.threaten()
        await there.calm()
        assert there.warned() == 1


async def test_commands_that_cannot_be_published_keep_nobody_from_being_protected(haven: Living) -> None:
    def limited(telegram: LocalTelegram) -> None:
        telegram.fail("setMyCommands", 9, retry_after=3600)

    async with haven(before=limited) as there:
        await there.threaten()
        await there.calm()
        assert there.warned() == 1
        assert not there.telegram.commands


async def test_haven_ends_cleanly_while_telegram_is_out_of_reach(tmp_path: Path, environment: dict[str, str]) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "haven.toml").write_text(f'[telegram]\napi_url = "{address}"\n')
    token = "7000000001:AAout-of-reach"  # noqa: S105
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "bot", "run",
        cwd=tmp_path, env=environment | {"HAVEN_TELEGRAM_TOKEN": token}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr
    lines: list[str] = []
    async with asyncio.timeout(20):
        while not lines or "cannot log in" not in lines[-1]:
            lines.append((await process.stderr.readline()).decode())
        process.send_signal(signal.SIGTERM)
        lines += (await process.stderr.read()).decode().splitlines()
        assert await process.wait() == 0
    assert "again in 2 s" in "".join(lines)
    assert "Traceback" not in "".join(lines)
    assert token not in "".join(lines)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


async def test_telegram_may_call_haven_instead_of_being_asked(haven: Living) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    async with haven(webhook_url=address, webhook_port=port) as there, aiohttp.ClientSession() as session:
        secret = there.telegram.updates.webhook["secret_token"]
        assert len(secret) > 30
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        eva, tom = there.member("Eva"), there.member("Tom")
        await there.calm()
        update = dict(there.telegram.updates.sent[-1])
        for wrong in (None, "wrong", secret[:-1]):
            for i, line in enumerate(THREAT):
                message = {
                    "message_id": 500 + i, "date": there.telegram.world.now(), "chat": there.group.payload(),
                    "from": eva.payload(), "text": f"Tom {line}",
                    "entities": [{"type": "text_mention", "offset": 0, "length": 3, "user": tom.payload()}],
                }  # fmt: skip
                body = {"update_id": update["update_id"] + 900 + i, "message": message}
                headers = {"X-Telegram-Bot-Api-Secret-Token": wrong} if wrong else {}
                async with session.post(address, json=body, headers=headers) as answer:
                    assert answer.status == 403
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 50000000\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert b"200 OK" not in await reader.read(), "nobody may send as much as they like"
        writer.close()
        await there.calm()
        assert there.warned(tom) == 0
        assert len(there.posted()) <= 1
        await there.threaten(lines=THREAT[2:])
        there.telegram.duplicate(2)
        await there.calm()
        assert len(there.posted()) == there.warned() == len(there.cases()) == 1
        assert there.count("getUpdates") == 0
        await there.restart()
        assert there.telegram.updates.webhook["secret_token"] != secret
        await there.threaten()
        await there.calm()
        assert len(there.posted()) == there.warned() == 1


async def test_a_port_that_is_taken_is_named(tmp_path: Path, environment: dict[str, str]) -> None:
    async with LocalTelegram() as telegram:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            held.listen()
            port = held.getsockname()[1]
            settings = f'webhook_url = "https://127.0.0.1/"\nwebhook_port = {port}\n'
            process = await started(telegram, tmp_path, environment, telegram.token, settings)
            _, err = await asyncio.wait_for(process.communicate(), 20)
        (line,) = [one for one in err.decode().splitlines() if not one.startswith("INFO")]
        assert process.returncode == 1
        assert line == f"haven: telegram: cannot listen on 127.0.0.1:{port}: Address already in use"
        assert telegram.complaints == []


async def test_a_threat_in_a_flood_is_found(haven: Living) -> None:
    async with haven() as there:
        crowd = [there.member(f"Member {i}") for i in range(20)]
        lines = iter(THREAT)
        for i in range(2_000):
            if i in (700, 712, 724, 736):
                await there.threaten(lines=[next(lines)])
            else:
                await there.say(crowd[i % 20], f"who plays at {i % 24} o'clock? i am in")
        await there.calm()
        assert len(there.posted()) == there.warned() == len(there.cases()) == 1


async def test_a_flood_of_requests_holds_up_no_alert_and_no_warning(haven: Living) -> None:
    async with haven() as there:
        mob = [there.member(f"Mob {number}") for number in range(3)]
        for _ in range(80):
            for one in mob:
                await there.telegram.write(one.private, one, "/help")
        await there.telegram.polled()
        await there.threaten()
        await until(lambda: there.warned() and there.posted())
        assert sum(len(there.telegram.privates(one)) for one in mob) < 150, "they wait, and others do not"
        await until(lambda: sum(len(there.telegram.privates(one)) for one in mob) == 240)


async def test_what_was_fetched_is_decided_on_before_the_end(haven: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "CAPACITY", 5)
    async with haven() as there:
        tom = there.member("Tom")
        await there.calm()
        await there.threaten()
        begun = there.parts
        with begun.guard._lock:  # nothing more is read before Haven is told to stop
            for i in range(400):
                await there.say(there.sam, f"lovely weather here, {i} degrees")
            await there.threaten(there.member("Eva"), tom)
            await until(lambda: begun.inbox.at_the_door)
            stopping = asyncio.create_task(there.stop())
            await asyncio.sleep(0.05)
        await stopping
        assert begun.inbox.waiting == 0
        assert len(there.posted()) == there.warned() == 1
        fetched = there.telegram.updates.pending[0]["update_id"] if there.telegram.updates.pending else None
        assert fetched  # what was not fetched is still there
        await there.restart()
        await there.calm()
        assert len(there.posted()) == 2
        assert there.warned(tom) == there.warned() == 1


async def test_an_answer_that_is_being_written_is_sent_before_the_end(haven: Living) -> None:
    async with haven() as there:
        await there.telegram.write(there.sam.private, there.sam, f"/check {THREAT[3]}")
        await there.telegram.write(there.sam.private, there.sam, "/help")
        await there.telegram.polled()
        await there.stop()
        assert there.warned() == 2
