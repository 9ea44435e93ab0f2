"""A worker process with a model that is taught quickly: `python -m tests.worker.pupil <queue> <folder of gates>`.

At each stage of a retrain it says so, and waits until the folder has a file of that name.
"""

import sys
import time
from pathlib import Path
from typing import Any

from tests.worker.school import Teacher, load
from worker import claims, jobs, retraining, run
from worker.logs import configure
from worker.settings import Settings


def main(queue: str, gates: Path) -> None:
    # A dead worker's job is taken up at once, and by no polite process: nobody waits half a minute for a test.
    claims.RUNNING_S, claims.RENEW_S, jobs.RESUME_EVERY_S, run.BACKGROUND_NICENESS = 2.0, 0.5, 0.5, 0

    class Gated(retraining.Teller):
        def __call__(self, stage: retraining.Stage, *args: Any, **kwargs: Any) -> None:
            super().__call__(stage, *args, **kwargs)
            print(f"at {stage}", flush=True)
            while not (gates / stage).exists():
                time.sleep(0.02)

    retraining.Teller = Gated  # type: ignore[misc]
    settings = Settings()
    configure(settings, to_file=False)
    run.run_worker(settings, [queue], load, Teacher())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
