"""A worker process with the toy model: `python -m tests.support.worker.retrain_worker_process QUEUE GATES`.

It prints `at STAGE` at each step of a retrain, and then waits while a test holds a lock on the file of that name in the
folder GATES.
"""

import fcntl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import structlog

from tests.support.model.toy_model import ToyTrainer, load_toy_encoder
from worker.job_leases import JobLeases
from worker.leases import RedisLeaseStore
from worker.ops.logs import configure_logging
from worker.ops.metrics import Metrics
from worker.queue.app import make_app
from worker.redis_client import LEASES, redis_client
from worker.runtime.celery_worker import run_celery_worker
from worker.runtime.periodic import run_periodically
from worker.runtime.tasks import list_periodic_tasks, register_tasks
from worker.services import Services
from worker.settings import Settings

RUNNING_TTL_S = 2.0
REQUEUE_EVERY_S = 0.5
"""Short, so that a test need not wait half a minute until the job of a killed worker is queued again."""


class GatedMetrics(Metrics):
    """Waits at each step of a job until the gate of its stage is open."""

    def __init__(self, gates: Path) -> None:
        super().__init__()
        self._gates = gates

    @contextmanager
    def time_stages(self, job: str) -> Iterator[Callable[[str], None]]:
        with super().time_stages(job) as begin_stage:

            def begin_and_wait(stage: str) -> None:
                begin_stage(stage)
                print(f"at {stage}", flush=True)
                with (self._gates / stage).open() as gate:
                    fcntl.flock(gate, fcntl.LOCK_SH)

            yield begin_and_wait


def main(queue: str, gates: Path) -> None:
    settings = Settings()
    configure_logging(settings, to_file=False)
    app, stopping, log = make_app(settings), threading.Event(), structlog.get_logger()
    assert settings.redis_url is not None
    with closing(Services(settings, app, stopping, load_toy_encoder, ToyTrainer())) as services:
        services.metrics = GatedMetrics(gates)
        redis = redis_client(settings.redis_url.get_secret_value(), LEASES)
        services.leases = JobLeases(RedisLeaseStore(redis), RUNNING_TTL_S)
        register_tasks(app, services)
        with run_periodically(list_periodic_tasks(services, [queue]), REQUEUE_EVERY_S):
            run_celery_worker(app, [queue], lambda: log.info("worker.ready"), stopping)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
