"""Chat in a terminal."""

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from rich.text import Text as Line

from bots.chat.parsing import Chat
from bots.cli.render import Terminal
from bots.commands.client import Client
from bots.commands.registry import COMMANDS
from bots.i18n.messages import Text
from bots.i18n.translate import say
from worker.ops.logs import one_incident
from worker.protocol.messages import Asker

ASKER = Asker(space="local:me", person="console", admin=True)


def prompt() -> PromptSession[str]:
    """A line editor with history that completes command names."""
    names = [f"/{name}" for name in COMMANDS]
    return PromptSession("› ", completer=WordCompleter(names, sentence=True), complete_while_typing=False)


async def talk(client: Client, terminal: Terminal, lines: PromptSession[str]) -> None:
    """Answers line after line until Ctrl-C or the end of the input."""
    chat = Chat(client, ASKER)
    terminal.answers.print(Line(say(Text.CONSOLE_HELLO), style="dim"))
    while True:
        try:
            line = await lines.prompt_async(handle_sigint=False)
        except (EOFError, KeyboardInterrupt):
            return
        if line.strip():
            with one_incident():
                await terminal.show(chat.say(line))
