"""What a person typed to the Slack app, and what is meant by it."""

import html
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from bots.chat.parsing import arguments, links_in
from bots.commands.admin import OPTIONS

_MARKUP = re.compile(r"<([^<>|\s][^<>|]*)(?:\|([^<>]*))?>")
"""How Slack writes a link, a channel, a person or a group: `<https://…|label>`, `<#C123|general>`, `<@U123|ann>`."""
_WEB_LINK = re.compile(r"<(https?://[^<>|]+)(?:\|[^<>]*)?>")


def read(text: str) -> tuple[str, dict[str, Any]]:
    """The command that a text means, with its arguments.

    A first word is a command only if what follows fits it ("index finger pointing" is a search); `find …` always
    searches, links are added, and nothing at all asks for help.
    """
    text = plain(text)
    name, _, rest = text.partition(" ")
    name, rest = name.lower(), rest.strip()
    if name in FITS and FITS[name](rest):
        return name, arguments(name, rest)
    if links := links_in(text):
        return "index", {"links": links}
    return ("find", {"words": text}) if text else ("help", {})


def plain(text: str) -> str:
    """Slack's text as it was typed: links by their address, channels by their id, people by their name."""
    return " ".join(html.unescape(_MARKUP.sub(_unwrapped, text)).split())


def links_of(text: str) -> tuple[str, ...]:
    """The web links of a message, each once."""
    return tuple(dict.fromkeys(html.unescape(link) for link in _WEB_LINK.findall(text)))


def _unwrapped(found: re.Match[str]) -> str:
    target, label = found[1], found[2] or ""
    if target[0] in "@!":
        return label
    return target[1:] if target[0] == "#" else target


def _nothing(rest: str) -> bool:
    return not rest


def _of(*choices: str) -> Callable[[str], bool]:
    return lambda rest: rest in choices


FITS: Final[Mapping[str, Callable[[str], bool]]] = {
    "find": bool,
    "index": lambda rest: len(links_in(rest)) == len(rest.split()),
    "library": lambda rest: True,
    "forget": lambda rest: rest in ("", "mine") or len(links_in(rest)) == len(rest.split()) == 1,
    "status": _nothing,
    "privacy": _nothing,
    "help": _nothing,
    "settings": lambda rest: not rest or rest.split()[0] in OPTIONS,
    "retrain": _of("", "start", "cancel"),
    "model": _of("", "status", "rollback"),
}
"""Whether what follows a command's name is what that command takes. `more` has no name here: it is a button."""
