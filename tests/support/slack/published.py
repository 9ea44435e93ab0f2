"""Checks requests against Slack's own description of its Web API, if it is present.

The description is of 2021. Methods and arguments that are newer are listed here.
"""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

NEWER_METHODS = {
    "apps.connections.open",
    "files.completeUploadExternal",
    "files.getUploadURLExternal",
}
NEWER_ARGUMENTS: dict[str, set[str]] = {
    "auth.test": {"team_id"},  # the library tells each method which workspace an event came from
}
"""By method: arguments that the description lacks."""


def find_specs() -> Path | None:
    """Return the folder of the published descriptions. None: this check is skipped."""
    given = os.environ.get("REELSEEK_TEST_SPECS")
    found = Path(given) if given else Path(__file__).parents[4] / "shared" / "specs"
    return found if found.is_dir() else None


@cache
def methods() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return the parameters of each method by name, or nothing without the description."""
    if (specs := find_specs()) is None:
        return {}
    paths = json.loads((specs / "slack-web-openapi-2021.json").read_text())["paths"]
    return {
        path.removeprefix("/"): {
            parameter["name"]: parameter for verb in verbs.values() for parameter in verb["parameters"]
        }
        for path, verbs in paths.items()
    }


def find_violations(method: str, args: Mapping[str, Any]) -> list[str]:
    """Return how a call violates the description."""
    if not methods() or method in NEWER_METHODS:
        return []
    if method not in methods():
        return [f"{method}: not in the description"]
    known = methods()[method]
    unknown = set(args) - set(known) - NEWER_ARGUMENTS.get(method, set())
    missing = {name for name, each in known.items() if each.get("required")} - set(args) - {"token"}
    typed = [
        f"{method}: {name} is {args[name]!r}" for name in set(args) & set(known) if not _is(args[name], known[name])
    ]
    return [f"{method}: unknown {name}" for name in unknown] + [f"{method}: no {name}" for name in missing] + typed


def _is(value: Any, parameter: Mapping[str, Any]) -> bool:
    match parameter.get("type"):
        case "boolean":
            return value in (True, False, "true", "false", "1", "0", 1, 0)
        case "integer" | "number":
            return str(value).replace(".", "", 1).isdigit()
    return True
