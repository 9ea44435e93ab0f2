"""The views of the library and of the help."""

from html import escape
from typing import Final

import streamlit as st

from bots.commands import library as library_commands
from bots.commands.registry import show_help as help_command
from bots.commands.replies import Help, LibraryItem, LibraryPage
from bots.i18n.messages import Msg
from bots.i18n.translate import format_count, translate
from bots.web import cards
from bots.web.session import LIBRARY_PAGE_SIZE, Session, in_visitor_language

MAX_LIBRARY_SIZE: Final = 200


def show_library(session: Session) -> None:
    """Show all videos, or those that match the filter."""
    search = st.text_input(
        translate(Msg.FILTER),
        key="filter",
        placeholder=translate(Msg.FILTER),
        icon=":material/search:",
        label_visibility="collapsed",
    )
    if session.library_reply:
        st.html(cards.render_sentence(session.library_reply))
    replies = library_commands.list_library(session.bridge.client, session.caller, search, limit=session.library_size)
    [reply] = session.bridge.collect(replies)
    if not isinstance(reply, LibraryPage):
        st.html(cards.render_sentence(reply))
        return
    show_videos(session, "library", reply)
    if len(reply.entries) < min(reply.total, MAX_LIBRARY_SIZE):
        label = translate(Msg.SHOW_MORE)
        st.button(label, key="more-library", width="stretch", on_click=_show_more, args=(session,))


def show_videos(session: Session, key: str, page: LibraryPage) -> None:
    """Show a page of videos with their buttons."""
    st.html(f'<div class="rs-quiet">{escape(format_count(page.total, Msg.VIDEOS_ONE, Msg.VIDEOS))}</div>')
    with st.grid(3, min_column_width=cards.MIN_CARD_WIDTH):
        for entry in page.entries:
            with st.container(border=True, height="stretch", key=f"video-{key}-{entry.link}"):
                st.html(cards.render_video(entry, session.thumbnail(entry.thumbnail)))
                with st.container(horizontal=True, gap="xsmall"):
                    _show_buttons(session, f"{key}-{entry.link}", entry)


def show_help(session: Session) -> None:
    """Show the status of the library and the commands."""
    client, caller = session.bridge.client, session.caller
    for replies in (library_commands.show_status(client, caller), help_command(client, caller)):
        for reply in session.bridge.collect(replies):
            if isinstance(reply, Help):
                show_help_table(reply)
            else:
                st.html(cards.render_sentence(reply))


def show_help_table(reply: Help) -> None:
    """Show the commands."""
    st.html(cards.render_help(reply))


def _show_buttons(session: Session, key: str, entry: LibraryItem) -> None:
    if entry.moments:
        label = translate(Msg.SEARCH_INSIDE)
        st.button(label, key=f"inside-{key}", type="tertiary", on_click=_search_inside, args=(session, entry))
    with st.popover(translate(Msg.FORGET), type="tertiary"):
        st.html(escape(translate(Msg.FORGET_SURE)))
        label = translate(Msg.FORGET)
        st.button(label, key=f"forget-{key}", type="primary", on_click=_forget, args=(session, entry.link))


def _search_inside(session: Session, entry: LibraryItem) -> None:
    session.only_video = (entry.link, entry.title)
    st.session_state.view = Msg.SEARCH


@in_visitor_language
def _forget(session: Session, link: str) -> None:
    replies = library_commands.forget(session.bridge.client, session.caller, link)
    [session.library_reply] = session.bridge.collect(replies)


def _show_more(session: Session) -> None:
    session.library_size = min(session.library_size + LIBRARY_PAGE_SIZE, MAX_LIBRARY_SIZE)
