"""Haven on live input: `run` on the configured platforms, or on the console where none is; `rehearse` keeps nothing."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from bot.app import composed, open_classifier, open_store, serve, stdin_lines
from bot.config import Config, load_config, token
from bot.platforms.console import ConsolePlatform, Room
from bot.sealing import one_time_seal
from bot.store import Store

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
    discord_token = token("discord", config.discord, folder, environment)
    if token("telegram", config.telegram, folder, environment):
        log.warning("a token for telegram is set, but this version does not know Telegram yet")
    store = open_store(config, folder, environment)
    if discord_token:
        asyncio.run(_online(config, folder, store, discord_token))
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


async def _online(config: Config, folder: Path, store: Store, discord_token: str) -> None:
    from bot.platforms.discord_bot import DiscordPlatform  # a second to import, which the console is spared

    platform = DiscordPlatform(config.discord, discord_token)
    with composed(config, store, [platform], open_classifier(config, folder), needs_channel=True) as parts:
        try:
            await serve(parts, [platform.read(parts)])
        finally:
            await platform.close()
        log.info("stopped")


class _OneLine(logging.Formatter):
    """One line a record: the name of an exception, never its traceback, which could hold what people wrote."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[0]:
            line += f" ({record.exc_info[0].__name__})"
        return line.replace("\n", " ")


def _log_to_stderr(level: str) -> None:
    """Log at the level; the clients of platforms say no more than warnings, because they would log messages."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for client in ("discord", "telegram", "httpx", "aiohttp", "asyncio"):
        logging.getLogger(client).setLevel(max(logging.WARNING, logging.getLogger().level))
