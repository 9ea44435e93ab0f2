"""The buttons of a card: play, search on from it, judge it and share it."""

from collections.abc import Sequence
from typing import Final

import streamlit as st

from bots.commands import replies as r
from bots.commands import search as search_commands
from bots.commands.search import ResultAction
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.web import cards
from bots.web.session import Session, in_visitor_language

_JUDGEMENTS: Final[Sequence[tuple[ResultAction, str, Msg]]] = (
    ("up", ":material/thumb_up:", Msg.GOOD),
    ("down", ":material/thumb_down:", Msg.BAD),
)


def show_card_buttons(session: Session, key: str, results: r.Results, number: int, question: str) -> None:
    """Show the buttons of the card with this number (from 0), and its link if the visitor shares it."""
    card, queries = results.cards[number], results.search.queries
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        _show_play_button(session, key, card, queries)
        _show_search_buttons(session, key, card, results.search, question)
        if results.can_describe:
            label, of_card = translate(Msg.WHAT_HAPPENS), (session, results, number)
            st.button(label, key=f"describe-{key}", type="tertiary", on_click=_describe, args=of_card)
        with st.container(horizontal=True, wrap=False, width="content", gap="xsmall"):
            _show_judgements(session, key, results, number)
    if session.shared == key:
        st.code(card.moment_link, language=None, wrap_lines=True)


def _show_play_button(session: Session, key: str, card: r.Card, queries: Sequence[str]) -> None:
    """Show the button that opens or closes the player, or a link if the page cannot play the video."""
    is_playing = session.playing == key
    is_playable = cards.find_playable_source(card.link) is not None
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
    if (is_playing or not is_playable) and cards.is_web_link(card.moment_link):
        st.link_button(
            translate(Msg.OPEN),
            card.moment_link,
            key=f"open-{key}",
            icon=":material/open_in_new:",
            on_click=_record_opened,
            args=(session, card, queries),
        )


def _show_search_buttons(session: Session, key: str, card: r.Card, search: r.Search, question: str) -> None:
    """Show the buttons that continue the search from a card: for similar or other moments, and inside its video."""
    example = f"“{card.title}” {card.time}"
    like, unlike = (translate(text, what=example) for text in (Msg.ASKED_LIKE, Msg.ASKED_UNLIKE))
    buttons = [
        ("like", translate(Msg.MORE_LIKE_THIS), like, search.more_like(card.moment_id)),
        ("unlike", translate(Msg.LESS_LIKE_THIS), unlike, search.less_like(card.moment_id)),
    ]
    if card.more:
        inside = translate(Msg.ASKED_INSIDE, what=card.title)
        buttons.append(("inside", translate(Msg.MORE_INSIDE, count=card.more), inside, search.inside(card.link)))
    for name, label, change, continued in buttons:
        args = (session, f"{question} · {change}", continued)
        st.button(label, key=f"{name}-{key}", type="tertiary", on_click=_search_on, args=args)


def _show_judgements(session: Session, key: str, results: r.Results, number: int) -> None:
    """Show the buttons for a good and a wrong match, and for sharing a link. The judgement that is chosen is marked."""
    of_card = (session, key, results, number)
    for action, icon, label in _JUDGEMENTS if results.search.queries else ():
        is_chosen = session.judgements.get(key) == action
        st.button(
            "",
            key=f"{action}-{key}",
            icon=icon,
            type="primary" if is_chosen else "tertiary",
            help=translate(label),
            on_click=_judge,
            args=(*of_card, action),
        )
    if cards.is_web_link(results.cards[number].moment_link):
        hint, icon = translate(Msg.SHARE), ":material/share:"
        st.button("", key=f"share-{key}", icon=icon, type="tertiary", help=hint, on_click=_share, args=of_card)


# ---- callbacks ----


def _open_player(session: Session, key: str, card: r.Card, queries: Sequence[str]) -> None:
    session.playing = key
    _record_opened(session, card, queries)


def _close_player(session: Session) -> None:
    session.playing = None


def _record_opened(session: Session, card: r.Card, queries: Sequence[str]) -> None:
    bridge = session.bridge
    bridge.run_in_background(search_commands.record_opened(bridge.client, session.caller, queries, card.moment_id))


@in_visitor_language
def _search_on(session: Session, question: str, search: r.Search) -> None:
    session.begin(question, search_commands.continue_search(session.bridge.client, session.caller, search))


@in_visitor_language
def _describe(session: Session, results: r.Results, number: int) -> None:
    card, bridge = results.cards[number], session.bridge
    question = f"{translate(Msg.WHAT_HAPPENS)} · {card.title}, {card.time}"
    pressed = search_commands.press(bridge.client, session.caller, results=results, action="describe", number=number)
    session.begin(question, pressed)


@in_visitor_language
def _judge(session: Session, key: str, results: r.Results, number: int, action: ResultAction) -> None:
    """Record a vote and thank for it, or say why it failed."""
    reply = _press(session, results, number, action)
    if isinstance(reply, r.TextReply):
        st.toast(reply.text)
    if r.is_success(reply):
        session.judgements[key] = action


@in_visitor_language
def _share(session: Session, key: str, results: r.Results, number: int) -> None:
    """Show or hide the link of a card. Sharing counts as a vote for it."""
    if session.shared == key:
        session.shared = None
        return
    reply = _press(session, results, number, "share")
    if isinstance(reply, r.TextReply):
        st.toast(reply.text)
    else:
        session.shared = key


def _press(session: Session, results: r.Results, number: int, action: ResultAction) -> r.Reply:
    bridge = session.bridge
    pressed = search_commands.press(bridge.client, session.caller, results=results, action=action, number=number)
    [reply] = bridge.collect(pressed)
    return reply
