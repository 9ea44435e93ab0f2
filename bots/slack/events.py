"""Fields of Slack's payloads: who acted, where, and which videos a message links, uploads or shares."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from slack_bolt.async_app import AsyncBoltContext

from bots.chat.uploads import find_query_file_type, is_video_file
from bots.commands.definition import ParameterType
from bots.slack.parse_command import parse_text, web_links
from bots.slack.users import SlackUserRef

Body: TypeAlias = Mapping[str, Any]

_UNAVAILABLE: Final = frozenset({"tombstone", "hidden_by_limit"})
"""Modes of files that were deleted, or that a free workspace does not show any more."""

_FILE_PERMALINK: Final = re.compile(r"https://[\w.-]+\.slack\.com/files/[A-Z0-9]+/(F[A-Z0-9]+)/([^/?#]+)")

_FILE_ADDRESS: Final = re.compile(r"https://files\.slack\.com/files-pri/([TE][A-Z0-9]+)-(F[A-Z0-9]+)/")


class SlackFile(NamedTuple):
    """An uploaded file, and the workspace or organization that has it."""

    workspace: str
    id: str


def find_file(address: str) -> SlackFile | None:
    """Return the file at an address, or None if it is not one of Slack's."""
    found = _FILE_ADDRESS.match(address)
    return SlackFile(found[1], found[2]) if found else None


def find_query_file(files: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the address of the first picture or video, as an argument of `find`; empty if there is none."""
    for each in files:
        type = find_query_file_type(each.get("name") or "", each.get("mimetype"))
        if type is not None and _is_available(each):
            return {type: each["url_private"]}
    return {}


def team_of(context: AsyncBoltContext) -> str:
    """Return the workspace whose token answers. In a shared channel, an event can name the other workspace."""
    authorized = context.authorize_result
    return (authorized.team_id if authorized else None) or context.team_id or ""


def user_ref(context: AsyncBoltContext, user_id: str, home_team: str | None, name: str | None = None) -> SlackUserRef:
    """Return a user; `home_team` is the workspace or organization that the payload names as the user's own."""
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


def find_message_links(message: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the links and the addresses of uploaded videos in a message and in what it shares, without repeats."""
    links = [*web_links(message.get("text") or ""), *_find_attached_links(message)]
    return tuple(dict.fromkeys(links or _find_links_in_blocks(message.get("blocks") or ())))


def resolve_permalinks(args: Mapping[str, Any], team: str) -> dict[str, Any]:
    """Return the arguments of a command with the addresses of this workspace's files in place of links to their pages.

    Slack gives the page as the link to a file, and only the workspace's id is missing there.
    """

    def resolve(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return list(dict.fromkeys(map(resolve, value)))
        page = _FILE_PERMALINK.match(value) if isinstance(value, str) else None
        return f"https://files.slack.com/files-pri/{team}-{page[1]}/{page[2]}" if page else value

    return {name: resolve(value) for name, value in args.items()}


def parse_message(message: Mapping[str, Any], text: str) -> tuple[str, dict[str, Any]]:
    """Return the command that a message to the app calls, with its arguments.

    A message with an uploaded or shared video adds that video, and one with a picture finds what is similar to it.
    `text` is what the message says to the app.
    """
    command, args = parse_text(text)
    attached = _find_attached_links(message)
    if attached and command in ("index", "find", "help"):
        return "index", {"links": list(dict.fromkeys([*args.get("links", ()), *attached]))}
    picture = find_query_file(message.get("files") or ()).get(ParameterType.PICTURE)
    if picture and (command == "find" or not text.strip()):
        return "find", {**args, ParameterType.PICTURE: picture}
    return command, args


def _find_attached_links(message: Mapping[str, Any]) -> list[str]:
    """Return the addresses of the videos that a message has as files, and the links of the messages that it shares."""
    links = [each["url_private"] for each in message.get("files") or () if _is_available_video(each)]
    for attachment in message.get("attachments") or ():
        # Other attachments are previews, which Slack and apps make of the links.
        if attachment.get("is_share") or attachment.get("message_blocks"):
            links += _find_shared_links(attachment)
    return links


def _find_shared_links(shared: Mapping[str, Any]) -> Sequence[str]:
    links = find_message_links({name: shared.get(name) for name in ("text", "files", "blocks")})
    return links or _find_links_in_blocks(shared.get("message_blocks"))


def _is_available_video(file: Mapping[str, Any]) -> bool:
    return _is_available(file) and is_video_file(file.get("name") or "", file.get("mimetype"))


def _is_available(file: Mapping[str, Any]) -> bool:
    return file.get("mode") not in _UNAVAILABLE and bool(file.get("url_private"))


def _find_links_in_blocks(blocks: Any) -> list[str]:
    """Return the links of Block Kit's blocks, of which the messages of apps may consist."""
    return [link for text in _texts_with_links(blocks) for link in web_links(text)]


def _texts_with_links(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for name in ("url", "title_url") if part.get("type") in ("link", "button", "video") else ():
            yield f"<{part.get(name) or ''}>"
        if part.get("type") == "mrkdwn":
            yield part.get("text") or ""
        for value in part.values():
            yield from _texts_with_links(value)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _texts_with_links(each)
