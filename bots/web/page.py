"""The script of the page. Streamlit runs it from the top for every action of every visitor."""

import atexit

import streamlit as st

from bots.commands.errors import error_reply
from bots.web import layout
from bots.web.async_bridge import AsyncBridge
from bots.web.cards import render_sentence
from bots.web.session import in_visitor_language
from worker.client.queue_client import connect_client
from worker.client.relay import NoRelayError
from worker.ops.logs import configure_logging
from worker.settings import Settings


@st.cache_resource(show_spinner=False, on_release=AsyncBridge.close)
def open_bridge() -> AsyncBridge:
    """Open the connection to the workers that all visitors share."""
    settings = Settings()
    configure_logging(settings, to_file=settings.redis_url is None)
    bridge = AsyncBridge(connect_client(settings))
    atexit.register(bridge.close)
    return bridge


@in_visitor_language
def main() -> None:
    layout.configure_page()
    try:
        layout.show_chat(open_bridge(), Settings().web_spaces)
        # A new owner of the data has another address. With Redis, the address does not change.
        if open_bridge().is_lost and Settings().redis_url is None:
            open_bridge.clear()
            st.rerun()
    except NoRelayError:
        layout.show_starting()
    except Exception as error:
        st.html(render_sentence(error_reply(error)))


if __name__ == "__main__":
    main()
