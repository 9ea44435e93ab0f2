"""Holds requests against Discord's published OpenAPI description, where it is at hand."""

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
BESIDE = Path(__file__).parents[4] / "shared" / "specs"

NOT_DESCRIBED = {"PATCH": {"tts"}, "PUT": {"nsfw"}}
"""What discord.py sends besides with edits and with commands. Discord documents the second, the first it ignores."""


_NUMBERS = re.compile(r"(?<=rs:)[\w-]+(?=:)|\d{6,}")


@cache
def path() -> Path | None:
    """Discord's file, or None: then requests are held against `tests.support.discord.limits` alone."""
    file = Path(os.environ.get(VARIABLE) or BESIDE) / "discord-openapi.json"
    return file if file.exists() else None


@cache
def _document() -> dict[str, Any]:
    file = path()
    assert file is not None
    document: dict[str, Any] = json.loads(file.read_text())
    for schema in document["components"]["schemas"].values():
        # The description is silent on unknown fields; a typo in ours must not pass.
        if schema.get("type") == "object" and schema.get("properties") and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
    return document


@cache
def _routes() -> list[tuple[re.Pattern[str], str]]:
    """Longer templates first: `@original` before any message id."""
    templates = sorted(_document()["paths"], key=lambda each: (each.count("{"), -len(each)))
    return [
        (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", re.escape(each).replace(r"\{", "{").replace(r"\}", "}"))), each)
        for each in templates
    ]


@cache
def _validator(template: str, method: str) -> Draft202012Validator | None:
    operation = _document()["paths"][template].get(method.lower())
    if operation is None:
        raise KeyError(f"{method} {template}")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    resource = Resource.from_contents(_document() | {"$schema": "https://json-schema.org/draft/2020-12/schema"})
    registry: Registry[Any] = Registry().with_resource("urn:discord", resource)
    schema = json.loads(json.dumps(content["schema"]).replace('"#/', '"urn:discord#/'))
    return validator_for(schema, default=Draft202012Validator)(schema, registry=registry)  # type: ignore[no-any-return]


def complaints(method: str, address: str, body: Any) -> list[str]:
    """What Discord's description has against a request; `address` begins after the version."""
    if path() is None:
        return []
    template = next((each for pattern, each in _routes() if pattern.fullmatch(address)), None)
    if template is None:
        return [f"{method} {address}: there is no such address"]
    return _judged(method, template, _NUMBERS.sub("1", json.dumps(body)))


@cache
def _judged(method: str, template: str, body: str) -> list[str]:
    """Once for each shape of a request: numbers and tokens are all one here, and checking takes its time."""
    validator, parsed = _validator(template, method), json.loads(body)
    if validator is None or parsed is None:
        return []
    parsed = [_described(method, each) for each in parsed] if isinstance(parsed, list) else _described(method, parsed)
    return [f"{method} {template}: {_deepest(error)}" for error in validator.iter_errors(parsed)]


def _described(method: str, body: Any) -> Any:
    beside = NOT_DESCRIBED.get(method, set())
    return _worded({name: value for name, value in body.items() if name not in beside})


def _worded(part: Any) -> Any:
    """Ids as words: Discord takes them as plain numbers too, as its own examples and discord.py send them."""
    if isinstance(part, list):
        return [_worded(each) for each in part]
    if isinstance(part, dict):
        ids = (
            ["id"] if "filename" in part or part.get("type") == "channel" else ["message_id", "channel_id", "guild_id"]
        )
        return {name: str(value) if name in ids else _worded(value) for name, value in part.items()}
    return part


def _deepest(error: Any) -> str:
    while error.context:
        error = max(error.context, key=lambda each: (len(each.absolute_path), -len(each.message)))
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
