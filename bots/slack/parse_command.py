"""Slack's text as a command with its arguments."""

import html
import re
from typing import Any, Final

from bots.chat.links import find_links
from bots.chat.parsing import fits, parse_arguments
from bots.commands.definition import Command, ParameterType, Surface
from bots.commands.registry import COMMANDS
from text.queries import clean_query

_MARKUP: Final = re.compile(r"<([^<>|\s][^<>|]*)(?:\|([^<>]*))?>")
"""Slack's form of links, channels, users and groups: `<https://…|label>`, `<#C123|general>`, `<@U123|ann>`."""


def parse_text(text: str) -> tuple[str, dict[str, Any]]:
    """Return the command that a text calls, with its arguments.

    The first word is a command only if the rest is what that command takes: "index finger pointing" is a search. Any
    other text with links adds them, any other text without is a search, and an empty text asks for help.
    """
    plain, marked, query = to_plain_text(text), _mark_links(text), clean_query(text)
    command = COMMANDS.get(plain.partition(" ")[0].lower())
    if command and Surface.CHAT in command.surfaces:
        line = query if command.name == "find" else marked if _takes_links(command) else plain
        rest = line.partition(" ")[2].strip()
        if fits(command, rest, Surface.CHAT):
            return command.name, parse_arguments(command, rest, Surface.CHAT)
    if links := find_links(marked):
        return "index", {"links": links}
    return ("find", parse_arguments(COMMANDS["find"], query, Surface.CHAT)) if text.strip() else ("help", {})


def to_plain_text(text: str) -> str:
    """Return Slack's text as the user typed it: links as addresses, channels as ids, users as names."""
    return " ".join(html.unescape(_MARKUP.sub(_replace_markup, text)).split())


def web_links(text: str) -> tuple[str, ...]:
    """Return the web links of a message without duplicates."""
    return tuple(find_links(_mark_links(text)))


def _mark_links(text: str) -> str:
    """Return Slack's text as the user typed it, with `<` and `>` around the links: they end where Slack says."""
    return " ".join(html.unescape(_MARKUP.sub(_bracket_link, text)).split())


def _bracket_link(found: re.Match[str]) -> str:
    plain = _replace_markup(found)
    return f"<{plain}>" if "://" in plain else plain


def _replace_markup(found: re.Match[str]) -> str:
    """Return what the user typed: the label, if Slack made a link of a mere domain or a mail address."""
    target, label = found[1], found[2] or ""
    if target[0] in "@!":
        return label
    if target[0] == "#":
        return target[1:]
    is_made_by_slack = target in (f"http://{label}", f"mailto:{label}") and "/" not in label
    return label if is_made_by_slack else target


def _takes_links(command: Command) -> bool:
    return any(each.type in (ParameterType.LINK, ParameterType.LIST) for each in command.parameters_for(Surface.CHAT))
