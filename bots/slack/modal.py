"""The search form, which a shortcut opens."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bots.chat.service import ChatService
from bots.chat.uploads import SEARCHABLE_SUFFIXES
from bots.commands.search import ONLY
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.slack import blocks
from bots.slack.blocks import Block
from bots.slack.events import find_query_file

FORM: Final = "search"
VIDEO_FIELD: Final = "in"
ONLY_FIELD: Final = "only"
CHANNEL_FIELD: Final = "where"
FILE_FIELD: Final = "file"


def render_loading_form() -> dict[str, Any]:
    """Return the window before it is known who asks, and in which language: it has no words."""
    return _make_window([blocks.section("⏳")])


def render_denied_form(reason: Msg) -> dict[str, Any]:
    """Return the window of a user who may see nothing of the library."""
    return _make_window([blocks.section(translate(reason))])


def render_form(locale: str | None) -> dict[str, Any]:
    """Return the form. The user chooses a channel for the answer, because a shortcut has no channel of its own.

    The form keeps its `locale` for what is said about it.
    """
    text_input = {"type": "plain_text_input"}
    video_menu = {
        "type": "external_select",
        "min_query_length": 0,
        "placeholder": blocks.plain_text(translate(Msg.LIBRARY)),
    }
    channel_menu = {
        "type": "conversations_select",
        "default_to_current_conversation": True,
        "response_url_enabled": True,
    }
    file_input = {"type": "file_input", "filetypes": list(SEARCHABLE_SUFFIXES), "max_files": 1}
    example = {"placeholder": blocks.plain_text(translate(Msg.ASK_EXAMPLE), blocks.MAX_HEADER_CHARS)}
    fields = [
        blocks.field("words", translate(Msg.ASK), text_input | example, optional=True),
        blocks.field(FILE_FIELD, translate(Msg.PICTURE_OR_CLIP), file_input, optional=True),
        blocks.field("like", translate(Msg.LIKE), text_input, optional=True),
        blocks.field("unlike", translate(Msg.UNLIKE), text_input, optional=True),
        blocks.field(VIDEO_FIELD, translate(Msg.SEARCH_INSIDE), video_menu, optional=True),
        blocks.field(ONLY_FIELD, translate(Msg.ONLY), _make_only_menu(), optional=True),
        blocks.field(CHANNEL_FIELD, translate(Msg.ANSWER_WHERE), channel_menu, optional=False),
    ]
    options = {"submit": blocks.plain_text(translate(Msg.GO)), "close": blocks.plain_text(translate(Msg.CLOSE))}
    return _make_window(fields) | options | {"private_metadata": locale or ""}


def _make_only_menu() -> dict[str, Any]:
    options = [{"text": blocks.plain_text(translate(name)), "value": value} for value, name in ONLY.items()]
    return {"type": "static_select", "options": options}


def _make_window(shown: Sequence[Block]) -> dict[str, Any]:
    return {"type": "modal", "callback_id": FORM, "title": blocks.plain_text("Reelseek"), "blocks": list(shown)}


async def parse_form(view: Mapping[str, Any], space: str, chat: ChatService) -> dict[str, Any]:
    """Return a submitted form as the arguments of `find`. Raises `CallFailedError`."""
    fields = {name: field[name] for name, field in view["state"]["values"].items()}
    typed = {name: (fields[name].get("value") or "").strip() for name in ("words", "like", "unlike")}
    video, only = (fields[name].get("selected_option") for name in (VIDEO_FIELD, ONLY_FIELD))
    link = await chat.resolve_link_token(space, video["value"]) if video else None
    file = find_query_file(fields.get(FILE_FIELD, {}).get("files") or ())
    return typed | file | {"in_link": link, "only": only["value"] if only else None}
