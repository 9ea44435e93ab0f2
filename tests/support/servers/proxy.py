"""A small HTTP proxy on loopback that records what goes through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.loop_thread import abort_connections


@dataclass
class FakeProxy:
    """Forwards requests for `http://` addresses, and tunnels (CONNECT)."""

    url: str = ""
    hosts: list[str] = field(default_factory=list)
    """The host and port of each request."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        method, address, version = first.decode().split()
        target = urlsplit(f"//{address}" if method == "CONNECT" else address)
        self.hosts.append(target.netloc)
        to_reader, to_writer = await asyncio.open_connection(target.hostname, target.port or 80)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            path = target._replace(scheme="", netloc="").geturl() or "/"
            # One request for each connection, so that the next one is recorded, too.
            rest = rest if b"Upgrade: websocket" in rest else b"Connection: close\r\n" + rest
            to_writer.write(f"{method} {path} {version}\r\n".encode() + rest)
        await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def run_fake_proxy() -> AsyncIterator[FakeProxy]:
    """Run a proxy on a free port for the block."""
    proxy = FakeProxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    proxy.url = f"http://{host}:{port}"
    try:
        yield proxy
    finally:
        server.close()
        await abort_connections(port)
