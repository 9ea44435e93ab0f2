"""A thousand searches at once on one search worker, and searches beside a long index backlog.

    REELSEEK_TEST_QDRANT=… python -m benchmarks.load [--asked 1000] [--moments 20000] [--rounds 200] [--backlog 3000]

A Redis and a Qdrant server (the binary that the variable names) of its own, worker processes as operators run them with
the `starter` preset, and a library of synthetic moments in two spaces. Prints how the burst ended, what memory the
worker took, and p50 and p99 of single searches: by turns with the backlog queued and with its queue set aside, and then
with an index worker at work on it on the same machine.
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

from benchmarks.acknowledge import redis as redis_server
from indexer.store.library import Library
from indexer.types import Moment, Vector, Video
from indexer.vectors.qdrant_server import QdrantVectorStore
from model.ports import Encoder
from tests.support.clips import clip
from tests.support.network import free_port
from tests.support.processes import REELSEEK, SIGNING_KEY, Process, running
from tests.support.qdrant import BINARY, qdrant_server
from worker.client.queue_client import QueueClient, connect
from worker.model_cache import load_preset
from worker.ops.logs import configure
from worker.protocol.messages import Caller, CallFailedError, Find, Submit
from worker.settings import Settings

CALLER: Final = Caller(space="discord:1", user_id="ann", is_admin=True)
MOMENTS_A_VIDEO: Final = 10
AT_ONCE: Final = 2
"""Who asks one search after the other."""
TURNS: Final = 10
QUEUE, ASIDE = "index", "benchmark:aside"
SLACK_S: Final = 0.5
"""What this process itself may take to notice that a deadline has passed."""


def unit(rng: np.random.Generator, size: int) -> Vector:
    vector: Vector = rng.normal(size=size).astype(np.float32)
    return vector / np.linalg.norm(vector)


def fill(library: Library, encoder: Encoder, moments: int) -> None:
    rng = np.random.default_rng(0)
    library.open(encoder.generation, encoder.frame_size, encoder.motion_size)
    for number in range(moments // MOMENTS_A_VIDEO):
        video = Video(
            str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))), f"https://videos.example/{number}", f"v{number}"
        )
        services = [
            Moment(
                id=str(uuid.uuid5(uuid.UUID(video.id), str(part))),
                video_id=video.id,
                start_s=8.0 * part,
                end_s=8.0 * part + 8.0,
                thumbnail=None,
                words=f"{video.title} word{rng.integers(5000)}",
                frame=unit(rng, encoder.frame_size),
                motion=None if encoder.motion_size is None else unit(rng, encoder.motion_size),
            )
            for part in range(MOMENTS_A_VIDEO)
        ]
        space = "discord:1" if number % 2 else "discord:2"
        library.submit(video.id, video.link, video.link, space, "ann", datetime.now(UTC))
        library.put_moments(video, services, encoder.generation)


async def search(client: QueueClient, number: int) -> tuple[str, float]:
    """How one search ended, and after how many seconds."""
    began_s = time.perf_counter()
    try:
        await client.call(Find(caller=CALLER, queries=(f"somebody rides bicycle number {number}",), limit=5))
    except CallFailedError as failed:
        return str(failed.code), time.perf_counter() - began_s
    return "answered", time.perf_counter() - began_s


async def one_by_one(client: QueueClient, rounds: int) -> list[float]:
    """Seconds of each search, a few at a time."""

    async def person(first: int) -> list[float]:
        return [(await search(client, number))[1] for number in range(first, rounds, AT_ONCE)]

    return [took_s for took in await asyncio.gather(*map(person, range(AT_ONCE))) for took_s in took]


async def by_turns(client: QueueClient, redis: "Redis[str]", rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of searches without and with the backlog, each in as many rounds; the machine changes for both alike."""
    alone_s, beside_s = [], []
    for _ in range(TURNS):
        await redis.rename(QUEUE, ASIDE)
        alone_s += await one_by_one(client, rounds // TURNS)
        await redis.rename(ASIDE, QUEUE)
        beside_s += await one_by_one(client, rounds // TURNS)
    return alone_s, beside_s


async def burst(client: QueueClient, asked: int, timeout_s: float, worker: Process) -> None:
    before = _memory(worker, "VmRSS")
    ends = await asyncio.gather(*(search(client, number) for number in range(asked)))
    counts = Counter(end for end, _ in ends)
    late = sum(took_s > timeout_s + SLACK_S for _, took_s in ends)
    refused = ", ".join(f"{end} {count}" for end, count in counts.items() if end != "answered") or "0"
    answered_s = [took_s for end, took_s in ends if end == "answered"]
    print(f"{asked} at once: answered {counts['answered']}, refused: {refused}, late {late}")
    print(f"  the last ended after {max(took_s for _, took_s in ends):.1f} s")
    print(f"  answered ones: p50 {np.percentile(answered_s, 50):.1f} s, p99 {np.percentile(answered_s, 99):.1f} s")
    print(f"  worker: {before:.0f} MB before, {_memory(worker, 'VmHWM'):.0f} MB at its peak")


def _memory(worker: Process, name: str) -> float:
    """MB of a process, as Linux counts."""
    lines = Path(f"/proc/{worker.popen.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:"))) / 1000


async def queue_up(client: QueueClient, folder: Path, number: int) -> None:
    """Submits so many links to the same short clip."""
    original = clip(folder / "clip.mp4", "red", "blue", seconds=4)
    for first in range(0, number, 50):
        links = [folder / f"{each}.mp4" for each in range(first, min(first + 50, number))]
        for link in links:
            link.hardlink_to(original)
        submits = [Submit(caller=CALLER, link=link.as_uri(), local_files=True) for link in links]
        await asyncio.gather(*map(client.call, submits))


def told(name: str, took_s: Sequence[float], base_s: Sequence[float]) -> None:
    (p50, p99), (base_p50, base_p99) = np.percentile(took_s, [50, 99]), np.percentile(base_s, [50, 99])
    ratios = f"x {p50 / base_p50:.2f} and x {p99 / base_p99:.2f} of alone"
    print(f"{name:40} p50 {1000 * p50:5.0f} ms, p99 {1000 * p99:5.0f} ms; {ratios}", flush=True)


async def measure(settings: Settings, arguments: argparse.Namespace, folder: Path, given: dict[str, str]) -> None:
    worker = [REELSEEK, "worker", "--queues"]
    async with connect(settings) as client:
        assert isinstance(client, QueueClient)
        with running([*worker, "search"], folder, **given) as searching:
            await asyncio.to_thread(searching.wait_for, "worker.ready")
            await one_by_one(client, 20)
            await burst(client, arguments.asked, settings.search_timeout_s, searching)
            await queue_up(client, folder, arguments.backlog)
            assert settings.redis_url
            async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
                print(f"index backlog: {await redis.llen('index')} jobs")  # type: ignore[misc]
                alone_s, beside_s = await by_turns(client, redis, arguments.rounds)
                told("searches alone", alone_s, alone_s)
                told("with the backlog, nobody at work on it", beside_s, alone_s)
                with running([*worker, "index"], folder, **given) as indexing:
                    await asyncio.to_thread(indexing.wait_for, "worker.ready", 300)
                    told("with an index worker at work on it", await one_by_one(client, arguments.rounds), alone_s)
                    print(f"index backlog: {await redis.llen('index')} jobs left")  # type: ignore[misc]


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
        redis_url = stack.enter_context(redis_server(folder))
        given = {"REELSEEK_REDIS_URL": redis_url, "REELSEEK_QDRANT_URL": qdrant}
        settings = Settings(data_dir=folder, redis_url=redis_url, qdrant_url=qdrant, signing_key=SIGNING_KEY)  # type: ignore[arg-type]
        configure(settings, to_file=True)
        points = QdrantVectorStore(qdrant)
        fill(Library(points), load_preset(settings), arguments.moments)
        points.close()
        asyncio.run(measure(settings, arguments, folder, given))


if __name__ == "__main__":
    main()
