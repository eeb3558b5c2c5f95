"""The connection by which Haven asks Telegram for updates."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from telegram import Update
from telegram.error import TelegramError
from telegram.request import HTTPXRequest


class Polling(HTTPXRequest):
    """python-telegram-bot's connection; `answered` says whether Telegram answered when it was last asked.

    It is asked once it has been logged in to, and answers within ten seconds when there is nothing new. The library
    takes nothing of what it fetched with an update that it cannot read, for ever: such a one is made empty here, and
    `left_out` is called for it.
    """

    answered = True

    def __init__(self, left_out: Callable[[], None]) -> None:
        super().__init__(connection_pool_size=1)
        self._left_out = left_out

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Ask, and note how it went."""
        try:
            status, body = await super().do_request(*args, **kwargs)
        except TelegramError:
            self.answered = False
            raise
        self.answered = status == HTTPStatus.OK
        return status, self._readable(body) if self.answered else body

    def _readable(self, body: bytes) -> bytes:
        """Return an answer with updates that the library can read; what is no answer is for it to complain of."""
        try:
            answer = json.loads(body)
            updates = [one if _can_be_read(one) else {"update_id": one["update_id"]} for one in answer["result"]]
        except (ValueError, LookupError, TypeError):
            return body
        unreadable = sum(new is not old for new, old in zip(updates, answer["result"], strict=True))
        if not unreadable:
            return body
        for _ in range(unreadable):
            self._left_out()
        return json.dumps(answer | {"result": updates}).encode()


def _can_be_read(update: dict[str, Any]) -> bool:
    try:
        Update.de_json(update)
    except Exception:  # noqa: BLE001 (whatever it is, the updates after it can be read)
        return False
    return True
