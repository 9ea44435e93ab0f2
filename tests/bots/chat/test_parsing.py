"""Typed lines as commands."""

from typing import Any

import pytest

from bots.chat.parsing import ArgumentError, Conversation, parse_arguments, parse_line
from bots.commands.definition import Command, Surface
from bots.commands.registry import COMMANDS, list_commands
from bots.commands.replies import Results, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW
from worker.protocol.base import Caller


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a dog in snow", ("find", "a dog in snow")),
        ("  강아지가 눈에서 노는 장면 ", ("find", "강아지가 눈에서 노는 장면")),
        ("", ("find", "")),
        ("3.5 km, node.js and/or", ("find", "3.5 km, node.js and/or")),
        ("https://youtu.be/a", ("index", "https://youtu.be/a")),
        ("look: https://youtu.be/a and http://b.example/c", ("index", "https://youtu.be/a http://b.example/c")),
        ("youtu.be/a vimeo.com/1", ("index", "youtu.be/a vimeo.com/1")),
        ("the clip on youtu.be/a", ("index", "youtu.be/a")),
        ("and the clip on node.js/a", ("find", "and the clip on node.js/a")),
        ('see <https://youtu.be/a> "http://b.example/c"', ("index", "https://youtu.be/a http://b.example/c")),
        ("FILE:///etc/passwd", ("index", "FILE:///etc/passwd")),
        ("/find https://youtu.be/a", ("find", "https://youtu.be/a")),
        ("/Forget  https://youtu.be/a ", ("forget", "https://youtu.be/a")),
        ("/more", ("more", "")),
        ("/home/me/clip.mp4", ("home/me/clip.mp4", "")),
    ],
)
def test_parse_line_returns_command_and_rest(line: str, expected: tuple[str, str]) -> None:
    """Links are added, `/name` is a command, and anything else is a search."""
    assert parse_line(line) == expected


@pytest.fixture
def conversation(client: FakeClient, caller: Caller) -> Conversation:
    return Conversation(client, caller)


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("only:shown a recipe", {"only": "shown", "words": "a recipe"}),
        ("a recipe only:shown", {"only": "shown", "words": "a recipe"}),
        ("the only:shown", {"only": "shown", "words": "the"}),
        ("only:said", {"only": "said", "words": ""}),
        ("only:elsewhere a recipe", {"words": "only:elsewhere a recipe"}),
        ("lonely:said", {"words": "lonely:said"}),
    ],
)
def test_search_can_be_restricted_by_a_word(text: str, args: dict[str, Any]) -> None:
    assert parse_arguments(COMMANDS["find"], text, Surface.TYPED) == args


@pytest.mark.parametrize("command", list_commands(Surface.TYPED), ids=lambda command: command.name)
async def test_every_command_can_be_typed(conversation: Conversation, command: Command) -> None:
    replies = [reply async for reply in conversation.answer(f"/{command.name} {GOAL.link}")]
    assert TextReply(translate(Msg.UNKNOWN_COMMAND, name=command.name), ok=False) not in replies


@pytest.mark.parametrize(
    ("rest", "args"),
    [
        ("https://a.example/list 20", {"link": "https://a.example/list", "max_links": 20}),
        ("<https://a.example/list>", {"link": "https://a.example/list"}),
        ("ytsearch10:고양이 영상 3", {"link": "ytsearch10:고양이 영상 3"}),
        ("Stop", {"link": "Stop"}),
        ("", {"link": ""}),
        ("a.example", {"link": "a.example"}),
    ],
)
def test_typed_crawl_takes_a_list_and_a_limit_or_a_search(rest: str, args: dict[str, Any]) -> None:
    """A search takes the rest of the line: its limit is part of it."""
    assert parse_arguments(COMMANDS["crawl"], rest, Surface.TYPED) == args


@pytest.mark.parametrize("most", ["0", "501", "many"])
def test_limit_of_a_typed_crawl_is_checked(most: str) -> None:
    with pytest.raises(ArgumentError):
        parse_arguments(COMMANDS["crawl"], f"https://a.example/list {most}", Surface.TYPED)


async def test_unknown_command_is_answered_with_how_to_get_help(conversation: Conversation) -> None:
    [reply] = [reply async for reply in conversation.answer("/fnid dog")]
    assert isinstance(reply, TextReply)
    assert "fnid" in reply.text
    assert "/help" in reply.text


async def test_more_continues_the_last_search(conversation: Conversation, client: FakeClient) -> None:
    """`/more` shows the next page, and a sentence after the last one."""
    client.videos = [SNOW, *(GOAL for _ in range(5))]
    [first] = [reply async for reply in conversation.answer("dog")]
    [second] = [reply async for reply in conversation.answer("/more")]
    [third] = [reply async for reply in conversation.answer("/more")]
    assert isinstance(first, Results)
    assert isinstance(second, Results)
    assert (len(first.cards), len(second.cards)) == (5, 1)
    assert third == TextReply(translate(Msg.NO_MORE))


async def test_unlike_changes_a_typed_search(conversation: Conversation) -> None:
    """Fields next to the line apply to the search in it."""
    [results] = [reply async for reply in conversation.answer("dog", unlike="crowd cheer")]
    assert isinstance(results, Results)
    assert [card.title for card in results.cards] == [SNOW.title]
