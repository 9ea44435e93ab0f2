"""Inflict faults on a small installation, and check that no acknowledged work is lost or done twice.

    python -m benchmarks.faults [--jobs 500] [--seed N] [--keep FOLDER]

Real Redis (append-only file), a real Qdrant server, real worker processes (one `search`, two `index`, one `enrich`) and
one frontend, which fetch and decode small clips from a local site. Three spaces submit JOBS links, some of them several
times and some of them broken, and remove some again. Meanwhile processes and servers are killed at all stages. Then the
faults end, and all stores are compared with the requests and their answers. REELSEEK_TEST_QDRANT names the Qdrant
binary. Ends with status 1 if a promise of docs/faults.md was broken.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from redis import RedisError
from redis.asyncio import Redis

from bots.commands.client import Client
from indexer.store.records import RECORDS
from indexer.store.videos import ENRICHMENT_DUE
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.vector_store import Filter
from tests.support.faults.check import Ledger, find_differences, read_stores
from tests.support.faults.clips import make_clips
from tests.support.faults.plan import FAULTS, Action, Fault, Plan, make_plan, serve_links
from tests.support.faults.processes import LEASE_S
from tests.support.faults.requests import Requests
from tests.support.faults.world import OWN_NAMESPACE, QUEUES, World
from tests.support.servers.processes import SIGNING_KEY
from tests.support.servers.qdrant import qdrant_binary
from tests.support.servers.site import run_site
from tests.support.servers.stores import StoreServers
from worker.client.queue_client import connect_client
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.library import Forget, Submit
from worker.settings import Settings

CONCURRENT_REQUESTS: Final = 30
"""Enough for a queue to form."""
FILES: Final = 25
SEARCH_TIMEOUT_S: Final = 10.0
STAGE_TIMEOUT_S: Final = 8.0
SETTLE_TIMEOUT_S: Final = 180.0
RETRYABLE_CODES: Final = ("no_worker", "queue_unavailable", "store_unavailable", "disk_full", "busy", "internal")
"""After one of these, the simulated user tries again."""


@dataclass
class Run:
    """One run: simulated users, faults, and the end in which all work must finish."""

    plan: Plan
    links: list[str]
    world: World
    client: Client
    requests: Requests
    ledger: Ledger
    completed: int = 0
    _completed_one: asyncio.Event = field(default_factory=asyncio.Event)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENT_REQUESTS))
    _submissions: dict[tuple[str, int], list[asyncio.Task[None]]] = field(default_factory=lambda: defaultdict(list))

    # ---- simulated users ----

    async def act_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for action in self.plan.actions:
                await self._slots.acquire()
                task = group.create_task(self._act(action))
                if action.kind == "index":
                    for link in action.links:
                        self._submissions[action.space, link].append(task)

    async def _act(self, action: Action) -> None:
        run: dict[str, Callable[[Action], Awaitable[None]]] = {
            "index": self._index,
            "remove": self._remove,
            "find": self._find,
            "index and remove": self._index_and_remove,
        }
        if action.kind == "remove":
            self._slots.release()
            await asyncio.gather(*self._submissions.get((action.space, action.links[0]), ()))
            await self._slots.acquire()
        await run[action.kind](action)
        self._slots.release()
        self.completed += 1
        self._completed_one.set()
        self._completed_one.clear()

    async def _index(self, action: Action) -> None:
        links = list(action.links)
        while links:
            reply = await self.requests.send("index", action.space, links=[self.links[link] for link in links])
            outcomes = {line["link"]: line for line in reply.get("lines", ())}
            failed = []
            for link in links:
                outcome = outcomes.get(self.links[link]) or {"status": "failed", "code": reply.get("code")}
                self.ledger.record_answer(action.space, link, outcome)
                self._count_answer(outcome)
                if outcome["code"] in RETRYABLE_CODES:
                    failed.append(link)
            links = failed
            await asyncio.sleep(1 if links else 0)

    def _count_answer(self, outcome: Any) -> None:
        self.ledger.counts[f"answered {outcome['code'] or 'indexed'}"] += 1
        if outcome["code"] == "internal":
            self.ledger.wrong.append(f"an internal error was reported: {outcome}")

    async def _remove(self, action: Action) -> None:
        while True:
            reply = await self.requests.send("forget", action.space, link=self.links[action.links[0]])
            if reply["kind"] == "Removed" or reply.get("code") == "not_in_library":
                self.ledger.removed.add((action.space, action.links[0]))
                return
            self._count_answer(reply)
            await asyncio.sleep(1)

    async def _find(self, action: Action) -> None:
        reply = await self.requests.send("find", action.space, words="a colour")
        self.ledger.counts["searches answered" if reply["kind"] == "Results" else "searches refused"] += 1

    async def _index_and_remove(self, action: Action) -> None:
        """Submit a link and remove it while it is indexed, both without the frontend."""
        caller, link = Caller(space=action.space, user_id="ann"), self.links[action.links[0]]
        try:
            await self.client.call(Submit(caller=caller, link=link))
        except CallFailedError:
            # An unacknowledged request may still be processed until its message expires.
            await asyncio.sleep(SEARCH_TIMEOUT_S)
        self.ledger.last_answers[action.space, action.links[0]] = {"status": "failed", "code": "removed"}
        await asyncio.sleep(random.Random(link).random() * 2)
        while True:
            try:
                await self.client.call(Forget(caller=caller, link=link))
                break
            except CallFailedError as error:
                if error.code == "not_in_library":
                    break
            await asyncio.sleep(1)
        self.ledger.removed.add((action.space, action.links[0]))

    # ---- faults ----

    async def inflict_all(self) -> None:
        """Spread the faults over the progress of the run, so that the speed of the machine does not matter."""
        for number, fault in enumerate(self.plan.faults, start=1):
            due = number * len(self.plan.actions) / (len(self.plan.faults) + 1)
            with suppress(TimeoutError):
                async with asyncio.timeout(30):
                    while self.completed < due:
                        await self._completed_one.wait()
            await self._inflict(fault)
            self.ledger.counts[f"fault: {fault.kind}"] += 1

    async def _inflict(self, fault: Fault) -> None:
        world, index_worker = self.world, f"index-{fault.worker}"
        match fault.kind:
            case "kill index":
                await self._wait_for_stage(fault)
                await world.restart(index_worker, fault.down_s)
            case "kill enrich":
                await self._wait_for_stage(fault)
                await world.restart("enrich", fault.down_s)
            case "kill search":
                await asyncio.sleep(fault.delay_s)
                await world.restart("search", fault.down_s)
            case "kill frontend":
                await self._wait_for_stage(fault)
                await self.requests.restart_frontend(fault.down_s)
            case "kill child":
                for _ in range(100):
                    if world.kill_child():
                        break
                    await asyncio.sleep(0.05)
            case "suspend index":
                await self._wait_for_stage(fault)
                await world.suspend(index_worker, 2 * LEASE_S)
            case "kill redis":
                await world.restart("redis", fault.down_s)
            case "cut power of redis":
                lost, revived = await world.cut_power_of_redis(fault.down_s)
                self.requests.lost |= lost
                self.requests.revived |= revived
            case "kill qdrant":
                await self._wait_for_stage(fault)
                await world.restart("qdrant", fault.down_s)
            case "fill disk":
                if world.has_disk:
                    await world.fill_disk(2 + fault.down_s)
            case "jump clock":
                await asyncio.to_thread(world.jump_clock)
            case "repeat messages":
                self.ledger.counts["messages repeated"] += await asyncio.to_thread(world.repeat_messages)

    async def _wait_for_stage(self, fault: Fault) -> None:
        """Wait until a job begins the fault's stage, and `delay_s` longer."""
        expected = f'"stage": "{"store" if fault.stage == "answer" else fault.stage}"'
        with suppress(TimeoutError, RedisError):
            async with (
                asyncio.timeout(STAGE_TIMEOUT_S),
                Redis.from_url(self.world.servers.redis_url) as connection,
                connection.pubsub(ignore_subscribe_messages=True) as subscription,
            ):
                await subscription.psubscribe("celery-task-meta-*")
                async for message in subscription.listen():
                    if expected.encode() in message["data"]:
                        break
        await asyncio.sleep(fault.delay_s)

    async def supervise(self) -> None:
        """Restart processes that ended by themselves, as docker-compose.yml does."""
        while True:
            for name, part in self.world.processes.items():
                if part.has_ended:
                    self.ledger.counts[f"restarted: {name}"] += 1
                    part.start() if name != "frontend" else await self.requests.restart_frontend(0)
            await asyncio.sleep(1)

    # ---- the end ----

    async def settle(self) -> None:
        """Wait until all work is done, after the last fault."""
        await self._wait_until_quiet("unacked", "orphans")
        # Messages of killed workers are delivered again after an hour; by then nothing may be left to do for them.
        await asyncio.to_thread(self.world.jump_clock)
        await self._wait_until_quiet()

    async def _wait_until_quiet(self, *ignored: str) -> None:
        def list_work() -> list[str]:
            self.world.redeliver_messages()
            with self.world.redis() as connection:
                queues = [key for key in (*QUEUES, "unacked") if key not in ignored]
                left = [key for key in queues if connection.exists(key)]
            url = self.world.servers.qdrant_url
            orphans = [] if "orphans" in ignored else _list_orphans(url, self.world.data)
            return left + orphans + _list_waiting(url)

        start_s = time.monotonic()
        while left := await asyncio.to_thread(list_work):
            if time.monotonic() - start_s > SETTLE_TIMEOUT_S:
                self.ledger.wrong.append(f"still in work after {SETTLE_TIMEOUT_S:.0f} s: {left}")
                return
            await asyncio.sleep(1)


def _list_waiting(qdrant_url: str) -> list[str]:
    """Return the ids of videos whose index or enrich job is not done."""
    with closing(QdrantVectorStore(qdrant_url)) as vectors:
        due = [Filter({"kind": "video", "status": "waiting"}), Filter({"kind": "video", **ENRICHMENT_DUE})]
        return [each.id for where in due for each in vectors.scroll(RECORDS, where, ())]


def _list_orphans(qdrant_url: str, data: Path) -> list[str]:
    """Return the ids of videos with blobs and without a record, which garbage collection looks for every hour."""
    with closing(QdrantVectorStore(qdrant_url)) as vectors:
        known = {each.id for each in vectors.scroll(RECORDS, Filter({"kind": "video"}), ())}
    return sorted({folder.name for folder in (data / "blobs" / "videos").glob("*")} - known)


@asynccontextmanager
async def start(plan: Plan, links: list[str], world: World) -> AsyncIterator[Run]:
    """Start all servers and processes, and supervise them during the block."""
    ledger = Ledger()
    requests = Requests(world, ledger, links)
    await asyncio.to_thread(world.servers.start, "redis")
    await asyncio.to_thread(world.servers.start, "qdrant")
    for part in world.processes.values():
        part.start()
    settings = Settings.model_validate(
        {
            "redis_url": world.servers.redis_url,
            "data_dir": world.data,
            "search_timeout_s": SEARCH_TIMEOUT_S,
            "signing_key": SIGNING_KEY,
        }
    )
    async with connect_client(settings) as client:
        run = Run(plan, links, world, client, requests, ledger)
        background = [asyncio.create_task(each) for each in (requests.watch(), run.supervise())]
        try:
            yield run
        finally:
            for task in background:
                task.cancel()


async def drive(plan: Plan, links: list[str], world: World) -> Ledger:
    """Let users act and faults happen, and wait until all work is done."""
    async with start(plan, links, world) as run:
        acting = asyncio.create_task(run.act_all())
        await run.inflict_all()
        try:
            await asyncio.wait_for(asyncio.shield(acting), SETTLE_TIMEOUT_S + len(links) * 2)
        except TimeoutError:
            run.ledger.wrong += [f"never answered: {request}" for request in run.requests.unanswered]
            acting.cancel()
        await run.settle()
        return run.ledger


def run_faults(jobs: int, seed: int, folder: Path) -> int:
    """Run once and print the result. Returns the exit status."""
    start_s = time.monotonic()
    files = min(FILES, max(2, jobs // 8))
    plan = make_plan(seed, jobs, files)
    (folder / "clips").mkdir()
    clips = make_clips(folder / "clips", files, random.Random(seed))
    world = World(folder, StoreServers(folder, qdrant_binary()), SEARCH_TIMEOUT_S)
    with run_site() as site:
        links = serve_links(site, plan, clips)
        try:
            ledger = asyncio.run(drive(plan, links, world))
            with closing(QdrantVectorStore(world.servers.qdrant_url)) as vectors, world.redis() as connection:
                stores = read_stores(vectors, world.data, connection)
        finally:
            world.stop()
        site_requests = len(site.requested_paths)
    wrong = ledger.wrong + list(find_differences(plan, links, clips, ledger, stores))
    for name, count in sorted(ledger.counts.items()):
        print(f"  {count:6} {name}")
    for line in wrong:
        print(f"WRONG: {line}")
    faults = sum(ledger.counts[f"fault: {kind}"] for kind in FAULTS)
    print(
        f"seed {seed}: {jobs} links, {len(plan.actions)} requests, {faults} faults, "
        f"{site_requests} requests to the site, {time.monotonic() - start_s:.0f} s: {len(wrong)} wrong"
        + ("" if world.has_disk else " (no full disk: this system allows no mount namespace)"),
        flush=True,
    )
    return 1 if wrong else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep logs and stores in this empty folder")
    arguments = parser.parse_args()
    if OWN_NAMESPACE not in os.environ:
        _restart_in_namespace()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(run_faults(arguments.jobs, arguments.seed, arguments.keep or Path(temporary)))


def _restart_in_namespace() -> None:
    """Start this command again in a mount namespace, in which it may mount a disk that it can fill."""
    command = [sys.executable, "-m", "tests.support.faults", *sys.argv[1:]]
    may_mount = subprocess.run(["unshare", "-rm", "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0
    os.environ[OWN_NAMESPACE] = str(int(may_mount))
    os.execvp("unshare" if may_mount else sys.executable, (["unshare", "-rm"] if may_mount else []) + command)


if __name__ == "__main__":
    main()
