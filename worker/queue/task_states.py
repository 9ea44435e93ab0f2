"""The states of a task as they come: Celery stores each under one key, and tells whoever listens to that key.

Redis does so by PUBLISH, the in-memory backend by a call. A frontend needs one connection and no thread for any number
of tasks.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeAlias

import redis.asyncio as redis
import structlog

from worker.queue.memory_backend import MemoryResultStore

TaskState: TypeAlias = dict[str, Any]
"""Celery's own: `status` and `result`."""

log = structlog.get_logger()

# A publication is lost while the connection is down: the key itself is read again this often.
RECHECK_S = 5.0

MAX_CONNECTIONS = 8


def state_key(task_id: str) -> str:
    """Under which Celery's key-value backends store, and Redis publishes, a task's state."""
    return f"celery-task-meta-{task_id}"


class TaskStates(Protocol):
    """Where the states of tasks are heard of."""

    def of(self, task_id: str) -> AsyncGenerator[TaskState, None]:
        """The state now, if there is one, and each that follows. Never ends by itself."""
        ...

    async def forget(self, task_id: str) -> None:
        """Takes the last state away: it was heard by whom it was for."""
        ...

    async def close(self) -> None: ...


class MemoryStates:
    """States of tasks that run in this process."""

    def __init__(self, results: MemoryResultStore) -> None:
        self._results = results

    async def of(self, task_id: str) -> AsyncGenerator[TaskState, None]:
        key = state_key(task_id)
        loop, arrived = asyncio.get_running_loop(), asyncio.Queue[str]()

        def arrive(raw: str) -> None:
            loop.call_soon_threadsafe(arrived.put_nowait, raw)

        stop = self._results.listen(key, arrive)
        try:
            if (raw := self._results.get(key)) is not None:
                yield json.loads(raw)
            while True:
                yield json.loads(await arrived.get())
        finally:
            stop()

    async def forget(self, task_id: str) -> None:
        self._results.delete(state_key(task_id))

    async def close(self) -> None:
        pass


class RedisStates:
    """States of tasks that run in other processes, over one subscribing connection."""

    def __init__(self, url: str) -> None:
        pool = redis.BlockingConnectionPool.from_url(
            url, max_connections=MAX_CONNECTIONS, timeout=None, decode_responses=True, socket_connect_timeout=5
        )
        self._redis = redis.Redis.from_pool(pool)
        self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        self._arrived: dict[str, list[asyncio.Queue[str]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        # redis-py's PubSub opens its connection at the first subscription, and not safely from several at once.
        self._subscribing = asyncio.Lock()

    async def of(self, task_id: str) -> AsyncGenerator[TaskState, None]:
        key = state_key(task_id)
        async with self._subscription(key) as arrived:
            last = None
            raw = await self._redis.get(key)
            while True:
                if raw is not None and raw != last:
                    last = raw
                    yield json.loads(raw)
                try:
                    raw = await asyncio.wait_for(arrived.get(), RECHECK_S)
                except TimeoutError:
                    raw = await self._redis.get(key)

    async def forget(self, task_id: str) -> None:
        with suppress(redis.RedisError):  # it lapses by itself
            await self._redis.delete(state_key(task_id))

    @asynccontextmanager
    async def _subscription(self, key: str) -> AsyncIterator[asyncio.Queue[str]]:
        arrived: asyncio.Queue[str] = asyncio.Queue()
        waiting = self._arrived.setdefault(key, [])
        waiting.append(arrived)
        try:
            async with self._subscribing:
                await self._subscribe(key)
            if self._reader is None:
                self._reader = asyncio.create_task(self._read())
            yield arrived
        finally:
            waiting.remove(arrived)
            if not waiting:
                self._arrived.pop(key, None)
                # Not waited for: of a thousand whose time is up at once each would wait for the others.
                leaving = asyncio.create_task(self._leave(key))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, key: str) -> None:
        async with self._subscribing:
            if key not in self._arrived:
                with suppress(redis.RedisError):
                    await self._pubsub.unsubscribe(key)

    async def _subscribe(self, key: str) -> None:
        try:
            await self._pubsub.subscribe(key)
        except RuntimeError as error:
            # redis-py reconnects here while the reader still waits at the same connection: asyncio lets only one read.
            raise redis.ConnectionError(str(error)) from error

    async def _read(self) -> None:
        while True:
            try:
                message = await self._pubsub.get_message(timeout=None)
            except (redis.RedisError, RuntimeError) as error:
                # redis-py subscribes again by itself when it reconnects; what was missed is read by `of`.
                log.warning("states.connection_lost", error=error)
                await asyncio.sleep(1)
                continue
            if message is not None:
                for arrived in self._arrived.get(message["channel"], ()):
                    arrived.put_nowait(message["data"])

    async def close(self) -> None:
        ending = [*self._leaving, *([self._reader] if self._reader else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._pubsub.aclose()
        await self._redis.aclose()
