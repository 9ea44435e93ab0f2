"""The embedded form: queues, workers and data in one process."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager

from celery import Celery
from filelock import FileLock, Timeout
from pydantic import SecretStr

from indexer.blobs import BlobStore
from worker.client.queue_client import QueueClient
from worker.models.cache import ModelCache
from worker.models.loading import ModelLoader, load_preset, train_preset
from worker.protocol.queues import QUEUES
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.queue.task_states import MemoryTaskStates
from worker.runtime.celery_worker import run_worker_threads
from worker.runtime.periodic import run_periodically
from worker.runtime.tasks import list_periodic_tasks, register_tasks
from worker.services import Services
from worker.settings import Settings


class DataFolderInUseError(Exception):
    """Another process owns this data folder."""


@asynccontextmanager
async def run_embedded_worker(settings: Settings, load: ModelLoader = load_preset) -> AsyncIterator[QueueClient]:
    """Lock the data folder and run workers of all queues until the block ends. Yields a client of them.

    Raises `DataFolderInUseError`.
    """
    workers = _run_workers(settings, load)
    starting = asyncio.ensure_future(asyncio.to_thread(workers.__enter__))
    try:
        # Shielded: if this is cancelled meanwhile, the threads of the workers must be stopped, too.
        sender, results, models = await asyncio.shield(starting)
        blobs = BlobStore(settings.blobs_address)
        yield QueueClient(sender, MemoryTaskStates(results), blobs, settings, lambda: models.is_loading)
    finally:
        await asyncio.wait({starting})
        if starting.exception() is None:
            await asyncio.to_thread(workers.__exit__, None, None, None)


@contextmanager
def lock_data_folder(settings: Settings) -> Iterator[None]:
    """Own the data folder exclusively until the block ends. Raises `DataFolderInUseError`."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(settings.data_dir / "owner.lock", timeout=0, thread_local=False))
        except Timeout as error:
            raise DataFolderInUseError from error
        yield


@contextmanager
def _run_workers(settings: Settings, load: ModelLoader) -> Iterator[tuple[Celery, MemoryResultStore, ModelCache]]:
    settings = settings.model_copy(update={"signing_key": SecretStr(secrets.token_hex(32))})
    with ExitStack() as stack:
        stack.enter_context(lock_data_folder(settings))
        results, stopping = MemoryResultStore(), threading.Event()
        sender = make_app(settings, results)
        services = stack.enter_context(closing(Services(settings, sender, stopping, load, train_preset)))
        apps = {queue: make_app(settings, results) for queue in QUEUES}
        for app in apps.values():
            register_tasks(app, services)
        stack.enter_context(run_worker_threads(apps, stopping))
        stack.enter_context(run_periodically(list_periodic_tasks(services, QUEUES)))
        yield sender, results, services.models
