"""What a real process tells an operator while its stores come and go."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.network import free_port
from tests.support.processes import REELSEEK, Process, running
from tests.support.qdrant import qdrant_binary, qdrant_server

WITHIN_S = 60


@contextmanager
def redis_server(folder: Path, port: int) -> Iterator[Process]:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    with running([binary, "--port", str(port), "--bind", "127.0.0.1"], folder) as process:
        process.wait_for("Ready to accept connections")
        yield process


def until(worker: Process, url: str, status: int) -> dict[str, bool]:
    """What is answered once the answer has this status; fails at once where the worker ends."""
    deadline_s, found = time.monotonic() + WITHIN_S, (0, "")
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                found = response.status, response.read()
        except urllib.error.HTTPError as error:
            found = error.code, error.read()
        except OSError:
            pass  # it does not listen yet
        if found[0] == status:
            checks: dict[str, bool] = json.loads(found[1])
            return checks
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"it ended with {worker.popen.wait(0.1)}:\n{worker.text}")
    raise AssertionError(f"{url} never answered {status}: {found}")


def test_ready_follows_the_stores(tmp_path: Path) -> None:
    """A worker tells when it can't work and why, works on once Redis is back, and lives all the while."""
    redis_port, qdrant_port, port = free_port(), free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    grown = {
        "REELSEEK_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "REELSEEK_QDRANT_URL": f"http://127.0.0.1:{qdrant_port}",
        "REELSEEK_METRICS_PORT": str(port),
    }
    well = {"redis": True, "consuming": True, "qdrant": True}
    with ExitStack() as worker, ExitStack() as qdrant, ExitStack() as first:
        qdrant.enter_context(qdrant_server(qdrant_binary(), tmp_path, qdrant_port))
        first.enter_context(redis_server(tmp_path, redis_port))
        watched = worker.enter_context(running([REELSEEK, "worker", "--queues", "train"], tmp_path, **grown))
        assert until(watched, f"{url}/ready", 200) == well
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
            assert 'reelseek_queue_messages{queue="search"} 0.0' in response.read().decode().splitlines()
        first.close()
        assert until(watched, f"{url}/ready", 503)["redis"] is False
        assert until(watched, f"{url}/health", 200) == {"loop": True}
        with redis_server(tmp_path, redis_port):
            assert until(watched, f"{url}/ready", 200) == well
            qdrant.close()
            assert until(watched, f"{url}/ready", 503) == well | {"qdrant": False}
