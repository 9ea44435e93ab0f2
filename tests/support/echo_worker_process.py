"""A worker process of toy tasks: `python -m tests.support.echo_worker_process <redis url>`."""

import sys
import threading
from collections.abc import Callable
from typing import Any

import redis
from celery import Celery, Task

from worker.ops.logs import configure
from worker.protocol.messages import GetStatus, Indexed, IndexProgress, JobFailed, LibraryStatus, WireModel
from worker.queue.app import make_app
from worker.runtime.celery_worker import work
from worker.runtime.tasks import add
from worker.settings import Settings

SLOW_S = 0.1
STATE = LibraryStatus(preset="starter", generation="g", videos=1, moments=2, waiting=3)
INDEXED = Indexed(link="https://example.org/v", title="A", status="indexed", moments=4)


def toy_tasks(app: Celery, wait: Callable[[], Any]) -> None:
    """`status` answers by who asks, the slow one after `SLOW_S`; `index` shows progress, then waits."""
    nothing = threading.Event()

    def status(task: Task, body: dict[str, Any]) -> WireModel:
        match GetStatus.model_validate(body).caller.user_id:
            case "refused":
                return JobFailed(code="not_in_library", correlation_id="abc")
            case "slow":
                nothing.wait(SLOW_S)
                return STATE
            case "broken":
                raise RuntimeError("a fault of ours")
            case person:
                return STATE.model_copy(update={"preset": person})

    def index(task: Task, video_id: str) -> WireModel:
        task.update_state(state="PROGRESS", meta=IndexProgress(stage="fetch", done=0.5).model_dump(mode="json"))
        wait()
        return INDEXED

    add(app, "reelseek.status", status)
    add(app, "reelseek.index", index)


def main(url: str) -> None:
    settings = Settings(redis_url=url)  # type: ignore[arg-type]
    # To standard error: nobody reads our output once we are ready.
    configure(settings, to_file=False)
    app = make_app(settings)
    toy_tasks(app, lambda: redis.Redis.from_url(url).blpop(["gate"], timeout=30))
    work(app, ["search", "index"], lambda: print("ready", flush=True), threading.Event())


if __name__ == "__main__":
    main(sys.argv[1])
