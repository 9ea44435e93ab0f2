"""Clients of echo tasks over both kinds of queue, because both must behave alike, and a model server."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from indexer.blobs import BlobStore
from tests.support.servers.model_server import Behaviour, ModelServer, run_model_server
from tests.support.worker.echo_worker_process import EchoQueues, add_echo_tasks, running_echo_process
from worker.client.queue_client import QueueClient
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.queue.task_states import MemoryTaskStates, RedisTaskStates
from worker.runtime.celery_worker import run_worker_threads
from worker.settings import Settings


@pytest.fixture(params=["memory", "redis"])
def queue_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("clean_redis") if request.param == "redis" else None
    return Settings(data_dir=tmp_path, redis_url=url, search_timeout_s=20)


@pytest.fixture(scope="module")
def open_gate_of_process(redis_url: str) -> Iterator[Callable[[], object]]:
    """Run one process for a module's tests, because its start takes a second. Yields what lets a waiting job finish."""
    with running_echo_process(redis_url) as open_gate:
        yield open_gate


@pytest.fixture
def queues(queue_settings: Settings, request: pytest.FixtureRequest) -> Iterator[EchoQueues]:
    results, url = MemoryResultStore(), queue_settings.redis_url
    sender = make_app(queue_settings, results)
    if url is not None:
        yield EchoQueues(sender, results, request.getfixturevalue("open_gate_of_process"))
        return
    gate = threading.Event()
    apps = {queue: make_app(queue_settings, results) for queue in ("search", "index")}
    for app in apps.values():
        add_echo_tasks(app, lambda: gate.wait(30))
    with run_worker_threads(apps, threading.Event()):
        yield EchoQueues(sender, results, gate.set)
        gate.set()


@pytest.fixture
async def client(queues: EchoQueues, queue_settings: Settings) -> AsyncIterator[QueueClient]:
    url = queue_settings.redis_url
    states = RedisTaskStates(url.get_secret_value()) if url else MemoryTaskStates(queues.results)
    yield QueueClient(queues.sender, states, BlobStore(queue_settings.blobs_address), queue_settings)
    await states.close()


@pytest.fixture(scope="module")
def running_model_server() -> Iterator[ModelServer]:
    with run_model_server() as server:
        yield server


@pytest.fixture
def server(running_model_server: ModelServer) -> ModelServer:
    """Return a model server that answers, and that no test of the module has used or changed."""
    running_model_server.behaviour, running_model_server.text = Behaviour.ANSWER, "A dog runs."
    running_model_server.requests.clear()
    running_model_server.keys.clear()
    return running_model_server
