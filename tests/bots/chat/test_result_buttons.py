"""The buttons under search results, on a real Redis and a library in memory."""

from dataclasses import replace
from typing import get_args

import pytest

from bots.chat.service import ChatService
from bots.commands.replies import Reply, Results, Shared, TextReply
from bots.commands.search import ResultAction
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_platform import VIDEOS, RecordingResponder, ask, search
from tests.support.bots.fake_videos import GOAL
from tests.support.worker.callers import ANN
from worker.protocol.base import Caller


@pytest.fixture
def client() -> FakeClient:
    return FakeClient(videos=list(VIDEOS))


async def press_button(
    chat: ChatService,
    responder: RecordingResponder,
    token: str | None,
    action: str,
    number: int = 0,
    caller: Caller = ANN,
) -> Reply:
    """Press a button under the results of `token`. Returns the one reply."""
    [reply] = await ask(chat, responder, "press", caller, token=token, action=action, number=number)
    return reply


async def test_search_returns_results_with_a_token_for_their_buttons(
    chat: ChatService, responder: RecordingResponder
) -> None:
    found = await search(chat, responder, words="dog", limit=1)
    assert found.token
    assert len(found.cards) == 1


async def test_page_buttons_lead_to_the_next_and_previous_page(
    chat: ChatService, responder: RecordingResponder
) -> None:
    first = await search(chat, responder, words="dog", limit=1)
    second = await press_button(chat, responder, first.token, "next")
    assert isinstance(second, Results)
    assert (second.search.offset, second.next) == (1, None)
    back = await press_button(chat, responder, second.token, "previous")
    assert isinstance(back, Results)
    assert back.cards == first.cards


async def test_card_buttons_search_for_similar_moments_and_inside_the_video(
    chat: ChatService, responder: RecordingResponder
) -> None:
    """All of them keep the words of the search."""
    found = await search(chat, responder, words="dog")
    like = await press_button(chat, responder, found.token, "like")
    assert isinstance(like, Results)
    example = (f"moment:{found.cards[0].moment_id}",)
    assert (like.search.like, like.search.queries) == (example, ("dog",))
    unlike = await press_button(chat, responder, found.token, "unlike")
    assert isinstance(unlike, Results)
    assert (unlike.search.unlike, unlike.search.queries) == (example, ("dog",))
    inside = await press_button(chat, responder, found.token, "inside")
    assert isinstance(inside, Results)
    assert (inside.search.in_link, inside.search.queries) == (found.cards[0].link, ("dog",))


async def test_vote_buttons_record_the_vote_with_the_words_of_the_search(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    found = await search(chat, responder, words="dog")
    for action in ("up", "down"):
        assert await press_button(chat, responder, found.token, action) == TextReply(translate(Msg.THANKS))
    assert [(vote.kind, vote.queries, vote.caller.user_id) for vote in client.votes] == [
        ("up", ("dog",), "ann"),
        ("down", ("dog",), "ann"),
    ]


async def test_share_button_shows_the_card_and_records_a_vote(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    found = await search(chat, responder, words="dog")
    assert await press_button(chat, responder, found.token, "share") == Shared(found.cards[0], "ann", "dog")
    assert [vote.kind for vote in client.votes] == ["shared"]


@pytest.mark.parametrize(
    "caller",
    [Caller(space="slack:2", user_id="ann"), Caller(space="discord:1", user_id="eve", private_channel="66"), ANN],
    ids=["another space", "another private channel", "outside the private channel"],
)
async def test_token_from_another_space_or_private_channel_is_refused(
    chat: ChatService, responder: RecordingResponder, client: FakeClient, caller: Caller
) -> None:
    """A guessed or copied token shows nothing of the results and records no vote."""
    inside = Caller(space="discord:1", user_id="ann", private_channel="55")
    client.videos.append(replace(GOAL, space="discord:1", private_channel="55"))
    found = await search(chat, responder, inside, words="ball")
    assert isinstance(await press_button(chat, responder, found.token, "share", caller=inside), Shared)
    votes = list(client.votes)
    for action in get_args(ResultAction):
        reply = await press_button(chat, responder, found.token, action, caller=caller)
        assert reply == TextReply(translate(Msg.TOO_OLD), ok=False)
    assert client.votes == votes


async def test_button_of_a_missing_card_is_answered_with_a_sentence(
    chat: ChatService, responder: RecordingResponder
) -> None:
    found = await search(chat, responder, words="dog")
    assert isinstance(await press_button(chat, responder, found.token, "share", number=9), TextReply)
