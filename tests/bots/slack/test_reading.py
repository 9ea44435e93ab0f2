"""What is meant by what a person typed."""

from typing import Any

import pytest

from bots.commands.registry import COMMANDS
from bots.slack.parse_command import FITS, links_of, read
from bots.slack.render import guide

LINK = "https://video.example/snow"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", ("help", {})),
        ("a dog runs in snow", ("find", {"words": "a dog runs in snow"})),
        ("index finger pointing", ("find", {"words": "index finger pointing"})),
        ("forget me not flowers", ("find", {"words": "forget me not flowers"})),
        ("status symbol", ("find", {"words": "status symbol"})),
        ("settings sun over the sea", ("find", {"words": "settings sun over the sea"})),
        ("model walks on a runway", ("find", {"words": "model walks on a runway"})),
        ("help", ("help", {})),
        ("Help", ("help", {})),
        ("help a friend", ("find", {"words": "help a friend"})),
        ("find library", ("find", {"words": "library"})),
        ("find", ("find", {"words": "find"})),
        ("more", ("find", {"words": "more"})),
        ("library", ("library", {"search": ""})),
        ("library mine", ("library", {"mine": True})),
        ("library snow", ("library", {"search": "snow"})),
        ("index", ("index", {"links": []})),
        (f"index {LINK}", ("index", {"links": [LINK]})),
        (f"index <{LINK}|video.example/snow> <https://b.example/?a=1&amp;b=2>",
         ("index", {"links": [LINK, "https://b.example/?a=1&b=2"]})),
        (LINK, ("index", {"links": [LINK]})),
        (f"look at <{LINK}>", ("index", {"links": [LINK]})),
        (f"forget <{LINK}>", ("forget", {"link": LINK})),
        ("forget mine", ("forget", {"mine": True})),
        ("forget", ("forget", {"link": ""})),
        ("status", ("status", {})),
        ("privacy", ("privacy", {})),
        ("settings", ("settings", {"name": "", "value": ""})),
        ("settings watched <#C1|clips> <#C2>", ("settings", {"name": "watched", "value": "C1 C2"})),
        ("settings language ko", ("settings", {"name": "language", "value": "ko"})),
        ("retrain", ("retrain", {})),
        ("retrain cancel", ("retrain", {"action": "cancel"})),
        ("model rollback", ("model", {"action": "rollback"})),
        ("cats &amp; dogs &lt;3", ("find", {"words": "cats & dogs <3"})),
        ("<@U1|ann> dances", ("find", {"words": "ann dances"})),
    ],
)  # fmt: skip
def test_a_first_word_is_a_command_only_if_the_rest_fits(text: str, meant: tuple[str, dict[str, Any]]) -> None:
    """What looks like a command but goes on like a sentence is searched for; links are added."""
    assert read(text) == meant


def test_every_command_is_offered() -> None:
    """All commands there are can be typed in Slack, and the help shows them as they are typed; `more` is a button."""
    assert set(FITS) == set(COMMANDS) - {"more"}
    lines = guide([(each.name, each.arguments, "what it does") for each in COMMANDS.values()])
    assert len(lines) == len(FITS)


def test_the_links_of_a_message() -> None:
    """Each link counts once, as its address is, without its label; people and channels are no links."""
    text = "see <https://a.example/?x=1&amp;y=2|here>, <https://a.example/?x=1&amp;y=2> <@U1> <#C1|x> <mailto:a@b.c|a>"
    assert links_of(text) == ("https://a.example/?x=1&y=2",)
