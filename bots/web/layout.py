"""The web chat's frame: its name, its three views, and what is shown while nobody answers."""

from html import escape
from pathlib import Path

import streamlit as st

from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web.async_bridge import AsyncBridge
from bots.web.library_page import guide, library
from bots.web.search_page import box
from bots.web.session import visit

VIEWS = {Msg.SEARCH: box, Msg.LIBRARY: library, Msg.HELP: guide}


def frame() -> None:
    """What every page has."""
    here = Path(__file__).parent
    st.set_page_config(page_title="Reelseek", page_icon=here / "icon.svg", layout="wide")
    st.html(here / "style.css")


def chat(bridge: AsyncBridge) -> None:
    """The page of one visitor."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="head"):
        _brand()
        view = st.segmented_control(
            translate(Msg.VIEWS),
            list(VIEWS),
            default=Msg.SEARCH,
            required=True,
            format_func=translate,
            key="view",
            label_visibility="collapsed",
        )
    VIEWS[view or Msg.SEARCH](visit(bridge))


def nothing_runs() -> None:
    """Nobody answers yet: says so, and looks again by itself."""
    _brand()
    st.html(
        f'<div class="rs-welcome"><h3>{escape(translate(Msg.STARTING))}</h3>{escape(translate(Msg.STARTING_HINT))}</div>'
    )
    st.session_state.looked = False
    st.fragment(_look_again, run_every=2)()


def _look_again() -> None:
    if st.session_state.looked:
        st.rerun()
    st.session_state.looked = True


def _brand() -> None:
    tagline = escape(translate(Msg.TAGLINE))
    st.html(f'<div class="rs-brand"><b>Reelseek</b><span>{tagline}</span></div>', width="content")
