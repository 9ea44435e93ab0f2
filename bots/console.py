"""Chat in a terminal."""

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from rich.text import Text as Line

from bots.chat import Chat
from bots.client import Client
from bots.commands import COMMANDS
from bots.sentences import Text
from bots.terminal import Terminal
from bots.words import say
from worker.logs import one_incident
from worker.messages import Asker

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
