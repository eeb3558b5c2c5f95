"""Looks at Haven on Telegram from outside, without reading any message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from json import JSONDecodeError

from telegram import Bot
from telegram.error import InvalidToken, NetworkError, TelegramError

from bot.config import TelegramSettings
from bot.platforms.checkup import Finding, unlike
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
    bot = Bot(token, base, files)
    try:
        await _log_in(bot, settings)
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
    except TelegramError as error:
        if _is_garbled(error):
            raise InputError(unlike("Telegram", settings.api_url, "no JSON")) from None
        why = f"telegram: cannot be reached ({type(error).__name__})"
        raise InputError(REFUSED if isinstance(error, InvalidToken) else why) from None
    finally:
        await bot.shutdown()


async def _log_in(bot: Bot, settings: TelegramSettings) -> None:
    try:
        await bot.initialize()
    except (LookupError, TypeError, AttributeError):  # the library does not look at what it is sent
        raise InputError(unlike("Telegram", settings.api_url, "no account")) from None


def _is_garbled(error: TelegramError) -> bool:
    """Return whether what was answered could not be read; where a server is out of order, that is in order."""
    found: BaseException | None = error
    while found and not isinstance(found, JSONDecodeError):
        found = found.__cause__
    return found is not None and type(error) is not NetworkError
