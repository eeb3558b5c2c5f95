"""An evening on three servers, from the outside: the program as a process, and everything that people can see of it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random

from discord_life import PATIENCE, until
from localdiscord.server import Channel, Guild, LocalDiscord, Message, User

ROOT = Path(__file__).parents[1]
MESSAGES, SERVERS, MEMBERS = 3_000, 3, 40
THREADS = (
    (
        "remember our call last night? i recorded all of it, i have your nudes on video",
        "what are you on about",
        "send 300 in steam cards or i send the video to your mum and every follower you have",
        "i dont have that much",
        "you have one hour. block me and i post it everywhere",
        "i told you i cant",
        "pay me now or your family sees your nudes tonight",
    ),
    (
        "i saved your nudes and i have a list of all your friends and your boss",
        "what? who are you",
        "doesnt matter. 500 dollars in bitcoin or i send your naked pics to all of them",
        "stop it",
        "last warning, pay today or i leak your nudes to your school and your family",
        "i will tell someone",
        "tell anyone and i post the video right now. send the money",
    ),
    (
        "look what i made from your profile photos, a nude of you. everybody will believe it is you",
        "that isnt even me!",
        "send me 200 by paypal or i share your nude with all your contacts",
        "leave me alone",
        "ok then i send the pictures to your parents first. pay or i post them",
        "wait a minute",
        "30 minutes. dont block me or the nudes go to everyone you know",
    ),
    (
        "i recorded you on cam, i have the video and your instagram followers",
        "do i know you",
        "pay 400 in gift cards or i send your nudes to your girlfriend and your family",
        "i am at work right now",
        "you have until midnight, i see you read this. send the codes or i post the video",
        "not today",
        "then everyone gets your nudes. pay me",
    ),
)  # the odd lines are the target's
FIRST_HALF = 5  # lines of each thread before the restart


@dataclass
class Scene:
    """One server with its moderators' channel, and who threatens whom in it, where."""

    guild: Guild
    alerts: Channel
    owner: User
    members: list[User]
    channels: list[Channel]
    threads: list[tuple[Channel, User, User, Iterator[str]]] = field(default_factory=list)
    speech: list[tuple[Channel, Iterator[tuple[User, str]]]] = field(default_factory=list)


@asynccontextmanager
async def haven(discord: LocalDiscord, folder: Path, environment: dict[str, str]) -> AsyncIterator[None]:
    """Run `haven run` until the end of the block, which ends it with SIGTERM; what it says goes to `said`."""
    settings = f'[discord]\napi_url = "{discord.api_url}"\ngateway_url = "{discord.gateway_url}"\n'
    (folder / "haven.toml").write_text(settings)
    with (folder / "said").open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "bot", "run",
            cwd=folder, env=environment | {"HAVEN_DISCORD_TOKEN": discord.token}, stdout=said, stderr=said,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE):
                await discord.ready()
            yield
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE):
                assert await process.wait() == 0, (folder / "said").read_text()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def chatter() -> Iterator[list[tuple[str, str]]]:
    """Yield ordinary English conversations of the corpus, as who says what, without an end."""
    found = []
    for file in sorted((ROOT / "data" / "corpus").glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            if told["kind"] == "benign" and told.get("lang", "en") == "en":
                found.append([(message["from"], message["text"][:2_000]) for message in told["messages"]])
    Random(4).shuffle(found)  # noqa: S311
    return cycle(found)


def talking(members: list[User], talk: Iterator[list[tuple[str, str]]]) -> Iterator[tuple[User, str]]:
    """Let members say conversation after conversation."""
    for turn, said in enumerate(talk):
        names = list(dict.fromkeys(name for name, _ in said))
        who = {name: members[(turn + i) % len(members)] for i, name in enumerate(names)}
        yield from ((who[name], text) for name, text in said if text.strip())


def built(discord: LocalDiscord) -> list[Scene]:
    """Make the servers: channels, a thread, a forum post and voice chat; two threads of threats are in the first."""
    scenes = []
    people = [discord.user(f"member{i}") for i in range(MEMBERS)]
    for i in range(SERVERS):
        owner = discord.user(f"owner{i}")
        guild = discord.guild(f"Server {i}", owner=owner)
        members = people[i::SERVERS]
        for member in members:
            guild.join(member)
        general, forum = guild.channel("general"), guild.channel("questions", kind=15)
        channels = [general, guild.channel("games"), guild.channel("Voice", kind=2)]
        channels += [guild.thread(general, "weekend"), guild.thread(forum, "which laptop?")]
        scenes.append(Scene(guild, guild.channel("mods", private=True), owner, members, channels))
    for lines, scene, place in zip(THREADS, (scenes[0], *scenes), (0, 4, 1, 3), strict=True):
        at = 2 * len(scene.threads)
        sender, target = scene.members[at : at + 2]
        scene.threads.append((scene.channels[place], sender, target, iter(lines)))
    talk = chatter()
    for scene in scenes:
        others = scene.members[2 * len(scene.threads) + 2 :]
        scene.speech = [(channel, talking(others, talk)) for channel in scene.channels]
    return scenes


async def played(discord: LocalDiscord, scenes: list[Scene], count: int, lines: int) -> None:
    """Let everybody chat, and the next lines of every thread fall among the chat."""
    random = Random(count)  # noqa: S311
    due = sorted(random.sample(range(count), lines * len(THREADS)))
    threads = cycle([thread for scene in scenes for thread in scene.threads])
    for i in range(count):
        if due and i == due[0]:
            due.pop(0)
            channel, sender, target, said = next(threads)
            text = next(said)
            author, other = (sender, target) if text in _threats() else (target, sender)
            await discord.write(channel, author, f"<@{other.id}> {text}", mentions=[other])
        else:
            channel, speech = random.choice(scenes[i % SERVERS].speech)
            await discord.write(channel, *next(speech))


def _threats() -> set[str]:
    return {line for lines in THREADS for line in lines[::2]}


def alerts_in(discord: LocalDiscord, scene: Scene) -> list[Message]:
    return [message for message in discord.messages(scene.alerts) if message.embeds]


def words(message: Message) -> str:
    return json.dumps(message.embeds)


async def test_an_evening_on_three_servers(tmp_path: Path, environment: dict[str, str]) -> None:
    async with LocalDiscord() as discord:
        scenes = built(discord)
        targets = [target for scene in scenes for _, _, target, _ in scene.threads]
        senders = [sender for scene in scenes for _, sender, _, _ in scene.threads]
        async with haven(discord, tmp_path, environment):
            for scene in scenes:
                await set_up(discord, scene)
            await played(discord, scenes, MESSAGES // 2, FIRST_HALF)
            await until(lambda: all(discord.dms(target) for target in targets))
        assert [len(discord.dms(target)) for target in targets] == [1] * 4
        before = [[message.id for message in alerts_in(discord, scene)] for scene in scenes]
        assert [len(ids) for ids in before] == [2, 1, 1]

        async with haven(discord, tmp_path, environment):
            await played(discord, scenes, MESSAGES - MESSAGES // 2, len(THREADS[0]) - FIRST_HALF)
            await every_button_and_command(discord, scenes)
        assert [len(discord.dms(target)) for target in targets] == [1] * 4
        after = [[message.id for message in alerts_in(discord, scene)] for scene in scenes]
        assert [ids[: len(known)] for ids, known in zip(after, before, strict=True)] == before
        assert [len(ids) - len(known) for ids, known in zip(after, before, strict=True)] == [1, 1, 0]  # report, advice
        assert [discord.dms(sender) for sender in senders] == [[]] * 4

        said = (tmp_path / "said").read_text()
        assert "Traceback" not in said
        assert discord.token not in said
        assert not [line for lines in THREADS for line in lines if line in said]
        assert_nothing_public(discord, scenes)
        assert discord.complaints == []


async def set_up(discord: LocalDiscord, scene: Scene) -> None:
    """Choose the alert channel with /setup."""
    form = await discord.slash(scene.owner, "setup", where=scene.channels[0])
    form = await discord.choose(scene.owner, form, "haven_set:alert_channel", [scene.alerts])
    assert form.ephemeral
    assert "Done: Haven now protects this server" in form.text


async def every_button_and_command(discord: LocalDiscord, scenes: list[Scene]) -> None:
    """Use everything that there is, on alerts and warnings from before the restart; each answer is private."""
    scene = scenes[0]
    owner, general = scene.owner, scene.channels[0]
    (_, sender, target, _), (_, other_sender, _, _) = scene.threads
    first, second = sorted(alerts_in(discord, scene), key=lambda alert: sender.id not in words(alert))
    member = scene.members[-1]
    case = re.findall(r"case (\w{10})", words(first))[0]
    threats = [m for place in scene.channels for m in discord.messages(place) if m.author in (sender, other_sender)]
    answers = []

    async def press(who: User, what: Message, *labels: str) -> None:
        answer = await discord.press(who, what, labels[0])
        answers.append(answer)
        for label in labels[1:]:
            answers.append(await discord.press(who, answer, label))

    for label in ("I'm under 18", "I'm 18 or over", "I already paid", "They have already shared it"):
        await press(target, discord.dms(target)[0], label)
    for label in ("Someone I know is doing this", "This was not about me", "Don't message me again"):
        await press(target, discord.dms(target)[0], label)
    for place in (general, "private", "group"):
        answers.append(await discord.slash(member, "help", where=place))
        answers.append(await discord.slash(member, "check", {"text": THREADS[0][2]}, where=place))
        answers.append(await discord.slash(member, "protect on", where=place))
        answers.append(await discord.slash(member, "protect status", where=place))
        answers.append(await discord.slash(member, "protect off", where=place))
        answers.append(await discord.slash(member, "privacy", where=place))
    answers.append(await discord.press(member, answers[-1], "Show what is kept about me"))
    delete = await discord.press(member, answers[-2], "Delete it")
    answers += [delete, await discord.press(member, delete, "Yes, delete it")]
    answers.append(await discord.menu(member, "Check for blackmail", threats[0], where=threats[0].channel))
    answers.append(
        await discord.slash(member, "report", {"text": "somebody scares me", "member": sender}, where=general)
    )

    await press(owner, first, "Confirm")
    await press(owner, first, "Time out the sender")
    form = await discord.press(owner, first, "Note")
    answers.append(await discord.submit(owner, form, {"Note": "told the police"}))
    answers.append(await discord.slash(owner, "evidence", {"id": case}, where=scene.alerts))
    assert len(answers[-1].files) == 1
    await press(owner, first, "Delete the messages", "Yes, delete")
    await press(owner, first, "Ban", "Yes, ban")
    await press(owner, second, "Not sextortion")
    for name in ("doctor", "cases", "setup"):
        answers.append(await discord.slash(owner, name, where=scene.alerts))
    answers.append(await discord.slash(owner, "case", {"id": case}, where=scene.alerts))
    await until(lambda: "told the police" in answers[-1].text)
    assert all(answer.ephemeral and (answer.ack_seconds or 0) < 3 for answer in answers)

    await discord.write(discord.dm(member), member, THREADS[1][2])
    await until(lambda: len(discord.dms(member)) == 1)
    await until(lambda: "sender banned" in words(first) and "ruled not to be" in words(second))
    assert "says that it was not about them" in words(first)
    assert list(scene.guild.bans) == [sender.id]
    assert all(threat.deleted for threat in threats if threat.author is sender and threat.content in shown(first))
    await until(lambda: any("asks the moderators for help" in words(alert) for alert in alerts_in(discord, scene)))
    await ask_for_advice(discord, scenes[1])


async def ask_for_advice(discord: LocalDiscord, scene: Scene) -> None:
    """Let a moderator send the private advice in a server where Haven does not do so by itself."""
    form = await discord.slash(scene.owner, "setup", where=scene.channels[0])
    await discord.choose(scene.owner, form, "haven_set:advice_by", ["moderator"])
    sender, target = scene.members[2:4]  # who have not said a word
    for line in THREADS[3][::2]:
        await discord.write(scene.channels[1], sender, f"<@{target.id}> {line}", mentions=[target])
    await until(lambda: len(alerts_in(discord, scene)) == 2)
    assert discord.dms(target) == []
    answer = await discord.press(scene.owner, alerts_in(discord, scene)[-1], "Send private advice")
    assert answer.ephemeral
    await until(lambda: len(discord.dms(target)) == 1)


def shown(alert: Message) -> str:
    return re.sub(r"[\\*\u200b]", "", words(alert).encode().decode("unicode_escape"))


def assert_nothing_public(discord: LocalDiscord, scenes: list[Scene]) -> None:
    """Check that no channel but the moderators' and private ones was ever written to, read or changed by Haven.

    The one exception is the deletion of messages that a moderator pressed for.
    """
    private = {channel.id for channel in discord.world.channels.values() if channel.guild is None and channel.with_bot}
    private |= {scene.alerts.id for scene in scenes}
    for asked in discord.requests:
        if asked.channel_id not in {None, *private}:
            assert (asked.method, asked.route) == ("DELETE", "/channels/{channel_id}/messages/{message_id}")
    assert not [
        m for scene in scenes for place in scene.channels for m in discord.messages(place) if m.author is discord.bot
    ]
