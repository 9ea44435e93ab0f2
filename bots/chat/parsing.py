"""One conversation in typed lines: plain words search, links are added, `/name` is a command."""

import re
from contextlib import aclosing
from typing import Any

from bots.commands import search
from bots.commands.client import Client
from bots.commands.registry import COMMANDS
from bots.commands.replies import Replies, Results, Search, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import clean, translate
from worker.protocol.messages import Caller

_LINK = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_BARE_LINK = re.compile(r"([\w-]+\.)+[a-z]{2,}/\S+", re.IGNORECASE)
"""A link as people shorten it: `youtu.be/…`"""
_WRAPPERS = "<>\"'`“”‘’"


class Conversation:
    """Remembers what `/more` goes on from. A page of a search holds `limit` cards."""

    def __init__(self, client: Client, caller: Caller, limit: int = 5) -> None:
        self._client = client
        self._caller = caller
        self._limit = limit
        self._next: Search | None = None

    async def say(self, line: str, *, like: str = "", unlike: str = "", in_link: str | None = None) -> Replies:
        """The replies to one line. `like`, `unlike` and `in_link` steer a search."""
        name, rest = read(line)
        if name not in COMMANDS:
            running = _unknown(name)
        elif name == "more":
            running = search.more(self._client, self._caller, self._next)
        else:
            given = arguments(name, rest)
            if name == "find":
                given |= {"like": like, "unlike": unlike, "in_link": in_link, "limit": self._limit}
            running = COMMANDS[name].run(self._client, self._caller, **given)
        async with aclosing(running) as replies:
            async for reply in replies:
                if isinstance(reply, Results):
                    self._next = reply.next
                yield reply


def arguments(name: str, rest: str) -> dict[str, Any]:
    """What is typed after a command's name, as `bots.commands.registry` takes it."""
    match name:
        case "find":
            return {"words": rest}
        case "index":
            return {"links": rest.split()}
        case "library":
            return {"mine": True} if rest == "mine" else {"search": rest}
        case "forget":
            return {"mine": True} if rest == "mine" else {"link": rest}
        case "settings":
            setting, _, value = rest.partition(" ")
            return {"name": setting, "value": value.strip()}
        case "retrain":
            return {"action": rest} if rest else {}
        case "model":
            action, _, to = rest.partition(" ")
            return ({"action": action} if action else {}) | ({"to": to.strip()} if to else {})
    return {}


def read(line: str) -> tuple[str, str]:
    """The command that a line means, and what is said with it."""
    line = line.strip()
    if line.startswith("/"):
        name, _, rest = line[1:].partition(" ")
        return name.lower(), rest.strip()
    links = links_in(line)
    return ("index", " ".join(links)) if links else ("find", line)


def links_in(line: str) -> list[str]:
    """The links of a line; words around a full link are talk. A shortened link counts only where no words stand by."""
    words = [word.strip(_WRAPPERS) for word in line.split()]
    if words and all(_BARE_LINK.fullmatch(word) or _LINK.fullmatch(word) for word in words):
        return words
    return [word for word in words if _LINK.fullmatch(word)]


async def _unknown(name: str) -> Replies:
    yield TextReply(translate(Msg.UNKNOWN_COMMAND, name=clean(name)), ok=False)
