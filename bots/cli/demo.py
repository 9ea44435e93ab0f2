"""The first minutes of `reelseek up`: sample videos and example searches."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text as Line

from bots.cli.render import Terminal
from bots.commands import library, search
from bots.commands.client import Client
from bots.i18n.cli_messages import CliMsg
from worker.protocol.base import Caller
from worker.protocol.library import IndexStatus, ListLibrary

if TYPE_CHECKING:
    from worker.samples import SampleVideo

EXAMPLES: Final = ("eating a banana on the grass", "자전거를 타는 사람들", "一只大兔子")
EXAMPLE_LIMIT: Final = 3
LIBRARY_LIMIT: Final = 200


async def introduce(
    client: Client,
    caller: Caller,
    samples: Sequence["SampleVideo"],
    wait_for_web_chat: Callable[[], Awaitable[str]],
    terminal: Terminal,
) -> None:
    """Add the samples to a new library, run the examples, and print the address that `wait_for_web_chat` returns."""
    await add_samples(client, caller, samples, terminal)
    # Printed before the examples, because the first one waits for the model, and again at the end of the output.
    address = await wait_for_web_chat()
    terminal.say(CliMsg.UP_READY, address=address)
    await show_examples(client, caller, terminal)
    terminal.say(CliMsg.WEB_READY, address=address)


async def add_samples(client: Client, caller: Caller, samples: Sequence["SampleVideo"], terminal: Terminal) -> None:
    """Add the samples to a library that was never used, and follow those that an interrupted start left waiting."""
    entries = (await client.call(ListLibrary(caller=caller, limit=LIBRARY_LIMIT))).entries
    waiting = {entry.link for entry in entries if entry.status is IndexStatus.WAITING}
    wanted = [sample for sample in samples if not entries or sample.path.as_uri() in waiting]
    if wanted:
        terminal.say(CliMsg.UP_SAMPLES, count=len(wanted))
        titles = {sample.path.as_uri(): sample.title for sample in wanted}
        await terminal.show(library.index(client, caller, list(titles), titles=titles, local_files=True))


async def show_examples(client: Client, caller: Caller, terminal: Terminal) -> None:
    """Run the example searches and show their results."""
    terminal.say(CliMsg.UP_EXAMPLES)
    for words in EXAMPLES:
        terminal.answers.print(Line(f"› {words}", style="bold cyan"))
        await terminal.show(search.find(client, caller, words, limit=EXAMPLE_LIMIT))
