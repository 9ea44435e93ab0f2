"""Chat in a terminal."""

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from rich.text import Text as Line

from bots.chat.parsing import Conversation
from bots.cli.render import Terminal
from bots.commands.client import Client
from bots.commands.registry import COMMANDS
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.ops.logs import bind_correlation_id
from worker.protocol.messages import Caller

CALLER = Caller(space="local:me", user_id="console", is_admin=True)


def prompt() -> PromptSession[str]:
    """A line editor with history that completes command names."""
    names = [f"/{name}" for name in COMMANDS]
    return PromptSession("› ", completer=WordCompleter(names, sentence=True), complete_while_typing=False)


async def talk(client: Client, terminal: Terminal, lines: PromptSession[str]) -> None:
    """Answers line after line until Ctrl-C or the end of the input."""
    chat = Conversation(client, CALLER)
    terminal.answers.print(Line(translate(Msg.CONSOLE_HELLO), style="dim"))
    while True:
        try:
            line = await lines.prompt_async(handle_sigint=False)
        except (EOFError, KeyboardInterrupt):
            return
        if line.strip():
            with bind_correlation_id():
                await terminal.show(chat.say(line))
