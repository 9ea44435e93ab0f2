"""Whether this process lives and can work, and its metrics, over HTTP on one small port.

`/health`: it lives, and its loop turns. `/ready`: it can do its work now. Both tell each check in JSON, with status 503
where one fails. `/metrics`: for Prometheus.
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
from worker.settings import Settings

Check: TypeAlias = Callable[[], bool]
Checks: TypeAlias = Mapping[str, Check]

ANSWER_WITHIN_S: Final = 2.0
BEAT_EVERY_S: Final = 1.0
BEATS_WITHIN_S: Final = 10.0
STUCK_AFTER_S: Final = 60.0
log = structlog.get_logger()


class PortTakenError(Exception):
    """The port of health and metrics can't be listened on."""


class Heartbeat:
    """When something was last seen to happen, by a clock that does not jump."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_s: float | None = None

    def beat(self) -> None:
        self._last_s = self._clock()

    def within(self, seconds: float) -> bool:
        """Whether it happened in the last `seconds`."""
        return self._last_s is not None and self._clock() - self._last_s < seconds

    def beats(self) -> bool:
        return self.within(BEATS_WITHIN_S)

    def stands_still(self) -> bool:
        """Whether what had begun has ended."""
        return self._last_s is not None and not self.within(STUCK_AFTER_S)


class Broker:
    """Redis, as a check; and whether a loop that stands still may be waiting for it."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=ANSWER_WITHIN_S, socket_timeout=ANSWER_WITHIN_S)
        self._away = Heartbeat()

    def answers(self) -> bool:
        try:
            self._redis.ping()
        except redis.RedisError:
            self._away.beat()
            return False
        return True

    def turning(self, loop: Heartbeat) -> Check:
        """That a worker's loop turns, or waits for Redis, which is away or has just come back."""
        return lambda: not loop.stands_still() or not self.answers() or self._away.within(STUCK_AFTER_S)


@contextmanager
def serving(settings: Settings, metrics: Metrics, health: Checks, ready: Checks) -> Iterator[str | None]:
    """Answers until the block ends; yields the address. None: the settings name no port. Raises `PortTakenError`."""
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
    """What a frontend shows of itself: metrics, that its loop turns, and that it is connected."""

    metrics: Metrics = field(default_factory=Metrics)
    loop: Heartbeat = field(default_factory=Heartbeat)
    connected: Heartbeat = field(default_factory=Heartbeat)

    @asynccontextmanager
    async def beating(self, is_connected: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
        """Until the block ends, asks again and again whether the frontend is connected to who talks to it."""
        task = asyncio.create_task(self._beat(is_connected))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _beat(self, is_connected: Callable[[], Awaitable[bool]]) -> None:
        while True:
            self.loop.beat()
            if await is_connected():
                self.connected.beat()
            await asyncio.sleep(BEAT_EVERY_S)


@contextmanager
def frontend(settings: Settings) -> Iterator[FrontendHealth]:
    """Serves what a frontend shows until the block ends. Raises `PortTakenError`."""
    vitals = FrontendHealth()
    ready: dict[str, Check] = {"connected": vitals.connected.beats}
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        vitals.metrics.watch_queues(url)
        ready["redis"] = Broker(url).answers
    with serving(settings, vitals.metrics, {"loop": lambda: not vitals.loop.stands_still()}, ready):
        yield vitals


def _handler(metrics: Metrics, health: Checks, ready: Checks) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
                case "/health":
                    self._tell(health)
                case "/ready":
                    self._tell(ready)
                case _:
                    self.send_error(404)

        def _tell(self, checks: Checks) -> None:
            found = {name: check() for name, check in checks.items()}
            status = 200 if all(found.values()) else 503
            self._answer(status, "application/json", json.dumps(found).encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """One is asked every few seconds: nothing of it belongs in the log."""

    return Handler
