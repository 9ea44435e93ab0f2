"""The fake Discord refuses what Discord refuses; without that the other tests would prove nothing."""

from typing import Any

import pytest

from tests.support.discord import limits, spec

TEXT: dict[str, Any] = {"type": 10, "content": "a"}
BUTTON: dict[str, Any] = {"type": 2, "style": 2, "label": "a", "custom_id": "a"}
NO_PINGS: dict[str, Any] = {"parse": []}


def wrong(*components: dict[str, Any], **fields: Any) -> list[str]:
    body = {"components": list(components), "flags": limits.COMPONENTS_V2, "allowed_mentions": NO_PINGS} | fields
    return limits.check_message(body, {})


def test_message_within_the_limits_is_accepted() -> None:
    assert wrong(TEXT, {"type": 1, "components": [BUTTON]}) == []


@pytest.mark.parametrize(
    "found",
    [
        wrong(*[TEXT] * 41),
        wrong(TEXT | {"content": "a" * 4001}),
        wrong(TEXT, content="a"),
        wrong(TEXT, flags=0),
        wrong(TEXT, allowed_mentions={"parse": ["users"]}),
        wrong(TEXT, allowed_mentions=None),
        wrong(TEXT | {"colour": 1}),
        wrong(TEXT, embedding=1),
        wrong(BUTTON),
        wrong({"type": 1, "components": [BUTTON | {"custom_id": str(number)} for number in range(6)]}),
        wrong({"type": 1, "components": [BUTTON, BUTTON]}),
        wrong({"type": 1, "components": [BUTTON | {"label": "a" * 81}]}),
        wrong({"type": 1, "components": [BUTTON | {"custom_id": "a" * 101}]}),
        wrong({"type": 9, "components": [TEXT], "accessory": {"type": 11, "media": {"url": "attachment://none.jpg"}}}),
        wrong({"type": 9, "components": [TEXT], "accessory": {"type": 11, "media": {"url": "https://cdn.example/a"}}}),
        limits.check_choices([{"name": "a", "value": "b"}] * 26),
        limits.check_choices([{"name": "a", "value": "b" * 101}]),
        limits.check_commands([{"type": 1, "name": "Find", "description": "a"}]),
        limits.check_commands([{"type": 1, "name": "find", "description": "a" * 101}]),
    ],
)
def test_message_beyond_a_limit_is_refused(found: list[str]) -> None:
    """Counts, lengths, unknown fields, mentions and foreign pictures."""
    assert found


def test_unknown_field_is_refused_by_the_published_description() -> None:
    """If Discord's own description is not present, the test is skipped."""
    address = "/channels/1/messages"
    assert spec.find_violations("POST", address, {"content": "a"}) == []
    assert bool(spec.find_violations("POST", address, {"contents": "a"})) is (spec.path() is not None)
    assert bool(spec.find_violations("POST", "/nowhere", {})) is (spec.path() is not None)
