"""Listeners for everything that Slack sends: each acknowledges its event, then runs it in the background."""

import json
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext

from bots.chat.uploads import UNREADABLE
from bots.i18n.translate import translate, use_locale
from bots.slack import blocks, events
from bots.slack.events import Body, find_message_links, parse_message
from bots.slack.modal import CHANNEL_FIELD, FORM, VIDEO_FIELD, parse_form
from bots.slack.parse_command import parse_text
from bots.slack.render import COMMAND, CONFIRM, OPEN, PRESS
from bots.slack.requests import RequestRunner
from bots.slack.responder import Delivery
from text.queries import clean_query
from worker.ops.logs import bind_correlation_id
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode

log = structlog.get_logger()


@dataclass(frozen=True)
class SlackBot:
    """The listeners of one app."""

    requests: RequestRunner

    def add_listeners(self, app: AsyncApp) -> None:
        """Register a listener for everything that Slack may send."""
        app.command(COMMAND)(self.on_command)
        app.action({"action_id": CONFIRM})(self.on_confirm)
        app.action(re.compile(f"^{PRESS}:"))(self.on_press)
        app.shortcut("search")(self.on_search_shortcut)
        app.shortcut("index")(self.on_index_shortcut)
        app.options(VIDEO_FIELD)(self.on_suggest)
        app.view(FORM)(self.on_search_form)
        app.event("app_mention")(self.on_mention)
        app.event("message")(self.on_message)
        app.event("app_home_opened")(self.on_home)
        app.event("assistant_thread_started")(self.on_assistant)
        app.event("assistant_thread_context_changed")(_ignore)
        app.event("app_uninstalled")(self.on_uninstalled)
        app.event("tokens_revoked")(self.on_revoked)

    # ---- commands, shortcuts and the search form ----

    async def on_command(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        command, args = parse_text(body.get("text", ""))
        place = {"channel": body["channel_id"], "url": body["response_url"]}
        ref = events.user_ref(context, body["user_id"], body.get("team_id"), body.get("user_name"))
        self._start(body["trigger_id"], self.requests.run_command, ref, command, args, place)

    async def on_search_shortcut(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        trigger_id = body["trigger_id"]
        self._start(trigger_id, self.requests.open_form, events.acting_user(context, body), trigger_id)

    async def on_index_shortcut(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        """Index every link, upload and shared video of the message on which the shortcut was used."""
        await ack()
        args = {"links": find_message_links(body["message"])}
        place = {"channel": body["channel"]["id"], "url": body["response_url"], **events.thread_of(body["message"])}
        self._start(
            body["trigger_id"], self.requests.run_command, events.acting_user(context, body), "index", args, place
        )

    async def on_suggest(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        """Suggest videos for the search form while their title is typed."""
        user = await self.requests.users.resolve(events.acting_user(context, body))
        if user.denied_reason:
            await ack(options=[])
            return
        found = await self.requests.chat.suggest(user.caller, body.get("value", ""), blocks.MAX_OPTION_VALUE_CHARS)
        await ack(options=[blocks.option(title, value) for title, value in found])

    async def on_search_form(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        view, ref = body["view"], events.acting_user(context, body)
        args = await parse_form(view, f"slack:{ref.team}", self.requests.chat)
        has_file = any(type in args for type in UNREADABLE)
        if not (clean_query(args["words"]) or clean_query(args["like"]) or has_file):
            with use_locale(view.get("private_metadata")):
                await ack(response_action="errors", errors={"words": translate(ErrorCode.EMPTY_QUERY)})
            return
        await ack()
        target = next(each for each in body["response_urls"] if each["block_id"] == CHANNEL_FIELD)
        place = {"channel": target["channel_id"], "url": target["response_url"]}
        self._start(view["id"], self.requests.run_command, ref, "find", args, place)

    # ---- buttons ----

    async def on_press(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        _, token, action, number = body["actions"][0]["value"].split(":")
        ref, place = events.acting_user(context, body), events.place_of_button(body)
        if action == OPEN:  # The browser opens the link itself.
            self._start(body["trigger_id"], self.requests.record_opened, ref, place["channel"], token, int(number))
            return
        args = {"token": token, "action": action, "number": int(number)}
        self._start(body["trigger_id"], self.requests.run_command, ref, "press", args, place)

    async def on_confirm(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        value = json.loads(body["actions"][0]["value"])
        ref, place = events.acting_user(context, body), events.place_of_button(body)
        self._start(body["trigger_id"], self.requests.run_command, ref, value["command"], value["args"], place)

    # ---- messages and tabs ----

    async def on_mention(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        """Answer `@Reelseek words` in its thread."""
        if event.get("bot_id") or "edited" in event:
            return
        command, args = parse_message(event, event["text"].replace(f"<@{context.bot_user_id}>", " "))
        place = {"channel": event["channel"], "message": event["ts"], **events.thread_of(event)}
        self._start(body["event_id"], self.requests.run_command, events.author_of(context, event), command, args, place)

    async def on_message(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        """Answer a direct message, or update the library from a message of a channel that may be watched."""
        if event.get("channel_type") == "im":
            if event.get("subtype") in (None, "file_share") and not event.get("bot_id"):
                command, args = parse_message(event, event.get("text") or "")
                place = {"channel": event["channel"], "delivery": Delivery.DIRECT, **events.thread_of(event)}
                ref = events.author_of(context, event)
                self._start(body["event_id"], self.requests.run_command, ref, command, args, place)
        elif changed := events.find_changed_links(event, context.bot_user_id or ""):
            message, links = changed
            ref, channel = events.author_of(context, message), event["channel"]
            self._start(body["event_id"], self.requests.sync_message, ref, channel, message["ts"], links)

    async def on_assistant(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        """Show the help in a new thread of the assistant pane."""
        thread = event["assistant_thread"]
        place = {"channel": thread["channel_id"], "delivery": Delivery.DIRECT, "thread": thread["thread_ts"]}
        ref = events.user_ref(context, thread["user_id"], None)
        self._start(body["event_id"], self.requests.run_command, ref, "help", {}, place)

    async def on_home(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        if event.get("tab") == "home":
            self._start(body["event_id"], self.requests.publish_home, events.author_of(context, event))

    # ---- installations ----

    async def on_uninstalled(self, body: Body, context: AsyncBoltContext) -> None:
        self._start(body["event_id"], self.requests.record_installation, events.team_of(context), False)

    async def on_revoked(self, event: Body, body: Body, context: AsyncBoltContext) -> None:
        """Handle a revoked bot token as a removal. Tokens of users are not used."""
        if event.get("tokens", {}).get("bot"):
            self._start(body["event_id"], self.requests.record_installation, events.team_of(context), False)

    # ---- background work ----

    def _start(self, event_id: str, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Run the work of an event in the background. Closes the gate for a moment, so that more events can come in."""
        with self.requests.chat.gate.acknowledging():
            self.requests.tasks.start(self._run_once(event_id, work, *args))

    async def _run_once(self, event_id: str, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Do the work of an event, unless it is a duplicate: Slack sends an event again if it suspects a loss."""
        await self.requests.chat.gate.wait_until_quiet()
        with bind_correlation_id() as correlation_id:
            try:
                is_new = True
                with suppress(CallFailedError):  # The request needs Redis as well, and will report that it is away.
                    is_new = await self.requests.chat.stores.seen_events.mark_seen(f"slack:{event_id}")
                if is_new:
                    await work(*args)
            except Exception:
                log.exception("slack.event_failed", correlation_id=correlation_id, event_id=event_id)


async def _ignore() -> None:
    """Do nothing: the event is acknowledged by the library."""
