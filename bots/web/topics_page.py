"""The view of the library's topics."""

from html import escape

import streamlit as st

from bots.commands import library as library_commands
from bots.commands.findings import TopicItem, TopicsPage
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web import cards
from bots.web.session import Session, in_visitor_language


def show_topics(session: Session) -> None:
    """Show what the library is about."""
    [reply] = session.bridge.collect(library_commands.show_topics(session.bridge.client, session.caller))
    if isinstance(reply, TopicsPage):
        show_topics_grid(session, "page", reply)
    else:
        st.html(cards.render_sentence(reply))


def show_topics_grid(session: Session, key: str, page: TopicsPage) -> None:
    """Show topics, each with the button that shows its best moments."""
    st.html(f'<div class="rs-quiet">{escape(page.title)}</div>')
    with st.grid(4, min_column_width=cards.MIN_CARD_WIDTH):
        for item in page.items:
            with st.container(border=True, height="stretch", key=f"topic-{key}-{item.topic.moment_id}"):
                st.html(cards.render_topic(item, session.thumbnail(item.thumbnail)))
                label = translate(Msg.SHOW_MOMENTS)
                button_key = f"moments-{key}-{item.topic.moment_id}"
                st.button(label, key=button_key, type="tertiary", on_click=_show_moments, args=(session, item))


@in_visitor_language
def _show_moments(session: Session, item: TopicItem) -> None:
    replies = library_commands.show_topics(session.bridge.client, session.caller, item.topic.moment_id)
    session.begin(item.name, replies)
    st.session_state.view = Msg.SEARCH
