"""Kills everything there is, again and again, and checks the sum: no acknowledged work is lost, none is done twice.

    python -m benchmarks.faults [--jobs 500] [--seed N] [--keep FOLDER]

Real Redis (append-only file), real Qdrant server, real worker processes (one `search`, two `index`) and one frontend,
with real fetching and decoding of small clips from a local site. While so many links are submitted by three spaces,
again and again, some of them broken, some forgotten meanwhile, the parts are killed at all stages. Then it stops, and
all stores are compared with what was asked for and told. REELSEEK_TEST_QDRANT names the Qdrant binary. Ends with 1 if
a promise was broken.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from redis import RedisError
from redis.asyncio import Redis

from benchmarks import faults_plan
from benchmarks.faults_errands import Errands
from benchmarks.faults_plan import Ask, Fault, Plan
from benchmarks.faults_processes import LEASE_S
from benchmarks.faults_sum import Ledger, check, read
from benchmarks.faults_world import OWN_NAMESPACE, World
from indexer.store.records import RECORDS
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.vector_store import Filter
from tests.e2e.test_outages import Servers
from tests.support.qdrant import qdrant_binary
from tests.support.site import serving
from worker.client.queue_client import QueueClient, connect
from worker.protocol.messages import Caller, CallFailedError, Forget, Submit
from worker.settings import Settings

AT_ONCE: Final = 30
"""Errands in work: enough that a queue forms."""
FILES: Final = 25
SEARCH_TIMEOUT_S: Final = 10.0
STAGE_WITHIN_S: Final = 8.0
PATIENCE_S: Final = 180.0
TRY_AGAIN: Final = ("no_worker", "queue_unavailable", "store_unavailable", "busy", "internal")
"""What a person who is told so asks again after."""


@dataclass
class Run:
    plan: Plan
    links: list[str]
    world: World
    client: QueueClient
    errands: Errands
    ledger: Ledger
    seen_through: int = 0
    _seen: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _indexing: dict[tuple[str, int], list[asyncio.Task[None]]] = field(default_factory=dict)

    # ---- what people do ----

    async def ask_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for ask in self.plan.asks:
                await self._room.acquire()
                task = group.create_task(self._see_through(ask))
                if ask.what == "index":
                    for link in ask.links:
                        self._indexing.setdefault((ask.space, link), []).append(task)

    async def _see_through(self, ask: Ask) -> None:
        did: dict[str, Callable[[Ask], Awaitable[None]]] = {
            "index": self._index,
            "forget": self._forget,
            "find": self._find,
            "hasty": self._hasty,
        }
        if ask.what == "forget":
            self._room.release()
            await asyncio.gather(*self._indexing.get((ask.space, ask.links[0]), ()))
            await self._room.acquire()
        await did[ask.what](ask)
        self._room.release()
        self.seen_through += 1
        self._seen.set()
        self._seen.clear()

    async def _index(self, ask: Ask) -> None:
        links = list(ask.links)
        while links:
            reply = await self.errands.ask("index", ask.space, links=[self.links[link] for link in links])
            told = {line["link"]: line for line in reply.get("lines", ())}
            again = []
            for link in links:
                outcome = told.get(self.links[link]) or {"status": "failed", "code": reply.get("code")}
                self.ledger.tell(ask.space, link, outcome)
                self._note(outcome)
                if outcome["code"] in TRY_AGAIN:
                    again.append(link)
            links = again
            await asyncio.sleep(1 if links else 0)

    def _note(self, outcome: Any) -> None:
        self.ledger.counts[f"told {outcome['code'] or 'indexed'}"] += 1
        if outcome["code"] == "internal":
            self.ledger.wrong.append(f"a fault of ours was told: {outcome}")

    async def _forget(self, ask: Ask) -> None:
        while True:
            reply = await self.errands.ask("forget", ask.space, link=self.links[ask.links[0]])
            if reply["kind"] == "Forgot" or reply.get("code") == "not_in_library":
                self.ledger.forgotten.add((ask.space, ask.links[0]))
                return
            self._note(reply)
            await asyncio.sleep(1)

    async def _find(self, ask: Ask) -> None:
        reply = await self.errands.ask("find", ask.space, words="a colour")
        self.ledger.counts["searches answered" if reply["kind"] == "Results" else "searches refused"] += 1

    async def _hasty(self, ask: Ask) -> None:
        """Forgets while the link is worked on."""
        caller, link = Caller(space=ask.space, user_id="ann"), self.links[ask.links[0]]
        try:
            await self.client.call(Submit(caller=caller, link=link))
        except CallFailedError:
            # What was not acknowledged may still be done, for as long as its message lives.
            await asyncio.sleep(SEARCH_TIMEOUT_S)
        self.ledger.told[ask.space, ask.links[0]] = {"status": "failed", "code": "forgotten"}
        await asyncio.sleep(random.Random(link).random() * 2)
        while True:
            try:
                await self.client.call(Forget(caller=caller, link=link))
                break
            except CallFailedError as error:
                if error.code == "not_in_library":
                    break
            await asyncio.sleep(1)
        self.ledger.forgotten.add((ask.space, ask.links[0]))

    # ---- what happens to them ----

    async def inflict_all(self) -> None:
        """Spread over the whole run by its progress, however fast the machine is."""
        for number, fault in enumerate(self.plan.faults, start=1):
            due = number * len(self.plan.asks) / (len(self.plan.faults) + 1)
            with suppress(TimeoutError):
                async with asyncio.timeout(30):
                    while self.seen_through < due:
                        await self._seen.wait()
            await self._inflict(fault)
            self.ledger.counts[f"fault: {fault.what}"] += 1

    async def _inflict(self, fault: Fault) -> None:
        world, index = self.world, f"index-{fault.which}"
        match fault.what:
            case "kill index":
                await self._stage(fault)
                await world.restart(index, fault.away_s)
            case "kill search":
                await asyncio.sleep(fault.delay_s)
                await world.restart("search", fault.away_s)
            case "kill front":
                await self._stage(fault)
                await self.errands.restart_front(fault.away_s)
            case "kill child":
                for _ in range(100):
                    if world.kill_child():
                        break
                    await asyncio.sleep(0.05)
            case "pause index":
                await self._stage(fault)
                await world.pause(index, 2 * LEASE_S)
            case "kill redis":
                await world.restart("redis", fault.away_s)
            case "cut power of redis":
                lost, revived = await world.cut_power_of_redis(fault.away_s)
                self.errands.lost |= lost
                self.errands.revived |= revived
            case "kill qdrant":
                await self._stage(fault)
                await world.restart("qdrant", fault.away_s)
            case "fill disk":
                if world.has_disk:
                    await world.fill_disk(2 + fault.away_s)
            case "jump clock":
                await asyncio.to_thread(world.jump_clock)
            case "repeat messages":
                self.ledger.counts["messages repeated"] += await asyncio.to_thread(world.repeat_messages)

    async def _stage(self, fault: Fault) -> None:
        """Waits until some job begins a stage, and a moment longer."""
        wanted = f'"stage": "{"store" if fault.stage == "answer" else fault.stage}"'
        with suppress(TimeoutError, RedisError):
            async with (
                asyncio.timeout(STAGE_WITHIN_S),
                Redis.from_url(self.world.servers.settings["REELSEEK_REDIS_URL"]) as connection,
                connection.pubsub(ignore_subscribe_messages=True) as heard,
            ):
                await heard.psubscribe("celery-task-meta-index-*")
                async for message in heard.listen():
                    if wanted.encode() in message["data"]:
                        break
        await asyncio.sleep(fault.delay_s)

    async def supervise(self) -> None:
        """Starts what ended by itself, as docker-compose.yml does."""
        while True:
            for name, part in self.world.services.items():
                if part.ended:
                    self.ledger.counts[f"started again: {name}"] += 1
                    part.start() if name != "front" else await self.errands.restart_front(0)
            await asyncio.sleep(1)

    # ---- the end ----

    async def settle(self) -> None:
        """All faults are over: now everything has to come to its end in time."""
        await self._quiet("unacked", "strays")
        # Messages of killed workers come back only after an hour; then nothing may be left to do for them.
        await asyncio.to_thread(self.world.jump_clock)
        await self._quiet()

    async def _quiet(self, *but: str) -> None:
        def busy() -> list[str]:
            with self.world.redis() as connection:
                left = [key for key in ("index", "search", "unacked") if key not in but and connection.exists(key)]
            url = self.world.servers.settings["REELSEEK_QDRANT_URL"]
            strays = [] if "strays" in but else _strays(url, self.world.data)
            return left + strays + _waiting(url)

        began_s = time.monotonic()
        while left := await asyncio.to_thread(busy):
            if time.monotonic() - began_s > PATIENCE_S:
                self.ledger.wrong.append(f"still in work after {PATIENCE_S:.0f} s: {left}")
                return
            await asyncio.sleep(1)


def _waiting(qdrant_url: str) -> list[str]:
    """Ids of the videos whose job is not done."""
    with closing(QdrantVectorStore(qdrant_url)) as points:
        return [each.id for each in points.scroll(RECORDS, Filter({"kind": "video", "status": "waiting"}), ())]


def _strays(qdrant_url: str, data: Path) -> list[str]:
    """Ids of videos with blobs and without a record: those are looked for once an hour (`worker.jobs.garbage_collection`)."""
    with closing(QdrantVectorStore(qdrant_url)) as points:
        known = {each.id for each in points.scroll(RECORDS, Filter({"kind": "video"}), ())}
    return sorted({folder.name for folder in (data / "blobs" / "videos").glob("*")} - known)


@asynccontextmanager
async def running(plan: Plan, links: list[str], world: World) -> AsyncIterator[Run]:
    ledger = Ledger()
    errands = Errands(world, ledger, links)
    for name in ("redis", "qdrant"):
        await asyncio.to_thread(world.servers.begin, name)
    for part in world.services.values():
        part.start()
    given = {"redis_url": world.servers.settings["REELSEEK_REDIS_URL"], "data_dir": world.data}
    given |= {
        "search_timeout_s": SEARCH_TIMEOUT_S,
        "signing_key": world.services["search"].settings["REELSEEK_SIGNING_KEY"],
    }
    async with connect(Settings.model_validate(given)) as client:
        assert isinstance(client, QueueClient)
        run = Run(plan, links, world, client, errands, ledger)
        watching = [asyncio.create_task(each) for each in (errands.watch(), run.supervise())]
        try:
            yield run
        finally:
            for each in watching:
                each.cancel()


async def drive(plan: Plan, links: list[str], world: World) -> Ledger:
    async with running(plan, links, world) as run:
        asking = asyncio.create_task(run.ask_all())
        await run.inflict_all()
        try:
            await asyncio.wait_for(asyncio.shield(asking), PATIENCE_S + len(links) * 2)
        except TimeoutError:
            run.ledger.wrong += [f"never answered: {errand}" for errand in run.errands.unanswered]
            asking.cancel()
        await run.settle()
        return run.ledger


def measure(jobs: int, seed: int, folder: Path) -> int:
    began_s = time.monotonic()
    files = min(FILES, max(4, jobs // 8))
    plan = faults_plan.draw(seed, jobs, files)
    (folder / "clips").mkdir()
    clips = faults_plan.clips(folder / "clips", files, random.Random(seed))
    world = World(folder, Servers(folder, qdrant_binary()), SEARCH_TIMEOUT_S)
    with serving() as site:
        links = faults_plan.serve(site, plan, clips)
        try:
            ledger = asyncio.run(drive(plan, links, world))
            points = QdrantVectorStore(world.servers.settings["REELSEEK_QDRANT_URL"])
            with world.redis() as connection:
                stores = read(points, world.data, connection)
            points.close()
        finally:
            world.end()
        requests = len(site.asked)
    wrong = ledger.wrong + list(check(plan, links, clips, ledger, stores))
    for name, count in sorted(ledger.counts.items()):
        print(f"  {count:6} {name}")
    for line in wrong:
        print(f"WRONG: {line}")
    faults = sum(ledger.counts[f"fault: {what}"] for what in faults_plan.FAULTS)
    print(
        f"seed {seed}: {jobs} links, {len(plan.asks)} asks, {faults} faults, "
        f"{requests} requests to the site, {time.monotonic() - began_s:.0f} s: {len(wrong)} wrong"
        + ("" if world.has_disk else " (no full disk: this system lets nobody mount one)"),
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
        _in_own_namespace()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(measure(arguments.jobs, arguments.seed, arguments.keep or Path(temporary)))


def _in_own_namespace() -> None:
    """Starts this command again where it may mount a disk that it can fill."""
    command = [sys.executable, "-m", "benchmarks.faults", *sys.argv[1:]]
    may = subprocess.run(["unshare", "-rm", "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0
    os.environ[OWN_NAMESPACE] = str(int(may))
    os.execvp("unshare" if may else sys.executable, (["unshare", "-rm"] if may else []) + command)


if __name__ == "__main__":
    main()
