"""A worker that is told to end gives its job back, and the next one does it at once."""

import asyncio
import fcntl
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from aiohttp import web
from redis.asyncio import Redis

from tests.e2e.conftest import outcome, submitted
from tests.support.clips import clip
from tests.support.fake_encoder_worker import LIGHT
from tests.support.processes import Process, working
from worker.client.queue_client import QueueClient, connect
from worker.protocol.messages import Indexed, Submitted
from worker.settings import Settings


@dataclass
class SlowSite:
    """Sends the first half of a file, and the rest once it is let go."""

    file: Path
    url: str = ""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        content = self.file.read_bytes()
        response = web.StreamResponse(headers={"Content-Type": "video/mp4", "Content-Length": str(len(content))})
        await response.prepare(request)
        if request.method == "GET":
            await response.write(content[: len(content) // 2])
            self.asked.set()
            await self.let_go.wait()
            with suppress(ConnectionError):  # of the worker that is gone
                await response.write(content[len(content) // 2 :])
        return response


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[SlowSite]:
    site = SlowSite(clip(tmp_path / "red.mp4", "red", seconds=3))
    app = web.Application()
    app.router.add_get("/red.mp4", site.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}/red.mp4"
    yield site
    site.let_go.set()
    await runner.cleanup()


async def ended_and_taken_up(
    client: QueueClient, redis_url: str, data: Path, first: Process, answer: Submitted
) -> Indexed:
    """The worker ended in order and gave the job back: it is queued again, nobody's, and the next one does it."""
    assert await asyncio.to_thread(first.wait) == 0
    assert "Traceback" not in first.text
    async with Redis.from_url(redis_url) as redis:
        assert await redis.llen("index") == 1  # type: ignore[misc]
        assert await redis.keys("reelseek:lease:run:*") == []
    with working(LIGHT, redis_url, data):
        done = await outcome(client, answer)
    assert isinstance(done, Indexed)
    return done


async def test_a_worker_in_the_middle_of_a_download_gives_it_back(
    clean_redis: str, tmp_path: Path, site: SlowSite
) -> None:
    """Told twice, it ends in order, with its children, and the next one does the job."""
    data = tmp_path / "data"
    data.mkdir()
    async with connect(Settings(redis_url=clean_redis, data_dir=data)) as client:  # type: ignore[arg-type]
        with working(LIGHT, clean_redis, data) as first:
            answer = await submitted(client, site.url)
            await asyncio.wait_for(site.asked.wait(), 30)
            children = psutil.Process(first.popen.pid).children(recursive=True)
            assert children
            first.popen.send_signal(signal.SIGTERM)
            first.popen.send_signal(signal.SIGTERM)
            await asyncio.to_thread(first.wait)
            assert not [child for child in children if child.is_running()]
            site.let_go.set()
            assert (await ended_and_taken_up(client, clean_redis, data, first, answer)).moments


async def test_a_worker_in_the_middle_of_embedding_gives_it_back(
    clean_redis: str, tmp_path: Path, site: SlowSite
) -> None:
    """It ends in order after the batch at hand, and the next one does the job."""
    data, gate = tmp_path / "data", tmp_path / "gate"
    data.mkdir()
    site.let_go.set()
    async with connect(Settings(redis_url=clean_redis, data_dir=data)) as client:  # type: ignore[arg-type]
        with gate.open("w") as held, working([*LIGHT, str(gate)], clean_redis, data) as first:
            fcntl.flock(held, fcntl.LOCK_EX)
            answer = await submitted(client, site.url)
            await asyncio.to_thread(first.wait_for, "embedding")
            first.popen.send_signal(signal.SIGTERM)
            await asyncio.to_thread(first.wait_for, "worker.stopping")
            fcntl.flock(held, fcntl.LOCK_UN)
            assert (await ended_and_taken_up(client, clean_redis, data, first, answer)).moments
