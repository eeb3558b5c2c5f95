"""What Haven reads on Discord and what it leaves alone, how fast, and with what it may connect at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from discord_den import OPEN, POST, Den, Living, den, hurry
from discord_life import THREAT, living, protect, until
from localdiscord.permissions import Intent
from localdiscord.server import Channel, LocalDiscord, Permission, User

from bot.app import open_classifier
from bot.config import Config
from classifiers.classifier import Classifier
from classifiers.errors import InputError

VOICE, CATEGORY, FORUM = 2, 4, 15
ODD = "\ud800"
SYSTEM = (7, 8, 18, 24)  # joined, boosted, began a thread, AutoMod acted


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


def senders(there: Den) -> list[str]:
    """Return whom the alerts name as senders."""
    fields = [one for alert in there.posted() for one in alert.embeds[0]["fields"] if one["name"] == "Sender"]
    return [field["value"].split()[0] for field in fields]


async def test_an_edit_into_a_threat_is_read(haven: Living) -> None:
    async with haven() as there:
        written = await there.threaten(lines=["hello", "how are you", "see you later", "bye"])
        await there.calm()
        assert not there.posted()
        for message, line in zip(written, THREAT, strict=True):
            await there.discord.edit(message, f"<@{there.sam.id}> {line}")
        await there.calm()
        assert senders(there) == [there.eve.mention]
        assert len(there.discord.dms(there.sam)) == 1
        assert written[1].id in there.alert().embeds[0]["description"]


async def test_of_messages_that_were_never_seen_an_edit_is_read_and_a_preview_of_a_link_is_not(haven: Living) -> None:
    async with haven() as there:
        hidden = there.guild.channel("hidden", private=True)
        hidden.deny(there.guild.bot_role, Permission.VIEW_CHANNEL)
        written = await there.threaten(channel=hidden)
        hidden.allow(there.guild.bot_role, Permission.VIEW_CHANNEL)
        for message in written:
            await there.discord.unfurl(message)
        await there.calm()
        assert there.parts.store.latest_cases(there.guild.id, 1) == []
        for message in written:
            await there.discord.edit(message, message.content + ".")
            await there.discord.unfurl(message)
        await there.calm()
        assert senders(there) == [there.eve.mention]


async def test_bots_webhooks_and_system_messages_are_not_read(haven: Living) -> None:
    async with haven() as there:
        machine, hook = there.discord.user("machine", bot=True), there.discord.user("hook")
        there.guild.join(machine)
        await there.threaten(machine)
        for line in THREAT:
            await there.say(hook, f"<@{there.sam.id}> {line}", mentions=[there.sam], webhook=True)
        for kind in SYSTEM:
            for line in THREAT:
                await there.say(there.eve, f"<@{there.sam.id}> {line}", mentions=[there.sam], type=kind)
        await there.calm()
        assert there.parts.store.latest_cases(there.guild.id, 1) == []
        await there.threaten()
        await there.calm()
        assert senders(there) == [there.eve.mention]


async def test_a_forward_is_never_blamed_on_who_forwards_it(haven: Living) -> None:
    async with haven() as there:
        for line in THREAT:
            await there.say(there.sam, "", snapshot=f"<@{there.eve.id}> {line}")
        for line in THREAT:  # nor a quote
            await there.say(there.sam, "\n".join(f"> {part}" for part in line.split(". ")))
        await there.calm()
        assert there.sam.mention not in senders(there)
        assert all(case.about.id != there.sam.id for case in there.parts.store.latest_cases(there.guild.id, 9))
        assert there.count(*OPEN) == 0


async def test_a_reply_without_a_ping_says_whom_a_threat_is_aimed_at(haven: Living) -> None:
    async with haven() as there:
        hello = await there.say(there.sam, "hi all, nice to meet you")
        for line in THREAT:
            await there.say(there.member("passer-by"), "hi sam")
            await there.say(there.eve, line, reply_to=hello, ping=False)
        await there.calm()
        assert there.shown().endswith("was warned in private")
        assert len(there.discord.dms(there.sam)) == 1


async def test_a_threat_is_aimed_at_whom_it_answers_and_not_at_whom_it_names_besides(haven: Living) -> None:
    async with haven() as there:
        ann, bob = there.member("ann"), there.member("bob")
        for author in (ann, bob):
            await there.say(author, "hi everybody")
        stop = await there.say(there.sam, "please stop")
        for line in THREAT:
            await there.say(there.eve, f"{line}, and to <@{ann.id}>", reply_to=stop, mentions=[bob, ann])
        await there.calm()
        assert there.shown().endswith("was warned in private")
        assert [len(there.discord.dms(one)) for one in (there.sam, ann, bob)] == [1, 0, 0]


async def test_who_is_named_first_is_first_in_whatever_order_discord_says_them(haven: Living) -> None:
    async with haven() as there:
        ann = there.member("ann")
        await there.say(ann, "hi everybody")
        await there.say(there.sam, "hi")
        for line in THREAT:
            await there.say(there.eve, f"<@{there.sam.id}> {line}, and to <@{ann.id}>", mentions=[ann, there.sam])
        await there.calm()
        assert there.shown().endswith("was warned in private")
        assert there.discord.dms(ann) == []


async def test_who_was_only_greeted_is_not_warned_of_a_threat_to_somebody_else(haven: Living) -> None:
    async with haven() as there:
        ann, bob = there.member("ann"), there.member("bob")
        for author in (ann, bob):
            await there.say(author, "hi everybody")
        await there.say(there.eve, f"<@{bob.id}> hi, nice to see you here")
        for line in THREAT:
            await there.say(there.sam, "please no")
            await there.say(there.eve, line)
        await there.calm()
        assert senders(there) == [there.eve.mention]
        assert there.discord.dms(bob) == []


async def test_nobody_is_warned_who_is_not_in_the_server(haven: Living) -> None:
    async with haven() as there:
        stranger = there.discord.user("stranger")
        there.discord.guild("Elsewhere").join(stranger)
        await there.say(there.sam, "hi")
        await there.say(there.member("ann"), "hi")
        await there.threaten(target=stranger)
        await there.calm()
        assert senders(there) == [there.eve.mention]
        assert there.discord.dms(stranger) == []


async def test_threads_forum_posts_and_voice_chat_are_read_and_skipped_ones_are_not(haven: Living) -> None:
    async with haven() as there:
        guild = there.guild
        category = guild.channel("private talk", kind=CATEGORY)
        skipped, inside = guild.channel("skipped"), guild.channel("inside", parent=category)
        forum = guild.channel("forum", kind=FORUM)
        read: list[Channel] = [guild.thread(there.general, "a thread"), guild.thread(forum, "a post")]
        read.append(guild.channel("Voice", kind=VOICE))
        unread = [skipped, guild.thread(skipped, "t"), inside, guild.thread(inside, "t")]
        unread.append(guild.channel("Quiet", kind=VOICE, parent=category))
        protect(there.parts, guild, skip_channels=[skipped.id, category.id])
        pairs: list[tuple[User, User]] = []
        for i, channel in enumerate([*unread, *read]):
            pairs.append((there.member(f"sender{i}"), there.member(f"target{i}")))
            await there.threaten(*pairs[-1], channel)
        await there.calm()
        assert sorted(senders(there)) == sorted(sender.mention for sender, _ in pairs[len(unread) :])
        told = [len(there.discord.dms(target)) for _, target in pairs]
        assert told == [0] * len(unread) + [1] * len(read)


async def test_the_titles_of_forum_posts_are_read(haven: Living) -> None:
    async with haven() as there:
        forum = there.guild.channel("forum", kind=FORUM)
        post = there.guild.thread(forum, f"send me 400 or i send your nudes to your mum {ODD}"[:100], owner=there.eve)
        first = await there.say(there.eve, f"<@{there.sam.id}> {THREAT[0]}", post, mentions=[there.sam], begins=True)
        await there.calm()
        assert senders(there) == [there.eve.mention]
        assert first.id in there.alert().text
        assert "send me 400" in there.alert().text.replace("*", "")


async def test_polls_are_read(haven: Living) -> None:
    async with haven() as there:
        await there.say(there.sam, "", poll=("which game tonight?", "chess", "minecraft"))
        await there.say(there.sam, "hi all")
        question, *options = THREAT
        await there.say(there.eve, f"<@{there.sam.id}>", mentions=[there.sam], poll=(f"{question} {ODD}", *options))
        await there.calm()
        assert senders(there) == [there.eve.mention]


async def test_the_alert_channel_itself_is_not_read(haven: Living) -> None:
    async with haven() as there:
        thread = there.guild.thread(there.mods, "what now?")
        moderator = there.discord.user("mo")
        there.guild.join(moderator, [there.guild.role("mods", Permission.ADMINISTRATOR)])
        for channel in (there.mods, thread):
            await there.threaten(moderator, channel=channel)
        await there.calm()
        assert there.parts.store.latest_cases(there.guild.id, 9) == []
        protect(there.parts, there.guild, alert_channel=there.moderators("new").id)
        await there.threaten(moderator, channel=there.mods)
        await there.calm()
        assert [case.about.id for case in there.parts.store.latest_cases(there.guild.id, 9)] == [moderator.id]


async def test_a_thread_in_a_channel_that_is_not_known_is_read(haven: Living) -> None:
    async with haven() as there:
        room = there.guild.channel("room")
        there.guild.tell("CHANNEL_DELETE", room.payload())
        thread = there.guild.thread(room, "a thread")
        await there.threaten(channel=thread)
        await there.calm()
        assert senders(there) == [there.eve.mention]


@pytest.mark.parametrize(
    "odd", ["\ud800", "\x00", "\u0301" * 3000, "\U000e0041" * 900, "\N{ARABIC LETTER ALEF}" * 3000]
)
async def test_no_character_keeps_a_threat_from_being_read(haven: Living, odd: str) -> None:
    async with haven() as there:
        await there.threaten(lines=[f"{line} {odd}" for line in THREAT])
        await there.say(there.sam, f"> {odd}\n> quoted")
        await there.calm()
        assert senders(there) == [there.eve.mention]


async def test_a_message_from_a_server_that_is_not_known_is_not_taken_for_a_private_one(haven: Living) -> None:
    async with haven() as there:
        elsewhere = there.discord.guild("Elsewhere", bot_permissions=None)
        elsewhere.join(there.eve)
        message = await there.say(there.eve, THREAT[1], elsewhere.channel("general"))
        there.discord.world.emit("MESSAGE_CREATE", 0, elsewhere, lambda _: message.in_gateway(content=True))
        await there.discord.write(there.discord.dm(there.sam), there.sam, THREAT[1])
        await until(lambda: there.discord.dms(there.sam))
        assert there.count(*POST) == 1


async def test_a_flood_hides_no_threat_and_is_worked_off(haven: Living) -> None:
    async with haven() as there:
        members = [there.member(f"member{i}") for i in range(40)]
        rooms = [there.guild.channel(f"room{i}") for i in range(8)]
        parts = {400: THREAT[:2], 700: THREAT[2:3], 1000: THREAT[3:]}
        begun = there.now()
        for i in range(2000):
            await there.threaten(lines=parts.get(i, ()), channel=rooms[3])
            text = f"did you see the match at {i % 12} o'clock? what a goal, number {i} for me"
            await there.say(members[i % 40], text, rooms[i % 8])
        assert there.now() - begun < 10
        await there.calm()
        assert senders(there) == [there.eve.mention]
        assert len(there.discord.dms(there.sam)) == 1
        assert there.parts.inbox.waiting == 0
        assert [case.about.id for case in there.parts.moderation.cases(there.guild.id)] == [there.eve.id]


async def test_a_server_that_nobody_has_set_up_is_only_observed(haven: Living) -> None:
    async with haven(set_up=False) as there:
        await there.threaten()
        await there.calm()
        (case,) = there.parts.store.latest_cases(there.guild.id, 9)
        assert case.about.id == there.eve.id
        assert there.waiting() == []
        assert there.count(*OPEN) == 0
        assert not any(one.path.startswith("/channels/") for one in there.discord.requests)


async def test_without_messages_haven_answers_those_who_ask(haven: Living) -> None:
    async with haven(read_messages=False, before=lambda discord: switch_off(discord)) as there:
        (identified,) = there.discord.gateway.identifies
        privileged = Intent.MESSAGE_CONTENT | Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES
        assert not identified["intents"] & (privileged | Intent.GUILD_MESSAGES)
        written = await there.threaten()
        await there.calm()
        assert there.parts.store.latest_cases(there.guild.id, 9) == []
        answer = await there.discord.menu(there.sam, "Check for blackmail", written[1])
        assert answer.ephemeral
        assert "This looks like blackmail" in answer.text
        await there.discord.write(there.discord.dm(there.sam), there.sam, THREAT[1])
        await until(lambda: there.discord.dms(there.sam))
        assert "blackmail" in there.discord.dms(there.sam)[0].text
        assert "checking on request only" in there.log.text


def switch_off(discord: LocalDiscord) -> None:
    discord.message_content_enabled = False


async def test_a_missing_intent_is_named(tmp_path: Path, classifier: Classifier) -> None:
    async with LocalDiscord() as discord:
        discord.message_content_enabled = False
        with pytest.raises(InputError, match=r"Message Content Intent.*read_messages = false"):
            async with living(discord, tmp_path, classifier):
                pass
        assert discord.complaints == []


async def test_a_refused_token_is_named(tmp_path: Path, classifier: Classifier) -> None:
    async with LocalDiscord() as discord:
        discord.fail("GET", "/users/@me", status=401)
        with pytest.raises(InputError, match="HAVEN_DISCORD_TOKEN"):
            async with living(discord, tmp_path, classifier):
                pass
        assert discord.gateway.identifies == []
        assert discord.complaints == []


async def test_a_token_that_was_reset_while_haven_ran_ends_it_with_the_variables_name(haven: Living) -> None:
    async def reset() -> None:
        async with haven() as there:
            running = [one for one in asyncio.all_tasks() if getattr(one.get_coro(), "__name__", "") == "serve"]
            there.discord.token = "another"  # noqa: S105 (it opens nothing)
            await there.discord.drop()
            await asyncio.wait(running)
            assert there.discord.gateway.resumes

    with pytest.raises(InputError, match="HAVEN_DISCORD_TOKEN"):
        await reset()
