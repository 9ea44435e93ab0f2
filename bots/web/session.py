"""State of one visitor that outlives a run of the page's script."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, ParamSpec

import streamlit as st
import structlog

from bots.chat.parsing import Conversation
from bots.commands.replies import Replies, Reply
from bots.commands.search import ResultAction
from bots.i18n.translate import use_locale, use_time_zone
from bots.web.async_bridge import AsyncBridge, ConversationTurn
from worker.protocol.base import Caller, CallFailedError

P = ParamSpec("P")
PAGE_SIZE: Final = 6
LIBRARY_PAGE_SIZE: Final = 12
log = structlog.get_logger()


@dataclass
class Session:
    bridge: AsyncBridge
    caller: Caller
    """The visitor, as an admin of the space that the page shows."""
    conversation: Conversation
    turns: list[ConversationTurn] = field(default_factory=list)
    playing: str | None = None
    """Key of the card whose video is open."""
    shared: str | None = None
    """Key of the card whose link is shown."""
    judgements: dict[str, ResultAction] = field(default_factory=dict)
    """What the visitor thinks of cards, by their keys: `up` or `down`."""
    only_video: tuple[str, str] | None = None
    """Link and title of the video to which searches are restricted."""
    library_size: int = LIBRARY_PAGE_SIZE
    library_reply: Reply | None = None
    """The reply to the last action in the library."""

    def begin(self, question: str, replies: Replies) -> None:
        """Add a turn to the conversation."""
        self.turns.append(self.bridge.start(ConversationTurn(question), replies))
        self.playing = None

    def thumbnail(self, key: str | None) -> bytes | None:
        """Return a JPEG, or None if it is not available."""
        try:
            return None if key is None else self.bridge.thumbnail(key)
        except (KeyError, CallFailedError) as error:
            log.warning("thumbnail.unavailable", key=key, error=error)
            return None


def in_visitor_language(run: Callable[P, None]) -> Callable[P, None]:
    """Decorate a function so that it, and what the bridge runs for it, uses language and time zone of the browser.

    Streamlit runs code of the page in three ways, each with the empty context of a thread: the script, callbacks of
    buttons, and fragments that repeat.
    """

    @functools.wraps(run)
    def run_translated(*args: P.args, **kwargs: P.kwargs) -> None:
        with use_locale(st.context.locale), use_time_zone(st.context.timezone):
            run(*args, **kwargs)

    return run_translated


def current_session(bridge: AsyncBridge, space: str) -> Session:
    """Return the session of the visitor whose script runs. Each space has its own."""
    caller = Caller(space=space, user_id="web", is_admin=True)
    sessions: dict[str, Session] = st.session_state.setdefault("sessions", {})
    if space not in sessions:
        sessions[space] = Session(bridge, caller, Conversation(bridge.client, caller, PAGE_SIZE))
    session = sessions[space]
    if session.bridge is not bridge:
        session.bridge, session.conversation = bridge, Conversation(bridge.client, caller, PAGE_SIZE)
    return session
