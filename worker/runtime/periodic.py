"""Periodic tasks of a worker process."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

PERIOD_S = 30.0
"""How soon the job of a killed worker is noticed and queued again."""


@contextmanager
def run_periodically(tasks: Sequence[Callable[[], None]], every_s: float = PERIOD_S) -> Iterator[None]:
    """Run `tasks` in a thread, first at once and then every `every_s` seconds, until the block ends.

    A task that fails is logged, and runs again the next time.
    """
    stop = threading.Event()

    def run() -> None:
        while True:
            for task in tasks:
                try:
                    task()
                except Exception:
                    log.exception("periodic_task.failed")
            if stop.wait(every_s):
                return

    thread = threading.Thread(target=run, name="periodic-tasks")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
