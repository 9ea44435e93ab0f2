"""Slack's text as commands."""

from typing import Any

import pytest

from bots.commands.definition import Command, Surface
from bots.commands.registry import list_commands
from bots.commands.replies import HelpLine
from bots.slack.parse_command import parse_text, web_links
from bots.slack.render import render_help_lines

LINK = "https://video.example/snow"


@pytest.mark.parametrize(
    ("text", "expected"),
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
        ("only:said bake bread", ("find", {"only": "said", "words": "bake bread"})),
        ("find applause only: Heard", ("find", {"only": "heard", "words": "applause"})),
        ("only:nothing bread", ("find", {"words": "only:nothing bread"})),
        ("find", ("find", {"words": "find"})),
        ("more", ("find", {"words": "more"})),
        ("library", ("library", {})),
        ("library mine", ("library", {"only_own": True})),
        ("library snow", ("library", {"search": "snow"})),
        ("index", ("index", {"links": []})),
        (f"index {LINK}", ("index", {"links": [LINK]})),
        (f"index <{LINK}|video.example/snow> <https://b.example/?a=1&amp;b=2>",
         ("index", {"links": [LINK, "https://b.example/?a=1&b=2"]})),
        (LINK, ("index", {"links": [LINK]})),
        (f"look at <{LINK}>", ("index", {"links": [LINK]})),
        (f"forget <{LINK}>", ("forget", {"link": LINK})),
        ("forget mine", ("forget", {"only_own": True})),
        ("forget", ("forget", {"link": ""})),
        (f"crawl <{LINK}>", ("crawl", {"link": LINK})),
        (f"crawl <{LINK}> 20", ("crawl", {"link": LINK, "max_links": 20})),
        ("crawl ytsearch10:funny cats 11", ("crawl", {"link": "ytsearch10:funny cats 11"})),
        ("crawl stop", ("crawl", {"link": "stop"})),
        ("crawl", ("crawl", {"link": ""})),
        ("crawl through the mud", ("find", {"words": "crawl through the mud"})),
        ("follow", ("follow", {})),
        (f"follow <{LINK}|snow>", ("follow", {"link": LINK})),
        ("follow me into the woods", ("find", {"words": "follow me into the woods"})),
        (f"unfollow <{LINK}>", ("unfollow", {"link": LINK})),
        ("status", ("status", {})),
        ("privacy", ("privacy", {})),
        ("settings", ("settings", {})),
        ("settings watched <#C1|clips> <#C2>", ("settings", {"name": "watched", "value": "C1 C2"})),
        ("settings language ko", ("settings", {"name": "language", "value": "ko"})),
        ("retrain", ("retrain", {})),
        ("retrain cancel", ("retrain", {"action": "cancel"})),
        ("model rollback", ("model", {"action": "rollback"})),
        ("cats &amp; dogs &lt;3", ("find", {"words": "cats & dogs <3"})),
        ("<@U1|ann> dances", ("find", {"words": "ann dances"})),
        ("*a dog* in <#C1|general>", ("find", {"words": "a dog in general"})),
        ("find _a dog_ <@U1> :dog:", ("find", {"words": "a dog 🐶"})),
        ("&gt; a dog\n&gt; runs", ("find", {"words": "a dog runs"})),
        ("<@U1> <!here> <#C1>", ("find", {"words": ""})),
        (":partyparrot:", ("find", {"words": ""})),
        ("...", ("find", {"words": ""})),
        (f"index <{LINK}>, <https://b.example/a>", ("index", {"links": [LINK, "https://b.example/a"]})),
        (f"index this: <{LINK}|the clip>, nice", ("index", {"links": [LINK]})),
        (f"forget this one: <{LINK}>.", ("forget", {"link": LINK})),
        (f"이거봐<{LINK}>하하", ("index", {"links": [LINK]})),
        (f"이거봐{LINK}，하하", ("index", {"links": [LINK]})),
        (f"`{LINK}`", ("index", {"links": [LINK]})),
        ("<http://node.js|node.js> tricks", ("find", {"words": "node.js tricks"})),
        ("write to <mailto:a@b.example|a@b.example>", ("find", {"words": "write to a@b.example"})),
    ],
)  # fmt: skip
def test_first_word_is_a_command_only_if_the_rest_fits(text: str, expected: tuple[str, dict[str, Any]]) -> None:
    """Other texts are searches, or add their links."""
    assert parse_text(text) == expected


@pytest.mark.parametrize("command", list_commands(Surface.CHAT), ids=lambda command: command.name)
def test_every_chat_command_can_be_typed_and_is_in_the_help(command: Command) -> None:
    typed = {"find": "find a dog", "ask": "ask what the dog eats"}.get(command.name, command.name)
    assert parse_text(typed)[0] == command.name
    assert render_help_lines([HelpLine(command.name, command.usage, "what it does")])


def test_help_of_slack_leaves_out_the_next_page() -> None:
    """It is a button there."""
    assert render_help_lines([HelpLine("more", "", "what it does")]) == []


def test_web_links_are_unescaped_and_deduplicated() -> None:
    """Labels, users, channels and mail addresses are not links."""
    text = "see <https://a.example/?x=1&amp;y=2|here>, <https://a.example/?x=1&amp;y=2> <@U1> <#C1|x> <mailto:a@b.c|a>"
    assert web_links(text) == ("https://a.example/?x=1&y=2",)
    assert web_links("이거봐https://youtu.be/a，<https://b.example/c>하하 `youtu.be/d`") == (
        "https://youtu.be/a",
        "https://b.example/c",
        "youtu.be/d",
    )
