"""Block Kit's pieces, each within Slack's limits. All text is plain: what people wrote can't format, link or ping."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Block: TypeAlias = dict[str, Any]

MAX_BLOCKS: Final = 50
MAX_TEXT: Final = 3000
MAX_HEADER: Final = 150
MAX_LABEL: Final = 75
MAX_URL: Final = 3000
MAX_ALT: Final = 2000
MAX_OPTION_VALUE: Final = 150
MAX_FIELD_LABEL: Final = 2000


@dataclass(frozen=True)
class SlackMessage:
    """`text` is what notifications and screen readers have; `blocks` are what is drawn."""

    text: str
    blocks: Sequence[Block] = ()
    ok: bool = True
    """Not: it says why nothing came of what was asked, which is for nobody but the asker."""

    def payload(self) -> dict[str, Any]:
        """Fields that chat.postMessage, chat.update and response addresses have in common."""
        return {"text": escaped(clipped(self.text, MAX_TEXT)), "blocks": list(self.blocks)}


def escaped(text: str) -> str:
    """Text that mrkdwn can't take for a link, a mention or a group."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clipped(text: str, most: int) -> str:
    """At most that many characters, never none: Slack refuses empty text."""
    return (text if len(text) <= most else text[: most - 1] + "…") or "–"


def plain_text(text: str, most: int = MAX_TEXT) -> Block:
    """`emoji` off: colons in a title stay colons."""
    return {"type": "plain_text", "text": clipped(text, most), "emoji": False}


def header(text: str) -> Block:
    return {"type": "header", "text": plain_text(text, MAX_HEADER)}


def section(text: str, accessory: Block | None = None) -> Block:
    block: Block = {"type": "section", "text": plain_text(text)}
    return block | {"accessory": accessory} if accessory else block


def context(text: str) -> Block:
    return {"type": "context", "elements": [plain_text(text, MAX_ALT)]}


def picture(file_id: str, alt: str) -> Block:
    """A file that was sent to Slack; stands by itself or beside a section."""
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": clipped(alt, MAX_ALT)}


def button(label: str, action: str, value: str, **more: Any) -> Block:
    return {"type": "button", "text": plain_text(label, MAX_LABEL), "action_id": action, "value": value} | more


def actions(buttons: Sequence[Block]) -> Block:
    return {"type": "actions", "elements": list(buttons)}


def rich(*runs: Block) -> Block:
    """One paragraph of runs (`words`, `link`)."""
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(runs)}]}


def words(text: str, **style: bool) -> Block:
    run: Block = {"type": "text", "text": clipped(text, MAX_TEXT)}
    return run | {"style": style} if style else run


def link(url: str, text: str) -> Block:
    return {"type": "link", "url": url, "text": clipped(text, MAX_TEXT), "style": {"bold": True}}


def channel(id: str) -> Block:
    return {"type": "channel", "channel_id": id}


def field(name: str, label: str, element: Block, *, optional: bool) -> Block:
    """An input of a modal; what is given is found again by `name`."""
    labelled = {"type": "input", "block_id": name, "label": plain_text(label, MAX_FIELD_LABEL), "optional": optional}
    return labelled | {"element": element | {"action_id": name}}


def option(label: str, value: str) -> Block:
    return {"text": plain_text(label, MAX_LABEL), "value": value}
