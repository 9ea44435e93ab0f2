"""The commands of docker-compose.yml as plain processes, with a real Redis and a real Qdrant."""

import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.indexer.clips import write_clip
from tests.support.servers.compose import OUR_SERVICES, SECRET, SERVICES, fill_variables
from tests.support.servers.network import free_port
from tests.support.servers.processes import REELSEEK, Process, parse_json_lines, run_process, run_reelseek
from tests.support.servers.qdrant import qdrant_binary, qdrant_server


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Start Redis and Qdrant as compose does, with passwords. Yields settings that compose gives to our services."""
    monkeypatch.setenv("QDRANT__SERVICE__API_KEY", SECRET)
    redis_port, qdrant_port = free_port(), free_port()
    redis_command = shlex.split(fill_variables(SERVICES["redis"]["command"]))
    if shutil.which(redis_command[0]) is None:
        pytest.skip("redis-server is not installed")
    with (
        qdrant_server(qdrant_binary(), tmp_path_factory.mktemp("qdrant"), qdrant_port),
        run_process(
            [*redis_command, "--port", str(redis_port), "--bind", "127.0.0.1"], tmp_path_factory.mktemp("redis")
        ) as redis,
    ):
        redis.wait_for("Ready to accept connections")
        addresses = {"redis:6379": f"127.0.0.1:{redis_port}", "qdrant:6333": f"127.0.0.1:{qdrant_port}"}
        given = OUR_SERVICES["search"]["environment"]
        settings = {name: fill_variables(value) for name, value in given.items() if value is not None}
        for service, address in addresses.items():
            settings = {name: value.replace(service, address) for name, value in settings.items()}
        yield settings | {"REELSEEK_METRICS_HOST": "127.0.0.1"}


@pytest.fixture
def services(environment: dict[str, str], tmp_path: Path) -> Iterator[dict[str, Process]]:
    """Start each of our services with the command of docker-compose.yml."""
    started: dict[str, Process] = {}
    with ExitStack() as stack:
        for name in ("search", "index", "enrich", "train", "web"):
            command = [REELSEEK, *shlex.split(OUR_SERVICES[name]["command"])]
            extra = environment | {"REELSEEK_METRICS_PORT": str(free_port())}
            started[name] = stack.enter_context(run_process(command, tmp_path, **extra))
        yield started


def read_port(service: Process) -> str:
    """Return the port of the service's health checks, from its log."""
    return service.wait_for("health.listening").partition("127.0.0.1:")[2].partition('"')[0]


def read_metrics(service: Process) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{read_port(service)}/metrics") as response:
        lines: list[str] = response.read().decode().splitlines()
    return lines


def is_healthy(service: Process, name: str) -> bool:
    """Run the health check of compose against the port of this test."""
    _, *command = OUR_SERVICES[name]["healthcheck"]["test"]
    arguments = [part.replace(":9100", f":{read_port(service)}") for part in command]
    return subprocess.run([sys.executable, *arguments[1:]], capture_output=True, timeout=20).returncode == 0


def test_services_of_compose_do_the_main_job(
    services: dict[str, Process], environment: dict[str, str], tmp_path: Path
) -> None:
    """Workers by queue index and enrich a file and answer a search. All services log JSON and stop cleanly."""
    for name in ("search", "index", "enrich", "train"):
        services[name].wait_for("worker.ready")
    clip = write_clip(tmp_path / "red.mp4", "red")
    indexed = run_reelseek(tmp_path, "index", str(clip), "--json", **environment)
    assert (indexed.returncode, parse_json_lines(indexed.stdout)[0]["status"]) == (0, "indexed"), indexed.stderr
    found = run_reelseek(tmp_path, "find", "red", "--json", **environment)
    assert parse_json_lines(found.stdout)[0]["hits"][0]["title"] == "red"
    address = services["web"].wait_for("Web chat").split("http://")[1].split()[0].rstrip("/")
    with urllib.request.urlopen(f"http://{address}/_stcore/health") as health:
        assert health.status == 200
    assert {name: is_healthy(service, name) for name, service in services.items()} == dict.fromkeys(services, True)
    metrics = {name: read_metrics(service) for name, service in services.items()}
    assert 'reelseek_tasks_total{outcome="done",task="find"} 1.0' in metrics["search"]
    assert 'reelseek_search_seconds_count{stage="nearest"} 1.0' in metrics["search"]
    [waits] = [
        line for line in metrics["search"] if line.startswith('reelseek_queue_wait_seconds_count{queue="search"}')
    ]
    assert float(waits.split()[-1]) >= 2, "the page may have asked, too"
    assert 'reelseek_job_stage_seconds_count{stage="embed",task="index"} 1.0' in metrics["index"]
    assert 'reelseek_encode_batch_items_count{kind="frames"} 1.0' in metrics["index"]
    assert all('reelseek_queue_messages{queue="train"} 0.0' in lines for lines in metrics.values())
    assert {name: service.stop(signal.SIGTERM) for name, service in services.items()} == dict.fromkeys(services, 0)
    logs = [line for name in ("search", "index", "enrich", "train") for line in parse_json_lines(services[name].text)]
    assert all("event" in line for line in logs)
