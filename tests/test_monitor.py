"""Metrics and health, asked over HTTP as an operator's tools ask."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import discord_life
import pytest
import telegram_life
from aiohttp import web
from byhand import Meaning, adding_model
from flood import resident_memory
from localdiscord.server import LocalDiscord
from localtelegram.server import LocalTelegram
from prometheus_client.parser import text_string_to_metric_families

from bot import inbox as inbox_module
from bot.app import composed
from bot.config import Config, DiscordSettings, MetricsSettings
from bot.effects import Delivery, Effect, Outcome
from bot.monitor import STUCK_SECONDS, listening, monitored
from bot.parts import Parts
from bot.platforms.checkup import Finding
from bot.platforms.discord_bot import DiscordPlatform
from bot.platforms.telegram_bot import TelegramPlatform
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.assessment import Kind, Marker
from classifiers.classifier import Classifier
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KAYLA, SAM = Account("console", "kayla"), Account("console", "Sam")
MENACE = Meaning((Marker.PAYMENT_DEMAND, Marker.PRESSURE), {Kind.THREAT: 9})
CLASSIFIER = Classifier(adding_model({"menace": MENACE}, rare=-6))


class Wires:
    """A platform that can be cut off, and that does as it is told."""

    name = "console"
    remembers = 0.0
    connected = True
    outcome = Outcome.DELIVERED

    async def ready(self) -> None:
        """There is nothing to wait for."""

    async def perform(self, effect: Effect, key: str) -> Delivery:
        return Delivery(self.outcome, reference="post-1")


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Asked:
    """The address at which one Haven is asked."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(self._base + path) as answer:
            return answer.status, await answer.text()

    async def health(self) -> tuple[int, str]:
        return await self.get("/healthz")

    async def metrics(self) -> dict[tuple[str, ...], float]:
        """Return every value by the name of its metric and the values of its labels."""
        status, text = await self.get("/metrics")
        assert status == 200
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def port() -> int:
    """A port that nobody listens at."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def wires() -> Wires:
    return Wires()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parts(tmp_path: Path, wires: Wires, clock: Clock) -> Iterator[Parts]:
    with composed(Config(), Store(tmp_path / "haven.db", one_time_seal()), [wires], CLASSIFIER, clock) as parts:
        yield parts


@pytest.fixture
async def asked(parts: Parts, wires: Wires, port: int) -> AsyncIterator[Asked]:
    async with watching(parts, wires, port) as asked:
        yield asked


@asynccontextmanager
async def watching(parts: Parts, wires: Wires, port: int) -> AsyncIterator[Asked]:
    async with monitored(MetricsSettings(f"127.0.0.1:{port}"), parts, [wires]):
        yield Asked(port)


def said(id: int, text: str, channel: str = "lobby") -> Message:
    return Message(str(id), "home", channel, KAYLA, text, NOON, (SAM,))


async def put_all(parts: Parts, messages: list[Message]) -> None:
    for message in messages:
        await parts.inbox.put(message)


# Metrics.


async def test_nothing_has_happened_yet(asked: Asked) -> None:
    told = await asked.metrics()
    assert told["haven_conversations",] == told["haven_inbox_waiting",] == told["haven_outbox_waiting", "console"] == 0
    assert told["haven_platform_connected", "console"] == told["haven_database_up",] == 1
    assert told["haven_inbox_capacity",] == inbox_module.CAPACITY
    assert not [name for name in told if name[0].startswith(("haven_messages_read", "haven_last", "haven_effect"))]
    assert {told["haven_messages_left_out_total", "console", reason] for reason in ("flood", "unreadable")} == {0}


async def test_messages_and_what_they_led_to_are_counted(asked: Asked, parts: Parts, clock: Clock) -> None:
    await put_all(parts, [said(1, "hello"), said(2, "menace"), said(3, "hello", "garden"), said(4, "hello", "garden")])
    before = await asked.metrics()
    assert before["haven_inbox_waiting",] == 4
    await parts.inbox.drain()
    clock.now += timedelta(seconds=90)
    waiting = await asked.metrics()
    assert waiting["haven_messages_read_total", "none", "console"] == 3
    assert waiting["haven_messages_read_total", "advise", "console"] == 1
    assert waiting["haven_last_message_age_seconds", "console"] == 90
    assert (waiting["haven_conversations",], waiting["haven_conversations_held",]) == (2, 1)
    assert waiting["haven_outbox_waiting", "console"] == 2
    assert waiting["haven_outbox_oldest_seconds", "console"] == 90
    await parts.outbox.drain()
    done = await asked.metrics()
    assert done["haven_effect_attempts_total", "AlertModerators", "delivered", "console"] == 1
    assert done["haven_effect_attempts_total", "AdviseTarget", "delivered", "console"] == 1
    assert done["haven_outbox_waiting", "console"] == done["haven_outbox_oldest_seconds", "console"] == 0
    assert done["haven_database_bytes",] >= 4096


async def test_attempts_that_failed_are_counted_with_how(asked: Asked, parts: Parts, wires: Wires) -> None:
    wires.outcome = Outcome.RETRY
    parts.guard.receive([said(1, "menace")])
    await parts.outbox.drain()
    told = await asked.metrics()
    assert told["haven_effect_attempts_total", "AlertModerators", "retry", "console"] == 1
    assert told["haven_outbox_waiting", "console"] == 2


async def test_a_flood_shows_before_it_is_read(
    parts: Parts, wires: Wires, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "CAPACITY", 10)
    monkeypatch.setattr(inbox_module, "MOST_DELAYED", 20)
    crowded = inbox_module.Inbox(parts.guard, parts.outbox)
    object.__setattr__(parts, "inbox", crowded)
    async with watching(parts, wires, port) as asked, asyncio.TaskGroup() as group:
        for number in range(35):  # each in a task of its own, as discord.py does
            group.create_task(crowded.put(said(number, "hello")))
        await asyncio.sleep(0)
        told = await asked.metrics()
        assert (told["haven_inbox_waiting",], told["haven_inbox_blocked",]) == (10, 20)
        assert told["haven_inbox_delayed_total",] == 20
        assert told["haven_messages_left_out_total", "console", "flood"] == 5
        while crowded.waiting or crowded.at_the_door:
            await crowded.drain()
            await asyncio.sleep(0)
        told = await asked.metrics()
        assert told["haven_messages_read_total", "none", "console"] == 30
        assert told["haven_inbox_blocked",] == 0


async def test_a_stalled_event_loop_shows_for_a_minute(asked: Asked) -> None:
    await asyncio.sleep(0.01)
    assert (await asked.metrics())["haven_event_loop_lag_seconds",] < 0.5
    time.sleep(1.2)  # noqa: ASYNC251 (this is the stall)
    await asyncio.sleep(0.01)
    assert 0.5 < (await asked.metrics())["haven_event_loop_lag_seconds",] < 5


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
async def test_the_memory_of_the_process_is_told(asked: Asked) -> None:
    told = await asked.metrics()
    assert told["process_resident_memory_bytes",] == pytest.approx(resident_memory(), rel=0.2)


async def test_no_word_no_id_and_no_name_is_told(asked: Asked, parts: Parts) -> None:
    await put_all(parts, [said(77701, "menace quokkatext")])
    await parts.inbox.drain()
    for path in ("/metrics", "/healthz"):
        _, text = await asked.get(path)
        for canary in ("quokkatext", "menace", "kayla", "Sam", "home", "lobby", "77701"):
            assert canary not in text


# Health.


async def test_all_is_well(asked: Asked) -> None:
    assert await asked.health() == (200, "ok\n")
    assert (await asked.get("/"))[0] == (await asked.get("/metrics/x"))[0] == 404


async def test_a_platform_that_is_cut_off_is_named(asked: Asked, wires: Wires) -> None:
    wires.connected = False
    assert await asked.health() == (503, "console: not connected\n")
    assert (await asked.metrics())["haven_platform_connected", "console"] == 0
    wires.connected = True
    assert (await asked.health())[0] == 200


async def test_an_outbox_in_which_nothing_moves_is_stuck(
    asked: Asked, parts: Parts, wires: Wires, clock: Clock
) -> None:
    parts.guard.receive([said(1, "menace")])
    clock.now += timedelta(seconds=STUCK_SECONDS)
    assert (await asked.health())[0] == 200
    clock.now += timedelta(seconds=1)
    assert await asked.health() == (503, "console: the outbox is stuck\n")
    wires.connected = False
    assert await asked.health() == (503, "console: not connected\n")
    wires.connected = True
    await parts.outbox.drain()
    assert (await asked.health())[0] == 200


async def test_an_effect_that_waits_for_its_next_attempt_is_not_stuck(
    asked: Asked, parts: Parts, wires: Wires, clock: Clock
) -> None:
    wires.outcome = Outcome.RETRY
    parts.guard.receive([said(1, "menace")])
    for _ in range(30):
        clock.now += timedelta(seconds=STUCK_SECONDS)
        await parts.outbox.drain()
        assert (await asked.health())[0] == 200


async def test_a_database_that_does_not_answer_is_unhealthy(
    asked: Asked, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.monitor._DATABASE_SECONDS", 0.05)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with parts.store.transaction():
            held.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(20)
    try:
        for _ in range(20):  # more often than there are threads
            assert await asked.health() == (503, "database: no answer\n")
        told = await asked.metrics()
        assert told["haven_database_up",] == 0
        assert ("haven_outbox_waiting", "console") not in told
    finally:
        done.set()
        holder.join()
    await asyncio.sleep(0.1)
    assert await asked.health() == (200, "ok\n")


async def test_a_broken_database_is_unhealthy(asked: Asked, parts: Parts) -> None:
    parts.store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        parts.store.db.conn.execute("SELECT 1")
    assert await asked.health() == (503, f"database: {parts.store.path}: Cannot operate on a closed database.\n")


async def test_a_database_that_is_removed_is_unhealthy(asked: Asked, parts: Parts) -> None:
    assert parts.store.path
    parts.store.path.unlink()
    status, said = await asked.health()
    assert (status, said.count("\n")) == (503, 1)
    assert said.startswith(f"database: {parts.store.path}: was removed, replaced or emptied")
    with pytest.raises(InputError, match="was removed"):
        parts.store.check()


async def test_a_port_that_is_taken_is_told_in_one_line(parts: Parts, wires: Wires, asked: Asked, port: int) -> None:
    with pytest.raises(InputError, match=rf"^metrics: cannot listen on 127.0.0.1:{port}: .*in use"):
        async with watching(parts, wires, port):
            raise AssertionError("it listens")
    assert (await asked.health())[0] == 200


async def test_a_doctor_knows_whether_haven_can_listen_or_does(
    parts: Parts, wires: Wires, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.monitor._ANSWER_SECONDS", 0.2)
    settings, where = MetricsSettings(f"127.0.0.1:{port}"), f"127.0.0.1:{port}"
    assert await listening(settings, runs=True) == Finding(f"Haven can answer at {where}")
    other = f"Haven cannot listen on {where}: a Haven on another database answers there: choose another address"
    async with watching(parts, wires, port) as asked:
        wires.connected = False
        assert await listening(settings, runs=True) == Finding(f"Haven answers at {where}")
        assert await listening(settings, runs=False) == Finding(other, fine=False)
        assert (await asked.health())[0] == 503
    taken = Finding(f"Haven cannot listen on {where}: Address already in use: choose another address", fine=False)
    with closing(socket.create_server(("127.0.0.1", port))):
        assert await listening(settings, runs=True) == taken
    foreign = web.AppRunner(web.Application())
    await foreign.setup()
    await web.TCPSite(foreign, "127.0.0.1", port).start()
    assert await listening(settings, runs=True) == taken
    await foreign.cleanup()
    assert await listening(settings, runs=False) == Finding(f"Haven can answer at {where}")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_the_doctor_of_the_program_names_a_port_that_is_taken(
    tmp_path: Path, environment: dict[str, str], host: str
) -> None:
    family = socket.AF_INET6 if "::" in host else socket.AF_INET
    with closing(socket.create_server((host.strip("[]"), 0), family=family)) as taken:
        where = f"{host}:{taken.getsockname()[1]}"
        (tmp_path / "haven.toml").write_text(f'[metrics]\nlisten = "{where}"')
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "bot", "doctor", cwd=tmp_path, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, errors = await process.communicate()
    said = f"metrics: to mend: Haven cannot listen on {where}: Address already in use: choose another address\n"
    assert (process.returncode, errors) == (1, b"")
    assert out.decode().endswith(said)


async def test_the_doctor_of_the_program_knows_whose_haven_answers(
    tmp_path: Path, environment: dict[str, str], port: int
) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "haven.toml").write_text(f'[metrics]\nlisten = "127.0.0.1:{port}"')
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "bot", "run", cwd=folders[0], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr
    async with asyncio.timeout(60):
        assert b"reading the console" in await process.stderr.readline()
    found = []
    for folder in folders:
        doctor = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "bot", "doctor", cwd=folder, env=environment, stdout=subprocess.PIPE
        )
        out, _ = await doctor.communicate()
        found.append((doctor.returncode, out.decode().splitlines()[-1]))
    assert process.stdin
    process.stdin.write(b"ann> hello\n")
    await process.communicate(b"")
    why = f"Haven cannot listen on 127.0.0.1:{port}: a Haven on another database answers there: choose another address"
    assert found == [(0, f"metrics: Haven answers at 127.0.0.1:{port}"), (1, f"metrics: to mend: {why}")]


async def test_connections_that_ask_nothing_take_no_room(asked: Asked, port: int) -> None:
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    for _, writer in idle:
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
    assert (await asked.health())[0] == 200
    async with asyncio.timeout(10):
        assert [await reader.read() for reader, _ in idle[:140]] == [b""] * 140
    for _, writer in idle:
        writer.close()


# The platforms, and the program.


async def test_discord_is_connected_while_it_is(tmp_path: Path, port: int) -> None:
    async with LocalDiscord() as discord:
        discord.guild("Den")
        async with discord_life.living(discord, tmp_path, CLASSIFIER) as parts:
            (platform,) = parts.outbox._platforms
            assert isinstance(platform, DiscordPlatform)
            async with monitored(MetricsSettings(f"127.0.0.1:{port}"), parts, [platform]):
                asked = Asked(port)
                assert await asked.health() == (200, "ok\n")
                async with discord.outage():
                    await discord_life.until(lambda: not platform.connected)
                    assert await asked.health() == (503, "discord: not connected\n")
                await discord_life.until(lambda: platform.connected)
                assert await asked.health() == (200, "ok\n")
        assert DiscordPlatform(DiscordSettings(), "x.y.z").connected is False


async def test_telegram_is_connected_while_it_answers(tmp_path: Path, port: int) -> None:
    async with LocalTelegram() as telegram, telegram_life.living(telegram, tmp_path, CLASSIFIER) as parts:
        (platform,) = parts.outbox._platforms
        assert isinstance(platform, TelegramPlatform)
        alice = telegram.user("alice")
        async with monitored(MetricsSettings(f"127.0.0.1:{port}"), parts, [platform]):
            asked = Asked(port)
            assert await asked.health() == (200, "ok\n")
            telegram.fail("getUpdates", times=2, status=502)
            await telegram.write(alice.private, alice, "hello")
            await discord_life.until(lambda: not platform.connected)
            assert await asked.health() == (503, "telegram: not connected\n")
            await telegram.write(alice.private, alice, "hello again")
            await discord_life.until(lambda: platform.connected)
            assert await asked.health() == (200, "ok\n")


async def test_the_program_answers_where_its_settings_say(
    tmp_path: Path, environment: dict[str, str], port: int, threat: Callable[[str, str], list[str]]
) -> None:
    (tmp_path / "haven.toml").write_text(f'[metrics]\nlisten = "127.0.0.1:{port}"')
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "bot", "run", cwd=tmp_path, env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write("".join(f"{line}\n" for line in threat("kayla", "sam")).encode())
    told: dict[tuple[str, ...], float] = {}
    async with asyncio.timeout(60):
        while not told.get(("haven_effect_attempts_total", "AdviseTarget", "delivered", "console")):
            with suppress(aiohttp.ClientError):
                told = await Asked(port).metrics()
            await asyncio.sleep(0.05)
        assert await Asked(port).health() == (200, "ok\n")
        _, errors = await process.communicate(b"")
    assert process.returncode == 0
    assert "Traceback" not in errors.decode()
    with pytest.raises(aiohttp.ClientError):
        await Asked(port).health()


def test_by_default_nobody_can_ask() -> None:
    assert Config().metrics.listen == ""
