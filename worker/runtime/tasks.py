"""The tasks as Celery runs them: a signed message in, a message out.

What they do stands in `worker.handlers.library` and `worker.jobs.index`.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import structlog
from celery import Celery, Task
from celery.exceptions import Ignore, Reject, Retry

from worker.handlers import spaces
from worker.handlers.library import ANSWERS
from worker.jobs import garbage_collection
from worker.jobs import index as jobs
from worker.jobs import retrain as retraining
from worker.ops.logs import bind_correlation_id, current_correlation_id
from worker.ops.metrics import Metrics
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.messages import REQUESTS, JobFailed, Request, WireModel
from worker.queue.signing import CLOCKS_S, ForgedTaskError
from worker.services import Services

log = structlog.get_logger()

JOB_MAX_AGE_S: Final = 7 * 86400.0
"""Longer than any backlog; the record knows what is to be done all the same."""

PERIODIC_TASKS: Mapping[str, Sequence[Callable[[Services], None]]] = {
    "index": (spaces.finish_leaving, jobs.resume, spaces.forget_left, spaces.retain, garbage_collection.clear),
    "train": (retraining.resume,),
}
"""What a worker of a queue looks after again and again."""

TaskHandler: TypeAlias = Callable[[Task, Any], WireModel]
"""From a task and the body that came with it to what is answered."""


def register(app: Celery, services: Services) -> None:
    """Makes `app` able to run every task with these parts."""
    metrics, max_age_s = services.metrics, services.settings.search_timeout_s
    for request in REQUESTS:
        add(app, f"reelseek.{request.task}", _answering(services, request), max_age_s, metrics)
    add(
        app,
        jobs.TASK,
        lambda task, video_id: jobs.index(services, task, video_id, current_correlation_id()),
        metrics=metrics,
    )
    add(
        app,
        retraining.TASK,
        lambda task, _: retraining.retrain(services, task, current_correlation_id()),
        metrics=metrics,
    )
    add(app, retraining.CATCH_UP, lambda task, _: retraining.catch_up(services), metrics=metrics)


def _answering(services: Services, request: type[Request[Any]]) -> TaskHandler:
    lives_s = services.settings.search_timeout_s + CLOCKS_S

    def answer(task: Task, body: Any) -> WireModel:
        # A copy may come after what was asked later: a link would be back that was forgotten, a way back gone twice.
        if not services.leases.first(task.request.id, lives_s):
            raise Ignore("a copy of this message was delivered before")
        return ANSWERS[request.task](services, request.model_validate(body))

    return answer


def add(
    app: Celery, name: str, work: TaskHandler, max_age_s: float = JOB_MAX_AGE_S, metrics: Metrics | None = None
) -> None:
    """Makes `app` able to run one task. What was not signed for it, or longer ago than that, `work` never sees."""

    def run(task: Task, sealed: object = None) -> dict[str, Any]:
        try:
            found, body = app.conf.signing.open(name, sealed, max_age_s)
        except ForgedTaskError as error:
            with bind_correlation_id() as found:
                log.warning("task.forged", task=name, why=str(error))
                return JobFailed(code=ErrorCode.FORGED, correlation_id=found).model_dump(mode="json")
        with bind_correlation_id(found), structlog.contextvars.bound_contextvars(task=name):
            began_s = time.monotonic()
            answer = _guarded(lambda: work(task, body))
            log.info("task.done", took_ms=round(1000 * (time.monotonic() - began_s)))
            return answer

    measured = metrics.measured(run, name.removeprefix("reelseek.")) if metrics else run
    app.task(measured, name=name, bind=True, max_retries=None, shared=False)


def _guarded(work: Callable[[], WireModel]) -> dict[str, Any]:
    """Whatever goes wrong crosses the wire as a code, with an id that the log has too."""
    try:
        return work().model_dump(mode="json")
    except (Ignore, Reject, Retry):
        raise
    except Exception as error:
        code = error_code_of(error)
        log.log(logging.ERROR if code is ErrorCode.INTERNAL else logging.INFO, "task.failed", code=code, exc_info=True)
        return JobFailed(code=code, correlation_id=current_correlation_id()).model_dump(mode="json")
