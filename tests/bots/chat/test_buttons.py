"""What the buttons of results do, on a real Redis, over a library in memory."""

from dataclasses import replace
from typing import get_args

import pytest

from bots.chat.service import Action, ChatService
from bots.commands.replies import Reply, Results, Shared, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.fake_client import GOAL, FakeClient
from tests.support.fake_platform import ANN, HERE, Screen, ask, results
from worker.protocol.messages import Caller


@pytest.fixture
def client() -> FakeClient:
    return FakeClient(videos=list(HERE))


async def press(
    front: ChatService, screen: Screen, token: str, action: str, number: int = 0, caller: Caller = ANN
) -> Reply:
    [reply] = await ask(front, screen, "press", caller, token=token, action=action, number=number)
    return reply


async def test_a_question_is_answered_with_results_that_can_be_pressed(front: ChatService, screen: Screen) -> None:
    """Results carry the token that their buttons need."""
    found = await results(front, screen, words="dog", limit=1)
    assert found.token
    assert len(found.cards) == 1


async def test_buttons_page_through_the_results(front: ChatService, screen: Screen) -> None:
    """Next and back lead to the pages beside this one."""
    first = await results(front, screen, words="dog", limit=1)
    second = await press(front, screen, first.token, "next")
    assert isinstance(second, Results)
    assert (second.search.offset, second.next) == (1, None)
    back = await press(front, screen, second.token, "previous")
    assert isinstance(back, Results)
    assert back.cards == first.cards


async def test_buttons_go_on_from_a_card(front: ChatService, screen: Screen) -> None:
    """More like this leaves the words behind; searching inside keeps them."""
    found = await results(front, screen, words="dog")
    like = await press(front, screen, found.token, "like")
    assert isinstance(like, Results)
    assert like.search.like == (f"moment:{found.cards[0].moment_id}",)
    inside = await press(front, screen, found.token, "inside")
    assert isinstance(inside, Results)
    assert (inside.search.in_link, inside.search.queries) == (found.cards[0].link, ("dog",))


async def test_votes_are_taken_down_with_the_question(front: ChatService, screen: Screen, client: FakeClient) -> None:
    """Fits or does not fit, and for which words."""
    found = await results(front, screen, words="dog")
    for action in ("up", "down"):
        assert await press(front, screen, found.token, action) == TextReply(translate(Msg.THANKS))
    assert [(vote.kind, vote.queries, vote.caller.user_id) for vote in client.votes] == [
        ("up", ("dog",), "ann"),
        ("down", ("dog",), "ann"),
    ]


async def test_sharing_shows_the_card_and_counts(front: ChatService, screen: Screen, client: FakeClient) -> None:
    """What was worth sharing was a good answer."""
    found = await results(front, screen, words="dog")
    assert await press(front, screen, found.token, "share") == Shared(found.cards[0], "ann", "dog")
    assert [vote.kind for vote in client.votes] == ["shared"]


@pytest.mark.parametrize(
    "caller",
    [Caller(space="slack:2", user_id="ann"), Caller(space="discord:1", user_id="eve", private_channel="66"), ANN],
    ids=["another space", "another room", "outside the room"],
)
async def test_a_token_from_elsewhere_is_worth_nothing(
    front: ChatService, screen: Screen, client: FakeClient, caller: Caller
) -> None:
    """Whoever guesses or carries a token into another space or out of a room sees nothing of it."""
    inside = Caller(space="discord:1", user_id="ann", private_channel="55")
    client.videos.append(replace(GOAL, space="discord:1", private_channel="55"))
    found = await results(front, screen, inside, words="ball")
    assert isinstance(await press(front, screen, found.token, "share", caller=inside), Shared)
    votes = list(client.votes)
    for action in get_args(Action):
        reply = await press(front, screen, found.token, action, caller=caller)
        assert reply == TextReply(translate(Msg.TOO_OLD), ok=False)
    assert client.votes == votes


async def test_a_card_that_is_not_there_is_no_fault(front: ChatService, screen: Screen) -> None:
    """A number beyond the page is answered with a sentence."""
    found = await results(front, screen, words="dog")
    assert isinstance(await press(front, screen, found.token, "share", number=9), TextReply)
