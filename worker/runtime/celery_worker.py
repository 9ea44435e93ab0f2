"""Celery workers: one per process, or several as threads of one process in the embedded form."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog
from celery import Celery, bootsteps
from celery.worker import WorkController
from celery.worker import state as celery_state
from celery.worker.consumer import Consumer

from worker.ops.health import HEARTBEAT_INTERVAL_S
from worker.ops.shutdown import exit_after_grace_period

log = structlog.get_logger()

CONCURRENCY: Final = {"search": 8, "index": 2, "enrich": 1, "train": 1}
"""Threads per queue. Searches wait for each other only at the encoder, which batches them. While one index job embeds,
another fetches."""
BACKGROUND_NICENESS: Final = 10
"""Niceness of workers without searches: on a shared machine, searches and bots go before long jobs."""
BACKGROUND_QUEUES: Final = {"enrich"}
"""Queues whose threads have this niceness in a process that also works on other queues."""
START_TIMEOUT_S: Final = 30.0
WAKE_TASK: Final = "reelseek.wake"


class _StopJobs(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Tells running jobs to stop once the worker no longer consumes: earlier, it would receive their messages again."""

    requires = ("celery.worker.components:Pool",)

    def stop(self, worker: "_Worker") -> None:
        log.info("worker.stopping")
        worker.stopping.set()


class _Worker(WorkController):  # type: ignore[misc]  # celery has no types
    """A Celery worker that calls `on_ready` when it consumes, and then `beat` every second."""

    def __init__(
        self,
        app: Celery,
        queues: Sequence[str],
        on_ready: Callable[[], None],
        stopping: threading.Event,
        beat: Callable[[], None] | None = None,
    ) -> None:
        self._on_ready, self.stopping, self._beat = on_ready, stopping, beat
        app.steps["worker"].add(_StopJobs)
        app.finalize()
        # Pool threads use the process's default application.
        app.set_default()
        super().__init__(
            app=app,
            hostname=f"{'-'.join(queues)}@%h",
            queues=list(queues),
            pool="threads",
            concurrency=max(CONCURRENCY[queue] for queue in queues),
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )

    def on_consumer_ready(self, consumer: Consumer) -> None:
        if self._beat is not None:
            self._beat()
            consumer.timer.call_repeatedly(HEARTBEAT_INTERVAL_S, self._beat)
            self._beat = None  # the timer survives a lost connection
        self._on_ready()


def run_celery_worker(
    app: Celery,
    queues: Sequence[str],
    on_ready: Callable[[], None],
    stopping: threading.Event,
    beat: Callable[[], None] | None = None,
) -> None:
    """Consume `queues` in this thread until SIGTERM or SIGINT.

    Then `stopping` is set and running jobs are awaited. `beat` is called every second while the worker consumes. The
    signal handlers stay for the rest of the process, and a second signal changes nothing.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    _Worker(app, queues, on_ready, stopping, beat).start()


def _stop(_number: int, _frame: FrameType | None) -> None:
    if celery_state.should_stop is None:
        exit_after_grace_period()
        celery_state.should_stop = 0


def _wake() -> None:
    """Do nothing. Any message makes an idle worker check whether to stop; otherwise it checks every two seconds."""


def _run_worker(worker: _Worker, queue: str) -> None:
    """Run a worker in this thread. The threads that it starts inherit the niceness."""
    if queue in BACKGROUND_QUEUES and sys.platform == "linux":  # Elsewhere a thread has no priority of its own.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICENESS)
    worker.start()


@contextmanager
def run_worker_threads(apps: dict[str, Celery], stopping: threading.Event) -> Iterator[None]:
    """Consume each queue in a thread until the block ends, with an application and a worker of its own.

    A worker consumes all queues of its application, so that each queue needs its own: a long index backlog must not
    delay a search.
    """
    for app in apps.values():
        app.task(_wake, name=WAKE_TASK, shared=False)
        # kombu's in-memory queues live as long as the process, but the store's record says what is to be done.
        app.control.purge()
    ready = {queue: threading.Event() for queue in apps}
    workers = [_Worker(app, [queue], ready[queue].set, stopping) for queue, app in apps.items()]
    threads = [
        threading.Thread(target=_run_worker, args=(worker, queue), name=f"worker-{queue}")
        for queue, worker in zip(apps, workers, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        for queue, event in ready.items():
            if not event.wait(START_TIMEOUT_S):
                raise RuntimeError(f"the worker of queue {queue} did not start in {START_TIMEOUT_S:.0f} s")
        yield
    finally:
        # Celery's way to stop a worker from another thread. It is a global and stops all workers of the process.
        celery_state.should_stop = 0
        for queue, app in apps.items():
            # The first message ends the current wait; the worker then waits once more before it checks.
            app.send_task(WAKE_TASK, queue=queue)
            app.send_task(WAKE_TASK, queue=queue)
        for thread in threads:
            thread.join()
        celery_state.should_stop = None
