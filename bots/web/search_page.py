"""The box for words and links, and the conversation that it begins."""

from html import escape
from typing import Final

import streamlit as st

from bots.chat.parsing import read
from bots.commands import search
from bots.commands.replies import LibraryPage, succeeded
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web import cards
from bots.web.conversation import told, turn
from bots.web.session import CALLER, PAGE_SIZE, Session, in_their_language

BOX_WIDTH: Final = 140


def box(visit: Session) -> None:
    _form(visit)
    if visit.inside:
        label = cards.label(translate(Msg.ONLY_INSIDE, what=visit.inside[1]))
        st.button(label, key="anywhere", icon=":material/close:", on_click=_anywhere, args=(visit,))
    if not visit.turns:
        _welcome(visit)
    for number in reversed(range(len(visit.turns))):
        turn(visit, number)


def _form(visit: Session) -> None:
    with st.form("ask"):
        with st.container(horizontal=True, wrap=False, gap="xsmall"):
            st.text_input(
                translate(Msg.ASK),
                key="words",
                placeholder=translate(Msg.ASK_EXAMPLE),
                icon=":material/search:",
                label_visibility="collapsed",
            )
            st.form_submit_button(translate(Msg.GO), type="primary", on_click=_asked, args=(visit,))
        with st.grid(2, min_column_width=BOX_WIDTH):
            st.text_input(translate(Msg.LIKE), key="like", placeholder=translate(Msg.LIKE_EXAMPLE))
            st.text_input(translate(Msg.UNLIKE), key="unlike", placeholder=translate(Msg.UNLIKE_EXAMPLE))


@in_their_language
def _asked(visit: Session) -> None:
    state = st.session_state
    words, like, unlike = state.words, state.like, state.unlike
    link, title = visit.inside or (None, "")
    replies = visit.chat.say(words, like=like, unlike=unlike, in_link=link)
    if read(words)[0] == "find":
        visit.begin(_question(words, like, unlike, title), replies)
    else:
        visit.begin(words, replies)
        state.words = ""


def _question(words: str, like: str, unlike: str, inside: str) -> str:
    steered = ((Msg.ASKED_LIKE, like), (Msg.ASKED_UNLIKE, unlike), (Msg.ASKED_INSIDE, inside))
    parts = [words, *(translate(text, what=what) for text, what in steered if what.strip())]
    return " · ".join(part.strip() for part in parts if part.strip())


def _anywhere(visit: Session) -> None:
    visit.inside = None


def _welcome(visit: Session) -> None:
    """What a newcomer sees: what to do here, and what can be found already."""
    [reply] = visit.bridge.all(search.library(visit.bridge.client, CALLER, limit=PAGE_SIZE))
    hint = translate(Msg.WELCOME if isinstance(reply, LibraryPage) else Msg.WELCOME_EMPTY)
    st.html(f'<div class="rs-welcome"><h3>{escape(translate(Msg.WELCOME_TITLE))}</h3>{escape(hint)}</div>')
    if isinstance(reply, LibraryPage):
        with st.grid(3, min_column_width=cards.WIDTH):
            for entry in reply.entries:
                with st.container(border=True, height="stretch"):
                    st.html(cards.row(entry, visit.thumbnail(entry.thumbnail)))
    elif not succeeded(reply):
        told(reply)
