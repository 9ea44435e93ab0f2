"""The web chat's script: Streamlit runs it from the top for every step of every visitor."""

import atexit

import streamlit as st

from bots.commands import search
from bots.web import layout
from bots.web.async_bridge import AsyncBridge
from bots.web.cards import told
from bots.web.session import in_their_language
from worker.client.queue_client import connect
from worker.client.relay import NoRelayError
from worker.ops.logs import configure
from worker.settings import Settings


@st.cache_resource(show_spinner=False, on_release=AsyncBridge.close)
def bridge() -> AsyncBridge:
    """The one way to the workers of this page's process."""
    settings = Settings()
    configure(settings, to_file=settings.redis_url is None)
    made = AsyncBridge(connect(settings))
    atexit.register(made.close)
    return made


@in_their_language
def main() -> None:
    layout.frame()
    try:
        layout.chat(bridge())
        # The process that owns the data comes back under another address; Redis stays where it is.
        if bridge().lost and Settings().redis_url is None:
            bridge.clear()
            st.rerun()
    except NoRelayError:
        layout.nothing_runs()
    except Exception as error:
        st.html(told(search.surprised(error)))


if __name__ == "__main__":
    main()
