"""What Haven does is the same on every platform: each behaviour here runs on the console, Discord and Telegram."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Protocol

import discord_den
import pytest
import telegram_storm
from discord_life import THREAT, until
from localdiscord.server import Answer
from rich.console import Console

from bot import advice
from bot.advice import Finding
from bot.app import composed, open_classifier, serve
from bot.config import Config
from bot.effects import Advice, Alert
from bot.parts import Parts
from bot.platforms import sheet
from bot.platforms.console import ConsolePlatform
from bot.platforms.room import Room
from bot.platforms.telegram_bot import people
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.assessment import Kind, Level
from classifiers.classifier import Classifier
from classifiers.conversation import Account

CHECKED = "pay me 400 or i send your nudes to your mum"
SAYS = advice.says("en-GB")
BECAME = advice.on_alert("en-GB").advice
FRAME = re.compile(r"╭─ (?P<title>[^\n]+?) ─*╮\n(?P<body>(?:│[^\n]*│\n)*)╰─+╯")
WRAPPED = r" *│\n│ *"
CASE = re.compile(r"case (\w{10})")


class Driver(Protocol):
    """A space with a sender, a target and moderators, on one platform; every act is over when it returns."""

    parts: Parts

    async def threaten(self, lines: Sequence[str] = THREAT) -> None:
        """Let the sender write to the target."""
        ...

    def alerts(self) -> list[str]:
        """Return what each alert says now."""
        ...

    def edits(self) -> int:
        """Return how often alerts were edited."""
        ...

    def warnings(self) -> list[str]:
        """Return the warnings that the target got."""
        ...

    def to_sender(self) -> int:
        """Return how many messages the sender got."""
        ...

    def in_public(self) -> list[str]:
        """Return what Haven wrote where everybody reads."""
        ...

    def refuse(self) -> None:
        """Let the target accept no private messages."""
        ...

    async def dismiss(self) -> None:
        """Let a moderator rule that the one alert is not about sextortion."""
        ...

    async def report(self, text: str) -> str:
        """Let the target report to the moderators, and return the answer."""
        ...

    async def check(self, text: str) -> str:
        """Let the target ask for a check, and return the answer."""
        ...

    async def protect(self, choice: str) -> str:
        """Let the target choose about warnings, and return the answer."""
        ...

    async def delete(self) -> str:
        """Let the target erase what is kept about them, and return the answer."""
        ...


class OnConsole:
    """Lines typed into the console, and its screen."""

    def __init__(self, parts: Parts, lines: asyncio.Queue[str | None], screen: StringIO, refuses: set[str]) -> None:
        self.parts, self._lines, self._screen, self._refuses = parts, lines, screen, refuses

    async def _type(self, line: str) -> str:
        start = len(self._screen.getvalue())
        await self._lines.put(line)
        await self._lines.join()
        await until(lambda: self.parts.store.next_due("console") is None)
        return re.sub(WRAPPED, " ", self._screen.getvalue()[start:])

    def _frames(self, title: str) -> list[tuple[str, str]]:
        found = FRAME.finditer(self._screen.getvalue())
        shown = [(one["title"], re.sub(WRAPPED, " ", one["body"])) for one in found]
        return [one for one in shown if one[0].startswith(title)]

    async def threaten(self, lines: Sequence[str] = THREAT) -> None:
        for line in lines:
            await self._type(f"eve> @sam {line}")

    def alerts(self) -> list[str]:
        latest = {CASE.findall(title)[0]: body for title, body in self._frames("to the moderators")}
        return list(latest.values())

    def edits(self) -> int:
        return sum("edited" in title for title, _ in self._frames("to the moderators"))

    def warnings(self) -> list[str]:
        return [body for title, body in self._frames("to sam, in private") if "case" in title]

    def to_sender(self) -> int:
        return len(self._frames("to eve"))

    def in_public(self) -> list[str]:
        return [title for title, _ in self._frames("") if not title.startswith(("to sam", "to the moderators"))]

    def refuse(self) -> None:
        self._refuses.add("sam")

    async def dismiss(self) -> None:
        (case,) = {CASE.findall(title)[0] for title, _ in self._frames("to the moderators")}
        await self._type(f"/dismiss {case}")

    async def report(self, text: str) -> str:
        return await self._type(f"sam> /report {text}")

    async def check(self, text: str) -> str:
        return await self._type(f"sam> /check {text}")

    async def protect(self, choice: str) -> str:
        return await self._type(f"sam> /protect {choice}")

    async def delete(self) -> str:
        return await self._type("sam> /privacy delete")


class OnDiscord:
    """A server on the local Discord."""

    def __init__(self, den: discord_den.Den) -> None:
        self.parts, self._den, self._discord = den.parts, den, den.discord

    async def threaten(self, lines: Sequence[str] = THREAT) -> None:
        await self._den.threaten(lines=lines)
        await self._den.calm()

    def alerts(self) -> list[str]:
        return [re.sub(r"\\\\|\\u200b|\u200b|[\\*]", "", json.dumps(one.embeds)) for one in self._den.posted()]

    def edits(self) -> int:
        return self._den.count(*discord_den.EDIT)

    def warnings(self) -> list[str]:
        return [json.dumps(one.embeds) for one in self._discord.dms(self._den.sam)]

    def to_sender(self) -> int:
        return len(self._discord.dms(self._den.eve))

    def in_public(self) -> list[str]:
        return [one.text for one in self._discord.messages(self._den.general) if one.author is self._discord.bot]

    def refuse(self) -> None:
        self._discord.closes_dms(self._den.sam, 50007, 403, opening=False)

    async def dismiss(self) -> None:
        await self._discord.press(self._den.guild.owner, self._den.alert(), "Not sextortion")
        await self._den.calm()

    async def _ask(self, command: str, options: dict[str, str] | None = None) -> Answer:
        answer = await self._discord.slash(self._den.sam, command, options, where=self._den.general)
        await until(lambda: answer.text)
        assert answer.ephemeral
        await self._den.calm()
        return answer

    async def report(self, text: str) -> str:
        return str((await self._ask("report", {"text": text})).text)

    async def check(self, text: str) -> str:
        return str((await self._ask("check", {"text": text})).text)

    async def protect(self, choice: str) -> str:
        return str((await self._ask(f"protect {choice}")).text)

    async def delete(self) -> str:
        sam = self._den.sam
        sure = await self._discord.press(sam, await self._ask("privacy"), SAYS.delete_button)
        done = await self._discord.press(sam, sure, SAYS.delete_sure_button)
        await self._den.calm()
        return str(done.text)


class OnTelegram:
    """A group on the local Telegram."""

    def __init__(self, den: telegram_storm.Den) -> None:
        self.parts, self._den, self._telegram = den.parts, den, den.telegram
        self._answers: set[int] = set()

    async def threaten(self, lines: Sequence[str] = THREAT) -> None:
        await self._den.threaten(lines=lines)
        await self._den.calm()

    def alerts(self) -> list[str]:
        return [telegram_storm.words(one) for one in self._den.posted()]

    def edits(self) -> int:
        return self._den.count("editMessageText", self._den.mods)

    def warnings(self) -> list[str]:
        return [one.text for one in self._telegram.privates(self._den.sam) if one.id not in self._answers]

    def to_sender(self) -> int:
        return self._den.warned(self._den.eve)

    def in_public(self) -> list[str]:
        return [one.text for one in self._telegram.sent(self._den.group)]

    def refuse(self) -> None:
        self._telegram.block(self._den.sam)

    async def dismiss(self) -> None:
        await self._telegram.press(self._den.owner, self._den.alert(), "Not sextortion")
        await self._den.calm()

    async def _ask(self, text: str, *, answers: int | None = None) -> str:
        sam, before = self._den.sam, len(self._telegram.privates(self._den.sam))
        asked = sam.private.messages.get(answers) if answers else None
        await self._telegram.write(sam.private, sam, text, reply_to=asked)
        await until(lambda: len(self._telegram.privates(sam)) > before)
        await self._den.calm()
        (answer,) = self._telegram.privates(sam)[before:]
        self._answers.add(answer.id)
        return answer.text

    async def report(self, text: str) -> str:
        await self._ask(f"/start report_{self._den.group.id}")
        return await self._ask(text, answers=max(self._answers))

    async def check(self, text: str) -> str:
        return await self._ask(f"/check {text}")

    async def protect(self, choice: str) -> str:
        return await self._ask(f"/protect {choice}")

    async def delete(self) -> str:
        sam = self._den.sam
        await self._ask("/privacy")
        asked = self._telegram.privates(sam)[-1]
        await self._telegram.press(sam, asked, SAYS.delete_button)
        await self._den.calm()
        sure = self._telegram.privates(sam)[-1]
        self._answers.add(sure.id)
        done = await self._telegram.press(sam, sure, SAYS.delete_sure_button)
        await self._den.calm()
        return done.text or ""


@asynccontextmanager
async def on_console(folder: Path, classifier: Classifier, log: pytest.LogCaptureFixture) -> AsyncIterator[Driver]:
    """Run Haven on the console."""
    screen, refuses = StringIO(), set[str]()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    async def typed() -> AsyncIterator[str]:
        while (line := await lines.get()) is not None:
            yield line
            lines.task_done()

    console = Console(file=screen, width=160, highlight=False)
    with composed(Config(), Store(None, one_time_seal()), [ConsolePlatform(console, refuses)], classifier) as parts:
        running = asyncio.create_task(serve(parts, [Room(parts, console).read(typed())]))
        yield OnConsole(parts, lines, screen, refuses)
        await lines.put(None)
        await running


@asynccontextmanager
async def on_discord(folder: Path, classifier: Classifier, log: pytest.LogCaptureFixture) -> AsyncIterator[Driver]:
    """Run Haven on Discord; its own checks follow at the end."""
    async with discord_den.den(folder, classifier, log) as den:
        yield OnDiscord(den)


@asynccontextmanager
async def on_telegram(folder: Path, classifier: Classifier, log: pytest.LogCaptureFixture) -> AsyncIterator[Driver]:
    """Run Haven on Telegram; its own checks follow at the end."""
    async with telegram_storm.den(folder, classifier, log) as den:
        yield OnTelegram(den)


PLATFORMS = {"console": on_console, "discord": on_discord, "telegram": on_telegram}
Start = Callable[[], AbstractAsyncContextManager[Driver]]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The model that came with Haven."""
    return open_classifier(Config(), Path())


@pytest.fixture(params=PLATFORMS)
def haven(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    classifier: Classifier,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Start:
    """Haven on one platform."""
    discord_den.hurry(monkeypatch)
    telegram_storm.hurry(monkeypatch)
    monkeypatch.setattr(people, "_IN_A_ROW", 0.02)
    return lambda: PLATFORMS[request.param](tmp_path, classifier, caplog)


def accounts(there: Driver) -> list[Account]:
    """Return who has been written to, or has chosen whether they may be."""
    return [Account(*row) for row in there.parts.store.query("SELECT platform, account FROM recipients")]


async def test_a_threat_leads_to_one_alert_and_one_warning(haven: Start) -> None:
    async with haven() as there:
        await there.threaten()
        (alert,), (warning,) = there.alerts(), there.warnings()
        assert BECAME[Advice.DELIVERED] in alert
        assert "send me 400 in gift cards" in alert
        assert "looks like sextortion" in alert.lower()
        assert advice.warning("en-GB", kind=Kind.THREAT, crisis=False).title in warning
        assert not [line for line in THREAT if line in warning]
        assert there.to_sender() == 0
        assert there.in_public() == []


async def test_further_lines_of_the_same_threat_change_nothing(haven: Start) -> None:
    async with haven() as there:
        await there.threaten()
        before = there.alerts(), there.warnings(), there.edits()
        await there.threaten()
        await there.threaten(THREAT[1:3])
        assert (there.alerts(), there.warnings(), there.edits()) == before


async def test_harmless_talk_leads_to_nothing(haven: Start) -> None:
    async with haven() as there:
        await there.threaten(("did you see the game last night?", "send me the video when you are home", "bring cards"))
        assert there.alerts() == there.warnings() == []
        assert accounts(there) == []


async def test_not_sextortion_silences_the_case(haven: Start) -> None:
    async with haven() as there:
        await there.threaten(THREAT[:3])
        await there.dismiss()
        (alert,) = there.alerts()
        edits = there.edits()
        await there.threaten()
        assert there.edits() == edits
        assert there.alerts() == [alert]
        assert len(there.warnings()) == 1


async def test_a_refused_warning_is_shown_and_not_tried_again(haven: Start) -> None:
    async with haven() as there:
        there.refuse()
        await there.threaten()
        (alert,) = there.alerts()
        assert BECAME[Advice.REFUSED] in alert
        await there.threaten()
        assert there.alerts() == [alert]
        assert there.warnings() == []


async def test_a_report_reaches_the_moderators_and_nobody_else(haven: Start) -> None:
    async with haven() as there:
        answer = await there.report("somebody scares me and wants wilmslow money")
        assert SAYS.reported in answer
        (alert,) = there.alerts()
        assert "wilmslow" in alert
        assert there.warnings() == []
        assert there.to_sender() == 0
        assert there.in_public() == []


async def test_a_check_is_answered_in_private_and_kept_nowhere(haven: Start) -> None:
    async with haven() as there:
        assert title_of(Finding.NOTHING) in await there.check("shall we play chess tonight?")
        assert title_of(Finding.BLACKMAIL) in await there.check(CHECKED)
        assert there.alerts() == there.warnings() == there.in_public() == []
        assert accounts(there) == []
        assert there.parts.store.spaces() == []


async def test_who_wants_no_messages_gets_none(haven: Start) -> None:
    async with haven() as there:
        assert SAYS.protect_off in await there.protect("off")
        await there.threaten()
        (alert,) = there.alerts()
        assert BECAME[Advice.DECLINED] in alert
        assert there.warnings() == []
        assert SAYS.protect_on in await there.protect("on")
        assert SAYS.protect_on in await there.protect("status")


def title_of(finding: Finding) -> str:
    """Return the heading of the answer to a check."""
    return advice.checked("en-GB", finding, (), crisis=False).title


async def test_what_is_deleted_leaves_the_alert(haven: Start) -> None:
    async with haven() as there:
        await there.threaten(THREAT[:3])
        assert SAYS.deleted in await there.delete()
        (alert,) = there.alerts()
        assert "gift cards" not in alert
        assert BECAME[Advice.DELIVERED] not in alert
        assert len(accounts(there)) == 1, "that they were warned is kept, so that nobody is warned twice"


def test_an_alert_that_names_no_target_says_why() -> None:
    kayla, sam = Account("console", "kayla"), Account("console", "Sam")
    threat = Alert("c1", "home", "en-GB", Kind.THREAT, Level.ALERT, "c", "m", kayla, (), (), crisis=False, ruling=None)
    told = replace(threat, kind=Kind.DISCLOSURE, sender=None, forgotten=True)
    said = [
        sheet.nobody(threat, ""),
        sheet.nobody(replace(threat, likely=sam), "Sam"),
        sheet.nobody(replace(threat, forgotten=True), ""),
        sheet.nobody(told, ""),
    ]
    assert said == [
        "Nobody was written to, because nobody is clearly aimed at.",
        "Nobody was written to, because nobody is clearly aimed at, perhaps Sam.",
        "Somebody who was aimed at, and has been forgotten since.",
        "They asked Haven to forget them.",
    ]
    assert (sheet.to_do(told), sheet.buttons(told)) == (("", ""), [])
    assert sheet.buttons(threat)
    assert sheet.to_do(threat)[1]
