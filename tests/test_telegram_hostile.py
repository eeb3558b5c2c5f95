"""Callback data and commands on Telegram that no Haven ever wrote, from somebody whose client is their own."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import pytest
from localtelegram.acting import CallbackAnswer
from localtelegram.server import LocalTelegram, Message, User
from telegram_storm import den, hurry, settled, until

from bot import advice
from bot.app import open_classifier
from bot.config import Config
from classifiers.classifier import Classifier

DATA = (
    *(
        "",
        ":",
        "confirm",
        "confirm:",
        "confirm:0123456789",
        "confirm:' OR 1=1 --",
        "confirm:../../etc/passwd",
        "explode:1",
    ),
    *("CONFIRM:0123456789", "ban_yes:0123456789", "evidence:\x00", "note:\x1b[31m", "advise:\ud800", "help:nowhere"),
    *("help:../en-GB", "not_me:x", "not_me:\ud83d", "set", "set:", "set:mode", "set:mode:alert:1", "set:mode:alert:-1"),
    *("set:mode:alert:-١٢٣", "set:mode:alert:-0", "set:link::-99999999999999999999", "set:days::-1;2", "set:x:y:-5"),
    *("set:page_role:everyone:-1001", "set:" + ":" * 40, "\ufffd" * 20, "😀" * 16),
)
COMMANDS = (
    *(
        "/",
        "/ help",
        "/help@",
        "/start " + "x" * 64,
        "/start report_-1",
        "/start report_-١",
        "/start setup_",
        "/start \ud800",
    ),
    *(
        "/start setup_-99999999999999999999",
        "/start doctor_0",
        "/protect \x00",
        "/check",
        "/check \ud800",
        "/language xx",
    ),
    *("/setup@haven", "/case x", "/evidence ../../x", "/link", "/link \x1b", "/privacy delete\n", "/report"),
)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The model that came with Haven."""
    return open_classifier(Config(), Path())


async def crafted(telegram: LocalTelegram, user: User, under: Message, data: str) -> CallbackAnswer:
    """Press a button with data of one's own and wait for the answer."""
    id = str(secrets.randbelow(1 << 62))
    answer = telegram.queries[id] = CallbackAnswer(id, time.monotonic())
    payload = {"id": id, "from": user.payload(), "message": under.payload(), "data": data, "chat_instance": "1"}
    telegram.world.emit("callback_query", payload)
    await until(lambda: answer.answered, f"an answer to {data!r}")
    return answer


async def test_what_haven_did_not_write_is_answered_and_does_nothing(
    tmp_path: Path, classifier: Classifier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    async with den(tmp_path, classifier, caplog) as there:
        telegram, eve = there.telegram, there.eve
        before = there.parts.policies.of(str(there.group.id))
        for text in COMMANDS:
            await telegram.write(eve.private, eve, text)
        await settled(telegram, there.parts)
        shown = [message for message in eve.private.messages.values() if message.author is telegram.bot]
        assert shown
        for data in DATA:
            answer = await crafted(telegram, eve, shown[0], data)
            assert answer.text, data
            assert answer.text != advice.says("en-GB").failed, data
        await settled(telegram, there.parts)
        assert there.parts.policies.of(str(there.group.id)) == before
        assert there.parts.store.spaces() == []
        assert not [record for record in caplog.records if "failed" in record.getMessage()], caplog.text
