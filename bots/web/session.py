"""What the page remembers of one visitor, between one run of its script and the next."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, ParamSpec

import streamlit as st
import structlog

from bots.chat.parsing import Conversation
from bots.commands.replies import Replies, Reply
from bots.i18n.translate import use_locale
from bots.web.async_bridge import AsyncBridge, ConversationTurn
from worker.protocol.messages import Caller, CallFailedError

P = ParamSpec("P")
CALLER: Final = Caller(space="local:me", user_id="web", is_admin=True)
PAGE_SIZE: Final = 6
SHELF_SIZE: Final = 12
log = structlog.get_logger()


@dataclass
class Session:
    bridge: AsyncBridge
    chat: Conversation
    turns: list[ConversationTurn] = field(default_factory=list)
    playing: str | None = None
    """Key of the card whose video is open."""
    inside: tuple[str, str] | None = None
    """Link and title of the one video that is searched."""
    shelf_size: int = SHELF_SIZE
    told: Reply | None = None
    """What became of the last thing done in the library."""

    def begin(self, question: str, replies: Replies) -> None:
        """Opens a new turn of the conversation."""
        self.turns.append(self.bridge.start(ConversationTurn(question), replies))
        self.playing = None

    def thumbnail(self, key: str | None) -> bytes | None:
        """A JPEG, or None where there is none to be had."""
        try:
            return None if key is None else self.bridge.thumbnail(key)
        except (KeyError, CallFailedError) as error:
            log.warning("no_thumbnail", key=key, error=error)
            return None


def in_their_language(run: Callable[P, None]) -> Callable[P, None]:
    """What `run` says, and what the bridge answers for it, is in the language of the visitor's browser.

    Streamlit begins to run the page in three places, each with a thread's empty context: the script, what a button
    does, and a fragment that is drawn again by itself.
    """

    @functools.wraps(run)
    def spoken(*args: P.args, **kwargs: P.kwargs) -> None:
        with use_locale(st.context.locale or ""):
            run(*args, **kwargs)

    return spoken


def visit(bridge: AsyncBridge) -> Session:
    """What is remembered of the visitor whose script runs."""
    if "visit" not in st.session_state:
        st.session_state.visit = Session(bridge, Conversation(bridge.client, CALLER, PAGE_SIZE))
    found: Session = st.session_state.visit
    if found.bridge is not bridge:
        found.bridge, found.chat = bridge, Conversation(bridge.client, CALLER, PAGE_SIZE)
    return found
