"""The library as a page of cards, and the help."""

from html import escape

import streamlit as st

from bots.commands import registry
from bots.commands import search as core
from bots.commands.replies import Help, LibraryItem, LibraryPage
from bots.i18n.messages import Msg
from bots.i18n.translate import count, translate
from bots.web import cards
from bots.web.session import CALLER, SHELF_SIZE, Session, in_their_language

MAX_SHELF_SIZE = 200


def library(visit: Session) -> None:
    """The view of all videos."""
    search = st.text_input(
        translate(Msg.FILTER),
        key="filter",
        placeholder=translate(Msg.FILTER),
        icon=":material/search:",
        label_visibility="collapsed",
    )
    if visit.told:
        st.html(cards.told(visit.told))
    [reply] = visit.bridge.all(core.library(visit.bridge.client, CALLER, search, limit=visit.shelf_size))
    if not isinstance(reply, LibraryPage):
        st.html(cards.told(reply))
        return
    shelf(visit, "library", reply)
    if len(reply.entries) < min(reply.total, MAX_SHELF_SIZE):
        st.button(translate(Msg.SHOW_MORE), key="more-library", width="stretch", on_click=_show_more, args=(visit,))


def shelf(visit: Session, key: str, page: LibraryPage) -> None:
    """Some videos, and what can be done with each."""
    st.html(f'<div class="rs-quiet">{escape(count(page.total, Msg.VIDEOS_ONE, Msg.VIDEOS))}</div>')
    with st.grid(3, min_column_width=cards.WIDTH):
        for entry in page.entries:
            with st.container(border=True, height="stretch", key=f"shelf-{key}-{entry.link}"):
                st.html(cards.row(entry, visit.thumbnail(entry.thumbnail)))
                with st.container(horizontal=True, gap="xsmall"):
                    _buttons(visit, f"{key}-{entry.link}", entry)


def guide(visit: Session) -> None:
    """The view of what there is to know."""
    for replies in (core.status(visit.bridge.client, CALLER), registry.guide(visit.bridge.client, CALLER)):
        for reply in visit.bridge.all(replies):
            if isinstance(reply, Help):
                lines(reply)
            else:
                st.html(cards.told(reply))


def lines(reply: Help) -> None:
    """Each command and what it does."""
    st.html(cards.guide(reply))


def _buttons(visit: Session, key: str, entry: LibraryItem) -> None:
    if entry.moments:
        label = translate(Msg.SEARCH_INSIDE)
        st.button(label, key=f"inside-{key}", type="tertiary", on_click=_inside, args=(visit, entry))
    with st.popover(translate(Msg.FORGET), type="tertiary"):
        st.html(escape(translate(Msg.FORGET_SURE)))
        label = translate(Msg.FORGET)
        st.button(label, key=f"forget-{key}", type="primary", on_click=_forget, args=(visit, entry.link))


def _inside(visit: Session, entry: LibraryItem) -> None:
    visit.inside = (entry.link, entry.title)
    st.session_state.view = Msg.SEARCH


@in_their_language
def _forget(visit: Session, link: str) -> None:
    [visit.told] = visit.bridge.all(core.forget(visit.bridge.client, CALLER, link))


def _show_more(visit: Session) -> None:
    visit.shelf_size = min(visit.shelf_size + SHELF_SIZE, MAX_SHELF_SIZE)
