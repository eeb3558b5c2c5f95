"""Haven on live input from the console: `run` with the settings' database, `rehearse` with one that is thrown away."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from bot.app import composed, open_classifier, open_store, serve, stdin_lines
from bot.config import TOKEN_VARIABLES, Config, load_config, token
from bot.platforms.console import ConsolePlatform, Room
from bot.sealing import one_time_seal
from bot.store import Store

log = logging.getLogger(__name__)
_WELCOME = """\
Type as several people, one line each:   alice> hello @bob
People may say    bob> /help   bob> /protect off   bob> /privacy
Moderators may say    /confirm CASE   /dismiss CASE   /advise CASE NAME   /forget NAME
Nothing is kept. End with Ctrl-D.
"""


def run(config_file: Path | None, environment: Mapping[str, str]) -> None:
    """Act on standard input until it ends or a signal comes; what a kill leaves is delivered at the next start."""
    config, folder = load_config(config_file)
    logging.basicConfig(level=config.log.level.upper(), format="%(levelname)s %(name)s: %(message)s")
    for platform in TOKEN_VARIABLES:
        if token(platform, getattr(config, platform), folder, environment):
            log.warning("a token for %s is set, but this version only reads the console", platform)
    store = open_store(config, folder, environment)
    asyncio.run(_live(config, folder, store))


def rehearse() -> None:
    """Let a person type as several members; the database lives in memory."""
    if sys.stdin.isatty():
        Console().print(_WELCOME, markup=False, highlight=False)
    asyncio.run(_live(Config(), Path(), Store(None, one_time_seal())))


async def _live(config: Config, folder: Path, store: Store) -> None:
    console = Console(highlight=False)
    platform = ConsolePlatform(console)
    with composed(config, store, [platform], open_classifier(config, folder)) as haven:
        await serve(haven, stdin_lines(), Room(haven.guard, store, console).take)
