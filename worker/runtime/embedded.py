"""The embedded form: queues, workers and data in this one process."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager

from celery import Celery
from filelock import FileLock, Timeout
from pydantic import SecretStr

from indexer.store.blobs import BlobStore
from worker.client.queue_client import QueueClient
from worker.jobs.index import resuming
from worker.model_cache import Load, load_preset, train_preset
from worker.queue.app import QUEUES, make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.queue.task_states import MemoryStates
from worker.runtime.celery_worker import threads
from worker.runtime.tasks import PERIODIC_TASKS, register
from worker.services import Services
from worker.settings import Settings


class DataFolderInUseError(Exception):
    """Another process owns this data folder."""


@asynccontextmanager
async def embedded(settings: Settings, load: Load = load_preset) -> AsyncIterator[QueueClient]:
    """Owns the data folder, works on all queues, and answers, until the block ends. Raises `DataFolderInUseError`."""
    owning = _owning(settings, load)
    sender, results = await asyncio.to_thread(owning.__enter__)
    try:
        yield QueueClient(sender, MemoryStates(results), BlobStore(settings.blobs_address), settings)
    finally:
        await asyncio.to_thread(owning.__exit__, None, None, None)


@contextmanager
def owner_lock(settings: Settings) -> Iterator[None]:
    """Nobody else has this data folder until the block ends. Raises `DataFolderInUseError`."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(settings.data_dir / "owner.lock", timeout=0, thread_local=False))
        except Timeout as error:
            raise DataFolderInUseError from error
        yield


@contextmanager
def _owning(settings: Settings, load: Load) -> Iterator[tuple[Celery, MemoryResultStore]]:
    settings = settings.model_copy(update={"signing_key": SecretStr(secrets.token_hex(32))})
    with ExitStack() as stack:
        stack.enter_context(owner_lock(settings))
        results, stopping = MemoryResultStore(), threading.Event()
        sender = make_app(settings, results)
        services = stack.enter_context(closing(Services(settings, sender, stopping, load, train_preset)))
        apps = {queue: make_app(settings, results) for queue in QUEUES}
        for app in apps.values():
            register(app, services)
        stack.enter_context(threads(apps, stopping))
        stack.enter_context(resuming(services, [round for rounds in PERIODIC_TASKS.values() for round in rounds]))
        yield sender, results
