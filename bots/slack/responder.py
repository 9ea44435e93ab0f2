"""Where replies go in Slack: to one person, or as messages that all of a channel see."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bots.chat.store import ChatRequest
from bots.commands.registry import COMMANDS
from bots.commands.replies import IndexingProgress, LinkOutcome, Reply, Results, Shared, TrainingProgress
from bots.slack import blocks
from bots.slack.blocks import SlackMessage
from bots.slack.render import COMMAND, drawn, keys, share
from bots.slack.thumbnails import Pictures
from bots.slack.workspaces import WorkspaceClients
from worker.protocol.error_codes import ErrorCode

ANSWERABLE_S: Final = 30 * 60
"""How long Slack takes answers at an interaction's own address."""
NO_VIDEO: Final = frozenset(
    {ErrorCode.NO_VIDEO, ErrorCode.NOT_A_LINK, ErrorCode.SCHEME_REFUSED, ErrorCode.PLAYLIST_REFUSED}
)
"""A link in a watched channel that leads to no video is no failure."""
OUTSIDE: Final = frozenset({"not_in_channel", "channel_not_found", "is_archived", "restricted_action"})
"""What Slack says where the bot may not post: it is told to whom asked alone."""
UNEDITABLE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
PLAIN: Final[Mapping[str, Any]] = {"unfurl_links": False, "unfurl_media": False}

log = structlog.get_logger()


class Refused(Exception):
    """Slack does not take these blocks."""


@dataclass
class Posted:
    """What an errand has shown so far."""

    fresh: bool = False
    """This process heard it asked: the interaction may still be answered."""
    said: bool = False
    channel: str = ""
    ts: str = ""
    """The message that is edited; empty where there is none that an app may edit."""


@dataclass(frozen=True)
class SlackResponder:
    """Draws replies and delivers them.

    Slack lets no app edit what it showed to one person after a command, so such an answer has two messages at most:
    that the work began, and how it ended. A message that all see is edited through all stages.
    """

    teams: WorkspaceClients
    pictures: Pictures
    clock: Callable[[], float] = time.time
    _posted: dict[str, Posted] = field(default_factory=dict)

    @contextmanager
    def heard(self, request: ChatRequest) -> Iterator[None]:
        """While inside, the errand's interaction is there to be answered."""
        self._posted[request.id] = Posted(fresh=True)
        try:
            yield
        finally:
            self._posted.pop(request.id, None)

    async def show(self, request: ChatRequest, reply: Reply) -> None:
        posted = self._posted.setdefault(request.id, Posted())
        passing = isinstance(reply, IndexingProgress | TrainingProgress) and not reply.over
        if not passing and not posted.fresh:
            del self._posted[request.id]
        team = request.caller.space.removeprefix("slack:")
        web = await self.teams.web(team)
        match reply:
            case Shared():
                await self._share(web, request, posted, reply)
            case IndexingProgress() if request.place["how"] == "quiet":
                await self._mark(web, request, posted, reply)
            case _:
                await self._draw(web, team, request, posted, reply, passing)

    async def _draw(
        self, web: AsyncWebClient, team: str, request: ChatRequest, posted: Posted, reply: Reply, passing: bool
    ) -> None:
        wanted = keys(reply)
        pictures = await self.pictures.of(web, team, wanted)
        turns = request.place["how"] == "replace" and isinstance(reply, Results)
        try:
            await self._deliver(web, request, posted, drawn(reply, pictures), passing, turns)
        except Refused as refused:
            if not pictures:
                raise
            log.warning("slack.pictures_refused", error=refused)
            await self.pictures.forget(team, wanted)
            await self._deliver(web, request, posted, drawn(reply, {}), passing, turns)

    # ---- ways ----

    async def _deliver(
        self,
        web: AsyncWebClient,
        request: ChatRequest,
        posted: Posted,
        message: SlackMessage,
        passing: bool,
        turns: bool = False,
    ) -> None:
        """Edits what is there, or answers the interaction, or posts a message.

        `turns`: takes the place of the page whose button was pressed.
        """
        told = message if request.place["how"] == "direct" else _for(request, message)
        if posted.ts and await self._edit(web, posted, told):
            return
        if passing and posted.said:
            return
        alone = request.place["how"] != "direct" and (request.place["how"] != "public" or not message.ok)
        if not (alone and self._answerable(request, posted) and await self._alone(web, request, message, turns)):
            await self._post(web, request, posted, told)
        posted.said = True

    async def _edit(self, web: AsyncWebClient, posted: Posted, told: SlackMessage) -> bool:
        """False: the message is gone, or the workspace lets nobody edit so late."""
        try:
            await _sent(web.chat_update(channel=posted.channel, ts=posted.ts, **told.payload()))
        except SlackApiError as error:
            if error.response["error"] not in UNEDITABLE:
                raise
            posted.ts = ""
            return False
        return True

    def _answerable(self, request: ChatRequest, posted: Posted) -> bool:
        return posted.fresh and self.clock() - request.at < ANSWERABLE_S

    async def _alone(self, web: AsyncWebClient, request: ChatRequest, message: SlackMessage, turns: bool) -> bool:
        """To the asker alone; False: Slack takes no answer there any more."""
        place = request.place
        if url := place.get("url"):
            way: dict[str, Any] = (
                {"replace_original": True} if turns else {"replace_original": False, "response_type": "ephemeral"}
            )
            return await self._respond(url, message.payload() | way | _thread(place) | dict(PLAIN))
        try:
            await _sent(
                web.chat_postEphemeral(
                    channel=place["channel"], user=request.caller.user_id, **message.payload(), **_thread(place)
                )
            )
        except SlackApiError as error:
            log.info("slack.not_alone", error=str(error.response["error"]))
            return False
        return True

    async def _respond(self, url: str, payload: Mapping[str, Any]) -> bool:
        answer = await self.teams.response(url).send_dict(dict(payload))
        if "invalid_blocks" in answer.body:
            raise Refused(answer.body)
        if answer.status_code != 200:
            log.info("slack.response_refused", status=answer.status_code, body=answer.body)
        return answer.status_code == 200

    async def _post(self, web: AsyncWebClient, request: ChatRequest, posted: Posted, told: SlackMessage) -> None:
        """A message that the whole place sees; where that is refused, one to the asker."""
        place = request.place
        try:
            answer = await _sent(
                web.chat_postMessage(channel=place["channel"], **told.payload(), **_thread(place), **PLAIN)
            )
        except SlackApiError as error:
            if error.response["error"] not in OUTSIDE:
                raise
            if self._answerable(request, posted) and await self._openly(place, told):
                return
            answer = await _sent(web.chat_postMessage(channel=request.caller.user_id, **told.payload(), **PLAIN))
        posted.channel, posted.ts = answer["channel"], answer["ts"]

    async def _openly(self, place: Mapping[str, str], message: SlackMessage) -> bool:
        """For all to see where the bot is no member: through the interaction's own address."""
        if not (url := place.get("url")):
            return False
        way = {"response_type": "in_channel", "replace_original": False}
        return await self._respond(url, message.payload() | way | _thread(place) | dict(PLAIN))

    # ---- kinds ----

    async def _share(self, web: AsyncWebClient, request: ChatRequest, posted: Posted, shared: Shared) -> None:
        place = request.place
        text = share(shared, request.caller.name)
        plain: dict[str, Any] = {"text": text, "mrkdwn": False, "unfurl_links": True, "unfurl_media": True} | _thread(
            place
        )
        try:
            await web.chat_postMessage(channel=place["channel"], **plain)
        except SlackApiError as error:
            if error.response["error"] not in OUTSIDE or not place.get("url"):
                raise
            if not await self._respond(
                place["url"], plain | {"response_type": "in_channel", "replace_original": False}
            ):
                raise

    async def _mark(self, web: AsyncWebClient, request: ChatRequest, posted: Posted, work: IndexingProgress) -> None:
        """A watched message gets a mark where its videos were added; what went wrong is told to its author alone."""
        if not work.over:
            return
        outcomes = [line for line in work.lines if isinstance(line, LinkOutcome)]
        if any(outcome.ok for outcome in outcomes):
            try:
                await web.reactions_add(
                    channel=request.place["channel"], timestamp=request.place["message"], name="white_check_mark"
                )
            except SlackApiError as error:
                if error.response["error"] not in ("already_reacted", "message_not_found"):
                    raise
        failed = tuple(each for each in outcomes if not each.ok and each.code not in NO_VIDEO)
        if failed:
            await self._deliver(web, request, posted, drawn(IndexingProgress(failed, over=True), {}), passing=False)


def _thread(place: Mapping[str, str]) -> dict[str, Any]:
    return {"thread_ts": place["thread"]} if place.get("thread") else {}


def _for(request: ChatRequest, message: SlackMessage) -> SlackMessage:
    """Whose errand a message that all see answers. A name, not a mention: nobody is rung for."""
    asked = request.args.get("words") or (f"{COMMAND} {request.command}" if request.command in COMMANDS else "…")
    return SlackMessage(message.text, [blocks.context(f"{request.caller.name}: {asked}"), *message.blocks])


async def _sent(calling: Any) -> Any:
    """Slack's answer. Raises `Refused` for blocks it does not take, else `SlackApiError`."""
    try:
        return await calling
    except SlackApiError as error:
        if error.response["error"] == "invalid_blocks":
            raise Refused(str(error.response.get("errors"))) from error
        raise
