"""Liveness, readiness and metrics of a real worker process while its stores stop and come back."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.support.servers.network import free_port
from tests.support.servers.processes import REELSEEK, Process, run_process
from tests.support.servers.stores import StoreServers

TIMEOUT_S = 60


def wait_for_status(worker: Process, url: str, status: int) -> dict[str, bool]:
    """Poll `url` until it answers with `status`, and return its checks; fail at once if the worker ends."""
    deadline_s, answer = time.monotonic() + TIMEOUT_S, (0, b"")
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                answer = response.status, response.read()
        except urllib.error.HTTPError as error:
            answer = error.code, error.read()
        except OSError:
            pass  # it does not listen yet
        if answer[0] == status:
            checks: dict[str, bool] = json.loads(answer[1])
            return checks
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"it ended with {worker.popen.wait(0.1)}:\n{worker.text}")
    raise AssertionError(f"{url} never answered {status}: {answer}")


def test_readiness_follows_the_stores(tmp_path: Path, servers: StoreServers) -> None:
    """A worker reports which store is missing, works again once Redis is back, and stays alive meanwhile."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = servers.environment | {"REELSEEK_METRICS_PORT": str(port)}
    ready = {"redis": True, "consuming": True, "qdrant": True}
    with run_process([REELSEEK, "worker", "--queues", "train"], tmp_path, **environment) as worker:
        assert wait_for_status(worker, f"{url}/ready", 200) == ready
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
            assert 'reelseek_queue_messages{queue="search"} 0.0' in response.read().decode().splitlines()
        servers.stop("redis")
        assert wait_for_status(worker, f"{url}/ready", 503)["redis"] is False
        assert wait_for_status(worker, f"{url}/health", 200) == {"loop": True}
        servers.start("redis")
        assert wait_for_status(worker, f"{url}/ready", 200) == ready
        servers.stop("qdrant")
        assert wait_for_status(worker, f"{url}/ready", 503) == ready | {"qdrant": False}
