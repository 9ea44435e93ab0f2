"""docker-compose.yml as data, with placeholders filled in."""

import re
from typing import Any, Final

import yaml

from tests.support.servers.processes import ROOT

SECRET: Final = "a-long-password-0123456789abcdef"
COMPOSE_TEXT: Final = (ROOT / "docker-compose.yml").read_text()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]
OUR_SERVICES: Final = {name: service for name, service in SERVICES.items() if service["image"].startswith("reelseek-")}


def fill_variables(value: str) -> str:
    """Fill in variables as compose would: `SECRET` for required ones, their default or nothing for the others."""
    value = re.sub(r"\$\{\w+:\+[^}]*\}", "", value)
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+(:\?[^}]*)?\}", SECRET, value))
