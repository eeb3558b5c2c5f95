"""An evening on Telegram, from the outside: the program as a process, and everything that people can see of it."""

from __future__ import annotations

import asyncio
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random

from localdiscord.server import Guild, LocalDiscord
from localdiscord.server import User as DiscordUser
from localtelegram.server import Connection, Group, LocalTelegram, Message, User
from localtelegram.server import until as within
from telegram_life import PATIENCE
from test_discord_evening import THREADS, chatter

MESSAGES, MEMBERS = 2_000, 30
WITHIN = 160  # messages, among which the lines of all threads come in each half
FIRST_HALF = 5  # lines of each thread before the restart
NEUTRAL = "I answer in private:"


@asynccontextmanager
async def haven(folder: Path, environment: dict[str, str], settings: str, **tokens: str) -> AsyncIterator[None]:
    """Run `haven run` until the end of the block, which ends it with SIGTERM; what it says goes to `said`."""
    (folder / "haven.toml").write_text(settings)
    with (folder / "said").open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "bot", "run",
            cwd=folder, env=environment | tokens, stdout=said, stderr=said,
        )  # fmt: skip
        try:
            yield
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE):
                assert await process.wait() == 0, (folder / "said").read_text()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@asynccontextmanager
async def on_telegram(telegram: LocalTelegram, folder: Path, environment: dict[str, str]) -> AsyncIterator[None]:
    """Run Haven on Telegram only."""
    async with haven(folder, environment, section(telegram), HAVEN_TELEGRAM_TOKEN=telegram.token):
        await within(lambda: telegram.updates.idle, PATIENCE, "Haven polls")
        yield


def section(telegram: LocalTelegram) -> str:
    """Return the settings for a Telegram."""
    address = telegram.base_url.removesuffix("/bot")
    return f'[telegram]\napi_url = "{address}"\nfile_url = "{address}"\n'


@dataclass
class Thread:
    """Who threatens whom where: in a group (a topic of it), or in private, where the target lets Haven read."""

    sender: User
    target: User
    lines: Iterator[str]
    group: Group | None = None
    topic: int | None = None
    connection: Connection | None = None


@dataclass
class Evening:
    """Two groups, the chat of their moderators, thirty members and three threads."""

    telegram: LocalTelegram
    owner: User
    groups: list[Group]
    mods: Group
    members: list[User]
    topics: list[int]
    threads: list[Thread] = field(default_factory=list)
    speech: list[tuple[Group, int | None, Iterator[tuple[User, str]]]] = field(default_factory=list)


async def built(telegram: LocalTelegram) -> Evening:
    """Make the groups: one that Haven reads as an admin, with topics, and one without privacy mode."""
    owner = telegram.user("Olga Owner")
    owner.started = True
    forum = telegram.group("Friends", forum=True, owner=owner)
    forum.promote_bot()
    club = telegram.group("Club", owner=owner, privacy=False)
    mods = telegram.group("Moderators", owner=owner)
    members = [telegram.user(f"Member {i}", f"member_{i}") for i in range(MEMBERS)]
    for i, member in enumerate(members):
        (forum, club)[i % 2].join(member)
    topics = [forum.topic("Weekend"), forum.topic("Games")]
    made = Evening(telegram, owner, [forum, club], mods, members, topics)
    made.threads = [
        Thread(members[0], members[2], iter(THREADS[0]), forum, topics[0]),
        Thread(members[1], members[3], iter(THREADS[1]), club),
        Thread(telegram.user("Stranger"), members[5], iter(THREADS[2])),
    ]
    for thread in (made.threads[0], made.threads[2]):
        thread.target.started = True
    talk = chatter()
    for group, topic, those in ((forum, None, 6), (forum, topics[0], 6), (forum, topics[1], 6), (club, None, 7)):
        made.speech.append((group, topic, talking(members[those::2], talk)))
    return made


def talking(members: list[User], talk: Iterator[list[tuple[str, str]]]) -> Iterator[tuple[User, str]]:
    """Let members say conversation after conversation."""
    for turn, said in enumerate(talk):
        names = list(dict.fromkeys(name for name, _ in said))
        who = {name: members[(turn + i) % len(members)] for i, name in enumerate(names)}
        yield from ((who[name], text) for name, text in said if text.strip())


async def played(there: Evening, count: int, lines: int) -> None:
    """Let everybody chat, and the next lines of every thread fall among the chat."""
    random = Random(count)  # noqa: S311
    due = sorted(random.sample(range(count // 3, count // 3 + WITHIN), lines * len(there.threads)))
    threads = cycle(there.threads)
    for i in range(count):
        if due and i == due[0]:
            due.pop(0)
            await said(there, next(threads))
        else:
            group, topic, speech = there.speech[i % len(there.speech)]
            author, text = next(speech)
            await there.telegram.write(group, author, text, topic=topic)


async def said(there: Evening, thread: Thread) -> None:
    """Say the next line of a thread."""
    text = next(thread.lines)
    mine = text not in {line for lines in THREADS for line in lines[::2]}
    if thread.connection:
        await there.telegram.business_write(thread.connection, thread.sender, text, mine=mine)
        return
    assert thread.group
    author, other = (thread.target, thread.sender) if mine else (thread.sender, thread.target)
    await there.telegram.write(thread.group, author, f"@{other.username} {text}", topic=thread.topic)


async def set_up(there: Evening, group: Group) -> None:
    """Protect a group with /setup, and link the moderators' chat with the code that it gives."""
    telegram, owner = there.telegram, there.owner

    async def answer(before: int) -> Message:
        await within(lambda: len(telegram.privates(owner)) > before, PATIENCE, "an answer in private")
        return telegram.privates(owner)[-1]

    await telegram.write(group, owner, "/setup")
    await within(lambda: telegram.sent(group), PATIENCE, "a button in the group")
    before = len(telegram.privates(owner))
    await telegram.follow(owner, telegram.sent(group)[-1], telegram.sent(group)[-1].labels[0])
    form = await answer(before)
    before = len(telegram.privates(owner))
    await telegram.press(owner, form, "Link the moderators' chat")
    code = re.search(r"/link \w+", (await answer(before)).text)
    assert code
    await telegram.write(there.mods, owner, code[0])
    await within(lambda: "Done" in telegram.sent(there.mods)[-1].text if telegram.sent(there.mods) else False, 20, "it")


def alerts(telegram: LocalTelegram, mods: Group) -> list[Message]:
    return [message for message in telegram.sent(mods) if "Looks like sextortion" in message.text]


def warnings(telegram: LocalTelegram, user: User) -> list[Message]:
    """Return the private warnings that somebody has got."""
    return [message for message in telegram.privates(user) if "not_me:" in str(message.keyboard)]


async def test_an_evening_in_two_groups_and_a_private_chat(tmp_path: Path, environment: dict[str, str]) -> None:
    async with LocalTelegram() as telegram:
        telegram.flood_limits = True
        telegram.patience = PATIENCE
        there = await built(telegram)
        first, late, private = (thread.target for thread in there.threads)
        async with on_telegram(telegram, tmp_path, environment):
            for group in there.groups:
                await set_up(there, group)
            there.threads[2].connection = await telegram.connect_business(private)
            await played(there, MESSAGES // 2, FIRST_HALF)
            await within(lambda: len(alerts(telegram, there.mods)) == 2, PATIENCE, "both alerts")
            await within(lambda: warnings(telegram, first) and warnings(telegram, private), PATIENCE, "warnings")
        assert [len(warnings(telegram, user)) for user in (first, late, private)] == [1, 0, 1]
        before = [message.id for message in alerts(telegram, there.mods)]
        shown = "\n".join(message.text for message in alerts(telegram, there.mods))
        assert "was warned in private" in shown
        assert "has never opened a chat with Haven" in shown

        async with on_telegram(telegram, tmp_path, environment):
            await played(there, MESSAGES - MESSAGES // 2, len(THREADS[0]) - FIRST_HALF)
            await telegram.write(late.private, late, "/start")
            await within(lambda: warnings(telegram, late), PATIENCE, "the warning that waited")
            await telegram.write(late.private, late, "/start")
            await telegram.polled()
        assert [len(warnings(telegram, user)) for user in (first, late, private)] == [1, 1, 1]
        assert [len(telegram.privates(user)) for user in (first, private)] == [1, 1]
        assert [message.id for message in alerts(telegram, there.mods)] == before
        shown = "\n".join(message.text for message in alerts(telegram, there.mods))
        assert shown.count("was warned in private") == 2
        assert [telegram.privates(thread.sender) for thread in there.threads] == [[]] * 3
        nothing_public(there)
        clean(tmp_path, telegram.token, there.threads[2].connection.id)
        assert telegram.complaints == []


def nothing_public(there: Evening) -> None:
    """Check that nothing came in the groups but where to go for the settings, and nothing in anybody's name."""
    for group in there.groups:
        assert [message.text for message in there.telegram.sent(group)] == [NEUTRAL]
    allowed = {there.mods.id, *there.telegram.world.users, *(group.id for group in there.groups)}
    for asked in there.telegram.requests:
        assert asked.chat_id is None or int(asked.chat_id) in allowed, asked
        assert "business_connection_id" not in asked.params or asked.method == "getBusinessConnection", asked
    connection = there.threads[2].connection
    assert connection
    assert not [one for chat in connection.everything() for one in chat.messages.values() if one.by_bot]


def clean(folder: Path, *secrets: str) -> None:
    """Check that the log holds no word, no token and no traceback."""
    said = (folder / "said").read_text()
    assert "Traceback" not in said
    assert "ERROR" not in said
    for secret in (*secrets, *(line for lines in THREADS for line in lines)):
        assert secret not in said


async def test_discord_and_telegram_are_served_at_once(tmp_path: Path, environment: dict[str, str]) -> None:
    async with LocalDiscord() as discord, LocalTelegram() as telegram:
        telegram.patience = PATIENCE
        guild, there = discord.guild("Server"), await built(telegram)
        sender, target = discord.user("sender"), discord.user("target")
        guild.join(sender)
        guild.join(target)
        general, place = guild.channel("general"), guild.channel("mods", private=True)
        settings = f'[discord]\napi_url = "{discord.api_url}"\ngateway_url = "{discord.gateway_url}"\n'
        tokens = {"HAVEN_DISCORD_TOKEN": discord.token, "HAVEN_TELEGRAM_TOKEN": telegram.token}
        mallory, victim = there.threads[1].sender, there.threads[1].target
        victim.started = True
        for _ in range(2):
            async with haven(tmp_path, environment, settings + section(telegram), **tokens):
                await discord.ready()
                await within(lambda: telegram.updates.idle, PATIENCE, "Haven polls")
                if not alerts(telegram, there.mods):
                    await set_up(there, there.groups[1])
                    await protected(discord, guild)
                    there.groups = there.groups[1:]
                for line in THREADS[1][::2]:
                    await discord.write(general, sender, f"<@{target.id}> {line}", mentions=[target])
                    await telegram.write(there.groups[0], mallory, f"@{victim.username} {line}")
                await within(lambda: discord.dms(target), PATIENCE, "the warning on Discord")
                await within(lambda: warnings(telegram, victim), PATIENCE, "the warning on Telegram")
        assert len(discord.dms(target)) == len(warnings(telegram, victim)) == 1
        assert len([one for one in discord.messages(place) if one.embeds]) == len(alerts(telegram, there.mods)) == 1
        with sqlite3.connect(f"file:{tmp_path / 'haven.db'}?mode=ro", uri=True) as database:
            assert database.execute("SELECT platform FROM cases ORDER BY 1").fetchall() == [("discord",), ("telegram",)]
        database.close()
        clean(tmp_path, discord.token, telegram.token)
        assert discord.complaints == []
        assert telegram.complaints == []


async def protected(discord: LocalDiscord, guild: Guild) -> None:
    """Choose the alert channel with /setup."""
    owner: DiscordUser = guild.owner
    channels = {one.name: one for one in discord.world.channels.values() if one.guild is guild}
    form = await discord.slash(owner, "setup", where=channels["general"])
    await discord.choose(owner, form, "haven_set:alert_channel", [channels["mods"]])
