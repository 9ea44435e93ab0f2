"""`reelseek up`: everything in one process, samples and examples on the first start, the web chat beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text as Line

from bots.cli.render import Terminal
from bots.commands import search
from bots.commands.client import Client
from bots.connect import owned
from bots.i18n.messages import Text
from bots.web.serve import serving
from worker.protocol import messages
from worker.protocol.messages import Asker
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.samples import Sample

EXAMPLES: Final = ("eating a banana on the grass", "자전거를 타는 사람들", "一只大兔子")
EXAMPLE_HITS: Final = 3
SHELF_SIZE: Final = 200


async def up(settings: Settings, asker: Asker, terminal: Terminal) -> None:
    """Runs until it is cancelled. Raises `Ended`, and `WebFailed` when the web chat ends by itself."""
    from worker.samples import samples

    terminal.say(Text.UP_HELLO, data=settings.data_dir.absolute(), preset=settings.preset)
    async with owned(settings, for_others=True) as client, serving(settings) as web:
        await add_samples(client, asker, samples(settings), terminal)
        # Said before the examples, whose first one waits for the model, and again where a newcomer ends up reading.
        address = await web.ready()
        terminal.say(Text.UP_READY, address=address)
        await show_examples(client, asker, terminal)
        terminal.say(Text.WEB_READY, address=address)
        await web.ended()


async def add_samples(client: Client, asker: Asker, samples: Sequence["Sample"], terminal: Terminal) -> None:
    """Adds the samples to a library that has never held anything, and follows those still in work."""
    entries = (await client.call(messages.Library(asker=asker, limit=SHELF_SIZE))).entries
    in_work = {entry.link for entry in entries if entry.status == "waiting"}
    wanted = [sample for sample in samples if not entries or sample.path.as_uri() in in_work]
    if wanted:
        terminal.say(Text.UP_SAMPLES, count=len(wanted))
        titles = {sample.path.as_uri(): sample.title for sample in wanted}
        await terminal.show(search.index(client, asker, list(titles), titles=titles, local_files=True))


async def show_examples(client: Client, asker: Asker, terminal: Terminal) -> None:
    """What a newcomer may ask, with real answers."""
    terminal.say(Text.UP_EXAMPLES)
    for words in EXAMPLES:
        terminal.answers.print(Line(f"› {words}", style="bold cyan"))
        await terminal.show(search.find(client, asker, words, limit=EXAMPLE_HITS))
