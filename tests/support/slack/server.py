"""A fake Slack: Web API, Socket Mode, response URLs, file uploads, and signed requests over HTTP.

Written after Slack's published reference. It refuses what Slack refuses. Refusals are kept in `refused`.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import WSMsgType, web

from tests.support.servers.app_server import serve_app
from tests.support.slack import published
from tests.support.slack.methods import BOT, SIGNING_SECRET, TEAM, ApiCall, FakeWebApi, ResponseUrl, ShownMessage

MAX_USES, LIFETIME_S = 5, 30 * 60
RESPONSE_FIELDS = {
    "text",
    "blocks",
    "response_type",
    "replace_original",
    "delete_original",
    "thread_ts",
    "unfurl_links",
    "unfurl_media",
    "mrkdwn",
}


@dataclass
class FakeSlack(FakeWebApi):
    """One workspace."""

    request_url: str = ""
    """Address at which the app listens; empty if it uses Socket Mode."""
    fails: dict[str, deque[Callable[[], web.Response]]] = field(default_factory=lambda: defaultdict(deque))
    """Failures that a method answers with before it works again."""
    delayed_methods: set[str] = field(default_factory=set)
    """Methods that are answered only after the app has disconnected."""
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    """Methods that are answered only once the event is set."""
    calls: list[ApiCall] = field(default_factory=list)
    responses: dict[str, ResponseUrl] = field(default_factory=dict)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    is_unresponsive: bool = False
    """Connections stay open but answer nothing, not even pings."""
    connections: int = 0
    acks: dict[str, Any] = field(default_factory=dict)
    acknowledged_s: list[float] = field(default_factory=list)
    """How long the acknowledgement of each envelope took."""
    _sent_s: dict[str, float] = field(default_factory=dict)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _session: aiohttp.ClientSession | None = None

    # ---- users ----

    async def wait_for(self, happened: Callable[[], Any], timeout_s: float = 20) -> Any:
        """Return the value of `happened` once it is true."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(happened)
        return happened()

    async def command(self, text: str, user: str = "U0000ANN", channel: str = "C0000ALL", team: str = TEAM) -> Any:
        body = {
            "command": "/reel",
            "text": text,
            "team_id": team,
            "user_id": user,
            "user_name": user.lower(),
            "channel_id": channel,
            "channel_name": channel.lower(),
            "response_url": self.response(channel, user),
            "trigger_id": self.trigger(),
            "api_app_id": "A1",
        }
        return await self.send("slash_commands", body)

    async def press(self, shown: ShownMessage, button: Mapping[str, Any], user: str = "U0000ANN") -> Any:
        ephemeral = bool(shown.shown_to)
        message = {"ts": shown.ts, "blocks": shown.payload["blocks"], "text": shown.payload.get("text", "")}
        if thread := shown.payload.get("thread_ts"):
            message["thread_ts"] = thread
        action = {"type": "button", "action_ts": "1", "block_id": "b", **button}
        body = self.interaction("block_actions", user) | {
            "actions": [action],
            "channel": {"id": shown.channel, "name": "x"},
            "container": {"type": "message", "message_ts": shown.ts, "is_ephemeral": ephemeral},
            "response_url": self.response(shown.channel, user, shown),
            "message": message,
        }
        return await self.send("interactive", body)

    async def event(self, event: Mapping[str, Any], id: str = "", team: str = TEAM, **envelope: Any) -> Any:
        body = {
            "type": "event_callback",
            "team_id": team,
            "api_app_id": "A1",
            "event": dict(event) | {"event_ts": "1.0"},
            "event_id": id or self.id("Ev"),
            "event_time": 1,
            "authorizations": [{"team_id": team, "user_id": BOT, "is_bot": True, "is_enterprise_install": False}],
        }
        return await self.send("events_api", body, **envelope)

    def interaction(self, kind: str, user: str) -> dict[str, Any]:
        return {
            "type": kind,
            "team": {"id": TEAM, "domain": "x"},
            "user": {"id": user, "team_id": self.users.get(user, {}).get("team_id", TEAM)},
            "trigger_id": self.trigger(),
            "api_app_id": "A1",
        }

    def response(self, channel: str, user: str, message: ShownMessage | None = None) -> str:
        """Make a new response URL."""
        id = self.id("R")
        self.responses[id] = ResponseUrl(channel, user, self.clock(), message)
        return f"{self.address}/respond/{id}"

    def shown_to(self, user: str) -> list[ShownMessage]:
        """Return the messages that only this user sees."""
        return [shown for shown in self.shown if shown.shown_to == user]

    def calls_of(self, method: str) -> list[ApiCall]:
        return [call for call in self.calls if call.method == method]

    # ---- sending to the app ----

    async def send(self, kind: str, payload: Mapping[str, Any], **envelope: Any) -> Any:
        """Deliver a payload. Returns what the app acknowledged it with."""
        return await (self._post(kind, payload) if self.request_url else self._push(kind, payload, **envelope))

    async def _push(
        self, kind: str, payload: Mapping[str, Any], socket: int = -1, patience_s: float = 20, **envelope: Any
    ) -> Any:
        id = self.id("envelope-")
        await self.wait_for(lambda: self.sockets)
        message = {"envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": True} | envelope
        self._sent_s[id] = time.perf_counter()
        await self.sockets[socket].send_json(message)
        await self.wait_for(lambda: id in self.acks, patience_s)
        return self.acks[id]

    async def drop(self) -> None:
        """Abort all connections."""
        for socket in self.sockets:
            transport = socket._req.transport if socket._req else None
            assert transport
            transport.abort()

    async def send_message(self, message: Mapping[str, Any]) -> None:
        """Send a message of Socket Mode itself on the newest connection."""
        await self.sockets[-1].send_json(message)

    async def _post(self, kind: str, payload: Mapping[str, Any], secret: str = SIGNING_SECRET) -> Any:
        match kind:
            case "events_api":
                body, type = json.dumps(payload), "application/json"
            case "slash_commands":
                body, type = urlencode(payload), "application/x-www-form-urlencoded"
            case _:
                body, type = urlencode({"payload": json.dumps(payload)}), "application/x-www-form-urlencoded"
        status, text = await self.post(body, type, secret)
        assert status == 200, (status, text)
        return json.loads(text) if text.startswith("{") else text

    async def post(self, body: str, type: str, secret: str, at: int | None = None) -> tuple[int, str]:
        """Send a signed request, as Slack does. Returns the status and the body."""
        stamp = str(at or int(time.time()))
        signature = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signature}", "Content-Type": type}
        assert self._session
        async with self._session.post(self.request_url, data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    # ---- Web API ----

    async def api(self, request: web.Request) -> web.Response:
        method, token = request.match_info["method"], request.headers.get("Authorization", "")
        args = await _arguments(request)
        token = token.removeprefix("Bearer ") or args.pop("token", "")
        if method in self.gates:
            await self.gates[method].wait()
        if method in self.delayed_methods:
            await self.wait_for(lambda: not self.sockets)
        if failures := self.fails[method]:
            async with self._changed:
                self.calls.append(ApiCall(method, args, token, {}))
                self._changed.notify_all()
            return failures.popleft()()
        wrong = published.find_violations(method, args)
        handler: Any = getattr(self, "_" + method.replace(".", "_"), None)
        if handler is None:
            wrong.append(f"{method}: unknown method")
        if wrong:
            answer = self._refuse(wrong, "invalid_arguments")
        elif not self._check_admission(method, token):
            answer = {"ok": False, "error": "invalid_auth"}
        else:
            answer = handler(args | {"_team": self.tokens.get(token, TEAM)})
        async with self._changed:
            self.calls.append(ApiCall(method, args, token, answer))
            self._changed.notify_all()
        return web.json_response(answer, headers={"x-oauth-scopes": self.scopes})

    # ---- response URLs, uploads and Socket Mode ----

    async def respond(self, request: web.Request) -> web.Response:
        response, payload = self.responses[request.match_info["id"]], await request.json()
        error = ""
        if response.uses >= MAX_USES:
            error = "used_url"
        elif self.clock() - response.at > LIFETIME_S:
            error = "expired_url"
        elif wrong := [f"response: {name}" for name in set(payload) - RESPONSE_FIELDS] + self._message(payload):
            self.refused += wrong
            error = "invalid_blocks"
        if error:
            return web.json_response({"ok": False, "error": error}, status=404)
        async with self._changed:
            response.uses += 1
            if payload.get("replace_original") and response.message:
                response.message.payload = payload
                response.message.edits += 1
            else:
                is_private = payload.get("response_type", "ephemeral") == "ephemeral"
                self.shown.append(
                    ShownMessage(response.channel, self._stamp(), payload, shown_to=response.user if is_private else "")
                )
            self._changed.notify_all()
        return web.Response(text="ok")

    async def upload(self, request: web.Request) -> web.Response:
        self.files[request.match_info["id"]].content = await request.read()
        return web.Response(text="OK")

    async def download(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        is_allowed = token in self.tokens and "files:read" in self.scopes
        return (
            web.Response(body=self.files[request.match_info["id"]].content) if is_allowed else web.Response(status=302)
        )

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        if not self.is_unresponsive:
            await socket.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}})
        async with self._changed:
            self.sockets.append(socket)
            self.connections += 1
            self._changed.notify_all()
        try:
            async for message in socket:
                if message.type is WSMsgType.PING and not self.is_unresponsive:
                    await socket.pong(message.data)
                elif message.type is WSMsgType.TEXT and not self.is_unresponsive:
                    ack = json.loads(message.data)
                    self.acknowledged_s.append(time.perf_counter() - self._sent_s[ack["envelope_id"]])
                    async with self._changed:
                        self.acks[ack["envelope_id"]] = ack.get("payload")
                        self._changed.notify_all()
        finally:
            async with self._changed:
                self.sockets.remove(socket)
                self._changed.notify_all()
        return socket


@asynccontextmanager
async def run_fake_slack(**settings: Any) -> AsyncIterator[FakeSlack]:
    """Run a workspace with Ann (an admin), Bob, Kim (who reads Korean), a public and a private channel."""
    server = FakeSlack(**settings)
    server.users = {
        "U0000ANN": {"name": "ann", "profile": {"display_name": "Ann"}, "locale": "en-GB", "is_admin": True},
        "U0000BOB": {"name": "bob", "profile": {"real_name": "Bob"}, "locale": "en-US", "is_admin": False},
        "U0000KIM": {"name": "kim", "profile": {"display_name": "김"}, "locale": "ko-KR", "is_admin": False},
    }
    server.channels = {"C0000ALL": {"is_private": False}, "G0000SEC": {"is_private": True}, "D0000ANN": {"is_im": True}}
    app = web.Application()
    app.router.add_route("*", "/api/{method}", server.api)
    app.router.add_post("/respond/{id}", server.respond)
    app.router.add_post("/upload/{id}", server.upload)
    app.router.add_get("/download/{id}", server.download)
    app.router.add_get("/link", server.link)
    async with serve_app(app) as port, aiohttp.ClientSession() as server._session:
        server.address = f"http://127.0.0.1:{port}"
        yield server


async def _arguments(request: web.Request) -> dict[str, Any]:
    """Return the arguments of a call in any of Slack's encodings."""
    args: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        args |= await request.json()
    elif request.can_read_body:
        args |= dict(await request.post())
    for name in ("blocks", "view", "files"):
        if isinstance(args.get(name), str):
            args[name] = json.loads(args[name])
    return args
