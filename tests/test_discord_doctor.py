"""`haven doctor`: what the program sees of platforms from outside, as a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from discord_life import account, living, settled
from localdiscord.server import LocalDiscord
from localtelegram.server import LocalTelegram

from bot.app import open_classifier
from bot.config import Config

Doctor = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
def doctor(tmp_path: Path, environment: dict[str, str]) -> Doctor:
    """Run `haven doctor` with settings, without holding up the Discord of this process."""

    async def run(settings: str, token: str = "", telegram: str = "") -> subprocess.CompletedProcess[str]:
        (tmp_path / "haven.toml").write_text(settings)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "bot", "doctor"),
            cwd=tmp_path,
            env=environment | {"HAVEN_DISCORD_TOKEN": token, "HAVEN_TELEGRAM_TOKEN": telegram},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return subprocess.CompletedProcess("doctor", process.returncode or 0, out.decode(), err.decode())

    return run


def settings_of(discord: LocalDiscord) -> str:
    """Return settings that lead to this Discord."""
    return f'[discord]\napi_url = "{discord.api_url}"\n'


def settings_of_telegram(telegram: LocalTelegram) -> str:
    """Return settings that lead to this Telegram."""
    return f'[telegram]\napi_url = "{telegram.base_url.removesuffix("/bot")}"\n'


async def test_a_new_bot_is_told_each_step(doctor: Doctor, tmp_path: Path) -> None:
    async with LocalDiscord() as discord:
        result = await doctor(settings_of(discord), discord.token)
        assert result.returncode == 1
        assert f"discord: logged in as {discord.bot.name}" in result.stdout
        assert "discord: to mend: Haven is in no server" in result.stdout
        guild = discord.guild("Den \x1b[2J")
        guild.channel("general")
        result = await doctor(settings_of(discord), discord.token)
        assert (result.returncode, result.stderr) == (1, "")
        where = f"discord, server Den �[2J ({guild.id})"
        assert "discord: a token is set" in result.stdout
        assert f"{where}: to mend: alerts cannot be posted: no alert channel is set (/setup)" in result.stdout
        assert f"{where}: to mend: no message was read yet" in result.stdout
        assert not (tmp_path / "haven.db").exists()
        assert discord.complaints == []


async def test_it_goes_by_what_the_server_chose_while_haven_runs(doctor: Doctor, tmp_path: Path) -> None:
    async with LocalDiscord() as discord:
        guild = discord.guild("Den")
        general, alerts = guild.channel("general"), guild.channel("alerts", private=True)
        async with living(discord, tmp_path, open_classifier(Config(), Path())) as parts:
            parts.policies.choose(guild.id, account(discord.owner), {"alert_channel": alerts.id}, 0.0)
            await discord.write(general, discord.owner, "good morning")
            await settled(parts)
            result = await doctor(settings_of(discord), discord.token)
        assert (result.returncode, result.stderr) == (0, "")
        assert "to mend" not in result.stdout
        assert f"server Den ({guild.id}): alerts come in #alerts" in result.stdout
        assert "a message was last read on" in result.stdout
        assert not [one for one in discord.requests if one.channel_id in (general.id, alerts.id)]
        assert discord.complaints == []

        alerts.allow(guild.everyone, 1 << 10)
        result = await doctor(settings_of(discord), discord.token)
        assert result.returncode == 1
        assert "to mend: alerts cannot be posted: everybody can read the alert channel" in result.stdout


async def test_a_missing_intent_is_named_unless_it_is_not_wanted(doctor: Doctor) -> None:
    async with LocalDiscord() as discord:
        discord.guild("Den")
        discord.message_content_enabled = False
        result = await doctor(settings_of(discord), discord.token)
        assert (
            "discord: to mend: the Message Content Intent is off: switch it on in the Developer Portal" in result.stdout
        )
        result = await doctor(settings_of(discord) + "read_messages = false\n", discord.token)
        assert "Intent" not in result.stdout
        assert "read_messages = false" in result.stdout
        assert "was read" not in result.stdout


@pytest.mark.parametrize("token", ["wrong", "naïve\u2603"])
async def test_a_wrong_token_is_to_mend(doctor: Doctor, token: str) -> None:
    async with LocalDiscord() as discord:
        result = await doctor(settings_of(discord), token)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.splitlines()[-1].startswith("discord: to mend: the token was refused: put the bot's token")


async def test_a_token_of_two_lines_ends_in_one_line(doctor: Doctor) -> None:
    async with LocalDiscord() as discord:
        result = await doctor(settings_of(discord), "two\nlines")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1), result.stderr
    assert result.stderr.startswith("haven: HAVEN_DISCORD_TOKEN: a token is one word")


async def test_where_no_platform_can_be_reached_each_is_looked_at(doctor: Doctor) -> None:
    async with LocalDiscord() as discord, LocalTelegram() as telegram:
        settings = settings_of(discord) + settings_of_telegram(telegram)
    result = await doctor(settings, "a-token", telegram.token)
    assert (result.returncode, result.stderr) == (1, "")
    assert [line.partition(" (")[0] for line in result.stdout.splitlines()[-2:]] == [
        "discord: to mend: cannot be reached",
        "telegram: to mend: cannot be reached",
    ]


@pytest.mark.parametrize(
    ("status", "said", "why"),
    [
        (404, "nothing here", {"discord": "404", "telegram": "no JSON"}),
        (200, "<html>hello", {"discord": "no account", "telegram": "no JSON"}),
        (200, '{"a": 1}', {"discord": "no account", "telegram": "no account"}),
    ],
)
async def test_an_address_where_something_else_answers_is_named(
    doctor: Doctor, status: int, said: str, why: dict[str, str]
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=said)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
    settings = f'[discord]\napi_url = "{site.name}"\n[telegram]\napi_url = "{site.name}"\n'
    result = await doctor(settings, "a-token", "1234:abc")
    await runner.cleanup()
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.splitlines()[-2:] == [
        f"{name.lower()}: to mend: {site.name} answered, but not as {name} does ({why[name.lower()]}): mend api_url"
        for name in ("Discord", "Telegram")
    ]


async def test_a_platform_that_fails_keeps_no_other_from_being_looked_at(doctor: Doctor) -> None:
    async with LocalDiscord() as discord, LocalTelegram() as telegram:
        result = await doctor(settings_of(discord) + settings_of_telegram(telegram), "wrong", telegram.token)
    assert (result.returncode, result.stderr) == (1, "")
    assert "discord: to mend: the token was refused" in result.stdout
    assert f"telegram: logged in as @{telegram.bot.username}\n" in result.stdout


async def test_without_a_token_it_checks_the_rest(doctor: Doctor) -> None:
    result = await doctor("")
    assert (result.returncode, result.stderr) == (0, "")
    assert "discord: no token" in result.stdout
    assert "model: " in result.stdout
    result = await doctor("[policy]\nmode = 1\n")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
