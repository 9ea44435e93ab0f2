"""The app's Home tab: the library, the user's own videos, and the help."""

from contextlib import aclosing
from typing import Any, Final

from bots.commands import library
from bots.commands.client import Client
from bots.commands.registry import show_help
from bots.commands.replies import Help, LibraryPage, Replies, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.slack import blocks
from bots.slack.blocks import Block
from bots.slack.render import render_help_lines, render_items
from worker.protocol.base import Caller

MAX_ITEMS: Final = 20
"""Videos per list. With everything else they stay within the 100 blocks of a view."""


async def render_home(client: Client, caller: Caller) -> dict[str, Any]:
    """Return the Home tab of a user."""
    drawn: list[Block] = [
        blocks.header(translate(Msg.LIBRARY)),
        *await _render_replies(library.list_library(client, caller, limit=MAX_ITEMS)),
        blocks.header(translate(Msg.MY_VIDEOS)),
        *await _render_replies(library.list_library(client, caller, only_own=True, limit=MAX_ITEMS)),
        blocks.header(translate(Msg.HELP)),
        *await _render_replies(show_help(client, caller)),
    ]
    return {"type": "home", "blocks": drawn}


def render_denied_home(reason: Msg) -> dict[str, Any]:
    """Return the Home tab of a user who may see nothing of the library."""
    return {"type": "home", "blocks": [blocks.section(translate(reason))]}


async def _render_replies(running: Replies) -> list[Block]:
    rendered: list[Block] = []
    async with aclosing(running) as replies:
        async for reply in replies:
            match reply:
                case LibraryPage():
                    rendered += render_items(reply.entries)
                    if len(reply.entries) < reply.total:
                        rest = translate(Msg.SOME_OF, shown=len(reply.entries), total=reply.total)
                        rendered.append(blocks.context(rest))
                case Help():
                    rendered += render_help_lines(reply.lines)
                case TextReply():
                    rendered.append(blocks.section(reply.text))
    return rendered
