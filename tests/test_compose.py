"""docker-compose.yml, the Dockerfile and .env.example: settings, secrets, networks and limits of the containers."""

import re
from typing import get_args

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tests.support.servers.compose import COMPOSE, COMPOSE_TEXT, OUR_SERVICES, SERVICES
from tests.support.servers.processes import ROOT
from worker.settings import Settings

pytestmark = pytest.mark.unit

NETWORK_VARIABLES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"}
DOCKERFILE = (ROOT / "Dockerfile").read_text().splitlines()


def test_every_setting_of_compose_exists() -> None:
    names = {
        name
        for service in OUR_SERVICES.values()
        for name in service["environment"]
        if not name.startswith("AWS_") and name not in NETWORK_VARIABLES
    }
    assert {name.removeprefix("REELSEEK_").lower() for name in names} <= set(Settings.model_fields)


def test_env_example_has_every_variable_of_compose() -> None:
    """.env.example has all variables that docker-compose.yml uses, and all secrets."""
    used = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT))
    secret = {f"REELSEEK_{name.upper()}" for name, field in Settings.model_fields.items() if _is_secret(field)}
    shown = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used
    # Compose derives these two from the passwords.
    assert used | secret - {"REELSEEK_REDIS_URL", "REELSEEK_QDRANT_API_KEY"} <= shown


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def test_compose_passes_on_every_setting() -> None:
    """Containers get each setting of `.env`, except folders and ports, which compose decides."""
    left_out = {name for name in Settings.model_fields if f"REELSEEK_{name.upper()}:" not in COMPOSE_TEXT}
    assert left_out == {"data_dir", "parts_dir", "presets_dir", "web_port", "slack_port"}


@pytest.mark.parametrize("name", OUR_SERVICES)
def test_every_container_of_ours_gets_proxies_and_authorities_but_reaches_the_stores_directly(name: str) -> None:
    service = OUR_SERVICES[name]
    assert set(service["environment"]) >= NETWORK_VARIABLES
    assert service["environment"]["NO_PROXY"].startswith("redis,qdrant,")
    authorities = service["environment"]["SSL_CERT_FILE"].removeprefix("${CA_FILE:+").removesuffix("}")
    assert any(volume.endswith(f":{authorities}:ro") for volume in service["volumes"])


def test_empty_setting_is_unset(monkeypatch: pytest.MonkeyPatch, no_dotenv: None) -> None:
    """Compose passes on variables that `.env` lacks as empty strings; the default applies."""
    for name in OUR_SERVICES["search"]["environment"].keys() | OUR_SERVICES["slack"]["environment"].keys():
        monkeypatch.setenv(name, "")
    assert Settings() == Settings(_env_file=None)
    assert Settings().allow_networks == ()


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    """Containers are read-only, unprivileged and limited, with bounded logs and an exact image version."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "cpus", "pids_limit", "healthcheck", "networks"} <= set(service)
    assert service["logging"]["options"]["max-size"]
    assert not service.get("privileged")
    if name not in OUR_SERVICES:
        assert re.search(r":v?\d+\.\d+\.\d+", service["image"])
        assert service.get("user") or service["image"].endswith("-unprivileged")


def test_images_have_exact_versions_and_do_not_run_as_root() -> None:
    bases = [line.split()[1] for line in DOCKERFILE if line.startswith("FROM ")]
    stages = {line.split()[3] for line in DOCKERFILE if line.startswith("FROM ")}
    assert bases
    assert all(re.search(r":\d+\.\d+\.\d+-", base) or base in stages for base in bases)
    for target in {service["build"]["target"] for service in OUR_SERVICES.values()}:
        start = DOCKERFILE.index(f"FROM runtime AS {target}")
        end = next((n for n, line in enumerate(DOCKERFILE[start + 1 :], start + 1) if line.startswith("FROM ")), None)
        users = [line for line in DOCKERFILE[start:end] if line.startswith("USER ")]
        assert users == ["USER reelseek"], target


def test_frontends_run_in_the_image_without_torch() -> None:
    """Only workers need the model; the image of the frontends installs the extras of bots."""
    targets = {name: service["build"]["target"] for name, service in OUR_SERVICES.items()}
    frontends = {name for name, target in targets.items() if target == "bots"}
    assert frontends == {"discord", "slack", "web"}
    installs = [line for line in DOCKERFILE if "requirements.lock '." in line]
    assert any("'.[discord,slack,web]'" in line for line in installs)
    assert any("'.[train]'" in line for line in installs)


def test_stores_are_unreachable_from_outside() -> None:
    """Redis and Qdrant publish no port, have no internet access and require a password; Qdrant is hidden from bots."""
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


FETCHING_SERVICES = {"index", "index-gpu", "enrich"}
"""They read videos that people upload to Discord and Slack, with the token of the bot."""


def test_tokens_are_only_in_containers_that_use_them() -> None:
    for name, service in OUR_SERVICES.items():
        tokens = {key for key in service["environment"] if re.match("REELSEEK_(DISCORD|SLACK)_.*(TOKEN|SECRET)", key)}
        if name in FETCHING_SERVICES:
            assert tokens == {"REELSEEK_DISCORD_TOKEN", "REELSEEK_SLACK_BOT_TOKEN"}
        else:
            assert all(token.startswith(f"REELSEEK_{name.upper()}_") for token in tokens)


def test_services_wait_for_healthy_stores() -> None:
    """Services start after the stores that they need are healthy."""
    for name, service in OUR_SERVICES.items():
        conditions = {store: dependency["condition"] for store, dependency in service["depends_on"].items()}
        assert conditions["redis"] == "service_healthy"
        assert ("record" in service["networks"]) == (conditions.get("qdrant") == "service_healthy"), name
