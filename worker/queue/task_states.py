"""States of tasks as they change. Celery stores each state under one key and notifies the subscribers of that key.

Redis does so by PUBLISH, the in-memory backend by a call. A frontend needs one subscribed connection and no threads for
any number of tasks.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import redis.asyncio as redis
import stamina

from worker.queue.memory_backend import MemoryResultStore
from worker.redis_client import TASK_STATES, async_redis_client

T = TypeVar("T")
TaskState: TypeAlias = dict[str, Any]
"""Celery's, with `status` and `result`."""

RECHECK_S: Final = 5.0
"""How often the key itself is read: what is published while the connection is down is lost."""
RETRY_WAIT_S: Final = 1.0


def state_key(task_id: str) -> str:
    """Return the key under which Celery's key-value backends store a task's state and Redis publishes it."""
    return f"celery-task-meta-{task_id}"


class TaskStates(Protocol):
    """Subscriptions to the states of tasks."""

    def watch(self, task_id: str, retry_for_s: float = 0.0) -> AsyncGenerator[TaskState, None]:
        """Yield the current state, if there is one, and each new one, without end.

        Raises `RedisError` if Redis cannot be reached for more than `retry_for_s` seconds.
        """
        ...

    async def delete(self, task_id: str) -> None:
        """Delete the stored state once its only reader has it."""
        ...

    async def close(self) -> None: ...


class MemoryTaskStates:
    """States of tasks that run in this process."""

    def __init__(self, results: MemoryResultStore) -> None:
        self._results = results

    async def watch(self, task_id: str, retry_for_s: float = 0.0) -> AsyncGenerator[TaskState, None]:
        key = state_key(task_id)
        loop, arrived = asyncio.get_running_loop(), asyncio.Queue[str]()

        def enqueue(raw: str) -> None:
            loop.call_soon_threadsafe(arrived.put_nowait, raw)

        unsubscribe = self._results.subscribe(key, enqueue)
        try:
            if (raw := self._results.get(key)) is not None:
                yield json.loads(raw)
            while True:
                yield json.loads(await arrived.get())
        finally:
            unsubscribe()

    async def delete(self, task_id: str) -> None:
        self._results.delete(state_key(task_id))

    async def close(self) -> None:
        pass


class RedisTaskStates:
    """States of tasks that run in other processes, over one subscribed connection."""

    def __init__(self, url: str) -> None:
        self._redis = async_redis_client(url, TASK_STATES, decode_responses=True)
        self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        self._arrived: dict[str, list[asyncio.Queue[str]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._unsubscribing: set[asyncio.Task[None]] = set()
        # redis-py's PubSub connects at its first subscription, and not safely if several tasks subscribe at once.
        self._lock = asyncio.Lock()

    async def watch(self, task_id: str, retry_for_s: float = 0.0) -> AsyncGenerator[TaskState, None]:
        key = state_key(task_id)
        retry = stamina.AsyncRetryingCaller(
            attempts=None if retry_for_s else 1,
            timeout=retry_for_s or None,
            wait_initial=RETRY_WAIT_S,
            wait_max=RETRY_WAIT_S,
            wait_jitter=0,
        ).on(redis.RedisError)
        async with self._subscribe_to(key, retry) as arrived:
            last = None
            raw = await retry(self._redis.get, key)
            while True:
                if raw is not None and raw != last:
                    last = raw
                    yield json.loads(raw)
                try:
                    raw = await asyncio.wait_for(arrived.get(), RECHECK_S)
                except TimeoutError:
                    raw = await retry(self._redis.get, key)

    async def delete(self, task_id: str) -> None:
        with suppress(redis.RedisError):  # it expires by itself
            await self._redis.delete(state_key(task_id))

    @asynccontextmanager
    async def _subscribe_to(self, key: str, retry: Callable[..., Awaitable[None]]) -> AsyncIterator[asyncio.Queue[str]]:
        arrived: asyncio.Queue[str] = asyncio.Queue()
        watchers = self._arrived.setdefault(key, [])
        watchers.append(arrived)
        try:
            await retry(self._subscribe, key)
            if self._reader is None:
                self._reader = asyncio.create_task(self._read())
            yield arrived
        finally:
            watchers.remove(arrived)
            if not watchers:
                self._arrived.pop(key, None)
                # Not awaited: if a thousand calls time out at once, each would wait for all others.
                unsubscribing = asyncio.create_task(self._unsubscribe(key))
                self._unsubscribing.add(unsubscribing)
                unsubscribing.add_done_callback(self._unsubscribing.discard)

    async def _unsubscribe(self, key: str) -> None:
        async with self._lock:
            if key not in self._arrived:
                with suppress(redis.RedisError):
                    await self._pubsub.unsubscribe(key)

    async def _subscribe(self, key: str) -> None:
        async with self._lock:
            try:
                await self._pubsub.subscribe(key)
            except RuntimeError as error:
                # redis-py reconnects here while the reader still waits on the same connection, which asyncio forbids.
                raise redis.ConnectionError(str(error)) from error

    async def _read(self) -> None:
        """Pass on what is published, for as long as the client is open."""
        # redis-py subscribes again when it reconnects; `watch` reads what was missed.
        async for attempt in stamina.retry_context(
            (redis.RedisError, RuntimeError),
            attempts=None,
            timeout=None,
            wait_initial=RETRY_WAIT_S,
            wait_max=RETRY_WAIT_S,
            wait_jitter=0,
        ):
            with attempt:
                while True:
                    message = await self._pubsub.get_message(timeout=None)
                    if message is not None:
                        for arrived in self._arrived.get(message["channel"], ()):
                            arrived.put_nowait(message["data"])

    async def close(self) -> None:
        tasks = [*self._unsubscribing, *([self._reader] if self._reader else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._pubsub.aclose()
        await self._redis.aclose()
