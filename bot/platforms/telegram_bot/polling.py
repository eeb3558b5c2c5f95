"""The connection by which Haven asks Telegram for updates."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from telegram.error import TelegramError
from telegram.request import HTTPXRequest


class Polling(HTTPXRequest):
    """python-telegram-bot's connection; `answered` says whether Telegram answered when it was last asked.

    It is asked once it has been logged in to, and answers within ten seconds when there is nothing new.
    """

    answered = True

    def __init__(self) -> None:
        super().__init__(connection_pool_size=1)

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Ask, and note how it went."""
        try:
            status, body = await super().do_request(*args, **kwargs)
        except TelegramError:
            self.answered = False
            raise
        self.answered = status == HTTPStatus.OK
        return status, body
