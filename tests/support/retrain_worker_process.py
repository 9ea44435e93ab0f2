"""A worker process with a model that is taught quickly: `python -m tests.support.retrain_worker_process <queue> <folder of gates>`.

At each stage of a retrain it says so, and waits while somebody holds a lock on the file of that name in the folder.
"""

import fcntl
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import structlog

from tests.support.toy_model import Teacher, load
from worker.jobs import retrain
from worker.jobs.index import resuming
from worker.leases import JobLeases, RedisLeaseStore
from worker.ops.logs import configure
from worker.queue.app import make_app
from worker.runtime.celery_worker import work
from worker.runtime.tasks import PERIODIC_TASKS, register
from worker.services import Services
from worker.settings import Settings

RUNNING_S, RESUME_EVERY_S = 2.0, 0.5
"""A dead worker's job is taken up at once: nobody waits half a minute for a test."""


def main(queue: str, gates: Path) -> None:
    class Gated(retrain.ProgressReporter):
        def __call__(self, stage: retrain.Stage, *args: Any, **kwargs: Any) -> None:
            super().__call__(stage, *args, **kwargs)
            print(f"at {stage}", flush=True)
            with (gates / stage).open() as gate:
                fcntl.flock(gate, fcntl.LOCK_SH)

    retrain.ProgressReporter = Gated  # type: ignore[misc]
    settings = Settings()
    configure(settings, to_file=False)
    app, stopping, log = make_app(settings), threading.Event(), structlog.get_logger()
    assert settings.redis_url is not None
    with closing(Services(settings, app, stopping, load, Teacher())) as services:
        services.leases = JobLeases(RedisLeaseStore(settings.redis_url.get_secret_value()), RUNNING_S)
        register(app, services)
        with resuming(services, PERIODIC_TASKS.get(queue, ()), RESUME_EVERY_S):
            work(app, [queue], lambda: log.info("worker.ready"), stopping)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
