"""The buttons under an alert on Discord: what each does, and what is refused, to whom and how."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from discord_life import THREAT, Home, account, protect, settled
from localdiscord.permissions import BOT, Permission
from localdiscord.server import Answer, Channel, Guild, LocalDiscord, Message, Role, User

from bot import advice
from bot.app import open_classifier
from bot.case import Case
from bot.config import Config
from bot.effects import Act, Advice, Ruling
from classifiers.assessment import Kind
from classifiers.classifier import Classifier

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIRM, DISMISS, ADVISE, NOTE = "Confirm", "Not sextortion", "Send private advice", "Note"
TIME_OUT, BAN, DELETE = "Time out the sender", "Ban", "Delete the messages"
BUTTONS = [CONFIRM, DISMISS, ADVISE, NOTE, TIME_OUT, BAN, DELETE]
SURE = {BAN: "Yes, ban", DELETE: "Yes, delete"}
ELSE = "There is nothing more to send to whom the alert names. To whom else should Haven send the private advice?"
ACTS = {CONFIRM: "confirm", DISMISS: "dismiss", ADVISE: "advise", NOTE: "note", TIME_OUT: "timeout"}
ACTS |= {BAN: "ban_yes", DELETE: "delete_yes"}
RIGHTS = {
    "moderate_members": Permission.MODERATE_MEMBERS,
    "ban_members": Permission.BAN_MEMBERS,
    "manage_messages": Permission.MANAGE_MESSAGES,
}
NEEDS = dict.fromkeys((CONFIRM, DISMISS, ADVISE, NOTE, TIME_OUT), Permission.MODERATE_MEMBERS)
NEEDS |= {BAN: Permission.BAN_MEMBERS, DELETE: Permission.MANAGE_MESSAGES}
ALL = Permission.MODERATE_MEMBERS | Permission.BAN_MEMBERS | Permission.MANAGE_MESSAGES
UNCLEAR = (  # said to nobody in particular
    "i recorded our video call. i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family",
    "pay me now or i send your nudes to everyone you know",
)
SAID = advice.on_alert("en-GB")
TO_DO = advice.guidance("en-GB", kind=Kind.THREAT, crisis=False).title
BAN_ROUTE = "/guilds/{guild_id}/bans/{user_id}"
MEMBER_ROUTE = "/guilds/{guild_id}/members/{user_id}"
MESSAGE_ROUTE = "/channels/{channel_id}/messages/{message_id}"
_numbers = count()


class Den:
    """A server of one test, in which Eve threatens Sam; Mo and Max moderate it."""

    def __init__(self, home: Home, *, bot_permissions: int = BOT, **policy: object) -> None:
        self.home, discord = home, home.discord
        number = next(_numbers)
        names = ("owner", "mo", "max", "eve", "sam", "ann")
        self.owner, self.mo, self.max, self.eve, self.sam, self.ann = (discord.user(f"{n}{number}") for n in names)
        self.guild: Guild = discord.guild(f"Den {number}", self.owner, bot_permissions=bot_permissions)
        self.members: Role = self.guild.role("members")
        self.mods: Role = self.guild.role("mods", ALL)
        for user, role in ((self.mo, self.mods), (self.max, self.mods), (self.eve, self.members)):
            self.guild.join(user, [role])
        for user in (self.sam, self.ann):
            self.guild.join(user)
        self.general: Channel = self.guild.channel("general")
        self.alerts: Channel = self.guild.channel("alerts", private=True)
        protect(home.parts, self.guild, alert_channel=self.alerts.id, **policy)
        self.written: list[Message] = []

    async def threatened(self, sender: User | None = None, where: Channel | None = None) -> Den:
        """Let Eve threaten Sam until Haven is sure, and wait for the alert."""
        for line in THREAT:
            self.written.append(
                await self.home.discord.write(
                    where or self.general, sender or self.eve, f"{self.sam.mention} {line}", mentions=[self.sam]
                )
            )
        await settled(self.home.parts)
        assert self.alert.buttons == BUTTONS
        return self

    async def unclear(self) -> Den:
        """Let Eve threaten somebody whom she does not name, among several people."""
        discord = self.home.discord
        for user, line in ((self.sam, "hey all"), (self.ann, "hi there, how are you?"), (self.sam, "good good")):
            await discord.write(self.general, user, line)
        for line in UNCLEAR:
            self.written.append(await discord.write(self.general, self.eve, line))
        await settled(self.home.parts)
        return self

    @property
    def alert(self) -> Message:
        """The one alert of this server, which is edited in place."""
        (alert,) = self.home.discord.messages(self.alerts)
        return alert

    @property
    def case(self) -> Case:
        """The one case of this server."""
        (case,) = self.home.parts.moderation.cases(self.guild.id)
        return case

    def trail(self) -> list[tuple[str, str]]:
        """Return who did what about the case."""
        lines = self.home.parts.records.trail(self.guild.id, self.case.id)
        return [(line.actor.id if line.actor else "", line.act) for line in lines]

    def did(self, user: User, *acts: str) -> bool:
        """Return whether the trail says that somebody did something, and nothing else."""
        return self.trail() == [(user.id, act) for act in acts]

    def shows(self, *acts: Act) -> bool:
        """Return whether the alert says that something was done, and nothing else."""
        shown = {one["name"]: one["value"] for one in self.alert.embeds[0]["fields"]}
        return shown.get("What moderators did") == (", ".join(SAID.acts[act] for act in acts) or None)

    def ruled_out(self) -> bool:
        """Return whether the alert says that it is none, and nothing of what to do about it any more."""
        embed = self.alert.embeds[0]
        to_do = [one["name"] for one in embed["fields"] if one["name"] == TO_DO]
        assert ("Ruled not to be" in embed["title"]) is (not to_do), "either, and never both"
        return not to_do

    async def press(self, user: User, button: str) -> str:
        """Press a button of the alert and what it asks to confirm; return the answer, when the alert shows it."""
        discord = self.home.discord
        answer = await discord.press(user, self.alert, button)
        if answer.modal:
            answer = await discord.submit(user, answer, {"Note": "seen before"})
        if SURE.get(button) in answer.buttons:
            answer = await discord.press(user, answer, SURE[button])
        await settled(self.home.parts)
        return read(answer)

    async def craft(self, user: User, custom_id: str, on: Message | None = None) -> Answer:
        """Press a button that has another id than Haven gave it."""
        message = on or self.alert
        component = message.components[0]["components"][0]
        given = dict(component)
        component |= {"custom_id": custom_id, "disabled": False}
        try:
            return await self.home.discord.press(user, message, custom_id)
        finally:
            component |= given

    def untouched(self) -> bool:
        """Return whether nothing was done, nothing said and nothing written down but attempts."""
        eve = self.guild.members.get(self.eve.id)
        return (
            not self.guild.bans
            and not (eve and eve.timed_out_until)
            and not any(message.deleted for message in self.written)
            and self.trail() == []
            and self.case.ruling is None
            and self.case.acts == ()
            and self.shows()
        )


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
    """The shared Haven, which said nothing in public, logged no fault and was refused nothing when a test ends."""
    since = len(shared.discord.requests)
    yield shared
    await settled(shared.parts)
    assert [said for said in shared.in_public(since) if not said.startswith(("DELETE ", "GET "))] == []
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []
    complaints = list(shared.discord.complaints)
    shared.discord.complaints.clear()
    assert complaints == []


def read(answer: Answer) -> str:
    """Return an answer that nobody but the moderator sees, and that came at once."""
    assert answer.ephemeral, answer
    assert len(answer.shown) == 1
    assert answer.ack_seconds is not None
    assert answer.ack_seconds < 1
    return answer.text


def refused(text: str, *words: str) -> bool:
    """Return whether an answer is one kind line that has all the words, and no apology for a fault."""
    line = "\n" not in text and len(text) < 150 and text[0].isupper() and text.endswith(".")
    return line and "went wrong" not in text and "Error" not in text and all(word in text for word in words)


@pytest.mark.parametrize(
    ("button", "ruling", "act"),
    [(CONFIRM, Ruling.CONFIRMED, Act.CONFIRMED), (DISMISS, Ruling.NOT_SEXTORTION, Act.NOT_SEXTORTION)],
)
async def test_rulings(home: Home, button: str, ruling: Ruling, act: Act) -> None:
    den = await Den(home).threatened()
    before = den.alert
    assert (await den.press(den.mo, button)).startswith("Noted")
    assert den.case.ruling is ruling
    assert den.did(den.mo, act)
    assert den.alert is before
    assert den.shows(act)
    assert den.ruled_out() is (button == DISMISS)
    enabled = {one["label"]: not one.get("disabled") for row in den.alert.components for one in row["components"]}
    assert [label for label, can in enabled.items() if not can] == [button]
    other = DISMISS if button == CONFIRM else CONFIRM
    assert (await den.press(den.max, other)).startswith("Noted")
    assert den.case.ruling is not ruling
    assert len(den.trail()) == 2
    assert den.ruled_out() is (other == DISMISS)
    assert home.discord.complaints == []


async def test_advice_by_a_moderator(home: Home) -> None:
    discord, den = home.discord, await Den(home, advice_by="moderator").threatened()
    assert discord.dms(den.sam) == []
    assert SAID.advice[Advice.WAITING] in den.alert.text
    assert "on its way" in await den.press(den.mo, ADVISE)
    (warning,) = discord.dms(den.sam)
    assert warning.embeds[0]["title"] == "A private message from Haven"
    assert f"{den.sam.mention}: {SAID.advice[Advice.DELIVERED]}" in den.alert.text
    assert den.did(den.mo, Act.ADVISED)
    late = await den.craft(den.max, f"haven:advise:{den.case.id}")
    assert read(late) == ELSE
    assert len(discord.dms(den.sam)) == 1
    assert den.did(den.mo, Act.ADVISED)
    assert discord.complaints == []


async def test_advice_to_somebody_else_than_whom_haven_took_for_the_target(home: Home) -> None:
    discord, den = home.discord, await Den(home).threatened()
    assert [len(discord.dms(one)) for one in (den.sam, den.ann)] == [1, 0]
    answer = await discord.press(den.mo, den.alert, ADVISE)
    assert read(answer) == ELSE
    for wrong in (den.sam, den.eve):
        assert refused(
            read(await discord.choose(den.mo, answer, "Whom is it aimed at?", [wrong])), "nobody to write to"
        )
    assert "on its way" in read(await discord.choose(den.mo, answer, "Whom is it aimed at?", [den.ann]))
    await settled(home.parts)
    assert [len(discord.dms(one)) for one in (den.sam, den.ann)] == [1, 1]
    assert f"{den.ann.mention}: {SAID.advice[Advice.DELIVERED]}" in den.alert.text
    assert discord.complaints == []


async def test_advice_to_whom_the_moderator_picks(home: Home) -> None:
    discord, den = home.discord, await Den(home).unclear()
    assert den.case.targets == ()
    assert den.case.likely in (account(den.sam), account(den.ann))
    answer = await discord.press(den.mo, den.alert, ADVISE)
    assert read(answer) == "To whom should Haven send the private advice?"
    (menu,) = [one for row in answer.components for one in row["components"]]
    assert menu["type"] == 5
    assert [one["id"] for one in menu["default_values"]] == [den.case.likely and den.case.likely.id]
    assert den.trail() == []
    robot = discord.user("robot", bot=True)
    den.guild.join(robot)
    for wrong, words in (
        (robot, "a member of this server who is not a bot"),
        (discord.user("stranger"), "a member of this server"),
        (den.eve, "who threatens"),
    ):
        chosen = await discord.choose(den.mo, answer, "Whom is it aimed at?", [wrong])
        assert refused(read(chosen), words)
        assert discord.dms(wrong) == []
    assert den.trail() == []
    assert den.case.targets == ()
    chosen = await discord.choose(den.mo, answer, "Whom is it aimed at?", [den.ann])
    assert "on its way" in read(chosen)
    await settled(home.parts)
    assert len(discord.dms(den.ann)) == 1
    assert f"{den.ann.mention}: {SAID.advice[Advice.DELIVERED]}" in den.alert.text
    assert den.did(den.mo, Act.ADVISED)
    again = await discord.choose(den.mo, answer, "Whom is it aimed at?", [den.ann])
    assert refused(read(again), "There is nobody to write to")
    assert len(discord.dms(den.ann)) == 1
    assert discord.complaints == []


async def test_advice_is_not_sent_to_who_declined(home: Home) -> None:
    discord, den = home.discord, await Den(home, advice_by="moderator").threatened()
    await discord.slash(den.sam, "protect off", where="private")
    assert refused(await den.press(den.mo, ADVISE), "asked not to be written to")
    assert discord.dms(den.sam) == []
    assert f"{den.sam.mention}: {SAID.advice[Advice.DECLINED]}" in den.alert.text
    assert discord.complaints == []


async def test_advice_to_who_accepts_no_messages(home: Home) -> None:
    discord, den = home.discord, await Den(home, advice_by="moderator").threatened()
    discord.closes_dms(den.sam)
    assert "The alert shows whether it arrives" in await den.press(den.mo, ADVISE)
    assert f"{den.sam.mention}: {SAID.advice[Advice.REFUSED]}" in den.alert.text
    assert discord.complaints == []


async def test_nobody_is_advised_in_place_of_the_accused(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await discord.slash(den.sam, "report", {"text": "she wants money", "member": den.eve}, where=den.general)
    await settled(home.parts)
    component = den.alert.components[0]["components"][0]
    den.alert.components.append(
        {"type": 1, "id": 98, "components": [{"type": 5, "id": 99, "custom_id": f"haven_whom:{den.case.id}"}]}
    )
    den.alert.components[-1]["components"][0] |= {"min_values": 1, "max_values": 1}
    chosen = await discord.choose(den.mo, den.alert, f"haven_whom:{den.case.id}", [den.eve])
    assert refused(read(chosen), "who threatens")
    await settled(home.parts)
    assert component["label"] == CONFIRM
    assert discord.dms(den.eve) == []
    assert den.trail() == []
    assert discord.complaints == []


async def test_notes_are_in_the_history(home: Home) -> None:
    discord, den = home.discord, await Den(home).threatened()
    modal = await discord.press(den.mo, den.alert, NOTE)
    assert modal.modal
    assert modal.modal["title"] == "A note for this case"
    assert den.trail() == [], "nothing is noted before it is sent"
    other = await discord.press(den.max, den.alert, NOTE)
    first = await discord.submit(den.mo, modal, {"Note": "the third this week\n@everyone ||"})
    second = await discord.submit(den.max, other, {"Note": "x" * 1000})
    assert read(first) == read(second) == "Kept. /case shows it."
    await settled(home.parts)
    assert den.trail() == [(den.mo.id, Act.NOTED), (den.max.id, Act.NOTED)]
    notes = [(event.actor, event.note) for event in home.parts.moderation.history(den.guild.id, den.case.id)]
    assert [(by, note) for by, note in notes if note] == [
        (account(den.mo), "the third this week\n@everyone ||"),
        (account(den.max), "x" * 1000),
    ]
    assert den.shows(Act.NOTED)
    assert "third" not in den.alert.text
    assert discord.complaints == []


async def test_time_out(home: Home) -> None:
    discord, den = home.discord, await Den(home).threatened()
    before = datetime.now(UTC)
    assert await den.press(den.mo, TIME_OUT) == f"{den.eve.mention} is timed out for 24 hours."
    until = den.guild.members[den.eve.id].timed_out_until
    assert until
    assert timedelta(hours=23, minutes=59) < until - before < timedelta(hours=24, minutes=1)
    assert den.did(den.mo, "timed_out?", Act.TIMED_OUT)
    assert den.shows(Act.TIMED_OUT)
    (request,) = [r for r in discord.asked("PATCH", MEMBER_ROUTE) if den.eve.id in r.path]
    assert request.reason == f"Haven case {den.case.id}, by {den.mo.id}"
    assert discord.dms(den.eve) == []
    assert discord.complaints == []


async def test_a_longer_time_out_is_not_shortened(home: Home) -> None:
    den = await Den(home).threatened()
    until = datetime.now(UTC) + timedelta(days=7)
    den.guild.members[den.eve.id].timed_out_until = until
    assert refused(await den.press(den.mo, TIME_OUT), "timed out for longer")
    assert den.guild.members[den.eve.id].timed_out_until == until
    assert den.trail() == []
    assert home.discord.complaints == []


async def test_ban_asks_first(home: Home) -> None:
    discord, den = home.discord, await Den(home).threatened()
    answer = await discord.press(den.mo, den.alert, BAN)
    assert read(answer).startswith(f"Ban {den.eve.mention}?")
    assert answer.buttons == ["Yes, ban"]
    await settled(home.parts)
    assert den.untouched()
    done = await discord.press(den.mo, answer, "Yes, ban")
    assert read(done) == f"{den.eve.mention} is banned."
    await settled(home.parts)
    (ban,) = den.guild.bans.values()
    assert (ban.user, ban.delete_message_seconds) == (den.eve, 0)
    assert ban.reason == f"Haven case {den.case.id}, by {den.mo.id}"
    assert not any(message.deleted for message in den.written), "the messages stay as evidence"
    assert den.did(den.mo, "banned?", Act.BANNED)
    assert den.shows(Act.BANNED)
    assert discord.dms(den.eve) == []
    assert discord.complaints == []


async def test_delete_asks_first_and_counts(home: Home) -> None:
    discord, den = home.discord, await Den(home).threatened()
    shown = [message for message in den.written if message.url in den.alert.text]
    assert len(shown) >= 2
    answer = await discord.press(den.mo, den.alert, DELETE)
    assert read(answer).startswith(f"Delete {len(shown)} messages")
    assert answer.buttons == ["Yes, delete"]
    await settled(home.parts)
    assert den.untouched()
    other = await discord.write(den.general, den.ann, "what is going on")
    await discord.remove(shown[0])
    done = await discord.press(den.mo, answer, "Yes, delete")
    left = len(shown) - 1
    plural = "1 message" if left == 1 else f"{left} messages"
    assert read(done) == f"Deleted {plural}; 1 of {len(shown)} had gone already."
    await settled(home.parts)
    assert all(message.deleted for message in shown)
    assert [message for message in den.written if message not in shown] + [other] == discord.messages(den.general)
    assert den.did(den.mo, "deleted_messages?", Act.DELETED_MESSAGES)
    assert den.shows(Act.DELETED_MESSAGES)
    assert discord.complaints == []


async def test_delete_in_a_thread_that_was_archived(home: Home) -> None:
    den = Den(home)
    thread = den.guild.thread(den.general, "a thread", owner=den.sam)
    await den.threatened(where=thread)
    thread.archive()
    shown = [message for message in den.written if message.url in den.alert.text]
    assert await den.press(den.mo, DELETE) == f"Deleted {len(shown)} messages."
    assert all(message.deleted for message in shown)
    assert home.discord.complaints == []


async def test_all_that_was_done_stands_on_the_alert_and_in_the_trail(home: Home) -> None:
    den = await Den(home).threatened()
    before = den.alert
    for button in (CONFIRM, NOTE, TIME_OUT, DELETE, BAN):
        await den.press(den.mo, button)
    assert den.alert is before
    assert den.shows(Act.CONFIRMED, Act.NOTED, Act.TIMED_OUT, Act.DELETED_MESSAGES, Act.BANNED)
    assert den.did(
        den.mo,
        Act.CONFIRMED,
        Act.NOTED,
        "timed_out?",
        Act.TIMED_OUT,
        "deleted_messages?",
        Act.DELETED_MESSAGES,
        "banned?",
        Act.BANNED,
    )
    assert home.discord.complaints == []


@pytest.mark.parametrize("button", BUTTONS)
async def test_who_lacks_the_permission_is_refused(home: Home, button: str) -> None:
    discord, den = home.discord, await Den(home, advice_by="moderator").threatened()
    den.mods.permissions = ALL & ~NEEDS[button]
    named = {
        Permission.MODERATE_MEMBERS: "“Time out members”",
        Permission.BAN_MEMBERS: "“Ban Members”",
        Permission.MANAGE_MESSAGES: "“Manage Messages”",
    }[Permission(NEEDS[button])]
    assert refused(await den.press(den.mo, button), "You need the permission", named)
    crafted = await den.craft(den.mo, f"haven:{ACTS[button]}:{den.case.id}")
    assert refused(read(crafted), "You need the permission", named)
    assert discord.dms(den.sam) == []
    assert den.untouched()
    assert discord.complaints == []


async def test_a_permission_that_was_taken_since_is_missed(home: Home) -> None:
    discord, den = home.discord, await Den(home, advice_by="moderator").unclear()
    ban = await discord.press(den.mo, den.alert, BAN)
    delete = await discord.press(den.mo, den.alert, DELETE)
    advise = await discord.press(den.mo, den.alert, ADVISE)
    note = await discord.press(den.mo, den.alert, NOTE)
    den.guild.members[den.mo.id].change(roles=[])
    den.alerts.allow(den.mo, Permission.VIEW_CHANNEL)
    for answer in (
        await discord.press(den.mo, ban, "Yes, ban"),
        await discord.press(den.mo, delete, "Yes, delete"),
        await discord.choose(den.mo, advise, "Whom is it aimed at?", [den.ann]),
        await discord.submit(den.mo, note, {"Note": "mine"}),
    ):
        assert refused(read(answer), "You need the permission")
    await settled(home.parts)
    assert discord.dms(den.ann) == []
    assert den.untouched()
    assert discord.complaints == []


@pytest.mark.parametrize("button", [TIME_OUT, BAN])
@pytest.mark.parametrize("rank", ["above", "equal", "owner"])
async def test_nobody_acts_upwards(home: Home, button: str, rank: str) -> None:
    den = Den(home)
    sender = den.owner if rank == "owner" else den.eve
    if rank == "above":
        den.guild.join(den.eve, [den.guild.role("senior", position=20)])
    elif rank == "equal":
        den.guild.join(den.eve, [den.mods])
    await den.threatened(sender)
    assert refused(await den.press(den.mo, button), "their highest role is not below yours".capitalize())
    assert den.untouched()
    assert home.discord.complaints == []


@pytest.mark.parametrize("button", [TIME_OUT, BAN])
async def test_havens_role_has_to_be_above_the_senders(home: Home, button: str) -> None:
    den = Den(home)
    den.guild.join(den.eve, [den.guild.role("high", position=60)])
    den.guild.join(den.mo, [den.mods, den.guild.role("highest", position=70)])
    await den.threatened()
    assert refused(await den.press(den.mo, button), "not below Haven's", "move Haven's role up")
    assert den.untouched()
    den.guild.bot_role.position = 65
    await den.press(den.mo, button)
    assert den.shows(Act.TIMED_OUT if button == TIME_OUT else Act.BANNED)
    assert home.discord.complaints == []


@pytest.mark.parametrize("button", [TIME_OUT, BAN, DELETE])
@pytest.mark.parametrize("left", [False, True])
async def test_haven_says_which_permission_it_lacks(home: Home, button: str, left: bool) -> None:
    den = Den(home, bot_permissions=BOT & ~NEEDS[button])
    await den.threatened()
    if left:
        den.guild.kick(den.eve)
    words = ("not a member",) if left and button == TIME_OUT else ("Haven lacks the permission",)
    assert refused(await den.press(den.mo, button), *words)
    assert den.untouched()
    assert home.discord.complaints == []


async def test_administrators_cannot_be_timed_out(home: Home) -> None:
    den = Den(home)
    den.members.permissions = int(Permission.ADMINISTRATOR)
    await den.threatened()
    assert refused(await den.press(den.mo, TIME_OUT), "administrator")
    assert den.untouched()
    assert home.discord.complaints == []


async def test_who_left_can_be_banned_and_not_timed_out(home: Home) -> None:
    den = await Den(home).threatened()
    den.guild.kick(den.eve)
    assert refused(await den.press(den.mo, TIME_OUT), "not a member of this server any more")
    assert den.untouched()
    assert await den.press(den.mo, BAN) == f"{den.eve.mention} is banned."
    assert list(den.guild.bans) == [den.eve.id]
    assert den.did(den.mo, "banned?", Act.BANNED)
    assert home.discord.complaints == []


async def test_messages_are_deleted_only_where_both_may(home: Home) -> None:
    den = await Den(home).threatened()
    den.general.deny(den.mods, Permission.MANAGE_MESSAGES)
    assert refused(await den.press(den.mo, DELETE), "You need", "“Manage Messages” in", den.general.mention)
    den.general.allow(den.mods, Permission.MANAGE_MESSAGES)
    den.general.deny(den.guild.bot_role, Permission.MANAGE_MESSAGES)
    assert refused(await den.press(den.mo, DELETE), "Haven lacks", "“Manage Messages” in", den.general.mention)
    assert den.untouched()
    assert home.discord.complaints == []


async def test_an_archived_thread_keeps_its_permissions(home: Home) -> None:
    den = Den(home)
    thread = den.guild.thread(den.general, "a thread", owner=den.sam)
    await den.threatened(where=thread)
    thread.archive()
    den.general.deny(den.mods, Permission.MANAGE_MESSAGES)
    assert refused(await den.press(den.mo, DELETE), "You need", "“Manage Messages” in", thread.mention)
    assert den.untouched()
    assert home.discord.complaints == []


async def test_messages_of_a_deleted_channel_are_gone(home: Home) -> None:
    den = Den(home)
    there = den.guild.channel("gone soon")
    await den.threatened(where=there)
    shown = [message for message in den.written if message.url in den.alert.text]
    there.delete()
    assert await den.press(den.mo, DELETE) == f"Deleted 0 messages; {len(shown)} of {len(shown)} had gone already."
    assert home.discord.complaints == []


@pytest.mark.parametrize("button", BUTTONS)
async def test_a_case_of_another_server_does_not_exist(home: Home, button: str) -> None:
    den, other = await Den(home, advice_by="moderator").threatened(), await Den(home).threatened()
    answer = await other.craft(other.mo, f"haven:{ACTS[button]}:{den.case.id}")
    assert refused(read(answer), f"There is no case '{den.case.id}' here")
    await settled(home.parts)
    assert home.discord.dms(den.sam) == []
    assert den.untouched()
    assert other.untouched()
    assert home.discord.complaints == []


@pytest.mark.parametrize("button", BUTTONS)
async def test_a_case_that_was_erased_says_so(home: Home, button: str) -> None:
    den = await Den(home, advice_by="moderator").threatened()
    case, before = den.case.id, den.alert.text
    home.parts.store.purge(den.guild.id, datetime.now(UTC) + timedelta(seconds=1))
    answer = await home.discord.press(den.mo, den.alert, button)
    assert refused(read(answer), f"There is no case '{case}' here")
    sure = await den.craft(den.mo, f"haven:{ACTS[button]}:{case}")
    assert refused(read(sure), f"There is no case '{case}' here")
    assert (den.guild.bans, den.guild.members[den.eve.id].timed_out_until) == ({}, None)
    assert not any(message.deleted for message in den.written)
    assert home.parts.records.trail(den.guild.id, case) == []
    assert home.discord.dms(den.sam) == []
    assert den.alert.text == before
    assert home.discord.complaints == []


@pytest.mark.parametrize(
    ("custom_id", "words"),
    [
        ("haven:confirm:0123456789", "There is no case '0123456789' here"),
        ("haven:confirm", "There is no case '' here"),
        ("haven:ban_yes:' OR 1=1 --", "another version of Haven"),
        ("haven:ban_yes:", "another version of Haven"),
        ("haven:", "another version of Haven"),
        ("haven:BAN:0123456789", "another version of Haven"),
        ("haven:explode:0123456789", "another version of Haven"),
        ("haven:_unknown", "another version of Haven"),
        (f"haven:confirm:{'f' * 80}", "another version of Haven"),
        ("haven:confirm:０１２３", "There is no case"),
    ],
)
async def test_ids_that_haven_did_not_write_are_answered(home: Home, custom_id: str, words: str) -> None:
    den = await Den(home, advice_by="moderator").threatened()
    assert refused(read(await den.craft(den.mo, custom_id)), words)
    assert den.untouched()
    assert home.discord.complaints == []


@pytest.mark.parametrize("act", ["confirm", "timeout", "ban_yes", "delete_yes", "advise", "note"])
async def test_buttons_of_moderators_do_nothing_in_private(home: Home, act: str) -> None:
    discord, den = home.discord, await Den(home).threatened()
    (warning,) = discord.dms(den.sam)
    answer = await den.craft(den.sam, f"haven:{act}:{den.case.id}", on=warning)
    assert refused(read(answer), "This works in a server only")
    assert den.untouched()
    assert discord.complaints == []


@pytest.mark.parametrize("button", BUTTONS)
async def test_a_moderator_does_not_judge_their_own_case(home: Home, button: str) -> None:
    den = await Den(home, advice_by="moderator").threatened(None)
    den.guild.join(den.eve, [den.mods])
    answer = await home.discord.press(den.eve, den.alert, button)
    assert refused(read(answer), "This case is about you: another moderator has to look at it")
    sure = await den.craft(den.eve, f"haven:{ACTS[button]}:{den.case.id}")
    assert refused(read(sure), "This case is about you")
    assert home.discord.dms(den.sam) == []
    assert den.untouched()
    assert home.discord.complaints == []


@pytest.mark.parametrize("button", [CONFIRM, DISMISS, NOTE, TIME_OUT, BAN])
async def test_a_moderator_does_not_judge_a_report_about_them(home: Home, button: str) -> None:
    discord, den = home.discord, Den(home)
    await discord.slash(den.sam, "report", {"text": "eve wants pictures of me", "member": den.eve}, where=den.general)
    await settled(home.parts)
    den.guild.join(den.eve, [den.mods])
    answer = await discord.press(den.eve, den.alert, button)
    assert refused(read(answer), "This case is about you")
    assert den.untouched()
    assert discord.complaints == []


async def test_a_report_is_acted_on_like_any_case(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await discord.slash(den.sam, "report", {"text": "she wants money", "member": den.eve}, where=den.general)
    await settled(home.parts)
    assert den.alert.buttons == [button for button in BUTTONS if button != DELETE]
    assert (await den.press(den.mo, CONFIRM)).startswith("Noted")
    assert await den.press(den.mo, TIME_OUT) == f"{den.eve.mention} is timed out for 24 hours."
    assert await den.press(den.mo, BAN) == f"{den.eve.mention} is banned."
    assert den.shows(Act.CONFIRMED, Act.TIMED_OUT, Act.BANNED)
    assert list(den.guild.bans) == [den.eve.id]
    gone = await den.craft(den.mo, f"haven:delete_yes:{den.case.id}")
    assert refused(read(gone), "no messages")
    assert discord.complaints == []


async def test_who_asked_for_help_can_still_be_sent_the_advice(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await discord.slash(den.sam, "report", {"text": "somebody wants money"}, where=den.general)
    await settled(home.parts)
    assert f"{den.sam.mention}: {SAID.advice[Advice.ASKED]}" in den.alert.text
    assert discord.dms(den.sam) == []
    assert "on its way" in await den.press(den.mo, ADVISE)
    assert len(discord.dms(den.sam)) == 1
    assert f"{den.sam.mention}: {SAID.advice[Advice.DELIVERED]}" in den.alert.text
    assert discord.complaints == []


async def test_where_nobody_is_known_to_have_sent_it_nobody_is_punished(home: Home) -> None:
    discord, den = home.discord, Den(home)
    await discord.slash(den.sam, "report", {"text": "somebody elsewhere does this"}, where=den.general)
    await settled(home.parts)
    assert den.alert.buttons == [CONFIRM, DISMISS, ADVISE, NOTE]
    for act in ("timeout", "ban", "ban_yes"):
        answer = await den.craft(den.mo, f"haven:{act}:{den.case.id}")
        assert refused(read(answer), "Nobody is known to have sent this")
    assert den.trail() == []
    assert discord.complaints == []


@pytest.mark.parametrize("button", [CONFIRM, ADVISE, NOTE, TIME_OUT, BAN, DELETE])
async def test_two_moderators_at_once(home: Home, button: str) -> None:
    discord, den = home.discord, await Den(home, advice_by="moderator").threatened()
    said = await asyncio.gather(den.press(den.mo, button), den.press(den.max, button))
    assert not any("went wrong" in text for text in said)
    act = {CONFIRM: Act.CONFIRMED, NOTE: Act.NOTED, TIME_OUT: Act.TIMED_OUT, BAN: Act.BANNED}
    act |= {DELETE: Act.DELETED_MESSAGES}
    if button == ADVISE:
        assert sorted("on its way" in text for text in said) == [False, True]
        assert sum(text == ELSE or refused(text, "There is nobody to write to") for text in said) == 1
        assert len(discord.dms(den.sam)) == 1
        assert [what for _, what in den.trail()] == [Act.ADVISED]
    else:
        assert den.shows(act[button]), "it stands there once"
        assert {by for by, what in den.trail() if what == act[button]} == {den.mo.id, den.max.id}
    if button == DELETE:
        shown = {message for message in den.written if message.deleted}
        counts = [int(text.split()[1]) for text in said]
        assert sum(counts) == len(shown), "no message is counted twice"
    assert discord.complaints == []


@pytest.mark.parametrize(
    ("button", "method", "route"),
    [(TIME_OUT, "PATCH", MEMBER_ROUTE), (BAN, "PUT", BAN_ROUTE), (DELETE, "DELETE", MESSAGE_ROUTE)],
)
@pytest.mark.parametrize("failure", [{"status": 503}, {"status": 403, "code": 50013}], ids=["fault", "refusal"])
async def test_what_discord_did_not_do_is_not_called_done(
    home: Home, button: str, method: str, route: str, failure: Mapping[str, Any]
) -> None:
    discord, den = home.discord, await Den(home).threatened()
    discord.fail(method, route, **failure)
    text = await den.press(den.mo, button)
    words = "Discord had a fault (HTTP 503)" if failure["status"] == 503 else "Discord refused (code 50013)"
    assert refused(text, words)
    act = {TIME_OUT: Act.TIMED_OUT, BAN: Act.BANNED, DELETE: Act.DELETED_MESSAGES}[button]
    assert den.did(den.mo, f"{act}?"), "the attempt stands in the trail, and no success"
    assert den.shows()
    assert den.case.acts == ()
    await den.press(den.mo, button)
    assert den.did(den.mo, f"{act}?", f"{act}?", act)
    assert den.shows(act)
    assert discord.complaints == []


async def test_a_passing_fault_of_discord_is_overcome(home: Home) -> None:
    discord, den = home.discord, await Den(home).threatened()
    discord.fail("PUT", BAN_ROUTE, status=500)
    assert await den.press(den.mo, BAN) == f"{den.eve.mention} is banned."
    assert den.did(den.mo, "banned?", Act.BANNED)
    assert discord.complaints == []


async def test_every_button_works_after_a_restart(home: Home) -> None:
    discord = home.discord
    den, unclear = await Den(home, advice_by="moderator").threatened(), await Den(home).unclear()
    ban, delete = [await discord.press(den.mo, den.alert, button) for button in (BAN, DELETE)]
    select = await discord.press(unclear.mo, unclear.alert, ADVISE)
    notes = {who: await discord.press(who, unclear.alert, NOTE) for who in (unclear.mo, unclear.max)}
    await home.restart()
    for who, form in notes.items():
        assert read(await discord.submit(who, form, {"Note": f"by {who.id}"})) == "Kept. /case shows it."
    history = home.parts.moderation.history(unclear.guild.id, unclear.case.id)
    assert [(one.actor, one.note) for one in history if one.note] == [(account(who), f"by {who.id}") for who in notes]
    for button, text in (
        (DISMISS, SAID.dismissed),
        (CONFIRM, "Noted as sextortion."),
        (ADVISE, "The private advice is on its way."),
        (NOTE, "Kept."),
        (TIME_OUT, f"{den.eve.mention} is timed out"),
    ):
        assert (await den.press(den.mo, button)).startswith(text), button
    assert read(await discord.press(den.mo, delete, "Yes, delete")).startswith("Deleted ")
    assert read(await discord.press(den.mo, ban, "Yes, ban")) == f"{den.eve.mention} is banned."
    chosen = await discord.choose(unclear.mo, select, "Whom is it aimed at?", [unclear.ann])
    assert read(chosen).startswith("The private advice is on its way.")
    await settled(home.parts)
    assert len(discord.dms(den.sam)) == len(discord.dms(unclear.ann)) == 1
    assert den.shows(Act.CONFIRMED, Act.NOTED, Act.TIMED_OUT, Act.DELETED_MESSAGES, Act.BANNED)
    assert list(den.guild.bans) == [den.eve.id]
    assert discord.complaints == []
