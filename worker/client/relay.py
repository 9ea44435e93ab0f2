"""An HTTP relay, through which other processes of this machine use the process that owns the embedded data.

The owner listens on loopback and writes its address and a key into the data folder, in a file that only its user can
read. Requests and answers are the same as over the queues; a job's updates are one JSON line each.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol, TypeVar

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import TypeAdapter

from indexer.atomic_write import write_atomically
from worker.ops.logs import bind_correlation_id, current_correlation_id
from worker.protocol.base import CallFailedError, Request, WireModel
from worker.protocol.error_codes import ErrorCode
from worker.protocol.requests import REQUESTS
from worker.protocol.updates import JobFailed, Update
from worker.settings import Settings

A = TypeVar("A", bound=WireModel)
UPDATES: Final[TypeAdapter[Update]] = TypeAdapter(Update)
BY_TASK: Final = {request.task: request for request in REQUESTS}
CONNECT_TIMEOUT_S: Final = 2.0
CORRELATION_ID_HEADER: Final = "Reelseek-Correlation-Id"


class NoRelayError(Exception):
    """No process owns this data folder now."""


class RelayedClient(Protocol):
    """The owner's client, which other processes use."""

    async def call(self, request: Request[A]) -> A: ...

    def follow(self, job_id: str) -> AsyncIterator[Update]: ...

    async def thumbnail(self, key: str) -> bytes: ...


class _RelayHandlers:
    def __init__(self, client: RelayedClient) -> None:
        self._client = client

    async def call(self, request: web.Request) -> web.Response:
        body = BY_TASK[request.match_info["task"]].model_validate(await request.json())
        try:
            with bind_correlation_id(request.headers.get(CORRELATION_ID_HEADER)):
                answer = await self._client.call(body)
        except CallFailedError as failed:
            return web.json_response(
                JobFailed(code=failed.code, correlation_id=failed.correlation_id).model_dump(mode="json")
            )
        return web.json_response(answer.model_dump(mode="json"))

    async def follow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for update in self._client.follow(request.match_info["job"]):
            await response.write(update.model_dump_json().encode() + b"\n")
        return response

    async def thumbnail(self, request: web.Request) -> web.Response:
        try:
            return web.Response(body=await self._client.thumbnail(request.match_info["key"]), content_type="image/jpeg")
        except KeyError as error:
            raise web.HTTPNotFound from error


def _require_key(key: str) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not secrets.compare_digest(request.headers.get("Authorization", ""), f"Bearer {key}"):
            raise web.HTTPUnauthorized
        return await handler(request)

    return check


@asynccontextmanager
async def serve_relay(client: RelayedClient, settings: Settings) -> AsyncIterator[None]:
    """Relay to `client` until the block ends."""
    key = secrets.token_urlsafe(32)
    handlers = _RelayHandlers(client)
    app = web.Application(middlewares=[_require_key(key)])
    app.add_routes(
        [
            web.post("/call/{task}", handlers.call),
            web.get("/jobs/{job}", handlers.follow),
            web.get("/thumbnails/{key:.+}", handlers.thumbnail),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = _address_file(settings)
    try:
        owner = {"port": runner.addresses[0][1], "key": key}
        write_atomically(address, json.dumps(owner).encode(), mode=0o600)
        yield
    finally:
        address.unlink(missing_ok=True)
        await runner.cleanup()


class RelayClient:
    """A client with the methods of `QueueClient`, in another process than the one that owns the data."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.is_lost = False
        """Whether the owner could not be reached."""

    async def call(self, request: Request[A]) -> A:
        """Send a request and return its answer. Raises `CallFailedError`."""
        try:
            async with self._session.post(
                f"/call/{request.task}",
                json=request.model_dump(mode="json"),
                headers={CORRELATION_ID_HEADER: current_correlation_id()},
            ) as response:
                result = await response.json()
        except aiohttp.ClientError as error:
            self.is_lost = True
            raise CallFailedError(ErrorCode.NO_WORKER, current_correlation_id()) from error
        if result.get("kind") == "failed":
            failed = JobFailed.model_validate(result)
            raise CallFailedError(failed.code, failed.correlation_id)
        answer: A = request.answer.model_validate(result)  # type: ignore[assignment]  # each request names its own answer
        return answer

    async def follow(self, job_id: str) -> AsyncGenerator[Update, None]:
        """Yield the job's updates from now on. The last is `Indexed`, `Joined`, `RetrainFinished` or `JobFailed`."""
        try:
            async with self._session.get(f"/jobs/{job_id}") as response:
                async for line in response.content:
                    yield UPDATES.validate_json(line)
        except aiohttp.ClientError:
            self.is_lost = True
            yield JobFailed(code=ErrorCode.NO_WORKER, correlation_id=current_correlation_id())

    async def thumbnail(self, key: str) -> bytes:
        """Return a JPEG of the blob store. Raises `KeyError` if it does not exist or the owner is gone."""
        try:
            async with self._session.get(f"/thumbnails/{key}", raise_for_status=True) as response:
                return await response.read()
        except aiohttp.ClientError as error:
            raise KeyError(key) from error


@asynccontextmanager
async def connect_relay(settings: Settings) -> AsyncIterator[RelayClient]:
    """Connect to the process that owns this data folder. Raises `NoRelayError`."""
    try:
        address = json.loads(_address_file(settings).read_text())
        # If the owner was killed, its file is still there.
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", address["port"]), CONNECT_TIMEOUT_S)
        writer.close()
    except (OSError, ValueError, TimeoutError) as error:
        raise NoRelayError from error
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{address['port']}",
        headers={"Authorization": f"Bearer {address['key']}"},
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:
        yield RelayClient(session)


def _address_file(settings: Settings) -> Path:
    return settings.data_dir / "owner.json"
