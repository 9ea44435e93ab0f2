"""Clients of toy tasks, over both kinds of queue: what the wire promises must hold on each."""

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from celery import Celery

from indexer.store.blobs import BlobStore
from tests.support.echo_worker_process import toy_tasks
from worker.client.queue_client import QueueClient
from worker.protocol.messages import Caller
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.queue.task_states import MemoryStates, RedisStates
from worker.runtime.celery_worker import threads
from worker.settings import Settings

CALLER = Caller(space="local:test", user_id="ann")


@pytest.fixture(params=["memory", "redis"])
def queue_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("clean_redis") if request.param == "redis" else None
    return Settings(data_dir=tmp_path, redis_url=url, search_timeout_s=20)


@dataclass(frozen=True)
class Queues:
    """Queues with workers on them: a sender, the embedded form's results, and what lets a waiting job go on."""

    sender: Celery
    results: MemoryResultStore
    let_go: Callable[[], object]


@pytest.fixture
def queues(queue_settings: Settings) -> Iterator[Queues]:
    results, url = MemoryResultStore(), queue_settings.redis_url
    sender = make_app(queue_settings, results)
    if url is not None:
        with toy_process(url.get_secret_value()), redis.Redis.from_url(url.get_secret_value()) as connection:
            yield Queues(sender, results, lambda: connection.lpush("gate", "go"))
        return
    gate = threading.Event()
    apps = {queue: make_app(queue_settings, results) for queue in ("search", "index")}
    for app in apps.values():
        toy_tasks(app, lambda: gate.wait(30))
    with threads(apps, threading.Event()):
        yield Queues(sender, results, gate.set)
        gate.set()


@contextmanager
def toy_process(url: str) -> Iterator[None]:
    """A worker of the toy tasks on Redis."""
    command = [sys.executable, "-m", "tests.support.echo_worker_process", url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
async def client(queues: Queues, queue_settings: Settings) -> AsyncIterator[QueueClient]:
    url = queue_settings.redis_url
    states = RedisStates(url.get_secret_value()) if url else MemoryStates(queues.results)
    yield QueueClient(queues.sender, states, BlobStore(queue_settings.blobs_address), queue_settings)
    await states.close()
