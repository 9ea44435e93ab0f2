"""A worker process with a model that is taught quickly: `python -m tests.worker.pupil <queue> <folder of gates>`.

At each stage of a retrain it says so, and waits while somebody holds a lock on the file of that name in the folder.
"""

import fcntl
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import structlog

from tests.worker.school import Teacher, load
from worker import retraining
from worker.app import make_app
from worker.claims import Claims, RedisLeases
from worker.compose import Parts
from worker.jobs import resuming
from worker.logs import configure
from worker.running import work
from worker.settings import Settings
from worker.tasks import ROUNDS, register

RUNNING_S, RESUME_EVERY_S = 2.0, 0.5
"""A dead worker's job is taken up at once: nobody waits half a minute for a test."""


def main(queue: str, gates: Path) -> None:
    class Gated(retraining.Teller):
        def __call__(self, stage: retraining.Stage, *args: Any, **kwargs: Any) -> None:
            super().__call__(stage, *args, **kwargs)
            print(f"at {stage}", flush=True)
            with (gates / stage).open() as gate:
                fcntl.flock(gate, fcntl.LOCK_SH)

    retraining.Teller = Gated  # type: ignore[misc]
    settings = Settings()
    configure(settings, to_file=False)
    app, stopping, log = make_app(settings), threading.Event(), structlog.get_logger()
    assert settings.redis_url is not None
    with closing(Parts(settings, app, stopping, load, Teacher())) as parts:
        parts.claims = Claims(RedisLeases(settings.redis_url.get_secret_value()), RUNNING_S)
        register(app, parts)
        with resuming(parts, ROUNDS.get(queue, ()), RESUME_EVERY_S):
            work(app, [queue], lambda: log.info("worker.ready"), stopping)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
