"""Parts of Slack's Block Kit, each within Slack's limits.

All text is plain, so that what users wrote can neither format, link nor notify.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

Block: TypeAlias = dict[str, Any]

MAX_TEXT_CHARS: Final = 3000
MAX_HEADER_CHARS: Final = 150
MAX_LABEL_CHARS: Final = 75
MAX_URL_CHARS: Final = 3000
MAX_ALT_CHARS: Final = 2000
MAX_OPTION_VALUE_CHARS: Final = 150
MAX_FIELD_LABEL_CHARS: Final = 2000


@dataclass(frozen=True)
class SlackMessage:
    """A message. `text` is for notifications and screen readers, `blocks` are what is shown."""

    text: str
    blocks: Sequence[Block] = ()
    ok: bool = True
    """False for a failure, which only the asking user should see."""

    def payload(self) -> dict[str, Any]:
        """Return the fields that chat.postMessage, chat.update and response URLs have in common."""
        return {"text": escape(truncate(self.text, MAX_TEXT_CHARS)), "blocks": list(self.blocks)}


def escape(text: str) -> str:
    """Escape a text so that mrkdwn finds no link, mention or group in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def truncate(text: str, max_chars: int) -> str:
    """Shorten a text to `max_chars` characters. An empty text becomes a dash, because Slack refuses empty ones."""
    return (text if len(text) <= max_chars else text[: max_chars - 1] + "…") or "–"


def plain_text(text: str, max_chars: int = MAX_TEXT_CHARS) -> Block:
    """Return a text object without emoji, so that colons in a title stay colons."""
    return {"type": "plain_text", "text": truncate(text, max_chars), "emoji": False}


def header(text: str) -> Block:
    return {"type": "header", "text": plain_text(text, MAX_HEADER_CHARS)}


def section(text: str, accessory: Block | None = None) -> Block:
    block: Block = {"type": "section", "text": plain_text(text)}
    return block | {"accessory": accessory} if accessory else block


def context(text: str) -> Block:
    return {"type": "context", "elements": [plain_text(text, MAX_ALT_CHARS)]}


def picture(file_id: str, alt: str) -> Block:
    """Return an uploaded picture, as a block of its own or as the accessory of a section."""
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": truncate(alt, MAX_ALT_CHARS)}


def button(label: str, action: str, value: str, **options: Any) -> Block:
    return {
        "type": "button",
        "text": plain_text(label, MAX_LABEL_CHARS),
        "action_id": action,
        "value": value,
    } | options


def actions(buttons: Sequence[Block]) -> Block:
    return {"type": "actions", "elements": list(buttons)}


def rich(*elements: Block) -> Block:
    """Return one paragraph of rich text, made of `words`, `link` and `channel` elements."""
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


def words(text: str, **style: bool) -> Block:
    element: Block = {"type": "text", "text": truncate(text, MAX_TEXT_CHARS)}
    return element | {"style": style} if style else element


def day(at: str) -> Block:
    """Return the day of an ISO time as an element of rich text, in the time zone and language of each reader."""
    moment = datetime.fromisoformat(at)
    fallback = moment.date().isoformat()
    return {"type": "date", "timestamp": int(moment.timestamp()), "format": "{date_short}", "fallback": fallback}


def link(url: str, text: str) -> Block:
    return {"type": "link", "url": url, "text": truncate(text, MAX_TEXT_CHARS), "style": {"bold": True}}


def channel(id: str) -> Block:
    return {"type": "channel", "channel_id": id}


def field(name: str, label: str, element: Block, *, optional: bool) -> Block:
    """Return an input of a form. The submitted value is found under `name`."""
    block: Block = {"type": "input", "block_id": name, "label": plain_text(label, MAX_FIELD_LABEL_CHARS)}
    return block | {"optional": optional, "element": element | {"action_id": name}}


def option(label: str, value: str) -> Block:
    return {"text": plain_text(label, MAX_LABEL_CHARS), "value": value}
