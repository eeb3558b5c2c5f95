"""The gateway: websocket connections, sessions that can be resumed, and events filtered by intents."""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web
from localdiscord.guild import Guild
from localdiscord.permissions import Intent
from localdiscord.state import JSON
from localdiscord.world import Build, World

_ENDS_SESSION = (4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014)
_FROM_CLIENT = (1000, 1001)


class Session:
    """What a bot identified as, with everything that was sent to it."""

    def __init__(self, shard: tuple[int, int], intents: int) -> None:
        self.id = secrets.token_hex(16)
        self.shard = shard
        self.intents = intents
        self.sent: list[str] = []
        self.heard = 0
        self.connection: Connection | None = None

    def serves(self, guild: Guild | None) -> bool:
        """Say whether events of a guild, or of private channels, belong to this shard."""
        return (int(guild.id) >> 22) % self.shard[1] == self.shard[0] if guild else self.shard[0] == 0

    def dispatch(self, event: str, data: JSON) -> None:
        """Give an event the next number, keep it and send it if there is a connection."""
        frame = json.dumps({"op": 0, "t": event, "s": len(self.sent) + 1, "d": data}, separators=(",", ":"))
        self.sent.append(frame)
        if self.connection:
            self.connection.send(frame)


class Connection:
    """One websocket with its own compressor and a queue of frames to send."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, compressed: bool) -> None:
        self.socket, self.request = socket, request
        self.session: Session | None = None
        self.code: int | None = None
        self._deflate = zlib.compressobj() if compressed else None
        self._frames: asyncio.Queue[str] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())

    def send(self, frame: str | JSON) -> None:
        """Put a frame in the queue."""
        self._frames.put_nowait(frame if isinstance(frame, str) else json.dumps(frame))

    async def _write(self) -> None:
        while True:
            frame = await self._frames.get()
            try:
                if self._deflate:
                    data = self._deflate.compress(frame.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                    await self.socket.send_bytes(data)
                else:
                    await self.socket.send_str(frame)
            except (ConnectionError, RuntimeError):
                continue
            finally:
                self._frames.task_done()

    async def flush(self) -> None:
        """Wait until everything in the queue was sent."""
        await self._frames.join()

    async def end(self) -> None:
        """Stop sending."""
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer
        while not self._frames.empty():
            self._frames.get_nowait()
            self._frames.task_done()

    async def close(self, code: int | None) -> None:
        """Close with a code, or cut the TCP connection."""
        if code is not None:
            await self.flush()
            self.code = code
            await self.socket.close(code=code)
        elif self.request.transport:
            self.request.transport.abort()


class Gateway:
    """All sessions and connections."""

    def __init__(self, world: World, token: Callable[[], str], address: Callable[[], str]) -> None:
        self.world, self._token, self.address = world, token, address
        self.heartbeat_interval = 41250
        self.privileged = int(Intent.MESSAGE_CONTENT)
        self.identify_close: int | None = None
        self.identifies: list[JSON] = []
        self.resumes: list[JSON] = []
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()
        self.stopped = False
        self.open = asyncio.Event()
        self.open.set()
        self.check: Callable[[str, JSON], None] = lambda event, data: None
        world.emit = self.emit

    def emit(self, event: str, intents: int, guild: Guild | None, build: Build) -> None:
        """Send an event to the sessions of the right shard that asked for it."""
        for session in self.sessions.values():
            if session.serves(guild) and (not intents or session.intents & intents):
                data = build(session)
                self.check(event, data)
                session.dispatch(event, data)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket."""
        await self.open.wait()
        if self.stopped or request.transport is None:  # or who asked did not wait
            return web.Response(status=503)
        socket = web.WebSocketResponse(max_msg_size=0, timeout=2)
        await socket.prepare(request)
        compress = request.query.get("compress")
        if compress not in (None, "zlib-stream") or request.query.get("encoding", "json") != "json":
            self.world.complain(f"the gateway does not speak {request.query_string}")
        connection = Connection(socket, request, compress is not None)
        self.connections.add(connection)
        connection.send(
            {"op": 10, "s": None, "t": None, "d": {"heartbeat_interval": self.heartbeat_interval, "_trace": []}}
        )
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._receive(connection, json.loads(message.data))
        finally:
            self.connections.discard(connection)
            await connection.end()
            self._lost(connection, socket.close_code)
        return socket

    def _lost(self, connection: Connection, code: int | None) -> None:
        session = connection.session
        if session and session.connection is connection:
            session.connection = None
            ended = connection.code in _ENDS_SESSION if connection.code else code in _FROM_CLIENT
            if ended:
                self.sessions.pop(session.id, None)

    async def _receive(self, connection: Connection, frame: JSON) -> None:
        op, data = frame.get("op"), frame.get("d")
        if op == 1:
            if connection.session:
                connection.session.heard = int(frame.get("d") or 0)
            connection.send({"op": 11, "d": None, "s": None, "t": None})
        elif op == 2:
            await self._identify(connection, data or {})
        elif op == 6:
            await self._resume(connection, data or {})
        elif connection.session is None:
            await connection.close(4003)
        elif op == 8:
            self._members(connection.session, data or {})
        elif op not in (3, 4):
            await connection.close(4001)

    async def _identify(self, connection: Connection, data: JSON) -> None:
        self.identifies.append(data)
        shard: list[int] = data.get("shard") or [0, 1]
        intents = int(data.get("intents", 0))
        secret = int(Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES | Intent.MESSAGE_CONTENT)
        if connection.session:
            return await connection.close(4005)
        if data.get("token") != self._token():
            return await connection.close(4004)
        if self.identify_close:
            return await connection.close(self.identify_close)
        if intents & secret & ~self.privileged:
            return await connection.close(4014)
        if not 0 <= shard[0] < shard[1]:
            return await connection.close(4010)
        self._begin(connection, Session((shard[0], shard[1]), intents))
        return None

    def _begin(self, connection: Connection, session: Session) -> None:
        for old in [one for one in self.sessions.values() if one.shard == session.shard and not one.connection]:
            del self.sessions[old.id]
        guilds = [guild for guild in self.world.guilds.values() if guild.bot and session.serves(guild)]
        session.connection, connection.session = connection, session
        bot = self.world.bot.payload() | {"mfa_enabled": True, "verified": True, "email": None}
        ready: JSON = {"v": 10, "user": bot, "user_settings": {}, "session_type": "normal", "session_id": session.id}
        ready |= {"guilds": [{"id": guild.id, "unavailable": True} for guild in guilds], "private_channels": []}
        ready |= {
            "resume_gateway_url": self.address(),
            "shard": list(session.shard),
            "relationships": [],
            "_trace": [],
        }
        ready |= {"application": {"id": self.world.app_id, "flags": self.flags}, "presences": [], "auth": {}}
        session.dispatch("READY", ready)
        for guild in guilds:
            if session.intents & Intent.GUILDS:
                data = guild.payload(session.intents)
                self.check("GUILD_CREATE", data)
                session.dispatch("GUILD_CREATE", data)
        self.sessions[session.id] = session

    @property
    def flags(self) -> int:
        """The application's flags: the privileged intents that its portal grants."""
        granted = {Intent.MESSAGE_CONTENT: 1 << 19, Intent.GUILD_MEMBERS: 1 << 15, Intent.GUILD_PRESENCES: 1 << 13}
        return sum(flag for intent, flag in granted.items() if self.privileged & intent)

    async def _resume(self, connection: Connection, data: JSON) -> None:
        self.resumes.append(data)
        if data.get("token") != self._token():
            await connection.close(4004)
            return
        session, seen = self.sessions.get(str(data.get("session_id"))), data.get("seq") or 0
        if session is None:
            connection.send({"op": 9, "d": False, "s": None, "t": None})
            return
        if seen > len(session.sent):
            await connection.close(4007)
            return
        if session.connection:
            session.connection.session = None
        session.connection, connection.session = connection, session
        for frame in session.sent[seen:]:
            connection.send(frame)
        session.dispatch("RESUMED", {"_trace": []})

    def _members(self, session: Session, asked: JSON) -> None:
        guild = self.world.guilds.get(str(asked.get("guild_id")))
        if guild is None or not guild.bot:
            return
        ids, query = asked.get("user_ids"), asked.get("query")
        if ids is None and not query and not session.intents & Intent.GUILD_MEMBERS:
            self.world.complain("op 8 for all members without the intent GUILD_MEMBERS")
            return
        wanted = [str(id) for id in (ids if isinstance(ids, list) else [ids])] if ids is not None else None
        found: list[dict[str, Any]] = []
        for member in guild.members.values():
            named = (member.nick or member.user.global_name or member.user.name).lower()
            if member.user.id in wanted if wanted is not None else named.startswith(str(query or "").lower()):
                found.append(member.payload())
        found = found[: int(asked.get("limit") or 0) or None]
        parts = [found[at : at + 1000] for at in range(0, len(found), 1000)] or [[]]
        for index, part in enumerate(parts):
            chunk: JSON = {"guild_id": guild.id, "members": part, "chunk_index": index, "chunk_count": len(parts)}
            if wanted is not None:
                chunk["not_found"] = [id for id in wanted if id not in guild.members]
            if "nonce" in asked:
                chunk["nonce"] = asked["nonce"]
            session.dispatch("GUILD_MEMBERS_CHUNK", chunk)

    async def flush(self) -> None:
        """Wait until everything was put on the sockets."""
        for connection in list(self.connections):
            await connection.flush()

    async def close(self, code: int | None) -> None:
        """Close all connections."""
        for connection in list(self.connections):
            if connection.session and code in _ENDS_SESSION:
                self.sessions.pop(connection.session.id, None)
            await connection.close(code)
