"""Haven on live input: `run` on the configured platforms, or on the console where none is; `rehearse` keeps nothing."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bot import logs
from bot.app import composed, open_classifier, running, serve, stdin_lines
from bot.config import TOKEN_VARIABLES, Config, load_config, token
from bot.effects import Connection
from bot.parts import Parts
from bot.platforms.console import ConsolePlatform, screen
from bot.platforms.room import Room
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.errors import InputError

if TYPE_CHECKING:
    from bot.platforms.discord_bot import DiscordPlatform
    from bot.platforms.telegram_bot import TelegramPlatform

log = logging.getLogger(__name__)
_WELCOME = """\
Type as several people, one line each:   alice> hello @bob
People may say    bob> /help   bob> /check TEXT   bob> /protect off   bob> /report TEXT   bob> /privacy
Moderators may say    /confirm CASE   /dismiss CASE   /advise CASE NAME   /note CASE TEXT
                      /cases   /case CASE   /evidence CASE   /forget NAME
What Haven is not sure of it passes over in silence. End with Ctrl-D.
"""


def run(config_file: Path | None, environment: Mapping[str, str]) -> None:
    """Act on the configured platforms, or else on standard input, until it ends or a signal comes.

    What a kill leaves is delivered at the next start.
    """
    config, folder = load_config(config_file)
    tokens = {
        "discord": token("discord", config.discord, folder, environment),
        "telegram": token("telegram", config.telegram, folder, environment),
    }
    _leave_no_core()
    with logs.to_stderr(config.log):
        try:
            console = None if any(tokens.values()) else screen()
            with running(config, folder, environment) as store:
                if console is None:
                    asyncio.run(_online(config, folder, store, tokens))
                else:
                    _welcome(console, f"Cases are kept in {folder / config.store.database}.")
                    asyncio.run(_on_console(config, folder, store, _spoken(stdin_lines()), console))
        except InputError as error:
            if config.log.format == "text":
                raise
            log.error("%s", error)
            raise SystemExit(1) from None
        except OSError:
            raise
        except Exception as fault:  # a traceback could hold what was being read
            log.critical("ended by a fault of Haven's own", exc_info=fault)
            raise SystemExit(1) from None


def _leave_no_core() -> None:
    """Let a crash leave no file of the memory, which has what people wrote, the token and the key."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def rehearse() -> None:
    """Let a person type as several members; the database lives in memory."""
    console = screen()
    _welcome(console, "Nothing is kept.")
    asyncio.run(_on_console(Config(), Path(), Store(None, one_time_seal()), stdin_lines(), console))


def _welcome(console: Console, kept: str) -> None:
    """Say how to type, to who does, and what is kept of it."""
    if sys.stdin and sys.stdin.isatty():
        console.print(_WELCOME + kept, markup=False, soft_wrap=True)


async def _spoken(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """Pass lines on; InputError at the end when there was none, as for a service that was meant to have a token."""
    spoken = False
    async for line in lines:
        spoken = True
        yield line
    if not spoken:
        variables = " or ".join(TOKEN_VARIABLES.values())
        raise InputError(f"nothing to read: no platform has a token ({variables}), and standard input is empty")


async def _on_console(config: Config, folder: Path, store: Store, lines: AsyncIterator[str], console: Console) -> None:
    platform = ConsolePlatform(console)
    with composed(config, store, [platform], open_classifier(config, folder)) as parts:
        async with _watched(config, parts, [platform]):
            log.info("no platform has a token: reading the console")
            await serve(parts, [Room(parts, console).read(lines)])


async def _online(config: Config, folder: Path, store: Store, tokens: Mapping[str, str | None]) -> None:
    platforms = list(_platforms(config, tokens))
    with composed(config, store, platforms, open_classifier(config, folder), needs_channel=True) as parts:
        try:
            async with _watched(config, parts, platforms):
                await serve(parts, [platform.read(parts) for platform in platforms])
        finally:
            for platform in platforms:
                await platform.close()
        log.info("stopped")


@asynccontextmanager
async def _watched(config: Config, parts: Parts, platforms: Sequence[Connection]) -> AsyncIterator[None]:
    """Answer questions about metrics and health until the end of the block, if the settings say where."""
    if not config.metrics.listen:
        yield
        return
    from bot.monitor import monitored  # its libraries take half a second to import

    async with monitored(config.metrics, parts, platforms):
        yield


def _platforms(config: Config, tokens: Mapping[str, str | None]) -> Iterator[DiscordPlatform | TelegramPlatform]:
    """Yield the platforms that have a token; their clients take a second to import, which the console is spared."""
    if discord := tokens["discord"]:
        from bot.platforms.discord_bot import DiscordPlatform

        yield DiscordPlatform(config.discord, discord)
    if telegram := tokens["telegram"]:
        from bot.platforms.telegram_bot import TelegramPlatform

        yield TelegramPlatform(config.telegram, telegram)
