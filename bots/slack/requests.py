"""Chat requests made of Slack's events: the caller, the locale and the place of the answer are resolved here."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bots.chat.background_tasks import BackgroundTasks
from bots.chat.requests import ChatRequest
from bots.chat.service import ChatService
from bots.chat.uploads import UNREADABLE, check_file_size, encode_query_file
from bots.commands.definition import ParameterType
from bots.commands.registry import COMMANDS
from bots.commands.replies import TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from bots.slack.events import find_file, resolve_permalinks
from bots.slack.home import render_denied_home, render_home
from bots.slack.modal import render_denied_form, render_form, render_loading_form
from bots.slack.responder import Delivery, SlackResponder
from bots.slack.users import SlackUserRef, UserDirectory
from bots.slack.workspaces import WorkspaceClients
from worker.ops.logs import current_correlation_id
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode

PLATFORM: Final = "slack"

log = structlog.get_logger()


@dataclass(frozen=True)
class RequestRunner:
    """Makes and serves chat requests. One instance serves a whole bot process."""

    chat: ChatService
    responder: SlackResponder
    users: UserDirectory
    workspaces: WorkspaceClients
    tasks: BackgroundTasks

    async def run_command(
        self, ref: SlackUserRef, command: str, args: Mapping[str, Any], place: Mapping[str, str]
    ) -> None:
        """Answer a command at `place`. A place without a delivery gets the one that the space has chosen."""
        refresh = COMMANDS[command].needs_current_rights
        user = await self.users.resolve(ref, place["channel"], refresh=refresh)
        settings = await self.chat.settings(user.caller)
        delivery: str = settings.answers if COMMANDS[command].is_public else Delivery.PRIVATE
        if command == "press":
            delivery = Delivery.REPLACE if args["action"] in ("next", "previous") else Delivery.PRIVATE
        place = {"delivery": delivery} | dict(place)
        if place["delivery"] == Delivery.PUBLIC and "message" in place:
            place = {"thread": place["message"]} | place
        args, locale = resolve_permalinks(args, ref.team), settings.language or user.locale
        request = ChatRequest(PLATFORM, command, args, user.caller, locale, place)
        await self._serve(request, user.denied_reason, sender=ref)

    async def sync_message(self, ref: SlackUserRef, channel: str, message: str, links: Sequence[str]) -> None:
        """Index the links of a message in a watched channel, and remove those that it no longer has."""
        user = await self.users.resolve(ref, channel)
        settings = await self.chat.settings(user.caller)
        # Without links a message is only removed, also when its channel is not watched any more.
        if links and (channel not in settings.watched or user.denied_reason is Msg.OUTSIDE):
            return
        if links and settings.submitters == "admins":
            user = await self.users.resolve(ref, channel, refresh=True)
        place = {"channel": channel, "delivery": Delivery.UNDER_MESSAGE, "message": message}
        args = resolve_permalinks({"message_id": f"{channel}-{message}", "links": links}, ref.team)
        request = ChatRequest(PLATFORM, "watch", args, user.caller, settings.language or user.locale, place)
        await self._serve(request, user.denied_reason if links else None)

    async def record_opened(self, ref: SlackUserRef, channel: str, token: str, number: int) -> None:
        """Record that a user followed the link of a card."""
        user = await self.users.resolve(ref, channel)
        if user.denied_reason is None:
            await self.chat.record_opened(user.caller, token, number)

    async def open_form(self, ref: SlackUserRef, trigger_id: str) -> None:
        """Open the search form: at once, because Slack waits for 3 s, and with its fields once the user is known.

        If it is too late to open it, a message to the user says so.
        """
        web = await self.workspaces.web_client(ref.team)
        view_id = await _open_loading_form(web, trigger_id)
        user = await self.users.resolve(ref)
        locale = (await self.chat.settings(user.caller)).language or user.locale
        with use_locale(locale):
            if view_id is None:
                await web.chat_postMessage(channel=ref.user_id, text=translate(Msg.WINDOW_EXPIRED))
                return
            form = render_denied_form(user.denied_reason) if user.denied_reason else render_form(locale)
            await web.views_update(view_id=view_id, view=form)

    async def publish_home(self, ref: SlackUserRef) -> None:
        """Update a user's Home tab."""
        user = await self.users.resolve(ref, refresh=True)
        web = await self.workspaces.web_client(ref.team)
        settings = await self.chat.settings(user.caller)
        with use_locale(settings.language or user.locale):
            if user.denied_reason:
                view = render_denied_home(user.denied_reason)
            else:
                view = await render_home(self.chat.client, user.caller)
            await web.views_publish(user_id=ref.user_id, view=view)

    async def record_installation(self, team: str, is_installed: bool) -> None:
        """Record that the app was installed in a workspace (again), or removed from it."""
        if not is_installed and self.workspaces.store is not None:
            await self.workspaces.store.async_delete_all(enterprise_id=None, team_id=team)
        caller = Caller(space=f"slack:{team}", user_id="slack", is_admin=True)
        await self._serve(ChatRequest(PLATFORM, "leave", {"is_back": is_installed}, caller, "en", {}))

    async def _serve(
        self, request: ChatRequest, denied_reason: Msg | None = None, sender: SlackUserRef | None = None
    ) -> None:
        """Answer a request. Files in its arguments are read in the workspace of its `sender`."""
        with self.responder.track(request):
            if denied_reason:
                with use_locale(request.locale):
                    await self.responder.show(request, TextReply(translate(denied_reason), ok=False))
                return
            try:
                request = await self._load_files(request, sender) if sender else request
            except CallFailedError as error:
                await self.chat.show_error(request, self.responder, error)
                return
            await self.chat.serve(request, self.responder)

    async def _load_files(self, request: ChatRequest, ref: SlackUserRef) -> ChatRequest:
        """Return a request with the contents of its files, in place of their addresses. Raises `CallFailedError`."""
        addresses = {type: request.args[type] for type in UNREADABLE if request.args.get(type)}
        contents = {type: await self._read_file(ref, address, type) for type, address in addresses.items()}
        encoded: dict[str, str] = {type: encode_query_file(content, type) for type, content in contents.items()}
        return replace(request, args={**request.args, **encoded})

    async def _read_file(self, ref: SlackUserRef, address: str, type: ParameterType) -> bytes:
        """Return the content of a picture or a clip of the user's own workspace. Raises `CallFailedError`."""
        file = find_file(address)
        if file is None or file.workspace not in (ref.team, ref.org):
            log.warning("slack.file_of_other_workspace", workspace=file and file.workspace, team=ref.team)
            raise CallFailedError(ErrorCode.SLACK_FILE, current_correlation_id())
        try:
            return await self.workspaces.read_file(ref.team, file.id, partial(check_file_size, type=type))
        except SlackApiError as error:
            log.warning("slack.file_refused", file=file.id, error=str(error.response["error"]))
            raise CallFailedError(ErrorCode.SLACK_FILE, current_correlation_id()) from error
        except (aiohttp.ClientError, asyncio.IncompleteReadError, TimeoutError) as error:
            log.warning("slack.file_failed", file=file.id, error=error)
            raise CallFailedError(ErrorCode.UNREACHABLE, current_correlation_id()) from error


async def _open_loading_form(web: AsyncWebClient, trigger_id: str) -> str | None:
    """Return the id of the window that was opened, or None if its trigger has expired."""
    try:
        opened = await web.views_open(trigger_id=trigger_id, view=render_loading_form())
    except SlackApiError as error:
        if error.response["error"] != "expired_trigger_id":
            raise
        log.warning("slack.trigger_expired")
        return None
    return str(opened["view"]["id"])
