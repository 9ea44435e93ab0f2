"""The app's Home tab: the library, what one put in, and what there is to ask for."""

from contextlib import aclosing
from typing import Any, Final

from bots.commands import search
from bots.commands.client import Client
from bots.commands.registry import guide
from bots.commands.replies import Help, LibraryPage, Replies, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.slack import blocks
from bots.slack.blocks import Block
from bots.slack.render import entries
from bots.slack.render import guide as typed
from worker.protocol.messages import Caller

MOST: Final = 20
"""Videos of each list: with the rest they stay within the 100 blocks that a view may have."""


async def home(client: Client, caller: Caller) -> dict[str, Any]:
    drawn: list[Block] = [
        blocks.header(translate(Msg.LIBRARY)),
        *await _shown(search.library(client, caller, limit=MOST)),
        blocks.header(translate(Msg.MY_VIDEOS)),
        *await _shown(search.library(client, caller, mine=True, limit=MOST)),
        blocks.header(translate(Msg.HELP)),
        *await _shown(guide(client, caller)),
    ]
    return {"type": "home", "blocks": drawn}


def closed(why: Msg) -> dict[str, Any]:
    """What somebody sees who gets nothing of the library."""
    return {"type": "home", "blocks": [blocks.section(translate(why))]}


async def _shown(running: Replies) -> list[Block]:
    shown: list[Block] = []
    async with aclosing(running) as replies:
        async for reply in replies:
            match reply:
                case LibraryPage():
                    shown += entries(reply.entries)
                    if len(reply.entries) < reply.total:
                        rest = translate(Msg.SOME_OF, shown=len(reply.entries), total=reply.total)
                        shown.append(blocks.context(rest))
                case Help():
                    shown += typed(reply.lines)
                case TextReply():
                    shown.append(blocks.section(reply.text))
    return shown
