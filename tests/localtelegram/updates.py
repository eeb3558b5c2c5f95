"""The way of updates to the bot: a queue with offsets, long polling, and a webhook."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import deque
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from localtelegram.api import Api, Call, Refusal, bad
from localtelegram.entities import JSON
from localtelegram.world import World

NOT_BY_DEFAULT = ("chat_member", "message_reaction", "message_reaction_count")
_OTHER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_ACTIVE = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
_KEPT = 200


class Updates:
    """Everything that waits for the bot, and what it was sent."""

    def __init__(self, world: World, api: Api) -> None:
        self.world, self.api = world, api
        self.pending: deque[JSON] = deque()
        self.again: list[JSON] = []
        self.sent: deque[JSON] = deque(maxlen=_KEPT)
        self.allowed: list[str] = []
        self.polling: asyncio.Future[str] | None = None
        self._poller: Call | None = None
        self.webhook: JSON = {}
        self.retry_delay = 0.05
        self._held: list[JSON] | None = None
        self._last = 100_000_000 + secrets.randbelow(100_000_000)
        self._delivery: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.error: tuple[int, str] | None = None
        world.emit = self.emit
        api.add(getUpdates=self.get, setWebhook=self.set, deleteWebhook=self.delete, getWebhookInfo=self.info)

    def emit(self, kind: str, payload: JSON) -> None:
        """Put an update in the queue, if the bot wants such updates."""
        if kind in NOT_BY_DEFAULT if not self.allowed else kind not in self.allowed:
            return
        if self._held is not None:
            self._held.append({kind: payload})
            return
        self._last += 1
        update: JSON = {"update_id": self._last, kind: payload}
        if self.api.contract:
            for problem in self.api.contract.update(update):
                self.world.complain(f"{kind} is not to the specification: {problem}")
        self.pending.append(update)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        if self.polling and not self.polling.done():
            self.polling.set_result("news")

    def hold(self) -> None:
        """Keep updates back."""
        self._held = []

    def release(self) -> None:
        """Queue what was kept back, the last first."""
        held, self._held = self._held or [], None
        for update in reversed(held):
            for kind, payload in update.items():
                self.emit(kind, payload)

    def duplicate(self, count: int) -> None:
        """Send the last updates again, with the ids that they had."""
        known = {update["update_id"]: update for update in (*self.sent, *self.pending)}
        assert len(known) >= count, f"there were only {len(known)} updates"
        self.again += list(known.values())[-count:]
        self._wake()

    async def get(self, call: Call) -> Any:
        """Answer with updates, if there are none as soon as there are or after the time-out."""
        if self.webhook:
            raise Refusal(409, _ACTIVE)
        if "allowed_updates" in call.params:
            self.allowed = list(call["allowed_updates"])
        offset, limit = int(call.get("offset", 0)), min(int(call.get("limit", 100)) or 100, 100)
        if offset < 0:
            self.pending = deque(list(self.pending)[offset:])
        while offset > 0 and self.pending and self.pending[0]["update_id"] < offset:
            self.pending.popleft()
        found = self._take(limit)
        if not found and int(call.get("timeout", 0)) > 0:
            await self._long(min(int(call["timeout"]), 50), call)
            found = self._take(limit) if not call.gone() else []
        return found

    def _take(self, limit: int) -> list[JSON]:
        again, self.again = self.again, []
        made = again + list(self.pending)[:limit]
        known = {one["update_id"] for one in self.sent}
        self.sent.extend(one for one in made if one["update_id"] not in known)
        return made

    async def _long(self, seconds: int, call: Call) -> None:
        if self.polling and not self.polling.done():
            self.polling.set_result("other")
        mine = self.polling = asyncio.get_running_loop().create_future()
        self._poller = call
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and not call.gone():
                with suppress(TimeoutError):
                    why = await asyncio.wait_for(asyncio.shield(mine), min(0.5, max(end - time.monotonic(), 0.01)))
                    if why == "news" or call.gone():
                        return
                    raise Refusal(409, _OTHER if why == "other" else f"Conflict: terminated by {why} request")
        finally:
            if self.polling is mine:
                self.polling = None

    @property
    def idle(self) -> bool:
        """Whether the bot has fetched everything and waits for more."""
        if self.webhook:
            return not self.pending and not self.again
        waits = self.polling and not self.polling.done() and self._poller and not self._poller.gone()
        return bool(waits and not self.pending and not self.again)

    async def set(self, call: Call) -> Any:
        """Set the webhook, or delete it with an empty URL."""
        url, secret = str(call.get("url", "")), call.get("secret_token")
        if not url:
            return await self.delete(call)
        where = urlsplit(url)
        if where.scheme != "https" and where.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise bad("bad webhook: An HTTPS URL must be provided for webhook", fault=True)
        if secret is not None and not (1 <= len(secret) <= 256 and secret.replace("-", "_").isidentifier()):
            odd = not all(one.isascii() and (one.isalnum() or one in "_-") for one in secret)
            if odd or not 1 <= len(secret) <= 256:
                raise bad("secret token contains unallowed characters", fault=True)
        if self.polling and not self.polling.done():
            self.polling.set_result("setWebhook")
        await self.stop()
        if "allowed_updates" in call.params:
            self.allowed = list(call["allowed_updates"])
        if call.get("drop_pending_updates"):
            self.pending.clear()
        self.webhook = {"url": url, "secret_token": secret, "max_connections": call.get("max_connections", 40)}
        self.error = None
        self._delivery = asyncio.create_task(self._deliver())
        return True

    async def delete(self, call: Call) -> Any:
        """Delete the webhook."""
        await self.stop()
        self.webhook = {}
        if call.get("drop_pending_updates"):
            self.pending.clear()
        return True

    async def info(self, call: Call) -> Any:
        """Answer with the state of the webhook."""
        made: JSON = {"url": self.webhook.get("url", ""), "has_custom_certificate": False}
        made["pending_update_count"] = len(self.pending)
        if self.webhook:
            made |= {"max_connections": self.webhook["max_connections"], "ip_address": "127.0.0.1"}
        if self.error:
            made |= {"last_error_date": self.error[0], "last_error_message": self.error[1]}
        if self.allowed:
            made["allowed_updates"] = self.allowed
        return made

    async def close(self) -> None:
        """End everything that waits."""
        await self.stop()
        if self.polling and not self.polling.done():
            self.polling.set_result("news")

    async def stop(self) -> None:
        """Stop delivering to the webhook."""
        if self._delivery:
            self._delivery.cancel()
            with suppress(asyncio.CancelledError):
                await self._delivery
            self._delivery = None

    async def _deliver(self) -> None:
        headers = {"Content-Type": "application/json"}
        if self.webhook["secret_token"]:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self.webhook["secret_token"]
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(30)) as session:
            while True:
                self._news.clear()
                while self.again or self.pending:
                    update = self.again[0] if self.again else self.pending[0]
                    if not await self._post(session, update):
                        await asyncio.sleep(self.retry_delay)
                        continue
                    if self.again and update is self.again[0]:
                        self.again.pop(0)
                    elif self.pending and update is self.pending[0]:
                        self.sent.append(self.pending.popleft())
                await self._news.wait()

    async def _post(self, session: aiohttp.ClientSession, update: JSON) -> bool:
        try:
            async with session.post(self.webhook["url"], data=json.dumps(update), ssl=False) as answer:
                if 200 <= answer.status < 300:
                    await self._reply(await answer.read())
                    return True
                words = f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except aiohttp.ClientError:
            words = "Connection refused"
        except TimeoutError:
            words = "Read timeout expired"
        self.error = (self.world.now(), words)
        return False

    async def _reply(self, body: bytes) -> None:
        """Note a method in the answer to a webhook, which is lawful but not supported here."""
        if body.strip().startswith(b"{") and b'"method"' in body:
            self.world.complain("a method in the answer to a webhook is not supported here")
