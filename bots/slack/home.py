"""The app's Home tab: the library, what one put in, and what there is to ask for."""

from contextlib import aclosing
from typing import Any, Final

from bots.commands import search
from bots.commands.client import Client
from bots.commands.registry import guide
from bots.commands.replies import Guide, Replies, Sentence, Shelf
from bots.i18n.messages import Text
from bots.i18n.translate import say
from bots.slack import blocks
from bots.slack.blocks import Block
from bots.slack.render import entries
from bots.slack.render import guide as typed
from worker.protocol.messages import Asker

MOST: Final = 20
"""Videos of each list: with the rest they stay within the 100 blocks that a view may have."""


async def home(client: Client, asker: Asker) -> dict[str, Any]:
    drawn: list[Block] = [
        blocks.header(say(Text.LIBRARY)),
        *await _shown(search.library(client, asker, limit=MOST)),
        blocks.header(say(Text.MY_VIDEOS)),
        *await _shown(search.library(client, asker, mine=True, limit=MOST)),
        blocks.header(say(Text.HELP)),
        *await _shown(guide(client, asker)),
    ]
    return {"type": "home", "blocks": drawn}


def closed(why: Text) -> dict[str, Any]:
    """What somebody sees who gets nothing of the library."""
    return {"type": "home", "blocks": [blocks.section(say(why))]}


async def _shown(running: Replies) -> list[Block]:
    shown: list[Block] = []
    async with aclosing(running) as replies:
        async for reply in replies:
            match reply:
                case Shelf():
                    shown += entries(reply.entries)
                    if len(reply.entries) < reply.total:
                        rest = say(Text.SOME_OF, shown=len(reply.entries), total=reply.total)
                        shown.append(blocks.context(rest))
                case Guide():
                    shown += typed(reply.lines)
                case Sentence():
                    shown.append(blocks.section(reply.text))
    return shown
