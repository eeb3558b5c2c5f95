"""Where Haven's alerts go and what they show, whatever happens to the channel and whatever people are called."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest
from discord_den import OPEN, POST, Den, Living, den, hurry
from discord_life import THREAT, account, living, protect, until
from localdiscord.permissions import BOT
from localdiscord.rules import embed_size
from localdiscord.server import LocalDiscord, Permission, Role

from bot.app import open_classifier
from bot.case import view
from bot.config import Config
from bot.effects import Act, Advice, AlertModerators, Target
from classifiers.assessment import Evidence, Marker
from classifiers.classifier import Classifier
from classifiers.conversation import Account

SEEING = Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES | Permission.READ_MESSAGE_HISTORY


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


async def waits(there: Den, *effects: str) -> None:
    """Wait until just these effects are left, and see that more attempts ask Discord for nothing."""
    await there.read()
    await until(lambda: there.waiting() == list(effects))
    asked = len(there.discord.requests)
    for _ in range(3):
        there.hasten()
        await until(lambda: (there.parts.store.next_due("discord") or 0) > 1)
    assert len(there.discord.requests) == asked


async def test_an_alert_waits_for_a_channel_and_follows_it(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        there.mods.delete()
        await there.threaten(lines=THREAT[2:])
        other = there.member("other")
        await there.threaten(there.member("sender"), other, there.guild.channel("room"))
        await waits(there, "UpdateAlert", "AlertModerators")
        assert len(there.discord.dms(there.sam)) == len(there.discord.dms(other)) == 1  # whom that does not hold up
        new = there.moderators("new")
        protect(there.parts, there.guild, alert_channel=new.id)
        there.hasten()
        await there.calm()
        assert sorted("pressure" in one.text for one in there.posted(new)) == [True, True]
        assert all("was warned in private" in one.text for one in there.posted(new))
        newer = there.moderators("newer")
        protect(there.parts, there.guild, alert_channel=newer.id)
        case = there.parts.moderation.cases(there.guild.id)[0]
        there.parts.moderation.act(there.guild.id, case.id, Act.NOTED, account(there.guild.owner), "seen")
        there.parts.outbox.wake()
        await there.calm()
        assert "there is a note" in there.alert(newer).text


@pytest.mark.parametrize("how", ["deleted", "forbidden"])
async def test_what_the_client_does_not_know_yet_of_its_channel_costs_one_request(haven: Living, how: str) -> None:
    async with haven() as there:
        async with there.discord.outage():
            if how == "deleted":
                there.mods.delete()
            else:
                there.mods.deny(there.guild.bot_role, Permission.SEND_MESSAGES)
            there.parts.people.report(
                account(there.sam), "help me", None, space=there.guild.id, channel=there.general.id, key="1"
            )
            there.parts.outbox.wake()
            await until(lambda: (there.parts.store.next_due("discord") or 0) > there.now() + 200)
        assert there.count(*POST) == 1
        await there.discord.heard()
        await waits(there, "AlertModerators")
        if how == "deleted":
            protect(there.parts, there.guild, alert_channel=there.moderators("new").id)
        else:
            there.mods.allow(there.guild.bot_role, Permission.SEND_MESSAGES)
        await there.discord.heard()
        there.hasten()
        await there.calm()
        assert "help me" in there.alert(there.alerts[-1]).text


async def test_an_alert_that_was_deleted_by_hand_is_posted_anew_once(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        first = there.alert()
        await there.discord.remove(first)
        await there.threaten(lines=THREAT[2:])
        await there.calm()
        assert there.alert().id != first.id
        assert "pressure" in there.alert().text
        assert there.count(*POST, there.mods) == 2
        assert len(there.discord.dms(there.sam)) == 1


@pytest.mark.parametrize("how", ["the role", "the channel", "everybody"])
async def test_where_alerts_must_not_be_posted_none_is_attempted(haven: Living, how: str) -> None:
    async with haven() as there:
        role, everyone = there.guild.bot_role, there.guild.everyone
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        if how == "the role":
            role.permissions = int(role.permissions) & ~Permission.EMBED_LINKS
            everyone.permissions = int(everyone.permissions) & ~Permission.EMBED_LINKS
        elif how == "the channel":
            there.mods.deny(role, Permission.VIEW_CHANNEL)
        else:
            there.mods.allow(everyone, Permission.VIEW_CHANNEL)
        await there.threaten(lines=THREAT[2:])
        await there.threaten(there.member("sender"), there.member("other"), there.guild.channel("room"))
        await waits(there, "UpdateAlert", "AlertModerators")
        assert "pressure" not in there.alert().text
        if how == "the role":
            role.permissions = BOT
        elif how == "the channel":
            there.mods.allow(role, Permission.VIEW_CHANNEL)
        else:
            there.mods.deny(everyone, Permission.VIEW_CHANNEL)
        await there.discord.heard()
        there.hasten()
        await there.calm()
        assert ["pressure" in one.text for one in there.posted()] == [True, True]


def stored(folder: Path) -> bytes:
    """Return every byte of the database."""
    return b"".join(file.read_bytes() for file in sorted(folder.glob("haven.db*")))


async def test_what_was_kept_of_a_server_is_erased_when_it_removes_haven(haven: Living, tmp_path: Path) -> None:
    async with haven() as there:
        await there.threaten()
        await there.calm()
        (case,) = there.parts.store.latest_cases(there.guild.id, 9)
        hashes = [there.parts.store.hashed(Account("discord", user.id)) for user in (there.sam, there.eve)]
        kept = [one.encode() for one in (case.id, *hashes)]
        assert all(one in stored(tmp_path) for one in kept)
        there.guild.remove_bot()
        await there.discord.heard()
        await until(lambda: "what was kept of it is erased" in there.log.text)
        assert there.parts.store.latest_cases(there.guild.id, 9) == []
        assert there.parts.policies.of(there.guild.id).alert_channel is None
        assert there.parts.records.settings(there.guild.id) == {}
        assert not [one for one in kept if one in stored(tmp_path)]
        there.guild.add_bot(BOT)
        there.mods.allow(there.guild.bot_role, SEEING)
        await there.discord.heard()
        await there.threaten()
        await there.calm()
        assert len(there.posted()) == len(there.discord.dms(there.sam)) == 1  # it is only observed until /setup


async def test_what_was_written_before_haven_was_removed_is_not_kept_after(haven: Living) -> None:
    async with haven() as there:
        async with there.discord.outage():
            await there.threaten()
            there.guild.remove_bot()
        await there.discord.heard()
        await until(lambda: "what was kept of it is erased" in there.log.text)
        await there.calm()
        assert there.parts.store.latest_cases(there.guild.id, 9) == []
        assert there.posted() == there.discord.dms(there.sam) == []


@pytest.mark.parametrize("stays", [True, False])
async def test_a_server_that_removed_haven_while_it_was_away_is_forgotten_unless_all_did(
    tmp_path: Path, classifier: Classifier, caplog: pytest.LogCaptureFixture, stays: bool
) -> None:
    caplog.set_level(logging.INFO)
    async with LocalDiscord() as discord:
        left, other = discord.guild("Left"), discord.guild("Other")
        async with living(discord, tmp_path, classifier) as parts:
            for guild in (left, other):
                protect(parts, guild, mode="alert")
            parts.records.choose("-100123", {"mode": "alert"})  # a group on Telegram
        left.remove_bot()
        if not stays:
            other.remove_bot()
        async with living(discord, tmp_path, classifier) as parts:
            words = f"removed from server {left.id}" if stays else "so nothing of them is erased"
            await until(lambda: words in caplog.text)
            assert parts.spaces() == sorted(["-100123", other.id] if stays else ["-100123", other.id, left.id])
        assert discord.complaints == []


async def test_an_outage_of_a_server_erases_nothing(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=THREAT[:2])
        await there.calm()
        there.guild.fall()
        await there.discord.heard()
        there.guild.rise()
        await there.threaten(lines=THREAT[2:])
        await there.calm()
        assert there.parts.policies.of(there.guild.id).alert_channel == there.mods.id
        assert "pressure" in there.alert().text
        assert len(there.discord.dms(there.sam)) == 1


CALLS = {
    "another": "The same sender aims at somebody else, too: please look now",
    "crisis": "Somebody shows despair: please look now",
    "again": "It was ruled not to be sextortion, and there is more to it now: please look again",
    "grave": "This cannot wait any more: please look now",
}


def called(there: Den, why: str, role: Role | None) -> None:
    """Check that one message under the alert says why to look, and calls the role or nobody."""
    alert, below = there.posted()
    case = alert.embeds[0]["footer"]["text"]
    assert below.content.removeprefix(f"{role.mention} " if role else "") == f"{CALLS[why]} ({case}): {alert.url}"
    assert below.embeds == below.components == []
    assert (below.mention_roles, below.mentions, below.mention_everyone) == ([role] if role else [], [], False)
    (asked,) = [one for one in there.discord.asked(*POST) if one.json.get("content") == below.content]
    allowed = {key: found for key, found in asked.json["allowed_mentions"].items() if found not in ([], False)}
    assert allowed == ({"roles": [int(role.id)]} if role else {})


@pytest.mark.parametrize("role", [True, False])
async def test_another_target_of_the_same_sender_is_said_once_under_the_alert(haven: Living, role: bool) -> None:
    async with haven() as there:
        if role:
            protect(there.parts, there.guild, page_role=there.guild.role("helpers").id)
        await there.threaten()
        await there.calm()
        assert len(there.posted()) == 1  # which called them by itself
        other = there.member("other")
        for _ in range(2):
            await there.threaten(target=other)
            await there.calm()
        called(there, "another", None)
        assert other.mention in there.posted()[0].text
        assert len(there.discord.dms(other)) == 1


async def test_whom_a_sender_threatened_longest_hides_nobody_else(haven: Living) -> None:
    async with haven() as there:
        await there.say(there.sam, "hello")
        for target in (*[there.member("accomplice")] * 3, there.sam):
            await there.threaten(target=target)
        await there.calm()
        assert there.sam.mention in there.posted()[0].text
        assert CALLS["another"] in there.posted()[1].content
        assert len(there.discord.dms(there.sam)) == 1


@pytest.mark.parametrize("role", [True, False])
async def test_despair_is_said_once_under_the_alert_with_the_role_and_whose_it_is(haven: Living, role: bool) -> None:
    async with haven() as there:
        helpers = there.guild.role("helpers")
        if role:
            protect(there.parts, there.guild, page_role=helpers.id)
        await there.threaten()
        await there.calm()
        for words in ("i want to kill myself", "i want to die, i cant do this"):
            await there.say(there.sam, words)
            await there.calm()
        called(there, "crisis", helpers if role else None)
        assert f"**Signs of despair: act now** by {there.sam.mention}." in there.posted()[0].text


async def test_despair_of_a_second_person_is_said_too(haven: Living) -> None:
    async with haven() as there:
        helpers, ann = there.guild.role("helpers"), there.member("ann")
        protect(there.parts, there.guild, page_role=helpers.id)
        for target in (there.sam, ann, ann):
            await there.threaten(target=target)
            await there.calm()
        for user in (there.sam, ann, ann):
            await there.say(user, "i want to kill myself")
            await there.calm()
        said = [one for one in there.posted() if CALLS["crisis"] in one.content]
        assert [one.mention_roles for one in said] == [[helpers], [helpers]]
        assert f"**Signs of despair: act now** by {there.sam.mention}, {ann.mention}." in there.posted()[0].text
        assert [len(there.discord.dms(user)) for user in (there.sam, ann)] == [2, 2]


async def test_an_accomplice_who_feigns_despair_hides_nobodys(haven: Living) -> None:
    async with haven() as there:
        accomplice, ann = there.member("accomplice"), there.member("ann")
        for user in (ann, accomplice, there.sam):
            await there.say(user, "hi all")
        for line in THREAT[:3]:
            await there.say(there.eve, line)  # to nobody in particular
        await there.calm()
        for user in (accomplice, there.sam):
            await there.say(user, "i want to kill myself")
            await there.calm()
        assert [CALLS["crisis"] in one.content for one in there.posted()] == [False, True, True]
        assert f"by {accomplice.mention}, {there.sam.mention}." in there.posted()[0].text


@pytest.mark.parametrize("role", [True, False])
async def test_what_was_ruled_out_and_goes_on_is_said_under_the_alert(haven: Living, role: bool) -> None:
    async with haven() as there:
        helpers = there.guild.role("helpers")
        if role:
            protect(there.parts, there.guild, page_role=helpers.id)
        await there.say(there.member("ann"), "hello")
        await there.threaten(lines=THREAT[:1])
        await there.calm()
        await there.discord.press(there.guild.owner, there.alert(), "Not sextortion")
        await there.threaten()
        await there.calm()
        called(there, "again", helpers if role else None)
        assert there.posted()[0].embeds[0]["title"].startswith("Looks like sextortion")


async def test_a_case_that_becomes_grave_calls_the_role_once_under_the_alert(haven: Living) -> None:
    async with haven() as there:
        helpers = there.guild.role("helpers")
        protect(there.parts, there.guild, page_role=helpers.id)
        for user in (there.sam, there.member("ann"), there.sam):
            await there.say(user, "hey all")
        for line in THREAT[:2]:
            await there.say(there.eve, line)  # to nobody in particular
        await there.calm()
        assert there.alert().mention_roles == []
        await there.threaten()
        await there.calm()
        called(there, "grave", helpers)
        assert len(there.discord.dms(there.sam)) == 1


async def test_the_warning_names_its_server_and_the_name_has_no_power(haven: Living) -> None:
    name = "@everyone <@1> **x** ||y|| [z](https://evil.example) \u202etxet\n# " + "n" * 40
    async with haven(before=lambda discord: rename(discord, name)) as there:
        await there.threaten()
        await there.calm()
        (warning,) = there.discord.dms(there.sam)
        (embed,) = warning.embeds
        assert embed["footer"]["text"] == f"Haven in {name}".replace("\u202e", "\ufffd").replace("\n", " ")
        assert name[:9] not in str({key: found for key, found in embed.items() if key != "footer"})
        assert warning.content == ""
        assert (warning.mentions, warning.mention_roles, warning.mention_everyone) == ([], [], False)


def rename(discord: LocalDiscord, name: str) -> None:
    (guild,) = discord.world.guilds.values()
    guild.name = name


async def test_no_line_is_said_to_be_certain(haven: Living) -> None:
    async with haven() as there:
        await there.threaten()
        await there.calm()
        (case,) = there.parts.store.latest_cases(there.guild.id, 9)
        assert max(evidence.probability for evidence in case.evidence) > 0.995
        assert "image claim 99%" in there.alert().text
        assert "100%" not in there.alert().text


async def test_moderators_send_advice_to_somebody_who_left(haven: Living) -> None:
    async with haven() as there:
        protect(there.parts, there.guild, mode="alert")
        await there.threaten()
        await there.calm()
        assert "waits for a moderator" in there.shown()
        there.guild.kick(there.sam)
        owner = there.guild.owner
        answer = await there.discord.press(owner, there.alert(), "Send private advice")
        assert answer.ephemeral
        await there.calm()
        assert "cannot be written to" in there.shown()
        assert there.count(*OPEN) == 1
        answer = await there.discord.press(owner, there.alert(), "Send private advice")
        assert "To whom else should Haven send" in answer.text


async def test_a_bot_is_never_written_to(haven: Living) -> None:
    async with haven() as there:
        other = there.discord.user("helper", bot=True)
        there.guild.join(other)
        await there.threaten(target=other)
        for line in THREAT:
            await there.say(there.eve, line, reply_to=await there.say(other, "hello"))
        await there.calm()
        assert there.count(*OPEN) == 0
        assert other.id not in str(there.alert().embeds[0]["fields"])


async def test_names_and_words_of_members_have_no_power_on_the_alert(haven: Living) -> None:
    async with haven() as there:
        role = there.guild.role("staff")
        name = f"@everyone **x** ||y|| [click](https://evil.example) \u202etxet {'🔥' * 32}\u200b"
        eve = there.discord.user("hostile", global_name=name)
        there.guild.join(eve, nick=name[:32])
        around = (
            f"@everyone @here <@&{role.id}> **{{}}** ```py\nx``` ||s|| [click](https://evil.example/a) \u202e # t",
            f"<@{there.discord.owner.id}> ~~{{}}~~ <https://evil.example> discord.gg/abc `c` \u2066\n> q\n- l\n1. n",
            "__{}__ </help:1> <t:1:R> <id:guide> http://evil.example/a_b_c \\|| <a:x:1> <#2> \u200b\u200d",
            "*{}* ||\\||||| ** \\",
        )
        for line, frame in zip(THREAT, around, strict=True):
            await there.say(eve, f"<@{there.sam.id}> {frame.format(line)}", mentions=[there.sam])
        await there.calm()
        alert = there.alert()
        assert "image claim" in alert.text
        posts = [one for one in there.discord.requests if one.channel_id == there.mods.id]
        assert all(one.json["allowed_mentions"]["parse"] == [] for one in posts if one.method == "POST")
        assert (alert.mentions, alert.mention_roles, alert.mention_everyone) == ([], [], False)
        assert "txet" not in alert.text  # the name is not shown but by a mention
        hidden = re.findall(r": \|\|(.*)\|\|$", alert.embeds[0]["description"], re.MULTILINE)
        assert len(hidden) >= 2
        for words in hidden:
            left = re.sub(r"\\[\\`*_~|>\[\]()#:<@-]", "", words).replace("**", "")
            assert not re.search(r"[\\`*_~|>\[\]()#<@\u202a-\u202e\u2066-\u2069\n]", left), left
            assert not re.search(r"https?:/|discord\.gg|@everyone|@here", words.replace("\\", "")), words


async def test_the_largest_alert_stays_within_discords_limits(haven: Living) -> None:
    async with haven() as there:
        await there.threaten()
        await there.calm()
        (case,) = there.parts.store.latest_cases(there.guild.id, 9)
        targets = tuple(Target(Account("discord", str(10**18 + i)), Advice.HELD) for i in range(40))
        excerpts = ["@" * 200, "||" * 100, "https://" * 25, "`*_~" * 50, "\\" * 200]
        evidence = tuple(
            Evidence(
                marker,
                str(10**18 + i),
                0.99,
                excerpts[i % 5],
                tuple((n, n + 1) for n in range(0, 200, 2)),
                case.seen_at,
            )
            for i, marker in enumerate(Marker)
        )
        large = replace(case, targets=targets, evidence=evidence, crisis=True, acts=tuple(Act), post=None)
        there.parts.store.record(large, [AlertModerators(view(large))], there.now())
        there.parts.outbox.wake()
        await there.calm()
        embed = there.posted()[-1].embeds[0]
        assert embed_size(embed) <= 6000
        assert embed["description"].count("[message]") >= 2
        assert "despair" in embed["description"]


async def test_a_message_of_4000_characters_is_read_and_shown_in_part(haven: Living) -> None:
    async with haven() as there:
        await there.threaten(lines=[f"{line} {'ha ' * ((3900 - len(line)) // 3)}" for line in THREAT])
        await there.threaten(lines=["@*_~|`" * 600, *THREAT])
        await there.calm()
        assert len(there.discord.dms(there.sam)) == 1
        assert embed_size(there.alert().embeds[0]) <= 6000


@pytest.mark.parametrize("text", ["@" * 1000, "||" * 500, "plain words " * 80])
async def test_a_report_is_always_shown(haven: Living, text: str) -> None:
    async with haven() as there:
        answer = await there.discord.slash(there.sam, "report", {"text": text, "member": there.eve}, there.general)
        assert answer.ephemeral
        await there.calm()
        assert text[:4].replace("@", "@\u200b").replace("|", "\\|") in there.alert().text.replace("\\@", "@")
        assert there.eve.mention in there.alert().text
        assert there.alert().mentions == []
