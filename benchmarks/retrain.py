"""A whole retrain from the library alone, while people search: what it takes, and that nobody notices.

    python benchmarks/retrain.py FOLDER [--votes] [--harm NOISE]

FOLDER holds clips, `manifest.tsv` (columns `file` and `description`, which become the titles) and `queries.tsv` (a
column `file`, then one column of queries for each language). Indexes the clips, retrains through the chat's own
commands on a real worker, and goes back. Prints the replies, R@1 / R@5 before and after, searches that were asked
meanwhile and how many failed, whether going back gave the very same answers, and the peak memory. With `--votes` people
have voted for the right clip of each query before that; shares are then told of clips that are held out, too. `--harm`
begins with an adapter whose weights are noise of that deviation: it shows what a better verdict leads to.
"""

import argparse
import asyncio
import csv
import resource
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bots.commands import admin
from bots.commands import search as core
from bots.commands.replies import LinkOutcome, Replies, TextReply, TrainingProgress
from indexer.link.canonical import file_url_to_path, link_to_local_file
from indexer.store.generations import GenerationRecord
from model.config import DEFAULT, read_run
from model.data.pairs import split
from model.encoders import lora
from model.starter import encoder as starter
from worker.client.queue_client import QueueClient
from worker.model_cache import load_preset, train_preset
from worker.ops.logs import configure
from worker.protocol.messages import Caller, CallFailedError, Find, RecordVote
from worker.queue.app import make_app
from worker.runtime.embedded import embedded
from worker.services import Services
from worker.settings import Settings

CALLER = Caller(space="local:retrain", user_id="benchmark", is_admin=True)
SEARCH_EVERY_S = 0.3
VOTERS = 10
"""A retrain takes only so much from one person."""


@dataclass
class Searching:
    """What became of the searches meanwhile."""

    asked: int = 0
    failed: int = 0
    slowest_s: float = 0.0


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


async def index(client: QueueClient, folder: Path) -> None:
    titles = {(folder / row["file"]).as_uri(): row["description"] for row in table(folder / "manifest.tsv")}
    replies = core.index(client, CALLER, list(titles), titles=titles, local_files=True)
    done = [reply async for reply in replies if isinstance(reply, LinkOutcome)]
    print(f"indexed {sum(each.ok for each in done)} of {len(done)}")


def queries(folder: Path) -> Iterator[tuple[str, str]]:
    """The address of a clip, and what somebody would say of it, in each language."""
    for row in table(folder / "queries.tsv"):
        for words in list(row.values())[1:]:
            yield (folder / row["file"]).as_uri(), words


async def vote(client: QueueClient, folder: Path) -> None:
    """For the moment that the right clip has the query found by."""
    asked = list(queries(folder))
    for number, (link, words) in enumerate(asked):
        [best, *_] = (await client.call(Find(caller=CALLER, queries=(words,), in_link=link, limit=1))).hits
        voter = CALLER.model_copy(update={"user_id": f"voter-{number % VOTERS}"})
        await client.call(RecordVote(caller=voter, queries=(words,), moment_id=best.moment_id, kind="up"))
    print(f"votes: {len(asked)}")


async def answers(client: QueueClient, folder: Path) -> tuple[list[Any], str]:
    """Every answer whole, and the shares of right ones."""
    found, right = [], {"all": Counter[int](), "held out": Counter[int]()}
    for link, words in queries(folder):
        answer = await client.call(Find(caller=CALLER, queries=(words,), limit=5))
        found.append(answer.model_dump())
        for which in ("all", "held out") if split(link_to_local_file(str(file_url_to_path(link))).video_id) == "test" else ("all",):
            right[which][0] += 1
            for most in (1, 5):
                right[which][most] += any(hit.link == link for hit in answer.hits[:most])
    shares = [f"{which} {of[1] / of[0]:.3f} / {of[5] / of[0]:.3f} ({of[0]})" for which, of in right.items()]
    return found, f"R@1 / R@5 (queries): {', '.join(shares)}"


async def search(client: QueueClient, searching: Searching) -> None:
    while True:
        began_s = time.perf_counter()
        try:
            await client.call(Find(caller=CALLER, queries=("a dog in the snow",), limit=5))
        except CallFailedError as failed:
            searching.failed += 1
            print(f"a search failed: {failed}")
        searching.asked += 1
        searching.slowest_s = max(searching.slowest_s, time.perf_counter() - began_s)
        await asyncio.sleep(SEARCH_EVERY_S)


async def told(replies: Replies) -> None:
    """Prints what a person would read, of progress one line a stage."""
    began_s, stage = time.monotonic(), ""
    async for reply in replies:
        text = getattr(reply, "text", str(reply))
        passing = isinstance(reply, TrainingProgress) and not reply.over
        if not passing or text.split(" · ")[0] != stage:
            print(f"{time.monotonic() - began_s:6.0f} s  {text}")
        stage = text.split(" · ")[0]
        if isinstance(reply, TextReply) and not reply.ok:
            raise SystemExit(1)


def harmed(folder: Path, noise: float) -> Path:
    """An adapter as the shipped run makes it, but of noise."""
    run, tower = read_run(DEFAULT).lora, starter.read_tower(None)
    torch.manual_seed(0)
    layers = lora.upper(tower, run.targets, run.layers)
    adapted = lora.with_lora(tower, run.rank, run.alpha, run.dropout, layers)
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=noise)
    lora.save(adapted, folder / "frame")
    return folder


def begin(settings: Settings, adapter: Path) -> None:
    """The store as if an earlier retrain had made this adapter."""
    encoder = load_preset(settings, adapter)
    with closing(Services(settings, make_app(settings), threading.Event(), load_preset, train_preset)) as services:
        prefix = f"adapters/{encoder.generation}/"
        services.blobs.put_folder(prefix, adapter)
        at = datetime.now(UTC).isoformat()
        services.generations.put(GenerationRecord(encoder.generation, settings.preset, at, prefix))
        services.library.open(encoder.generation, encoder.frame_size, encoder.motion_size)


async def main(folder: Path, voting: bool, noise: float | None) -> None:
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(data_dir=Path(data), search_timeout_s=120)
        configure(settings, to_file=True)
        if noise is not None:
            begin(settings, harmed(Path(data) / "harmed", noise))
        async with embedded(settings) as client:
            await index(client, folder)
            if voting:
                await vote(client, folder)
            before, shares = await answers(client, folder)
            print(f"before: {shares}")
            searching = Searching()
            meanwhile = asyncio.create_task(search(client, searching))
            await told(admin.retrain(client, CALLER))
            await told(admin.retrain(client, CALLER, "start"))
            meanwhile.cancel()
            print(
                f"searches meanwhile: {searching.asked}, failed {searching.failed}, {searching.slowest_s:.2f} s at most"
            )
            after, shares = await settled(client, folder, before)
            print(f"after: {shares}")
            if after != before:
                await told(admin.model(client, CALLER, "rollback"))
                back, _ = await settled(client, folder, after)
                print(f"the same answers after going back: {back == before}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


async def settled(client: QueueClient, folder: Path, old: list[Any]) -> tuple[list[Any], str]:
    """Answers of the model that is in use now: the one before answers while it is being loaded."""
    for _ in range(6):
        found, shares = await answers(client, folder)
        if found != old:
            break
        await asyncio.sleep(5)
    return found, shares


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--votes", action="store_true")
    parser.add_argument("--harm", type=float, metavar="NOISE")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.folder, arguments.votes, arguments.harm))
