"""Whatever is killed in whichever stage of a retrain: it goes on, and searches are answered or told why not."""

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.whole.processes import Process, running
from tests.whole.test_outages import Servers, servers
from tests.worker.school import SIZE, Teacher, load
from tests.worker.test_retraining import ADMIN, ANN, VIDEOS, share
from worker.app import make_app
from worker.client import QueueClient, connect
from worker.codes import Code
from worker.compose import Parts
from worker.messages import CallFailed, Failed, Find, Found, Learned, Retrain, Status, Update
from worker.settings import Settings

__all__ = ["servers"]

STAGES = ("train", "evaluate", "embed", "switch")
REFUSALS = {Code.STORE_UNAVAILABLE, Code.QUEUE_UNAVAILABLE, Code.NO_WORKER, Code.BUSY}
QUESTION = Find(asker=ANN, queries=("number 42 please",))


@dataclass
class Installation:
    """A worker for searches and one for retrains, in a folder, on these servers."""

    servers: Servers
    folder: Path
    stack: ExitStack
    trainer: ExitStack = field(default_factory=ExitStack)

    @property
    def gates(self) -> Path:
        return self.folder / "gates"

    def train(self) -> Process:
        """A new train worker; the one there was is killed."""
        self.trainer.close()
        return self.worker("train", self.trainer)

    def worker(self, queue: str, stack: ExitStack) -> Process:
        command = [sys.executable, "-m", "tests.worker.pupil", queue, str(self.gates)]
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
        settings = made.settings()
        with closing(Parts(settings, make_app(settings), threading.Event(), load, Teacher())) as parts:
            parts.library.open("base", SIZE, None)
            for number in range(VIDEOS):
                share(parts, number)
        made.worker("search", stack).wait_for("worker.ready")
        yield made
        made.trainer.close()


@asynccontextmanager
async def asking(client: QueueClient) -> AsyncIterator[Counter[str]]:
    """Asks one question again and again, and counts what came: the best hit, or the code of the refusal."""
    told: Counter[str] = Counter()

    async def ask() -> None:
        while True:
            told[await answer(client)] += 1
            await asyncio.sleep(0.2)

    task = asyncio.create_task(ask())
    yield told
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def answer(client: QueueClient) -> str:
    try:
        found: Found = await client.call(QUESTION)
    except CallFailed as failed:
        return failed.code
    return found.hits[0].title


async def seen(process: Process, words: str, times: int = 1, timeout_s: float = 120) -> None:
    """Waits until the process has said `words` so often."""
    deadline_s = time.monotonic() + timeout_s
    while process.text.count(words) < times:
        assert time.monotonic() < deadline_s, f"{words!r} {times} times:\n{process.text}"
        await asyncio.sleep(0.05)


async def outlived(installation: Installation, client: QueueClient, stage: str) -> Process:
    """The trainer was killed before this stage; in it, first Qdrant and then Redis goes and comes back."""
    gate, servers, trainer = installation.gates / stage, installation.servers, installation.train()
    await seen(trainer, f"at {stage}")
    servers.end("qdrant")
    gate.touch()
    await seen(trainer, "retrain.store_away")
    assert await answer(client) == Code.STORE_UNAVAILABLE
    gate.unlink()
    before = trainer.text.count(f"at {stage}")
    servers.begin("qdrant")
    await seen(trainer, f"at {stage}", before + 1)
    servers.end("redis")
    assert await answer(client) == Code.QUEUE_UNAVAILABLE
    gate.touch()
    servers.begin("redis")
    return trainer


async def ended(client: QueueClient, job: str) -> Update:
    """The job's last update, followed anew where Redis went away meanwhile."""
    while True:
        *_, last = [update async for update in client.follow(job)]
        if not (isinstance(last, Failed) and last.code is Code.QUEUE_UNAVAILABLE):
            return last
        await asyncio.sleep(0.2)


# redis-py lets go of a connection that was reset without closing its stream.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(480)
async def test_a_retrain_outlives_every_kill(installation: Installation) -> None:
    """In each stage the trainer, Qdrant and Redis are killed in turn; one retrain ends well, and no search breaks."""
    async with connect(installation.settings()) as client, asking(client) as told:
        (installation.gates / "gather").touch()
        job = (await client.call(Retrain(asker=ADMIN))).job_id
        assert job
        for stage in STAGES:
            trainer = await outlived(installation, client, stage)
        learned = await ended(client, job)
        assert isinstance(learned, Learned), trainer.text
        assert learned.outcome == "promoted"
        live = (await client.call(Status(asker=ANN))).generation
        assert live.endswith("@discord.1")
        while await answer(client) != "number 42":
            assert not set(told) - REFUSALS - {f"number {number}" for number in range(VIDEOS)}, told
    assert told[Code.INTERNAL] == 0
