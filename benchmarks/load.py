"""Measure a thousand searches at once on one search worker, and searches during a long index backlog.

    REELSEEK_TEST_QDRANT=… python -m benchmarks.load [--asked 1000] [--moments 20000] [--rounds 200] [--backlog 3000]

Runs a Redis, a Qdrant server (the binary that the variable names) and worker processes with the `starter` preset, with
a library of synthetic moments in two spaces. Prints the outcomes of the burst, the memory of the worker, and p50 and
p99 of single searches: alternately with the backlog queued and with its queue renamed, and then with an index worker
that processes it on the same machine.
"""

import argparse
import asyncio
import os
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from redis.asyncio import Redis

from indexer.generation_id import GenerationId
from indexer.store.records import NewSubmission
from indexer.store.stores import Stores, open_stores
from indexer.types import Moment, Vector, Video
from indexer.vectors.qdrant_server import QdrantVectorStore
from model.ports import Encoder
from tests.support.indexer.clips import write_clip
from tests.support.servers.network import free_port
from tests.support.servers.processes import REELSEEK, SIGNING_KEY, Process, run_process
from tests.support.servers.qdrant import BINARY, qdrant_server
from tests.support.servers.redis import running_redis
from worker.client.queue_client import QueueClient, connect_client
from worker.models.loading import ModelChoice, load_preset
from worker.ops.logs import configure_logging
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.library import Submit
from worker.protocol.search import Find
from worker.settings import Settings

CALLER: Final = Caller(space="discord:1", user_id="ann", is_admin=True)
MOMENTS_PER_VIDEO: Final = 10
CONCURRENT: Final = 2
"""People who send one search after another."""
TURNS: Final = 10
QUEUE, RENAMED_QUEUE = "index", "benchmark:renamed"
TOLERANCE_S: Final = 0.5
"""Delay of this process in noticing that a deadline has passed."""


def random_unit_vector(rng: np.random.Generator, size: int) -> Vector:
    vector: Vector = rng.normal(size=size).astype(np.float32)
    return vector / np.linalg.norm(vector)


def fill(stores: Stores, encoder: Encoder, moments: int) -> None:
    rng = np.random.default_rng(0)
    generation = GenerationId.parse(encoder.generation)
    stores.generations.create(generation, encoder)
    for number in range(moments // MOMENTS_PER_VIDEO):
        video = Video(
            str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))), f"https://videos.example/{number}", f"v{number}"
        )
        of_video = [
            Moment(
                id=str(uuid.uuid5(uuid.UUID(video.id), str(part))),
                video_id=video.id,
                start_s=8.0 * part,
                end_s=8.0 * part + 8.0,
                thumbnail=None,
                words=f"{video.title} word{rng.integers(5000)}",
                frame=random_unit_vector(rng, encoder.frame_size),
                motion=None if encoder.motion_size is None else random_unit_vector(rng, encoder.motion_size),
            )
            for part in range(MOMENTS_PER_VIDEO)
        ]
        space = "discord:1" if number % 2 else "discord:2"
        submission = NewSubmission(video.id, video.link, video.link, space, "ann", datetime.now(UTC))
        stores.submissions.submit(submission)
        stores.publisher.publish_moments(video, of_video, generation)


async def search(client: QueueClient, number: int) -> tuple[str, float]:
    """Return the outcome of one search and its duration in seconds."""
    start_s = time.perf_counter()
    try:
        await client.call(Find(caller=CALLER, queries=(f"a person rides bicycle number {number}",), limit=5))
    except CallFailedError as failed:
        return str(failed.code), time.perf_counter() - start_s
    return "answered", time.perf_counter() - start_s


async def search_repeatedly(client: QueueClient, rounds: int) -> list[float]:
    """Return the duration of each search in seconds, with `CONCURRENT` searches at a time."""

    async def person(first: int) -> list[float]:
        return [(await search(client, number))[1] for number in range(first, rounds, CONCURRENT)]

    return [duration_s for took in await asyncio.gather(*map(person, range(CONCURRENT))) for duration_s in took]


async def search_alternately(client: QueueClient, redis: Redis, rounds: int) -> tuple[list[float], list[float]]:
    """Return durations of searches without and with the backlog, in turns, so that both see the same machine."""
    alone_s, with_backlog_s = [], []
    for _ in range(TURNS):
        await redis.rename(QUEUE, RENAMED_QUEUE)
        alone_s += await search_repeatedly(client, rounds // TURNS)
        await redis.rename(RENAMED_QUEUE, QUEUE)
        with_backlog_s += await search_repeatedly(client, rounds // TURNS)
    return alone_s, with_backlog_s


async def measure_burst(client: QueueClient, number: int, timeout_s: float, worker: Process) -> None:
    before = _memory(worker, "VmRSS")
    ends = await asyncio.gather(*(search(client, n) for n in range(number)))
    counts = Counter(end for end, _ in ends)
    late = sum(duration_s > timeout_s + TOLERANCE_S for _, duration_s in ends)
    refused = ", ".join(f"{end} {count}" for end, count in counts.items() if end != "answered") or "0"
    answered_s = [duration_s for end, duration_s in ends if end == "answered"]
    print(f"{number} at once: answered {counts['answered']}, refused: {refused}, late {late}")
    print(f"  the last ended after {max(duration_s for _, duration_s in ends):.1f} s")
    print(f"  answered ones: p50 {np.percentile(answered_s, 50):.1f} s, p99 {np.percentile(answered_s, 99):.1f} s")
    print(f"  worker: {before:.0f} MB before, {_memory(worker, 'VmHWM'):.0f} MB at its peak")


def _memory(worker: Process, name: str) -> float:
    """Return a memory field of the process's /proc status in MB."""
    lines = Path(f"/proc/{worker.popen.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:"))) / 1000


async def submit_backlog(client: QueueClient, folder: Path, number: int) -> None:
    """Submit that many links to copies of a short clip."""
    original = write_clip(folder / "clip.mp4", "red", "blue", seconds=4)
    for first in range(0, number, 50):
        links = [folder / f"{each}.mp4" for each in range(first, min(first + 50, number))]
        for link in links:
            link.hardlink_to(original)
        submits = [Submit(caller=CALLER, link=link.as_uri(), local_files=True) for link in links]
        await asyncio.gather(*map(client.call, submits))


def print_durations(name: str, duration_s: Sequence[float], base_s: Sequence[float]) -> None:
    (p50, p99), (base_p50, base_p99) = np.percentile(duration_s, [50, 99]), np.percentile(base_s, [50, 99])
    ratios = f"x {p50 / base_p50:.2f} and x {p99 / base_p99:.2f} of alone"
    print(f"{name:40} p50 {1000 * p50:5.0f} ms, p99 {1000 * p99:5.0f} ms; {ratios}", flush=True)


async def measure(settings: Settings, arguments: argparse.Namespace, folder: Path, given: dict[str, str]) -> None:
    worker = [REELSEEK, "worker", "--queues"]
    async with connect_client(settings) as client:
        assert isinstance(client, QueueClient)
        with run_process([*worker, "search"], folder, **given) as searching:
            await asyncio.to_thread(searching.wait_for, "worker.ready")
            await search_repeatedly(client, 20)
            await measure_burst(client, arguments.asked, settings.search_timeout_s, searching)
            await submit_backlog(client, folder, arguments.backlog)
            assert settings.redis_url
            async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
                print(f"index backlog: {await redis.llen('index')} jobs")
                alone_s, with_backlog_s = await search_alternately(client, redis, arguments.rounds)
                print_durations("searches alone", alone_s, alone_s)
                print_durations("with the backlog, without an index worker", with_backlog_s, alone_s)
                with run_process([*worker, "index"], folder, **given) as indexing:
                    await asyncio.to_thread(indexing.wait_for, "worker.ready", 300)
                    print_durations(
                        "with the backlog and an index worker",
                        await search_repeatedly(client, arguments.rounds),
                        alone_s,
                    )
                    print(f"index backlog: {await redis.llen('index')} jobs left")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asked", type=int, default=1000)
    parser.add_argument("--moments", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--backlog", type=int, default=3000)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "qdrant").mkdir()
        qdrant = stack.enter_context(qdrant_server(os.environ[BINARY], folder / "qdrant", free_port()))
        (folder / "redis").mkdir()
        redis_url = stack.enter_context(running_redis(folder / "redis", appendfsync="everysec")).url
        given = {"REELSEEK_REDIS_URL": redis_url, "REELSEEK_QDRANT_URL": qdrant}
        settings = Settings(data_dir=folder, redis_url=redis_url, qdrant_url=qdrant, signing_key=SIGNING_KEY)
        configure_logging(settings, to_file=True)
        points = QdrantVectorStore(qdrant)
        fill(open_stores(points), load_preset(settings, ModelChoice(settings.preset)), arguments.moments)
        points.close()
        asyncio.run(measure(settings, arguments, folder, given))


if __name__ == "__main__":
    main()
