"""aiohttp applications on a free port of loopback."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from tests.support.loop_thread import abort_connections, accept_connections

STOP_TIMEOUT_S: Final = 0.1
"""How long handlers that still run may take at the end."""


@asynccontextmanager
async def serve_app(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve an application for the block and yield its port. A handler ends if its client closes the connection."""
    runner = web.AppRunner(app, shutdown_timeout=STOP_TIMEOUT_S, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024, ssl_context=tls).start()
    port: int = runner.addresses[0][1]
    try:
        yield port
    finally:
        await accept_connections()
        await runner.cleanup()
        await abort_connections(port)
