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

from indexer.errors import StoreUnavailable
from indexer.store.blobs import Blobs
from worker.client import relay
from worker.ops.logs import incident, one_incident
from worker.protocol.error_codes import Code
from worker.protocol.messages import CallFailed, Failed, Find, Indexed, Learned, Message, Request, Update
from worker.queue.app import make_app, waiting
from worker.queue.signing import send
from worker.queue.task_states import RedisStates, State, States
from worker.settings import Settings

A = TypeVar("A", bound=Message)
UPDATES: TypeAdapter[Update] = TypeAdapter(Update)
log = structlog.get_logger()

PICTURE_WEIGHS = 50
"""Where a thousand questions may wait, twenty with a picture may: each takes up to 14 MB of Redis."""
AWAY_S = 60.0
"""So long a job is followed without Redis: it goes on, and most outages are restarts."""


class QueueClient:
    """Sends to the queues and hears of the states. Thousands of calls may wait at once: none holds a thread."""

    def __init__(self, app: Celery, states: States, blobs: Blobs, settings: Settings) -> None:
        self._app = app
        self._states = states
        self._blobs = blobs
        self._timeout_s = settings.search_timeout_s
        self._max_waiting = settings.search_waiting
        self._answered_s = 0.0

    async def call(self, request: Request[A]) -> A:
        """The answer. Raises `CallFailed`: with the worker's code, or because none answered in time."""
        with one_incident():
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
            raise _failure(Code.BUSY if busy else Code.NO_WORKER, task_id) from error
        except (OperationalError, RedisError) as error:
            raise _failure(Code.QUEUE_UNAVAILABLE, task_id) from error
        raise AssertionError("states never end by themselves")

    def _send(self, request: Request[A], task_id: str) -> None:
        weighs = PICTURE_WEIGHS if isinstance(request, Find) and request.picture else 1
        if weighs * waiting(self._app, "search") >= self._max_waiting:
            raise _failure(Code.BUSY, task_id)
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
        """The job's updates from now on; the last is `Indexed`, `Learned` or `Failed`."""
        away_since_s = None
        while True:
            try:
                async with aclosing(self._states.of(job_id)) as states:
                    async for state in states:
                        away_since_s = None
                        update = _update(state, job_id)
                        if update is not None:
                            yield update
                        if isinstance(update, Indexed | Learned | Failed):
                            return
            except RedisError as error:
                log.warning("follow.interrupted", error=error, job=job_id)
                now_s = time.monotonic()
                away_since_s = away_since_s or now_s
                if now_s - away_since_s > AWAY_S:
                    failure = _failure(Code.QUEUE_UNAVAILABLE, job_id)
                    yield Failed(code=failure.code, incident=failure.incident)
                    return
                await asyncio.sleep(1)

    async def thumbnail(self, key: str) -> bytes:
        """A JPEG from the blob store. Raises `KeyError`, also when the store is away: answers do without pictures."""
        try:
            return await asyncio.to_thread(self._blobs.get, key)
        except StoreUnavailable as error:
            raise KeyError(key) from error


def _answer(request: Request[A], state: State) -> A:
    result = state["result"]
    if state["status"] != "SUCCESS":
        raise _failure(Code.BUSY if state["status"] == "REVOKED" else Code.INTERNAL, str(state.get("task_id")))
    if result.get("kind") == "failed":
        failed = Failed.model_validate(result)
        raise CallFailed(failed.code, failed.incident)
    answer: A = request.answer.model_validate(result)  # type: ignore[assignment]  # each request names its own answer
    return answer


def _update(state: State, job_id: str) -> Update | None:
    match state["status"]:
        case "PROGRESS" | "SUCCESS":
            return UPDATES.validate_python(state["result"])
        case "FAILURE" | "REVOKED":
            return Failed(code=Code.INTERNAL, incident=_failure(Code.INTERNAL, job_id).incident)
        case _:
            return None


def _failure(code: Code, task_id: str) -> CallFailed:
    failure = CallFailed(code, incident())
    log.warning("call.failed", code=code, incident=failure.incident, task_id=task_id)
    return failure


@asynccontextmanager
async def _through_redis(settings: Settings, url: str) -> AsyncIterator[QueueClient]:
    states = RedisStates(url)
    try:
        yield QueueClient(make_app(settings), states, Blobs(settings.blobs_address), settings)
    finally:
        await states.close()


def connect(settings: Settings) -> AbstractAsyncContextManager["QueueClient | relay.RelayClient"]:
    """The queues of the grown form, or the process that owns the data here. Raises `NothingRuns` if none does."""
    if settings.redis_url is not None:
        return _through_redis(settings, settings.redis_url.get_secret_value())
    return relay.connect(settings)
