"""Measures `haven run` over sockets: a local Discord or Telegram here, Haven in a process of its own.

    python tests/bench_sockets.py                    both platforms, 20,000 messages each
    python tests/bench_sockets.py --messages 2000

Prints for each platform how many messages Haven read in a second of its own CPU time, from the socket to the decision
and the database: the client libraries, the translation, the inbox, the guard. What the local servers take is not
counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from math import ceil
from pathlib import Path

import aiohttp
import click
from localdiscord.server import LocalDiscord
from localtelegram.server import LocalTelegram

from bot.bench.mix import Mix, load_data, read_supply
from classifiers.conversation import Message

CONVERSATIONS = 200
WAVE = 2_000
PATIENCE = 120.0
_READ = re.compile(r"^haven_messages_read_total\{.*\} (\S+)$", re.MULTILINE)
_TICKS = os.sysconf("SC_CLK_TCK")

Write = Callable[[Sequence[Message]], Awaitable[None]]


class Running:
    """A `haven run` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, metrics: str, session: aiohttp.ClientSession) -> None:
        self._process = process
        self._metrics = metrics
        self._session = session

    def cpu(self) -> float:
        """Return the CPU time that it has taken, in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    async def read(self, count: int) -> None:
        """Wait until it has read so many messages."""
        async with asyncio.timeout(PATIENCE):
            while await self._count() < count:  # noqa: ASYNC110 (what is waited for is in another process)
                await asyncio.sleep(0.1)

    async def _count(self) -> float:
        try:
            async with self._session.get(self._metrics) as answer:
                return sum(map(float, _READ.findall(await answer.text())))
        except aiohttp.ClientConnectionError:
            if self._process.returncode is not None:
                raise click.ClickException(f"haven run ended with {self._process.returncode}") from None
            return -1.0


@asynccontextmanager
async def running(folder: Path, settings: dict[str, dict[str, str]], **tokens: str) -> AsyncIterator[Running]:
    """Run Haven with these settings and tokens until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = settings | {"metrics": {"listen": address}, "log": {"level": "error"}}
    lines = [
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in of.items())
        for name, of in settings.items()
    ]
    (folder / "haven.toml").write_text("".join(lines), encoding="utf-8")
    environment = {**os.environ, **tokens, "OPENBLAS_NUM_THREADS": "1"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", "run", cwd=folder, env=environment)
    try:
        async with aiohttp.ClientSession() as session:
            haven = Running(process, f"http://{address}/metrics", session)
            await haven.read(0)
            yield haven
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def measure(haven: Running, write: Write, mix: Mix, messages: int) -> float:
    """Return messages per second of Haven's CPU time; they come in waves that its inbox has room for, one before it."""
    read, warm, before = 0, 0, 0.0
    for number in range(1 + ceil(messages / WAVE)):
        if number == 1:
            warm, before = read, haven.cpu()
        wave = [message for message in mix.take(WAVE) if message.text[0].isalnum()]  # no commands and bare quotes
        await write(wave)
        read += len(wave)
        await haven.read(read)
    return (read - warm) / (haven.cpu() - before)


async def over_discord(mix: Mix, messages: int, folder: Path) -> float:
    """Measure on a local Discord with one server."""
    async with LocalDiscord() as discord:
        guild = discord.guild("Home")
        mods = guild.channel("mods", private=True)
        people = {str(number): discord.user(f"user{number}") for number in range(CONVERSATIONS)}
        for user in people.values():
            guild.join(user)
        rooms = [guild.channel(f"room{number}") for number in range(CONVERSATIONS)]

        async def write(wave: Sequence[Message]) -> None:
            for message in wave:
                author = people[str(int(message.author.id) % CONVERSATIONS)]
                named = [people[str(int(one.id) % CONVERSATIONS)] for one in message.to]
                await discord.write(rooms[int(message.channel) % CONVERSATIONS], author, message.text, mentions=named)

        where = {"api_url": discord.api_url, "gateway_url": discord.gateway_url}
        settings = {"discord": where, "policy": {"alert_channel": mods.id}}
        async with running(folder, settings, HAVEN_DISCORD_TOKEN=discord.token) as haven:
            await discord.ready()
            return await measure(haven, write, mix, messages)


async def over_telegram(mix: Mix, messages: int, folder: Path) -> float:
    """Measure on a local Telegram with a group for each conversation."""
    async with LocalTelegram(privacy=False) as telegram:
        groups = [telegram.group(f"Room {number}", privacy=False) for number in range(CONVERSATIONS)]
        mods = telegram.group("Mods")
        people = [telegram.user(f"User{number}", f"user_{number}") for number in range(CONVERSATIONS)]
        for group in groups:
            group.join(*people)

        async def write(wave: Sequence[Message]) -> None:
            for message in wave:
                author = people[int(message.author.id) % CONVERSATIONS]
                await telegram.write(groups[int(message.channel) % CONVERSATIONS], author, message.text)

        address = telegram.base_url.removesuffix("/bot")
        settings = {"telegram": {"api_url": address, "file_url": address}, "policy": {"alert_channel": str(mods.id)}}
        async with running(folder, settings, HAVEN_TELEGRAM_TOKEN=telegram.token) as haven:
            return await measure(haven, write, mix, messages)


@click.command(help=__doc__.split("\n")[0])
@click.option("--messages", type=click.IntRange(1), default=20_000, show_default=True)
@click.option("--data", type=click.Path(path_type=Path), default=Path("data/corpus"), show_default=True)
@click.option("--real", type=click.Path(path_type=Path), help="Folder of real chat (transcripts).")
def main(messages: int, data: Path, real: Path | None) -> None:
    """Measure, and print a line for each platform."""
    supply = read_supply(load_data(data), real)
    for name, over in (("discord", over_discord), ("telegram", over_telegram)):
        with tempfile.TemporaryDirectory() as folder:
            rate = asyncio.run(over(Mix(supply, CONVERSATIONS), messages, Path(folder)))
        click.echo(f"{name}: {rate:,.0f} messages a second of CPU time, {1e6 / rate:,.0f} µs each, socket to database")


if __name__ == "__main__":
    main()
