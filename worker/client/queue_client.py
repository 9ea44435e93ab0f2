"""How a frontend reaches the workers: requests and jobs go to Celery's queues, their states come back to one loop."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import TypeVar

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from pydantic import TypeAdapter
from redis.exceptions import RedisError

from indexer.errors import StoreUnavailableError
from indexer.store.blobs import BlobStore
from worker.client import relay
from worker.ops.logs import bind_correlation_id, current_correlation_id
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import (
    CallFailedError,
    Find,
    Indexed,
    JobFailed,
    Request,
    RetrainFinished,
    Update,
    WireModel,
)
from worker.queue.app import make_app, waiting
from worker.queue.signing import send
from worker.queue.task_states import RedisStates, TaskState, TaskStates
from worker.settings import Settings

A = TypeVar("A", bound=WireModel)
UPDATES: TypeAdapter[Update] = TypeAdapter(Update)
log = structlog.get_logger()

PICTURE_WEIGHS = 50
"""Where a thousand questions may wait, twenty with a picture may: each takes up to 14 MB of Redis."""
AWAY_S = 60.0
"""So long a job is followed without Redis: it goes on, and most outages are restarts."""


class QueueClient:
    """Sends to the queues and hears of the states. Thousands of calls may wait at once: none holds a thread."""

    def __init__(self, app: Celery, states: TaskStates, blobs: BlobStore, settings: Settings) -> None:
        self._app = app
        self._states = states
        self._blobs = blobs
        self._timeout_s = settings.search_timeout_s
        self._max_waiting = settings.search_waiting
        self._answered_s = 0.0

    async def call(self, request: Request[A]) -> A:
        """The answer. Raises `CallFailedError`: with the worker's code, or because none answered in time."""
        with bind_correlation_id():
            return await self._call(request, uuid.uuid4().hex)

    async def _call(self, request: Request[A], task_id: str) -> A:
        asked_s = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s), aclosing(self._states.of(task_id)) as states:
                await asyncio.to_thread(self._send, request, task_id)
                async for state in states:
                    if state["status"] in ("SUCCESS", "FAILURE", "REVOKED"):
                        self._answered_s = time.monotonic()
                        # Answers would fill Redis for an hour.
                        await self._states.forget(task_id)
                        return _answer(request, state)
        except TimeoutError as error:
            # Where others were answered meanwhile, somebody is at work.
            busy = self._answered_s > asked_s
            raise _failure(ErrorCode.BUSY if busy else ErrorCode.NO_WORKER, task_id) from error
        except (OperationalError, RedisError) as error:
            raise _failure(ErrorCode.QUEUE_UNAVAILABLE, task_id) from error
        raise AssertionError("states never end by themselves")

    def _send(self, request: Request[A], task_id: str) -> None:
        weighs = PICTURE_WEIGHS if isinstance(request, Find) and request.picture else 1
        if weighs * waiting(self._app, "search") >= self._max_waiting:
            raise _failure(ErrorCode.BUSY, task_id)
        body = request.model_dump(mode="json")
        send(
            self._app,
            f"reelseek.{request.task}",
            body,
            task_id=task_id,
            queue="search",
            expires=self._timeout_s,
            retry=False,
        )

    async def follow(self, job_id: str) -> AsyncIterator[Update]:
        """The job's updates from now on; the last is `Indexed`, `RetrainFinished` or `JobFailed`."""
        away_since_s = None
        while True:
            try:
                async with aclosing(self._states.of(job_id)) as states:
                    async for state in states:
                        away_since_s = None
                        update = _update(state, job_id)
                        if update is not None:
                            yield update
                        if isinstance(update, Indexed | RetrainFinished | JobFailed):
                            return
            except RedisError as error:
                log.warning("follow.interrupted", error=error, job=job_id)
                now_s = time.monotonic()
                away_since_s = away_since_s or now_s
                if now_s - away_since_s > AWAY_S:
                    failure = _failure(ErrorCode.QUEUE_UNAVAILABLE, job_id)
                    yield JobFailed(code=failure.code, correlation_id=failure.correlation_id)
                    return
                await asyncio.sleep(1)

    async def thumbnail(self, key: str) -> bytes:
        """A JPEG from the blob store. Raises `KeyError`, also when the store is away: answers do without pictures."""
        try:
            return await asyncio.to_thread(self._blobs.get, key)
        except StoreUnavailableError as error:
            raise KeyError(key) from error


def _answer(request: Request[A], state: TaskState) -> A:
    result = state["result"]
    if state["status"] != "SUCCESS":
        raise _failure(
            ErrorCode.BUSY if state["status"] == "REVOKED" else ErrorCode.INTERNAL, str(state.get("task_id"))
        )
    if result.get("kind") == "failed":
        failed = JobFailed.model_validate(result)
        raise CallFailedError(failed.code, failed.correlation_id)
    answer: A = request.answer.model_validate(result)  # type: ignore[assignment]  # each request names its own answer
    return answer


def _update(state: TaskState, job_id: str) -> Update | None:
    match state["status"]:
        case "PROGRESS" | "SUCCESS":
            return UPDATES.validate_python(state["result"])
        case "FAILURE" | "REVOKED":
            return JobFailed(
                code=ErrorCode.INTERNAL, correlation_id=_failure(ErrorCode.INTERNAL, job_id).correlation_id
            )
        case _:
            return None


def _failure(code: ErrorCode, task_id: str) -> CallFailedError:
    failure = CallFailedError(code, current_correlation_id())
    log.warning("call.failed", code=code, correlation_id=failure.correlation_id, task_id=task_id)
    return failure


@asynccontextmanager
async def _through_redis(settings: Settings, url: str) -> AsyncIterator[QueueClient]:
    states = RedisStates(url)
    try:
        yield QueueClient(make_app(settings), states, BlobStore(settings.blobs_address), settings)
    finally:
        await states.close()


def connect(settings: Settings) -> AbstractAsyncContextManager["QueueClient | relay.RelayClient"]:
    """The queues of the grown form, or the process that owns the data here. Raises `NothingRuns` if none does."""
    if settings.redis_url is not None:
        return _through_redis(settings, settings.redis_url.get_secret_value())
    return relay.connect(settings)
