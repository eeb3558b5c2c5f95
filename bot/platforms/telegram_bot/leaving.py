"""Erases what was chosen for groups that Haven was taken out of."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from telegram.error import Forbidden, TelegramError

from bot.platforms.telegram_bot import rights, setup

if TYPE_CHECKING:
    from bot.platforms.telegram_bot.client import HavenClient

log = logging.getLogger(__name__)
EVERY = 86_400.0


async def leave_groups(client: HavenClient) -> None:
    """Erase settings and the rest of groups that Haven is in no more, once their last case is gone.

    Not at once: to be taken out and added again is a step of setting up, and nobody erases a case by taking Haven out.
    """
    held = {*await asyncio.to_thread(client.parts.store.spaces)}
    for space in await asyncio.to_thread(client.parts.records.spaces):
        if setup.is_group(space) and space not in held and await _is_out(client, space):
            await asyncio.to_thread(client.parts.leave, space)
            log.info("telegram: what was chosen for group %s is erased, as Haven is not in it", space)


async def _is_out(client: HavenClient, space: str) -> bool:
    try:
        return not rights.is_inside(await client.bot.get_chat_member(int(space), client.me.id))
    except Forbidden:
        return True
    except TelegramError:  # not known
        return False
