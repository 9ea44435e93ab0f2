"""The conversation: each turn a question and its answers, drawn while they come."""

from collections.abc import Sequence
from html import escape
from typing import Final

import streamlit as st

from bots.commands import replies as r
from bots.commands import search as core
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web import cards
from bots.web.async_bridge import ConversationTurn
from bots.web.library_page import lines, shelf
from bots.web.session import CALLER, PAGE_SIZE, Session, in_their_language

QUICK_S: Final = 1.5
"""An answer that is there by then is drawn at once; a slower one when it comes."""


def turn(visit: Session, number: int) -> None:
    this = visit.turns[number]
    newest = number == len(visit.turns) - 1
    st.html(f'<div class="rs-question">{escape(this.question)}</div>')
    if this.done.wait(QUICK_S if newest else 0):
        _answers(visit, number, this)
    else:
        st.fragment(_in_work, run_every=0.5, key=f"in-work-{number}")(visit, number, this)


@in_their_language
def _in_work(visit: Session, number: int, this: ConversationTurn) -> None:
    """Drawn again and again until the turn is done."""
    if this.done.is_set():
        st.rerun()
    for progress in this.working.values():
        st.progress(progress.done, text=cards.label(f"{progress.link} · {progress.stage}"))
    if not this.working:
        st.skeleton(height=60)
    _answers(visit, number, this)


def _answers(visit: Session, number: int, this: ConversationTurn) -> None:
    for place, reply in enumerate(this.replies):
        key = f"{number}-{place}"
        match reply:
            case r.Results() if reply.cards:
                _results(visit, key, reply, this.question)
                if reply.next and place == len(this.replies) - 1:
                    args = (visit, this, reply.next)
                    st.button(
                        translate(Msg.SHOW_MORE), key=f"more-{key}", width="stretch", on_click=_show_more, args=args
                    )
            case r.LibraryPage():
                shelf(visit, key, reply)
            case r.Help():
                lines(reply)
            case r.SettingsView():
                st.html(cards.options(reply))
            case _:
                told(reply)


def _results(visit: Session, key: str, results: r.Results, question: str) -> None:
    if results.weak:
        st.html(f'<div class="rs-told">{escape(translate(Msg.WEAK))}</div>')
    grid = st.grid(3, min_column_width=cards.WIDTH)
    for card in results.cards:
        card_key = f"{key}-{card.moment_id}"
        playing = visit.playing == card_key
        with (
            grid.cell(column_span="all" if playing else 1),
            st.container(border=True, height="stretch", key=f"card-{card_key}"),
        ):
            if playing:
                _player(card)
            else:
                st.html(cards.card(card, visit.thumbnail(card.thumbnail)))
            with st.container(horizontal=True, gap="xsmall"):
                _first_button(visit, card_key, card, playing, results.search.queries)
                _other_buttons(visit, card_key, card, results.search, question)


def _player(card: r.Card) -> None:
    """The whole video, from the moment on."""
    if source := cards.playable(card.link):
        st.video(source, start_time=int(card.start_s), autoplay=True, alt=card.title)
    st.html(cards.caption(card))


def _first_button(visit: Session, key: str, card: r.Card, playing: bool, queries: Sequence[str]) -> None:
    """Opens the player or closes it; what cannot be played here opens on its own site."""
    if playing:
        st.button(translate(Msg.CLOSE), key=f"close-{key}", icon=":material/close:", on_click=_close, args=(visit,))
    elif cards.playable(card.link):
        st.button(
            translate(Msg.PLAY),
            key=f"play-{key}",
            icon=":material/play_arrow:",
            on_click=_play,
            args=(visit, key, card, queries),
        )
    if (playing or not cards.playable(card.link)) and cards.opens(card.moment_link):
        args = (visit, card, queries)
        st.link_button(
            translate(Msg.OPEN),
            card.moment_link,
            key=f"open-{key}",
            icon=":material/open_in_new:",
            on_click=_open,
            args=args,
        )


def _other_buttons(visit: Session, key: str, card: r.Card, search: r.Search, question: str) -> None:
    like = translate(Msg.MORE_LIKE_THIS)
    st.button(like, key=f"like-{key}", type="tertiary", on_click=_more_like, args=(visit, card))
    if card.more:
        inside = translate(Msg.MORE_INSIDE, count=card.more)
        args = (visit, card, search, question)
        st.button(inside, key=f"inside-{key}", type="tertiary", on_click=_inside, args=args)


def _play(visit: Session, key: str, card: r.Card, queries: Sequence[str]) -> None:
    visit.playing = key
    _open(visit, card, queries)


def _close(visit: Session) -> None:
    visit.playing = None


def _open(visit: Session, card: r.Card, queries: Sequence[str]) -> None:
    visit.bridge.note(core.opened(visit.bridge.client, CALLER, queries, card.moment_id))


@in_their_language
def _more_like(visit: Session, card: r.Card) -> None:
    question = translate(Msg.ASKED_LIKE, what=f"“{card.title}” {card.time}")
    like = f"moment:{card.moment_id}"
    visit.begin(question, core.find(visit.bridge.client, CALLER, "", like=like, limit=PAGE_SIZE))


@in_their_language
def _inside(visit: Session, card: r.Card, search: r.Search, question: str) -> None:
    question = f"{question} · {translate(Msg.ASKED_INSIDE, what=card.title)}"
    visit.begin(question, core.more(visit.bridge.client, CALLER, search.inside(card.link)))


@in_their_language
def _show_more(visit: Session, this: ConversationTurn, search: r.Search) -> None:
    visit.bridge.start(this, core.more(visit.bridge.client, CALLER, search))


def told(reply: r.Reply) -> None:
    """Sentences, with the reference under which the log holds a failure."""
    st.html(cards.told(reply))
