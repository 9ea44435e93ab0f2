"""What a typed line means."""

import pytest

from bots.chat.parsing import Conversation, read
from bots.commands.registry import COMMANDS, Command
from bots.commands.replies import Results, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.fake_client import GOAL, SNOW, FakeClient
from worker.protocol.messages import Caller


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
def chat(client: FakeClient, caller: Caller) -> Conversation:
    return Conversation(client, caller)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
async def test_every_command_can_be_typed(chat: Conversation, command: Command) -> None:
    """No command of the core is missing from the conversation."""
    replies = [reply async for reply in chat.say(f"/{command.name} {GOAL.link}")]
    assert TextReply(translate(Msg.UNKNOWN_COMMAND, name=command.name), ok=False) not in replies


async def test_an_unknown_command_says_so(chat: Conversation) -> None:
    """A slip of the pen is told how to get help."""
    [reply] = [reply async for reply in chat.say("/fnid dog")]
    assert isinstance(reply, TextReply)
    assert "fnid" in reply.text
    assert "/help" in reply.text


async def test_more_goes_on_from_the_last_search(chat: Conversation, client: FakeClient) -> None:
    """`/more` shows the next page, and after the last one a sentence."""
    client.videos = [SNOW, *(GOAL for _ in range(5))]
    [first] = [reply async for reply in chat.say("dog")]
    [second] = [reply async for reply in chat.say("/more")]
    [third] = [reply async for reply in chat.say("/more")]
    assert isinstance(first, Results)
    assert isinstance(second, Results)
    assert (len(first.cards), len(second.cards)) == (5, 1)
    assert third == TextReply(translate(Msg.NO_MORE))


async def test_boxes_steer_the_search(chat: Conversation) -> None:
    """What stands in the boxes beside the line goes with it."""
    [results] = [reply async for reply in chat.say("dog", unlike="crowd cheer")]
    assert isinstance(results, Results)
    assert [card.title for card in results.cards] == [SNOW.title]
