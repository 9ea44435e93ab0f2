"""Check that memory stays flat under mixed work, with real servers and worker processes with the starter preset.

    python -m benchmarks.soak [--minutes 30] [--seed 0] [--csv FILE] [--plot FILE]

Three spaces search, submit, remove, vote and list their library without pause, and keep their libraries at one size.
Every 5 s memory, open files and keys are recorded. After the warm-up (a third of the time) a line is fitted to each
memory; the exit status is 1 if one grows by more than its bound. REELSEEK_TEST_QDRANT names the Qdrant binary.
"""

import argparse
import asyncio
import csv
import random
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import redis
from matplotlib.figure import Figure

from tests.support.indexer.clips import write_clip
from tests.support.servers.processes import REELSEEK, SIGNING_KEY, Process, run_process
from tests.support.servers.qdrant import qdrant_binary
from tests.support.servers.site import Site, run_site
from tests.support.servers.stores import StoreServers
from worker.client.queue_client import connect_client
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.library import Forget, ListLibrary, Submit
from worker.protocol.search import Find, RecordVote
from worker.protocol.updates import Indexed
from worker.settings import Settings

SAMPLE_INTERVAL_S: Final = 5.0
WARM_UP: Final = 1 / 3
"""Share of the run during which caches may grow."""
LIBRARY_SIZE: Final = 20
"""Videos in each space's library."""
SPACES: Final = tuple(Caller(space=f"local:{name}", user_id=name) for name in ("ann", "bob", "eve"))
WORDS: Final = ("a red picture", "something green", "a ball on blue", "개", "a street with bicycles", "一个球")

MAX_GROWTH_MB_PER_HOUR: Final[Mapping[str, float]] = {"search": 20, "index": 20, "redis": 5, "qdrant": 100}
"""Allowed growth. Qdrant's segments and mapped files come and go in steps of tens of megabytes."""


@dataclass
class Installation:
    servers: StoreServers
    workers: Mapping[str, Process]
    processes: Mapping[str, psutil.Process]


@dataclass
class Work:
    """The work that was done, and the links of each space."""

    site: Site
    files: Sequence[bytes]
    rng: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    links: dict[str, deque[str]] = field(default_factory=dict)
    _number: int = 0

    def new_link(self) -> str:
        self._number += 1
        return self.site.put(f"/{self._number}.mp4", self.rng.choice(self.files), kind="video/mp4")

    def stop_serving(self, link: str) -> None:
        self.site.handlers.pop(link.removeprefix(self.site.base), None)


@contextmanager
def run_installation(folder: Path) -> Iterator[Installation]:
    """Start servers and workers as operators do."""
    servers = StoreServers(folder, qdrant_binary())
    data = folder / "data"
    data.mkdir()
    before = {child.pid for child in psutil.Process().children()}
    with ExitStack() as stack:
        stack.callback(servers.stop_all)
        servers.start("redis")
        servers.start("qdrant")
        started = [child for child in psutil.Process().children() if child.pid not in before]
        environment = servers.environment
        workers = {
            queue: stack.enter_context(run_process([REELSEEK, "worker", "--queues", queue], data, **environment))
            for queue in ("search", "index")
        }
        for worker in workers.values():
            worker.wait_for("worker.ready")
        processes = {queue: psutil.Process(worker.popen.pid) for queue, worker in workers.items()}
        processes |= {name: each for name in ("redis", "qdrant") for each in started if name in each.name()}
        yield Installation(servers, workers, processes)


# ---- the work ----


async def do_one(client: Any, work: Work, caller: Caller) -> None:
    """Let a person of this space do one thing."""
    links = work.links.setdefault(caller.space, deque())
    action = work.rng.choices(("find", "submit", "vote", "library"), (10, 1, 2, 2))[0]
    if action == "submit":
        await submit(client, work, caller)
        while len(links) > LIBRARY_SIZE:
            link = links.popleft()
            await client.call(Forget(caller=caller, link=link))
            work.stop_serving(link)
            work.counts["forget"] += 1
    elif action == "library":
        await client.call(ListLibrary(caller=caller, limit=10))
    else:
        words = work.rng.choice(WORDS)
        found = await client.call(Find(caller=caller, queries=(words,)))
        if action == "vote" and found.hits:
            kind = work.rng.choice(("up", "down"))
            await client.call(RecordVote(caller=caller, queries=(words,), moment_id=found.hits[0].moment_id, kind=kind))
    work.counts[action] += 1


async def submit(client: Any, work: Work, caller: Caller) -> None:
    link = work.new_link()
    submitted = await client.call(Submit(caller=caller, link=link))
    async for update in client.follow(submitted.job_id):
        if isinstance(update, Indexed):
            work.links[caller.space].append(link)


async def keep_working(client: Any, work: Work, caller: Caller, pause_s: float) -> None:
    while True:
        try:
            await do_one(client, work, caller)
        except CallFailedError as failed:
            work.counts[f"refused: {failed.code}"] += 1
        await asyncio.sleep(pause_s)


# ---- measurement ----


def sample(installation: Installation, connection: redis.Redis) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, process in installation.processes.items():
        row[f"{name}_rss_mb"] = process.memory_info().rss / 1e6
        row[f"{name}_children_mb"] = sum(map(_rss, process.children(recursive=True))) / 1e6
        row[f"{name}_fds"] = process.num_fds()
    info = connection.info("memory")
    row["redis_used_mb"] = info["used_memory"] / 1e6
    row["redis_keys"] = connection.dbsize()
    return row


def _rss(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_info().rss)
    return 0


async def measure(installation: Installation, work: Work, seconds: float) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    settings = {"redis_url": installation.servers.redis_url, "signing_key": SIGNING_KEY}
    start_s = time.monotonic()
    with redis.Redis.from_url(settings["redis_url"]) as connection:
        async with connect_client(Settings.model_validate(settings)) as client:
            tasks = [asyncio.create_task(keep_working(client, work, caller, 0.5)) for caller in SPACES]
            while (at_s := time.monotonic() - start_s) < seconds and not any(task.done() for task in tasks):
                rows.append({"at_s": round(at_s, 1)} | await asyncio.to_thread(sample, installation, connection))
                await asyncio.sleep(SAMPLE_INTERVAL_S)
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(ended, asyncio.CancelledError):
                    raise ended  # type: ignore[misc]
    return rows


def fit_growth_mb_per_hour(rows: Sequence[Mapping[str, float]], column: str) -> float:
    """Return the slope of a line that is fitted to the samples after the warm-up."""
    kept = [row for row in rows if row["at_s"] >= rows[-1]["at_s"] * WARM_UP]
    return float(3600 * np.polyfit([row["at_s"] for row in kept], [row[column] for row in kept], 1)[0])


def report(rows: Sequence[Mapping[str, float]], work: Work) -> bool:
    """Print the work and the course of memory. Returns whether all growth is within its bound."""
    print(", ".join(f"{count} {what}" for what, count in sorted(work.counts.items())))
    is_flat = True
    for name, bound in MAX_GROWTH_MB_PER_HOUR.items():
        column = f"{name}_rss_mb"
        slope = fit_growth_mb_per_hour(rows, column)
        is_flat &= slope <= bound
        peak = max(row[column] for row in rows)
        print(
            f"{name:7} {rows[0][column]:7.1f} MB at the start, {rows[-1][column]:7.1f} MB at the end, "
            f"{peak:7.1f} MB peak, {slope:+7.1f} MB/h (bound {bound:.0f}); "
            f"{rows[0][f'{name}_fds']:.0f} open files at the start, {rows[-1][f'{name}_fds']:.0f} at the end"
        )
    print(
        f"redis holds {rows[-1]['redis_used_mb']:.1f} MB in {rows[-1]['redis_keys']:.0f} keys, "
        f"{fit_growth_mb_per_hour(rows, 'redis_used_mb'):+.1f} MB/h"
    )
    return is_flat


def plot(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw memory by process, and the keys in Redis."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    memory, keys = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    minutes = [row["at_s"] / 60 for row in rows]
    for name in MAX_GROWTH_MB_PER_HOUR:
        slope = fit_growth_mb_per_hour(rows, f"{name}_rss_mb")
        memory.plot(minutes, [row[f"{name}_rss_mb"] for row in rows], label=f"{name} ({slope:+.0f} MB/h)")
    memory.axvspan(0, minutes[-1] * WARM_UP, color="0.93", label="warm-up")
    memory.set(ylabel="resident memory, MB", ylim=(0, None), title="Mixed work of three spaces")
    memory.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    keys.plot(minutes, [row["redis_keys"] for row in rows], color="0.3")
    keys.set(ylabel="keys in Redis", xlabel="minutes", ylim=(0, None))
    for axes in (memory, keys):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, default=Path("soak.csv"))
    parser.add_argument("--plot", type=Path, default=Path("docs/measurements/soak.png"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, run_site() as site:
        folder = Path(temporary)
        pairs = (("red", "green"), ("blue",), ("green", "blue"), ("red",))
        files = [write_clip(folder / f"{n}.mp4", *colours).read_bytes() for n, colours in enumerate(pairs)]
        work = Work(site, files, random.Random(arguments.seed))
        with run_installation(folder) as installation:
            rows = asyncio.run(measure(installation, work, 60 * arguments.minutes))
    with arguments.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    plot(rows, arguments.plot)
    sys.exit(0 if report(rows, work) else 1)


if __name__ == "__main__":
    main()
