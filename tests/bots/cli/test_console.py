"""The chat in a terminal."""

import io

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from bots.cli import console
from bots.cli.environment import make_caller
from bots.cli.render import Terminal
from bots.commands.definition import Command, Surface
from bots.commands.registry import list_commands
from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW
from worker.protocol.base import LOCAL_SPACE

END = "\x04"
INTERRUPT = "\x03"


async def type_text(client: FakeClient, text: str) -> str:
    """Type `text` and return what is on the screen."""
    screen = io.StringIO()
    terminal = Terminal(Console(file=screen, width=100), Console(file=io.StringIO()))
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text(text)
        await console.chat(client, make_caller(LOCAL_SPACE, "console"), terminal, console.create_prompt(), "blobs")
    return screen.getvalue()


async def test_lines_are_searched_until_the_end_of_the_input(client: FakeClient) -> None:
    screen = await type_text(client, f"cat sleeps\n\nman kicks\n{END}")
    assert SNOW.title in screen
    assert GOAL.title in screen
    assert len(client.requests) == 2


async def test_pasted_link_is_added(client: FakeClient) -> None:
    assert "Added “x”." in await type_text(client, f"https://video.example/x\n{END}")


async def test_ctrl_c_at_the_prompt_quits(client: FakeClient) -> None:
    assert translate(CliMsg.CONSOLE_HELLO).split()[0] in await type_text(client, INTERRUPT)


@pytest.mark.parametrize("command", list_commands(Surface.TYPED), ids=lambda command: command.name)
async def test_every_typed_command_works_and_is_in_the_help(client: FakeClient, command: Command) -> None:
    screen = await type_text(client, f"/{command.name} {GOAL.link}\n{END}")
    assert translate(Msg.UNKNOWN_COMMAND, name=command.name) not in " ".join(screen.split())
    assert f"/{command.name}" in await type_text(client, f"/help\n{END}")


def test_prompt_completes_the_names_of_commands() -> None:
    completer = console.create_prompt().completer
    assert completer
    completions = completer.get_completions(Document("/fo"), CompleteEvent(completion_requested=True))
    assert [completion.text for completion in completions] == ["/follow", "/forget"]
