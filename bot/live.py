"""Haven on live input: `run` on the configured platforms, or on the console where none is; `rehearse` keeps nothing."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bot.app import composed, open_classifier, running, serve, stdin_lines
from bot.config import Config, load_config, token
from bot.platforms.console import ConsolePlatform, Room, visible
from bot.sealing import one_time_seal
from bot.store import Store

if TYPE_CHECKING:
    from bot.platforms.discord_bot import DiscordPlatform
    from bot.platforms.telegram_bot import TelegramPlatform

log = logging.getLogger(__name__)
_WELCOME = """\
Type as several people, one line each:   alice> hello @bob
People may say    bob> /help   bob> /check TEXT   bob> /protect off   bob> /report TEXT   bob> /privacy
Moderators may say    /confirm CASE   /dismiss CASE   /advise CASE NAME   /note CASE TEXT   /cases   /forget NAME
Nothing is kept. End with Ctrl-D.
"""


def run(config_file: Path | None, environment: Mapping[str, str]) -> None:
    """Act on the configured platforms, or else on standard input, until it ends or a signal comes.

    What a kill leaves is delivered at the next start.
    """
    config, folder = load_config(config_file)
    _log_to_stderr(config.log.level)
    tokens = {
        "discord": token("discord", config.discord, folder, environment),
        "telegram": token("telegram", config.telegram, folder, environment),
    }
    with running(config, folder, environment) as store:
        if any(tokens.values()):
            asyncio.run(_online(config, folder, store, tokens))
        else:
            log.info("no platform has a token: reading the console")
            asyncio.run(_on_console(config, folder, store))


def rehearse() -> None:
    """Let a person type as several members; the database lives in memory."""
    if sys.stdin.isatty():
        Console().print(_WELCOME, markup=False, highlight=False)
    asyncio.run(_on_console(Config(), Path(), Store(None, one_time_seal())))


async def _on_console(config: Config, folder: Path, store: Store) -> None:
    console = Console(highlight=False)
    with composed(config, store, [ConsolePlatform(console)], open_classifier(config, folder)) as parts:
        await serve(parts, [Room(parts, console).read(stdin_lines())])


async def _online(config: Config, folder: Path, store: Store, tokens: Mapping[str, str | None]) -> None:
    platforms = list(_platforms(config, tokens))
    with composed(config, store, platforms, open_classifier(config, folder), needs_channel=True) as parts:
        try:
            await serve(parts, [platform.read(parts) for platform in platforms])
        finally:
            for platform in platforms:
                await platform.close()
        log.info("stopped")


def _platforms(config: Config, tokens: Mapping[str, str | None]) -> Iterator[DiscordPlatform | TelegramPlatform]:
    """Yield the platforms that have a token; their clients take a second to import, which the console is spared."""
    if discord := tokens["discord"]:
        from bot.platforms.discord_bot import DiscordPlatform

        yield DiscordPlatform(config.discord, discord)
    if telegram := tokens["telegram"]:
        from bot.platforms.telegram_bot import TelegramPlatform

        yield TelegramPlatform(config.telegram, telegram)


class _OneLine(logging.Formatter):
    """One line a record: the name of an exception, never its traceback, which could hold what people wrote."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[0]:
            line += f" ({record.exc_info[0].__name__})"
        return visible(line)


def _log_to_stderr(level: str) -> None:
    """Log at the level; the clients of platforms say no more than warnings, because they would log messages."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for client in ("discord", "telegram", "httpx", "aiohttp", "asyncio"):
        logging.getLogger(client).setLevel(max(logging.WARNING, logging.getLogger().level))
