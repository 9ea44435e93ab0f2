"""Faults at each stage of a retrain: it resumes, and searches are answered or get an error message."""

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

from bots.commands.client import Client
from tests.support.model.toy_model import ToyTrainer, load_toy_encoder
from tests.support.servers.processes import Process, run_process
from tests.support.servers.stores import StoreServers
from tests.support.worker.callers import ADMIN, ANN
from tests.support.worker.toy_library import VIDEO_COUNT, fill_library
from worker.client.queue_client import connect_client
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import GetStatus
from worker.protocol.models import Retrain
from worker.protocol.search import Find
from worker.protocol.updates import RetrainFinished
from worker.queue.app import make_app
from worker.services import Services
from worker.settings import Settings

STAGES = ("train", "evaluate", "embed", "switch")
EXPECTED_ERRORS = {ErrorCode.STORE_UNAVAILABLE, ErrorCode.QUEUE_UNAVAILABLE, ErrorCode.NO_WORKER, ErrorCode.BUSY}
QUESTION = Find(caller=ANN, queries=("number 42 please",))


@dataclass
class Installation:
    """A worker for searches and one for retrains with these servers. A trainer waits before each stage with a gate."""

    servers: StoreServers
    folder: Path
    stack: ExitStack
    trainer: ExitStack = field(default_factory=ExitStack)
    _gates: dict[str, IO[str]] = field(default_factory=dict)

    @property
    def gates(self) -> Path:
        return self.folder / "gates"

    def close_gate(self, stage: str) -> None:
        """Let every trainer wait before this stage."""
        self._gates[stage] = gate = (self.gates / stage).open("w")
        fcntl.flock(gate, fcntl.LOCK_EX)

    def open_gate(self, stage: str) -> None:
        self._gates.pop(stage).close()

    def start_trainer(self) -> Process:
        """Kill the present train worker, if there is one, and start another."""
        self.trainer.close()
        return self.start_worker("train", self.trainer)

    def start_worker(self, queue: str, stack: ExitStack) -> Process:
        command = [sys.executable, "-m", "tests.support.worker.retrain_worker_process", queue, str(self.gates)]
        return stack.enter_context(run_process(command, self.folder, **self.servers.environment))

    def settings(self) -> Settings:
        return Settings(
            data_dir=self.folder,
            search_timeout_s=15,  # Redis is tried for some seconds
            redis_url=self.servers.redis_url,
            qdrant_url=self.servers.qdrant_url,
        )


@pytest.fixture
def installation(servers: StoreServers, tmp_path: Path) -> Iterator[Installation]:
    folder = tmp_path / "data"
    (folder / "gates").mkdir(parents=True)
    with ExitStack() as stack:
        installation = Installation(servers, folder, stack)
        (installation.gates / "gather").touch()
        for stage in STAGES:
            installation.close_gate(stage)
        settings = installation.settings()
        app = make_app(settings)
        with closing(Services(settings, app, threading.Event(), load_toy_encoder, ToyTrainer())) as services:
            fill_library(services)
        installation.start_worker("search", stack).wait_for("worker.ready")
        yield installation
        installation.trainer.close()


@asynccontextmanager
async def keep_searching(client: Client) -> AsyncIterator[Counter[str]]:
    """Search again and again during the block, and count the outcomes."""
    outcomes: Counter[str] = Counter()
    is_over = asyncio.Event()

    async def search_repeatedly() -> None:
        while not is_over.is_set():
            outcomes[await search(client)] += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), 0.2)

    async with asyncio.TaskGroup() as group:
        group.create_task(search_repeatedly())
        yield outcomes
        is_over.set()


async def search(client: Client) -> str:
    """Return the title of the best hit, or the error code."""
    try:
        found = await client.call(QUESTION)
    except CallFailedError as failed:
        return failed.code
    return found.hits[0].title


async def wait_for(process: Process, words: str, times: int = 1) -> None:
    await asyncio.to_thread(process.wait_for, words, 120, times)


async def stop_and_replace(installation: Installation, trainer: Process, stage: str) -> Process:
    """Stop the trainer gracefully in this stage, and start another, which resumes the job."""
    await wait_for(trainer, f"at {stage}")
    trainer.popen.send_signal(signal.SIGTERM)
    await wait_for(trainer, "worker.stopping")
    installation.open_gate(stage)
    assert await asyncio.to_thread(trainer.wait) == 0
    assert "retrain.requeued" in trainer.text
    assert "Traceback" not in trainer.text
    installation.close_gate(stage)
    return installation.start_trainer()


async def inflict_faults(installation: Installation, client: Client, stage: str) -> Process:
    """Kill the trainer before this stage; in it, restart Qdrant and then Redis. Returns the new trainer."""
    servers, trainer = installation.servers, installation.start_trainer()
    while await search(client) != "number 42":
        pass  # connections that broke in the stage before
    if stage in ("train", "embed"):
        trainer = await stop_and_replace(installation, trainer, stage)
    await wait_for(trainer, f"at {stage}")
    servers.stop("qdrant")
    installation.open_gate(stage)
    await wait_for(trainer, "retrain.store_unavailable")
    assert await search(client) == ErrorCode.STORE_UNAVAILABLE
    installation.close_gate(stage)
    before = trainer.text.count(f"at {stage}")
    servers.start("qdrant")
    await wait_for(trainer, f"at {stage}", before + 1)
    servers.stop("redis")
    assert await search(client) == ErrorCode.QUEUE_UNAVAILABLE
    installation.open_gate(stage)
    servers.start("redis")
    return trainer


# redis-py drops a connection that was reset without closing its stream.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(480)
async def test_retrain_survives_faults_at_each_stage(installation: Installation) -> None:
    """In each stage the trainer, Qdrant and Redis are killed in turn; one retrain succeeds, and no search breaks."""
    async with connect_client(installation.settings()) as client, keep_searching(client) as outcomes:
        job = (await client.call(Retrain(caller=ADMIN))).job_id
        assert job
        for stage in STAGES:
            trainer = await inflict_faults(installation, client, stage)
        *_, finished = [update async for update in client.follow(job)]
        assert isinstance(finished, RetrainFinished), trainer.text
        assert finished.outcome == "promoted"
        live = (await client.call(GetStatus(caller=ANN))).generation
        assert str(live).endswith("@discord.1")
        while await search(client) != "number 42":
            titles = {f"number {number}" for number in range(VIDEO_COUNT)}
            assert not set(outcomes) - EXPECTED_ERRORS - titles, outcomes
    assert outcomes[ErrorCode.INTERNAL] == 0
