"""The library as a page of cards, and the help."""

from html import escape

import streamlit as st

from bots.commands import registry
from bots.commands import search as core
from bots.commands.replies import Entry, Guide, Shelf
from bots.i18n.messages import Text
from bots.i18n.translate import count, say
from bots.web import cards
from bots.web.session import ASKER, SHELF_SIZE, Visit, in_their_language

MAX_SHELF_SIZE = 200


def library(visit: Visit) -> None:
    """The view of all videos."""
    search = st.text_input(
        say(Text.FILTER),
        key="filter",
        placeholder=say(Text.FILTER),
        icon=":material/search:",
        label_visibility="collapsed",
    )
    if visit.told:
        st.html(cards.told(visit.told))
    [reply] = visit.bridge.all(core.library(visit.bridge.client, ASKER, search, limit=visit.shelf_size))
    if not isinstance(reply, Shelf):
        st.html(cards.told(reply))
        return
    shelf(visit, "library", reply)
    if len(reply.entries) < min(reply.total, MAX_SHELF_SIZE):
        st.button(say(Text.SHOW_MORE), key="more-library", width="stretch", on_click=_show_more, args=(visit,))


def shelf(visit: Visit, key: str, page: Shelf) -> None:
    """Some videos, and what can be done with each."""
    st.html(f'<div class="rs-quiet">{escape(count(page.total, Text.VIDEOS_ONE, Text.VIDEOS))}</div>')
    with st.grid(3, min_column_width=cards.WIDTH):
        for entry in page.entries:
            with st.container(border=True, height="stretch", key=f"shelf-{key}-{entry.link}"):
                st.html(cards.row(entry, visit.thumbnail(entry.thumbnail)))
                with st.container(horizontal=True, gap="xsmall"):
                    _buttons(visit, f"{key}-{entry.link}", entry)


def guide(visit: Visit) -> None:
    """The view of what there is to know."""
    for replies in (core.status(visit.bridge.client, ASKER), registry.guide(visit.bridge.client, ASKER)):
        for reply in visit.bridge.all(replies):
            if isinstance(reply, Guide):
                lines(reply)
            else:
                st.html(cards.told(reply))


def lines(reply: Guide) -> None:
    """Each command and what it does."""
    st.html(cards.guide(reply))


def _buttons(visit: Visit, key: str, entry: Entry) -> None:
    if entry.moments:
        label = say(Text.SEARCH_INSIDE)
        st.button(label, key=f"inside-{key}", type="tertiary", on_click=_inside, args=(visit, entry))
    with st.popover(say(Text.FORGET), type="tertiary"):
        st.html(escape(say(Text.FORGET_SURE)))
        label = say(Text.FORGET)
        st.button(label, key=f"forget-{key}", type="primary", on_click=_forget, args=(visit, entry.link))


def _inside(visit: Visit, entry: Entry) -> None:
    visit.inside = (entry.link, entry.title)
    st.session_state.view = Text.SEARCH


@in_their_language
def _forget(visit: Visit, link: str) -> None:
    [visit.told] = visit.bridge.all(core.forget(visit.bridge.client, ASKER, link))


def _show_more(visit: Visit) -> None:
    visit.shelf_size = min(visit.shelf_size + SHELF_SIZE, MAX_SHELF_SIZE)
