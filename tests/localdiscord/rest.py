"""The HTTP API's frame: routes, authorisation, records of every request, failures on demand and Discord's errors."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import BodyPartReader, web
from localdiscord.contract import Contract, real
from localdiscord.rules import Problem, as_errors
from localdiscord.state import JSON
from localdiscord.world import World

PREFIX = "/api/v10"


class Refusal(Exception):  # noqa: N818
    """An answer with one of Discord's error codes."""

    def __init__(self, status: int, code: int, message: str, problems: list[Problem] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.problems = status, code, message, problems or []

    def payload(self) -> JSON:
        """Return the error object."""
        made: JSON = {"message": self.message, "code": self.code}
        return made | {"errors": as_errors(self.problems)} if self.problems else made


@dataclass
class Upload:
    """A file that came with a request."""

    field: str
    name: str
    data: bytes
    kind: str


@dataclass
class Call:
    """A request on its way to its handler."""

    method: str
    path: str
    route: str
    params: dict[str, str]
    query: dict[str, str]
    json: Any
    files: list[Upload]
    reason: str | None

    def __getitem__(self, name: str) -> str:
        return self.params[name]

    @property
    def body(self) -> JSON:
        """The body, if it is an object."""
        return self.json if isinstance(self.json, dict) else {}


@dataclass
class Request:
    """What the bot asked, kept for the test; the status is 0 until it is answered."""

    method: str
    path: str
    route: str
    channel_id: str | None
    json: Any
    at: float
    status: int = 0
    query: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    reason: str | None = None


@dataclass
class Failure:
    """Requests that are to fail."""

    method: str
    route: str
    times: int
    status: int
    retry_after: float
    after: bool
    code: int
    message: str
    delay: float
    channel_id: str | None


Handler = Callable[[Call], Awaitable[Any]]


@dataclass
class Created:
    """A body that is answered with 201 instead of 200."""

    body: Any


class Rest:
    """Finds the handler of a request and answers as Discord does."""

    def __init__(self, world: World, token: Callable[[], str]) -> None:
        self.world, self._token = world, token
        self.contract: Contract | None = None
        self.requests: list[Request] = []
        self.failures: list[Failure] = []
        self._routes: list[tuple[str, str, re.Pattern[str], Handler, bool]] = []

    def add(self, method: str, route: str, handler: Handler, *, open: bool = False) -> None:
        """Add a route; an open one needs no token, as it has one in its path."""
        pattern = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route)))
        self._routes.append((method, route, pattern, handler, open))
        self._routes.sort(key=lambda one: one[1].count("{"))

    def _find(self, method: str, path: str) -> tuple[str, dict[str, str], Handler | None, bool]:
        known = path
        for its, route, pattern, handler, open in self._routes:
            found = pattern.fullmatch(path)
            if found and its == method:
                return route, {key: unquote(value) for key, value in found.groupdict().items()}, handler, open
            known = route if found else known
        return known, {}, None, False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        path, at = request.raw_path.split("?")[0].removeprefix(PREFIX), time.monotonic()
        route, params, handler, open = self._find(request.method, path)
        body, files = await self._read(request)
        reason = unquote(request.headers["X-Audit-Log-Reason"]) if "X-Audit-Log-Reason" in request.headers else None
        call = Call(request.method, path, route, params, dict(request.query), body, files, reason)
        record = Request(call.method, path, route, params.get("channel_id"), body, at, query=call.query, reason=reason)
        record.files = {file.name: file.data for file in files}
        self.requests.append(record)
        failure = self._failure(record)
        if failure:
            await asyncio.sleep(failure.delay)
        if failure and not failure.after:
            return self._fail(request, record, failure)
        record.status, answer = await self._answer(request, call, handler, open)
        if failure and failure.status >= 0:
            return self._fail(request, record, failure)
        if record.status == 204:
            return web.Response(status=204)
        return self._response(record.status, answer)

    @staticmethod
    def _response(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
        data = json.dumps(body).encode()
        return web.Response(status=status, body=data, headers={"Content-Type": "application/json", **(headers or {})})

    async def _answer(self, request: web.Request, call: Call, handler: Handler | None, open: bool) -> tuple[int, Any]:
        where = f"{call.method} {call.path}"
        try:
            if handler is None:
                self.world.complain(f"unknown route: {where}")
                raise Refusal(404, 0, "404: Not Found")
            if not open and request.headers.get("Authorization") != f"Bot {self._token()}":
                raise Refusal(401, 0, "401: Unauthorized")
            if self.contract:
                for problem in self.contract.request(call.method, call.path, call.json, call.query):
                    self.world.complain(f"{where}: the request is not to the specification: {problem}")
            if call.reason and len(call.reason) > 512:
                raise Refusal(
                    400, 50035, "Invalid Form Body", [("reason", "BASE_TYPE_MAX_LENGTH", "Must be 512 or fewer.")]
                )
            answer = await handler(call)
        except Refusal as refusal:
            for path, code, text in refusal.problems:
                self.world.complain(f"{where}: {path}: {text} ({code})")
            if refusal.status == 400 and not refusal.problems:
                self.world.complain(f"{where}: {refusal.message} ({refusal.code})")
            return refusal.status, refusal.payload()
        status = 204 if answer is None else 201 if isinstance(answer, Created) else 200
        answer = answer.body if isinstance(answer, Created) else answer
        if self.contract:
            for problem in real(self.contract.response(call.method, call.path, status, answer)):
                self.world.complain(f"{where}: the answer is not to the specification: {problem}")
        return status, answer

    async def _read(self, request: web.Request) -> tuple[Any, list[Upload]]:
        if request.content_type == "multipart/form-data":
            return await self._multipart(request)
        data = await request.read()
        if not data:
            return None, []
        try:
            return json.loads(data), []
        except ValueError:
            self.world.complain(f"{request.method} {request.path}: the body is not JSON")
            return None, []

    async def _multipart(self, request: web.Request) -> tuple[Any, list[Upload]]:
        body: Any = None
        files: list[Upload] = []
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            data = bytes(await part.read())
            if part.name == "payload_json":
                body = json.loads(data)
            elif part.name and part.filename:
                kind = part.headers.get("Content-Type", "application/octet-stream")
                files.append(Upload(part.name, part.filename, data, kind))
            else:
                self.world.complain(f"{request.method} {request.path}: unexpected part {part.name!r}")
        return body, files

    def _failure(self, record: Request) -> Failure | None:
        for failure in self.failures:
            here = failure.channel_id in (None, record.channel_id)
            if failure.times > 0 and (failure.method, failure.route) == (record.method, record.route) and here:
                failure.times -= 1
                return failure
        return None

    def _fail(self, request: web.Request, record: Request, failure: Failure) -> web.StreamResponse:
        record.status = failure.status
        if failure.status == 0:
            if request.transport:
                request.transport.abort()
            return web.Response(status=500)
        if failure.status != 429:
            text = failure.message or f"{failure.status}: Internal Server Error"
            return self._response(failure.status, {"message": text, "code": failure.code})
        wait = failure.retry_after
        body = {"message": "You are being rate limited.", "retry_after": wait, "global": False, "code": failure.code}
        headers = {"Via": "1.1 google", "Retry-After": str(math.ceil(wait)), "X-RateLimit-Scope": "user"}
        headers |= {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": f"{wait:.3f}"}
        headers |= {"X-RateLimit-Reset": f"{time.time() + wait:.3f}", "X-RateLimit-Bucket": f"{hash(record.route):x}"}
        return self._response(429, body, headers)
