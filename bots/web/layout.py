"""The frame of the page: its name, its three views, and what it shows while no worker answers."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import streamlit as st

from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web.async_bridge import AsyncBridge
from bots.web.library_page import show_help, show_library
from bots.web.search_page import show_search
from bots.web.session import current_session
from bots.web.topics_page import show_topics
from worker.protocol.base import LOCAL_SPACE

SPACE_BOX_WIDTH: Final = 280
"""In pixels."""
VIEWS: Final = {
    Msg.SEARCH: show_search,
    Msg.TOPICS: show_topics,
    Msg.LIBRARY: show_library,
    Msg.HELP: show_help,
}


def configure_page() -> None:
    """Set the title, the icon and the style of the page."""
    folder = Path(__file__).parent
    st.set_page_config(page_title="Reelseek", page_icon=folder / "icon.svg", layout="wide")
    st.html(folder / "style.css")


def show_chat(bridge: AsyncBridge, spaces: Sequence[str]) -> None:
    """Show the view that the visitor has chosen, of one of the `spaces` or, if there are none, of this computer."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="head"):
        _show_brand()
        view = st.segmented_control(
            translate(Msg.VIEWS),
            list(VIEWS),
            default=Msg.SEARCH,
            required=True,
            format_func=translate,
            key="view",
            label_visibility="collapsed",
        )
    space = _choose_space(spaces) if spaces else LOCAL_SPACE
    VIEWS[view or Msg.SEARCH](current_session(bridge, space))


def _choose_space(spaces: Sequence[str]) -> str:
    """Show a menu of the spaces, and for a space of a chat the note that its private channels are left out."""
    with st.container(horizontal=True, vertical_alignment="center"):
        label = translate(Msg.SPACE)
        space = st.selectbox(label, spaces, key="space", width=SPACE_BOX_WIDTH, label_visibility="collapsed")
        if space != LOCAL_SPACE:
            st.html(f'<div class="rs-quiet">{escape(translate(Msg.SPACE_HINT))}</div>')
    return space


def show_starting() -> None:
    """Say that Reelseek is starting, and try again every two seconds."""
    _show_brand()
    title, hint = escape(translate(Msg.STARTING)), escape(translate(Msg.STARTING_HINT))
    st.html(f'<div class="rs-welcome"><h3>{title}</h3>{hint}</div>')
    st.session_state.has_waited = False
    st.fragment(_rerun_after_wait, run_every=2)()


def _rerun_after_wait() -> None:
    """Run the page again, except when Streamlit runs this fragment for the first time."""
    if st.session_state.has_waited:
        st.rerun()
    st.session_state.has_waited = True


def _show_brand() -> None:
    tagline = escape(translate(Msg.TAGLINE))
    st.html(f'<div class="rs-brand"><b>Reelseek</b><span>{tagline}</span></div>', width="content")
