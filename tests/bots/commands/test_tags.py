"""Tags in queries."""

import pytest

from bots.commands.registry import COMMANDS
from bots.commands.replies import Results, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.replies import collect
from text.tags import TaggedQuery, take_tags
from worker.protocol.base import Caller
from worker.protocol.search import Find


@pytest.mark.parametrize(
    ("query", "taken"),
    [
        ("running in snow", TaggedQuery("running in snow", (), None)),
        ("tag:dog running", TaggedQuery("running", ("dog",), None)),
        ("running TAG:Dogs", TaggedQuery("running", ("dog",), None)),
        ("tag:개", TaggedQuery("개", ("dog",), None)),
        ("tag：狗 tag:눈", TaggedQuery("狗 눈", ("dog", "snow"), None)),
        ('tag:"running dog", snow', TaggedQuery("snow", ("running dog",), None)),
        ("tag:flurble snow", TaggedQuery("snow", (), "flurble")),
        ("hashtag:dog", TaggedQuery("hashtag:dog", (), None)),
        ("tag: dog", TaggedQuery("dog", ("dog",), None)),
        ("tag:", TaggedQuery("tag:", (), None)),
    ],
)
def test_tags_are_taken_out_of_a_query(query: str, taken: TaggedQuery) -> None:
    assert take_tags(query) == taken


async def test_search_for_a_tag_asks_for_it(client: FakeClient, caller: Caller) -> None:
    """The next page asks for it as well."""
    [results] = await collect(COMMANDS["find"].run(client, caller, words="tag:dog snow"))
    assert isinstance(results, Results)
    assert (results.search.queries, results.search.tags) == (("snow",), ("dog",))
    request = client.requests[-1]
    assert isinstance(request, Find)
    assert request.tags == ("dog",)


async def test_unknown_tag_is_named(client: FakeClient, caller: Caller) -> None:
    reply = await collect(COMMANDS["find"].run(client, caller, words="tag:flurble snow"))
    assert reply == [TextReply(translate(Msg.TAG_UNKNOWN, word="flurble"), ok=False)]


@pytest.mark.parametrize(("locale", "shown"), [("en", "dog · snow"), ("ko", "개 · 눈"), ("zh", "狗 · 雪")])
async def test_card_names_its_tags_in_the_readers_language(
    client: FakeClient, caller: Caller, locale: str, shown: str
) -> None:
    """Screen readers read them with the title."""
    client.tags = ("dog", "snow")
    with use_locale(locale):
        [results] = await collect(COMMANDS["find"].run(client, caller, words="dog"))
    assert isinstance(results, Results)
    card = results.cards[0]
    assert card.tags == shown
    assert card.alt_text == f"{card.title}, {card.time}, {shown}"
    assert any(shown in why for why in card.why)
