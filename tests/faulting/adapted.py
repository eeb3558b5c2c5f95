"""Runs `haven run` harmed at one step of one effect: `python tests/faulting/adapted.py HARM STEP EFFECT`.

HARM is `kill`, `stall` or `none`. With `locked`, Haven waits only for a moment for a database that is locked.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

from faulting.steps import die

from bot import database, outbox
from bot.cli import main
from bot.guard import Guard
from bot.outbox import Outbox
from bot.platforms.discord_bot import DiscordPlatform
from bot.platforms.discord_bot import client as discord_client
from bot.platforms.telegram_bot import TelegramPlatform
from bot.platforms.telegram_bot import client as telegram_client

_STALL = 100.0  # more than an attempt may take
_PLATFORMS: tuple[Any, ...] = (DiscordPlatform, TelegramPlatform)


def _hurry() -> None:
    """Let the second attempt at anything come soon after the first."""
    outbox.FIRST_WAIT, outbox.LONGEST_WAIT = 0.02, 0.05
    for client in (discord_client, telegram_client):
        vars(client)["_FIRST_WAIT"] = 0.02
    vars(discord_client).update(_SERVERS_SECONDS=0.05, _COMMANDS_SECONDS=0.2)


def _stall() -> None:
    """Block the event loop; it holds that to have taken longer than any attempt may."""
    loop: Any = asyncio.get_running_loop()
    time.sleep(0.05)
    real = loop.time
    loop.time = lambda: real() + _STALL


def _watch(step: str, effect: str, harm: Callable[[], None]) -> None:
    """Do harm once, when that effect comes to that step."""
    done = False

    def reach(here: str, *effects: object) -> None:
        nonlocal done
        if here == step and not done and effect in (type(one).__name__ for one in effects):
            done = True
            harm()

    def performing(perform: Any) -> Any:
        async def attempt(self: Any, effect: Any, key: str) -> Any:
            reach("begun", effect)
            delivery = await perform(self, effect, key)
            reach("answered", effect)
            return delivery

        return attempt

    record: Any = Guard.record
    finish: Any = Outbox._finish

    def recorded(self: Guard, findings: Any) -> Any:
        decisions = record(self, findings)
        reach("recorded", *(one for decision in decisions for one in decision.effects))
        return decisions

    def finished(self: Outbox, platform: Any, row: Any, delivery: Any) -> Any:
        outcome = finish(self, platform, row, delivery)
        reach("settled", row.effect)
        return outcome

    for platform in _PLATFORMS:
        platform.perform = performing(platform.perform)
    Guard.record = recorded  # type: ignore[method-assign]
    Outbox._finish = finished  # type: ignore[method-assign]


if __name__ == "__main__":
    _hurry()
    harm, step, effect = sys.argv[1:]
    if harm == "locked":
        database._BUSY_SECONDS = 0.05  # type: ignore[assignment]
    elif harm != "none":
        _watch(step, effect, {"kill": die, "stall": _stall}[harm])
    main(["run"])
