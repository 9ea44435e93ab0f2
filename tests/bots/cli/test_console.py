"""The chat in a terminal, typed into."""

import io

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from bots.cli import console
from bots.cli.render import Terminal
from bots.commands.registry import COMMANDS, Command
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.fake_client import GOAL, SNOW, FakeClient

END = "\x04"
INTERRUPT = "\x03"


async def typed(client: FakeClient, text: str) -> str:
    """What is on the screen after somebody typed `text`."""
    screen = io.StringIO()
    terminal = Terminal(Console(file=screen, width=100), Console(file=io.StringIO()))
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text(text)
        await console.talk(client, terminal, console.prompt())
    return screen.getvalue()


async def test_plain_words_search(client: FakeClient) -> None:
    """Words are looked for, line after line, until the end of the input."""
    seen = await typed(client, f"cat sleeps\n\nman kicks\n{END}")
    assert SNOW.title in seen
    assert GOAL.title in seen
    assert len(client.asked) == 2


async def test_links_are_added(client: FakeClient) -> None:
    """A pasted link ends in the library."""
    assert "Added “x”." in await typed(client, f"https://video.example/x\n{END}")


async def test_interrupt_leaves(client: FakeClient) -> None:
    """Ctrl-C at the prompt leaves as the end of the input does."""
    assert translate(Msg.CONSOLE_HELLO).split()[0] in await typed(client, INTERRUPT)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
async def test_every_command_is_there(client: FakeClient, command: Command) -> None:
    """No command of the core is missing from the console, nor from what it completes."""
    seen = await typed(client, f"/{command.name} {GOAL.link}\n{END}")
    assert translate(Msg.UNKNOWN_COMMAND, name=command.name) not in " ".join(seen.split())
    assert f"/{command.name}" in await typed(client, f"/help\n{END}")


def test_names_are_completed() -> None:
    """The beginning of a command's name is enough."""
    completer = console.prompt().completer
    assert completer
    offered = completer.get_completions(Document("/fo"), CompleteEvent(completion_requested=True))
    assert [completion.text for completion in offered] == ["/forget"]
