"""A worker process of the grown form."""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing

import structlog

from indexer import server
from worker.app import make_app
from worker.compose import Parts
from worker.health import ANSWER_WITHIN_S, Broker, Check, Checks, Pulse, serving
from worker.jobs import resuming
from worker.models import Load, Train, load_preset, train_preset
from worker.running import work
from worker.settings import Settings
from worker.tasks import ROUNDS, register

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
        parts = stack.enter_context(closing(Parts(settings, app, stopping, load, train)))
        register(app, parts)
        loop = Pulse()
        stack.enter_context(serving(settings, parts.metrics, *_checks(parts, queues, loop)))
        stack.enter_context(resuming(parts, [each for queue in queues for each in ROUNDS.get(queue, ())]))
        if set(queues) & WITH_MODEL:
            parts.models.current().texts(["warm up"])
        work(app, queues, lambda: log.info("worker.ready", queues=list(queues)), stopping, loop.beat)


def _checks(parts: Parts, queues: Sequence[str], loop: Pulse) -> tuple[Checks, Checks]:
    """Whether the process lives, and whether it is ready."""
    settings = parts.settings
    assert settings.redis_url is not None  # noqa: S101  # a worker process has one
    broker, url = Broker(settings.redis_url.get_secret_value()), settings.qdrant_url
    parts.metrics.watch_queues(settings.redis_url.get_secret_value())
    ready: dict[str, Check] = {"redis": broker.answers, "consuming": loop.beats}
    if url is not None:
        key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
        ready["qdrant"] = lambda: server.answers(url, key, ANSWER_WITHIN_S)
    if set(queues) & WITH_MODEL:
        ready["model"] = lambda: parts.models.loaded
    return {"loop": broker.turning(loop)}, ready
