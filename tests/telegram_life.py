"""Haven on a Telegram of the test's own: the real client, guard, database and delivery, in this process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from localtelegram.server import Group, LocalTelegram, User

from bot.app import composed, serve
from bot.config import Config, TelegramSettings
from bot.parts import Parts
from bot.platforms.telegram_bot import TelegramPlatform
from bot.sealing import load_seal
from bot.store import Store
from classifiers.classifier import Classifier
from classifiers.conversation import Account

PATIENCE = 20.0


@asynccontextmanager
async def living(
    telegram: LocalTelegram, folder: Path, classifier: Classifier, **settings: int | str
) -> AsyncIterator[Parts]:
    """Run Haven until the end of the block, which stops it as SIGTERM does; the same folder is the same Haven."""
    address = telegram.base_url.removesuffix("/bot")
    chosen = TelegramSettings(api_url=address, file_url=address, **settings)  # type: ignore[arg-type]
    store = Store(folder / "haven.db", load_seal(folder / "haven.key", {}, create=True))
    platform = TelegramPlatform(chosen, telegram.token)
    with composed(Config(telegram=chosen), store, [platform], classifier, needs_channel=True) as parts:
        running = asyncio.create_task(serve(parts, [platform.read(parts)]))
        ready = asyncio.create_task(platform.ready())
        try:
            await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
            if running.done():
                await running
            assert ready.done(), "Haven was not ready in time"
            yield parts
        finally:
            ready.cancel()
            if not running.done():
                os.kill(os.getpid(), signal.SIGTERM)
            try:
                await running
            finally:
                await platform.close()


def account(user: User) -> Account:
    """Return a user's account."""
    return Account("telegram", str(user.id))


def protect(parts: Parts, group: Group, owner: User, **changes: object) -> None:
    """Set up a group as /setup and /link do."""
    parts.policies.choose(str(group.id), account(owner), changes, parts.clock().timestamp())
