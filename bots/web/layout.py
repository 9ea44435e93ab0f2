"""The web chat's frame: its name, its three views, and what is shown while nobody answers."""

from html import escape
from pathlib import Path

import streamlit as st

from bots.i18n.messages import Text
from bots.i18n.translate import say
from bots.web.async_bridge import Bridge
from bots.web.library_page import guide, library
from bots.web.search_page import box
from bots.web.session import visit

VIEWS = {Text.SEARCH: box, Text.LIBRARY: library, Text.HELP: guide}


def frame() -> None:
    """What every page has."""
    here = Path(__file__).parent
    st.set_page_config(page_title="Reelseek", page_icon=here / "icon.svg", layout="wide")
    st.html(here / "style.css")


def chat(bridge: Bridge) -> None:
    """The page of one visitor."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="head"):
        _brand()
        view = st.segmented_control(
            say(Text.VIEWS),
            list(VIEWS),
            default=Text.SEARCH,
            required=True,
            format_func=say,
            key="view",
            label_visibility="collapsed",
        )
    VIEWS[view or Text.SEARCH](visit(bridge))


def nothing_runs() -> None:
    """Nobody answers yet: says so, and looks again by itself."""
    _brand()
    st.html(f'<div class="rs-welcome"><h3>{escape(say(Text.STARTING))}</h3>{escape(say(Text.STARTING_HINT))}</div>')
    st.session_state.looked = False
    st.fragment(_look_again, run_every=2)()


def _look_again() -> None:
    if st.session_state.looked:
        st.rerun()
    st.session_state.looked = True


def _brand() -> None:
    tagline = escape(say(Text.TAGLINE))
    st.html(f'<div class="rs-brand"><b>Reelseek</b><span>{tagline}</span></div>', width="content")
