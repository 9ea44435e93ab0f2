"""Local web site for tests: serves good and bad pages, files and redirects on loopback."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import web

from tests.support.loop_thread import enter_in_thread
from tests.support.servers.app_server import serve_app

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """Web site with a handler for each path, and status 404 for other paths.

    `requested_paths` lists the path of each request.
    """

    base: str = ""
    handlers: dict[str, Handler] = field(default_factory=dict)
    requested_paths: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"{self.base}{path}"

    def _add(self, path: str, handler: Handler) -> str:
        self.handlers[unquote(path.partition("?")[0])] = handler
        return self.url(path)

    def put(self, path: str, body: bytes | str = b"", *, kind: str = "text/html", status: int = 200) -> str:
        """Serve `body` at `path` and return its URL."""
        content = body.encode() if isinstance(body, str) else body

        async def handle(request: web.Request) -> web.StreamResponse:
            return web.Response(body=content, status=status, content_type=kind)

        return self._add(path, handle)

    def stream(self, path: str, parts: Callable[[], AsyncIterator[bytes]], *, length: int | None = None) -> str:
        """Serve a video part by part and return its URL. Without `length`, the size is not declared."""

        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
            response.content_length = length
            if length is None:
                response.enable_chunked_encoding()
            await response.prepare(request)
            async for part in parts():
                await response.write(part)
            return response

        return self._add(path, handle)

    def redirect(self, path: str, to: str) -> str:
        """Serve a redirect from `path` to the URL `to` and return its own URL."""

        async def handle(request: web.Request) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": to})

        return self._add(path, handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requested_paths.append(request.path)
        if request.path not in self.handlers:
            return web.Response(status=404, text="nothing here")
        return await self.handlers[request.path](request)


@contextmanager
def run_site(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Run a site in a thread, on a free port of 127.0.0.1, with HTTPS if it has a TLS context."""
    site, app = Site(), web.Application()
    app.router.add_route("*", "/{path:.*}", site.handle)
    with enter_in_thread(serve_app(app, tls)) as port:
        site.base = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield site
