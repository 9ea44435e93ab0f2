"""Delivery of replies on Discord: as the answer to an interaction, or as a message in the channel."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, TypeGuard, cast

import discord
import structlog
from discord import ui

from bots.chat.progress import is_interim
from bots.chat.requests import ChatRequest
from bots.commands.client import Client
from bots.commands.replies import IndexingProgress, LinkOutcome, Reply, Results, Shared, TextReply, is_success
from bots.discord import render
from bots.discord.attachments import AttachmentSigner
from bots.discord.render import RenderedMessage

TOKEN_LIFETIME_S: Final = 15 * 60 - 20
"""Discord accepts an interaction's token for 15 minutes; some seconds are left for the delivery."""
TOKEN_ERRORS: Final = (10008, 10015, 10062, 50027)
"""Discord's codes for an unknown message, webhook or interaction, and for an invalid token."""
MAX_NONCE_CHARS: Final = 25

log = structlog.get_logger()


class ReplyMode(StrEnum):
    """How a request is answered; part of its place."""

    ANSWER = "answer"
    """As the answer to the interaction."""
    IN_PLACE = "in_place"
    """Results replace those whose button was pressed, other replies are private follow-up messages."""
    UNDER_MESSAGE = "under_message"
    """As a reaction or a reply to a message of a watched channel."""


class DiscordResponder:
    """Renders each reply and delivers it at the request's place."""

    def __init__(self, bot: discord.Client, client: Client, clock: Callable[[], float]) -> None:
        self._bot = bot
        self._client = client
        self._clock = clock
        self.signer = AttachmentSigner(bot, clock)

    async def show(self, request: ChatRequest, reply: Reply) -> None:
        """Deliver a reply. Raises discord.py's errors if Discord refuses it."""
        if "mode" not in request.place:  # a request without a recipient
            return
        reply = await self.signer.sign_reply(reply, request.caller.space)
        if request.place["mode"] == ReplyMode.UNDER_MESSAGE:
            await self._show_under_message(request, reply)
            return
        if self._clock() - request.asked_at < TOKEN_LIFETIME_S:
            try:
                await self._answer_interaction(request, reply)
            except discord.HTTPException as refused:
                if refused.code not in TOKEN_ERRORS:
                    raise
                log.info("interaction_token.refused", request=request.id, code=refused.code)
            else:
                return
        await self._post_in_channel(request, reply)

    async def _answer_interaction(self, request: ChatRequest, reply: Reply) -> None:
        place = request.place
        webhook = discord.Webhook.partial(int(place["application"]), place["token"], client=self._bot)
        if isinstance(reply, Shared):
            await webhook.send(render.render_shared(reply), allowed_mentions=discord.AllowedMentions.none())
            return
        rendered = await render.render(reply, self._client.thumbnail)
        if place["mode"] == ReplyMode.IN_PLACE and not isinstance(reply, Results):
            await webhook.send(**_send_options(rendered), ephemeral=True)
        else:
            # discord.py's type is int, but Discord's API accepts this name as well.
            original_message = cast(int, "@original")
            await webhook.edit_message(
                original_message,
                view=rendered.view,
                attachments=list(rendered.files),
                allowed_mentions=discord.AllowedMentions.none(),
            )

    async def _post_in_channel(self, request: ChatRequest, reply: Reply) -> None:
        """Post a reply whose interaction has expired. Interim replies are skipped: each would be a message."""
        if is_interim(reply):
            return
        channel = self._bot.get_partial_messageable(int(request.place["channel"]))
        nonce = _make_nonce(request)
        if isinstance(reply, Shared):
            text = render.render_shared(reply)
            await channel.send(text, allowed_mentions=discord.AllowedMentions.none(), nonce=nonce)
            return
        rendered = await render.render(reply, self._client.thumbnail)
        await channel.send(**_send_options(_add_recipient(rendered, request.caller.user_id)), nonce=nonce)

    async def _show_under_message(self, request: ChatRequest, reply: Reply) -> None:
        """Add a check mark to a message of a watched channel. Reply to it with what else is to say."""
        if is_interim(reply):
            return
        channel = self._bot.get_partial_messageable(int(request.place["channel"]))
        message = channel.get_partial_message(int(request.place["message"]))
        if is_success(reply):
            await _add_check_mark(message)
        lines = reply.lines if isinstance(reply, IndexingProgress) else [reply]
        sentences = [render.render_sentence(line) for line in lines if _is_worth_a_message(line)]
        if not sentences:
            return
        text = "\n".join(sentences)
        await channel.send(
            text[: render.MAX_CONTENT_CHARS],
            reference=message.to_reference(fail_if_not_exists=False),
            allowed_mentions=discord.AllowedMentions.none(),
            nonce=_make_nonce(request),
        )


def _is_worth_a_message(line: object) -> TypeGuard[TextReply | LinkOutcome]:
    if isinstance(line, LinkOutcome):
        return line.says_more_than_added
    return isinstance(line, TextReply) and not line.ok


async def _add_check_mark(message: discord.PartialMessage) -> None:
    """Add a check mark to a message, if Discord lets the bot do so.

    Its author may have blocked the bot, the bot may lack the permission, and the message may have been deleted or have
    too many reactions. The videos were added nevertheless, so this is no failure to report.
    """
    try:
        await message.add_reaction("✅")
    except discord.HTTPException as error:
        log.info("reaction.refused", message=message.id, code=error.code, status=error.status)


def _make_nonce(request: ChatRequest) -> str:
    """Return a nonce for which Discord accepts one message only, in case two processes answer (idempotent delivery)."""
    return request.id[:MAX_NONCE_CHARS]


def _send_options(rendered: RenderedMessage) -> dict[str, Any]:
    return {
        "view": rendered.view,
        "files": list(rendered.files),
        "allowed_mentions": discord.AllowedMentions.none(),
    }


def _add_recipient(rendered: RenderedMessage, user_id: str) -> RenderedMessage:
    """Mention the caller at the beginning: a message in the channel does not show whose request it answers."""
    first = rendered.view.children[0]
    if isinstance(first, ui.TextDisplay):
        first.content = f"<@{user_id}>\n{first.content}"
    return rendered
