"""Fields of Slack's payloads: who acted, where, and which links a message has."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from slack_bolt.async_app import AsyncBoltContext

from bots.slack.message_links import find_message_links
from bots.slack.users import SlackUserRef

Body: TypeAlias = Mapping[str, Any]


def team_of(context: AsyncBoltContext) -> str:
    """Return the workspace whose token answers. In a shared channel, an event can name the other workspace."""
    authorized = context.authorize_result
    return (authorized.team_id if authorized else None) or context.team_id or ""


def user_ref(context: AsyncBoltContext, user_id: str, home_team: str | None, name: str | None = None) -> SlackUserRef:
    """Return a user; `home_team` is the workspace or organisation that the payload names as the user's own."""
    authorized = context.authorize_result
    team, org = team_of(context), authorized.enterprise_id if authorized else None
    is_member = bool(home_team) and home_team in (team, org)
    return SlackUserRef(user_id, team, org or None, is_member=is_member, name=name)


def acting_user(context: AsyncBoltContext, body: Body) -> SlackUserRef:
    """Return the user who pressed a button, used a shortcut or sent a form."""
    return user_ref(context, body["user"]["id"], body["user"].get("team_id"))


def author_of(context: AsyncBoltContext, message: Body) -> SlackUserRef:
    """Return the author of a message. In a mention by an outsider, `team` is the workspace that receives it."""
    return user_ref(context, message["user"], message.get("user_team") or message.get("team"))


def thread_of(message: Body) -> dict[str, str]:
    """Return the thread of a message, as part of a place."""
    return {"thread": message["thread_ts"]} if message.get("thread_ts") else {}


def place_of_button(body: Body) -> dict[str, str]:
    """Return the place of the message with a button."""
    thread = thread_of(body.get("message", {})) or thread_of(body.get("container", {}))
    return {"channel": body["channel"]["id"], "url": body["response_url"], **thread}


def find_changed_links(event: Body, bot_user_id: str) -> tuple[Body, tuple[str, ...]] | None:
    """Return a user's message whose links changed, with the links that it has now; None if they did not change.

    None also for messages of bots, and for those that mention this bot: they are answered as commands.
    """
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
    links, links_before = find_message_links(now), find_message_links(before)
    is_mention = f"<@{bot_user_id}>" in now.get("text", "")
    if links == links_before or message.get("bot_id") or "user" not in message or is_mention:
        return None
    return message, links
