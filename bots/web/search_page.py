"""The view with the box for words and links, and the conversation below it."""

from collections.abc import Sequence
from html import escape
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from bots.chat.parsing import parse_line
from bots.chat.uploads import SEARCHABLE_SUFFIXES, encode_query_file, find_query_file_type
from bots.commands.definition import ParameterType
from bots.commands.errors import error_reply
from bots.commands.library import list_library
from bots.commands.replies import LibraryPage, Replies, is_success
from bots.commands.search import ONLY
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web import cards
from bots.web.conversation import show_turn
from bots.web.session import PAGE_SIZE, Session, in_visitor_language
from worker.protocol.base import CallFailedError

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
        with st.expander(translate(Msg.PICTURE_OR_CLIP)):
            label = translate(Msg.PICTURE_OR_CLIP)
            st.file_uploader(label, SEARCHABLE_SUFFIXES, key="file", label_visibility="collapsed")
        st.pills(translate(Msg.ONLY), list(ONLY), key="only", format_func=lambda value: translate(ONLY[value]))


@in_visitor_language
def _answer(session: Session) -> None:
    state = st.session_state
    words, like, unlike, only = state.words, state.like, state.unlike, state.only
    link, title = session.only_video or (None, "")
    try:
        picture, clip = _read_files(state.file)
    except CallFailedError as error:
        session.begin(state.file.name, _refuse(error))
        return
    replies = session.conversation.answer(
        words, picture=picture, clip=clip, like=like, unlike=unlike, in_link=link, only=only
    )
    if parse_line(words)[0] == "find":
        file = state.file.name if state.file else ""
        session.begin(_describe_search(words, (file, like), unlike, title, only), replies)
    else:
        session.begin(words, replies)
        state.words = ""


def _read_files(file: UploadedFile | None) -> tuple[str | None, str | None]:
    """Return the uploaded picture and the uploaded clip, one of which is None. Raises `CallFailedError`."""
    if file is None:
        return None, None
    if find_query_file_type(file.name, file.type) is ParameterType.CLIP:
        return None, encode_query_file(file.getvalue(), ParameterType.CLIP)
    return encode_query_file(file.getvalue(), ParameterType.PICTURE), None


async def _refuse(error: CallFailedError) -> Replies:
    yield error_reply(error)


def _describe_search(words: str, like: Sequence[str], unlike: str, inside: str, only: str | None) -> str:
    sense = translate(ONLY[only]) if only else ""
    steering = (
        *((Msg.ASKED_LIKE, each) for each in like),
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
