"""The view with the box for words and links, and the conversation below it."""

from html import escape
from typing import Final

import streamlit as st

from bots.chat.parsing import parse_line
from bots.commands.library import list_library
from bots.commands.replies import LibraryPage, is_success
from bots.commands.search import ONLY
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web import cards
from bots.web.conversation import show_turn
from bots.web.session import PAGE_SIZE, Session, in_visitor_language

MIN_BOX_WIDTH: Final = 140


def show_search(session: Session) -> None:
    """Show the box and the turns of the conversation, newest first."""
    _show_form(session)
    if session.only_video:
        label = cards.escape_markdown(translate(Msg.ONLY_INSIDE, what=session.only_video[1]))
        st.button(label, key="anywhere", icon=":material/close:", on_click=_search_anywhere, args=(session,))
    if not session.turns:
        _show_welcome(session)
    for number in reversed(range(len(session.turns))):
        show_turn(session, number)


def _show_form(session: Session) -> None:
    with st.form("ask"):
        with st.container(horizontal=True, wrap=False, gap="xsmall"):
            st.text_input(
                translate(Msg.ASK),
                key="words",
                placeholder=translate(Msg.ASK_EXAMPLE),
                icon=":material/search:",
                label_visibility="collapsed",
            )
            st.form_submit_button(translate(Msg.GO), type="primary", on_click=_answer, args=(session,))
        with st.grid(2, min_column_width=MIN_BOX_WIDTH):
            st.text_input(translate(Msg.LIKE), key="like", placeholder=translate(Msg.LIKE_EXAMPLE))
            st.text_input(translate(Msg.UNLIKE), key="unlike", placeholder=translate(Msg.UNLIKE_EXAMPLE))
        st.pills(translate(Msg.ONLY), list(ONLY), key="only", format_func=lambda value: translate(ONLY[value]))


@in_visitor_language
def _answer(session: Session) -> None:
    state = st.session_state
    words, like, unlike, only = state.words, state.like, state.unlike, state.only
    link, title = session.only_video or (None, "")
    replies = session.conversation.answer(words, like=like, unlike=unlike, in_link=link, only=only)
    if parse_line(words)[0] == "find":
        session.begin(_describe_search(words, like, unlike, title, only), replies)
    else:
        session.begin(words, replies)
        state.words = ""


def _describe_search(words: str, like: str, unlike: str, inside: str, only: str | None) -> str:
    sense = translate(ONLY[only]) if only else ""
    steering = (
        (Msg.ASKED_LIKE, like),
        (Msg.ASKED_UNLIKE, unlike),
        (Msg.ASKED_INSIDE, inside),
        (Msg.ASKED_ONLY, sense),
    )
    parts = [words, *(translate(text, what=what) for text, what in steering if what.strip())]
    return " · ".join(part.strip() for part in parts if part.strip())


def _search_anywhere(session: Session) -> None:
    session.only_video = None


def _show_welcome(session: Session) -> None:
    """Tell a new visitor what to do, and show the newest videos."""
    [reply] = session.bridge.collect(list_library(session.bridge.client, session.caller, limit=PAGE_SIZE))
    hint = translate(Msg.WELCOME if isinstance(reply, LibraryPage) else Msg.WELCOME_EMPTY)
    st.html(f'<div class="rs-welcome"><h3>{escape(translate(Msg.WELCOME_TITLE))}</h3>{escape(hint)}</div>')
    if isinstance(reply, LibraryPage):
        with st.grid(3, min_column_width=cards.MIN_CARD_WIDTH):
            for entry in reply.entries:
                with st.container(border=True, height="stretch"):
                    st.html(cards.render_video(entry, session.thumbnail(entry.thumbnail)))
    elif not is_success(reply):
        st.html(cards.render_sentence(reply))
