"""Answers `/metrics` and `/healthz` over HTTP, for the operator's own tools."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from bot.config import MetricsSettings
from bot.effects import Connection
from bot.metrics import Numbers
from bot.parts import Parts
from bot.platforms.checkup import Finding
from classifiers.errors import InputError

STUCK_SECONDS = 120.0
_DATABASE_SECONDS = 5.0
_TICK, _TICKS = 0.5, 120  # a minute
_CONNECTIONS = 50
_SILENT = "no answer"
_ANSWER_SECONDS = 10.0  # that the Haven that runs may take


@asynccontextmanager
async def monitored(settings: MetricsSettings, parts: Parts, platforms: Sequence[Connection]) -> AsyncIterator[None]:
    """Answer at the address of the settings until the end of the block; InputError when it cannot be had."""
    monitor = Monitor(parts, platforms)
    app = web.Application()
    app.add_routes([web.get("/metrics", monitor.metrics), web.get("/healthz", monitor.health)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    ticking = asyncio.create_task(monitor.tick())
    try:
        address, port = settings.address
        try:
            server = await asyncio.get_running_loop().create_server(partial(_answerer, runner), str(address), port)
        except OSError as error:
            raise InputError(f"metrics: cannot listen on {settings.listen}: {_why(error)}") from None
        with closing(server):
            yield
    finally:
        ticking.cancel()
        await runner.cleanup()


async def listening(settings: MetricsSettings, *, runs: bool) -> Finding:
    """Look whether the Haven of the settings, which `runs` or not, answers at their address, or could."""
    address, port = settings.address
    try:
        held = await asyncio.get_running_loop().create_server(asyncio.Protocol, str(address), port)
    except OSError as error:
        answers = await _is_haven(settings.listen)
        if answers and runs:
            return Finding(f"Haven answers at {settings.listen}")
        why = "a Haven on another database answers there" if answers else _why(error)
        return Finding(f"Haven cannot listen on {settings.listen}: {why}: choose another address", fine=False)
    held.close()
    await held.wait_closed()
    return Finding(f"Haven can answer at {settings.listen}")


async def _is_haven(where: str) -> bool:
    timeout, url = ClientTimeout(total=_ANSWER_SECONDS), f"http://{where}/metrics"
    try:
        async with ClientSession(timeout=timeout) as session, session.get(url, allow_redirects=False) as answer:
            return b"haven_platform_connected" in await answer.read()
    except (ClientError, TimeoutError):
        return False


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _answerer(runner: web.AppRunner) -> asyncio.Protocol:
    """Return what answers a new connection; of more than fifty the oldest end, so that idle ones take no room."""
    server = runner.server
    if server is None:
        raise RuntimeError("the runner was not set up")
    for oldest in server.connections[:-_CONNECTIONS]:
        oldest.force_close()
    return server()


class Monitor:
    """Looks at the running parts; it asks the database one question at a time, however often it is asked."""

    def __init__(self, parts: Parts, platforms: Sequence[Connection]) -> None:
        self._parts = parts
        self._platforms = platforms
        self._numbers = Numbers(parts, platforms)
        self._lags: deque[float] = deque([0.0], maxlen=_TICKS)
        self._asking: asyncio.Task[None] | None = None
        self._trouble = _SILENT

    async def tick(self) -> None:
        """Measure, until cancelled, by how much the event loop is late."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self._lags.append(max(0.0, loop.time() - due))

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer with all metrics in Prometheus' text format."""
        await self._look()
        return web.Response(body=self._numbers.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def health(self, _request: web.Request) -> web.Response:
        """Answer 200, or 503 with a line for each thing that is wrong."""
        await self._look()
        troubles = list(self._troubles())
        return web.Response(text="\n".join(troubles or ["ok"]) + "\n", status=503 if troubles else 200)

    def _troubles(self) -> Iterator[str]:
        for platform in self._platforms:
            if not platform.connected:
                yield f"{platform.name}: not connected"
        if self._numbers.backlogs is None:
            yield f"database: {self._trouble}"
            return
        long_ago = self._parts.clock().timestamp() - STUCK_SECONDS
        connected = {platform.name for platform in self._platforms if platform.connected}
        for backlog in self._numbers.backlogs:
            waits = backlog.platform in connected and backlog.due_at < long_ago
            if waits and self._parts.outbox.tried_at[backlog.platform] < long_ago:
                yield f"{backlog.platform}: the outbox is stuck"

    async def _look(self) -> None:
        """Measure what takes a question; what does not answer in time is unknown, and not asked again until it does."""
        self._numbers.lag = max(self._lags)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await asyncio.wait((self._asking,), timeout=_DATABASE_SECONDS)
        if not self._asking.done():
            self._numbers.backlogs, self._numbers.size, self._trouble = None, None, _SILENT

    async def _ask(self) -> None:
        try:
            self._numbers.backlogs = await asyncio.to_thread(self._parts.store.backlogs)
            self._numbers.size = await asyncio.to_thread(self._parts.store.size)
        except InputError as error:
            self._numbers.backlogs, self._numbers.size, self._trouble = None, None, str(error)
