"""The gateway of the fake Discord: sessions start, are dropped, resume and become invalid."""

import asyncio
import json
from typing import Any, Final

from aiohttp import web

from tests.support.discord.world import APPLICATION, BOT, GUILD, make_guild

TOKEN: Final = "the.right.token"
CONTENT_FLAG: Final = 1 << 19
CONTENT_INTENT: Final = 1 << 15


class FakeGateway:
    """All connections and sessions, with the events that each received."""

    def __init__(self) -> None:
        self.url = ""
        self.guilds = [GUILD]
        self.flags = CONTENT_FLAG
        self.refused: list[str] = []
        self.identified: list[dict[str, Any]] = []
        self.resumed: list[dict[str, Any]] = []
        self._sockets: dict[web.WebSocketResponse, str] = {}
        self._sessions: dict[str, list[dict[str, Any]]] = {}
        self._changed = asyncio.Condition()

    @property
    def last_event(self) -> dict[str, Any]:
        """The newest event of the first session."""
        return next(iter(self._sessions.values()))[-1]

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def dispatch(self, name: str, data: Any) -> None:
        """Send an event to every session. One that is disconnected receives it when it resumes."""
        for session, events in self._sessions.items():
            event = {"op": 0, "t": name, "s": len(events) + 1, "d": data}
            if name.startswith("MESSAGE") and not self._reads(session):
                continue
            events.append(event)
            for socket, id in list(self._sockets.items()):
                if id == session and not socket.closed:
                    await socket.send_str(json.dumps(event))

    def _reads(self, session: str) -> bool:
        return bool(self.identified and self.identified[-1]["intents"] & (1 << 9))

    async def drop(self, code: int = 1006) -> None:
        """Close all connections; code 1006 aborts them without a close frame."""
        sockets = list(self._sockets)
        self._sockets.clear()
        for socket in sockets:
            if code == 1006:
                assert socket._req is not None
                assert socket._req.transport is not None
                socket._req.transport.abort()
            else:
                await socket.close(code=code)

    async def send_op(self, op: int, data: Any = None) -> None:
        """Send a gateway opcode, such as 7 (reconnect) or 9 (invalid session)."""
        if op == 9 and data is False:
            self._sessions.clear()
        for socket in list(self._sockets):
            await socket.send_str(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    async def gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(json.dumps({"op": 10, "d": {"heartbeat_interval": 41_250}, "s": None, "t": None}))
        try:
            async for received in socket:
                if received.type is web.WSMsgType.TEXT:
                    await self._receive(socket, json.loads(received.data))
        finally:
            self._sockets.pop(socket, None)
            await self._notify()
        return socket

    async def _receive(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        match message["op"]:
            case 1:
                await socket.send_str(json.dumps({"op": 11, "d": None, "s": None, "t": None}))
            case 2:
                await self._identify(socket, message["d"])
            case 6:
                await self._resume(socket, message["d"])
            case _:
                self.refused.append(f"gateway op {message['op']}")
                await socket.close(code=4001)
        await self._notify()

    async def _identify(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> None:
        self.identified.append(data)
        if data["token"] != TOKEN:
            await socket.close(code=4004)
            return
        if data["intents"] & CONTENT_INTENT and not self.flags & CONTENT_FLAG:
            await socket.close(code=4014)
            return
        session = f"session-{len(self.identified)}"
        events = self._sessions[session] = []
        self._sockets[socket] = session
        ready = {
            "v": 10, "user": BOT, "session_id": session,
            "resume_gateway_url": f"{self.url}/gateway".replace("http", "ws"),
            "guilds": [{"id": str(id), "unavailable": True} for id in self.guilds],
            "shard": data.get("shard", [0, 1]), "application": {"id": str(APPLICATION), "flags": self.flags},
        }  # fmt: skip
        for name, body in [("READY", ready), *(("GUILD_CREATE", make_guild(id)) for id in self.guilds)]:
            events.append({"op": 0, "t": name, "s": len(events) + 1, "d": body})
            await socket.send_str(json.dumps(events[-1]))

    async def _resume(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> None:
        self.resumed.append(data)
        events = self._sessions.get(data["session_id"])
        if events is None:
            await socket.send_str(json.dumps({"op": 9, "d": False, "s": None, "t": None}))
            return
        self._sockets[socket] = data["session_id"]
        for event in events[data["seq"] :]:
            await socket.send_str(json.dumps(event))
        await socket.send_str(json.dumps({"op": 0, "t": "RESUMED", "s": len(events), "d": {}}))
