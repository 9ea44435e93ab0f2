"""The processes of a run of faults: those of an installation, with two differences.

    python -m tests.support.faults.processes worker QUEUE
    python -m tests.support.faults.processes frontend FILE

Leases and polling intervals are short, so that a killed process is noticed within seconds; and the encoder and the
recognizers are fakes, so that a new process is ready at once. The frontend reads requests from its standard input, and
writes its replies to FILE.
"""

import asyncio
import json
import os
import sys
import threading
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from bots.chat.requests import CHAT_REQUEST, ChatRequest
from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.commands.replies import IndexingProgress, Reply, TrainingProgress
from model.ports import Encoder as ModelEncoder
from tests.support.indexer.fake_recognizers import make_fake_recognizers
from tests.support.indexer.fakes import FakeEncoder
from worker.client.queue_client import connect_client
from worker.job_leases import JobLeases
from worker.leases import RedisLeaseStore
from worker.ops.logs import configure_logging
from worker.queue.app import make_app
from worker.redis_client import LEASES, redis_client
from worker.runtime.celery_worker import run_celery_worker
from worker.runtime.periodic import run_periodically
from worker.runtime.tasks import list_periodic_tasks, register_tasks
from worker.services import Services
from worker.settings import Settings

PLATFORM: Final = "discord"
LEASE_S: Final = 5.0
PERIOD_S: Final = 2.0
UNLIMITED: Final = "1000000/minute"


def _load_fake(*_: object) -> ModelEncoder:
    return cast(ModelEncoder, FakeEncoder())


def _refuse_training(*_: object) -> NoReturn:
    raise NotImplementedError


def run_worker(queue: str) -> None:
    """Run a worker like `worker.runtime.process.run_worker`, with the fakes."""
    settings, stopping = Settings(), threading.Event()
    assert settings.redis_url is not None
    app = make_app(settings)
    recognizers = make_fake_recognizers()
    with closing(Services(settings, app, stopping, _load_fake, _refuse_training, recognizers)) as services:
        redis = redis_client(settings.redis_url.get_secret_value(), LEASES)
        services.leases = JobLeases(RedisLeaseStore(redis), LEASE_S)
        register_tasks(app, services)
        with run_periodically(list_periodic_tasks(services, [queue]), PERIOD_S):
            run_celery_worker(app, [queue], lambda: None, stopping)


class FileResponder:
    """Writes one line per reply, complete or not at all, as a platform accepts a message or does not."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def show(self, request: ChatRequest, reply: Reply) -> None:
        is_last = not isinstance(reply, IndexingProgress | TrainingProgress) or reply.is_final
        line = {"request": request.id, "kind": type(reply).__name__, "is_last": is_last} | _select_fields(reply)
        os.write(self._file, json.dumps(line).encode() + b"\n")


def _select_fields(reply: Reply) -> dict[str, Any]:
    fields = asdict(reply)
    return {key: fields[key] for key in ("lines", "code", "correlation_id", "links", "text") if key in fields}


async def run_frontend(replies_file: Path) -> None:
    """Serve each request that comes as a line of JSON."""
    settings = Settings()
    assert settings.redis_url is not None
    redis_url = settings.redis_url.get_secret_value()
    responder, lines = FileResponder(replies_file), asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with (
        connect_client(settings) as client,
        open_chat_stores(redis_url, UNLIMITED, UNLIMITED, lease_ttl_s=LEASE_S) as stores,
        asyncio.TaskGroup() as group,
    ):
        chat = ChatService(client, stores, recovery_interval_s=PERIOD_S)
        async with chat.recover_requests(PLATFORM, responder):
            async for line in lines:
                group.create_task(chat.serve(CHAT_REQUEST.validate_json(line), responder))


def main() -> None:
    kind, argument = sys.argv[1:]
    configure_logging(Settings(), to_file=False)
    if kind == "worker":
        run_worker(argument)
    else:
        asyncio.run(run_frontend(Path(argument)))


if __name__ == "__main__":
    main()
