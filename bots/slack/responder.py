"""Delivery of replies in Slack: to one user only, or as messages that the whole channel sees."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.chat.progress import is_interim
from bots.chat.requests import ChatRequest
from bots.commands.definition import Surface
from bots.commands.registry import COMMANDS
from bots.commands.replies import IndexingProgress, LinkOutcome, Reply, Results, Shared
from bots.slack import blocks
from bots.slack.blocks import SlackMessage
from bots.slack.render import COMMAND, pictures_of, render, render_shared
from bots.slack.thumbnails import ThumbnailUploader
from bots.slack.workspaces import WorkspaceClients
from worker.protocol.error_codes import ErrorCode

RESPONSE_URL_LIFETIME_S: Final = 30 * 60
"""How long Slack accepts answers at the response URL of an interaction."""
NOT_A_VIDEO: Final = frozenset(
    {ErrorCode.NO_VIDEO, ErrorCode.NOT_A_LINK, ErrorCode.SCHEME_REFUSED, ErrorCode.PLAYLIST_REFUSED}
)
"""A link in a watched channel that leads to no video is not reported as a failure."""
CANNOT_POST: Final = frozenset({"not_in_channel", "channel_not_found", "is_archived", "restricted_action"})
"""Slack's errors for a channel in which the bot may not post. The reply then goes to the asking user alone."""
CANNOT_EDIT: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
WITHOUT_UNFURLING: Final[Mapping[str, Any]] = {"unfurl_links": False, "unfurl_media": False}

log = structlog.get_logger()


class Delivery(StrEnum):
    """How a request is answered; part of its place."""

    PRIVATE = "private"
    """To the asking user alone."""
    PUBLIC = "public"
    """As messages that the whole channel sees; failures go to the asking user alone."""
    REPLACE = "replace"
    """Results replace the page whose button was pressed, other replies are private."""
    DIRECT = "direct"
    """As messages in a conversation with the app."""
    UNDER_MESSAGE = "under_message"
    """As a reaction to a message of a watched channel; failures go to its author alone."""


class InvalidBlocksError(Exception):
    """Slack refuses the blocks of a message."""


@dataclass(frozen=True)
class MessageAddress:
    """A posted message."""

    channel: str
    ts: str


@dataclass
class DeliveryState:
    """The messages that a request has had so far."""

    is_interaction_alive: bool = False
    """Whether this process received the request itself, so that its interaction can still be answered."""
    has_posted: bool = False
    has_shown_added: bool = False
    """Whether one of them said that all videos can be found by their looks."""
    editable: MessageAddress | None = None
    """The message that the next reply edits; None if an app can edit none of them."""


@dataclass(frozen=True)
class SlackResponder:
    """Renders replies and delivers them.

    Slack lets no app edit what it showed to one user after a command, so a private answer has at most three messages:
    one when the work starts, one when all videos are added but still listened to, and one when it ends. A public
    message is edited through all stages.
    """

    workspaces: WorkspaceClients
    thumbnails: ThumbnailUploader
    clock: Callable[[], float] = time.time
    _states: dict[str, DeliveryState] = field(default_factory=dict)

    @contextmanager
    def track(self, request: ChatRequest) -> Iterator[None]:
        """Let replies answer the request's interaction for the block."""
        self._states[request.id] = DeliveryState(is_interaction_alive=True)
        try:
            yield
        finally:
            self._states.pop(request.id, None)

    async def show(self, request: ChatRequest, reply: Reply) -> None:
        """Deliver a reply. Raises `SlackApiError` or `InvalidBlocksError` if Slack refuses it."""
        state = self._states.setdefault(request.id, DeliveryState())
        if not is_interim(reply) and not state.is_interaction_alive:
            del self._states[request.id]
        web = await self.workspaces.web_client(_get_team(request))
        match reply:
            case Shared():
                await self._share(web, request, reply)
            case IndexingProgress() if request.place["delivery"] == Delivery.UNDER_MESSAGE:
                await self._mark_message(web, request, state, reply)
            case _:
                await self._render_and_deliver(web, request, state, reply)

    async def _render_and_deliver(
        self, web: AsyncWebClient, request: ChatRequest, state: DeliveryState, reply: Reply
    ) -> None:
        """Deliver a reply with its pictures, or without them if Slack refuses them."""
        team, alt_texts = _get_team(request), pictures_of(reply)
        file_ids = await self.thumbnails.upload(web, team, alt_texts)
        replaces_page = request.place["delivery"] == Delivery.REPLACE and isinstance(reply, Results)
        is_optional = is_interim(reply) and not _is_first_added(state, reply)
        try:
            await self._deliver(web, request, state, render(reply, file_ids), is_optional, replaces_page)
        except InvalidBlocksError as error:
            if not file_ids:
                raise
            log.warning("slack.pictures_refused", error=error)
            await self.thumbnails.forget(team, alt_texts)
            await self._deliver(web, request, state, render(reply, {}), is_optional, replaces_page)

    # ---- ways to deliver ----

    async def _deliver(
        self,
        web: AsyncWebClient,
        request: ChatRequest,
        state: DeliveryState,
        message: SlackMessage,
        is_optional: bool,
        replaces_page: bool = False,
    ) -> None:
        """Edit the earlier message, or answer the interaction, or post a message, an optional one only as the first."""
        delivery = request.place["delivery"]
        public_message = message if delivery == Delivery.DIRECT else _add_request_header(request, message)
        if state.editable is not None:
            if await self._edit(web, state.editable, public_message):
                return
            state.editable = None
        if is_optional and state.has_posted:
            return
        is_private = delivery != Delivery.DIRECT and (delivery != Delivery.PUBLIC or not message.ok)
        if not (
            is_private
            and self._can_answer(request, state)
            and await self._post_ephemeral(web, request, message, replaces_page)
        ):
            await self._post(web, request, state, public_message)
        state.has_posted = True

    async def _edit(self, web: AsyncWebClient, address: MessageAddress, message: SlackMessage) -> bool:
        """Edit a posted message. Returns False if it was deleted, or if the workspace forbids late edits."""
        try:
            await _raise_invalid_blocks(web.chat_update(channel=address.channel, ts=address.ts, **message.payload()))
        except SlackApiError as error:
            if error.response["error"] not in CANNOT_EDIT:
                raise
            return False
        return True

    def _can_answer(self, request: ChatRequest, state: DeliveryState) -> bool:
        return state.is_interaction_alive and self.clock() - request.asked_at < RESPONSE_URL_LIFETIME_S

    async def _post_ephemeral(
        self, web: AsyncWebClient, request: ChatRequest, message: SlackMessage, replaces_page: bool
    ) -> bool:
        """Show a message to the asking user alone. Returns False if Slack no longer accepts an answer there."""
        place = request.place
        if url := place.get("url"):
            options: dict[str, Any] = {"replace_original": replaces_page}
            if not replaces_page:
                options["response_type"] = "ephemeral"
            return await self._respond(url, message.payload() | options | _get_thread(place) | dict(WITHOUT_UNFURLING))
        try:
            await _raise_invalid_blocks(
                web.chat_postEphemeral(
                    channel=place["channel"], user=request.caller.user_id, **message.payload(), **_get_thread(place)
                )
            )
        except SlackApiError as error:
            log.info("slack.ephemeral_refused", error=str(error.response["error"]))
            return False
        return True

    async def _respond(self, url: str, payload: Mapping[str, Any]) -> bool:
        """Send a payload to a response URL. Returns False if Slack refuses it."""
        response = await self.workspaces.response_client(url).send_dict(dict(payload))
        if "invalid_blocks" in response.body:
            raise InvalidBlocksError(response.body)
        if response.status_code != 200:
            log.info("slack.response_refused", status=response.status_code, body=response.body)
        return response.status_code == 200

    async def _post(
        self, web: AsyncWebClient, request: ChatRequest, state: DeliveryState, message: SlackMessage
    ) -> None:
        """Post a message in the channel, or to the asking user if the bot may not post there."""
        place = request.place
        payload = message.payload() | dict(WITHOUT_UNFURLING)
        try:
            response = await _raise_invalid_blocks(
                web.chat_postMessage(channel=place["channel"], **payload, **_get_thread(place))
            )
        except SlackApiError as error:
            if error.response["error"] not in CANNOT_POST:
                raise
            if self._can_answer(request, state) and await self._post_by_response_url(place, message):
                return
            response = await _raise_invalid_blocks(web.chat_postMessage(channel=request.caller.user_id, **payload))
        state.editable = MessageAddress(response["channel"], response["ts"])

    async def _post_by_response_url(self, place: Mapping[str, str], message: SlackMessage) -> bool:
        """Post in a channel that the bot has not joined, through the response URL. Returns False if that fails."""
        if not (url := place.get("url")):
            return False
        options = {"response_type": "in_channel", "replace_original": False}
        return await self._respond(url, message.payload() | options | _get_thread(place) | dict(WITHOUT_UNFURLING))

    # ---- kinds of replies ----

    async def _share(self, web: AsyncWebClient, request: ChatRequest, shared: Shared) -> None:
        """Post a shared card as plain text, whose link Slack unfurls."""
        place = request.place
        text = render_shared(shared, request.caller.name)
        payload: dict[str, Any] = {"text": text, "mrkdwn": False, "unfurl_links": True, "unfurl_media": True}
        payload |= _get_thread(place)
        try:
            await web.chat_postMessage(channel=place["channel"], **payload)
        except SlackApiError as error:
            if error.response["error"] not in CANNOT_POST or not place.get("url"):
                raise
            options = {"response_type": "in_channel", "replace_original": False}
            if not await self._respond(place["url"], payload | options):
                raise

    async def _mark_message(
        self, web: AsyncWebClient, request: ChatRequest, state: DeliveryState, progress: IndexingProgress
    ) -> None:
        """Add a check mark to a watched message whose videos were added. Tell its author alone what else is to say."""
        if not progress.is_final:
            return
        outcomes = [line for line in progress.lines if isinstance(line, LinkOutcome)]
        if any(outcome.ok for outcome in outcomes):
            await _add_check_mark(web, request.place)
        told = tuple(each for each in outcomes if each.says_more_than_added and each.code not in NOT_A_VIDEO)
        if told:
            message = render(IndexingProgress(told, is_final=True), {})
            await self._deliver(web, request, state, message, is_optional=False)


def _is_first_added(state: DeliveryState, reply: Reply) -> bool:
    """Return whether a reply is the first one in which all videos can be found by their looks."""
    if state.has_shown_added or not isinstance(reply, IndexingProgress):
        return False
    state.has_shown_added = all(isinstance(line, LinkOutcome) or line.is_added for line in reply.lines)
    return state.has_shown_added


async def _add_check_mark(web: AsyncWebClient, place: Mapping[str, str]) -> None:
    """Add a check mark to a message, if Slack lets the app do so.

    The message may have been deleted, be in an archived channel or have too many reactions. Its videos were added
    nevertheless, so this is no failure to report.
    """
    try:
        await web.reactions_add(channel=place["channel"], timestamp=place["message"], name="white_check_mark")
    except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
        log.info("slack.reaction_refused", channel=place["channel"], message=place["message"], error=str(error))


def _get_team(request: ChatRequest) -> str:
    return request.caller.space.removeprefix("slack:")


def _get_thread(place: Mapping[str, str]) -> dict[str, Any]:
    return {"thread_ts": place["thread"]} if place.get("thread") else {}


def _add_request_header(request: ChatRequest, message: SlackMessage) -> SlackMessage:
    """Begin a public message with the caller's request. It names the caller, because a mention would notify them."""
    command = COMMANDS.get(request.command)
    is_typed = command is not None and Surface.CHAT in command.surfaces
    text = request.args.get("words") or (f"{COMMAND} {request.command}" if is_typed else "…")
    header = blocks.context(f"{request.caller.name}: {text}")
    return SlackMessage(message.text, [header, *message.blocks])


async def _raise_invalid_blocks(call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    """Return Slack's response. Raises `InvalidBlocksError` if it refuses the blocks, otherwise `SlackApiError`."""
    try:
        return await call
    except SlackApiError as error:
        if error.response["error"] == "invalid_blocks":
            raise InvalidBlocksError(str(error.response.get("errors"))) from error
        raise
