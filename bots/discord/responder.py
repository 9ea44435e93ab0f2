"""Where replies go on Discord: the answer to an interaction while its token lives, else a message in the channel."""

import time
from collections.abc import Callable
from typing import Any, Final, cast

import discord
import structlog
from discord import ui

from bots.chat.store import ChatRequest
from bots.commands.client import Client
from bots.commands.replies import (
    IndexingProgress,
    LinkOutcome,
    Reply,
    Results,
    Shared,
    TextReply,
    TrainingProgress,
    succeeded,
)
from bots.discord import render
from bots.discord.render import Drawing

TOKEN_LIVES_S: Final = 15 * 60 - 20
"""Discord gives 15 minutes; an answer is on its way for some of them."""
TOKEN_REFUSED: Final = (10008, 10015, 10062, 50027)
"""Unknown message, webhook or interaction, and an invalid token."""
ANSWER, BESIDE, MESSAGE = "answer", "beside", "message"
"""The ways of a place: the interaction's own answer; results in place of those under which a button was pressed and
all else beside them; under a message of a watched channel."""

log = structlog.get_logger()


class DiscordResponder:
    """Draws each reply where its errand says."""

    def __init__(self, bot: discord.Client, client: Client, clock: Callable[[], float] = time.time) -> None:
        self._bot = bot
        self._client = client
        self._clock = clock

    async def show(self, request: ChatRequest, reply: Reply) -> None:
        """Draws a reply; raises discord.py's errors where Discord refuses it."""
        if request.command == "leave":
            return
        if request.place["way"] == MESSAGE:
            await self._under_message(request, reply)
            return
        if self._clock() - request.at < TOKEN_LIVES_S:
            try:
                await self._answer(request, reply)
            except discord.HTTPException as refused:
                if refused.code not in TOKEN_REFUSED:
                    raise
                log.info("token.refused", request=request.id, code=refused.code)
            else:
                return
        await self._late(request, reply)

    # ---- while the token lives ----

    async def _answer(self, request: ChatRequest, reply: Reply) -> None:
        place = request.place
        webhook = discord.Webhook.partial(int(place["application"]), place["token"], client=self._bot)
        if isinstance(reply, Shared):
            await webhook.send(render.shared(reply), allowed_mentions=discord.AllowedMentions.none())
            return
        drawing = await render.draw(reply, self._client.thumbnail)
        if place["way"] == BESIDE and not isinstance(reply, Results):
            await webhook.send(**_sending(drawing), ephemeral=True)
        else:
            # discord.py's own type says int, Discord's address says this word too.
            original = cast(int, "@original")
            await webhook.edit_message(
                original,
                view=drawing.view,
                attachments=list(drawing.files),
                allowed_mentions=discord.AllowedMentions.none(),
            )

    # ---- afterwards ----

    async def _late(self, request: ChatRequest, reply: Reply) -> None:
        """The last word only: what goes on meanwhile is not worth a message each."""
        if isinstance(reply, IndexingProgress | TrainingProgress) and not reply.over:
            return
        channel = self._bot.get_partial_messageable(int(request.place["channel"]))
        # Discord drops a second message with the same nonce, should two processes answer.
        nonce = request.id[:25]
        if isinstance(reply, Shared):
            await channel.send(render.shared(reply), allowed_mentions=discord.AllowedMentions.none(), nonce=nonce)
            return
        drawing = await render.draw(reply, self._client.thumbnail)
        await channel.send(**_sending(_addressed(drawing, request.caller.user_id)), nonce=nonce)

    # ---- watched channels ----

    async def _under_message(self, request: ChatRequest, reply: Reply) -> None:
        channel = self._bot.get_partial_messageable(int(request.place["channel"]))
        message = channel.get_partial_message(int(request.place["message"]))
        if isinstance(reply, IndexingProgress) and not reply.over:
            return
        if succeeded(reply):
            await message.add_reaction("✅")
            return
        failed = (
            [line for line in reply.lines if not succeeded(line)] if isinstance(reply, IndexingProgress) else [reply]
        )
        told = "\n".join(render.sentence(each) for each in failed if isinstance(each, TextReply | LinkOutcome))
        reference = message.to_reference(fail_if_not_exists=False)
        await channel.send(
            told[: render.MAX_CONTENT_CHARS],
            reference=reference,
            allowed_mentions=discord.AllowedMentions.none(),
            nonce=request.id[:25],
        )


def _sending(drawing: Drawing) -> dict[str, Any]:
    return {
        "view": drawing.view,
        "files": list(drawing.files),
        "allowed_mentions": discord.AllowedMentions.none(),
    }


def _addressed(drawing: Drawing, person: str) -> Drawing:
    """With who asked in front: in a channel nobody else would know whom an answer is for."""
    first = drawing.view.children[0]
    if isinstance(first, ui.TextDisplay):
        first.content = f"<@{person}>\n{first.content}"
    return drawing
