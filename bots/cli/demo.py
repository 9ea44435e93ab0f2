"""The first minutes of `reelseek up`: sample videos and example searches."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from rich.text import Text as Line

from bots.cli.render import Terminal
from bots.commands import library, search
from bots.commands.client import Client
from bots.commands.replies import LinkOutcome, LinkProgress, Replies
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import format_bytes, get_language
from model.presets import PRESETS, STARTER, PresetCost
from worker.protocol.base import Caller
from worker.protocol.library import GetStatus, IndexStatus, ListLibrary
from worker.protocol.topics import ListTopics
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.samples import SampleVideo

EXAMPLES: Final = (
    "eating a banana on the grass",
    "자전거를 타는 사람들",
    "一只大兔子",
    "fail again fail better",  # said
    "새 커피 머신",  # shown, in English
    "音乐",  # heard
)
EXAMPLE_LIMIT: Final = 3
LIBRARY_LIMIT: Final = 200
TOPICS_TRIES: Final = 6
"""Each waits up to 15 s in the worker."""


async def introduce(
    client: Client,
    caller: Caller,
    samples: Sequence["SampleVideo"],
    wait_for_web_chat: Callable[[], Awaitable[str]],
    terminal: Terminal,
) -> None:
    """Add the samples to a new library, run the examples, and print the address that `wait_for_web_chat` returns.

    The address is printed as soon as the samples are found by their looks, and again at the end of the output.
    """

    async def say_address() -> None:
        terminal.say(CliMsg.UP_READY, address=await wait_for_web_chat())

    await add_samples(client, caller, samples, terminal, say_address)
    await show_examples(client, caller, terminal)
    terminal.say(CliMsg.WEB_READY, address=await wait_for_web_chat())


async def mention_other_preset(client: Client, caller: Caller, settings: Settings, terminal: Terminal) -> None:
    """Say what to run if the settings name another preset than that of the library, which goes on searching it."""
    status = await client.call(GetStatus(caller=caller))
    if status.preset != settings.preset:
        terminal.say(CliMsg.LIBRARY_MODEL_DIFFERS, stored=status.preset, preset=settings.preset)


async def offer_larger_preset(
    settings: Settings, terminal: Terminal, measure: Callable[[Settings, str], PresetCost] | None = None
) -> None:
    """Say once, in one line, which larger preset there is for the person's language, and what it costs here.

    If no hub can be reached, it says nothing and tries again at the next start.
    """
    from model.errors import ModelError
    from model.evaluation.published import AUTHORS_FIGURES, find_larger_preset

    name, told = find_larger_preset(get_language()), settings.data_dir / "larger-preset-told"
    if name is None or settings.preset != STARTER or told.exists():
        return
    try:
        cost = await asyncio.to_thread(measure or _measure_cost, settings, name)
    except ModelError:
        return
    terminal.say(
        CliMsg.LARGER_PRESET,
        preset=name,
        figure=next(each for each in AUTHORS_FIGURES[name] if each.is_retrieval),
        download=format_bytes(cost.download_bytes),
        memory=format_bytes(cost.memory_bytes),
        rate=f"{cost.pictures_per_s:.1f}",
    )
    told.touch()


def _measure_cost(settings: Settings, name: str) -> PresetCost:
    from model.encoders.hub_cost import measure_preset_cost
    from model.packages import default_artifacts_dir

    return measure_preset_cost(PRESETS[name], settings.parts_dir or default_artifacts_dir(), settings.device)


async def add_samples(
    client: Client,
    caller: Caller,
    samples: Sequence["SampleVideo"],
    terminal: Terminal,
    on_added: Callable[[], Awaitable[None]],
) -> None:
    """Add the samples to a library that was never used, and follow those that an interrupted start left waiting.

    `on_added` is called once all of them are found by their looks. Speech, text and sounds are awaited after that.
    """
    entries = (await client.call(ListLibrary(caller=caller, limit=LIBRARY_LIMIT))).entries
    waiting = {entry.link for entry in entries if entry.status is IndexStatus.WAITING or entry.pending_senses}
    wanted = [sample for sample in samples if not entries or sample.path.as_uri() in waiting]
    if not wanted:
        await on_added()
        return
    terminal.say(CliMsg.UP_SAMPLES, count=len(wanted))
    titles = {sample.path.as_uri(): sample.title for sample in wanted}
    replies = library.index(client, caller, list(titles), titles=titles, local_files=True)
    await terminal.show(_call_when_added(replies, len(wanted), on_added))


async def _call_when_added(replies: Replies, count: int, on_added: Callable[[], Awaitable[None]]) -> Replies:
    """Yield the replies about `count` links, and call `on_added` once each link is added or has its outcome."""
    added: set[str] = set()
    async with aclosing(replies):
        async for reply in replies:
            yield reply
            if not isinstance(reply, LinkOutcome | LinkProgress) or reply.link in added:
                continue
            if isinstance(reply, LinkOutcome) or reply.is_added:
                added.add(reply.link)
                if len(added) == count:
                    await on_added()


async def show_library_topics(client: Client, caller: Caller, terminal: Terminal) -> None:
    """Show what the library is about. The first time, the vocabulary is encoded, which is waited for."""
    for _ in range(TOPICS_TRIES):
        if not (await client.call(ListTopics(caller=caller))).is_pending:
            break
    await terminal.show(library.show_topics(client, caller))


async def show_examples(client: Client, caller: Caller, terminal: Terminal) -> None:
    """Run the example searches and show their results."""
    terminal.say(CliMsg.UP_EXAMPLES)
    for words in EXAMPLES:
        terminal.answers.print(Line(f"› {words}", style="bold cyan"))
        await terminal.show(search.find(client, caller, words, limit=EXAMPLE_LIMIT))
