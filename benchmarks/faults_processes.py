"""The processes that `benchmarks.faults` kills, for it to start: what operators run, but with two differences.

    python -m benchmarks.faults_processes worker QUEUE
    python -m benchmarks.faults_processes front FILE

Leases and rounds are short, so that a killed process is missed in seconds; and the encoder only looks at colours, so
that the next one starts at once. The front is asked by lines of its input, and writes what it shows to a file.
"""

import asyncio
import json
import os
import sys
import threading
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NoReturn

from bots.chat.service import ChatService
from bots.chat.store import CHAT_REQUEST, ChatRequest, open_chat_store
from bots.commands.replies import IndexingProgress, Reply, TrainingProgress
from tests.support.indexer_fakes import FakeEncoder
from worker.client.queue_client import connect
from worker.jobs.index import resuming
from worker.leases import JobLeases, RedisLeaseStore
from worker.ops.logs import configure
from worker.queue.app import make_app
from worker.runtime.celery_worker import work
from worker.runtime.tasks import PERIODIC_TASKS, register
from worker.services import Services
from worker.settings import Settings

PLATFORM: Final = "discord"
LEASE_S: Final = 5.0
ROUND_S: Final = 2.0
UNLIMITED: Final = "1000000/minute"


class LightModels:
    """In place of `worker.model_cache.Models`."""

    def __init__(self) -> None:
        self._encoder = FakeEncoder()

    def current(self, *_: object) -> FakeEncoder:
        return self._encoder

    serving = current

    def close(self) -> None:
        pass


def _no_model(*_: object) -> NoReturn:
    raise NotImplementedError


def worker(queue: str) -> None:
    """As `worker.runtime.process.run_worker`, with `LightModels`."""
    settings, stopping = Settings(), threading.Event()
    assert settings.redis_url is not None
    app = make_app(settings)
    with closing(Services(settings, app, stopping, _no_model, _no_model)) as services:
        services.models = LightModels()  # type: ignore[assignment]
        services.leases = JobLeases(RedisLeaseStore(settings.redis_url.get_secret_value()), LEASE_S)
        register(app, services)
        with resuming(services, PERIODIC_TASKS.get(queue, ()), ROUND_S):
            work(app, [queue], lambda: None, stopping)


class FileOutlet:
    """Writes a line for each reply, whole or not at all, as a platform takes a request or does not."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def show(self, errand: ChatRequest, reply: Reply) -> None:
        last = not isinstance(reply, IndexingProgress | TrainingProgress) or reply.over
        shown = {"errand": errand.id, "kind": type(reply).__name__, "last": last} | _of_interest(reply)
        os.write(self._file, json.dumps(shown).encode() + b"\n")


def _of_interest(reply: Reply) -> dict[str, Any]:
    fields = asdict(reply)
    return {key: fields[key] for key in ("lines", "code", "correlation_id", "links", "text") if key in fields}


async def front(shown: Path) -> None:
    """Serves each errand that comes as a line of JSON."""
    settings = Settings()
    assert settings.redis_url is not None
    responder, lines = FileOutlet(shown), asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with (
        connect(settings) as client,
        open_chat_store(settings.redis_url.get_secret_value(), UNLIMITED, UNLIMITED, LEASE_S) as kept,
        asyncio.TaskGroup() as serving,
    ):
        front = ChatService(client, kept, pick_up_every_s=ROUND_S)
        async with front.picking_up(PLATFORM, responder):
            async for line in lines:
                serving.create_task(front.serve(CHAT_REQUEST.validate_json(line), responder))


def main() -> None:
    part, argument = sys.argv[1:]
    configure(Settings(), to_file=False)
    if part == "worker":
        worker(argument)
    else:
        asyncio.run(front(Path(argument)))


if __name__ == "__main__":
    main()
