"""The servers and processes of a run of faults, which can be killed, and a disk that can be filled."""

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
from typing import IO, Final, cast

import psutil
import redis
from celery import Celery

from tests.support.servers.processes import ROOT, make_environment
from tests.support.servers.stores import ServerName, StoreServers

DISK_BYTES: Final = 64 * 1024**2
SENSES: Final = {"REELSEEK_SPEECH": "base", "REELSEEK_SCREEN_TEXT": "on", "REELSEEK_SOUNDS": "on"}
QUEUES: Final = ("search", "index", "enrich")
JUMP_S: Final = 3700
"""More than the longest delay in Redis: a message of a dead worker is delivered again after an hour."""
OWN_NAMESPACE: Final = "REELSEEK_FAULTS_NAMESPACE"


@dataclass
class RestartableProcess:
    """A worker or the frontend. Its log survives restarts."""

    name: str
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "tests.support.faults.processes", *self.arguments],
                cwd=ROOT,
                env=make_environment(self.folder / "disk" / "data", self.environment),
                stdin=subprocess.PIPE,
                stderr=log,
            )

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()
            self.popen = None

    @property
    def has_ended(self) -> bool:
        """Whether the process ended by itself, for example because it found no store at its start."""
        return self.popen is not None and self.popen.poll() is not None

    def write_line(self, line: bytes) -> None:
        """Write to the standard input. Does nothing if the process is down."""
        if self.popen is not None and self.popen.stdin is not None:
            with suppress(BrokenPipeError):
                self.popen.stdin.write(line + b"\n")
                self.popen.stdin.flush()

    def send_signal(self, number: int) -> None:
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
    """One installation: two servers, four workers and a frontend."""

    folder: Path
    servers: StoreServers
    search_timeout_s: float
    processes: dict[str, RestartableProcess] = field(default_factory=dict)
    has_disk: bool = False

    def __post_init__(self) -> None:
        (self.folder / "disk").mkdir()
        self.has_disk = _mount_disk(self.folder / "disk")
        self.data.mkdir()
        environment = self.servers.environment | SENSES | {"REELSEEK_SEARCH_TIMEOUT_S": str(self.search_timeout_s)}
        for name, arguments in {
            "search": ("worker", "search"),
            "index-0": ("worker", "index"),
            "index-1": ("worker", "index"),
            "enrich": ("worker", "enrich"),
            "frontend": ("frontend", str(self.replies_file)),
        }.items():
            self.processes[name] = RestartableProcess(name, arguments, self.folder, environment)

    @property
    def data(self) -> Path:
        return self.folder / "disk" / "data"

    @property
    def replies_file(self) -> Path:
        return self.folder / "replies.jsonl"

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.servers.redis_url, decode_responses=True)

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
        self.servers.stop_all()
        if self.has_disk:
            subprocess.run(["umount", "--lazy", str(self.folder / "disk")], check=True)

    # ---- faults ----

    async def restart(self, name: str, down_s: float) -> None:
        """Kill a server or a process, and start it again after `down_s`."""
        if name in self.processes:
            self.processes[name].kill()
            await asyncio.sleep(down_s)
            self.processes[name].start()
            return
        server = cast(ServerName, name)
        await asyncio.to_thread(self.servers.stop, server)
        await asyncio.sleep(down_s)
        await asyncio.to_thread(self.servers.start, server)

    async def cut_power_of_redis(self, down_s: float) -> tuple[set[str], set[str]]:
        """Restart Redis without its last second, as `appendfsync everysec` allows.

        Returns the ids of the requests that are lost by that, and of those that were answered and are stored again.
        """
        aof_files = self.servers.redis_folder.glob("appendonlydir/*.incr.aof")
        written_bytes = {path: path.stat().st_size for path in aof_files}
        await asyncio.sleep(1)
        before = self.list_stored_requests()
        await asyncio.to_thread(self.servers.stop, "redis")
        for path, size in written_bytes.items():
            os.truncate(path, size)
        await asyncio.sleep(down_s)
        await asyncio.to_thread(self.servers.start, "redis")
        after = self.list_stored_requests()
        return before - after, after - before

    def list_stored_requests(self) -> set[str]:
        """Return the ids of the requests in Redis. Raises `RedisError`."""
        with self.redis() as connection:
            return {key.split(":")[2] for key in connection.scan_iter("reelseek:request:*") if key.count(":") == 2}

    def kill_child(self) -> bool:
        """Kill a fetching or decoding child process. Returns False if none runs."""
        children = [child for name in ("index-0", "index-1") for child in self.processes[name].children()]
        for child in children[:1]:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        return bool(children)

    async def suspend(self, name: str, duration_s: float) -> None:
        """Suspend a process until after its leases have expired."""
        self.processes[name].send_signal(signal.SIGSTOP)
        await asyncio.sleep(duration_s)
        self.processes[name].send_signal(signal.SIGCONT)

    async def fill_disk(self, duration_s: float) -> None:
        ballast = self.folder / "disk" / "ballast"
        with ballast.open("wb", buffering=0) as file:
            _fill(file)
        await asyncio.sleep(duration_s)
        ballast.unlink()

    def jump_clock(self) -> None:
        """Move Redis's clock forward: keys expire that much sooner, and messages have waited that much longer."""
        with self.redis() as connection:
            for key in connection.scan_iter():
                if (left_ms := connection.pttl(key)) > 0:
                    connection.pexpire(key, max(1, left_ms - 1000 * JUMP_S))
            for tag in connection.zrange("unacked_index", 0, -1):
                # `xx`: a tag that was acknowledged just now must not come back, since kombu could not resolve it.
                connection.zadd("unacked_index", {tag: -JUMP_S}, xx=True, incr=True)

    def redeliver_messages(self) -> None:
        """Enqueue up to ten messages of killed workers again, if they are due. A worker looks for them every 100 s."""
        with Celery(broker=self.servers.redis_url).connection_for_write() as connection:
            connection.default_channel.qos.restore_visible()

    def repeat_messages(self) -> int:
        """Enqueue each waiting and each running message twice more. Returns how many messages that were."""
        with self.redis() as connection:
            waiting = [(queue, raw) for queue in QUEUES for raw in connection.lrange(queue, 0, 9)]
            running = [json.loads(raw) for raw in connection.hvals("unacked")]
            repeated = waiting + [(key, json.dumps(message)) for message, _, key in running]
            for queue, raw in repeated:
                connection.lpush(queue, raw, raw)
        return len(repeated)


def _mount_disk(folder: Path) -> bool:
    """Mount a small tmpfs if this process runs in a mount namespace of its own. Returns whether it is mounted."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    return os.environ.get(OWN_NAMESPACE) == "1" and subprocess.run(command, check=False).returncode == 0


def _fill(file: IO[bytes]) -> None:
    with suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
