"""Celery workers: one that a process is, and, embedded, several as threads of one process."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import structlog
from celery import Celery, bootsteps
from celery.worker import WorkController
from celery.worker import state as celery_state
from celery.worker.consumer import Consumer

from worker.ops.shutdown import exit_after_grace_period

log = structlog.get_logger()

# Searches wait on each other only for the encoder, which batches them. One index job fetches while another embeds.
THREADS = {"search": 8, "index": 2, "train": 1}
START_TIMEOUT_S = 30.0
WAKE = "reelseek.wake"
BEAT_EVERY_S = 1.0


class _TellJobs(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Tells the running jobs to stop once nothing more is consumed: what they give back would come straight back."""

    requires = ("celery.worker.components:Pool",)

    def stop(self, worker: "_Worker") -> None:
        log.info("worker.stopping")
        worker.stopping.set()


class _Worker(WorkController):  # type: ignore[misc]  # celery has no types
    """A worker that tells when it consumes, and by `beat` that its loop turns."""

    def __init__(
        self,
        app: Celery,
        queues: Sequence[str],
        ready: Callable[[], None],
        stopping: threading.Event,
        beat: Callable[[], None] | None = None,
    ) -> None:
        self._ready, self.stopping, self._beat = ready, stopping, beat
        app.steps["worker"].add(_TellJobs)
        app.finalize()
        # Pool threads look the running application up as the process's default one.
        app.set_default()
        super().__init__(
            app=app,
            hostname=f"{'-'.join(queues)}@%h",
            queues=list(queues),
            pool="threads",
            concurrency=max(THREADS[queue] for queue in queues),
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )

    def on_consumer_ready(self, consumer: Consumer) -> None:
        if self._beat is not None:
            self._beat()
            consumer.timer.call_repeatedly(BEAT_EVERY_S, self._beat)
            self._beat = None  # the timer outlives a lost connection
        self._ready()


def work(
    app: Celery,
    queues: Sequence[str],
    ready: Callable[[], None],
    stopping: threading.Event,
    beat: Callable[[], None] | None = None,
) -> None:
    """Consumes `queues` in this thread until SIGTERM or SIGINT; running jobs are told by `stopping` and waited for.

    `beat` is called every second for as long as it consumes. The signals stay ours to the end of the process: a second
    one changes nothing.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    _Worker(app, queues, ready, stopping, beat).start()


def _stop(_number: int, _frame: FrameType | None) -> None:
    if celery_state.should_stop is None:
        exit_after_grace_period()
        celery_state.should_stop = 0


def _wake() -> None:
    """An idle worker looks whether it should stop when a message comes, and otherwise only every two seconds."""


@contextmanager
def threads(apps: dict[str, Celery], stopping: threading.Event) -> Iterator[None]:
    """Embedded: consumes each queue with its own application and worker until the block ends.

    An application's queues are what its one worker consumes, hence one each: a long index backlog never holds up a
    search.
    """
    for app in apps.values():
        app.task(_wake, name=WAKE, shared=False)
        # kombu keeps in-memory queues for as long as the process lives; the store's record says what is to be done.
        app.control.purge()
    ready = {queue: threading.Event() for queue in apps}
    workers = [_Worker(app, [queue], ready[queue].set, stopping) for queue, app in apps.items()]
    running = [
        threading.Thread(target=worker.start, name=f"worker-{queue}")
        for queue, worker in zip(apps, workers, strict=True)
    ]
    for thread in running:
        thread.start()
    try:
        for queue, event in ready.items():
            if not event.wait(START_TIMEOUT_S):
                raise RuntimeError(f"the worker of queue {queue} did not start in {START_TIMEOUT_S:.0f} s")
        yield
    finally:
        # Celery's own way to end a worker from another thread: a global, so it ends all of this process.
        celery_state.should_stop = 0
        for queue, app in apps.items():
            # The first ends the wait in which it looks, the second the wait that follows all the same.
            app.send_task(WAKE, queue=queue)
            app.send_task(WAKE, queue=queue)
        for thread in running:
            thread.join()
        celery_state.should_stop = None
