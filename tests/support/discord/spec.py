"""Checks requests against Discord's published OpenAPI description, if it is present."""

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from referencing import Registry, Resource

VARIABLE = "REELSEEK_TEST_SPECS"
DEFAULT_FOLDER = Path(__file__).parents[4] / "shared" / "specs"

NOT_DESCRIBED = {"PATCH": {"tts"}, "PUT": {"nsfw"}}
"""Fields that discord.py sends in addition. Discord ignores the first and documents the second elsewhere."""

UNDESCRIBED_ROUTES = {("POST", "/attachments/refresh-urls")}
"""Routes that Discord documents, but that its description lacks."""
MEDIA_CHANNEL = {"title": "GUILD_MEDIA", "const": 16}
"""A type of channels that Discord documents, but that its description lacks."""

_NUMBERS = re.compile(r"(?<=rs:)[\w-]+(?=:)|\d{6,}")


@cache
def path() -> Path | None:
    """Return Discord's file. None: requests are checked against `tests.support.discord.limits` only."""
    file = Path(os.environ.get(VARIABLE) or DEFAULT_FOLDER) / "discord-openapi.json"
    return file if file.exists() else None


@cache
def _document() -> dict[str, Any]:
    file = path()
    assert file is not None
    document: dict[str, Any] = json.loads(file.read_text())
    document["components"]["schemas"]["ChannelTypes"]["oneOf"].append(MEDIA_CHANNEL)
    for schema in document["components"]["schemas"].values():
        # The description is silent on unknown fields; a typo in ours must not pass.
        if schema.get("type") == "object" and schema.get("properties") and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
    return document


@cache
def _routes() -> list[tuple[re.Pattern[str], str]]:
    """Return the routes as patterns with their templates, fixed parts first: `@original` before any message id."""
    templates = sorted(_document()["paths"], key=lambda each: (each.count("{"), -len(each)))
    return [
        (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", re.escape(each).replace(r"\{", "{").replace(r"\}", "}"))), each)
        for each in templates
    ]


@cache
def _validator(template: str, method: str) -> Any:
    operation = _document()["paths"][template].get(method.lower())
    if operation is None:
        raise KeyError(f"{method} {template}")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    resource = Resource.from_contents(_document() | {"$schema": "https://json-schema.org/draft/2020-12/schema"})
    registry: Registry[Any] = Registry().with_resource("urn:discord", resource)
    schema = json.loads(json.dumps(content["schema"]).replace('"#/', '"urn:discord#/'))
    return validator_for(schema, default=Draft202012Validator)(schema, registry=registry)


def find_violations(method: str, address: str, body: Any) -> list[str]:
    """Return how a request violates Discord's description. `address` starts after the API version."""
    if path() is None or (method, address) in UNDESCRIBED_ROUTES:
        return []
    template = next((each for pattern, each in _routes() if pattern.fullmatch(address)), None)
    if template is None:
        return [f"{method} {address}: no such route"]
    return _find_violations(method, template, _NUMBERS.sub("1", json.dumps(body)))


@cache
def _find_violations(method: str, template: str, body: str) -> list[str]:
    """Check a request whose numbers and tokens are replaced, once per shape, because a check takes long."""
    validator, parsed = _validator(template, method), json.loads(body)
    if validator is None or parsed is None:
        return []
    parsed = (
        [_without_additions(method, each) for each in parsed]
        if isinstance(parsed, list)
        else _without_additions(method, parsed)
    )
    return [f"{method} {template}: {_deepest(error)}" for error in validator.iter_errors(parsed)]


def _without_additions(method: str, body: Any) -> Any:
    additions = NOT_DESCRIBED.get(method, set())
    return _with_text_ids({name: value for name, value in body.items() if name not in additions})


def _with_text_ids(part: Any) -> Any:
    """Convert ids to text. Discord accepts numbers as well, as its examples and discord.py send them."""
    if isinstance(part, list):
        return [_with_text_ids(each) for each in part]
    if isinstance(part, dict):
        ids = (
            ["id"] if "filename" in part or part.get("type") == "channel" else ["message_id", "channel_id", "guild_id"]
        )
        return {name: str(value) if name in ids else _with_text_ids(value) for name, value in part.items()}
    return part


def _deepest(error: Any) -> str:
    while error.context:
        error = max(error.context, key=lambda each: (len(each.absolute_path), -len(each.message)))
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
