"""`reelseek up`: everything in one process, samples and examples on the first start, the web chat beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text as Line

from bots.cli.render import Terminal
from bots.commands import search
from bots.commands.client import Client
from bots.connect import run_embedded
from bots.i18n.messages import Msg
from bots.web.serve import serving
from worker.protocol import messages
from worker.protocol.messages import Caller
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.samples import SampleVideo

EXAMPLES: Final = ("eating a banana on the grass", "자전거를 타는 사람들", "一只大兔子")
EXAMPLE_HITS: Final = 3
SHELF_SIZE: Final = 200


async def up(settings: Settings, caller: Caller, terminal: Terminal) -> None:
    """Runs until it is cancelled. Raises `Ended`, and `WebFailed` when the web chat ends by itself."""
    from worker.samples import samples

    terminal.say(Msg.UP_HELLO, data=settings.data_dir.absolute(), preset=settings.preset)
    async with run_embedded(settings, for_others=True) as client, serving(settings) as web:
        await add_samples(client, caller, samples(settings), terminal)
        # Said before the examples, whose first one waits for the model, and again where a newcomer ends up reading.
        address = await web.ready()
        terminal.say(Msg.UP_READY, address=address)
        await show_examples(client, caller, terminal)
        terminal.say(Msg.WEB_READY, address=address)
        await web.ended()


async def add_samples(client: Client, caller: Caller, samples: Sequence["SampleVideo"], terminal: Terminal) -> None:
    """Adds the samples to a library that has never held anything, and follows those still in work."""
    entries = (await client.call(messages.ListLibrary(caller=caller, limit=SHELF_SIZE))).entries
    in_work = {entry.link for entry in entries if entry.status == "waiting"}
    wanted = [sample for sample in samples if not entries or sample.path.as_uri() in in_work]
    if wanted:
        terminal.say(Msg.UP_SAMPLES, count=len(wanted))
        titles = {sample.path.as_uri(): sample.title for sample in wanted}
        await terminal.show(search.index(client, caller, list(titles), titles=titles, local_files=True))


async def show_examples(client: Client, caller: Caller, terminal: Terminal) -> None:
    """What a newcomer may ask, with real answers."""
    terminal.say(Msg.UP_EXAMPLES)
    for words in EXAMPLES:
        terminal.answers.print(Line(f"› {words}", style="bold cyan"))
        await terminal.show(search.find(client, caller, words, limit=EXAMPLE_HITS))
