"""Slack's text as a command with its arguments."""

import html
import re
from typing import Any, Final

from bots.chat.parsing import find_links, fits, parse_arguments
from bots.commands.definition import Surface
from bots.commands.registry import COMMANDS

_MARKUP: Final = re.compile(r"<([^<>|\s][^<>|]*)(?:\|([^<>]*))?>")
"""Slack's form of links, channels, users and groups: `<https://…|label>`, `<#C123|general>`, `<@U123|ann>`."""
_WEB_LINK: Final = re.compile(r"<(https?://[^<>|]+)(?:\|[^<>]*)?>")


def parse_text(text: str) -> tuple[str, dict[str, Any]]:
    """Return the command that a text calls, with its arguments.

    The first word is a command only if the rest is what that command takes: "index finger pointing" is a search. Any
    other text with links adds them, any other text without is a search, and an empty text asks for help.
    """
    text = to_plain_text(text)
    name, _, rest = text.partition(" ")
    command, rest = COMMANDS.get(name.lower()), rest.strip()
    if command and Surface.CHAT in command.surfaces and fits(command, rest, Surface.CHAT):
        return command.name, parse_arguments(command, rest, Surface.CHAT)
    if links := find_links(text):
        return "index", {"links": links}
    return ("find", {"words": text}) if text else ("help", {})


def to_plain_text(text: str) -> str:
    """Return Slack's text as the user typed it: links as addresses, channels as ids, users as names."""
    return " ".join(html.unescape(_MARKUP.sub(_replace_markup, text)).split())


def web_links(text: str) -> tuple[str, ...]:
    """Return the web links of a message without duplicates."""
    return tuple(dict.fromkeys(html.unescape(link) for link in _WEB_LINK.findall(text)))


def _replace_markup(found: re.Match[str]) -> str:
    target, label = found[1], found[2] or ""
    if target[0] in "@!":
        return label
    return target[1:] if target[0] == "#" else target
