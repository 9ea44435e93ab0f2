"""Links to the videos of a Slack message: those that its author wrote, uploaded or shared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bots.chat.uploads import is_video_file
from bots.slack.parse_command import parse_text, web_links

_UNAVAILABLE: Final = frozenset({"tombstone", "hidden_by_limit"})
"""Modes of files that were deleted, or that a free workspace does not show any more."""


def find_message_links(message: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the links and the addresses of uploaded videos in a message and in what it shares, without repeats."""
    links = [*web_links(message.get("text") or ""), *_find_attached_links(message)]
    return tuple(dict.fromkeys(links or _find_links_in_blocks(message.get("blocks") or ())))


def parse_message(message: Mapping[str, Any], text: str) -> tuple[str, dict[str, Any]]:
    """Return the command that a message to the app calls, with its arguments.

    A message with an uploaded or shared video adds that video. `text` is what the message says to the app.
    """
    command, args = parse_text(text)
    attached = _find_attached_links(message)
    if attached and command in ("index", "find", "help"):
        return "index", {"links": list(dict.fromkeys([*args.get("links", ()), *attached]))}
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
    is_available = file.get("mode") not in _UNAVAILABLE and file.get("url_private")
    return bool(is_available) and is_video_file(file.get("name") or "", file.get("mimetype"))


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
