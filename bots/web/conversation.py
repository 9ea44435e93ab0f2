"""The conversation: each turn shows a question and its replies as they come."""

from html import escape
from typing import Final

import streamlit as st

from bots.commands import replies as r
from bots.commands import search as search_commands
from bots.commands.findings import TopicsPage
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web import cards
from bots.web.async_bridge import ConversationTurn
from bots.web.card_buttons import show_card_buttons
from bots.web.library_page import show_help_table, show_videos
from bots.web.session import Session, in_visitor_language
from bots.web.topics_page import show_topics_grid

WAIT_S: Final = 1.5
"""A reply within this time is shown at once. After that, the page shows progress and refreshes itself."""


def show_turn(session: Session, number: int) -> None:
    """Show one turn, and refresh it until it is done."""
    turn = session.turns[number]
    is_newest = number == len(session.turns) - 1
    st.html(f'<div class="rs-question">{escape(turn.question)}</div>')
    if turn.done.wait(WAIT_S if is_newest else 0):
        _show_replies(session, number, turn)
    else:
        st.fragment(_show_in_progress, run_every=0.5, key=f"in-work-{number}")(session, number, turn)


@in_visitor_language
def _show_in_progress(session: Session, number: int, turn: ConversationTurn) -> None:
    """Show progress and the replies so far. Streamlit repeats this until the turn is done."""
    if turn.done.is_set():
        st.rerun()
    for progress in turn.in_progress.values():
        st.progress(progress.done, text=cards.escape_markdown(f"{progress.link} · {progress.stage}"))
    if not turn.in_progress:
        st.skeleton(height=60)
    _show_replies(session, number, turn)


def _show_replies(session: Session, number: int, turn: ConversationTurn) -> None:
    for place, reply in enumerate(turn.replies):
        key = f"{number}-{place}"
        match reply:
            case r.Results() if reply.cards:
                _show_results(session, key, reply, turn.question)
                if reply.next and place == len(turn.replies) - 1:
                    st.button(
                        translate(Msg.SHOW_WEAKER if reply.weaker_follow else Msg.SHOW_MORE),
                        key=f"more-{key}",
                        width="stretch",
                        on_click=_show_more,
                        args=(session, turn, reply.next),
                    )
            case r.LibraryPage():
                show_videos(session, key, reply)
            case TopicsPage():
                show_topics_grid(session, key, reply)
            case r.Help():
                show_help_table(reply)
            case r.SettingsView():
                st.html(cards.render_settings(reply))
            case r.TrainingProgress():
                _show_training(session, reply)
            case _:
                st.html(cards.render_sentence(reply))


def _show_results(session: Session, key: str, results: r.Results, question: str) -> None:
    if results.weak:
        st.html(f'<div class="rs-sentence">{escape(translate(Msg.WEAK))}</div>')
    grid = st.grid(3, min_column_width=cards.MIN_CARD_WIDTH)
    for number, card in enumerate(results.cards):
        card_key = f"{key}-{card.moment_id}"
        is_playing = session.playing == card_key
        with (
            grid.cell(column_span="all" if is_playing else 1),
            st.container(border=True, height="stretch", key=f"card-{card_key}"),
        ):
            if is_playing:
                _show_player(card)
            else:
                st.html(cards.render_card(card, session.thumbnail(card.thumbnail)))
            show_card_buttons(session, card_key, results, number, question)


def _show_training(session: Session, progress: r.TrainingProgress) -> None:
    """Show how a retrain ended, with its curves."""
    st.html(cards.render_sentence(progress))
    if picture := session.thumbnail(progress.picture):
        st.image(picture)


def _show_player(card: r.Card) -> None:
    """Show a player for the whole video that starts at the moment."""
    if source := cards.find_playable_source(card.link):
        st.video(
            source,
            start_time=int(card.start_s if card.opens_at_s is None else card.opens_at_s),
            autoplay=True,
            alt=card.title,
        )
    st.html(cards.render_caption(card))


@in_visitor_language
def _show_more(session: Session, turn: ConversationTurn, search: r.Search) -> None:
    session.bridge.start(turn, search_commands.continue_search(session.bridge.client, session.caller, search))
