"""slack-manifest.yaml, which people paste into Slack."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bots.slack.modal import FORM
from bots.slack.render import COMMAND
from bots.slack.run import SCOPES
from tests.support.slack.published import find_specs, find_violations

ROOT = Path(__file__).parents[3]


@pytest.fixture
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "slack-manifest.yaml").read_text())
    return found


def test_manifest_fits_slacks_schema(manifest: dict[str, Any]) -> None:
    """Slack's own schema is used if it is present."""
    assert manifest["settings"]["socket_mode_enabled"] is True
    if (specs := find_specs()) is None:
        return
    schema = json.loads((specs / "slack-manifest-schema-2.0.0.json").read_text())
    jsonschema.Draft7Validator(schema).validate(manifest)


def test_manifest_has_the_scopes_command_and_shortcuts_of_the_app(manifest: dict[str, Any]) -> None:
    """Every scope is explained in the documentation."""
    assert tuple(manifest["oauth_config"]["scopes"]["bot"]) == SCOPES
    page = (ROOT / "docs" / "slack.md").read_text()
    assert [scope for scope in SCOPES if f"`{scope}`" not in page] == []
    features = manifest["features"]
    assert [each["command"] for each in features["slash_commands"]] == [COMMAND]
    assert {each["callback_id"] for each in features["shortcuts"]} == {FORM, "index"}


def test_fake_slack_refuses_what_slacks_description_lacks() -> None:
    """If the description is not present, the test is skipped and only our own rules apply."""
    if find_specs() is None:
        pytest.skip("Slack's published description is not present: only our own rules check the requests")
    assert find_violations("chat.postMessage", {"channel": "C1", "text": "x"}) == []
    assert find_violations("chat.postMessage", {"text": "x"}) == ["chat.postMessage: no channel"]
    assert find_violations("chat.postMessage", {"channel": "C1", "colour": "red"}) == [
        "chat.postMessage: unknown colour"
    ]
    assert find_violations("chat.postMassage", {}) == ["chat.postMassage: not in the description"]
