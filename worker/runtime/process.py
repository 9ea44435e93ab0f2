"""A worker process of the grown form."""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing

import structlog

from indexer.vectors import qdrant_server
from worker.jobs.index import resuming
from worker.model_cache import Load, Train, load_preset, train_preset
from worker.ops.health import ANSWER_WITHIN_S, Broker, Check, Checks, Heartbeat, serving
from worker.queue.app import make_app
from worker.runtime.celery_worker import work
from worker.runtime.tasks import PERIODIC_TASKS, register
from worker.services import Services
from worker.settings import Settings

log = structlog.get_logger()
WITH_MODEL = {"search", "index"}
"""Queues whose workers load the model before they take a task."""

BACKGROUND_NICENESS = 10
"""Of workers that nobody waits for: on one machine, searches and bots come before a long job."""


def run_worker(
    settings: Settings, queues: Sequence[str], load: Load = load_preset, train: Train = train_preset
) -> None:
    """Works on `queues` until SIGTERM or SIGINT. The encoder is loaded before the first task is taken."""
    if "search" not in queues:
        os.nice(BACKGROUND_NICENESS)
    app, stopping = make_app(settings), threading.Event()
    with ExitStack() as stack:
        services = stack.enter_context(closing(Services(settings, app, stopping, load, train)))
        register(app, services)
        loop = Heartbeat()
        stack.enter_context(serving(settings, services.metrics, *_checks(services, queues, loop)))
        stack.enter_context(resuming(services, [each for queue in queues for each in PERIODIC_TASKS.get(queue, ())]))
        if set(queues) & WITH_MODEL:
            services.models.current().texts(["warm up"])
        work(app, queues, lambda: log.info("worker.ready", queues=list(queues)), stopping, loop.beat)


def _checks(services: Services, queues: Sequence[str], loop: Heartbeat) -> tuple[Checks, Checks]:
    """Whether the process lives, and whether it is ready."""
    settings = services.settings
    assert settings.redis_url is not None  # noqa: S101  # a worker process has one
    broker, url = Broker(settings.redis_url.get_secret_value()), settings.qdrant_url
    services.metrics.watch_queues(settings.redis_url.get_secret_value())
    ready: dict[str, Check] = {"redis": broker.answers, "consuming": loop.beats}
    if url is not None:
        key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
        ready["qdrant"] = lambda: qdrant_server.answers(url, key, ANSWER_WITHIN_S)
    if set(queues) & WITH_MODEL:
        ready["model"] = lambda: services.models.loaded
    return {"loop": broker.turning(loop)}, ready
