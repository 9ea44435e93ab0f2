"""The Celery tasks: each takes a signed message, calls its handler or job, and returns a message.

The handlers are in `worker.handlers`, the jobs in `worker.jobs`.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import structlog
from celery import Celery, Task
from celery.exceptions import Ignore, Reject, Retry

from indexer.vectors.write_deadline import first_write_before
from worker.handlers.registry import Handler, build_handlers
from worker.jobs.cleanup import apply_retention
from worker.jobs.rollout import catch_up
from worker.ops.logs import bind_correlation_id, current_correlation_id
from worker.ops.metrics import Metrics
from worker.protocol.base import Request, WireModel
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.library import Submit
from worker.protocol.queues import (
    CATCH_UP_TASK,
    ENRICH_TASK,
    INDEX_TASK,
    LOOK_TASK,
    RETRAIN_TASK,
    SENT_AT,
    request_task,
)
from worker.protocol.updates import JobFailed
from worker.queue.signing import MAX_CLOCK_SKEW_S, ForgedTaskError
from worker.services import Services

log = structlog.get_logger()

JOB_MAX_AGE_S: Final = 7 * 86400.0
"""Longer than any backlog. A job whose message is too old is queued again from the record."""

PERIODIC_TASKS: Mapping[str, Sequence[Callable[[Services], None]]] = {
    "index": (
        lambda services: services.make_video_removal().resume_removals(),
        lambda services: services.make_index_queue().requeue_lost_jobs(),
        lambda services: services.make_space_removal().purge_departed_spaces(),
        lambda services: apply_retention(services.settings, services.vectors, services.blobs, services.leases),
        lambda services: services.make_garbage_collector().collect(),
        lambda services: services.make_look_queue().enqueue_due(),
    ),
    "enrich": (lambda services: services.make_enrich_queue().requeue_lost_jobs(),),
    "train": (lambda services: services.make_retrain_queue().requeue_lost_jobs(),),
}
"""By queue: what its workers do every `worker.runtime.periodic.PERIOD_S` seconds."""

TaskHandler: TypeAlias = Callable[[Task, Any], WireModel]
"""Takes the Celery task and the message's body; returns the answer."""


def list_periodic_tasks(services: Services, queues: Sequence[str]) -> list[Callable[[], None]]:
    """Return the periodic tasks of a worker of `queues`."""
    return [partial(task, services) for queue in queues for task in PERIODIC_TASKS.get(queue, ())]


def register_tasks(app: Celery, services: Services) -> None:
    """Make `app` able to run every task with these services."""
    metrics, max_age_s = services.metrics, services.settings.search_timeout_s
    handlers = build_handlers(services)
    for request, handler in handlers.items():
        add_task(app, request_task(request), _answer_once(services, request, handler), max_age_s, metrics)
    index, enrich, retrain = services.make_index_job(), services.make_enrich_job(), services.make_retrain_job()
    add_task(app, INDEX_TASK, lambda task, video_id: index(task, video_id, current_correlation_id()), metrics=metrics)
    add_task(app, ENRICH_TASK, lambda task, video_id: enrich(task, video_id, current_correlation_id()), metrics=metrics)
    add_task(app, RETRAIN_TASK, lambda task, _: retrain(task, current_correlation_id()), metrics=metrics)
    look = services.make_look_job(handlers[Submit])
    add_task(app, LOOK_TASK, look, metrics=metrics)
    add_task(
        app,
        CATCH_UP_TASK,
        lambda task, _: catch_up(services.stores, services.blobs, services.models, services.stopping),
        metrics=metrics,
    )


def _answer_once(services: Services, request: type[Request[Any]], handler: Handler) -> TaskHandler:
    timeout_s = services.settings.search_timeout_s

    def answer(task: Task, body: Any) -> WireModel:
        # A redelivered request could undo a later one: add a link that was forgotten since, or roll back twice.
        if not services.leases.mark_seen(task.request.id, timeout_s + MAX_CLOCK_SKEW_S):
            raise Ignore("a copy of this message was delivered before")
        # Waiting for Redis or for a store may have taken until the request was reported as failed.
        with first_write_before(_read_sent_at_s(task) + timeout_s):
            return handler(request.model_validate(body))

    return answer


def _read_sent_at_s(task: Task) -> float:
    """Return when the message was sent (Unix time)."""
    sent_at_s = (task.request.headers or {}).get(SENT_AT)
    return sent_at_s if isinstance(sent_at_s, float) else time.time()


def add_task(
    app: Celery, name: str, handle: TaskHandler, max_age_s: float = JOB_MAX_AGE_S, metrics: Metrics | None = None
) -> None:
    """Make `app` able to run one task.

    A message that was not signed for this task, or was signed more than `max_age_s` ago, does not reach `handle`.
    """

    def run(task: Task, signed: object = None) -> dict[str, Any]:
        try:
            correlation_id, body = app.conf.signer.verify(name, signed, max_age_s)
        except ForgedTaskError as error:
            with bind_correlation_id() as correlation_id:
                log.warning("task.forged", task=name, reason=str(error))
                return JobFailed(code=ErrorCode.FORGED, correlation_id=correlation_id).model_dump(mode="json")
        with bind_correlation_id(correlation_id), structlog.contextvars.bound_contextvars(task=name):
            started_s = time.monotonic()
            answer = _answer_with_failures(lambda: handle(task, body))
            log.info("task.done", took_ms=round(1000 * (time.monotonic() - started_s)))
            return answer

    instrumented = metrics.instrument(run, name.removeprefix("reelseek.")) if metrics else run
    app.task(instrumented, name=name, bind=True, max_retries=None, shared=False)


def _answer_with_failures(handle: Callable[[], WireModel]) -> dict[str, Any]:
    """Return the answer, or `JobFailed` with the error's code and the correlation id that the log has too."""
    try:
        return handle().model_dump(mode="json")
    except (Ignore, Reject, Retry):
        raise
    except Exception as error:
        code = error_code_of(error)
        log.log(logging.ERROR if code is ErrorCode.INTERNAL else logging.INFO, "task.failed", code=code, exc_info=True)
        return JobFailed(code=code, correlation_id=current_correlation_id()).model_dump(mode="json")
