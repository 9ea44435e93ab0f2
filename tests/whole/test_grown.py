"""The grown form: each command of docker-compose.yml as a plain process, against a real Redis and a real Qdrant."""

import re
import shlex
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import free_port
from tests.indexer.qdrant import qdrant_binary, qdrant_server
from tests.whole.media import clip
from tests.whole.processes import REELSEEK, ROOT, Process, json_lines, reelseek, running
from worker.settings import Settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SECRET = "a-long-password-0123456789abcdef"
OURS = {name: service for name, service in COMPOSE["services"].items() if service.get("image") == "reelseek"}


@pytest.fixture
def grown(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Redis and Qdrant as compose starts them, with passwords; yields the settings that compose gives to ours."""
    monkeypatch.setenv("QDRANT__SERVICE__API_KEY", SECRET)
    redis_port, qdrant_port = free_port(), free_port()
    redis_command = shlex.split(filled(COMPOSE["services"]["redis"]["command"]))
    redis_folder = tmp_path_factory.mktemp("redis")
    if shutil.which(redis_command[0]) is None:
        pytest.skip("redis-server is not installed")
    with (
        qdrant_server(qdrant_binary(), tmp_path_factory.mktemp("qdrant"), qdrant_port),
        running([*redis_command, "--port", str(redis_port), "--bind", "127.0.0.1"], redis_folder) as redis,
    ):
        redis.wait_for("Ready to accept connections")
        addresses = {"redis:6379": f"127.0.0.1:{redis_port}", "qdrant:6333": f"127.0.0.1:{qdrant_port}"}
        settings = {name: filled(value) for name, value in OURS["search"]["environment"].items()}
        for service, address in addresses.items():
            settings = {name: value.replace(service, address) for name, value in settings.items()}
        yield settings


def filled(value: str) -> str:
    """As compose would: demanded variables are the password here, the others take their default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+(:\?[^}]*)?\}", SECRET, value))


@pytest.fixture
def services(grown: dict[str, str], tmp_path: Path) -> Iterator[dict[str, Process]]:
    """Every service of ours, started with the command that compose gives."""
    started: dict[str, Process] = {}
    with ExitStack() as stack:
        for name in ("search", "index", "train", "web"):
            command = [REELSEEK, *shlex.split(OURS[name]["command"])]
            started[name] = stack.enter_context(running(command, tmp_path, **grown))
        yield started


def test_every_setting_of_compose_is_a_setting() -> None:
    """docker-compose.yml names no setting that does not exist."""
    names = {name for service in OURS.values() for name in service["environment"]}
    assert {name.removeprefix("REELSEEK_").lower() for name in names} <= set(Settings.model_fields)


def test_every_variable_of_compose_is_in_the_example() -> None:
    """What docker-compose.yml demands of `.env`, `.env.example` shows."""
    demanded = re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "docker-compose.yml").read_text())
    example = (ROOT / ".env.example").read_text()
    assert demanded
    assert all(f"{name}=" in example for name in demanded)


def test_the_services_do_the_main_job(services: dict[str, Process], grown: dict[str, str], tmp_path: Path) -> None:
    """Workers by queue index a file and answer a search, the web chat answers, and all stop cleanly when told."""
    for name in ("search", "index", "train"):
        services[name].wait_for("worker.ready")
    indexed = reelseek(tmp_path, "index", str(clip(tmp_path / "red.mp4", "red")), "--json", **grown)
    assert (indexed.returncode, json_lines(indexed.stdout)[0]["status"]) == (0, "indexed"), indexed.stderr
    found = reelseek(tmp_path, "find", "red", "--json", **grown)
    assert json_lines(found.stdout)[0]["hits"][0]["title"] == "red"
    address = services["web"].wait_for("http://").split("http://")[1].split()[0].rstrip("/")
    with urllib.request.urlopen(f"http://{address}/_stcore/health") as health:
        assert health.status == 200
    assert {name: service.end(signal.SIGTERM) for name, service in services.items()} == dict.fromkeys(services, 0)
