"""What Slack tells the app, turned into errands."""

import json
import re
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext

from bots.chat.background_tasks import BackgroundTasks
from bots.chat.service import ChatService
from bots.chat.store import ChatRequest
from bots.commands.registry import COMMANDS, PUBLIC
from bots.commands.replies import TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from bots.slack import blocks
from bots.slack.home import closed, home
from bots.slack.modal import FORM, INSIDE, WHERE, asked, form
from bots.slack.parse_command import links_of, read
from bots.slack.render import COMMAND, CONFIRM, OPEN, PRESS
from bots.slack.responder import SlackResponder
from bots.slack.users import SlackUserRef, UserDirectory
from bots.slack.workspaces import WorkspaceClients
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, CallFailedError

ANEW: Final = frozenset({"index", "forget", "help", *(name for name, each in COMMANDS.items() if each.is_admin)})
"""Commands that admins may do more with: Slack is asked each time whether the asker is one."""
PAGES: Final = frozenset({"next", "previous"})

Body = Mapping[str, Any]
log = structlog.get_logger()


@dataclass(frozen=True)
class SlackBot:
    """Hears what Slack sends and serves it. `tasks` holds the errands in work."""

    front: ChatService
    responder: SlackResponder
    people: UserDirectory
    teams: WorkspaceClients
    tasks: BackgroundTasks

    def listen(self, app: AsyncApp) -> None:
        """Has everything that Slack may send come here."""
        app.command(COMMAND)(self.on_command)
        app.action({"action_id": CONFIRM})(self.on_confirm)
        app.action(re.compile(f"^{PRESS}:"))(self.on_press)
        app.shortcut("search")(self.on_search_shortcut)
        app.shortcut("index")(self.on_index_shortcut)
        app.options(INSIDE)(self.on_suggest)
        app.view(FORM)(self.on_search)
        app.event("app_mention")(self.on_mention)
        app.event("message")(self.on_message)
        app.event("app_home_opened")(self.on_home)
        app.event("assistant_thread_started")(self.on_assistant)
        app.event("assistant_thread_context_changed")(_nothing)
        app.event("app_uninstalled")(self.on_gone)
        app.event("tokens_revoked")(self.on_revoked)

    # ---- commands and forms ----

    async def on_command(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        command, args = read(body.get("text", ""))
        place = {"channel": body["channel_id"], "url": body["response_url"]}
        who = _who(context, body["user_id"], body.get("team_id", ""), body.get("user_name", ""))
        self._start(body["trigger_id"], self._ask, who, command, args, place)

    async def on_search_shortcut(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        self._start(body["trigger_id"], self._open, _actor(context, body), body["trigger_id"])

    async def _open(self, who: SlackUserRef, trigger: str) -> None:
        known = await self.people.caller(who)
        web = await self.teams.web(who.team)
        with use_locale(known.locale):
            await web.views_open(trigger_id=trigger, view=form())

    async def on_suggest(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        """Videos to search in, while their title is typed."""
        known = await self.people.caller(_actor(context, body))
        typed, longest = body.get("value", ""), blocks.MAX_OPTION_VALUE
        found = [] if known.barred else await self.front.suggest(known.caller, typed, longest)
        await ack(options=[blocks.option(title, value) for title, value in found])

    async def on_search(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        view, who = body["view"], _actor(context, body)
        args = await asked(view, f"slack:{who.team}", self.front)
        if not (args["words"] or args["like"]):
            known = await self.people.caller(who)
            with use_locale(known.locale):
                await ack(response_action="errors", errors={"words": translate(ErrorCode.EMPTY_QUERY)})
            return
        await ack()
        where = next(each for each in body["response_urls"] if each["block_id"] == WHERE)
        place = {"channel": where["channel_id"], "url": where["response_url"]}
        self._start(view["id"], self._ask, who, "find", args, place)

    async def on_index_shortcut(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        """Each link of the message that the shortcut was used on."""
        await ack()
        args = {"links": links_of(body["message"].get("text", ""))}
        place = {"channel": body["channel"]["id"], "url": body["response_url"], **_thread(body["message"])}
        self._start(body["trigger_id"], self._ask, _actor(context, body), "index", args, place)

    # ---- buttons ----

    async def on_press(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        _, token, action, number = body["actions"][0]["value"].split(":")
        if action == OPEN:  # the browser has the link already
            channel = _place_of(body)["channel"]
            self._start(body["trigger_id"], self._opened, _actor(context, body), channel, token, int(number))
            return
        args = {"token": token, "action": action, "number": int(number)}
        self._start(body["trigger_id"], self._ask, _actor(context, body), "press", args, _place_of(body))

    async def on_confirm(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        asked = json.loads(body["actions"][0]["value"])
        command, args = asked["command"], asked["args"]
        self._start(body["trigger_id"], self._ask, _actor(context, body), command, args, _place_of(body))

    # ---- messages ----

    async def on_mention(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        """`@Reelseek words`, answered in its thread."""
        if event.get("bot_id") or "edited" in event:
            return
        command, args = read(event["text"].replace(f"<@{context.bot_user_id}>", " "))
        place = {"channel": event["channel"], "message": event["ts"], **_thread(event)}
        self._start(body["event_id"], self._ask, _author(context, event), command, args, place)

    async def on_message(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        """A message to the app itself, or one of a channel that may be watched."""
        if event.get("channel_type") == "im":
            if event.get("subtype") in (None, "file_share") and not event.get("bot_id"):
                command, args = read(event.get("text", ""))
                place = {"channel": event["channel"], "how": "direct", **_thread(event)}
                self._start(body["event_id"], self._ask, _author(context, event), command, args, place)
        elif changed := _changed(event, context.bot_user_id or ""):
            message, links = changed
            self._start(
                body["event_id"], self._watch, _author(context, message), event["channel"], message["ts"], links
            )

    async def on_assistant(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        """The assistant pane was opened: what there is to ask for."""
        thread = event["assistant_thread"]
        place = {"channel": thread["channel_id"], "how": "direct", "thread": thread["thread_ts"]}
        self._start(body["event_id"], self._ask, _who(context, thread["user_id"]), "help", {}, place)

    async def on_home(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        if event.get("tab") == "home":
            self._start(body["event_id"], self._home, _author(context, event))

    async def _home(self, who: SlackUserRef) -> None:
        known = await self.people.caller(who, anew=True)
        web = await self.teams.web(who.team)
        settings = await self.front.settings(known.caller)
        with use_locale(settings.language or known.locale):
            view = closed(known.barred) if known.barred else await home(self.front.client, known.caller)
            await web.views_publish(user_id=who.user_id, view=view)

    # ---- coming and going ----

    async def on_gone(self, body: Body, context: AsyncBoltContext) -> None:
        self._start(body["event_id"], self._leave, _team(context), False)

    async def on_revoked(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        """Tokens of people are none of ours."""
        if event.get("tokens", {}).get("bot"):
            self._start(body["event_id"], self._leave, _team(context), False)

    async def back(self, team: str) -> None:
        """The app is installed there, perhaps anew."""
        await self._leave(team, back=True)

    async def _leave(self, team: str, back: bool) -> None:
        if not back and self.teams.store is not None:
            await self.teams.store.async_delete_all(enterprise_id=None, team_id=team)
        caller = Caller(space=f"slack:{team}", user_id="slack", is_admin=True)
        await self._serve(ChatRequest("slack", "leave", {"back": back}, caller, "", {}))

    # ---- errands ----

    async def _ask(self, who: SlackUserRef, command: str, args: Mapping[str, Any], place: Mapping[str, str]) -> None:
        known = await self.people.caller(who, place["channel"], anew=command in ANEW)
        settings = await self.front.settings(known.caller)
        how: str = settings.answers if command in PUBLIC else "private"
        if command == "press":
            how = "replace" if args["action"] in PAGES else "private"
        to = {"how": how} | dict(place)
        if to["how"] == "public" and "message" in to:
            to = {"thread": to["message"]} | to
        locale = settings.language or known.locale
        await self._serve(ChatRequest("slack", command, args, known.caller, locale, to), known.barred)

    async def _opened(self, who: SlackUserRef, channel: str, token: str, number: int) -> None:
        known = await self.people.caller(who, channel)
        if not known.barred:
            await self.front.opened(known.caller, token, number)

    async def _watch(self, who: SlackUserRef, channel: str, message: str, links: tuple[str, ...]) -> None:
        known = await self.people.caller(who, channel)
        settings = await self.front.settings(known.caller)
        # What was added while the channel was watched goes with its message, watched or not.
        if links and (channel not in settings.watched or known.barred is Msg.OUTSIDE):
            return
        if links and settings.submitters == "admins":
            known = await self.people.caller(who, channel, anew=True)
        place = {"channel": channel, "how": "quiet", "message": message}
        args = {"message": f"{channel}-{message}", "links": links}
        request = ChatRequest("slack", "watch", args, known.caller, settings.language or known.locale, place)
        await self._serve(request, known.barred if links else None)

    async def _serve(self, request: ChatRequest, barred: Msg | None = None) -> None:
        with self.responder.heard(request):
            if barred:
                with use_locale(request.locale):
                    await self.responder.show(request, TextReply(translate(barred), ok=False))
                return
            await self.front.serve(request, self.responder)

    def _start(self, event: str, work: Callable[..., Coroutine[Any, Any, None]], *given: Any) -> None:
        self.tasks.start(self._once(event, work, *given))

    async def _once(self, event: str, work: Callable[..., Coroutine[Any, Any, None]], *given: Any) -> None:
        """Slack sends again what it thinks was not heard; each event acts once."""
        await self.tasks.calm()
        try:
            if await self._first(event):
                await work(*given)
        except Exception:
            log.exception("slack.failed", correlation_id=uuid.uuid4().hex[:8], event_id=event)

    async def _first(self, event: str) -> bool:
        try:
            return await self.front.chat_store.first(f"slack:{event}")
        except CallFailedError:  # the errand itself will say so
            return True


async def _nothing() -> None:
    """Acknowledged by the library; there is nothing to do."""


def _team(context: AsyncBoltContext) -> str:
    """The workspace whose token answers: in a channel that two share, an event may name the other one."""
    known = context.authorize_result
    return (known.team_id if known else None) or context.team_id or ""


def _who(context: AsyncBoltContext, person: str, of: str = "", name: str = "") -> SlackUserRef:
    """`of`: the workspace or organisation that Slack's message names as the person's own."""
    team, org = _team(context), (context.authorize_result and context.authorize_result.enterprise_id) or ""
    return SlackUserRef(person, team, org, inside=bool(of) and of in (team, org), name=name)


def _actor(context: AsyncBoltContext, body: Body) -> SlackUserRef:
    """Who pressed, typed or chose."""
    return _who(context, body["user"]["id"], body["user"].get("team_id", ""))


def _author(context: AsyncBoltContext, message: Body) -> SlackUserRef:
    """Who wrote a message. In a mention from outside `team` is the workspace that hears it."""
    return _who(context, message["user"], message.get("user_team") or message.get("team", ""))


def _thread(message: Body) -> dict[str, str]:
    return {"thread": message["thread_ts"]} if message.get("thread_ts") else {}


def _place_of(body: Body) -> dict[str, str]:
    """Where a button stands."""
    thread = _thread(body.get("message", {})) or _thread(body.get("container", {}))
    return {"channel": body["channel"]["id"], "url": body["response_url"], **thread}


def _changed(event: Body, bot: str) -> tuple[Body, tuple[str, ...]] | None:
    """A person's message whose links are new or changed, and the links that it holds now."""
    match event.get("subtype"):
        case None | "file_share" | "thread_broadcast":
            now, before = event, {}
        case "message_changed":
            now, before = event["message"], event.get("previous_message", {})
        case "message_deleted":
            now, before = {}, event.get("previous_message", {})
        case _:
            return None
    message = now or before
    links, were = links_of(now.get("text", "")), links_of(before.get("text", ""))
    # Somebody who speaks to the bot in a watched channel is answered as such.
    if links == were or message.get("bot_id") or "user" not in message or f"<@{bot}>" in now.get("text", ""):
        return None
    return message, links
