"""What anybody may ask of Haven in its private chat on Telegram, and what it says to people first."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from localtelegram.server import Message, User
from telegram_den import IN_A_ROW, Den, Home, one_home, until, watched
from telegram_life import account

from bot import advice
from bot.advice import Finding
from bot.app import open_classifier
from bot.config import Config
from bot.effects import Advice
from classifiers.classifier import Classifier

pytestmark = pytest.mark.asyncio(loop_scope="module")

BLACKMAIL = "pay me 400 or i send your nudes to your mum"
TOLD = "someone has my nudes and says he will send them to my family if i dont pay"
PLAY = "hi do you want to play minecraft later?"
LINES = ("i saved the video of you from last night", "send me 400 in gift cards or else")
CRISIS = "he is blackmailing me with my nudes, i want to kill myself"
LABELS = {
    "under_18": "I'm under 18",
    "over_18": "I'm 18 or over",
    "already_paid": "I already paid",
    "already_shared": "They have already shared it",
    "someone_i_know": "Someone I know is doing this",
}
POLICE = {"police", "text_relay", "emergency"}
FACTS = {
    "": {"emergency", "samaritans", "childline", *POLICE},
    "under_18": {"childline", "report_remove", "ceop", *POLICE},
    "over_18": {"revenge_porn_helpline", "stopncii", *POLICE},
    "already_paid": POLICE,
    "already_shared": {"report_remove", "revenge_porn_helpline", "stopncii", *POLICE},
    "someone_i_know": {"crimestoppers", "crimestoppers_languages", *POLICE},
}
SAYS, BECAME = advice.says("en-GB"), advice.on_alert("en-GB").advice
IS_BLACKMAIL, MAY_BE, IS_TOLD, NO_SIGN = (
    advice.checked("en-GB", found, (), crisis=False).title
    for found in (Finding.BLACKMAIL, Finding.SIGNS, Finding.TOLD, Finding.NOTHING)
)
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


def facts_in(text: str) -> set[str]:
    """Return the names of the numbers and links that stand in a text."""
    known = advice.facts("en-GB")
    return {name for name, fact in known.items() if re.search(rf"(?<!\w){re.escape(fact.value)}(?!\w)", text)}


def title(message: Message) -> str:
    """Return the first line of an answer."""
    return message.text.splitlines()[0]


def warnings(home: Home, user: User) -> list[Message]:
    """Return the private warnings that somebody got."""
    return [message for message in home.telegram.privates(user) if title(message) == WARNING]


async def test_commands_are_published_for_private_chats_and_for_groups(home: Home) -> None:
    telegram = home.telegram
    offered = {scope: [one["command"] for one in held] for (scope, *_), held in telegram.commands.items()}
    assert offered == {
        "all_private_chats": ["help", "check", "protect", "privacy", "language", "setup"],
        "all_group_chats": ["help", "report", "setup"],
    }
    assert telegram.complaints == []


@pytest.mark.parametrize("command", ["/start", "/help", "/start help", "/help@haven_test_bot", "/nonsense", "/HELP"])
async def test_help_has_a_page_for_each_situation(home: Home, command: str) -> None:
    pat = home.telegram.user("Pat")
    front = await home.ask(pat, command)
    assert title(front) == "Help from Haven"
    assert facts_in(front.text) == FACTS[""]
    assert front.labels == list(LABELS.values())
    assert front.entities[0] == {"type": "bold", "offset": 0, "length": len("Help from Haven")}
    if command == "/help":
        for situation, label in LABELS.items():
            page = await home.page(pat, front, label)
            assert facts_in(page.text) == FACTS[situation], label
            assert title(page) == advice.situation("en-GB", situation).title
        assert title(front) == "Help from Haven", "the pages do not replace the first"
    assert home.telegram.complaints == []


async def test_check_says_how_where_there_is_no_text(home: Home) -> None:
    for text in ("/check", "/check  "):
        assert (await home.ask(home.telegram.user("Pat"), text)).text == SAYS.check_how
    assert home.telegram.complaints == []


@pytest.mark.parametrize("command", ["", "/check ", "/check@haven_test_bot "])
async def test_check_tells_the_findings_apart(home: Home, command: str) -> None:
    answers = {}
    for text in (BLACKMAIL, TOLD, LINES[1], PLAY, CRISIS):
        answer = answers[text] = await home.ask(home.telegram.user("Pat"), command + text)
        assert answer.labels == list(LABELS.values())
    assert {text: title(answer) for text, answer in answers.items()} == {
        BLACKMAIL: IS_BLACKMAIL,
        TOLD: IS_TOLD,
        LINES[1]: MAY_BE,
        PLAY: NO_SIGN,
        CRISIS: IS_TOLD,
    }
    assert "demands money or its like" in answers[BLACKMAIL].text
    assert facts_in(answers[BLACKMAIL].text) == {"police", "emergency"}
    first = answers[CRISIS].text.split("\n\n")[1]
    assert first.startswith("Please read this first\n")
    assert facts_in(first) == {"emergency", "samaritans"}
    assert "Please read this first" not in answers[TOLD].text
    assert home.telegram.complaints == []


async def test_own_words_are_understood(home: Home) -> None:
    answer = await home.ask(home.telegram.user("Pat"), "someone threatens to send my nudes to my family")
    assert title(answer) == IS_TOLD
    friend = await home.ask(home.telegram.user("Ann"), "my friend is blackmailed with her nudes, he wants 300 pounds")
    assert title(friend) in (IS_TOLD, MAY_BE, IS_BLACKMAIL)
    assert home.telegram.complaints == []


@pytest.mark.parametrize("origin", ["user", "hidden", "channel", "group", "bot", "themselves", "message"])
async def test_forwards_of_every_origin_are_checked(home: Home, origin: str) -> None:
    telegram = home.telegram
    pat, eve = telegram.user("Pat"), telegram.user("Eve")
    there = telegram.group("Elsewhere", bot=False)
    there.join(eve)
    source: Any = {
        "user": eve,
        "hidden": "Eve",
        "channel": telegram.channel("News", bot=False),
        "group": there,
        "bot": telegram.user("Robot", bot=True),
        "themselves": pat,
        "message": await telegram.write(there, eve, BLACKMAIL),
    }[origin]
    answer = await home.ask(pat, BLACKMAIL, forward_of=source)
    assert title(answer) == IS_BLACKMAIL
    assert answer.labels == list(LABELS.values())
    command = await home.ask(telegram.user("Ann"), f"/start {BLACKMAIL}", forward_of=source)
    assert title(command) == IS_BLACKMAIL, "what is forwarded is no command"
    assert telegram.complaints == []


async def test_messages_of_every_kind_are_checked(home: Home) -> None:
    telegram = home.telegram
    eve = telegram.user("Eve")
    there = telegram.group("Elsewhere", bot=False)
    there.join(eve)
    threat = await telegram.write(there, eve, BLACKMAIL)
    for more in (
        {"photo_caption": BLACKMAIL},
        {"photo_caption": BLACKMAIL, "forward_of": eve},
        {"text": f"<blockquote>{BLACKMAIL}</blockquote>", "html": True},
        {"text": f"<blockquote>{BLACKMAIL}</blockquote> is this bad?", "html": True},
        {"text": "is this bad?", "reply_to": threat},
        {"text": "is this bad?", "reply_to": threat, "quote": BLACKMAIL[4:]},
        {"photo_caption": "is this bad?", "reply_to": threat},
        {"text": "𝗽𝗮𝘆 𝗺𝗲 𝟰𝟬𝟬 or i send your n u d e s to your mum 🙂"},
    ):
        answer = await home.ask(telegram.user("Pat"), **more)
        assert title(answer) in (IS_BLACKMAIL, MAY_BE), more
    assert telegram.complaints == []


async def test_what_is_answered_to_in_the_chat_itself_is_not_read_again(home: Home) -> None:
    pat = home.telegram.user("Pat")
    first = await home.ask(pat, BLACKMAIL)
    later = await home.ask(home.telegram.user("Ann"), PLAY)
    assert title(await home.ask(later.chat.user or pat, "ok", reply_to=later, quote="blackmail")) == title(later)
    assert title(first) == IS_BLACKMAIL
    assert home.telegram.complaints == []


@pytest.mark.parametrize(
    "more",
    [
        {"photo_caption": ""},
        {"extra": {"sticker": {"file_id": "a", "file_unique_id": "b", "type": "regular", "width": 9, "height": 9}}},
        {"extra": {"voice": {"file_id": "a", "file_unique_id": "b", "duration": 3}}},
        {"extra": {"location": {"longitude": 0.1, "latitude": 51.5}}},
        {"extra": {"contact": {"phone_number": "0", "first_name": "Eve"}}},
    ],
    ids=["photo", "sticker", "voice", "place", "contact"],
)
async def test_what_has_no_words_is_not_judged(home: Home, more: dict[str, Any]) -> None:
    for extra in ("sticker", "voice"):
        if extra in more.get("extra", {}):
            more["extra"][extra] |= {"is_animated": False, "is_video": False} if extra == "sticker" else {}
    answer = await home.ask(home.telegram.user("Pat"), **more)
    assert answer.text == SAYS.nothing_to_check
    assert answer.labels == list(LABELS.values())
    assert home.telegram.complaints == []


async def test_several_in_a_row_are_one_conversation_with_one_answer(home: Home) -> None:
    telegram = home.telegram
    pat, eve = telegram.user("Pat"), telegram.user("Eve")

    async def shown(person: User, *lines: tuple[str, object]) -> str:
        for text, source in lines[:-1]:
            await telegram.write(person.private, person, text, forward_of=source)  # type: ignore[arg-type]
        text, source = lines[-1]
        return title(await home.ask(person, text, forward_of=source))

    assert await shown(pat, *((line, eve) for line in LINES)) == IS_BLACKMAIL
    assert await shown(telegram.user("A"), (LINES[0], eve)) == NO_SIGN
    assert await shown(telegram.user("B"), (LINES[1], eve)) == MAY_BE
    fay, both = telegram.user("Fay"), [(LINES[0], eve), (LINES[1], telegram.user("Max"))]
    assert await shown(fay, *both) != IS_BLACKMAIL, "what two people wrote is not one threat"
    gus = telegram.user("Gus")
    said = await shown(gus, *((line, eve) for line in LINES), ("please dont", gus), ("ok", gus), ("haha", eve))
    assert said == IS_BLACKMAIL, "what they answered does not undo it"
    assert len(telegram.privates(gus)) == 1
    hal = telegram.user("Hal")
    crisis = ((CRISIS, None), ("i dont know what to do", None), (PLAY, eve))
    assert await shown(hal, *crisis) == IS_TOLD
    assert "Please read this first" in telegram.privates(hal)[0].text, "despair counts in whichever line it is"
    assert telegram.complaints == []


async def test_what_comes_later_is_answered_again_and_read_with_what_was_before(home: Home) -> None:
    telegram = home.telegram
    pat, eve = telegram.user("Pat"), telegram.user("Eve")
    assert title(await home.ask(pat, LINES[0], forward_of=eve)) == NO_SIGN
    await asyncio.sleep(2 * IN_A_ROW)
    assert title(await home.ask(pat, LINES[1], forward_of=eve)) == IS_BLACKMAIL
    ann = telegram.user("Ann")
    assert title(await home.ask(ann, LINES[1], forward_of=eve)) == MAY_BE
    assert telegram.complaints == []


async def test_a_flood_of_forwards_gets_one_answer(home: Home) -> None:
    telegram = home.telegram
    pat, eve = telegram.user("Pat"), telegram.user("Eve")
    for number in range(150):
        await telegram.write(pat.private, pat, f"number {number} of it", forward_of=eve)
    answer = await home.ask(pat, BLACKMAIL, forward_of=eve)
    assert title(answer) == IS_BLACKMAIL
    assert telegram.complaints == []


async def test_what_was_shown_is_answered_when_haven_stops(home: Home) -> None:
    telegram = home.telegram
    pat = telegram.user("Pat")
    await telegram.write(pat.private, pat, BLACKMAIL)
    await telegram.polled()
    await home.restart()
    await until(lambda: telegram.privates(pat))
    await home.settled()
    assert [title(answer) for answer in telegram.privates(pat)] == [IS_BLACKMAIL]
    assert telegram.complaints == []


async def test_nothing_of_a_check_is_kept(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    telegram, canary = home.telegram, f"quixotic-wilmslow {BLACKMAIL}"
    pat, eve = telegram.user("Pat"), telegram.user("Eve")
    since, before = len(telegram.requests), home.stored()
    assert title(await home.ask(pat, canary)) == IS_BLACKMAIL
    for more in ({"text": f"/check {canary}"}, {"text": canary, "forward_of": eve}, {"photo_caption": canary}):
        assert title(await home.ask(pat, **more)) == IS_BLACKMAIL
    assert home.stored() == before
    assert not any(b"wilmslow" in file.read_bytes() for file in home.folder.iterdir())
    assert "wilmslow" not in caplog.text
    assert not any("wilmslow" in json.dumps(one.params) for one in telegram.requests[since:])
    assert telegram.complaints == []


async def test_protect_keeps_the_choice(home: Home) -> None:
    pat, said = home.telegram.user("Pat"), {}
    for command in ("status", "on", "", "off", "nonsense", "on"):
        said[command] = (await home.ask(pat, f"/protect {command}")).text
        said[f"status {home.parts.people.protected(account(pat))}"] = said[command]
    assert said["status"] == SAYS.protect_unset
    assert said["on"] == said[""] == said["status True"] == SAYS.protect_on
    assert said["off"] == said["nonsense"] == said["status False"] == SAYS.protect_off
    assert home.parts.people.protected(account(pat)) is True
    assert home.telegram.complaints == []


async def test_who_is_not_to_be_written_to_is_not(home: Home) -> None:
    den = Den(home, forum=True)
    await home.ask(den.sam, "/protect off")
    await den.threatened()
    assert warnings(home, den.sam) == []
    assert BECAME[Advice.DECLINED] in den.alert.text
    await home.ask(den.sam, "/protect on")
    await den.threatened(den.ann)
    assert len(warnings(home, den.sam)) == 1
    assert home.telegram.complaints == []


async def test_only_who_said_yes_is_written_to_where_the_group_wants_that(home: Home) -> None:
    den = Den(home, forum=True, advice_by="opted-in")
    await home.ask(den.ann, "/protect on")
    await den.threatened()
    await den.threatened(den.max, den.ann)
    assert (len(warnings(home, den.sam)), len(warnings(home, den.ann))) == (0, 1)
    assert home.telegram.complaints == []


async def test_privacy_shows_what_is_kept_and_erases_it_when_confirmed(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    await den.threatened()
    answer = await home.ask(den.sam, "/privacy")
    assert answer.text == SAYS.privacy.format(days=30)
    assert answer.labels == [SAYS.export_button, SAYS.delete_button]
    shown = await home.page(den.sam, answer, SAYS.export_button)
    assert shown.text == SAYS.exported
    assert shown.extra["document"]["file_name"] == "haven-about-me.json"
    held = json.loads(shown.data or b"")
    assert held["account"] == {"platform": "telegram", "id": str(den.sam.id)}
    assert held["private_messages"] == "not chosen"
    assert held["last_written_to"] is not None
    (case,) = held["cases"]
    assert (case["community"], case["kind"], case["warning"]) == (den.space, "threat", ["delivered"])
    assert case["your_words"] == []
    assert str(den.eve.id) not in (shown.data or b"").decode(), "who threatens is not theirs to be told"
    confirm = await home.page(den.sam, answer, SAYS.delete_button)
    assert confirm.text == SAYS.delete_sure
    assert confirm.labels == [SAYS.delete_sure_button]
    before = den.alert
    assert den.sam.name in before.text, "nothing is erased before it is confirmed"
    assert any(one["type"] == "spoiler" for one in before.entities)
    done = await home.press(den.sam, confirm, SAYS.delete_sure_button)
    assert (done.text, done.alert) == (SAYS.deleted, True)
    assert den.alert is before
    assert den.sam.name not in den.alert.text
    assert str(den.sam.id) not in den.alert.text
    assert not any(one["type"] == "spoiler" for one in den.alert.entities), "no words are left on the alert"
    assert str(den.eve.id) in den.alert.text, "the case about the sender stays"
    again = json.loads((await home.page(den.sam, answer, SAYS.export_button)).data or b"")
    assert (again["cases"], again["last_written_to"]) == ([], held["last_written_to"])
    assert telegram.complaints == []


async def test_export_says_nothing_to_a_sender_who_cannot_erase_the_traces(home: Home) -> None:
    den = Den(home)
    await den.threatened()
    for user in (den.eve, home.telegram.user("Stranger")):
        answer = await home.ask(user, "/privacy")
        assert json.loads((await home.page(user, answer, SAYS.export_button)).data or b"") == {
            "account": {"platform": "telegram", "id": str(user.id)},
            "private_messages": "not chosen",
            "last_written_to": None,
            "cases": [],
        }
    confirm = await home.page(den.eve, await home.ask(den.eve, "/privacy"), SAYS.delete_button)
    await home.press(den.eve, confirm, SAYS.delete_sure_button)
    assert str(den.eve.id) in den.alert.text
    assert any(one["type"] == "spoiler" for one in den.alert.entities)
    assert home.telegram.complaints == []


async def test_delete_keeps_the_choice_and_takes_ones_own_words_from_the_alerts(home: Home) -> None:
    den = Den(home)
    await home.ask(den.sam, "/protect off")
    await reported(home, den, den.sam, "he has wilmslow pictures of me")
    assert "wilmslow" in den.alert.text
    confirm = await home.page(den.sam, await home.ask(den.sam, "/privacy"), SAYS.delete_button)
    await home.press(den.sam, confirm, SAYS.delete_sure_button)
    (alert,) = den.told
    assert "wilmslow" not in alert.text
    assert str(den.sam.id) not in alert.text
    assert home.parts.people.protected(account(den.sam)) is False
    assert home.parts.store.cases_naming(account(den.sam)) == []
    assert den.cases == [], "not even an empty case is left"
    assert alert.labels == []
    assert home.telegram.complaints == []


async def test_language_and_setup_answer_in_private(home: Home) -> None:
    pat = home.telegram.user("Pat")
    assert (await home.ask(pat, "/language")).text == SAYS.languages.format(languages="en-GB")
    assert "in the group" in (await home.ask(pat, "/setup")).text
    assert home.telegram.complaints == []


async def test_edits_and_bots_get_no_answer(home: Home) -> None:
    telegram = home.telegram
    pat, robot = telegram.user("Pat"), telegram.user("Robot", bot=True)
    first = await telegram.write(pat.private, pat, PLAY)
    await until(lambda: telegram.privates(pat))
    await telegram.edit(first, BLACKMAIL)
    await telegram.edit(first, "/help")
    await telegram.write(robot.private, robot, BLACKMAIL)
    await telegram.announce(pat.private, pat, pinned_message=first.payload())
    await home.settled()
    await asyncio.sleep(2 * IN_A_ROW)
    await home.settled()
    assert len(telegram.privates(pat)) <= 2
    assert title(telegram.privates(pat)[0]) == NO_SIGN
    assert not any(one.chat_id == robot.id for one in telegram.asked("sendMessage"))
    assert telegram.complaints == []


async def test_service_messages_get_no_answer(home: Home) -> None:
    telegram = home.telegram
    pat = telegram.user("Pat")
    pat.started = True
    await telegram.announce(pat.private, pat, message_auto_delete_timer_changed={"message_auto_delete_time": 86400})
    await home.settled()
    await asyncio.sleep(2 * IN_A_ROW)
    await home.settled()
    assert telegram.privates(pat) == []
    assert telegram.complaints == []


async def test_the_private_warning_has_every_button(home: Home) -> None:
    den = Den(home, forum=True)
    await den.threatened()
    (warning,) = home.telegram.privates(den.sam)
    assert title(warning) == WARNING
    assert warning.labels == [*LABELS.values(), SAYS.not_me_button, SAYS.stop_button]
    assert not any(word in warning.text for word in ("nudes", "gift cards to", den.eve.name, den.group.title))
    for situation, label in LABELS.items():
        assert facts_in((await home.page(den.sam, warning, label)).text) == FACTS[situation], label
    assert f"{den.sam.name}: {BECAME[Advice.DELIVERED]}" in den.alert.text
    answer = await home.press(den.sam, warning, SAYS.not_me_button)
    assert (answer.text, answer.alert) == (SAYS.not_me, True)
    assert f"{den.sam.name}: {BECAME[Advice.DISPUTED]}" in den.alert.text
    assert (await home.press(den.sam, warning, SAYS.not_me_button)).text == SAYS.not_me
    assert (await home.press(den.sam, warning, SAYS.stop_button)).text == SAYS.stop
    assert home.parts.people.protected(account(den.sam)) is False
    await den.threatened(den.ann)
    assert len(warnings(home, den.sam)) == 1
    assert any(BECAME[Advice.DECLINED] in alert.text for alert in den.told)
    assert home.telegram.complaints == []


async def test_the_buttons_work_when_telegram_has_forgotten_the_message(home: Home) -> None:
    den = Den(home)
    await den.threatened()
    (warning,) = home.telegram.privates(den.sam)
    privacy = await home.ask(den.sam, "/privacy")
    page = await home.page(den.sam, warning, LABELS["over_18"], inaccessible=True)
    assert facts_in(page.text) == FACTS["over_18"]
    shown = await home.page(den.sam, privacy, SAYS.export_button, inaccessible=True)
    assert json.loads(shown.data or b"")["cases"]
    answer = await home.press(den.sam, warning, SAYS.not_me_button, inaccessible=True)
    assert answer.text == SAYS.not_me
    assert BECAME[Advice.DISPUTED] in den.alert.text
    assert (await home.press(den.sam, warning, SAYS.stop_button, inaccessible=True)).text == SAYS.stop
    assert home.parts.people.protected(account(den.sam)) is False
    assert home.telegram.complaints == []


async def test_who_was_not_warned_cannot_disclaim_for_another(home: Home) -> None:
    den = Den(home)
    await den.threatened()
    other = await home.ask(den.ann, "/help")
    await home.craft(den.ann, other, f"not_me:{den.case.id}")
    assert BECAME[Advice.DELIVERED] in den.alert.text
    assert BECAME[Advice.DISPUTED] not in den.alert.text
    assert home.telegram.complaints == []


async def test_a_warning_waits_until_its_target_presses_start_and_comes_once(home: Home) -> None:
    telegram, den = home.telegram, Den(home, started=False)
    await den.threatened()
    assert telegram.privates(den.sam) == []
    assert f"{den.sam.name}: {BECAME[Advice.UNSTARTED]}" in den.alert.text
    assert "Send private advice" not in den.alert.labels
    alert = den.alert
    await telegram.write(den.sam.private, den.sam, "/start")
    await until(lambda: warnings(home, den.sam))
    await home.settled()
    assert sorted(title(answer) for answer in telegram.privates(den.sam)) == [WARNING, "Help from Haven"]
    assert den.alert is alert
    assert f"{den.sam.name}: {BECAME[Advice.DELIVERED]}" in alert.text
    for text in ("/start", "/help", PLAY):
        await home.ask(den.sam, text)
    assert len(warnings(home, den.sam)) == 1
    assert telegram.complaints == []


async def test_a_warning_waits_over_a_restart(home: Home) -> None:
    telegram, den = home.telegram, Den(home, started=False)
    await den.threatened()
    await home.restart()
    assert warnings(home, den.sam) == []
    await telegram.write(den.sam.private, den.sam, "/start")
    await until(lambda: warnings(home, den.sam))
    await home.restart()
    await home.ask(den.sam, "/start")
    assert len(warnings(home, den.sam)) == 1
    assert BECAME[Advice.DELIVERED] in den.alert.text
    assert telegram.complaints == []


async def test_a_warning_that_waited_too_long_is_not_sent(home: Home) -> None:
    den = Den(home, started=False, incident_gap_days=7)
    at = int(time.time() - timedelta(days=7, minutes=5).total_seconds())
    await den.threatened(at=at)
    assert BECAME[Advice.UNSTARTED] in den.alert.text
    assert title(await home.ask(den.sam, "/start")) == "Help from Haven"
    young = Den(home, started=False, incident_gap_days=7)
    await young.threatened(at=at + 600)
    await home.telegram.write(young.sam.private, young.sam, "/start")
    await until(lambda: warnings(home, young.sam))
    assert home.telegram.complaints == []


@pytest.mark.parametrize("first", ["/protect off", "button"])
async def test_a_warning_that_waited_is_not_sent_to_who_says_no(home: Home, first: str) -> None:
    den = Den(home, started=False)
    await den.threatened()
    if first == "button":
        home.parts.people.protect(account(den.sam), on=False)
        await home.ask(den.sam, "/start")
    else:
        assert (await home.ask(den.sam, first)).text == SAYS.protect_off
    await home.ask(den.sam, "/start")
    assert warnings(home, den.sam) == []
    assert f"{den.sam.name}: {BECAME[Advice.DECLINED]}" in den.alert.text
    assert home.telegram.complaints == []


async def test_of_several_warnings_that_wait_one_is_sent(home: Home) -> None:
    den = Den(home, forum=True, started=False)
    await den.threatened()
    await den.threatened(den.ann)
    assert [BECAME[Advice.UNSTARTED] in alert.text for alert in den.told] == [True, True]
    await home.telegram.write(den.sam.private, den.sam, "/start")
    await until(lambda: warnings(home, den.sam))
    await home.ask(den.sam, "/help")
    await home.settled()
    assert len(warnings(home, den.sam)) == 1
    texts = [alert.text for alert in den.told]
    assert sum(BECAME[Advice.DELIVERED] in text for text in texts) == 1
    assert sum(BECAME[Advice.RECENT] in text for text in texts) == 1
    assert home.telegram.complaints == []


async def test_a_case_that_was_ruled_out_is_not_warned_of_any_more(home: Home) -> None:
    den = Den(home, started=False)
    await den.threatened()
    await den.press(den.mo, "Not sextortion")
    assert title(await home.ask(den.sam, "/start")) == "Help from Haven"
    assert warnings(home, den.sam) == []
    assert home.telegram.complaints == []


async def test_who_blocked_haven_or_left_telegram_is_said_on_the_alert(home: Home) -> None:
    telegram, blocked, gone = home.telegram, Den(home), Den(home)
    telegram.block(blocked.sam)
    telegram.deactivate(gone.sam)
    for den, became in ((blocked, Advice.REFUSED), (gone, Advice.UNREACHABLE)):
        await den.threatened()
        assert f"{den.sam.name}: {BECAME[became]}" in den.alert.text
        assert telegram.privates(den.sam) == []
        assert len(telegram.asked("sendMessage", den.sam.private)) == 1, "it is tried once"
    assert telegram.complaints == []


async def reported(home: Home, den: Den, user: User, text: str, **more: Any) -> Message:
    """Ask for a report by the link of the group and send its words; return the answer to them."""
    question = await home.ask(user, f"/start report_{den.space}")
    assert question.text.startswith(SAYS.report_how)
    return await home.ask(user, text, reply_to=question, **more)


async def test_report_reaches_the_moderators_at_once(home: Home) -> None:
    telegram, den = home.telegram, Den(home, page_role="")
    await den.write(den.sam, "/report")
    await home.settled()
    (line,) = telegram.sent(den.group)
    question = await telegram.follow(den.sam, line, "Open")
    await home.settled()
    asked = telegram.privates(den.sam)[-1]
    assert asked.text.startswith(SAYS.report_how)
    answer = await home.ask(den.sam, "Eve wants money & <b>pictures", reply_to=asked)
    assert answer.text.startswith(SAYS.reported)
    assert facts_in(answer.text) == FACTS[""]
    assert answer.labels == list(LABELS.values())
    assert question.chat is den.sam.private
    assert title(den.alert) == "A member asks the moderators for help"
    assert den.sam.name in den.alert.text
    assert "Eve wants money & <b>pictures" in den.alert.text
    assert not any(one["type"] == "text_mention" for one in den.alert.entities), "nobody is called"
    assert "Ban" not in den.alert.labels
    assert warnings(home, den.sam) == [], "the advice was the answer"
    assert telegram.complaints == []


async def test_report_calls_the_moderator_and_disarms_the_words(home: Home) -> None:
    den = Den(home)
    den.choose(page_role=str(den.mo.id))
    words = f"@{den.eve.username} <a href='tg://user?id={den.eve.id}'>x</a> https://evil.example i want to kill myself"
    await reported(home, den, den.sam, words)
    called = [one["user"]["id"] for one in den.alert.entities if one["type"] == "text_mention"]
    assert called == [den.mo.id]
    assert not any(one["type"] == "mention" for one in den.alert.entities)
    assert "Signs of despair" in den.alert.text
    assert home.telegram.complaints == []


async def test_reports_of_pictures_and_long_ones_arrive(home: Home) -> None:
    den = Den(home)
    await reported(home, den, den.sam, "", photo_caption="")
    await reported(home, den, den.sam, "&<" * 2000)
    await reported(home, den, den.ann, "😱" * 2000)
    assert [title(alert) for alert in den.told] == ["A member asks the moderators for help"] * 3
    assert "[photo]" in den.told[0].text
    assert home.telegram.complaints == []


async def test_reports_are_three_an_hour(home: Home) -> None:
    den = Den(home)
    said = [(await reported(home, den, den.sam, f"report {number}")).text for number in range(4)]
    assert [text.startswith(SAYS.reported) for text in said] == [True] * 3 + [False]
    assert said[3].startswith(SAYS.report_too_many)
    assert facts_in(said[3]) == FACTS[""]
    assert (await reported(home, den, den.ann, "mine")).text.startswith(SAYS.reported)
    assert len(den.told) == 4
    assert home.telegram.complaints == []


async def test_only_members_may_report(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    stranger = telegram.user("Stranger")
    answer = await home.ask(stranger, f"/start report_{den.space}")
    assert answer.text == "You are not in that group."
    question = await home.ask(den.ann, f"/start report_{den.space}")
    den.group.leave(den.ann)
    assert (await home.ask(den.ann, "help me", reply_to=question)).text == "You are not in that group."
    for wrong in ("report_", "report_1", "report_-1e9", "report_--1", f"report_{den.space}0000000000", "report_-1"):
        said = (await home.ask(stranger, f"/start {wrong}")).text
        assert re.fullmatch("This link is not one of Haven's.|Telegram does not tell Haven who .*", said), wrong
    assert den.told == []
    den.group.mute(den.sam)
    assert (await reported(home, den, den.sam, "help me")).text.startswith(SAYS.reported), "also who may not write"
    assert telegram.complaints == []


async def test_report_before_the_group_is_set_up_is_not_even_asked_for(home: Home) -> None:
    den, before = Den(home, set_up=False), home.stored()
    answer = await home.ask(den.sam, f"/start report_{den.space}")
    assert answer.text.startswith(SAYS.report_not_set_up)
    assert facts_in(answer.text) == FACTS[""]
    assert answer.labels == list(LABELS.values())
    assert home.stored() == before
    assert home.telegram.complaints == []


async def test_only_an_answer_to_havens_question_is_a_report(home: Home) -> None:
    telegram, den = home.telegram, Den(home)
    own = await telegram.write(den.sam.private, den.sam, f"what happened (community {den.space})")
    await until(lambda: telegram.privates(den.sam))
    assert title(await home.ask(den.sam, BLACKMAIL, reply_to=own)) == IS_BLACKMAIL
    assert den.told == []
    assert telegram.complaints == []


async def test_a_fault_is_answered_in_private_with_the_numbers(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    telegram = home.telegram
    pat = telegram.user("Pat")
    front = await home.ask(pat, "/help")
    telegram.fail("sendMessage", status=400, description="Bad Request: something odd", chat=pat.private)
    answer = await home.ask(pat, f"wilmslow {BLACKMAIL}")
    assert answer.text == SAYS.failed
    assert facts_in(answer.text) == {"police", "emergency"}
    telegram.fail("sendMessage", status=400, description="Bad Request: something odd", chat=pat.private)
    pressed = await home.press(pat, front, LABELS["over_18"])
    assert (pressed.text, pressed.alert) == (SAYS.failed, True), "a page that did not come is not called done"
    faults = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert faults == ["telegram: a request failed (BadRequest)"] * 2
    assert "wilmslow" not in caplog.text
    caplog.clear()
    assert telegram.complaints == []


@pytest.mark.parametrize("data", ["help:over_60", "help:", "help", "not_me:", "explode", ":", "x" * 64, "set:mode:x:1"])
async def test_buttons_of_another_version_are_answered(home: Home, data: str) -> None:
    pat = home.telegram.user("Pat")
    front, before = await home.ask(pat, "/help"), home.stored()
    answer = await home.craft(pat, front, data)
    assert answer.text is not None
    assert answer.text.startswith("This button is from another version of Haven") or data == "not_me:"
    assert home.stored() == before
    assert len(home.telegram.privates(pat)) == 1
    assert home.telegram.complaints == []


async def test_every_button_works_after_a_restart(home: Home) -> None:
    den = Den(home)
    await den.threatened()
    (warning,) = home.telegram.privates(den.sam)
    check = await home.ask(den.ann, BLACKMAIL)
    privacy = await home.ask(den.ann, "/privacy")
    confirm = await home.page(den.ann, privacy, SAYS.delete_button)
    question = await home.ask(den.ann, f"/start report_{den.space}")
    await home.restart()
    for shown, user in ((warning, den.sam), (check, den.ann)):
        for situation, label in LABELS.items():
            assert facts_in((await home.page(user, shown, label)).text) == FACTS[situation], label
    assert (await home.page(den.ann, privacy, SAYS.export_button)).text == SAYS.exported
    assert (await home.page(den.ann, privacy, SAYS.delete_button)).text == confirm.text
    assert (await home.press(den.ann, confirm, SAYS.delete_sure_button)).text == SAYS.deleted
    assert (await home.press(den.sam, warning, SAYS.not_me_button)).text == SAYS.not_me
    assert (await home.press(den.sam, warning, SAYS.stop_button)).text == SAYS.stop
    assert BECAME[Advice.DISPUTED] in den.alert.text
    assert (await home.ask(den.ann, "help", reply_to=question)).text.startswith(SAYS.reported)
    assert home.telegram.complaints == []


async def test_a_button_that_was_pressed_long_ago_is_no_fault(home: Home) -> None:
    telegram, pat = home.telegram, home.telegram.user("Pat")
    front = await home.ask(pat, "/help")
    query = await telegram.press(pat, front, LABELS["over_18"], final=False)
    query.at -= 3600
    await until(lambda: len(telegram.privates(pat)) > 1)
    await home.settled()
    assert facts_in(telegram.privates(pat)[1].text) == FACTS["over_18"]
    assert telegram.complaints == []
