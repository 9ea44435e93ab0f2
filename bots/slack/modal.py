"""The search form, for which there is a shortcut."""

from collections.abc import Mapping
from typing import Any, Final

from bots.chat.service import ChatService
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.slack import blocks

FORM: Final = "search"
INSIDE: Final = "in"
WHERE: Final = "where"


def form() -> dict[str, Any]:
    """A form whose answer goes to the conversation that is chosen in it: a shortcut itself has no place."""
    typed = {"type": "plain_text_input"}
    inside = {
        "type": "external_select",
        "min_query_length": 0,
        "placeholder": blocks.plain_text(translate(Msg.LIBRARY)),
    }
    where = {
        "type": "conversations_select",
        "default_to_current_conversation": True,
        "response_url_enabled": True,
    }
    example = {"placeholder": blocks.plain_text(translate(Msg.ASK_EXAMPLE), blocks.MAX_HEADER)}
    return {
        "type": "modal",
        "callback_id": FORM,
        "title": blocks.plain_text("Reelseek"),
        "submit": blocks.plain_text(translate(Msg.GO)),
        "close": blocks.plain_text(translate(Msg.CLOSE)),
        "blocks": [
            blocks.field("words", translate(Msg.ASK), typed | example, optional=True),
            blocks.field("like", translate(Msg.LIKE), typed, optional=True),
            blocks.field("unlike", translate(Msg.UNLIKE), typed, optional=True),
            blocks.field(INSIDE, translate(Msg.SEARCH_INSIDE), inside, optional=True),
            blocks.field(WHERE, translate(Msg.ANSWER_WHERE), where, optional=False),
        ],
    }


async def asked(view: Mapping[str, Any], space: str, front: ChatService) -> dict[str, Any]:
    """What the form says, as the arguments of `find`."""
    given = {name: field[name] for name, field in view["state"]["values"].items()}
    typed = {name: (given[name].get("value") or "").strip() for name in ("words", "like", "unlike")}
    chosen = given[INSIDE].get("selected_option")
    return typed | {"in_link": await front.meant(space, chosen["value"]) if chosen else None}
