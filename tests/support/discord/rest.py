"""The REST API of the fake Discord: the routes that a bot calls, and what they answer or refuse."""

import asyncio
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from aiohttp import web

from tests.support.discord import limits, spec
from tests.support.discord.gateway import TOKEN, FakeGateway
from tests.support.discord.records import FakeInteraction, Fault, RefusedError
from tests.support.discord.world import ADA, APPLICATION, BOT, STAMP

ACKNOWLEDGEMENT_TIMEOUT_S: Final = 3.0
TOKEN_LIFETIME_S: Final = 900.0
BODY: Final[web.RequestKey[Any]] = web.RequestKey("body", object)
FILES: Final[web.RequestKey[Any]] = web.RequestKey("files", object)


class FakeRestApi(FakeGateway):
    """The state of the API: what bots have sent, and what they can ask for."""

    def __init__(self, clock: Callable[[], float], checks_spec: bool) -> None:
        super().__init__()
        self.clock = clock
        self.checks_spec = checks_spec
        self.requests: list[tuple[str, str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self.interactions: dict[str, FakeInteraction] = {}
        self.messages: dict[int, dict[str, Any]] = {}
        self.posted: list[dict[str, Any]] = []
        """Messages in channels that answer no interaction."""
        self.reactions: list[tuple[int, str]] = []
        self.lost_attachments: set[str] = set()
        """Attachments (by id) whose addresses are not signed again."""
        self.files: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.cdn_does: Literal["answer", "abort", "hang"] = "answer"
        self.fetched: list[str] = []
        """Files that were requested."""
        self._nonces: set[str] = set()
        self._ids = itertools.count(int((time.time() - 1_420_070_400) * 1000) << 22)

    @web.middleware
    async def rest(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Read, check and record a request, and answer as Discord does."""
        if not request.path.startswith("/api/v10/"):
            return await handler(request)  # type: ignore[no-any-return]
        address = request.path.removeprefix("/api/v10")
        body, files = await _read(request)
        self.requests.append((request.method, address, body))
        headers = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "49", "X-RateLimit-Reset-After": "1",
                   "X-RateLimit-Reset": str(time.time() + 1), "X-RateLimit-Bucket": re.sub(r"\d+", "", address)[:60],
                   "Via": "1.1 test"}  # fmt: skip
        try:
            if fault := self._fault(request.method, address):
                if not fault.status and request.transport:
                    request.transport.abort()
                return _json(fault.status, fault.body, headers | dict(fault.headers))
            self._admit(request, address)
            if self.checks_spec:
                self._check(spec.find_violations(request.method, address, body), 50035)
            request[BODY], request[FILES] = body, files
            answer = await handler(request)
        except RefusedError as refused:
            self.refused.append(f"{request.method} {address}: {refused.message}")
            return _json(refused.status, {"code": refused.code, "message": refused.message}, headers)
        except web.HTTPNotFound:
            self.refused.append(f"{request.method} {address}: no such route")
            return _json(404, {"code": 0, "message": "404: Not Found"}, headers)
        finally:
            await self._notify()
        return _json(200, answer, headers) if answer is not None else web.Response(status=204, headers=headers)

    def _fault(self, method: str, address: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == method and re.search(fault.address, address):
                fault.times -= 1
                return fault
        return None

    def _admit(self, request: web.Request, address: str) -> None:
        has_interaction_token = address.startswith(("/interactions", "/webhooks"))
        if not has_interaction_token and request.headers.get("Authorization") != f"Bot {TOKEN}":
            raise RefusedError(401, 0, "401: Unauthorized")

    def _check(self, violations: Sequence[str], code: int) -> None:
        if violations:
            raise RefusedError(400, code, "; ".join(violations))

    async def me(self, request: web.Request) -> Any:
        return BOT

    async def application(self, request: web.Request) -> Any:
        return {"id": str(APPLICATION), "name": "Reelseek", "icon": None, "description": "", "bot_public": True,
                "bot_require_code_grant": False, "verify_key": "k", "flags": self.flags, "owner": ADA.user_json,
                "summary": "", "team": None}  # fmt: skip

    async def gateway_bot(self, request: web.Request) -> Any:
        limit = {"total": 1000, "remaining": 999, "reset_after": 1, "max_concurrency": 1}
        return {"url": f"{self.url}/gateway".replace("http", "ws"), "shards": 1, "session_start_limit": limit}

    async def my_guilds(self, request: web.Request) -> Any:
        after = int(request.query.get("after", 0))
        return [
            {"id": str(id), "name": "server", "icon": None, "owner": False, "permissions": "0", "features": [],
             "banner": None}
            for id in self.guilds if id > after
        ]  # fmt: skip

    async def get_commands(self, request: web.Request) -> Any:
        return self.commands

    async def put_commands(self, request: web.Request) -> Any:
        self._check(limits.check_commands(request[BODY]), 50035)
        common = {
            "application_id": str(APPLICATION),
            "version": "1",
            "default_permission": True,
            "nsfw": False,
            "description": "",
        }
        self.commands = [common | {"id": str(next(self._ids))} | each for each in request[BODY]]
        return self.commands

    async def callback(self, request: web.Request) -> Any:
        interaction = self.interactions.get(request.match_info["token"])
        if interaction is None or self.clock() - interaction.at > ACKNOWLEDGEMENT_TIMEOUT_S:
            raise RefusedError(404, 10062, "Unknown interaction")
        if interaction.response is not None:
            raise RefusedError(400, 40060, "Interaction has already been acknowledged.")
        body = request[BODY]
        kind, data = body["type"], body.get("data") or {}
        if kind not in {2: (4, 5), 3: (4, 5, 6, 7), 4: (8,)}[interaction.kind]:
            raise RefusedError(400, 50035, f"callback {kind} to interaction {interaction.kind}")
        if kind == 8:
            self._check(limits.check_choices(data["choices"]), 50035)
        interaction.acknowledged_s = time.perf_counter() - interaction.sent_at
        interaction.response = body
        if kind == 5:
            flags = data.get("flags", 0)
            if flags & ~limits.EPHEMERAL:
                raise RefusedError(400, 50035, f"flags {flags}")
            interaction.original = self.make_message(interaction.channel, {"flags": flags | 128}, interaction)
        elif kind == 6:
            interaction.original = interaction.source
        described: dict[str, Any] = {"id": str(interaction.id), "type": interaction.kind}
        if kind != 5:
            return {"interaction": described, "resource": {"type": kind}}
        assert interaction.original is not None
        described |= {"response_message_id": interaction.original["id"], "response_message_loading": True}
        return {"interaction": described, "resource": {"type": kind, "message": interaction.original}}

    def _of_token(self, request: web.Request) -> FakeInteraction:
        interaction = self.interactions.get(request.match_info["token"])
        if interaction is None or int(request.match_info["application"]) != APPLICATION:
            raise RefusedError(404, 10015, "Unknown Webhook")
        if self.clock() - interaction.at > TOKEN_LIFETIME_S:
            raise RefusedError(401, 50027, "Invalid Webhook Token")
        if interaction.response is None:
            raise RefusedError(404, 10015, "Unknown Webhook")
        return interaction

    async def edit_original(self, request: web.Request) -> Any:
        interaction = self._of_token(request)
        if interaction.original is None:
            raise RefusedError(404, 10008, "Unknown Message")
        self._check(limits.check_message(request[BODY], request[FILES]), 50035)
        flags = interaction.original["flags"] & limits.EPHEMERAL | request[BODY].get("flags", 0) & ~limits.EPHEMERAL
        id = interaction.original["id"]
        edited = self.make_message(interaction.channel, request[BODY], interaction, request[FILES]) | {
            "id": id,
            "flags": flags,
        }
        interaction.original |= edited
        interaction.shown.append(json.loads(json.dumps(edited)))
        self.messages[int(id)] = interaction.original
        return edited

    async def follow_up(self, request: web.Request) -> Any:
        interaction = self._of_token(request)
        self._check(limits.check_message(request[BODY], request[FILES]), 50035)
        message = self.make_message(interaction.channel, request[BODY], interaction, request[FILES])
        self.messages[int(message["id"])] = message
        interaction.shown.append(message)
        return message

    async def post(self, request: web.Request) -> Any:
        self._check(limits.check_message(request[BODY], request[FILES]), 50035)
        nonce = request[BODY].get("nonce")
        if nonce and len(nonce) > 25:
            raise RefusedError(400, 50035, "nonce")
        message = self.make_message(int(request.match_info["channel"]), request[BODY], None, request[FILES])
        if nonce in self._nonces:
            return next(each for each in self.posted if each["nonce"] == nonce)
        if nonce:
            self._nonces.add(nonce)
        self.messages[int(message["id"])] = message
        self.posted.append(message | {"nonce": nonce})
        return message

    async def react(self, request: web.Request) -> Any:
        self.reactions.append((int(request.match_info["message"]), request.match_info["emoji"]))

    async def refresh_urls(self, request: web.Request) -> Any:
        urls = request[BODY].get("attachment_urls")
        if request[BODY].keys() != {"attachment_urls"} or not isinstance(urls, list) or not 1 <= len(urls) <= 50:
            raise RefusedError(400, 50035, f"attachment_urls: {request[BODY]}")
        expires = int(self.clock()) + 86400
        return {
            "refreshed_urls": [
                {"original": url, "refreshed": None if url.split("/")[5] in self.lost_attachments
                 else f"{url.partition('?')[0]}?ex={expires:x}&is={expires - 86400:x}&hm=fresh&"}
                for url in urls
            ]
        }  # fmt: skip

    async def cdn(self, request: web.Request) -> web.Response:
        self.fetched.append(request.match_info["id"])
        await self._notify()
        if self.cdn_does == "hang":
            await asyncio.Event().wait()
        if self.cdn_does == "abort":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(body=self.files[request.match_info["id"]])

    def store_attachment(self, id: str, name: str, content: bytes) -> dict[str, Any]:
        self.files[id] = content
        url = f"{self.url}/cdn/{id}"
        return {"id": id, "filename": name, "size": len(content), "url": url, "proxy_url": url,
                "content_type": "image/jpeg"}  # fmt: skip

    def make_message(
        self,
        channel: int,
        body: Mapping[str, Any],
        interaction: FakeInteraction | None = None,
        files: Mapping[str, bytes] | None = None,
        author: Mapping[str, Any] = BOT,
    ) -> dict[str, Any]:
        names = {f"files[{each['id']}]": each["filename"] for each in body.get("attachments") or []}
        attachments = [
            self.store_attachment(str(next(self._ids)), names[part], content) for part, content in (files or {}).items()
        ]
        urls = {f"attachment://{each['filename']}": each["url"] for each in attachments}
        message: dict[str, Any] = {
            "id": str(next(self._ids)),
            "channel_id": str(channel),
            "author": dict(author),
            "content": body.get("content") or "",
            "timestamp": STAMP,
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": attachments,
            "embeds": [],
            "pinned": False,
            "type": 0,
            "flags": body.get("flags") or 0,
            "components": _replace_addresses(body.get("components") or [], urls),
        }
        if "message_reference" in body:
            message["message_reference"] = body["message_reference"]
        if interaction is not None:
            message["interaction_metadata"] = {
                "id": str(interaction.id), "type": interaction.kind, "user": interaction.user.user_json,
                "authorizing_integration_owners": {"0": str(interaction.guild)},
            }  # fmt: skip
        return message


def _replace_addresses(components: Any, urls: Mapping[str, str]) -> Any:
    """Replace `attachment://` by the address that Discord gives the file."""
    if isinstance(components, list):
        return [_replace_addresses(each, urls) for each in components]
    if isinstance(components, dict):
        if "url" in components and components["url"] in urls:
            address = urls[components["url"]]
            return {"url": address, "proxy_url": address, "content_type": "image/jpeg", "width": 1, "height": 1}
        return {name: _replace_addresses(value, urls) for name, value in components.items()}
    return components


async def _read(request: web.Request) -> tuple[Any, dict[str, bytes]]:
    if request.content_type == "multipart/form-data":
        form = await request.post()
        files = {name: part.file.read() for name, part in form.items() if isinstance(part, web.FileField)}
        return json.loads(str(form["payload_json"])), files
    return (await request.json() if request.can_read_body else None), {}


def _json(status: int, body: Any, headers: Mapping[str, str]) -> web.Response:
    # With a charset discord.py would take it for text.
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)


def make_routes(server: FakeRestApi) -> Iterator[web.RouteDef]:
    """Return the routes of the whole fake Discord."""
    api = "/api/v10"
    yield web.get("/gateway", server.gateway)
    yield web.get("/gateway/", server.gateway)
    yield web.get("/cdn/{id}", server.cdn)
    yield web.get(f"{api}/users/@me", server.me)
    yield web.get(f"{api}/users/@me/guilds", server.my_guilds)
    yield web.get(f"{api}/oauth2/applications/@me", server.application)
    yield web.get(f"{api}/applications/@me", server.application)
    yield web.get(f"{api}/gateway/bot", server.gateway_bot)
    yield web.post(f"{api}/attachments/refresh-urls", server.refresh_urls)
    yield web.get(f"{api}/applications/{APPLICATION}/commands", server.get_commands)
    yield web.put(f"{api}/applications/{APPLICATION}/commands", server.put_commands)
    yield web.post(f"{api}/interactions/{{id}}/{{token}}/callback", server.callback)
    yield web.post(f"{api}/webhooks/{{application}}/{{token}}", server.follow_up)
    yield web.patch(f"{api}/webhooks/{{application}}/{{token}}/messages/@original", server.edit_original)
    yield web.post(f"{api}/channels/{{channel}}/messages", server.post)
    yield web.put(f"{api}/channels/{{channel}}/messages/{{message}}/reactions/{{emoji}}/@me", server.react)
