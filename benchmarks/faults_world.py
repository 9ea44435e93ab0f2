"""What `benchmarks.faults` runs on: real servers and processes that can be killed, and a disk that can be full."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import psutil
import redis

from tests.e2e.test_outages import Servers
from tests.support.processes import ROOT, environment

DISK_BYTES: Final = 64 * 1024**2
JUMP_S: Final = 3700
"""More than the longest time that something in Redis waits for: a message whose worker died."""


@dataclass
class Part:
    """One of our processes, which is killed and started again. Its log outlives it."""

    name: str
    arguments: Sequence[str]
    folder: Path
    settings: Mapping[str, str]
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.faults_processes", *self.arguments],
                cwd=ROOT,
                env=environment(self.folder / "disk" / "data", self.settings),
                stdin=subprocess.PIPE,
                stderr=log,
            )

    def kill(self) -> None:
        """With -9, of course."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()
            self.popen = None

    @property
    def ended(self) -> bool:
        """By itself: a worker that finds no store when it starts, say."""
        return self.popen is not None and self.popen.poll() is not None

    def say(self, line: bytes) -> None:
        """Nothing happens where nobody listens."""
        if self.popen is not None and self.popen.stdin is not None:
            with suppress(BrokenPipeError):
                self.popen.stdin.write(line + b"\n")
                self.popen.stdin.flush()

    def signal(self, number: int) -> None:
        if self.popen is not None:
            self.popen.send_signal(number)

    def children(self) -> list[psutil.Process]:
        if self.popen is None:
            return []
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.popen.pid).children()
        return []


@dataclass
class World:
    folder: Path
    servers: Servers
    search_timeout_s: float
    services: dict[str, Part] = field(default_factory=dict)
    has_disk: bool = False

    def __post_init__(self) -> None:
        (self.folder / "disk").mkdir()
        self.has_disk = _mounted(self.folder / "disk")
        self.data.mkdir()
        settings = self.servers.settings | {
            "REELSEEK_SEARCH_TIMEOUT_S": str(self.search_timeout_s),
            "REELSEEK_SIGNING_KEY": "0123456789abcdef0123456789abcdef",
        }
        for name, arguments in {
            "search": ("worker", "search"),
            "index-0": ("worker", "index"),
            "index-1": ("worker", "index"),
            "front": ("front", str(self.shown)),
        }.items():
            self.services[name] = Part(name, arguments, self.folder, settings)

    @property
    def data(self) -> Path:
        return self.folder / "disk" / "data"

    @property
    def shown(self) -> Path:
        return self.folder / "shown.jsonl"

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.servers.settings["REELSEEK_REDIS_URL"], decode_responses=True)

    def end(self) -> None:
        for part in self.services.values():
            part.signal(signal.SIGCONT)
            part.kill()
        self.servers.end_all()
        if self.has_disk:
            subprocess.run(["umount", "--lazy", str(self.folder / "disk")], check=True)

    # ---- faults ----

    async def restart(self, name: str, away_s: float) -> None:
        """A server, or one of our processes."""
        if name in self.services:
            self.services[name].kill()
            await asyncio.sleep(away_s)
            self.services[name].start()
            return
        await asyncio.to_thread(self.servers.end, name)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self.servers.begin, name)

    async def cut_power_of_redis(self, away_s: float) -> tuple[set[str], set[str]]:
        """Redis comes back without its last second, as `appendfsync everysec` has it.

        Gives the errands that are lost by that, and those that were answered and are there again.
        """
        written = {
            path: path.stat().st_size for path in (self.servers.folder / "redis").glob("appendonlydir/*.incr.aof")
        }
        await asyncio.sleep(1)
        owed = self.owed()
        await asyncio.to_thread(self.servers.end, "redis")
        for path, size in written.items():
            os.truncate(path, size)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self.servers.begin, "redis")
        now = self.owed()
        return owed - now, now - owed

    def owed(self) -> set[str]:
        """Ids of the errands that are in Redis. Raises `RedisError`."""
        with self.redis() as connection:
            return {key.split(":")[2] for key in connection.scan_iter("reelseek:errand:*") if key.count(":") == 2}

    def kill_child(self) -> bool:
        """Whichever fetches or decodes right now."""
        children = [child for name in ("index-0", "index-1") for child in self.services[name].children()]
        for child in children[:1]:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        return bool(children)

    async def pause(self, name: str, for_s: float) -> None:
        """A machine that stands still, and comes back after its leases lapsed."""
        self.services[name].signal(signal.SIGSTOP)
        await asyncio.sleep(for_s)
        self.services[name].signal(signal.SIGCONT)

    async def fill_disk(self, for_s: float) -> None:
        ballast = self.folder / "disk" / "ballast"
        with ballast.open("wb", buffering=0) as file:
            _fill(file)
        await asyncio.sleep(for_s)
        ballast.unlink()

    def jump_clock(self) -> None:
        """Redis's clock goes forward: what lapses later lapses that much sooner, and messages have waited longer."""
        with self.redis() as connection:
            for key in connection.scan_iter():
                if (left_ms := connection.pttl(key)) > 0:
                    connection.pexpire(key, max(1, left_ms - 1000 * JUMP_S))
            for tag in connection.zrange("unacked_index", 0, -1):
                # Not what was acknowledged just now: kombu would never find it again.
                connection.zadd("unacked_index", {tag: -JUMP_S}, xx=True, incr=True)

    def repeat_messages(self) -> int:
        """What waits for a worker, or is in work, is delivered twice more each."""
        with self.redis() as connection:
            waiting = [(queue, raw) for queue in ("index", "search") for raw in connection.lrange(queue, 0, 9)]
            working = [json.loads(raw) for raw in connection.hvals("unacked")]
            repeated = waiting + [(key, json.dumps(message)) for message, _, key in working]
            for queue, raw in repeated:
                connection.lpush(queue, raw, raw)
        return len(repeated)


def _mounted(folder: Path) -> bool:
    """A small disk of its own, if this process may mount one (`unshare --map-root-user --mount`)."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    return os.environ.get(OWN_NAMESPACE) == "1" and subprocess.run(command, check=False).returncode == 0


OWN_NAMESPACE: Final = "REELSEEK_FAULTS_NAMESPACE"


def _fill(file: IO[bytes]) -> None:
    with suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
