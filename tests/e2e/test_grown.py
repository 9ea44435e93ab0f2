"""The grown form: each command of docker-compose.yml as a plain process, against a real Redis and a real Qdrant."""

import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tests.support.clips import clip
from tests.support.network import free_port
from tests.support.processes import REELSEEK, ROOT, Process, json_lines, reelseek, running
from tests.support.qdrant import qdrant_binary, qdrant_server
from worker.settings import Settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SECRET = "a-long-password-0123456789abcdef"
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"].startswith("reelseek-")}


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
        settings = {name: filled(value) for name, value in OURS["search"]["environment"].items() if value is not None}
        for service, address in addresses.items():
            settings = {name: value.replace(service, address) for name, value in settings.items()}
        yield settings | {"REELSEEK_METRICS_HOST": "127.0.0.1"}


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
            own = grown | {"REELSEEK_METRICS_PORT": str(free_port())}
            started[name] = stack.enter_context(running(command, tmp_path, **own))
        yield started


def port(service: Process) -> str:
    """Where a service tells of its health."""
    return service.wait_for("health.listening").partition("127.0.0.1:")[2].partition('"')[0]


def metrics(service: Process) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port(service)}/metrics") as response:
        lines: list[str] = response.read().decode().splitlines()
    return lines


def healthy(service: Process, name: str) -> bool:
    """As compose finds out, but for the port, which a container has for itself."""
    _, *command = OURS[name]["healthcheck"]["test"]
    asked = [part.replace(":9100", f":{port(service)}") for part in command]
    return subprocess.run([sys.executable, *asked[1:]], capture_output=True, timeout=20).returncode == 0


def test_every_setting_of_compose_is_a_setting() -> None:
    """docker-compose.yml names no setting that does not exist."""
    names = {name for service in OURS.values() for name in service["environment"] if not name.startswith("AWS_")}
    assert {name.removeprefix("REELSEEK_").lower() for name in names} <= set(Settings.model_fields)


def test_every_variable_of_compose_is_in_the_example() -> None:
    """All that docker-compose.yml takes from `.env`, and every secret there is, `.env.example` shows."""
    taken = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    secret = {f"REELSEEK_{name.upper()}" for name, field in Settings.model_fields.items() if _is_secret(field)}
    shown = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert taken
    # Compose makes these two of the passwords.
    assert taken | secret - {"REELSEEK_REDIS_URL", "REELSEEK_QDRANT_API_KEY"} <= shown


def test_compose_takes_every_setting() -> None:
    """What `.env` sets, the containers get, but for folders and ports, which compose decides."""
    text = (ROOT / "docker-compose.yml").read_text()
    left_out = {name for name in Settings.model_fields if f"REELSEEK_{name.upper()}:" not in text}
    assert left_out == {"data_dir", "parts_dir", "web_port", "slack_port"}


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def test_every_test_that_a_promise_names_exists() -> None:
    """docs/operations.md promises nothing that no test holds."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/operations.md").read_text())
    assert named
    missing = [(file, test) for file, test in named if f"def {test}(" not in (ROOT / file).read_text()]
    assert missing == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    """Read-only, without rights of root or a way to get them, with limits, bounded logs and an exact image."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "cpus", "pids_limit", "healthcheck", "networks"} <= set(service)
    assert service["logging"]["options"]["max-size"]
    assert not service.get("privileged")
    if name not in OURS:
        assert re.search(r":v?\d+\.\d+\.\d+", service["image"])
        assert service.get("user") or service["image"].endswith("-unprivileged")


def test_our_image_is_exact_and_not_root() -> None:
    """Each stage of the Dockerfile names an exact version, and the last one leaves root behind."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
    assert [line for line in lines if line.startswith("USER ")][-1] != "USER root"


def test_the_stores_are_out_of_reach() -> None:
    """Redis and Qdrant publish nothing, have no way out, and take a password; frontends can't reach the record."""
    networks = COMPOSE["networks"]
    for name, secret in (("redis", "REDIS_PASSWORD"), ("qdrant", "QDRANT_API_KEY")):
        assert "ports" not in SERVICES[name]
        assert all(networks[network]["internal"] for network in SERVICES[name]["networks"])
        assert secret in SERVICES[name].get("command", "") + str(SERVICES[name]["environment"])
    assert not set(SERVICES["redis"]["networks"]) & set(SERVICES["qdrant"]["networks"])
    for name in ("discord", "slack", "web"):
        assert "record" not in SERVICES[name]["networks"]
        assert not any("QDRANT" in variable for variable in SERVICES[name]["environment"])
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_a_secret_is_where_it_is_needed_only() -> None:
    """Tokens of a platform are in its own bot's container, and not where strangers' files are decoded."""
    for name, service in OURS.items():
        tokens = [key for key in service["environment"] if re.match("REELSEEK_(DISCORD|SLACK)_.*(TOKEN|SECRET)", key)]
        assert all(token.startswith(f"REELSEEK_{name.upper()}_") for token in tokens)


def test_services_wait_for_healthy_stores() -> None:
    """Nothing of ours starts before the stores that it needs answer."""
    for name, service in OURS.items():
        waits = {store: how["condition"] for store, how in service["depends_on"].items()}
        assert waits["redis"] == "service_healthy"
        assert ("record" in service["networks"]) == (waits.get("qdrant") == "service_healthy"), name


def test_an_empty_setting_is_unset(monkeypatch: pytest.MonkeyPatch, no_dotenv: None) -> None:
    """What `.env` leaves out, compose passes on as empty: then the default holds."""
    for name in OURS["search"]["environment"].keys() | OURS["slack"]["environment"].keys():
        monkeypatch.setenv(name, "")
    assert Settings() == Settings(_env_file=None)
    assert Settings().allow_networks == ()


def test_the_services_do_the_main_job(services: dict[str, Process], grown: dict[str, str], tmp_path: Path) -> None:
    """Workers by queue index a file and answer a search, the web chat answers; all log JSON and stop cleanly."""
    for name in ("search", "index", "train"):
        services[name].wait_for("worker.ready")
    indexed = reelseek(tmp_path, "index", str(clip(tmp_path / "red.mp4", "red")), "--json", **grown)
    assert (indexed.returncode, json_lines(indexed.stdout)[0]["status"]) == (0, "indexed"), indexed.stderr
    found = reelseek(tmp_path, "find", "red", "--json", **grown)
    assert json_lines(found.stdout)[0]["hits"][0]["title"] == "red"
    address = services["web"].wait_for("Web chat").split("http://")[1].split()[0].rstrip("/")
    with urllib.request.urlopen(f"http://{address}/_stcore/health") as health:
        assert health.status == 200
    assert {name: healthy(service, name) for name, service in services.items()} == dict.fromkeys(services, True)
    seen = {name: metrics(service) for name, service in services.items()}
    assert 'reelseek_tasks_total{outcome="done",task="find"} 1.0' in seen["search"]
    assert 'reelseek_search_seconds_count{stage="nearest"} 1.0' in seen["search"]
    assert 'reelseek_queue_wait_seconds_count{queue="search"} 2.0' in seen["search"]
    assert 'reelseek_job_stage_seconds_count{stage="embed",task="index"} 1.0' in seen["index"]
    assert 'reelseek_encode_batch_items_count{kind="frames"} 1.0' in seen["index"]
    assert all('reelseek_queue_messages{queue="train"} 0.0' in lines for lines in seen.values())
    assert {name: service.end(signal.SIGTERM) for name, service in services.items()} == dict.fromkeys(services, 0)
    assert all("event" in line for name in ("search", "index", "train") for line in json_lines(services[name].text))
