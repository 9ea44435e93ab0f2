"""Tasks that echo, and a worker process of them: `python -m tests.support.worker.echo_worker_process REDIS_URL`."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis
from celery import Celery, Task
from pydantic import SecretStr

from indexer.stages import IndexStage
from worker.ops.logs import configure_logging
from worker.protocol.base import Caller, WireModel
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import GetStatus, LibraryStatus
from worker.protocol.queues import INDEX_TASK, request_task
from worker.protocol.updates import Indexed, IndexOutcome, IndexProgress, JobFailed
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.runtime.celery_worker import run_celery_worker
from worker.runtime.tasks import add_task
from worker.settings import Settings

CALLER: Final = Caller(space="local:test", user_id="ann")
SLOW_S: Final = 0.1
STATUS: Final = LibraryStatus(preset="starter", generation="g", videos=1, moments=2, waiting=3)
INDEXED: Final = Indexed(link="https://example.org/v", title="A", status=IndexOutcome.INDEXED, moments=4)

_ROOT: Final = Path(__file__).parents[3]
_GATE: Final = "gate"


@dataclass(frozen=True)
class EchoQueues:
    """Queues with a worker of the echo tasks: their sender, and the results if they are in memory."""

    sender: Celery
    results: MemoryResultStore
    open_gate: Callable[[], object]
    """Lets a waiting index job finish."""


def add_echo_tasks(app: Celery, wait_at_gate: Callable[[], Any]) -> None:
    """Add two tasks. The answer of `GetStatus` depends on the caller's id; a job reports progress, then waits."""
    never = threading.Event()

    def get_status(_task: Task, body: dict[str, Any]) -> WireModel:
        match GetStatus.model_validate(body).caller.user_id:
            case "refused":
                return JobFailed(code=ErrorCode.NOT_IN_LIBRARY, correlation_id="abc")
            case "slow":
                never.wait(SLOW_S)
                return STATUS
            case "broken":
                raise RuntimeError("a secret of the task")
            case user_id:
                return STATUS.model_copy(update={"preset": user_id})

    def index(task: Task, _video_id: str) -> WireModel:
        progress = IndexProgress(stage=IndexStage.FETCH, done=0.5)
        task.update_state(state="PROGRESS", meta=progress.model_dump(mode="json"))
        wait_at_gate()
        return INDEXED

    add_task(app, request_task(GetStatus), get_status)
    add_task(app, INDEX_TASK, index)


@contextmanager
def running_echo_process(url: str) -> Iterator[Callable[[], object]]:
    """Run a worker process of the echo tasks on Redis. Yields a function that lets a waiting job finish."""
    command = [sys.executable, "-m", "tests.support.worker.echo_worker_process", url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with redis.Redis.from_url(url) as connection:
            yield lambda: connection.lpush(_GATE, "open")
    finally:
        process.terminate()
        process.communicate()


def main(url: str) -> None:
    settings = Settings(redis_url=SecretStr(url))
    # The log goes to standard error: the parent reads nothing after "ready".
    configure_logging(settings, to_file=False)
    app = make_app(settings)
    add_echo_tasks(app, lambda: redis.Redis.from_url(url).blpop([_GATE], timeout=30))
    run_celery_worker(app, ["search", "index"], lambda: print("ready", flush=True), threading.Event())


if __name__ == "__main__":
    main(sys.argv[1])
