"""The fake Slack refuses what Slack refuses; without that the other tests would prove nothing."""

from typing import Any

import pytest

from tests.support.slack.blockkit import BlockKitValidator, check_options

GOOD = {"type": "section", "text": {"type": "plain_text", "text": "a"}}
BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "a"}, "action_id": "a", "value": "v"}
PICTURE = {"type": "image", "slack_file": {"id": "F00000001"}, "alt_text": "a"}


def kit() -> BlockKitValidator:
    return BlockKitValidator(lambda id: id == "F00000001")


def test_message_within_the_limits_is_accepted() -> None:
    actions = {"type": "actions", "elements": [BUTTON]}
    assert kit().message([GOOD | {"accessory": PICTURE}, {"type": "divider"}, actions, PICTURE]) == []


@pytest.mark.parametrize(
    "blocks",
    [
        [GOOD] * 51,
        [],
        [GOOD | {"colour": "red"}],
        [{"type": "section"}],
        [{"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}],
        [{"type": "section", "text": {"type": "plain_text", "text": ""}}],
        [{"type": "section", "text": {"type": "mrkdwn", "text": "<!channel>"}}],
        [{"type": "section", "text": {"type": "mrkdwn", "text": "<@U1>"}}],
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
        [{"type": "actions", "elements": [BUTTON, BUTTON]}],
        [{"type": "actions", "elements": [BUTTON | {"text": {"type": "plain_text", "text": "x" * 76}}]}],
        [{"type": "actions", "elements": [BUTTON | {"value": "x" * 2001}]}],
        [{"type": "actions", "elements": [BUTTON | {"action_id": "x" * 256}]}],
        [{"type": "actions", "elements": [BUTTON | {"url": "x" * 3001}]}],
        [{"type": "actions", "elements": []}],
        [PICTURE | {"slack_file": {"id": "F00000002"}}],
        [PICTURE | {"image_url": "https://elsewhere.example/a.jpg"}],
        [{"type": "image", "slack_file": {"id": "F00000001"}}],
        [{"type": "context", "elements": [{"type": "plain_text", "text": "a"}] * 11}],
        [GOOD | {"block_id": "a"}, GOOD | {"block_id": "a"}],
        [{"type": "input", "label": {"type": "plain_text", "text": "a"}, "element": {"type": "plain_text_input"}}],
    ],
)
def test_message_beyond_a_limit_or_with_a_wrong_field_is_refused(blocks: list[dict[str, Any]]) -> None:
    assert kit().message(blocks)


def test_view_or_option_beyond_a_limit_is_refused() -> None:
    home = {"type": "home", "blocks": [GOOD]}
    assert kit().view(home) == []
    assert kit().view(home | {"blocks": [GOOD] * 101})
    assert kit().view({"type": "modal", "title": {"type": "plain_text", "text": "x" * 25}, "blocks": [GOOD]})
    assert check_options([{"text": {"type": "plain_text", "text": "x"}, "value": "x" * 151}])
