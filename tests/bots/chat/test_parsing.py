"""What a typed line means."""

import pytest

from bots.chat.parsing import Chat, read
from bots.commands.registry import COMMANDS, Command
from bots.commands.replies import Results, Sentence
from bots.i18n.messages import Text
from bots.i18n.translate import say
from tests.support.fake_client import GOAL, SNOW, FakeClient
from worker.protocol.messages import Asker


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("a dog in snow", ("find", "a dog in snow")),
        ("  강아지가 눈에서 노는 장면 ", ("find", "강아지가 눈에서 노는 장면")),
        ("", ("find", "")),
        ("3.5 km, node.js and/or", ("find", "3.5 km, node.js and/or")),
        ("https://youtu.be/a", ("index", "https://youtu.be/a")),
        ("look: https://youtu.be/a and http://b.example/c", ("index", "https://youtu.be/a http://b.example/c")),
        ("youtu.be/a vimeo.com/1", ("index", "youtu.be/a vimeo.com/1")),
        ("the clip on youtu.be/a", ("find", "the clip on youtu.be/a")),
        ('see <https://youtu.be/a> "http://b.example/c"', ("index", "https://youtu.be/a http://b.example/c")),
        ("FILE:///etc/passwd", ("index", "FILE:///etc/passwd")),
        ("/find https://youtu.be/a", ("find", "https://youtu.be/a")),
        ("/Forget  https://youtu.be/a ", ("forget", "https://youtu.be/a")),
        ("/more", ("more", "")),
        ("/home/me/clip.mp4", ("home/me/clip.mp4", "")),
    ],
)
def test_read(line: str, means: tuple[str, str]) -> None:
    """Links are added, `/name` is a command, anything else is searched for."""
    assert read(line) == means


@pytest.fixture
def chat(client: FakeClient, asker: Asker) -> Chat:
    return Chat(client, asker)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
async def test_every_command_can_be_typed(chat: Chat, command: Command) -> None:
    """No command of the core is missing from the conversation."""
    replies = [reply async for reply in chat.say(f"/{command.name} {GOAL.link}")]
    assert Sentence(say(Text.UNKNOWN_COMMAND, name=command.name), ok=False) not in replies


async def test_an_unknown_command_says_so(chat: Chat) -> None:
    """A slip of the pen is told how to get help."""
    [reply] = [reply async for reply in chat.say("/fnid dog")]
    assert isinstance(reply, Sentence)
    assert "fnid" in reply.text
    assert "/help" in reply.text


async def test_more_goes_on_from_the_last_search(chat: Chat, client: FakeClient) -> None:
    """`/more` shows the next page, and after the last one a sentence."""
    client.videos = [SNOW, *(GOAL for _ in range(5))]
    [first] = [reply async for reply in chat.say("dog")]
    [second] = [reply async for reply in chat.say("/more")]
    [third] = [reply async for reply in chat.say("/more")]
    assert isinstance(first, Results)
    assert isinstance(second, Results)
    assert (len(first.cards), len(second.cards)) == (5, 1)
    assert third == Sentence(say(Text.NO_MORE))


async def test_boxes_steer_the_search(chat: Chat) -> None:
    """What stands in the boxes beside the line goes with it."""
    [results] = [reply async for reply in chat.say("dog", unlike="crowd cheer")]
    assert isinstance(results, Results)
    assert [card.title for card in results.cards] == [SNOW.title]
