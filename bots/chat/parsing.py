"""Typed text as commands: plain words search, links are added, and `/name` calls a command."""

import re
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

from bots.chat.links import find_links
from bots.commands.client import Client
from bots.commands.crawling import STOP
from bots.commands.definition import Command, Parameter, ParameterType, Surface
from bots.commands.registry import COMMANDS
from bots.commands.replies import Replies, Results, Search, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import clean_text, translate
from worker.protocol.base import Caller
from worker.protocol.library import is_search


class ArgumentError(ValueError):
    """A typed value does not fit its parameter."""


class Conversation:
    """Answers one user's lines and remembers the search that `/more` continues. A page holds `limit` cards."""

    def __init__(self, client: Client, caller: Caller, limit: int = 5) -> None:
        self._client = client
        self._caller = caller
        self._limit = limit
        self._next: Search | None = None

    async def answer(
        self,
        line: str,
        *,
        picture: str | None = None,
        clip: str | None = None,
        like: str = "",
        unlike: str = "",
        in_link: str | None = None,
        only: str | None = None,
    ) -> Replies:
        """Yield the replies to one line. All other parameters are those of `find`, if the line is a search."""
        name, rest = parse_line(line)
        steering = {"like": like, "unlike": unlike, "in_link": in_link, "only": only, "limit": self._limit}
        steering |= {"picture": picture, "clip": clip}
        async with aclosing(self._run(name, rest, steering)) as replies:
            async for reply in replies:
                if isinstance(reply, Results):
                    self._next = reply.next
                yield reply

    def _run(self, name: str, rest: str, steering: dict[str, Any]) -> Replies:
        command = COMMANDS.get(name)
        if command is None or Surface.TYPED not in command.surfaces:
            return _refuse(Msg.UNKNOWN_COMMAND, name=clean_text(name))
        try:
            args = parse_arguments(command, rest, Surface.TYPED)
        except ArgumentError:
            return _refuse(Msg.USAGE, name=name, usage=command.usage)
        if command.takes_search:
            args["search"] = self._next
        elif name == "find":
            args = steering | args
        return command.run(self._client, self._caller, **args)


def parse_line(line: str) -> tuple[str, str]:
    """Return the name of the command that a line calls, and the text for its parameters."""
    line = line.strip()
    if line.startswith("/"):
        name, _, rest = line[1:].partition(" ")
        return name.lower(), rest.strip()
    links = find_links(line)
    return ("index", " ".join(links)) if links else ("find", line)


def parse_arguments(command: Command, text: str, surface: Surface) -> dict[str, Any]:
    """Return the keyword arguments of a command from what is typed after its name.

    The name of a flag sets that flag. `NAME:VALUE` sets an option with choices (`only:said`). Any other text fills the
    positional parameters in order; optional ones without a text are left out. Raises `ArgumentError` if a number is
    expected and `text` has none.
    """
    for parameter in command.parameters_for(surface):
        if parameter.type is ParameterType.FLAG and text == parameter.shown_name:
            return {parameter.name: True}
    text, named = _take_named_values(command, text, surface)
    return named | {
        parameter.name: _parse_value(parameter, value)
        for parameter, value in _split_values(command, text, surface)
        if value or parameter.is_required
    }


def fits(command: Command, text: str, surface: Surface) -> bool:
    """Return whether what is typed after a command's name is what that command takes."""
    parameters = command.parameters_for(surface)
    if any(parameter.type is ParameterType.FLAG and text == parameter.shown_name for parameter in parameters):
        return True
    if not any(parameter.is_positional for parameter in parameters):
        return not text
    return all(_accepts(parameter, value) for parameter, value in _split_values(command, text, surface))


def parse_links(text: str) -> list[str]:
    """Return the links in a text that should consist of links; if it has none, its words, so that each is refused."""
    return find_links(text) or text.split()


def parse_list_link(text: str) -> str:
    """Return a text as a link to a list of videos, a search on YouTube, or the word `stop`."""
    text = text.strip()
    return text if _is_list_word(text) else next(iter(parse_links(text)), "")


def _is_list_word(text: str) -> bool:
    return is_search(text) or text.lower() == STOP


def _take_named_values(command: Command, text: str, surface: Surface) -> tuple[str, dict[str, str]]:
    """Return a text without its words of the form `NAME:VALUE`, and the values of these options by parameter."""
    values = {}
    for parameter in command.parameters_for(surface):
        if parameter.choices and not parameter.is_positional:
            pattern = rf"(?<!\S){parameter.shown_name}:\s?({'|'.join(parameter.choices)})(?!\S)"
            if found := re.search(pattern, text, re.IGNORECASE):
                values[parameter.name] = found[1].lower()
                text = f"{text[: found.start()]} {text[found.end() :]}".strip()
    return text, values


def _split_values(command: Command, text: str, surface: Surface) -> Iterator[tuple[Parameter, str]]:
    """Yield each positional parameter with its text: one word each, and the rest of the line for the last one."""
    positional = [parameter for parameter in command.parameters_for(surface) if parameter.is_positional]
    rest = text.strip()
    for parameter in positional[:-1]:
        is_whole_rest = parameter.type is ParameterType.LIST and is_search(rest)
        value, _, rest = (rest, "", "") if is_whole_rest else rest.partition(" ")
        rest = rest.strip()
        yield parameter, value
    if positional:
        yield positional[-1], rest


def _parse_value(parameter: Parameter, value: str) -> Any:
    if parameter.type in (ParameterType.NUMBER, ParameterType.PAGE_SIZE):
        if not _is_number_for(parameter, value):
            raise ArgumentError(value)
        return int(value)
    if parameter.type is ParameterType.LINK:
        links = parse_links(value)
        return links if parameter.is_list else next(iter(links), "")
    if parameter.type is ParameterType.LIST:
        return parse_list_link(value)
    return value


def _accepts(parameter: Parameter, value: str) -> bool:
    if not value and parameter.type not in (ParameterType.LINK, ParameterType.LIST):
        return not parameter.is_required
    words = value.split()
    match parameter.type:
        case ParameterType.LINK:
            links = len(find_links(value))
            return not words or links == 1 or (links > 1 and parameter.is_list)
        case ParameterType.LIST:
            return not words or _is_list_word(value) or len(find_links(value)) == 1
        case ParameterType.NUMBER | ParameterType.PAGE_SIZE:
            return _is_number_for(parameter, value)
        case _:
            return not parameter.choices or value in parameter.choices


def _is_number_for(parameter: Parameter, value: str) -> bool:
    if not value.isdecimal():
        return False
    return (parameter.minimum or 0) <= int(value) <= (parameter.maximum or int(value))


async def _refuse(text: Msg, **values: object) -> Replies:
    yield TextReply(translate(text, **values), ok=False)
