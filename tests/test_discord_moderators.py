"""What moderators do on Discord: /setup, /doctor, /cases, /case, /evidence."""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from discord_life import THREAT, Home, account, protect, settled, until
from localdiscord.permissions import BOT, Permission
from localdiscord.server import Answer, Channel, Guild, LocalDiscord, Role, User

from bot.app import open_classifier
from bot.case import Case
from bot.config import Config
from bot.effects import Act, Ruling
from bot.evidence import trouble
from bot.policies import SET_UP
from bot.policy import AdviceBy, Mode, Policy
from classifiers.assessment import Sensitivity
from classifiers.classifier import Classifier

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALERTS, MODE, ADVICE, MORE, BACK = "Alert channel", "Mode", "Private warnings", "More settings", "Back"
LEVEL, ROLE, SKIP = "haven_set:sensitivity", "haven_set:page_role", "haven_set:skip_channels"
DAYS, FIELD = "Days that cases are kept", "Days, from 1 to 90"
_numbers = count()


class Yard:
    """A server of one test: the owner sets it up, Mo moderates, Eve means harm to Sam."""

    def __init__(self, home: Home, bot_permissions: int = BOT) -> None:
        self.home, self.discord = home, home.discord
        number = next(_numbers)
        self.owner, self.mo, self.eve, self.sam = (
            self.discord.user(f"{name}{number}") for name in ("owner", "mo", "eve", "sam")
        )
        self.guild: Guild = self.discord.guild(f"Yard {number}", self.owner, bot_permissions=bot_permissions)
        self.mods: Role = self.guild.role("mods", Permission.MODERATE_MEMBERS)
        self.guild.join(self.mo, [self.mods])
        for user in (self.eve, self.sam):
            self.guild.join(user)
        self.general: Channel = self.guild.channel("general")
        self.alerts: Channel = self.guild.channel("alerts", private=True)

    @property
    def policy(self) -> Policy:
        """What Haven goes by in this server now."""
        return self.home.parts.policies.of(self.guild.id)

    def audit(self) -> list[tuple[str, str, str]]:
        """Return who did what, and what they added."""
        return [
            (one.actor.id if one.actor else "", one.act, one.note)
            for one in self.home.parts.records.trail(self.guild.id)
        ]

    async def ask(self, command: str, by: User | None = None, **options: Any) -> Answer:
        """Use a command, by default as Mo."""
        return await self.discord.slash(by or self.mo, command, options, where=self.general)

    async def form(self, page: str = "") -> Answer:
        """Open the form as the owner."""
        form = await self.ask("setup", self.owner)
        return await self.discord.press(self.owner, form, page) if page else form

    async def choose(self, form: Answer, menu: str, *values: object) -> Answer:
        """Choose in the form as the owner."""
        return await self.discord.choose(self.owner, form, menu, values)

    async def set_up(self) -> None:
        """Let alerts come in the private channel."""
        await self.choose(await self.form(), ALERTS, self.alerts)

    async def threaten(self) -> None:
        """Let Eve threaten Sam."""
        for line in THREAT:
            await self.discord.write(self.general, self.eve, f"{self.sam.mention} {line}", mentions=[self.sam])

    async def case(self) -> Case:
        """Let Eve threaten Sam, and return what came of it."""
        await self.threaten()
        await settled(self.home.parts)
        (case,) = self.home.parts.moderation.cases(self.guild.id)
        return case


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


@pytest_asyncio.fixture(loop_scope="module")
async def yard(home: Home) -> Yard:
    """A new server."""
    return Yard(home)


def read(answer: Answer) -> str:
    """Return an answer that nobody but the person sees."""
    assert answer.ephemeral, answer
    return answer.text


# Who is offered them.


async def test_commands_are_of_servers_and_for_moderators(home: Home) -> None:
    commands = {one["name"]: one for one in home.discord.commands}
    for name in ("setup", "doctor", "cases", "case", "evidence"):
        needed = Permission.MANAGE_GUILD if name == "setup" else Permission.MODERATE_MEMBERS
        assert commands[name]["default_member_permissions"] == str(int(needed)), name
        assert (commands[name]["contexts"], commands[name]["integration_types"]) == ([0], [0]), name


@pytest.mark.parametrize("command", ["setup", "doctor", "cases", "case", "evidence"])
async def test_whoever_lacks_the_right_is_refused_even_if_the_server_offers_it(yard: Yard, command: str) -> None:
    await yard.set_up()
    case = await yard.case()
    offered = next(one for one in yard.discord.commands if one["name"] == command)
    kept, offered["default_member_permissions"] = offered["default_member_permissions"], None
    before = yard.audit()
    try:
        options = {"id": case.id} if command in ("case", "evidence") else {}
        answer = await yard.ask(command, yard.sam if command != "setup" else yard.mo, **options)
    finally:
        offered["default_member_permissions"] = kept
    right = "Manage Server" if command == "setup" else "Time out members"
    assert read(answer) == f"You need the permission “{right}” for this."
    assert not answer.files
    assert yard.audit() == before


# /setup.


async def test_a_new_server_is_protected_by_one_choice(yard: Yard) -> None:
    form = await yard.form()
    said = read(form)
    assert "Haven only observes until an alert channel is set" in said
    assert "Discord's Developer Policy" in said
    assert "/protect off" in said
    assert yard.policy.mode is Mode.OBSERVE
    form = await yard.choose(form, ALERTS, yard.alerts)
    assert form.updated
    said = read(form)
    assert "Done: Haven now protects this server" in said
    assert yard.alerts.mention in said
    assert (yard.policy.mode, yard.policy.alert_channel) == (Mode.ADVISE, yard.alerts.id)
    assert yard.audit() == [(yard.owner.id, SET_UP, f"alert_channel = {yard.alerts.id}")]
    assert (await yard.case()).post


async def test_mode_and_who_warns_can_be_chosen_before_there_is_a_channel(yard: Yard) -> None:
    form = await yard.choose(await yard.form(), MODE, "alert")
    form = await yard.choose(form, ADVICE, "moderator")
    assert chosen_in(form, "mode") == ["alert"]
    assert chosen_in(form, "advice_by") == ["moderator"]
    assert "Haven only observes until an alert channel is set" in read(form)
    assert yard.policy.mode is Mode.OBSERVE
    assert (await yard.case()).post is None
    assert yard.discord.dms(yard.sam) == yard.discord.messages(yard.alerts) == []
    form = await yard.choose(form, ALERTS, yard.alerts)
    assert (yard.policy.mode, yard.policy.advice_by) == (Mode.ALERT, AdviceBy.MODERATOR)
    assert (await yard.case()).post
    assert yard.discord.dms(yard.sam) == []


async def test_what_waited_for_an_alert_channel_comes_as_soon_as_one_is_chosen(yard: Yard) -> None:
    await yard.set_up()
    yard.alerts.delete()
    await yard.threaten()
    await yard.discord.heard()
    store, later = yard.home.parts.store, yard.home.parts.clock().timestamp() + 3000
    waiting = "SELECT effect FROM outbox WHERE settled_at IS NULL AND attempts > 0"
    await until(lambda: yard.discord.dms(yard.sam) and store.query(waiting) == [("AlertModerators",)])
    await until(lambda: not yard.home.parts.inbox.waiting)
    with store.transaction():
        store.db.conn.execute("UPDATE outbox SET due_at = ? WHERE settled_at IS NULL", (later,))
    new = yard.guild.channel("new", private=True)
    form = await yard.choose(await yard.form(), ALERTS, new)
    assert "Done" in read(form)
    await settled(yard.home.parts)
    assert [one.embeds[0]["title"].split(".")[0] for one in yard.discord.messages(new)] == ["Looks like sextortion"]


async def test_a_channel_that_everybody_reads_is_refused(yard: Yard) -> None:
    form = await yard.choose(await yard.form(), ALERTS, yard.general)
    assert "**Not changed:** everybody can read the alert channel" in read(form)
    assert "Haven only observes until an alert channel is set" in read(form)
    assert yard.audit() == []
    assert yard.policy.alert_channel is None
    form = await yard.choose(form, ALERTS, yard.alerts)
    assert "Not changed" not in read(form)
    assert "Done" in read(form)


@pytest.mark.parametrize(
    ("lacking", "said"),
    [(Permission.SEND_MESSAGES, "Send Messages, Embed Links"), (Permission.EMBED_LINKS, "Embed Links")],
)
async def test_a_channel_that_haven_cannot_write_in_is_refused(yard: Yard, lacking: Permission, said: str) -> None:
    yard.alerts.deny(yard.guild.bot_role, lacking)
    form = await yard.choose(await yard.form(), ALERTS, yard.alerts)
    assert f"**Not changed:** Haven lacks {said} in the alert channel" in read(form)
    assert yard.audit() == []


async def test_every_choice_counts_at_once_and_is_written_down(yard: Yard) -> None:
    await yard.set_up()
    form = await yard.form()
    form = await yard.choose(form, MODE, "alert")
    assert yard.policy.mode is Mode.ALERT
    form = await yard.choose(form, MODE, "observe")
    assert "**Haven only observes.**" in read(form)
    form = await yard.choose(form, MODE, "advise")
    for way in AdviceBy:
        form = await yard.choose(form, ADVICE, way.value)
        assert yard.policy.advice_by is way
    form = await yard.discord.press(yard.owner, form, MORE)
    for level in Sensitivity:
        form = await yard.choose(form, LEVEL, level.value)
        assert yard.policy.sensitivity is level
    form = await yard.choose(form, ROLE, yard.mods)
    assert yard.policy.page == yard.mods.id
    assert "allow anyone to @mention this role" in read(form).lower()
    form = await yard.choose(form, ROLE)
    assert yard.policy.page is None
    area, forum = yard.guild.channel("area", kind=4), yard.guild.channel("forum", kind=15)
    form = await yard.choose(form, SKIP, yard.general, area, forum)
    assert yard.policy.skipped == (yard.general.id, area.id, forum.id)
    form = await yard.choose(form, SKIP)
    assert yard.policy.skipped == ()
    form = await yard.discord.press(yard.owner, form, BACK)
    assert form.updated
    chosen = [note for _, act, note in yard.audit() if act == SET_UP]
    assert [note.split(" = ")[0] for note in chosen] == [
        "alert_channel",
        *["mode"] * 3,
        *["advice_by"] * 3,
        *["sensitivity"] * 3,
        *["page_role"] * 2,
        *["skip_channels"] * 2,
    ]
    assert {actor for actor, _, _ in yard.audit()} == {yard.owner.id}


def menu_of(form: Answer, key: str) -> dict[str, Any]:
    """Return one of the form's lists."""
    parts = [one for row in form.components for one in row["components"]]
    (menu,) = [one for one in parts if one["custom_id"] == f"haven_set:{key}"]
    return dict(menu)


def chosen_in(form: Answer, key: str) -> list[str]:
    """Return what one of the form's lists shows as chosen."""
    menu = menu_of(form, key)
    options = [one["value"] for one in menu.get("options", []) if one.get("default")]
    return options or [one["id"] for one in menu.get("default_values", [])]


async def test_skipping_channels_keeps_what_the_list_cannot_show(yard: Yard) -> None:
    thread = yard.guild.thread(yard.general, "a thread")
    rooms = [yard.guild.channel(f"room-{number}") for number in range(28)]
    everything = [thread, *rooms]
    protect(yard.home.parts, yard.guild, skip_channels=[one.id for one in everything])
    form = await yard.form(MORE)
    listed = chosen_in(form, "skip_channels")
    assert len(listed) == 25
    unlisted = {one.id for one in everything} - {*listed}
    assert thread.id in unlisted
    kept = [room for room in rooms if room.id in listed[1:]]
    form = await yard.choose(form, SKIP, *kept, yard.general)
    assert sorted(yard.policy.skipped) == sorted([*unlisted, *(room.id for room in kept), yard.general.id])
    unlisted = {*yard.policy.skipped} - {*chosen_in(form, "skip_channels")}
    await yard.choose(form, SKIP)
    assert {*yard.policy.skipped} == unlisted
    assert thread.id in unlisted


async def test_the_form_shows_what_is_chosen(yard: Yard) -> None:
    await yard.set_up()
    form = await yard.choose(await yard.form(), MODE, "alert")
    form = await yard.choose(form, ADVICE, "opted-in")
    by_id = {one["custom_id"]: one for row in form.components for one in row["components"]}
    assert [str(one["id"]) for one in by_id["haven_set:alert_channel"]["default_values"]] == [yard.alerts.id]
    for key, value in (("mode", "alert"), ("advice_by", "opted-in")):
        assert [one["value"] for one in by_id[f"haven_set:{key}"]["options"] if one.get("default")] == [value]
    assert "may send the private warning themselves" in read(form)
    assert "only to members who said /protect on" in read(form)


async def test_everybody_is_no_role_to_call(yard: Yard) -> None:
    form = await yard.choose(await yard.form(MORE), ROLE, yard.guild.everyone)
    assert "**Not changed:** choose a role of your moderators" in read(form)
    assert yard.policy.page is None


@pytest.mark.parametrize("days", ["1", "90", " 7"])
async def test_days_are_kept(yard: Yard, days: str) -> None:
    modal = await yard.discord.press(yard.owner, await yard.form(MORE), DAYS)
    form = await yard.discord.submit(yard.owner, modal, {FIELD: days})
    assert f"**Cases are erased** {days.strip()} days" in read(form)
    assert yard.policy.retention.days == int(days)
    assert yard.audit() == [(yard.owner.id, SET_UP, f"retention_days = {days.strip()}")]


@pytest.mark.parametrize("days", ["0", "91", "x", "-1", "²", "1."])
async def test_other_numbers_of_days_are_refused(yard: Yard, days: str) -> None:
    modal = await yard.discord.press(yard.owner, await yard.form(MORE), DAYS)
    form = await yard.discord.submit(yard.owner, modal, {FIELD: days})
    assert "**Not changed:** write a whole number of days from 1 to 90." in read(form)
    assert yard.policy.retention.days == 30
    assert yard.audit() == []


async def test_who_lost_the_right_can_choose_nothing_more(yard: Yard) -> None:
    boss = yard.guild.role("boss", Permission.MANAGE_GUILD)
    yard.guild.join(yard.mo, [yard.mods, boss])
    form = await yard.ask("setup", yard.mo)
    more = await yard.discord.press(yard.mo, await yard.ask("setup", yard.mo), MORE)
    modal = await yard.discord.press(yard.mo, more, DAYS)
    yard.guild.join(yard.mo, [yard.mods])
    for answer in (
        await yard.discord.choose(yard.mo, form, ALERTS, [yard.alerts]),
        await yard.discord.press(yard.mo, form, MORE),
        await yard.discord.press(yard.mo, more, DAYS),
        await yard.discord.submit(yard.mo, modal, {FIELD: "7"}),
    ):
        assert read(answer) == "You need the permission “Manage Server” for this."
    assert yard.audit() == []


async def test_the_form_works_after_a_restart(yard: Yard) -> None:
    form = await yard.form()
    await yard.home.restart()
    form = await yard.choose(form, ALERTS, yard.alerts)
    assert "Done" in read(form)
    form = await yard.discord.press(yard.owner, form, MORE)
    await yard.home.restart()
    form = await yard.choose(form, LEVEL, "high")
    modal = await yard.discord.press(yard.owner, form, DAYS)
    await yard.discord.submit(yard.owner, modal, {FIELD: "9"})
    assert (yard.policy.sensitivity, yard.policy.retention.days) == (Sensitivity.HIGH, 9)
    assert yard.policy.alert_channel == yard.alerts.id


async def test_forms_of_two_that_were_open_before_a_restart_count_after_it(yard: Yard) -> None:
    boss = yard.guild.role("boss", Permission.MANAGE_GUILD)
    yard.guild.join(yard.mo, [yard.mods, boss])
    first = await yard.discord.press(yard.owner, await yard.form(MORE), DAYS)
    more = await yard.discord.press(yard.mo, await yard.ask("setup", yard.mo), MORE)
    second = await yard.discord.press(yard.mo, more, DAYS)
    await yard.home.restart()
    assert "**Cases are erased** 9 days" in read(await yard.discord.submit(yard.mo, second, {FIELD: "9"}))
    assert "**Cases are erased** 8 days" in read(await yard.discord.submit(yard.owner, first, {FIELD: "8"}))
    assert [(by, said) for by, _, said in yard.audit()] == [
        (yard.mo.id, "retention_days = 9"),
        (yard.owner.id, "retention_days = 8"),
    ]


async def test_a_form_of_another_version_is_answered(yard: Yard) -> None:
    modal = await yard.discord.press(yard.owner, await yard.form(MORE), DAYS)
    assert modal.modal
    for other in ("haven_note:0123456789:1", "haven_form:weeks"):
        modal.modal["custom_id"] = other
        answer = await yard.discord.submit(yard.owner, modal, {FIELD: "9"})
        assert read(answer) == "This button is from another version of Haven."
    assert yard.audit() == []


async def test_an_alert_channel_that_became_public_is_said_to_be_mended(yard: Yard) -> None:
    await yard.set_up()
    yard.alerts.allow(yard.guild.everyone, Permission.VIEW_CHANNEL)
    await yard.discord.gateway.flush()
    assert "**To mend:** everybody can read the alert channel" in read(await yard.form())
    yard.alerts.deny(yard.guild.everyone, Permission.VIEW_CHANNEL)
    await yard.discord.gateway.flush()
    assert "Done" in read(await yard.form())


# /doctor.


def to_mend(answer: Answer) -> list[str]:
    """Return what is to mend, without what makes it plain text."""
    lines = [line for line in read(answer).splitlines() if "**To mend:**" in line]
    return [re.sub(r"\\(.)", r"\1", line.split("**To mend:** ")[1]).replace("\u200b", "") for line in lines]


async def test_where_all_is_in_order_nothing_is_to_mend(yard: Yard) -> None:
    await yard.set_up()
    await yard.discord.write(yard.general, yard.sam, "good morning")
    await settled(yard.home.parts)
    answer = await yard.ask("doctor")
    assert to_mend(answer) == []
    assert answer.embeds[0]["title"] == "Everything is in order"
    for part in (
        "connected",
        "Message Content Intent",
        "alerts",
        "every button works",
        "last read",
        "database",
        "model",
    ):
        assert part in read(answer), part


async def test_what_is_missing_is_named_with_what_to_do(home: Home) -> None:
    yard = Yard(home, BOT & ~Permission.BAN_MEMBERS & ~Permission.MENTION_EVERYONE)
    yard.guild.bot_role.position = 1
    yard.guild.role("members @everyone", position=9)
    secret = yard.guild.channel("se*cret*")
    secret.deny(yard.guild.bot_role, Permission.VIEW_CHANNEL)
    form = await yard.choose(await yard.form(MORE), ROLE, yard.mods)
    found = to_mend(await yard.ask("doctor"))
    assert [line.split(":")[0] for line in found] == [
        "alerts cannot be posted",
        "Haven may not call @mods",
        "buttons that do not work",
        "Haven cannot time out or ban members with 1 roles (members @everyone)",
        "Haven cannot read 1 channels (#se*cret*)",
        "no message was read yet",
    ]
    assert "no alert channel is set (/setup)" in found[0]
    assert "Ban; allow it to the role haven (Server Settings, Roles): Ban Members" in found[2]
    await yard.choose(form, SKIP, secret)
    assert "cannot read" not in "".join(to_mend(await yard.ask("doctor")))


async def test_a_role_that_is_gone_and_a_channel_that_is_gone_are_named(yard: Yard) -> None:
    await yard.set_up()
    await yard.choose(await yard.form(MORE), ROLE, yard.mods)
    yard.guild.join(yard.mo, [yard.guild.role("others", Permission.MODERATE_MEMBERS)])
    yard.mods.delete()
    yard.alerts.delete()
    await yard.discord.gateway.flush()
    found = to_mend(await yard.ask("doctor"))
    assert "the alert channel is gone" in found[0]
    assert "the role to call is gone" in found[1]


async def test_many_hidden_channels_are_counted_and_ten_named(yard: Yard) -> None:
    for number in range(12):
        yard.guild.channel(f"hidden-{number}").deny(yard.guild.bot_role, Permission.VIEW_CHANNEL)
    await yard.discord.gateway.flush()
    (found,) = [line for line in to_mend(await yard.ask("doctor")) if "cannot read" in line]
    assert "12 channels" in found
    assert found.count("#hidden-") == 10


# /cases and /case.


async def test_cases_are_listed_with_the_way_to_their_alert(yard: Yard) -> None:
    await yard.set_up()
    assert "None is open." in read(await yard.ask("cases"))
    assert "There is none." in read(await yard.ask("cases", show="recent"))
    case = await yard.case()
    said = read(await yard.ask("cases"))
    assert f"`{case.id}` advise, threat by {yard.eve.mention}" in said
    (alert,) = yard.discord.messages(yard.alerts)
    assert f"https://discord.com/channels/{yard.guild.id}/{yard.alerts.id}/{alert.id}" in said
    yard.home.parts.moderation.rule(yard.guild.id, case.id, Ruling.NOT_SEXTORTION, account(yard.mo))
    yard.home.parts.outbox.wake()
    assert "None is open." in read(await yard.ask("cases", show="open"))
    said = read(await yard.ask("cases", show="recent"))
    assert case.id in said
    assert "ruled not to be sextortion" in said


async def test_more_than_ten_cases_are_cut(yard: Yard) -> None:
    await yard.set_up()
    for number in range(12):
        yard.home.parts.people.report(
            account(yard.discord.user(f"who{number}")), "help", None, space=yard.guild.id, channel="1", key=str(number)
        )
    yard.home.parts.outbox.wake()
    answer = await yard.ask("cases")
    assert answer.embeds[0]["title"] == "The latest 10 of 12 cases"
    assert read(answer).count(", report by ") == 10


async def test_a_case_is_shown_with_its_history(yard: Yard) -> None:
    await yard.set_up()
    case = await yard.case()
    note = "spoke to @everyone **now** <@1>\nhttps://example.org"
    yard.home.parts.moderation.act(yard.guild.id, case.id, Act.NOTED, account(yard.mo), note)
    yard.home.parts.outbox.wake()
    await settled(yard.home.parts)
    answer = await yard.ask("case", id=case.id)
    shown, told = answer.embeds
    (alert,) = yard.discord.messages(yard.alerts)
    assert shown["title"] == alert.embeds[0]["title"]
    assert shown["fields"] == alert.embeds[0]["fields"]
    assert {"Confirm", "Note", "Ban"} <= set(answer.buttons)
    lines = told["description"].splitlines()
    assert re.fullmatch(r"<t:\d+:f> opened", lines[0])
    assert any(re.fullmatch(r"<t:\d+:f> private warning\\: delivered", line) for line in lines)
    (noted,) = [line for line in lines if "noted by" in line]
    assert yard.mo.mention in noted
    for alive in ("@everyone", "**now**", "<@1>", "https://example.org"):
        assert alive not in noted


async def test_a_long_history_is_cut_to_its_latest(yard: Yard) -> None:
    await yard.set_up()
    case = await yard.case()
    for number in range(30):
        yard.home.parts.moderation.act(yard.guild.id, case.id, Act.NOTED, account(yard.mo), f"{number} " + "*" * 900)
    yard.home.parts.outbox.wake()
    answer = await yard.ask("case", id=case.id)
    lines = answer.embeds[1]["description"].splitlines()
    assert re.fullmatch(r"\(\d+ earlier ones are left out\)", lines[0])
    assert any("29 " in line for line in lines[-2:])  # what the alert says is edited beside it


@pytest.mark.parametrize("command", ["case", "evidence"])
async def test_unknown_and_foreign_cases_do_not_exist(yard: Yard, command: str) -> None:
    await yard.set_up()
    case = await yard.case()
    other = Yard(yard.home)
    assert read(await other.ask(command, id=case.id)) == f"There is no case '{case.id}' here."
    assert read(await yard.ask(command, id="x'**@here")) == """There is no case "x'**@here" here."""
    assert other.audit() == []


# /evidence.


async def test_evidence_is_a_sealed_file_that_only_the_moderator_gets(yard: Yard) -> None:
    await yard.set_up()
    case = await yard.case()
    answer = await yard.ask("evidence", id=case.id)
    ((name, content),) = answer.files.items()
    assert name == f"haven-evidence-{case.id}.txt"
    assert trouble(content, yard.home.parts.store.seal) is None
    digest = sha256(content).hexdigest()
    assert digest in read(answer)
    text = content.decode()
    for seen in case.evidence:
        assert f"“{seen.excerpt}”" in text
        assert f"https://discord.com/channels/{yard.guild.id}/{yard.general.id}/{seen.message_id}" in text
    for user in (yard.eve, yard.sam, yard.mo):
        assert user.id in text
        assert user.name not in text
    assert yard.audit()[-1] == (yard.mo.id, Act.TOOK_EVIDENCE, f"SHA-256 {digest}")
    await settled(yard.home.parts)
    (alert,) = yard.discord.messages(yard.alerts)
    assert "evidence was taken" in alert.text
    assert f"took evidence by {yard.mo.mention}" in read(await yard.ask("case", id=case.id))


@pytest.mark.parametrize("reported", [False, True])
async def test_a_moderator_is_shown_no_case_about_themselves(yard: Yard, reported: bool) -> None:
    await yard.set_up()
    if reported:
        await yard.ask("report", yard.sam, text="she wants money", member=yard.eve)
        await settled(yard.home.parts)
        (case,) = yard.home.parts.moderation.cases(yard.guild.id)
    else:
        case = await yard.case()
    yard.guild.join(yard.eve, [yard.mods])
    before = yard.audit()
    for command in ("case", "evidence"):
        answer = await yard.ask(command, yard.eve, id=case.id)
        assert read(answer) == "This case is about you: another moderator has to look at it."
        assert not answer.files
    for show, said in (("open", "None is open."), ("recent", "There is none.")):
        assert said in read(await yard.ask("cases", yard.eve, show=show))
        assert case.id in read(await yard.ask("cases", show=show))
    assert "open cases\\: 0" in read(await yard.ask("doctor", yard.eve))
    assert "open cases\\: 1" in read(await yard.ask("doctor"))
    assert yard.audit() == before


async def test_the_file_is_verified_from_the_command_line(yard: Yard, haven: Run, tmp_path: Path) -> None:
    await yard.set_up()
    case = await yard.case()
    ((name, content),) = (await yard.ask("evidence", id=case.id)).files.items()
    (tmp_path / name).write_bytes(content)
    (tmp_path / "haven.toml").write_text(f'[store]\nkey_file = "{yard.home.folder / "haven.key"}"\n')
    assert haven("verify", name).returncode == 0
    (tmp_path / name).write_bytes(content.replace(yard.eve.id.encode(), yard.sam.id.encode()))
    assert haven("verify", name).returncode == 1
