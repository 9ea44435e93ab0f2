"""Liveness, readiness and metrics of a process, over HTTP on one port.

`/health` is liveness: the process runs and its loop is not stuck. `/ready` is readiness: it can do its work now. Both
return each check in JSON, with status 503 if one fails. `/metrics` is for Prometheus.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, TypeAlias

import redis
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from worker.ops.metrics import Metrics
from worker.redis_client import PROBE, redis_client
from worker.settings import Settings

Check: TypeAlias = Callable[[], bool]
"""Returns whether the checked part is well."""
Checks: TypeAlias = Mapping[str, Check]

PROBE_TIMEOUT_S: Final = 2.0
HEARTBEAT_INTERVAL_S: Final = 1.0
RECENT_S: Final = 10.0
STUCK_AFTER_S: Final = 60.0
log = structlog.get_logger()


class PortTakenError(Exception):
    """The port for health and metrics cannot be listened on. The message is its address and the reason."""


class Heartbeat:
    """Time since something last happened, by a monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_s: float | None = None

    def beat(self) -> None:
        """Record that it happens now."""
        self._last_s = self._clock()

    def is_within(self, seconds: float) -> bool:
        """Return whether it happened in the last `seconds`."""
        return self._last_s is not None and self._clock() - self._last_s < seconds

    def is_recent(self) -> bool:
        """Return whether it happened in the last `RECENT_S` seconds."""
        return self.is_within(RECENT_S)

    def is_stuck(self) -> bool:
        """Return whether it has stopped for `STUCK_AFTER_S` seconds. Something that never started is not stuck."""
        return self._last_s is not None and not self.is_within(STUCK_AFTER_S)


class BrokerCheck:
    """Checks of Redis, and of a loop that may be waiting for Redis."""

    def __init__(self, url: str) -> None:
        self._redis = redis_client(url, PROBE)
        self._failure = Heartbeat()

    def is_reachable(self) -> bool:
        """Return whether Redis answers."""
        try:
            self._redis.ping()
        except redis.RedisError:
            self._failure.beat()
            return False
        return True

    def make_loop_check(self, loop: Heartbeat) -> Check:
        """Return a check that a worker's loop is not stuck. One that waits for Redis is not.

        Redis counts as a reason while it cannot be reached, and for `STUCK_AFTER_S` seconds after that.
        """
        return lambda: not loop.is_stuck() or not self.is_reachable() or self._failure.is_within(STUCK_AFTER_S)


@contextmanager
def serve_checks(settings: Settings, metrics: Metrics, health: Checks, ready: Checks) -> Iterator[str | None]:
    """Serve checks and metrics over HTTP until the block ends.

    Yields the address, or None if the settings name no port. Raises `PortTakenError`.
    """
    if settings.metrics_port is None:
        yield None
        return
    try:
        server = ThreadingHTTPServer((settings.metrics_host, settings.metrics_port), _handler(metrics, health, ready))
    except OSError as error:
        raise PortTakenError(f"{settings.metrics_host}:{settings.metrics_port}: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, name="health")
    thread.start()
    address = f"http://{settings.metrics_host}:{server.server_port}"
    log.info("health.listening", address=address)
    try:
        yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class FrontendHealth:
    """Metrics and heartbeats of a frontend: its event loop, and its connection to the platform."""

    metrics: Metrics = field(default_factory=Metrics)
    loop: Heartbeat = field(default_factory=Heartbeat)
    connected: Heartbeat = field(default_factory=Heartbeat)

    @asynccontextmanager
    async def watch_connection(self, is_connected: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
        """Poll `is_connected` and record both heartbeats until the block ends."""
        task = asyncio.create_task(self._poll(is_connected))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _poll(self, is_connected: Callable[[], Awaitable[bool]]) -> None:
        while True:
            self.loop.beat()
            if await is_connected():
                self.connected.beat()
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)


@contextmanager
def serve_frontend_health(settings: Settings) -> Iterator[FrontendHealth]:
    """Serve a frontend's checks and metrics until the block ends. Raises `PortTakenError`."""
    frontend = FrontendHealth()
    ready: dict[str, Check] = {"connected": frontend.connected.is_recent}
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        frontend.metrics.watch_queues(url)
        ready["redis"] = BrokerCheck(url).is_reachable
    with serve_checks(settings, frontend.metrics, {"loop": lambda: not frontend.loop.is_stuck()}, ready):
        yield frontend


def _handler(metrics: Metrics, health: Checks, ready: Checks) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._send(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
                case "/health":
                    self._send_checks(health)
                case "/ready":
                    self._send_checks(ready)
                case _:
                    self.send_error(404)

        def _send_checks(self, checks: Checks) -> None:
            results = {name: check() for name, check in checks.items()}
            status = 200 if all(results.values()) else 503
            self._send(status, "application/json", json.dumps(results).encode())

        def _send(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: a probe comes every few seconds."""

    return Handler
