"""A frontend's client of the workers. It sends requests to Celery's queues and reads the states of tasks."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Final, TypeVar

import structlog
from celery import Celery
from pydantic import TypeAdapter
from redis.exceptions import RedisError

from indexer.blobs import BlobStore
from indexer.errors import StoreUnavailableError
from worker.client import relay
from worker.ops.logs import bind_correlation_id, current_correlation_id
from worker.protocol.base import CallFailedError, Request, WireModel
from worker.protocol.error_codes import ErrorCode
from worker.protocol.queues import request_task
from worker.protocol.search import Find
from worker.protocol.updates import Indexed, JobFailed, Joined, RetrainFinished, Update
from worker.queue.app import count_waiting, make_app
from worker.queue.errors import QueueUnavailableError
from worker.queue.signing import send_signed
from worker.queue.task_states import RedisTaskStates, TaskState, TaskStates
from worker.settings import Settings

A = TypeVar("A", bound=WireModel)
UPDATES: Final[TypeAdapter[Update]] = TypeAdapter(Update)

PICTURE_WEIGHT: Final = 50
"""A request with a picture or a clip takes up to 14 MB of Redis, so it counts as this many others."""
MAX_CHECK_S: Final = 1.0
"""How often a wait is checked for a pause, at most."""
MAX_OUTAGE_S: Final = 60.0
"""How long a job is followed while Redis is away. The job goes on, and most outages are restarts."""

log = structlog.get_logger()


class QueueClient:
    """Sends requests and follows jobs. No call holds a thread, so thousands may wait at once."""

    def __init__(
        self,
        app: Celery,
        states: TaskStates,
        blobs: BlobStore,
        settings: Settings,
        is_loading: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_loading` returns True while a worker of this process loads a model: timeouts do not count that time."""
        self._app = app
        self._is_loading = is_loading
        self._states = states
        self._blobs = blobs
        self._timeout_s = settings.search_timeout_s
        self._max_waiting = settings.search_waiting
        self._last_answer_s = 0.0

    async def call(self, request: Request[A]) -> A:
        """Send a request and return its answer.

        Raises `CallFailedError` with the worker's code, or with `NO_WORKER`, `BUSY` or `QUEUE_UNAVAILABLE`.
        """
        with bind_correlation_id():
            return await self._call(request, uuid.uuid4().hex)

    async def _call(self, request: Request[A], task_id: str) -> A:
        started_s = time.monotonic()
        try:
            async with limit_wait(self._timeout_s, self._is_loading), aclosing(self._states.watch(task_id)) as states:
                await asyncio.to_thread(self._send, request, task_id)
                async for state in states:
                    if state["status"] in ("SUCCESS", "FAILURE", "REVOKED"):
                        self._last_answer_s = time.monotonic()
                        # Otherwise every answer would stay in Redis for an hour.
                        await self._states.delete(task_id)
                        return _parse_answer(request, state)
        except TimeoutError as error:
            # If another call was answered meanwhile, there is a worker.
            is_busy = self._last_answer_s > started_s
            raise _make_failure(ErrorCode.BUSY if is_busy else ErrorCode.NO_WORKER, task_id) from error
        except (QueueUnavailableError, RedisError) as error:
            raise _make_failure(ErrorCode.QUEUE_UNAVAILABLE, task_id) from error
        raise AssertionError("the states of a task ended")

    def _send(self, request: Request[A], task_id: str) -> None:
        """Send a request. Raises `CallFailedError` with `BUSY` if the queue is full."""
        has_file = isinstance(request, Find) and (request.picture or request.clip or request.frames)
        weight = PICTURE_WEIGHT if has_file else 1
        if weight * count_waiting(self._app, "search") >= self._max_waiting:
            raise _make_failure(ErrorCode.BUSY, task_id)
        body = request.model_dump(mode="json")
        send_signed(
            self._app,
            request_task(request),
            body,
            task_id=task_id,
            queue="search",
            expires=self._timeout_s,
            retry=False,
        )

    async def follow(self, job_id: str) -> AsyncGenerator[Update, None]:
        """Yield the job's updates from now on. The last is `Indexed`, `Joined`, `RetrainFinished` or `JobFailed`."""
        try:
            async with aclosing(self._states.watch(job_id, retry_for_s=MAX_OUTAGE_S)) as states:
                async for state in states:
                    update = _parse_update(state, job_id)
                    if update is not None:
                        yield update
                    if isinstance(update, Indexed | Joined | RetrainFinished | JobFailed):
                        return
        except RedisError:
            failure = _make_failure(ErrorCode.QUEUE_UNAVAILABLE, job_id)
            yield JobFailed(code=failure.code, correlation_id=failure.correlation_id)

    async def thumbnail(self, key: str) -> bytes:
        """Return a JPEG of the blob store.

        Raises `KeyError` if it does not exist or the store is away: answers are sent without pictures then.
        """
        try:
            return await asyncio.to_thread(self._blobs.get, key)
        except StoreUnavailableError as error:
            raise KeyError(key) from error


@asynccontextmanager
async def limit_wait(timeout_s: float, is_paused: Callable[[], bool]) -> AsyncIterator[None]:
    """End the block with `TimeoutError` after `timeout_s` in which `is_paused` was not true."""
    loop = asyncio.get_running_loop()
    check_s = min(MAX_CHECK_S, timeout_s / 4)
    next_check: asyncio.TimerHandle
    async with asyncio.timeout(timeout_s) as limit:

        def check() -> None:
            nonlocal next_check
            if is_paused() and not limit.expired():
                limit.reschedule(loop.time() + timeout_s)
            next_check = loop.call_later(check_s, check)

        next_check = loop.call_later(check_s, check)
        try:
            yield
        finally:
            next_check.cancel()


def _parse_answer(request: Request[A], state: TaskState) -> A:
    result = state["result"]
    if state["status"] != "SUCCESS":
        code = ErrorCode.BUSY if state["status"] == "REVOKED" else ErrorCode.INTERNAL
        raise _make_failure(code, str(state.get("task_id")))
    if result.get("kind") == "failed":
        failed = JobFailed.model_validate(result)
        raise CallFailedError(failed.code, failed.correlation_id)
    answer: A = request.answer.model_validate(result)  # type: ignore[assignment]  # each request names its own answer
    return answer


def _parse_update(state: TaskState, job_id: str) -> Update | None:
    match state["status"]:
        case "PROGRESS" | "SUCCESS":
            return UPDATES.validate_python(state["result"])
        case "FAILURE" | "REVOKED":
            failure = _make_failure(ErrorCode.INTERNAL, job_id)
            return JobFailed(code=failure.code, correlation_id=failure.correlation_id)
        case _:
            return None


def _make_failure(code: ErrorCode, task_id: str) -> CallFailedError:
    """Make an error and log it, so that the log contains its correlation id."""
    failure = CallFailedError(code, current_correlation_id())
    log.warning("call.failed", code=code, correlation_id=failure.correlation_id, task_id=task_id)
    return failure


@asynccontextmanager
async def _connect_queues(settings: Settings, url: str) -> AsyncIterator[QueueClient]:
    states = RedisTaskStates(url)
    try:
        yield QueueClient(make_app(settings), states, BlobStore(settings.blobs_address), settings)
    finally:
        await states.close()


def connect_client(settings: Settings) -> AbstractAsyncContextManager["QueueClient | relay.RelayClient"]:
    """Connect to the queues if the settings name a Redis, else to the process on this machine that owns the data.

    Raises `NoRelayError` if no process owns it.
    """
    if settings.redis_url is not None:
        return _connect_queues(settings, settings.redis_url.get_secret_value())
    return relay.connect_relay(settings)
