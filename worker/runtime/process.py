"""A worker process, whose broker is Redis."""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Final

import structlog

from indexer.enrich.recognition import Recognizers
from indexer.vectors import qdrant_server
from worker.models.loading import ModelLoader, ModelTrainer, load_preset, train_preset
from worker.ops.health import PROBE_TIMEOUT_S, BrokerCheck, Check, Checks, Heartbeat, serve_checks
from worker.queue.app import make_app
from worker.runtime.celery_worker import BACKGROUND_NICENESS, run_celery_worker
from worker.runtime.periodic import run_periodically
from worker.runtime.tasks import list_periodic_tasks, register_tasks
from worker.services import Services
from worker.settings import Settings

log = structlog.get_logger()
MODEL_QUEUES: Final = {"search", "index", "enrich"}
"""Queues whose workers load the model before they take a task."""


def run_worker(
    settings: Settings,
    queues: Sequence[str],
    load: ModelLoader = load_preset,
    train: ModelTrainer = train_preset,
    recognizers: Recognizers | None = None,
) -> None:
    """Run tasks of `queues` until SIGTERM or SIGINT. Load the encoder before the first task."""
    if "search" not in queues:
        os.nice(BACKGROUND_NICENESS)
    app, stopping = make_app(settings), threading.Event()
    with ExitStack() as stack:
        services = stack.enter_context(closing(Services(settings, app, stopping, load, train, recognizers)))
        register_tasks(app, services)
        loop = Heartbeat()
        stack.enter_context(serve_checks(settings, services.metrics, *_make_checks(services, queues, loop)))
        stack.enter_context(run_periodically(list_periodic_tasks(services, queues)))
        if set(queues) & MODEL_QUEUES:
            services.models.get_current().encode_texts(["warm up"])
        run_celery_worker(app, queues, lambda: log.info("worker.ready", queues=list(queues)), stopping, loop.beat)


def _make_checks(services: Services, queues: Sequence[str], loop: Heartbeat) -> tuple[Checks, Checks]:
    """Return the checks of liveness and of readiness."""
    settings = services.settings
    assert settings.redis_url is not None  # noqa: S101  # a worker process has one
    broker, url = BrokerCheck(settings.redis_url.get_secret_value()), settings.qdrant_url
    services.metrics.watch_queues(settings.redis_url.get_secret_value())
    ready: dict[str, Check] = {"redis": broker.is_reachable, "consuming": loop.is_recent}
    if url is not None:
        key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
        ready["qdrant"] = lambda: qdrant_server.is_reachable(url, key, PROBE_TIMEOUT_S)
    if set(queues) & MODEL_QUEUES:
        ready["model"] = lambda: services.models.is_loaded
    return {"loop": broker.make_loop_check(loop)}, ready
