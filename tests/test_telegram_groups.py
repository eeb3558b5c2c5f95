"""Haven in groups on Telegram: what it reads, whom it answers where, its settings, and the moderators' chat."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from localtelegram.server import Message, User
from telegram_den import (
    SAID,
    THREAT,
    Den,
    Home,
    lonely,
    one_home,
    refused,
    shows,
    title,
    until,
    untouched,
    watched,
)
from telegram_life import account

from bot.app import open_classifier
from bot.config import Config
from bot.effects import Act, Advice, Ruling
from bot.evidence import trouble
from bot.platforms.telegram_bot import setup
from bot.policy import AdviceBy, Mode
from classifiers.assessment import Kind, Sensitivity
from classifiers.classifier import Classifier
from classifiers.conversation import Account

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIRM, DISMISS, ADVISE, NOTE = "Confirm", "Not sextortion", "Send private advice", "Note"
RESTRICT, BAN, DELETE = "Restrict for 24 hours", "Ban", "Delete the messages"
BUTTONS = [CONFIRM, DISMISS, ADVISE, NOTE, RESTRICT, BAN, DELETE]
ACTS = {CONFIRM: "confirm", DISMISS: "dismiss", ADVISE: "advise", NOTE: "note", RESTRICT: "timeout", BAN: "ban"}
ACTS |= {DELETE: "delete"}
NEEDS = {RESTRICT: "can_restrict_members", BAN: "can_restrict_members", DELETE: "can_delete_messages"}
NAMED = {"can_restrict_members": "“Ban users”", "can_delete_messages": "“Delete messages”"}
COMMANDS = ("help", "check", "protect", "privacy", "language", "start", "report", "setup", "doctor")
NEUTRAL = "I answer in private:"
WARNING = "A private message from Haven"
CODE = re.compile(r"/link [0-9a-f]{8}")


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


# Reading


@pytest.mark.parametrize(
    "how", ["reply", "mention", "text mention", "emoji", "caption", "edit", "topic", "basic group", "reply in a topic"]
)
async def test_who_is_aimed_at_is_known(home: Home, how: str) -> None:
    telegram, den = (
        home.telegram,
        Den(home, kind="group" if how == "basic group" else "supergroup", forum="topic" in how),
    )
    where: dict[str, Any] = {"topic": den.group.topic("games", by=den.ann)} if den.group.forum else {}
    hello = await den.write(den.sam, "hi, anybody here to play?", **where)
    await den.write(den.ann, "not today", **where)
    for line in THREAT:
        if how in ("reply", "basic group", "reply in a topic"):
            await den.write(den.eve, line, reply_to=hello, **where)
        elif how == "mention":
            await den.write(den.eve, f"{line} @{den.sam.username}")
        elif how == "emoji":
            await den.write(den.eve, f"😀👨‍👩‍👧 @{str(den.sam.username).upper()} 𝓱𝓲 {line}")
        elif how == "caption":
            await den.write(den.eve, photo_caption=f"😀 @{den.sam.username} {line}")
        elif how == "edit":
            await telegram.edit(await den.write(den.eve, "hello hello", reply_to=hello), line)
        else:
            await den.write(den.eve, f"{den.sam.name} {line}", mentions=[den.sam], **where)
    await home.settled()
    assert den.case.about == account(den.eve)
    assert [target.account for target in den.case.targets] == [account(den.sam)]
    assert [title(message) for message in telegram.privates(den.sam)] == [WARNING]
    assert telegram.privates(den.eve) == telegram.privates(den.ann) == []
    assert f"Sender: {den.eve.name} ({den.eve.id})" in den.alert.text
    assert telegram.complaints == []


async def test_a_threat_is_aimed_at_whom_it_answers_and_not_at_whom_it_names_besides(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    await den.write(den.ann, "hi everybody")
    stop = await den.write(den.sam, "please stop")
    for line in THREAT:
        await den.write(den.eve, f"{line}, and to {den.ann.name}", mentions=[den.ann], reply_to=stop)
    await home.settled()
    assert [target.account for target in den.case.targets if target.advice is Advice.DELIVERED] == [account(den.sam)]
    assert [title(message) for message in telegram.privates(den.sam)] == [WARNING]
    assert telegram.privates(den.ann) == []
    assert telegram.complaints == []


async def test_the_links_of_an_alert_lead_to_the_messages(home: Home) -> None:
    telegram, den, basic = home.telegram, Den(home, forum=True), Den(home, kind="group")
    await den.threatened()
    await basic.threatened()
    urls = [one["url"] for one in den.alert.entities if one["type"] == "text_link"]
    topic = den.written[0].topic
    inside = str(den.group.id).removeprefix("-100")
    known = {f"https://t.me/c/{inside}/{topic}/{message.id}" for message in den.written}
    assert len(urls) >= 2
    assert set(urls) <= known
    assert [one for one in basic.alert.entities if one["type"] == "text_link"] == [], "basic groups have no addresses"
    assert telegram.complaints == []


@pytest.mark.parametrize(
    "how", ["blockquote", "expandable", "quote", "external", "forward", "hidden", "channel", "caption"]
)
async def test_what_is_shown_is_not_blamed_on_who_shows_it(home: Home, how: str) -> None:
    telegram, den = home.telegram, Den(home)
    elsewhere = telegram.group("Elsewhere", bot=False)
    elsewhere.join(den.eve)
    news = telegram.channel("News", bot=False)
    asked = await den.write(den.sam, "what did he write?")
    for line in THREAT:
        more: dict[str, Any] = {}
        if how in ("blockquote", "expandable"):
            tag = "blockquote expandable" if how == "expandable" else "blockquote"
            more = {"text": f"😀 look:\n<{tag}>{line} 😀</blockquote>\nis that ok?", "html": True, "reply_to": asked}
        elif how == "quote":
            said = await telegram.write(den.group, den.max, f"{line} haha", as_chat=den.group)
            more = {"text": "did you see that?", "reply_to": said, "quote": line}
        elif how == "external":
            said = await telegram.write(elsewhere, den.eve, line)
            more = {"text": "did you see that?", "reply_to": said}
        elif how == "caption":
            more = {"photo_caption": line, "forward_of": den.eve}
        else:
            more = {"text": line, "forward_of": {"forward": den.eve, "hidden": "Eve", "channel": news}[how]}
        await den.write(den.ann, **more)
    await home.settled()
    assert [case for case in den.cases if case.about == account(den.ann) and case.kind is Kind.THREAT] == []
    assert den.told == []
    assert telegram.privates(den.sam) == telegram.privates(den.ann) == []
    assert telegram.complaints == []


@pytest.mark.parametrize("how", ["via a bot", "own forward", "poll", "checklist", "venue", "contact"])
async def test_no_way_of_writing_hides_a_threat(home: Home, how: str) -> None:
    telegram, den = home.telegram, Den(home)
    robot = telegram.user("Robot", "robot_bot", bot=True)
    hello = await den.write(den.sam, "hi all")
    for line in THREAT:
        option = {"text": "ok", "voter_count": 0, "persistent_id": "1"}
        poll: dict[str, Any] = dict.fromkeys(
            ("is_closed", "is_anonymous", "allows_multiple_answers", "allows_revoting"), False
        )
        poll |= {"id": "1", "question": line, "options": [option, option | {"persistent_id": "2"}]}
        poll |= {"total_voter_count": 0, "type": "regular", "members_only": False}
        place = {"location": {"longitude": 1.0, "latitude": 1.0}, "title": line, "address": "here"}
        extra: dict[str, Any] = {
            "poll": {"poll": poll},
            "checklist": {"checklist": {"title": line, "tasks": [{"id": 1, "text": "pay"}]}},
            "venue": {"venue": place, "location": place["location"]},
            "contact": {"contact": {"phone_number": "1", "first_name": "Me", "last_name": line}},
            "via a bot": {"via_bot": robot.payload()},
        }
        text = line if how in ("via a bot", "own forward") else ""
        forward = den.eve if how == "own forward" else None
        await den.write(den.eve, text, reply_to=hello, forward_of=forward, extra=extra.get(how))
    await home.settled()
    assert den.case.about == account(den.eve)
    assert len(telegram.privates(den.sam)) == 1
    assert telegram.complaints == []


async def test_who_writes_as_a_channel_of_theirs_is_read_and_never_written_to(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    news = telegram.channel("Eve's <news>", bot=True)
    await den.write(den.sam, "hi all")
    for line in THREAT:
        await den.write(None, f"{den.sam.name} {line}", mentions=[den.sam], as_chat=news)
    await home.settled()
    assert den.case.about == Account("telegram", str(news.id))
    assert f"Sender: Eve's <news> ({news.id})" in den.alert.text
    assert len(telegram.privates(den.sam)) == 1
    for button in ("Restrict for 24 hours", "Ban"):
        assert refused((await den.press(den.owner, button)).text, "they wrote as a channel".capitalize())
    other = Den(home)
    await other.write(None, "hi all", as_chat=news)
    for line in THREAT:
        await other.write(other.eve, line)
    await home.settled()
    assert "Aimed at: Eve's <news>: cannot be written to" in other.alert.text
    assert telegram.sent(news) == [], "others read there"
    assert telegram.complaints == []


@pytest.mark.parametrize("why", ["never wrote", "has it anew", "is a bot"])
async def test_who_has_an_unknown_name_is_none_of_the_others(home: Home, why: str) -> None:
    telegram, den = home.telegram, Den(home)
    name, robot = "bobby_bob", telegram.user("Robot", f"robot_of_{den.space[1:]}", bot=True)
    await den.write(den.sam, "hi all", reply_to=None)
    if why == "has it anew":
        name, den.sam.username = str(den.sam.username), "sam_anew"
        await den.write(den.sam, "like my new name?")
    elif why == "is a bot":
        name = str(robot.username)
        den.group.join(robot)
        telegram.world.bots_hear_bots = True
        await den.write(den.sam, "ok bot", reply_to=await den.write(robot, "beep"))
        telegram.world.bots_hear_bots = False
    for line in THREAT:
        await den.write(den.eve, f"@{name} {line}")
    await home.settled()
    assert telegram.privates(den.sam) == []
    assert "Aimed at: account unknown: cannot be written to" in den.alert.text
    assert telegram.complaints == []


@pytest.mark.parametrize("who", ["anonymous", "post", "auto-forward", "bot"])
async def test_who_is_no_member_is_not_read(home: Home, who: str) -> None:
    telegram, den = home.telegram, Den(home)
    news = telegram.channel("News", linked=den.group if who == "auto-forward" else None)
    robot = telegram.user("Robot", "robot_bot", bot=True)
    den.group.join(robot)
    telegram.world.bots_hear_bots = True
    hello = await den.write(den.sam, "hi all")
    for line in THREAT:
        text = f"{den.sam.name} {line}"
        if who in ("post", "auto-forward"):
            await telegram.write(news, None, line)
        else:
            as_chat = den.group if who == "anonymous" else None
            author = robot if who == "bot" else den.mo
            await den.write(author, text, mentions=[den.sam], reply_to=hello, as_chat=as_chat)
    await home.settled()
    telegram.world.bots_hear_bots = False
    assert den.cases == home.parts.store.latest_cases(str(news.id), 9) == []
    assert den.told == []
    await den.threatened()
    assert [case.about for case in den.cases] == [account(den.eve)], "a member who writes the same is read"
    assert telegram.complaints == []


async def test_the_maker_of_a_topic_is_not_aimed_at_by_all_that_stands_in_it(home: Home) -> None:
    den = Den(home, forum=True)
    topic = den.group.topic("games", by=den.sam)
    for line in THREAT:
        await den.write(den.eve, line, topic=topic)
    await home.settled()
    assert den.case.targets == ()
    assert home.telegram.privates(den.sam) == []
    assert home.telegram.complaints == []


async def test_topics_are_conversations_of_their_own(home: Home) -> None:
    den = Den(home, forum=True)
    topics = [den.group.topic(name) for name in "abcd"]
    for topic, line in zip(topics, (THREAT[0], "hello", THREAT[2], "hello"), strict=True):
        await den.write(den.eve, line, topic=topic)
    await home.settled()
    assert den.told == []
    assert home.telegram.complaints == []


async def test_updates_that_come_twice_count_once(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    await den.write(den.sam, "/help")
    await home.settled()
    telegram.duplicate(1)
    await den.threatened()
    telegram.duplicate(8)
    await home.settled()
    telegram.duplicate(4)
    await home.settled()
    assert len(telegram.sent(den.group)) == len(den.told) == len(telegram.privates(den.sam)) == 1
    assert telegram.complaints == []


async def test_of_edits_out_of_order_the_latest_stands(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    telegram, den = home.telegram, Den(home)
    hello = await den.write(den.sam, "hi all")
    written = [await den.write(den.eve, "hello hello", reply_to=hello) for _ in THREAT]
    await home.settled()
    start = int(time.time())
    with telegram.reordered():
        for message, line in zip(written, THREAT, strict=True):
            monkeypatch.setattr(telegram.world, "now", lambda: start + 10)
            await telegram.edit(message, line)
            monkeypatch.setattr(telegram.world, "now", lambda: start + 20)
            await telegram.edit(message, "i was only joking around")
    await home.settled()
    assert den.cases == [], "what was written over before Haven saw it is not read in place of what stands"
    for message, line in zip(written, THREAT, strict=True):
        await telegram.edit(message, f"{line} ")
        await telegram.edit(message, f"{line}!")
    await home.settled()
    assert den.case.about == account(den.eve), "two edits within a second are both read"
    monkeypatch.undo()
    assert telegram.complaints == []


async def test_the_moderators_chat_is_not_read(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    den.mods.promote_bot()
    await telegram.write(den.mods, den.max, "hi")
    for line in THREAT:
        await telegram.write(den.mods, den.mo, f"{den.max.name} {line}", mentions=[den.max])
    await home.settled()
    assert home.parts.store.latest_cases(str(den.mods.id), 9) == []
    assert home.parts.records.seen_at(str(den.mods.id)) is None
    assert den.told == []
    assert telegram.complaints == []


async def test_a_protected_group_is_read_also_where_alerts_of_another_come(home: Home) -> None:
    other, den = Den(home), Den(home)
    other.choose(alert_channel=den.space)  # as an owner can write into the settings file
    await den.threatened()
    assert title(den.alert).startswith("Looks like sextortion")
    assert home.telegram.complaints == []


async def test_before_it_is_set_up_a_group_is_only_observed(home: Home) -> None:
    telegram, den = home.telegram, Den(home, set_up=False)
    await den.threatened()
    assert den.case.about == account(den.eve)
    assert den.told == telegram.privates(den.sam) == telegram.sent(den.group) == []
    assert telegram.complaints == []


async def test_a_hostile_name_and_hostile_words_are_only_shown(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    den.eve.name, den.eve.last_name = "<a href='https://evil.example'>", f"@everyone\n@{den.mo.username} 😈‮&amp;"
    for line in THREAT:
        text = f"{den.sam.name} {line} </tg-spoiler><b>@{den.mo.username}</b> https://evil.example 𝓹𝓪𝔂😈😈😈😈"
        await den.write(den.eve, text, mentions=[den.sam])
    await home.settled()
    kinds = {one["type"] for one in den.alert.entities}
    assert kinds <= {"bold", "code", "spoiler", "text_link", "url"}, "nobody is called"
    assert "evil.example" not in "".join(one.get("url", "") for one in den.alert.entities)
    assert f"({den.eve.id})" in den.alert.text
    assert telegram.complaints == []


async def test_an_alert_of_many_targets_and_long_lines_arrives(home: Home) -> None:
    telegram, den = home.telegram, Den(home, forum=True)
    den.eve.last_name = "😈" * 60
    people = [telegram.user(f"Pat{number}", f"patricia_{number}") for number in range(20)]
    den.group.join(*people)
    for user in people:
        user.last_name = "🙂" * 60
        await den.threatened(target=user, after=f" {'😈' * 200}")
    assert len(den.case.targets) == len(people)
    assert title(den.alert).startswith("Looks like sextortion")
    assert den.case.id in den.alert.text
    assert len(den.alert.text.encode("utf-16-le")) // 2 <= 4096
    assert telegram.complaints == []


# Commands in groups


@pytest.mark.parametrize("forum", [False, True])
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_is_answered_with_one_neutral_line_and_removed(home: Home, command: str, forum: bool) -> None:
    telegram, den = home.telegram, Den(home, forum=forum)
    where: dict[str, Any] = {"topic": den.group.topic("games")} if forum else {}
    await den.write(den.ann, "hi", **where)
    since = len(telegram.requests)
    name = "@haven_test_bot" if forum else ""
    typed = await den.write(den.sam, f"/{command}{name}", **where)
    await home.settled()
    (line,) = telegram.sent(den.group)
    assert line.text == NEUTRAL
    assert line.reply_to is None, "it does not point at who asked"
    assert line.topic == where.get("topic")
    assert typed.id not in den.group.messages
    (button,) = line.buttons
    payload = f"{command}_{den.space}" if command in ("report", "setup", "doctor") else "help"
    assert button == {"text": "Open", "url": f"https://t.me/haven_test_bot?start={payload}"}
    assert telegram.privates(den.sam) == []
    assert [one.method for one in telegram.requests[since:] if one.method != "getUpdates"] == [
        "deleteMessage",
        "sendMessage",
    ]
    await telegram.follow(den.sam, line, "Open")
    await until(lambda: telegram.privates(den.sam))
    assert telegram.complaints == []


@pytest.mark.parametrize("rights", ["member", "no right to delete", "muted"])
async def test_where_haven_may_not_delete_the_command_stays(home: Home, rights: str) -> None:
    telegram, den = home.telegram, Den(home, rights={"can_delete_messages": False})
    if rights == "member":
        den.group.demote_bot()
    elif rights == "muted":
        den.group.demote_bot()
        den.group.mute(telegram.bot)
    typed = await den.write(den.sam, "/check someone threatens me")
    await home.settled()
    assert den.group.messages[typed.id] is typed
    assert [line.text for line in telegram.sent(den.group)] == [] if rights == "muted" else [NEUTRAL]
    assert telegram.complaints == []


@pytest.mark.parametrize(
    "text", ["/help@other_bot", "/cases", "/case 1", "/evidence 0123456789", "/unknown", "/ban Eve", "help"]
)
async def test_other_commands_are_ignored(home: Home, text: str) -> None:
    telegram, den = home.telegram, Den(home)
    typed = await den.write(den.mo, text)
    await home.settled()
    assert telegram.sent(den.group) == []
    assert typed.id in den.group.messages
    assert telegram.complaints == []


async def test_what_is_no_request_gets_no_answer(home: Home) -> None:
    telegram, den = home.telegram, Den(home, set_up=False)
    first = await den.write(den.sam, "hello")
    await telegram.edit(first, "/help")
    await den.write(den.sam, "/help", forward_of=den.eve)
    await den.write(den.sam, photo_caption="/help")
    news = telegram.channel("News", linked=den.group)
    await telegram.write(news, None, "/help")
    await home.settled()
    assert telegram.sent(den.group) == []
    assert telegram.asked("deleteMessage", den.group) == []
    assert telegram.complaints == []


@pytest.mark.parametrize("start", ["/x ", "/ban ", "/help ", "/start ", "/protect ", "/link ", "/help@other_bot "])
async def test_no_command_hides_a_threat(home: Home, start: str) -> None:
    telegram, den = home.telegram, Den(home)
    for line in THREAT:
        await den.write(den.eve, f"{start}{den.sam.name} {line}", mentions=[den.sam])
    await home.settled()
    assert den.case.about == account(den.eve)
    assert len(telegram.privates(den.sam)) == 1
    assert all(message.id in den.group.messages for message in den.written), "Haven removes no evidence by itself"
    assert telegram.complaints == []


async def test_what_is_pasted_into_a_command_is_not_read_as_ones_own(home: Home) -> None:
    den = Den(home, rights={"can_delete_messages": False})
    for line in THREAT:
        typed = await den.write(den.sam, f"/check {line}")
        await home.telegram.edit(typed, f"/check {line}!")
    await home.settled()
    assert den.cases == []
    assert home.telegram.complaints == []


@pytest.mark.parametrize(
    "data", ["help:over_18", "export", "delete_mine", "set:days::{space}", "set:mode:observe:{space}"]
)
async def test_buttons_that_somebody_made_up_post_nothing_in_a_group(home: Home, data: str) -> None:
    telegram, den = home.telegram, Den(home)
    await den.write(den.ann, "/help")
    await home.settled()
    (line,) = telegram.sent(den.group)
    for user in (den.eve, den.mo):
        answer = await home.craft(user, line, data.format(space=den.space))
        assert refused(answer.text, "another version of Haven")
    assert telegram.sent(den.group) == [line]
    assert line.text == NEUTRAL
    assert home.parts.policies.of(den.space).mode is Mode.ADVISE
    assert telegram.complaints == []


# Settings


async def page(home: Home, den: Den, user: User) -> Message:
    """Type /setup in the group, follow the link, and return the answer."""
    await den.write(user, "/setup")
    await home.settled()
    line = home.telegram.sent(den.group)[-1]
    before = len(home.telegram.privates(user))
    await home.telegram.follow(user, line, "Open")
    await home.settled()
    (shown,) = home.telegram.privates(user)[before:]
    return shown


async def test_setup_offers_every_choice_to_an_admin(home: Home) -> None:
    den = Den(home, set_up=False)
    shown = await page(home, den, den.mo)
    assert title(shown) == f"Haven in {den.group.title}"
    assert "only observes until a moderators' chat is linked" in shown.text
    assert "Telegram's rules forbid bots to write to people who did not ask for it" in shown.text
    den.choose(alert_channel=str(den.mods.id))
    chosen: list[tuple[str, str, object, str, object]] = [
        ("Observe", "mode", "observe", "mode", Mode.OBSERVE),
        ("Alert", "mode", "alert", "mode", Mode.ALERT),
        ("Alert and warn", "mode", "advise", "mode", Mode.ADVISE),
        ("Moderator warns", "advice_by", "moderator", "advice_by", AdviceBy.MODERATOR),
        ("Only who said yes", "advice_by", "opted-in", "advice_by", AdviceBy.OPTED_IN),
        ("Haven warns", "advice_by", "automatic", "advice_by", AdviceBy.AUTOMATIC),
        ("Low", "sensitivity", "low", "sensitivity", Sensitivity.LOW),
        ("Normal", "sensitivity", "normal", "sensitivity", Sensitivity.NORMAL),
        ("High", "sensitivity", "high", "sensitivity", Sensitivity.HIGH),
        ("Call me when it cannot wait", "page_role", den.mo.id, "page", str(den.mo.id)),
        ("Call nobody", "page_role", "", "page", None),
    ]
    for label, key, value, field, wanted in chosen:
        button = next(one for one in shown.labels if one.removeprefix("● ") == label)
        assert (await home.press(den.mo, shown, button)).text == "Kept.", label
        assert getattr(home.parts.policies.of(den.space), field) == wanted, label
        last = home.parts.records.trail(den.space)[-1]
        assert (last.actor, last.act, last.note) == (account(den.mo), "set_up", f"{key} = {value}")
    marked = [label for label in shown.labels if label.startswith("● ")]
    assert marked == ["● Alert and warn", "● Haven warns", "● High"]
    assert len(home.telegram.privates(den.mo)) == 1, "the page is edited in place"
    again = await home.press(den.mo, shown, "● High")
    assert again.text == "Kept.", "nothing changed is no fault"
    await home.restart()
    assert home.parts.policies.of(den.space).sensitivity is Sensitivity.HIGH
    assert "High" in "".join((await page(home, den, den.max)).labels)
    await home.press(den.max, home.telegram.privates(den.max)[-1], "Low")
    assert home.parts.policies.of(den.space).sensitivity is Sensitivity.LOW
    assert home.telegram.complaints == []


async def test_setup_is_for_admins_with_the_right(home: Home) -> None:
    den = Den(home)
    answer = await page(home, den, den.sam)
    assert refused(answer.text, "Only admins of the group")
    shown = await page(home, den, den.mo)
    before = home.parts.records.settings(den.space)
    den.group.admin(den.mo, can_change_info=False)
    for button in (label for label in shown.labels if not label.startswith("● ")):
        answer_to_press = await home.press(den.mo, shown, button)
        assert refused(answer_to_press.text, "“Change group info”"), button
    den.group.demote(den.mo)
    assert refused((await home.press(den.mo, shown, "Observe")).text, "Only admins")
    assert refused((await home.craft(den.eve, shown_to(home, den.eve), f"set:mode:observe:{den.space}")).text, "admins")
    assert home.parts.records.settings(den.space) == before
    assert home.telegram.complaints == []


def shown_to(home: Home, user: User) -> Message:
    """Return a message of Haven's in the private chat of somebody."""
    chat, user.started = user.private, True
    made = Message(chat, chat.new_id(), home.telegram.bot, int(time.time()), "x", by_bot=True)
    chat.messages[made.id] = made
    return made


@pytest.mark.parametrize(
    "data",
    [
        "set:",
        "set:mode",
        "set:mode:explode:{s}",
        "set:locale:en-GB:{s}",
        "set:mode:observe:x",
        "set:mode:observe:{s}:",
        "set::::",
    ],
)
async def test_settings_that_haven_did_not_offer_are_answered(home: Home, data: str) -> None:
    den = Den(home)
    before = home.parts.records.settings(den.space)
    answer = await home.craft(den.mo, shown_to(home, den.mo), data.format(s=den.space))
    if not data.endswith(":{s}:"):
        assert refused(answer.text, "another version of Haven")
        assert home.parts.records.settings(den.space) == before
    for wrong in ("setup_", "setup_1", "setup_-1x", "setup_-12345", "doctor_", "doctor_-12345", "setup_--"):
        said = (await home.ask(den.mo, f"/start {wrong}")).text
        assert refused(said, "not one of Haven's") or refused(said, "is Haven still there?"), wrong
    assert home.telegram.complaints == []


async def code_for(home: Home, den: Den, user: User) -> str:
    """Press the button that gives a code, and return the command to type."""
    shown = await page(home, den, user)
    answer = await home.page(user, shown, "Link the moderators' chat")
    (command,) = CODE.findall(answer.text)
    assert [one["type"] for one in answer.entities if one["type"] == "code"], "it can be copied with one tap"
    return str(command)


async def test_link_makes_the_chat_the_moderators_own(home: Home) -> None:
    telegram, den = home.telegram, Den(home, set_up=False)
    den.mods.admin(den.mo)
    command = await code_for(home, den, den.mo)
    (answer,) = await den.command(den.mo, command)
    assert answer.text.startswith("Done: Haven now protects the group")
    assert home.parts.policies.of(den.space).alert_channel == str(den.mods.id)
    assert home.parts.policies.of(den.space).mode is Mode.ADVISE
    last = home.parts.records.trail(den.space)[-1]
    assert (last.actor, last.note) == (account(den.mo), f"alert_channel = {den.mods.id}")
    assert f"Moderators' chat: {den.mods.title}" in (await page(home, den, den.mo)).text
    await home.restart()
    await den.threatened()
    assert title(den.alert).startswith("Looks like sextortion")
    before = len(telegram.privates(den.mo))
    assert await den.command(den.mo, command) == [], "a code works once"
    await until(lambda: len(telegram.privates(den.mo)) > before)
    assert refused(telegram.privates(den.mo)[-1].text, "not valid (any more)")
    assert telegram.complaints == []


async def test_alerts_are_taken_elsewhere_by_nobody_unseen(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    await den.threatened()
    den.group.admin(den.eve)
    theirs = telegram.group("Theirs", owner=den.eve)
    await telegram.write(theirs, den.eve, await code_for(home, den, den.eve))
    await home.settled()
    assert den.told[-1].text == (
        f"Alerts of {den.group.title} come in another chat from now on. Account {den.eve.id} linked it."
    )
    await telegram.write(theirs, den.eve, f"/case {den.case.id}")
    await home.settled()
    assert refused(telegram.sent(theirs)[-1].text, "This case is about you")
    assert telegram.complaints == []


@pytest.mark.parametrize(
    "wrong",
    [
        *("person", "expired", "public", "itself", "another protected", "alerts of another", "not admin there"),
        *("not admin here", "no right there", "code"),
    ],
)
async def test_a_link_that_is_refused_is_told_in_private(
    home: Home, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram, den, other = home.telegram, Den(home, set_up=False), Den(home)
    chat, user = den.mods, den.mo
    if wrong != "not admin there":
        den.mods.admin(den.mo)
    den.mods.admin(den.max)
    if wrong == "expired":
        monkeypatch.setattr(setup, "_MINUTES", 0)
    command = await code_for(home, den, den.mo)
    if wrong == "person":
        user = den.max
        user.started = True
    elif wrong == "public":
        chat = telegram.group("Open", username=f"open_{-den.group.id}")
        chat.admin(den.mo)
    elif wrong == "itself":
        chat = den.group
    elif wrong == "another protected":
        chat = other.group
        chat.admin(den.mo)
    elif wrong == "alerts of another":
        other.choose(alert_channel=den.space)
    elif wrong == "no right there":
        den.mods.admin(den.mo, can_change_info=False)
    elif wrong == "not admin here":
        den.group.demote(den.mo)
    elif wrong == "code":
        command = "/link 00000000"
    before = len(telegram.privates(user))
    await telegram.write(chat, user, command)
    await home.settled()
    assert home.parts.policies.of(den.space).alert_channel is None
    assert telegram.sent(chat) == [line for line in telegram.sent(chat) if line.text == NEUTRAL]
    (answer,) = telegram.privates(user)[before:]
    words = {"public": "private group", "itself": "that is protected", "another protected": "that is protected"}
    words |= {"not admin there": "Only admins", "not admin here": "Only admins"}
    words |= {"alerts of another": "Alerts of another group come", "no right there": "Change group info"}
    assert refused(answer.text, words.get(wrong, "not valid (any more)"))
    if wrong in ("person", "public", "itself", "another protected"):
        await telegram.write(den.mods, den.mo, command)
        await home.settled()
        assert home.parts.policies.of(den.space).alert_channel == str(den.mods.id), "it still works where it may"
    assert telegram.complaints == []


async def test_days_are_chosen_by_an_answer(home: Home) -> None:
    den = Den(home)
    shown = await page(home, den, den.mo)
    question = await home.page(den.mo, shown, "Days that cases are kept")
    for text in ("0", "91", "-3", "ten", "1.5", "１２", "9" * 4000, "/12"):
        answer = await home.ask(den.mo, text, reply_to=question) if text[0] != "/" else None
        assert answer is None or refused(answer.text, "a whole number of days from 1 to 90"), text
    assert refused((await home.ask(den.mo, "", photo_caption="12", reply_to=question)).text, "a whole number")
    assert home.parts.policies.of(den.space).retention == timedelta(days=30)
    answer = await home.ask(den.mo, " 12 ", reply_to=question)
    assert "Cases are erased 12 days after they were last seen." in answer.text
    assert home.parts.policies.of(den.space).retention == timedelta(days=12)
    den.group.demote(den.mo)
    assert refused((await home.ask(den.mo, "5", reply_to=question)).text, "Only admins")
    assert home.parts.policies.of(den.space).retention == timedelta(days=12)
    assert home.telegram.complaints == []


async def test_who_wants_to_be_called_is_called(home: Home) -> None:
    den = Den(home)
    await home.press(den.max, await page(home, den, den.max), "Call me when it cannot wait")
    await den.threatened()
    called = [one["user"]["id"] for message in den.told for one in message.entities if one["type"] == "text_mention"]
    assert called == [den.max.id]
    assert home.telegram.complaints == []


# The doctor


async def test_doctor_says_that_privacy_mode_hides_the_messages_and_what_to_do(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    den.group.demote_bot()
    await den.threatened()
    assert den.told == [], "Telegram hides the messages"
    (answer,) = await den.command(den.mo, "/doctor")
    assert title(answer) == "There is something to mend"
    hidden = next(line for line in answer.text.splitlines() if "hides" in line)
    for words in (
        "To mend:",
        "privacy mode",
        "make Haven an admin",
        "@BotFather",
        "/setprivacy",
        "remove",
        "add it again",
    ):
        assert words in hidden
    assert "lack the rights Ban users, Delete messages" in answer.text
    den.group.promote_bot()
    await den.write(den.sam, "hello everybody")
    await home.settled()
    (answer,) = await den.command(den.mo, "/doctor")
    assert title(answer) == "Everything is in order", answer.text
    assert "🔧" not in answer.text
    assert telegram.complaints == []


async def test_doctor_knows_that_privacy_mode_is_switched_off_for_new_groups_only(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    den.group.demote_bot()
    telegram.privacy = False
    await den.threatened()
    assert den.told == [], "Haven was added before"
    (answer,) = await den.command(den.mo, "/doctor")
    (found,) = [line for line in answer.text.splitlines() if "privacy mode" in line]
    assert found.startswith("🔧 To mend:")
    assert "remove Haven from it and add it again" in found
    den.group.remove_bot()
    den.group.add_bot(den.owner)
    await den.threatened()
    (answer,) = await den.command(den.mo, "/doctor")
    (found,) = [line for line in answer.text.splitlines() if "privacy mode" in line]
    assert found.startswith("✅")
    telegram.privacy = True
    assert telegram.complaints == []


async def test_nothing_tells_an_admin_of_a_case_about_them(home: Home) -> None:
    den = Den(home)
    den.group.admin(den.eve)
    den.eve.started = True
    await den.threatened()
    answers = {user: await home.ask(user, f"/start doctor_{den.space}") for user in (den.mo, den.eve)}
    assert "open cases: 1" in answers[den.mo].text
    assert "open cases: 0" in answers[den.eve].text
    assert home.telegram.complaints == []


async def test_a_hostile_title_is_only_shown(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    den.group.title = den.mods.title = "<b>&amp; </i>"
    assert "Haven in <b>&amp; </i>" in (await page(home, den, den.mo)).text
    for command in ("/doctor", "/cases"):
        (answer,) = await den.command(den.mo, command)
        assert "<b>&amp; </i>" in answer.text
    assert telegram.complaints == []


async def test_doctor_works_for_a_group_that_nobody_has_set_up(home: Home) -> None:
    telegram, den = home.telegram, Den(home, set_up=False)
    den.group.demote_bot()
    await den.write(den.mo, "/doctor@haven_test_bot")
    await home.settled()
    line = telegram.sent(den.group)[-1]
    for user, first in ((den.mo, "There is something to mend"), (den.sam, "Only admins of the group may do this.")):
        await telegram.follow(user, line, "Open")
        await home.settled()
        assert title(telegram.privates(user)[-1]) == first
    assert "an admin types /setup in the group" in telegram.privates(den.mo)[-1].text
    assert telegram.complaints == []


@pytest.mark.parametrize(
    "trouble",
    ["no right to ban", "chat gone", "chat public", "chat closed", "muted in the chat", "group gone", "observe"],
)
async def test_doctor_says_what_is_to_mend(home: Home, trouble: str) -> None:
    telegram, den = home.telegram, Den(home, rights={"can_restrict_members": trouble != "no right to ban"})
    await den.write(den.sam, "hello everybody")
    await home.settled()
    if trouble == "chat gone":
        den.mods.remove_bot()
    elif trouble == "chat public":
        den.mods.username = f"public_{-den.mods.id}"
    elif trouble == "chat closed":
        den.mods.permissions["can_send_messages"] = False
    elif trouble == "muted in the chat":
        den.mods.mute(telegram.bot)
    elif trouble == "group gone":
        den.group.remove_bot()
    elif trouble == "observe":
        den.choose(mode="observe")
    if "chat" in trouble:
        answer = await home.ask(den.mo, f"/start doctor_{den.space}")
    else:
        (answer,) = await den.command(den.mo, "/doctor")
    words = {
        "no right to ban": "lack the rights Ban users:",
        "chat gone": "not in the moderators' chat: add it there",
        "chat public": "anybody can read the moderators' chat: make it private",
        "chat closed": "may not write in the moderators' chat",
        "muted in the chat": "may not write in the moderators' chat",
        "group gone": "is Haven still there?",
        "observe": "only observes",
    }
    assert words[trouble] in answer.text
    assert telegram.complaints == []


# Moderators' commands


async def test_cases_and_case(home: Home) -> None:
    den = Den(home)
    (empty,) = await den.command(den.mo, "/cases")
    assert empty.text == f"{den.group.title}\nNone is open."
    await den.threatened()
    (answer,) = await den.command(den.mo, "/cases@haven_test_bot")
    assert re.search(rf"^{den.case.id} advise, threat, .*, open$", answer.text, re.MULTILINE)
    await den.press(den.mo, DISMISS)
    (answer,) = await den.command(den.mo, "/cases")
    assert "None is open." in answer.text
    (answer,) = await den.command(den.mo, "/cases recent")
    assert re.search(rf"^{den.case.id} .*, not sextortion$", answer.text, re.MULTILINE)
    shown, history = await den.command(den.mo, f"/case {den.case.id}")
    assert shown.text == den.alert.text
    assert shown.labels == den.alert.labels
    assert f"by {den.mo.id}" in history.text
    assert "private warning" in history.text
    assert home.telegram.complaints == []


async def test_a_long_history_is_shown_from_its_end(home: Home) -> None:
    den = await Den(home).threatened()
    for number in range(6):
        home.parts.moderation.act(den.space, den.case.id, Act.NOTED, account(den.mo), f"note {number} {'&😀' * 490}")
    home.parts.outbox.wake()
    await home.settled()
    _, history = await den.command(den.mo, f"/case {den.case.id}")
    assert "note 5 &" in history.text
    assert "note 0 &" not in history.text
    assert home.telegram.complaints == []


@pytest.mark.parametrize("command", ["/cases", "/case {id}", "/evidence {id}", "/advise {id} {sam}", "/doctor"])
@pytest.mark.parametrize("who", ["member", "anonymous", "former admin"])
async def test_moderators_commands_are_for_admins(home: Home, command: str, who: str) -> None:
    telegram, den = home.telegram, await Den(home, advice_by="moderator").threatened()
    joe = telegram.user("Joe")
    den.mods.join(joe)
    joe.started = den.mo.started = True
    if who == "former admin":
        den.group.demote(den.mo)
    den.mods.admin(den.mo, anonymous=who == "anonymous")
    user = joe if who == "member" else den.mo
    (answer,) = await den.command(user, command.format(id=den.case.id, sam=den.sam.id))
    assert refused(answer.text, "Write as yourself" if who == "anonymous" else "Only admins of the group")
    assert telegram.privates(den.sam) == telegram.privates(user) == []
    assert untouched(den)
    assert telegram.complaints == []


@pytest.mark.parametrize(
    "command", ["/case", "/case a b", "/evidence", "/advise", "/advise x", "/advise {id} Sam", "/help"]
)
async def test_a_command_that_is_not_understood_says_what_there_is(home: Home, command: str) -> None:
    den = await Den(home).threatened()
    (answer,) = await den.command(den.mo, command.format(id=den.case.id))
    assert answer.text.startswith("/cases [recent], /case ID, /evidence ID, /advise ID ACCOUNT, /doctor")
    assert untouched(den)
    assert home.telegram.complaints == []


@pytest.mark.parametrize("command", ["/case {id}", "/evidence {id}", "/advise {id} {sam}"])
async def test_a_case_of_another_group_does_not_exist(home: Home, command: str) -> None:
    telegram, den, other = home.telegram, await Den(home).threatened(), await Den(home).threatened()
    for user in (den.mo, den.sam):
        other.group.admin(user)
    den.mo.started = True
    text = command.format(id=other.case.id, sam=other.sam.id)
    (answer,) = await den.command(den.mo, text)
    assert refused(answer.text, "There is no such case here")
    for id in ("0123456789", "' OR 1=1 --", "<b>", "0" * 3000):
        (answer,) = await den.command(den.mo, command.format(id=id.replace(" ", ""), sam=1))
        assert refused(answer.text, "There is no such case here"), id
    assert untouched(other)
    assert telegram.privates(den.mo) == []
    assert telegram.complaints == []


async def test_a_chat_that_serves_two_groups(home: Home) -> None:
    telegram, den, other = home.telegram, Den(home), Den(home)
    other.mods = den.mods
    other.choose(alert_channel=str(den.mods.id))
    await den.threatened()
    (first,) = den.told
    await other.threatened()
    (second,) = [message for message in den.told if message is not first]
    for user in (other.mo, den.mo):
        if not den.mods.member(user).inside:
            den.mods.join(user)
    (mine,) = await den.command(den.mo, "/cases")
    assert title(mine) == den.group.title
    assert other.case.id not in mine.text
    (theirs,) = await den.command(other.mo, "/cases")
    assert title(theirs) == other.group.title
    assert other.case.id in theirs.text
    assert refused((await home.press(den.mo, second, CONFIRM)).text, "Only admins of the group")
    assert (await home.press(other.mo, second, CONFIRM)).text
    other.group.admin(den.mo)
    both = await den.command(den.mo, "/cases recent")
    assert sorted(title(answer) for answer in both) == sorted([den.group.title, other.group.title])
    assert len(await den.command(den.mo, "/doctor")) == 2
    assert (den.case.ruling, other.case.ruling) == (None, Ruling.CONFIRMED)
    assert telegram.complaints == []


async def test_evidence_is_sent_in_private_to_who_asked(home: Home) -> None:
    telegram, den = home.telegram, await Den(home).threatened()
    (answer,) = await den.command(den.mo, f"/evidence {den.case.id}")
    assert refused(answer.text, "Haven cannot write to you in private: press Start at https://t.me/haven_test_bot")
    assert untouched(den), "what was not taken is not called taken"
    await home.ask(den.mo, "/start")
    (answer,) = await den.command(den.mo, f"/evidence {den.case.id}")
    assert answer.text == "Sent to you in private."
    file = telegram.privates(den.mo)[-1]
    assert file.extra["document"]["file_name"] == f"haven-evidence-{den.case.id}.txt"
    content = file.data or b""
    assert trouble(content, home.parts.store.seal) is None
    assert "i have your nudes" in content.decode()
    assert f"https://t.me/c/{str(den.group.id).removeprefix('-100')}/" in content.decode()
    assert den.trail() == [(den.mo.id, Act.TOOK_EVIDENCE)]
    assert shows(den, Act.TOOK_EVIDENCE)
    documents = telegram.asked("sendDocument")
    assert [one.chat_id for one in documents if one.files and one.chat_id in (den.mods.id, den.group.id)] == []
    telegram.block(den.mo)
    (answer,) = await den.command(den.mo, f"/evidence {den.case.id}")
    assert refused(answer.text, "press Start")
    assert len(den.trail()) == 1
    assert telegram.complaints == []


async def test_notes_are_kept_by_an_answer(home: Home) -> None:
    telegram, den = home.telegram, await Den(home).threatened()
    await den.press(den.mo, NOTE)
    question = den.told[-1]
    den.answers.append(question)
    assert question.text == f"Answer this message with the note for case {den.case.id}."
    assert den.trail() == [], "nothing is noted before it is written"
    note = "the third this week @everyone </b> &"
    (kept,) = await den.command(den.mo, note, reply_to=question)
    assert kept.text == f"Kept. /case {den.case.id} shows it."
    assert den.trail() == [(den.mo.id, Act.NOTED)]
    assert shows(den, Act.NOTED)
    assert "third" not in den.alert.text
    _, history = await den.command(den.max, f"/case {den.case.id}")
    assert "the third this week @\u200beveryone" in history.text
    (kept,) = await den.command(den.max, "me too", reply_to=question)
    assert kept.text.startswith("Kept.")
    joe = telegram.user("Joe")
    den.mods.join(joe)
    (answer,) = await den.command(joe, "mine", reply_to=question)
    assert refused(answer.text, "Only admins")
    (answer,) = await den.command(den.mo, "", photo_caption="a picture", reply_to=question)
    assert refused(answer.text, "has to be text")
    den.mods.admin(den.mo, anonymous=True)
    (answer,) = await den.command(den.mo, "mine", reply_to=question)
    assert refused(answer.text, "Write as yourself")
    assert [by for by, _ in den.trail()] == [den.mo.id, den.max.id]
    assert telegram.complaints == []


async def test_only_an_answer_to_havens_question_is_a_note(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    robot = telegram.user("Robot", bot=True)
    den.group.join(robot)
    den.mods.join(robot)
    text = "Answer this message with the note for case {}."
    said = await den.write(robot, text.format("0123456789"))
    for line in THREAT:
        await den.write(den.eve, f"{den.ann.name} {line}", mentions=[den.ann], reply_to=said)
    await home.settled()
    assert [target.account for target in den.case.targets] == [account(den.ann)], "a bot cannot hide what follows it"
    asked = await telegram.write(den.mods, robot, text.format(den.case.id))
    assert await den.command(den.mo, "mine", reply_to=asked) == []
    assert den.trail() == []
    assert telegram.complaints == []


async def test_advise_writes_to_whom_a_moderator_names(home: Home) -> None:
    telegram, den = home.telegram, await lonely(home)
    assert den.case.targets == ()
    den.ann.started = True
    robot, stranger = telegram.user("Robot", bot=True), telegram.user("Stranger")
    den.group.join(robot)
    stranger.started = True
    for wrong, words in (
        (robot.id, "not the number of a member"),
        (stranger.id, "not the number of a member"),
        (den.eve.id, "who threatens"),
        (12345, "is Haven still there?"),
    ):
        (answer,) = await den.command(den.mo, f"/advise {den.case.id} {wrong}")
        assert refused(answer.text, words), wrong
    (answer,) = await den.command(den.mo, f"/advise {den.case.id} ²")
    assert answer.text.startswith("/cases")
    assert den.trail() == []
    assert den.case.targets == ()
    (answer,) = await den.command(den.mo, f"/advise {den.case.id} {den.ann.id}")
    assert "on its way" in answer.text
    assert [title(message) for message in telegram.privates(den.ann)] == [WARNING]
    assert f"{den.ann.name}: {SAID.advice[Advice.DELIVERED]}" in den.alert.text
    (answer,) = await den.command(den.max, f"/advise {den.case.id} {den.ann.id}")
    assert refused(answer.text, "nobody to write to")
    assert len(telegram.privates(den.ann)) == 1
    assert telegram.privates(den.eve) == telegram.privates(stranger) == []
    assert telegram.complaints == []
