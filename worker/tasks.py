"""The tasks as Celery runs them: a message in, a message out.

What they do stands in `worker.answers` and `worker.jobs`.
"""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from celery import Celery, Task
from celery.exceptions import Ignore, Reject, Retry

from worker import decisions, jobs, retraining
from worker.answers import ANSWERS
from worker.codes import Code, code_of
from worker.compose import Parts
from worker.messages import REQUESTS, Failed, Message, Request

log = structlog.get_logger()

ROUNDS: Mapping[str, Sequence[Callable[[Parts], None]]] = {
    "index": (jobs.resume, decisions.finish_leaving, decisions.forget_left),
    "train": (retraining.resume,),
}
"""What a worker of a queue looks after again and again."""


def register(app: Celery, parts: Parts) -> None:
    """Makes `app` able to run every task with these parts."""
    for request in REQUESTS:
        app.task(_answering(parts, request), name=f"reelseek.{request.task}", bind=True, shared=False)
    app.task(_indexing(parts), name=jobs.TASK, bind=True, max_retries=None, shared=False)
    app.task(_retraining(parts), name=retraining.TASK, bind=True, shared=False)
    app.task(_catching_up(parts), name=retraining.CATCH_UP, shared=False)


def _answering(parts: Parts, request: type[Request[Any]]) -> Callable[[Task, dict[str, Any]], dict[str, Any]]:
    def answer(task: Task, body: dict[str, Any]) -> dict[str, Any]:
        return _guarded(lambda _: ANSWERS[request.task](parts, request.model_validate(body)), request.task)

    return answer


def _indexing(parts: Parts) -> Callable[[Task, str], dict[str, Any]]:
    def index(task: Task, video_id: str) -> dict[str, Any]:
        return _guarded(lambda incident: jobs.index(parts, task, video_id, incident), "index")

    return index


def _retraining(parts: Parts) -> Callable[[Task], dict[str, Any]]:
    def retrain(task: Task) -> dict[str, Any]:
        return _guarded(lambda incident: retraining.retrain(parts, task, incident), "retrain")

    return retrain


def _catching_up(parts: Parts) -> Callable[[], None]:
    def catch_up() -> None:
        retraining.catch_up(parts)

    return catch_up


def _guarded(work: Callable[[str], Message], what: str) -> dict[str, Any]:
    """Whatever goes wrong crosses the wire as a code, with an id that the log has too."""
    incident = uuid.uuid4().hex[:8]
    with structlog.contextvars.bound_contextvars(incident=incident, task=what):
        try:
            return work(incident).model_dump(mode="json")
        except (Ignore, Reject, Retry):
            raise
        except Exception as error:
            code = code_of(error)
            log.log(logging.ERROR if code is Code.INTERNAL else logging.INFO, "task.failed", code=code, exc_info=True)
            return Failed(code=code, incident=incident).model_dump(mode="json")
