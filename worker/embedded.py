"""The embedded form: queues, workers and data in this one process."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager

from celery import Celery
from filelock import FileLock, Timeout
from pydantic import SecretStr

from indexer.blobs import Blobs
from worker.app import QUEUES, make_app
from worker.client import QueueClient
from worker.compose import Parts
from worker.jobs import resuming
from worker.memory import Results
from worker.models import Load, load_preset, train_preset
from worker.running import threads
from worker.settings import Settings
from worker.states import MemoryStates
from worker.tasks import ROUNDS, register


class InUse(Exception):
    """Another process owns this data folder."""


@asynccontextmanager
async def embedded(settings: Settings, load: Load = load_preset) -> AsyncIterator[QueueClient]:
    """Owns the data folder, works on all queues, and answers, until the block ends. Raises `InUse`."""
    owning = _owning(settings, load)
    sender, results = await asyncio.to_thread(owning.__enter__)
    try:
        yield QueueClient(sender, MemoryStates(results), Blobs(settings.blobs_address), settings)
    finally:
        await asyncio.to_thread(owning.__exit__, None, None, None)


@contextmanager
def _owning(settings: Settings, load: Load) -> Iterator[tuple[Celery, Results]]:
    settings = settings.model_copy(update={"signing_key": SecretStr(secrets.token_hex(32))})
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(settings.data_dir / "owner.lock", timeout=0, thread_local=False))
        except Timeout as error:
            raise InUse from error
        results, stopping = Results(), threading.Event()
        sender = make_app(settings, results)
        parts = stack.enter_context(closing(Parts(settings, sender, stopping, load, train_preset)))
        apps = {queue: make_app(settings, results) for queue in QUEUES}
        for app in apps.values():
            register(app, parts)
        stack.enter_context(threads(apps, stopping))
        stack.enter_context(resuming(parts, [round for rounds in ROUNDS.values() for round in rounds]))
        yield sender, results
