"""A worker process of the grown form."""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing

import structlog

from worker.app import make_app
from worker.compose import Parts
from worker.jobs import resuming
from worker.models import Load, Train, load_preset, train_preset
from worker.running import work
from worker.settings import Settings
from worker.tasks import ROUNDS, register

log = structlog.get_logger()


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
        stack.enter_context(resuming(parts, [each for queue in queues for each in ROUNDS.get(queue, ())]))
        if set(queues) & {"search", "index"}:
            parts.models.current().texts(["warm up"])
        work(app, queues, lambda: log.info("worker.ready", queues=list(queues)), stopping)
