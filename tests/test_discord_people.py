"""What anybody may ask of Haven on Discord, from every place in which they can be, as they and others see it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from discord_life import THREAT, Home, account, protect, settled, until
from localdiscord.permissions import Permission
from localdiscord.server import Answer, Channel, Guild, LocalDiscord, Message, Role, User

from bot import advice
from bot.app import open_classifier
from bot.config import Config
from bot.effects import Advice
from bot.people import People
from bot.platforms.discord_bot.turns import OF_ONE
from classifiers.classifier import Classifier

pytestmark = pytest.mark.asyncio(loop_scope="module")

MENU = "Check for blackmail"
PLACES = ("server", "thread", "voice", "elsewhere", "direct", "private", "group")
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
_numbers = count()


class Den:
    """A server of one test: moderators with a channel of their own, and three members, of whom Eve means harm."""

    def __init__(self, home: Home, **policy: object) -> None:
        self.home, discord = home, home.discord
        number = next(_numbers)
        self.guild: Guild = discord.guild(f"Den {number}")
        self.mods: Role = self.guild.role("mods", Permission.MODERATE_MEMBERS)
        self.mo, self.eve, self.sam, self.ann = (
            discord.user(f"{name}{number}") for name in ("mo", "eve", "sam", "ann")
        )
        self.guild.join(self.mo, [self.mods])
        for user in (self.eve, self.sam, self.ann):
            self.guild.join(user)
        self.general: Channel = self.guild.channel("general")
        self.alerts: Channel = self.guild.channel("alerts", private=True)
        if policy.pop("set_up", True):
            protect(home.parts, self.guild, alert_channel=self.alerts.id, **policy)

    def place(self, name: str) -> Channel:
        """Return a channel of a kind in which Sam is with Eve or alone."""
        discord = self.home.discord
        match name:
            case "thread":
                return self.guild.thread(self.general, "a thread", owner=self.sam)
            case "voice":
                return self.guild.channel("talk", kind=2)
            case "elsewhere":
                without = discord.guild("Without Haven", bot_permissions=None)
                for user in (self.eve, self.sam):
                    without.join(user)
                return without.channel("general")
            case "direct":
                return discord.dm(self.sam)
            case "private":
                return discord.group(self.sam, self.eve)
            case "group":
                return discord.group(self.sam, self.eve, self.ann)
        return self.general

    async def threaten(self, target: User | None = None, sender: User | None = None) -> None:
        """Let Eve threaten Sam until Haven is sure, and wait for what follows."""
        target, sender = target or self.sam, sender or self.eve
        channel = self.guild.channel("more")
        for line in THREAT:
            await self.home.discord.write(channel, sender, f"{target.mention} {line}", mentions=[target])
        await settled(self.home.parts)

    def alert(self) -> Message:
        """Return the one alert of this server."""
        (alert,) = self.home.discord.messages(self.alerts)
        return alert

    def told(self) -> list[Message]:
        """Return everything that moderators were told."""
        return self.home.discord.messages(self.alerts)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The bundled classifier."""
    return open_classifier(Config(), Path())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    """One Haven for all tests."""
    async with LocalDiscord() as discord, Home(discord, tmp_path_factory.mktemp("haven"), classifier) as there:
        yield there


@pytest_asyncio.fixture(loop_scope="module")
async def home(shared: Home, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Home]:
    """The shared Haven, which did nothing in public, logged no fault and was refused nothing when a test ends."""
    caplog.set_level(logging.DEBUG, "bot")
    since = len(shared.discord.requests)
    yield shared
    await settled(shared.parts)
    assert shared.in_public(since) == []
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []
    complaints = list(shared.discord.complaints)
    shared.discord.complaints.clear()
    assert complaints == []


def read(answer: Answer) -> str:
    """Return an answer that nobody but the person sees, and that came at once."""
    assert answer.ephemeral, answer
    assert len(answer.shown) == 1
    assert answer.ack_seconds is not None
    assert answer.ack_seconds < 1
    return answer.text


def facts_in(text: str) -> set[str]:
    """Return the names of the numbers and links that stand in a text."""
    known = advice.facts("en-GB")
    return {name for name, fact in known.items() if re.search(rf"(?<!\w){re.escape(fact.value)}(?!\w)", text)}


async def test_commands_are_offered_where_people_need_them(home: Home) -> None:
    discord = home.discord
    commands = {command["name"]: command for command in discord.commands}
    everywhere = {name for name, one in commands.items() if 2 in (one["contexts"] or ()) or one["contexts"] is None}
    assert everywhere == {MENU, "check", "help", "protect", "privacy"}
    for name in everywhere:
        assert sorted(commands[name]["integration_types"]) == [0, 1], name
        assert sorted(commands[name]["contexts"]) == [0, 1, 2], name
        assert commands[name]["default_member_permissions"] is None, name
    assert commands["report"]["integration_types"] == [0]
    assert commands["report"]["contexts"] == [0]
    assert commands["report"]["default_member_permissions"] is None
    assert commands[MENU]["type"] == 3
    for name in ("check", "help", "protect", "privacy", "report"):
        command = commands[name]
        parts = [command, *command.get("options", [])]
        parts += [inner for option in command.get("options", []) for inner in option.get("options", [])]
        assert all(1 <= len(one["description"]) <= 100 for one in parts), name
        assert not command["nsfw"]
    assert [option["name"] for option in commands["protect"]["options"]] == ["on", "off", "status"]
    assert {option["name"]: option.get("required", False) for option in commands["report"]["options"]} == {
        "text": False,
        "member": False,
    }
    assert discord.complaints == []


@pytest.mark.parametrize("place", PLACES)
async def test_check_answers_whoever_asks_wherever_they_are(home: Home, place: str) -> None:
    den = Den(home)
    where = den.place(place)
    answer = await home.discord.slash(den.sam, "check", {"text": BLACKMAIL}, where=where)
    assert read(answer).startswith("This looks like blackmail\n")
    assert "demands money or its like" in answer.text
    assert facts_in(answer.text) == {"police", "emergency"}
    assert answer.buttons == list(LABELS.values())
    page = await home.discord.press(den.sam, answer, "I'm under 18")
    assert facts_in(read(page)) == FACTS["under_18"]
    other = await home.discord.slash(den.ann, "check", {"text": PLAY}, where=den.general)
    assert read(other).startswith("I cannot tell from this\n"), "what one person checks is not read with another's"
    assert home.discord.complaints == []


async def test_check_tells_the_findings_apart(home: Home) -> None:
    discord, den = home.discord, Den(home)
    answers = {
        text: await discord.slash(user, "check", {"text": text}, where="private")
        for user, text in (
            (den.sam, TOLD),
            (den.ann, LINES[1]),
            (den.eve, PLAY),
            (den.mo, CRISIS),
        )
    }
    assert {text: read(answer).splitlines()[0] for text, answer in answers.items()} == {
        TOLD: "You are not alone",
        LINES[1]: "This may be blackmail",
        PLAY: "I cannot tell from this",
        CRISIS: "You are not alone",
    }
    assert all(answer.buttons == list(LABELS.values()) for answer in answers.values())
    first = answers[CRISIS].embeds[0]["description"].split("\n\n")[0]
    assert first.startswith("**Please read this first**\n")
    assert facts_in(first) == {"emergency", "samaritans"}
    assert "Please read this first" not in answers[TOLD].text
    longest = await discord.slash(discord.user("pat"), "check", {"text": f"{BLACKMAIL} " * 90}, where="private")
    assert read(longest).startswith("This looks like blackmail\n")
    empty = await discord.slash(den.eve, "check", {"text": " "}, where="private")
    assert read(empty) == SAYS.nothing_to_check
    assert discord.complaints == []


@pytest.mark.parametrize("place", PLACES)
async def test_menu_reads_the_message_of_another(home: Home, place: str) -> None:
    discord, den = home.discord, Den(home, mode="observe")
    where = den.place(place)
    # in the DM with Haven another's message can only be a forward
    snapshot = BLACKMAIL if place == "direct" else None
    author = den.sam if place == "direct" else den.eve
    message = await discord.write(where, author, "" if snapshot else BLACKMAIL, snapshot=snapshot)
    if place == "direct":
        await until(lambda: discord.dms(den.sam))
    answer = await discord.menu(den.sam, MENU, message)
    assert read(answer).startswith("This looks like blackmail\n")
    assert answer.buttons == list(LABELS.values())
    assert discord.complaints == []


async def test_menu_reads_messages_of_every_kind(home: Home) -> None:
    discord, den = home.discord, Den(home, mode="observe")
    general = den.general

    async def title(who: User, author: User, text: str, **more: object) -> str:
        message = await discord.write(general, author, text, **more)  # type: ignore[arg-type]
        return read(await discord.menu(who, MENU, message)).splitlines()[0]

    assert await title(den.sam, den.sam, TOLD) == "You are not alone"
    assert await title(den.ann, den.sam, TOLD) == "You are not alone", "a friend tells of it"
    assert await title(den.eve, den.eve, BLACKMAIL) == "This looks like blackmail"
    fay, gus, hal = (discord.user(name) for name in ("fay", "gus", "hal"))
    for user in (fay, gus, hal):
        den.guild.join(user)
    assert await title(fay, fay, "", snapshot=BLACKMAIL) == "This looks like blackmail"
    assert await title(gus, discord.user("hook", bot=True), BLACKMAIL, webhook=True) == "This looks like blackmail"
    bot = discord.user("other", bot=True)
    den.guild.join(bot)
    assert await title(hal, bot, BLACKMAIL) == "This looks like blackmail"
    assert discord.complaints == []


@pytest.mark.parametrize("name", ["picture.png", "voice.ogg", "unknown"])
async def test_menu_says_that_it_looks_at_no_pictures(home: Home, name: str) -> None:
    discord, den = home.discord, Den(home)
    message = await discord.write(den.general, den.eve, "", attachments={name: b"x"})
    answer = await discord.menu(den.sam, MENU, message)
    assert read(answer) == SAYS.nothing_to_check
    assert answer.buttons == list(LABELS.values())
    words = await discord.write(den.general, den.eve, BLACKMAIL, attachments={name: b"x"})
    assert read(await discord.menu(den.sam, MENU, words)).startswith("This looks like blackmail\n")
    assert discord.complaints == []


async def test_several_checks_in_a_row_are_one_conversation(home: Home) -> None:
    discord, den = home.discord, Den(home, mode="observe")
    where = den.place("private")
    first, second = [await discord.write(where, den.eve, line) for line in LINES]
    alone = await discord.menu(den.eve, MENU, second)
    assert read(alone).startswith("This may be blackmail\n")
    assert read(await discord.menu(den.sam, MENU, first)).startswith("I cannot tell from this\n")
    assert read(await discord.menu(den.sam, MENU, first)).startswith("I cannot tell from this\n"), "the same again"
    together = await discord.menu(den.sam, MENU, second)
    assert read(together).startswith("This looks like blackmail\n")
    fay = discord.user("fay")
    den.guild.join(fay)
    of_two = [await discord.write(den.general, user, line) for user, line in zip((den.eve, den.mo), LINES, strict=True)]
    for message in of_two:
        said = read(await discord.menu(fay, MENU, message))
        assert not said.startswith("This looks like blackmail\n"), "what two people wrote is not one threat"
    pasted = [await discord.slash(den.ann, "check", {"text": line}, where="private") for line in LINES]
    assert [read(answer).splitlines()[0] for answer in pasted] == [
        "I cannot tell from this",
        "This looks like blackmail",
    ]
    assert discord.complaints == []


@pytest.mark.parametrize("place", PLACES)
async def test_help_has_a_page_for_each_situation(home: Home, place: str) -> None:
    discord, den = home.discord, Den(home)
    front = await discord.slash(den.sam, "help", where=den.place(place))
    assert read(front).startswith("Help from Haven\n")
    assert facts_in(front.text) == FACTS[""]
    assert front.buttons == list(LABELS.values())
    for situation, label in LABELS.items():
        page = await discord.press(den.sam, front, label)
        assert facts_in(read(page)) == FACTS[situation], label
        assert page.embeds[0]["title"] == advice.situation("en-GB", situation).title
    assert read(front).startswith("Help from Haven\n"), "the pages do not replace the first"
    assert discord.complaints == []


@pytest.mark.parametrize("place", PLACES)
async def test_protect_keeps_the_choice(home: Home, place: str) -> None:
    discord, den = home.discord, Den(home)
    where = den.place(place)
    said = {}
    for command in ("status", "on", "status", "off", "status", "on"):
        said[command] = read(await discord.slash(den.sam, f"protect {command}", where=where))
        if command == "status":
            said[f"status {home.parts.people.protected(account(den.sam))}"] = said[command]
    assert said["status None"] == SAYS.protect_unset
    assert said["on"] == said["status True"] == SAYS.protect_on
    assert said["off"] == said["status False"] == SAYS.protect_off
    assert home.parts.people.protected(account(den.sam)) is True
    assert home.parts.people.protected(account(den.eve)) is None
    assert discord.complaints == []


async def test_who_is_not_to_be_written_to_is_not(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await discord.slash(den.sam, "protect off", where="private")
    await den.threaten()
    assert discord.dms(den.sam) == []
    assert f"{den.sam.mention}: {BECAME[Advice.DECLINED]}" in den.alert().text
    await discord.slash(den.sam, "protect on", where="private")
    await den.threaten(sender=den.ann)
    assert [message.embeds[0]["title"] for message in discord.dms(den.sam)] == ["A private message from Haven"]
    assert discord.complaints == []


@pytest.mark.parametrize("place", PLACES)
async def test_privacy_shows_what_is_kept_and_erases_it_when_confirmed(home: Home, place: str) -> None:
    discord, den = home.discord, Den(home, retention_days=12)
    await den.threaten()
    assert "40" in den.alert().text
    where = den.place(place)
    answer = await discord.slash(den.sam, "privacy", where=where)
    assert read(answer) == SAYS.privacy.format(days=12 if where.guild is den.guild else 30)
    assert answer.buttons == [SAYS.export_button, SAYS.delete_button]
    shown = await discord.press(den.sam, answer, SAYS.export_button)
    assert read(shown) == SAYS.exported
    assert list(shown.files) == ["haven-about-me.json"]
    held = json.loads(shown.files["haven-about-me.json"])
    assert held["account"] == {"platform": "discord", "id": den.sam.id}
    assert held["private_messages"] == "not chosen"
    assert held["last_written_to"] is not None
    (case,) = held["cases"]
    assert case["community"] == den.guild.id
    assert case["kind"] == "threat"
    assert case["warning"] == ["delivered"]
    assert case["your_words"] == []
    assert den.eve.id not in shown.files["haven-about-me.json"].decode(), "who threatens is not theirs to be told"
    confirm = await discord.press(den.sam, answer, SAYS.delete_button)
    assert read(confirm) == SAYS.delete_sure
    assert confirm.buttons == [SAYS.delete_sure_button]
    await settled(home.parts)
    assert den.sam.id in den.alert().text, "nothing is erased before it is confirmed"
    done = await discord.press(den.sam, confirm, SAYS.delete_sure_button)
    assert read(done) == SAYS.deleted
    await settled(home.parts)
    alert = den.alert().text
    assert den.sam.id not in alert
    assert "||" not in alert
    assert den.eve.id in alert, "the case about the sender stays"
    again = await discord.press(den.sam, answer, SAYS.export_button)
    left = json.loads(again.files["haven-about-me.json"])
    assert (left["cases"], left["last_written_to"]) == ([], held["last_written_to"])
    assert discord.complaints == []


async def test_export_says_nothing_to_a_sender(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await den.threaten()
    await discord.slash(den.ann, "report", {"text": "she does it to me", "member": den.eve}, where=den.general)
    await settled(home.parts)
    for user in (den.eve, discord.user("stranger")):
        answer = await discord.slash(user, "privacy", where="private")
        shown = await discord.press(user, answer, SAYS.export_button)
        assert json.loads(shown.files["haven-about-me.json"]) == {
            "account": {"platform": "discord", "id": user.id},
            "private_messages": "not chosen",
            "last_written_to": None,
            "cases": [],
        }
    confirm = await discord.press(den.eve, await discord.slash(den.eve, "privacy", where="private"), SAYS.delete_button)
    await discord.press(den.eve, confirm, SAYS.delete_sure_button)
    await settled(home.parts)
    threat, report = den.told()
    assert den.eve.id in threat.text
    assert den.eve.id in report.text, "a sender cannot erase the traces"
    assert "||" in threat.text
    assert discord.complaints == []


async def test_delete_keeps_the_choice_and_takes_ones_own_words_from_the_alerts(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await discord.slash(den.sam, "protect off", where="private")
    await discord.slash(den.sam, "report", {"text": "he has wilmslow pictures of me"}, where=den.general)
    await settled(home.parts)
    assert "wilmslow" in den.alert().text
    answer = await discord.slash(den.sam, "privacy", where="private")
    confirm = await discord.press(den.sam, answer, SAYS.delete_button)
    await discord.press(den.sam, confirm, SAYS.delete_sure_button)
    await settled(home.parts)
    assert "wilmslow" not in den.alert().text
    assert den.sam.id not in den.alert().text
    assert home.parts.people.protected(account(den.sam)) is False
    assert home.parts.store.cases_naming(account(den.sam)) == []
    assert home.parts.store.latest_cases(den.guild.id, 1) == [], "not even an empty case is left"
    assert den.alert().buttons == []
    assert discord.complaints == []


@pytest.mark.parametrize(
    ("text", "accused"), [("she wants money", True), ("it is bad", False), ("", True), ("", False)]
)
async def test_report_reaches_the_moderators_at_once(home: Home, text: str, accused: bool) -> None:
    discord, den = home.discord, Den(home)
    given: dict[str, object] = {"text": text} if text else {}
    given |= {"member": den.eve} if accused else {}
    answer = await discord.slash(den.sam, "report", given, where=den.general)
    assert read(answer).startswith(SAYS.reported)
    assert facts_in(answer.text) == FACTS[""]
    assert answer.buttons == list(LABELS.values())
    await settled(home.parts)
    alert = den.alert()
    assert alert.embeds[0]["title"] == "A member asks the moderators for help"
    assert den.sam.mention in alert.text
    assert (den.eve.mention in alert.text) is accused
    assert (f"||{text}||" in alert.text) is bool(text)
    assert f"{den.sam.mention}: {BECAME[Advice.ASKED]}" in alert.text
    assert ("Ban" in alert.buttons) is accused
    assert alert.mention_roles == []
    assert alert.mentions == []
    assert discord.dms(den.sam) == discord.dms(den.eve) == [], "the advice was the answer; nobody else is written to"
    assert discord.complaints == []


@pytest.mark.parametrize("how", ["moderator", "owner", "chosen", "waiting"])
async def test_a_report_about_somebody_who_reads_the_alerts_is_not_filed(home: Home, how: str) -> None:
    discord, den = home.discord, Den(home)
    about = {"owner": den.guild.owner, "chosen": den.eve}.get(how, den.mo)
    if how == "chosen":
        den.alerts.allow(den.eve, Permission.VIEW_CHANNEL)
    elif how == "waiting":  # what Haven lacks now it may have later
        den.alerts.deny(den.guild.bot_role, Permission.EMBED_LINKS)
    await discord.heard()
    before = home.stored()
    answer = await discord.slash(den.sam, "report", {"text": "help me", "member": about}, where=den.general)
    assert read(answer).startswith(SAYS.report_moderator)
    assert facts_in(answer.text) == FACTS[""]
    assert answer.buttons == list(LABELS.values())
    assert home.stored() == before
    await discord.slash(den.sam, "report", {"text": "help me"}, where=den.general)
    if how == "waiting":
        den.alerts.allow(den.guild.bot_role, Permission.EMBED_LINKS)
        await discord.heard()
        home.parts.set_up(den.guild.id, account(den.mo), {"mode": "advise"})
        home.parts.outbox.wake()
    await settled(home.parts)
    assert "help me" in den.alert().text, "without a name it is"
    assert discord.complaints == []


async def test_report_pages_the_role_and_disarms_the_words(home: Home) -> None:
    discord, den = home.discord, Den(home)
    protect(home.parts, den.guild, page_role=den.mods.id)
    words = f"@everyone {den.eve.mention} || [x](https://example.org) i want to kill myself"
    await discord.slash(den.sam, "report", {"text": words}, where=den.general)
    await settled(home.parts)
    alert = den.alert()
    assert alert.mention_roles == [den.mods]
    assert (alert.mentions, alert.mention_everyone) == ([], False)
    assert "Signs of despair" in alert.text
    assert f"{den.eve.mention} ||" not in alert.text
    assert "](https://example.org)" not in alert.text
    assert discord.complaints == []


async def test_reports_are_three_an_hour(home: Home) -> None:
    discord, den = home.discord, Den(home)
    said = [
        read(await discord.slash(den.sam, "report", {"text": f"report {number}"}, where=den.general))
        for number in range(4)
    ]
    assert [text.startswith(SAYS.reported) for text in said] == [True] * 3 + [False]
    assert said[3].startswith(SAYS.report_too_many)
    assert facts_in(said[3]) == FACTS[""]
    other = await discord.slash(den.ann, "report", {"text": "mine"}, where=den.general)
    assert read(other).startswith(SAYS.reported)
    await settled(home.parts)
    assert len(den.told()) == 4
    assert discord.complaints == []


async def test_report_before_the_server_is_set_up(home: Home) -> None:
    discord, den = home.discord, Den(home, set_up=False)
    before = home.stored()
    answer = await discord.slash(den.sam, "report", {"text": "help me"}, where=den.general)
    assert read(answer).startswith(SAYS.report_not_set_up)
    assert facts_in(answer.text) == FACTS[""]
    assert answer.buttons == list(LABELS.values())
    assert home.stored() == before
    assert discord.complaints == []


async def test_the_private_warning_has_every_button(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await den.threaten()
    (warning,) = discord.dms(den.sam)
    assert warning.buttons == [*LABELS.values(), SAYS.not_me_button, SAYS.stop_button]
    for situation, label in LABELS.items():
        assert facts_in(read(await discord.press(den.sam, warning, label))) == FACTS[situation], label
    assert f"{den.sam.mention}: {BECAME[Advice.DELIVERED]}" in den.alert().text
    answer = await discord.press(den.sam, warning, SAYS.not_me_button)
    assert read(answer) == SAYS.not_me
    await settled(home.parts)
    assert f"{den.sam.mention}: {BECAME[Advice.DISPUTED]}" in den.alert().text
    assert len(den.told()) == 1, "the alert is edited in place"
    twice = await discord.press(den.sam, warning, SAYS.not_me_button)
    assert read(twice) == answer.text
    stop = await discord.press(den.sam, warning, SAYS.stop_button)
    assert read(stop) == SAYS.stop
    assert home.parts.people.protected(account(den.sam)) is False
    await settled(home.parts)
    await den.threaten(sender=den.ann)
    assert len(discord.dms(den.sam)) == 1
    assert f"{den.sam.mention}: {BECAME[Advice.DECLINED]}" in den.told()[1].text
    assert discord.complaints == []


async def test_who_was_not_warned_cannot_disclaim_for_another(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await den.threaten()
    await den.threaten(target=den.mo, sender=den.ann)
    (first,), (second,) = discord.dms(den.sam), discord.dms(den.mo)
    second.components = first.components  # as if Mo pressed the button of Sam's warning
    await discord.press(den.mo, second, SAYS.not_me_button)
    await settled(home.parts)
    assert not any(BECAME[Advice.DISPUTED] in alert.text for alert in den.told())
    assert discord.complaints == []


async def test_direct_messages_are_checked(home: Home) -> None:
    discord, den = home.discord, Den(home)

    async def answered(user: User, text: str, **more: object) -> Message:
        before = len(discord.dms(user))
        await discord.write(discord.dm(user), user, text, **more)  # type: ignore[arg-type]
        await until(lambda: len(discord.dms(user)) > before)
        (answer,) = discord.dms(user)[before:]
        assert answer.buttons == list(LABELS.values())
        return answer

    assert (await answered(den.sam, BLACKMAIL)).text.startswith("This looks like blackmail\n")
    assert (await answered(den.ann, "", snapshot=BLACKMAIL)).text.startswith("This looks like blackmail\n")
    assert (await answered(den.mo, PLAY)).text.startswith("I cannot tell from this\n")
    picture = await answered(den.mo, "", attachments={"picture.png": b"png"})
    assert picture.text == SAYS.nothing_to_check
    crisis = await answered(den.eve, CRISIS)
    assert crisis.embeds[0]["description"].startswith("**Please read this first**\n")
    page = await discord.press(den.eve, crisis, "I'm 18 or over")
    assert facts_in(read(page)) == FACTS["over_18"]
    stranger = discord.user("installed")
    stranger.installed = True
    assert (await answered(stranger, TOLD)).text.startswith("You are not alone\n")
    assert discord.complaints == []


async def test_direct_messages_that_get_no_answer(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    discord, den = home.discord, Den(home)
    robot = discord.user("robot", bot=True)
    since = len(discord.requests)
    await discord.write(discord.dm(robot), robot, BLACKMAIL)
    discord.closes_dms(den.ann)
    await discord.write(discord.dm(den.ann), den.ann, BLACKMAIL)
    await until(lambda: "a private check was not answered (50007)" in caplog.text)
    await discord.write(discord.dm(den.sam), den.sam, "", type=6)  # "pinned a message"
    await discord.write(discord.dm(den.sam), den.sam, PLAY)
    await until(lambda: discord.dms(den.sam))
    sent = [one.channel_id for one in discord.requests[since:] if one.route == "/channels/{channel_id}/messages"]
    assert sent == [discord.dm(den.ann).id, discord.dm(den.sam).id]
    assert discord.complaints == []


async def test_a_flood_of_direct_messages_is_answered_in_part_and_delays_no_alert(home: Home) -> None:
    discord, den, left_out = home.discord, Den(home), home.parts.inbox.left_out
    before, writers = left_out["discord", "flood"], [discord.user(f"flooder{number}") for number in range(25)]
    said = [(user, f"{BLACKMAIL} {number} " * 10) for user in (den.eve, den.eve, *writers) for number in range(OF_ONE)]
    await asyncio.gather(*(discord.write(discord.dm(user), user, text) for user, text in said))
    await asyncio.wait_for(den.threaten(), 5)
    assert den.sam.mention in den.alert().text

    def settled_so_far() -> int:
        return sum(len(discord.dms(one)) for one in (den.eve, *writers)) + left_out["discord", "flood"] - before

    await until(lambda: settled_so_far() == len(said))
    assert left_out["discord", "flood"] > before
    answered = len(discord.dms(den.eve))
    await discord.write(discord.dm(den.eve), den.eve, PLAY)
    await until(lambda: len(discord.dms(den.eve)) > answered)
    assert discord.complaints == []


async def test_who_asks_too_much_at_once_is_told(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await discord.slash(den.sam, "help", where=den.general)
    asked = [discord.slash(den.sam, "check", {"text": BLACKMAIL * 20}, where=den.general) for _ in range(3 * OF_ONE)]
    answered = [read(answer) for answer in await asyncio.gather(*asked)]
    busy = [text for text in answered if text.startswith("Too much is asked at the moment")]
    assert 0 < len(busy) <= 2 * OF_ONE
    assert sum(text.startswith("This looks like blackmail") for text in answered) == len(answered) - len(busy)
    assert discord.complaints == []


async def test_nothing_of_a_check_is_kept(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    discord, den = home.discord, Den(home)
    canary, since = f"quixotic-wilmslow {BLACKMAIL}", len(discord.requests)
    message = await discord.write(den.place("private"), den.eve, canary)
    await settled(home.parts)
    before = home.stored()
    assert read(await discord.menu(den.sam, MENU, message)).startswith("This looks like blackmail\n")
    await discord.slash(den.sam, "check", {"text": canary}, where=den.general)
    await discord.slash(den.sam, "check", {"text": canary}, where="private")
    await discord.write(discord.dm(den.sam), den.sam, canary)
    await discord.write(discord.dm(den.sam), den.sam, "", snapshot=canary)
    await until(lambda: len(discord.dms(den.sam)) == 2)
    await settled(home.parts)
    assert home.stored() == before
    assert not any(b"wilmslow" in file.read_bytes() for file in home.folder.iterdir())
    assert "wilmslow" not in caplog.text
    answers = [one for one in discord.requests[since:] if "wilmslow" in json.dumps(one.json)]
    assert answers == [], "no answer repeats what was shown"
    assert den.told() == []
    assert discord.complaints == []


async def test_answers_come_at_once_in_a_flood(home: Home) -> None:
    discord, den = home.discord, Den(home, mode="observe")
    await discord.slash(den.sam, "help", where=den.general)
    writers = [den.eve, den.ann, den.mo]

    async def write(number: int) -> None:
        await discord.write(den.general, writers[number % 3], f"did anybody see the match? it was {number} to nil")

    async def flood() -> None:
        for start in range(0, 2_000, 100):
            await asyncio.gather(*map(write, range(start, start + 100)))

    flooding = asyncio.create_task(flood())
    asked: list[Answer] = []
    while not flooding.done() or home.parts.inbox.waiting:
        asked.append(await discord.slash(den.sam, "check", {"text": BLACKMAIL}, where=den.general))
        asked.append(await discord.slash(den.sam, "help", where=den.general))
        asked.append(await discord.press(den.sam, asked[-1], "I already paid"))
        asked.append(await discord.slash(den.sam, "protect status", where="private"))
        asked.append(await discord.press(den.sam, await discord.slash(den.sam, "privacy"), SAYS.export_button))
    await flooding
    assert len(asked) >= 10, "the flood was over too soon"
    for answer in asked:
        read(answer)
    assert discord.complaints == []


async def test_a_fault_is_answered_in_private_with_the_numbers(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    discord, den = home.discord, Den(home)
    for method, route in (
        ("POST", "/interactions/{interaction_id}/{interaction_token}/callback"),
        ("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original"),
    ):
        discord.fail(method, route, status=400, code=50035)
        answer = await discord.slash(den.sam, "check", {"text": f"wilmslow {BLACKMAIL}"}, where=den.general)
        assert read(answer) == SAYS.failed
        assert facts_in(answer.text) == {"police", "emergency"}
    faults = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert faults == ["discord: a request failed (HTTPException)"] * 2
    assert "wilmslow" not in caplog.text
    caplog.clear()
    assert discord.complaints == []


async def test_a_direct_message_whose_check_fails_is_answered_with_the_numbers(
    home: Home, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"wilmslow {BLACKMAIL}")

    discord, den = home.discord, Den(home)
    with monkeypatch.context() as patched:
        patched.setattr(People, "check", broken)
        await discord.write(discord.dm(den.sam), den.sam, f"wilmslow {BLACKMAIL}")
        await until(lambda: discord.dms(den.sam))
    (answer,) = discord.dms(den.sam)
    assert answer.text == SAYS.failed
    assert facts_in(answer.text) == {"police", "emergency"}
    assert answer.buttons == list(LABELS.values())
    faults = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert faults == ["discord: a private check failed (RuntimeError)"]
    assert "wilmslow" not in caplog.text
    caplog.clear()
    assert discord.complaints == []


async def test_a_page_of_another_version_is_answered(home: Home) -> None:
    discord, den = home.discord, Den(home)
    front = await discord.slash(den.sam, "help", where=den.general)
    front.message.components[0]["components"][0]["custom_id"] = "haven:help:over_60"
    answer = await discord.press(den.sam, front, "I'm under 18")
    assert read(answer) == "This button is from another version of Haven: type /help for the advice."
    assert discord.complaints == []


async def test_every_button_works_after_a_restart(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await den.threaten()
    (warning,) = discord.dms(den.sam)
    check = await discord.slash(den.ann, "check", {"text": BLACKMAIL}, where=den.general)
    front = await discord.slash(den.ann, "help", where=den.place("group"))
    privacy = await discord.slash(den.ann, "privacy", where=den.general)
    confirm = await discord.press(den.ann, privacy, SAYS.delete_button)
    await home.restart()
    for shown, user in ((warning, den.sam), (check, den.ann), (front, den.ann)):
        for situation, label in LABELS.items():
            assert facts_in(read(await discord.press(user, shown, label))) == FACTS[situation], label
    assert read(await discord.press(den.ann, privacy, SAYS.export_button)) == SAYS.exported
    assert read(await discord.press(den.ann, privacy, SAYS.delete_button)) == confirm.text
    assert read(await discord.press(den.ann, confirm, SAYS.delete_sure_button)) == SAYS.deleted
    assert read(await discord.press(den.sam, warning, SAYS.not_me_button)) == SAYS.not_me
    assert read(await discord.press(den.sam, warning, SAYS.stop_button)) == SAYS.stop
    await settled(home.parts)
    assert BECAME[Advice.DISPUTED] in den.alert().text
    assert home.parts.people.protected(account(den.sam)) is False
    await den.threaten(target=den.ann)
    assert len(discord.dms(den.ann)) == 1
    assert discord.complaints == []
