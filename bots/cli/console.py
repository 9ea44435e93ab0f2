"""Chat in a terminal."""

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from rich.text import Text as Line

from bots.chat.parsing import Conversation
from bots.cli.render import Terminal, locate_pictures
from bots.commands.client import Client
from bots.commands.definition import Surface
from bots.commands.registry import list_commands
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from worker.ops.logs import bind_correlation_id
from worker.protocol.base import Caller


def create_prompt() -> PromptSession[str]:
    """Return a line editor with history that completes the names of commands."""
    names = [f"/{command.name}" for command in list_commands(Surface.TYPED)]
    return PromptSession("› ", completer=WordCompleter(names, sentence=True), complete_while_typing=False)


async def chat(
    client: Client, caller: Caller, terminal: Terminal, prompt: PromptSession[str], blobs_address: str
) -> None:
    """Answer line after line until Ctrl-C or the end of the input. `blobs_address` is that of the blob store."""
    conversation = Conversation(client, caller)
    terminal.answers.print(Line(translate(CliMsg.CONSOLE_HELLO), style="dim"))
    while True:
        try:
            line = await prompt.prompt_async(handle_sigint=False)
        except (EOFError, KeyboardInterrupt):
            return
        if line.strip():
            with bind_correlation_id():
                await terminal.show(locate_pictures(conversation.answer(line), blobs_address))
