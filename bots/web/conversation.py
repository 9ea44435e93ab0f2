"""The conversation: each turn shows a question and its replies as they come."""

from collections.abc import Sequence
from html import escape
from typing import Final

import streamlit as st

from bots.commands import replies as r
from bots.commands import search as search_commands
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web import cards
from bots.web.async_bridge import ConversationTurn
from bots.web.library_page import show_help_table, show_videos
from bots.web.session import CALLER, PAGE_SIZE, Session, in_visitor_language

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
                        translate(Msg.SHOW_MORE),
                        key=f"more-{key}",
                        width="stretch",
                        on_click=_show_more,
                        args=(session, turn, reply.next),
                    )
            case r.LibraryPage():
                show_videos(session, key, reply)
            case r.Help():
                show_help_table(reply)
            case r.SettingsView():
                st.html(cards.render_settings(reply))
            case _:
                st.html(cards.render_sentence(reply))


def _show_results(session: Session, key: str, results: r.Results, question: str) -> None:
    if results.weak:
        st.html(f'<div class="rs-sentence">{escape(translate(Msg.WEAK))}</div>')
    grid = st.grid(3, min_column_width=cards.MIN_CARD_WIDTH)
    for card in results.cards:
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
            with st.container(horizontal=True, gap="xsmall"):
                _show_play_button(session, card_key, card, is_playing, results.search.queries)
                _show_search_buttons(session, card_key, card, results.search, question)


def _show_player(card: r.Card) -> None:
    """Show a player for the whole video that starts at the moment."""
    if source := cards.playable_source(card.link):
        st.video(source, start_time=int(card.start_s), autoplay=True, alt=card.title)
    st.html(cards.render_caption(card))


def _show_play_button(session: Session, key: str, card: r.Card, is_playing: bool, queries: Sequence[str]) -> None:
    """Show the button that opens or closes the player, or a link if the page cannot play the video."""
    is_playable = cards.playable_source(card.link) is not None
    if is_playing:
        label = translate(Msg.CLOSE)
        st.button(label, key=f"close-{key}", icon=":material/close:", on_click=_close_player, args=(session,))
    elif is_playable:
        st.button(
            translate(Msg.PLAY),
            key=f"play-{key}",
            icon=":material/play_arrow:",
            on_click=_open_player,
            args=(session, key, card, queries),
        )
    if (is_playing or not is_playable) and cards.is_web_link(card.moment_link) and not card.note:
        st.link_button(
            translate(Msg.OPEN),
            card.moment_link,
            key=f"open-{key}",
            icon=":material/open_in_new:",
            on_click=_record_opened,
            args=(session, card, queries),
        )


def _show_search_buttons(session: Session, key: str, card: r.Card, search: r.Search, question: str) -> None:
    label = translate(Msg.MORE_LIKE_THIS)
    st.button(label, key=f"like-{key}", type="tertiary", on_click=_find_similar, args=(session, card))
    if card.more:
        label = translate(Msg.MORE_INSIDE, count=card.more)
        args = (session, card, search, question)
        st.button(label, key=f"inside-{key}", type="tertiary", on_click=_search_inside, args=args)


# ---- callbacks of the buttons ----


def _open_player(session: Session, key: str, card: r.Card, queries: Sequence[str]) -> None:
    session.playing = key
    _record_opened(session, card, queries)


def _close_player(session: Session) -> None:
    session.playing = None


def _record_opened(session: Session, card: r.Card, queries: Sequence[str]) -> None:
    bridge = session.bridge
    bridge.run_in_background(search_commands.record_opened(bridge.client, CALLER, queries, card.moment_id))


@in_visitor_language
def _find_similar(session: Session, card: r.Card) -> None:
    question = translate(Msg.ASKED_LIKE, what=f"“{card.title}” {card.time}")
    like = f"moment:{card.moment_id}"
    session.begin(question, search_commands.find(session.bridge.client, CALLER, "", like=like, limit=PAGE_SIZE))


@in_visitor_language
def _search_inside(session: Session, card: r.Card, search: r.Search, question: str) -> None:
    question = f"{question} · {translate(Msg.ASKED_INSIDE, what=card.title)}"
    session.begin(question, search_commands.continue_search(session.bridge.client, CALLER, search.inside(card.link)))


@in_visitor_language
def _show_more(session: Session, turn: ConversationTurn, search: r.Search) -> None:
    session.bridge.start(turn, search_commands.continue_search(session.bridge.client, CALLER, search))
