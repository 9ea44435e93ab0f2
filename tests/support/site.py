"""A web site on loopback that plays the good and the bad sites of the world."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

import pytest
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """Answers by path, 404 elsewhere; `asked` holds the path of each request."""

    base: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"{self.base}{path}"

    def _set(self, path: str, answer: Answer) -> str:
        self.answers[unquote(path.partition("?")[0])] = answer
        return self.url(path)

    def put(self, path: str, body: bytes | str = b"", *, kind: str = "text/html", status: int = 200) -> str:
        """Serves `body` at `path` and gives the address."""
        content = body.encode() if isinstance(body, str) else body

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(body=content, status=status, content_type=kind)

        return self._set(path, answer)

    def stream(self, path: str, parts: Callable[[], AsyncIterator[bytes]], *, length: int | None = None) -> str:
        """Serves a video whose parts come one by one; without `length` in chunks, so that none is told."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
            response.content_length = length
            if length is None:
                response.enable_chunked_encoding()
            await response.prepare(request)
            async for part in parts():
                await response.write(part)
            return response

        return self._set(path, answer)

    def redirect(self, path: str, to: str) -> str:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": to})

        return self._set(path, answer)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path not in self.answers:
            return web.Response(status=404, text="nothing here")
        return await self.answers[request.path](request)


@contextmanager
def serving() -> Iterator[Site]:
    """A site in a thread of its own, on a free port of 127.0.0.1."""
    site, ready, loop = Site(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", site.handle)
        runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert ready.wait(10)
        yield site
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as running:
        yield running
