"""Looks at Haven on Telegram from outside, without reading any message."""

from __future__ import annotations

from collections.abc import AsyncIterator

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from bot.config import TelegramSettings
from bot.platforms.checkup import Finding
from bot.platforms.telegram_bot.client import REFUSED, addresses
from bot.platforms.telegram_bot.doctor import examine
from bot.policies import Policies
from bot.records import Records
from classifiers.errors import InputError


async def findings(
    settings: TelegramSettings, token: str, policies: Policies, records: Records
) -> AsyncIterator[tuple[str, Finding]]:
    """Yield where something was looked at and what was found; InputError when Telegram does not let Haven in."""
    base, files = addresses(settings)
    try:
        async with Bot(token, base, files) as bot:
            yield "telegram", Finding(f"logged in as @{bot.username}")
            groups = [space for space in records.spaces() if space.startswith("-")]
            if not groups:
                yield (
                    "telegram",
                    Finding("Haven has read no group yet: add it to one and type /setup there", fine=False),
                )
            for space in groups:
                policy, seen_at = policies.of(space), records.seen_at(space)
                async for finding in examine(bot, space, policy, seen_at=seen_at):
                    yield f"telegram, group {space}", finding
    except InvalidToken:
        raise InputError(REFUSED) from None
    except TelegramError as error:
        raise InputError(f"telegram: cannot be reached ({type(error).__name__})") from None
