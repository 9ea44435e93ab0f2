"""Whatever is killed in whichever stage of a retrain: it goes on, and searches are answered or told why not."""

import asyncio
import fcntl
import signal
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.test_outages import Servers, servers
from tests.support.processes import Process, running
from tests.support.toy_model import SIZE, Teacher, load
from tests.worker.jobs.test_retrain import ADMIN, ANN, VIDEOS, share
from worker.client.queue_client import QueueClient, connect
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import CallFailedError, Find, GetStatus, Retrain, RetrainFinished, SearchResults
from worker.queue.app import make_app
from worker.services import Services
from worker.settings import Settings

__all__ = ["servers"]

STAGES = ("train", "evaluate", "embed", "switch")
REFUSALS = {ErrorCode.STORE_UNAVAILABLE, ErrorCode.QUEUE_UNAVAILABLE, ErrorCode.NO_WORKER, ErrorCode.BUSY}
QUESTION = Find(caller=ANN, queries=("number 42 please",))


@dataclass
class Installation:
    """A worker for searches and one for retrains, in a folder, on these servers."""

    servers: Servers
    folder: Path
    stack: ExitStack
    trainer: ExitStack = field(default_factory=ExitStack)
    _gates: dict[str, IO[str]] = field(default_factory=dict)

    @property
    def gates(self) -> Path:
        return self.folder / "gates"

    def close(self, stage: str) -> None:
        """From now on every trainer waits before this stage."""
        self._gates[stage] = gate = (self.gates / stage).open("w")
        fcntl.flock(gate, fcntl.LOCK_EX)

    def open(self, stage: str) -> None:
        self._gates.pop(stage).close()

    def train(self) -> Process:
        """A new train worker; the one there was is killed."""
        self.trainer.close()
        return self.worker("train", self.trainer)

    def worker(self, queue: str, stack: ExitStack) -> Process:
        command = [sys.executable, "-m", "tests.support.retrain_worker_process", queue, str(self.gates)]
        return stack.enter_context(running(command, self.folder, **self.servers.settings))

    def settings(self) -> Settings:
        urls = {name.removeprefix("REELSEEK_").lower(): url for name, url in self.servers.settings.items()}
        return Settings(
            data_dir=self.folder, search_timeout_s=3, redis_url=urls["redis_url"], qdrant_url=urls["qdrant_url"]
        )


@pytest.fixture
def installation(servers: Servers, tmp_path: Path) -> Iterator[Installation]:
    folder = tmp_path / "data"
    (folder / "gates").mkdir(parents=True)
    with ExitStack() as stack:
        made = Installation(servers, folder, stack)
        (made.gates / "gather").touch()
        for stage in STAGES:
            made.close(stage)
        settings = made.settings()
        with closing(Services(settings, make_app(settings), threading.Event(), load, Teacher())) as services:
            services.library.open("base", SIZE, None)
            for number in range(VIDEOS):
                share(services, number)
        made.worker("search", stack).wait_for("worker.ready")
        yield made
        made.trainer.close()


@asynccontextmanager
async def asking(client: QueueClient) -> AsyncIterator[Counter[str]]:
    """Asks one question again and again, and counts what came: the best hit, or the code of the refusal."""
    told: Counter[str] = Counter()

    async def ask() -> None:
        while not enough.is_set():
            told[await answer(client)] += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), 0.2)

    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        yield told
        enough.set()


async def answer(client: QueueClient) -> str:
    try:
        found: SearchResults = await client.call(QUESTION)
    except CallFailedError as failed:
        return failed.code
    return found.hits[0].title


async def seen(process: Process, words: str, times: int = 1) -> None:
    await asyncio.to_thread(process.wait_for, words, 120, times)


async def handed_on(installation: Installation, trainer: Process, stage: str) -> Process:
    """The trainer is told to end in this stage: it does so in order, and another one goes on."""
    await seen(trainer, f"at {stage}")
    trainer.popen.send_signal(signal.SIGTERM)
    await seen(trainer, "worker.stopping")
    installation.open(stage)
    assert await asyncio.to_thread(trainer.wait) == 0
    assert "retrain.given_back" in trainer.text
    assert "Traceback" not in trainer.text
    installation.close(stage)
    return installation.train()


async def outlived(installation: Installation, client: QueueClient, stage: str) -> Process:
    """The trainer was killed before this stage; in it, first Qdrant and then Redis goes and comes back."""
    servers, trainer = installation.servers, installation.train()
    if stage in ("train", "embed"):
        trainer = await handed_on(installation, trainer, stage)
    await seen(trainer, f"at {stage}")
    servers.end("qdrant")
    installation.open(stage)
    await seen(trainer, "retrain.store_away")
    assert await answer(client) == ErrorCode.STORE_UNAVAILABLE
    installation.close(stage)
    before = trainer.text.count(f"at {stage}")
    servers.begin("qdrant")
    await seen(trainer, f"at {stage}", before + 1)
    servers.end("redis")
    assert await answer(client) == ErrorCode.QUEUE_UNAVAILABLE
    installation.open(stage)
    servers.begin("redis")
    return trainer


# redis-py lets go of a connection that was reset without closing its stream.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(480)
async def test_a_retrain_outlives_every_kill(installation: Installation) -> None:
    """In each stage the trainer, Qdrant and Redis are killed in turn, and a trainer is told to end; one retrain ends
    well, and no search breaks.
    """
    async with connect(installation.settings()) as client, asking(client) as told:
        job = (await client.call(Retrain(caller=ADMIN))).job_id
        assert job
        for stage in STAGES:
            trainer = await outlived(installation, client, stage)
        *_, learned = [update async for update in client.follow(job)]
        assert isinstance(learned, RetrainFinished), trainer.text
        assert learned.outcome == "promoted"
        live = (await client.call(GetStatus(caller=ANN))).generation
        assert live.endswith("@discord.1")
        while await answer(client) != "number 42":
            assert not set(told) - REFUSALS - {f"number {number}" for number in range(VIDEOS)}, told
    assert told[ErrorCode.INTERNAL] == 0
