"""Graceful shutdown of workers: a worker returns its job to the queue, and the next one does it at once."""

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

from bots.commands.client import Client
from tests.support.indexer.clips import write_clip
from tests.support.servers.app_server import serve_app
from tests.support.servers.processes import Process, run_worker
from tests.support.worker.fake_encoder_worker import FAKE_ENCODER_WORKER
from tests.support.worker.submissions import submit, wait_for_outcome
from worker.client.queue_client import connect_client
from worker.protocol.library import Submitted
from worker.protocol.updates import Indexed
from worker.settings import Settings


@dataclass
class SlowSite:
    """Sends the first half of a file at once, and the second half after `may_finish` is set."""

    file: Path
    url: str = ""
    was_requested: asyncio.Event = field(default_factory=asyncio.Event)
    may_finish: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        content = self.file.read_bytes()
        response = web.StreamResponse(headers={"Content-Type": "video/mp4", "Content-Length": str(len(content))})
        await response.prepare(request)
        if request.method == "GET":
            await response.write(content[: len(content) // 2])
            self.was_requested.set()
            await self.may_finish.wait()
            with suppress(ConnectionError):  # the worker has stopped
                await response.write(content[len(content) // 2 :])
        return response


@pytest.fixture
async def slow_site(tmp_path: Path) -> AsyncIterator[SlowSite]:
    site = SlowSite(write_clip(tmp_path / "red.mp4", "red", seconds=3))
    app = web.Application()
    app.router.add_get("/red.mp4", site.answer)
    async with serve_app(app) as port:
        site.url = f"http://127.0.0.1:{port}/red.mp4"
        yield site
        site.may_finish.set()


async def finish_with_next_worker(
    client: Client, redis_url: str, data: Path, first: Process, submitted: Submitted
) -> Indexed:
    """Check that the first worker ended cleanly and returned its job without a lease; let another worker finish it."""
    assert await asyncio.to_thread(first.wait) == 0
    assert "Traceback" not in first.text
    async with Redis.from_url(redis_url) as redis:
        assert await redis.llen("index") == 1
        assert await redis.keys("reelseek:lease:run:*") == []
    with run_worker(FAKE_ENCODER_WORKER, redis_url, data):
        done = await wait_for_outcome(client, submitted)
    assert isinstance(done, Indexed)
    return done


async def test_worker_stopped_during_a_download_returns_its_job(
    clean_redis: str, tmp_path: Path, slow_site: SlowSite
) -> None:
    """A second SIGTERM changes nothing, and no child process survives."""
    data = tmp_path / "data"
    data.mkdir()
    async with connect_client(Settings(redis_url=clean_redis, data_dir=data)) as client:
        with run_worker(FAKE_ENCODER_WORKER, clean_redis, data) as first:
            submitted = await submit(client, slow_site.url)
            await asyncio.wait_for(slow_site.was_requested.wait(), 30)
            children = psutil.Process(first.popen.pid).children(recursive=True)
            assert children
            first.popen.send_signal(signal.SIGTERM)
            first.popen.send_signal(signal.SIGTERM)
            await asyncio.to_thread(first.wait)
            assert not [child for child in children if child.is_running()]
            slow_site.may_finish.set()
            assert (await finish_with_next_worker(client, clean_redis, data, first, submitted)).moments


async def test_worker_stopped_during_embedding_returns_its_job(
    clean_redis: str, tmp_path: Path, slow_site: SlowSite
) -> None:
    """The worker ends after the current batch."""
    data, gate_path = tmp_path / "data", tmp_path / "gate"
    data.mkdir()
    slow_site.may_finish.set()
    command = [*FAKE_ENCODER_WORKER, str(gate_path)]
    async with connect_client(Settings(redis_url=clean_redis, data_dir=data)) as client:
        with gate_path.open("w") as gate, run_worker(command, clean_redis, data) as first:
            fcntl.flock(gate, fcntl.LOCK_EX)
            submitted = await submit(client, slow_site.url)
            await asyncio.to_thread(first.wait_for, "embedding")
            first.popen.send_signal(signal.SIGTERM)
            await asyncio.to_thread(first.wait_for, "worker.stopping")
            fcntl.flock(gate, fcntl.LOCK_UN)
            assert (await finish_with_next_worker(client, clean_redis, data, first, submitted)).moments
