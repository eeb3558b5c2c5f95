"""The frame of the Bot API: tokens, parameters, records of every request, failures on demand and Telegram's errors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import BodyPartReader, web
from localtelegram.entities import JSON
from localtelegram.flood import Flood
from localtelegram.state import Chat
from localtelegram.world import World

NUMBERS: tuple[str, ...] = (
    "message_id",
    "user_id",
    "message_thread_id",
    "offset",
    "limit",
    "timeout",
    "until_date",
    "max_connections",
)
NUMBERS += ("cache_time", "direct_messages_topic_id")
SWITCHES: tuple[str, ...] = (
    "disable_notification",
    "protect_content",
    "allow_paid_broadcast",
    "show_alert",
    "drop_pending_updates",
)
SWITCHES += ("revoke_messages", "use_independent_chat_permissions", "only_if_banned", "for_channels")
SWITCHES += ("disable_content_type_detection", "return_bots", "show_caption_above_media")
OBJECTS: tuple[str, ...] = (
    "entities",
    "caption_entities",
    "reply_markup",
    "reply_parameters",
    "link_preview_options",
    "scope",
)
OBJECTS += ("allowed_updates", "message_ids", "commands", "permissions", "menu_button", "rights")
_WORDS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    409: "Conflict",
    429: "Too Many Requests: retry after {retry_after}",
    500: "Internal Server Error",
    502: "Bad Gateway",
}


class Refusal(Exception):  # noqa: N818
    """An answer with one of Telegram's errors; a `fault` is a mistake of the bot and noted as such."""

    def __init__(self, status: int, description: str, *, fault: bool = False, **parameters: Any) -> None:
        super().__init__(description)
        self.status, self.description, self.fault, self.parameters = status, description, fault, parameters

    def payload(self) -> JSON:
        """Return the error object."""
        made: JSON = {"ok": False, "error_code": self.status, "description": self.description}
        return made | {"parameters": self.parameters} if self.parameters else made


def bad(description: str, *, fault: bool = False, **parameters: Any) -> Refusal:
    """Return a refusal with status 400."""
    return Refusal(400, f"Bad Request: {description}", fault=fault, **parameters)


@dataclass
class Upload:
    """A file that came with a request."""

    name: str
    data: bytes
    kind: str


@dataclass
class Call:
    """A request on its way to its handler, with its parameters decoded."""

    method: str
    params: JSON
    files: dict[str, Upload]
    gone: Callable[[], bool]

    def __getitem__(self, name: str) -> Any:
        if self.params.get(name) is None:
            raise bad(f'parameter "{name}" is required', fault=True)
        return self.params[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter that may be missing."""
        found = self.params.get(name)
        return default if found is None else found


@dataclass
class Request:
    """What the bot asked, kept for the test; the status is 0 until it is answered, or if it never is."""

    method: str
    params: JSON
    at: float
    status: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    result: Any = None
    description: str = ""

    @property
    def chat_id(self) -> int | str | None:
        """The chat that it was about."""
        found: int | str | None = self.params.get("chat_id")
        return found


@dataclass
class Failure:
    """Requests that are to fail, or (status -1) to be slow."""

    method: str
    times: int
    status: int
    retry_after: int
    after: bool
    description: str
    delay: float
    chat: Chat | None


class Contract(Protocol):
    """What the check against the published Bot API offers; each call returns problems, none if all is well."""

    def request(self, method: str, params: JSON, files: set[str]) -> list[str]:
        """Check the parameters of a call."""
        ...

    def result(self, method: str, result: Any) -> list[str]:
        """Check a result."""
        ...

    def update(self, update: JSON) -> list[str]:
        """Check an update."""
        ...


Handler = Callable[[Call], Awaitable[Any]]


def decoded(world: World, method: str, given: dict[str, Any]) -> JSON:
    """Return parameters as what they mean: forms carry numbers, switches and objects as text."""
    made: JSON = {}
    for name, value in given.items():
        made[name] = value
        if not isinstance(value, str):
            continue
        try:
            if name in OBJECTS or (name in NUMBERS and value.lstrip("-").isdigit()):
                made[name] = json.loads(value)
            elif name in SWITCHES:
                made[name] = {"true": True, "false": False}[value.lower()]
            elif name.endswith("chat_id") and value.lstrip("-").isdigit():
                made[name] = int(value)
        except (ValueError, KeyError):
            world.complain(f"{method}: {name} cannot be read: {value[:80]!r}")
            raise bad(f"can't parse {name} JSON object") from None
    return made


class Api:
    """Finds the handler of a request and answers as Telegram does."""

    def __init__(self, world: World, token: Callable[[], str]) -> None:
        self.world, self._token = world, token
        self.contract: Contract | None = None
        self.requests: list[Request] = []
        self.failures: list[Failure] = []
        self.flood = Flood(world)
        self._handlers: dict[str, Handler] = {}

    def add(self, **handlers: Handler) -> None:
        """Add methods."""
        self._handlers |= {name.lower(): handler for name, handler in handlers.items()}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        try:
            return await self._handle(request)
        except ConnectionError:
            return web.Response(status=400)
        except Exception as error:
            self.world.complain(f"{request.path.rpartition('/')[2]}: this Telegram is broken: {error!r}")
            raise

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self._token():
            await request.read()
            return self._response(Refusal(401, "Unauthorized").payload(), 401)
        method = request.match_info["method"]
        given, files = await self._read(request)
        record = Request(method, given, time.monotonic(), files={name: one.data for name, one in files.items()})
        self.requests.append(record)
        try:
            record.params = decoded(self.world, method, given)
        except Refusal as refusal:
            record.status, record.description = refusal.status, refusal.description
            return self._response(refusal.payload(), refusal.status)
        call = Call(method, record.params, files, lambda: request.transport is None or request.transport.is_closing())
        failure = self._failure(record)
        if failure:
            await asyncio.sleep(failure.delay)
        if failure and not failure.after:
            return self._fail(request, record, failure)
        answer = await self._answer(call, record)
        if failure and failure.status >= 0:
            return self._fail(request, record, failure)
        return self._response(answer, record.status)

    @staticmethod
    def _response(body: JSON, status: int) -> web.Response:
        return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")

    async def _answer(self, call: Call, record: Request) -> JSON:
        try:
            handler = self._handlers.get(call.method.lower())
            if handler is None:
                raise Refusal(404, "Not Found: method not found", fault=True)
            if self.contract:
                for problem in self.contract.request(call.method, call.params, set(call.files)):
                    self.world.complain(f"{call.method}: the request is not to the specification: {problem}")
            wait = self.flood.wait(call.method, call.get("chat_id"))
            if wait:
                raise Refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
            record.result = await handler(call)
        except Refusal as refusal:
            if refusal.fault:
                self.world.complain(f"{call.method}: {refusal.description}")
            record.status, record.description = refusal.status, refusal.description
            return refusal.payload()
        if self.contract:
            for problem in self.contract.result(call.method, record.result):
                self.world.complain(f"{call.method}: the result is not to the specification: {problem}")
        record.status = 200
        return {"ok": True, "result": record.result}

    async def _read(self, request: web.Request) -> tuple[dict[str, Any], dict[str, Upload]]:
        given: dict[str, Any] = dict(request.query)
        files: dict[str, Upload] = {}
        if request.content_type == "multipart/form-data":
            async for part in await request.multipart():
                assert isinstance(part, BodyPartReader)
                data, name = bytes(await part.read()), part.name or ""
                if part.filename:
                    kind = part.headers.get("Content-Type", "application/octet-stream")
                    files[name] = Upload(part.filename, data, kind)
                else:
                    given[name] = data.decode()
        elif request.content_type == "application/json":
            body = json.loads(await request.read() or b"{}")
            given |= body if isinstance(body, dict) else {}
        else:
            given |= {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
        return given, files

    def _failure(self, record: Request) -> Failure | None:
        for failure in self.failures:
            here = failure.chat is None or str(failure.chat.id) == str(record.chat_id)
            if failure.times > 0 and failure.method.lower() == record.method.lower() and here:
                failure.times -= 1
                return failure
        return None

    def _fail(self, request: web.Request, record: Request, failure: Failure) -> web.StreamResponse:
        record.status = failure.status
        if failure.status == 0:
            if request.transport:
                request.transport.abort()
            return web.Response(status=500)
        words = failure.description or _WORDS[failure.status].format(retry_after=failure.retry_after)
        record.description = words
        refusal = Refusal(failure.status, words)
        if failure.status == 429:
            refusal.parameters = {"retry_after": failure.retry_after}
        return self._response(refusal.payload(), failure.status)
