"""Measure a complete retrain while people search: its cost, its result, and that no search fails.

    python -m benchmarks.retrain FOLDER [--votes] [--harm NOISE]

FOLDER holds clips, `manifest.tsv` (columns `file` and `description`, which become the titles) and `queries.tsv` (a
column `file`, then one column of queries for each language). Indexes the clips, retrains through the chat's own
commands on a real worker, and rolls back. Prints the replies, R@1 / R@5 before and after for all clips and for
held-out ones, searches meanwhile and how many failed, whether the rollback restored the same answers, and the peak
memory. With `--votes` people have voted for the right clip of each query before. With `--harm` the first model has an
adapter of random weights with that deviation: it shows a promotion.
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

from bots.commands.library import index
from bots.commands.models import manage_models
from bots.commands.replies import LinkOutcome, Replies, TextReply, TrainingProgress
from bots.commands.training import retrain
from indexer.generation_id import GenerationId
from indexer.link.canonical import file_url_to_path, link_to_local_file
from indexer.store.records import GenerationRecord
from model.config import DEFAULT_CONFIG, read_training_config
from model.data.pairs import assign_split
from model.encoders import lora
from model.starter import encoder as starter
from worker.client.queue_client import QueueClient
from worker.models.loading import ModelChoice, load_preset, train_preset
from worker.ops.logs import configure_logging
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.search import Find, RecordVote
from worker.queue.app import make_app
from worker.runtime.embedded import run_embedded_worker
from worker.services import Services
from worker.settings import Settings

CALLER = Caller(space="local:retrain", user_id="benchmark", is_admin=True)
SEARCH_INTERVAL_S = 0.3
VOTERS = 10
"""Several, because a retrain limits the share of one person."""


@dataclass
class SearchCounts:
    """Searches during the retrain."""

    total: int = 0
    failed: int = 0
    slowest_s: float = 0.0


def read_table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


async def index_clips(client: QueueClient, folder: Path) -> None:
    titles = {(folder / row["file"]).as_uri(): row["description"] for row in read_table(folder / "manifest.tsv")}
    replies = index(client, CALLER, list(titles), titles=titles, local_files=True)
    outcomes = [reply async for reply in replies if isinstance(reply, LinkOutcome)]
    print(f"indexed {sum(each.ok for each in outcomes)} of {len(outcomes)}")


def read_queries(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the address of each clip with each of its queries."""
    for row in read_table(folder / "queries.tsv"):
        for words in list(row.values())[1:]:
            yield (folder / row["file"]).as_uri(), words


async def vote_for_clips(client: QueueClient, folder: Path) -> None:
    """Vote for the best moment of the right clip of each query."""
    queries = list(read_queries(folder))
    for number, (link, words) in enumerate(queries):
        [best, *_] = (await client.call(Find(caller=CALLER, queries=(words,), in_link=link, limit=1))).hits
        voter = CALLER.model_copy(update={"user_id": f"voter-{number % VOTERS}"})
        await client.call(RecordVote(caller=voter, queries=(words,), moment_id=best.moment_id, kind="up"))
    print(f"votes: {len(queries)}")


async def search_all(client: QueueClient, folder: Path) -> tuple[list[Any], str]:
    """Return every complete answer, and the recall as text."""
    found, right = [], {"all": Counter[int](), "held out": Counter[int]()}
    for link, words in read_queries(folder):
        answer = await client.call(Find(caller=CALLER, queries=(words,), limit=5))
        found.append(answer.model_dump())
        for which in (
            ("all", "held out")
            if assign_split(link_to_local_file(str(file_url_to_path(link))).video_id) == "test"
            else ("all",)
        ):
            right[which][0] += 1
            for most in (1, 5):
                right[which][most] += any(hit.link == link for hit in answer.hits[:most])
    shares = [f"{which} {of[1] / of[0]:.3f} / {of[5] / of[0]:.3f} ({of[0]})" for which, of in right.items()]
    return found, f"R@1 / R@5 (queries): {', '.join(shares)}"


async def keep_searching(client: QueueClient, counts: SearchCounts) -> None:
    while True:
        start_s = time.perf_counter()
        try:
            await client.call(Find(caller=CALLER, queries=("a dog in the snow",), limit=5))
        except CallFailedError as failed:
            counts.failed += 1
            print(f"a search failed: {failed}")
        counts.total += 1
        counts.slowest_s = max(counts.slowest_s, time.perf_counter() - start_s)
        await asyncio.sleep(SEARCH_INTERVAL_S)


async def print_replies(replies: Replies) -> None:
    """Print the replies as text, with one line per stage of progress."""
    start_s, stage = time.monotonic(), ""
    async for reply in replies:
        text = getattr(reply, "text", str(reply))
        is_progress = isinstance(reply, TrainingProgress) and not reply.is_final
        if not is_progress or text.split(" · ")[0] != stage:
            print(f"{time.monotonic() - start_s:6.0f} s  {text}")
        stage = text.split(" · ")[0]
        if isinstance(reply, TextReply) and not reply.ok:
            raise SystemExit(1)


def make_random_adapter(folder: Path, noise: float) -> Path:
    """Save an adapter of the shipped shape with random weights. Returns its folder."""
    run, tower = read_training_config(DEFAULT_CONFIG).lora, starter.read_tower(None)
    torch.manual_seed(0)
    layers = lora.find_upper_layers(tower, run.targets, run.layers)
    adapted = lora.add_adapter(tower, run.rank, run.alpha, run.dropout, layers)
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=noise)
    lora.save_adapter(adapted, folder / "frame")
    return folder


def store_adapter(settings: Settings, adapter: Path) -> None:
    """Store an adapter as if an earlier retrain had made it."""
    encoder = load_preset(settings, ModelChoice(settings.preset, adapter=adapter))
    with closing(Services(settings, make_app(settings), threading.Event(), load_preset, train_preset)) as services:
        prefix = f"adapters/{encoder.generation}/"
        services.blobs.put_folder(prefix, adapter)
        at = datetime.now(UTC).isoformat()
        generation = GenerationId.parse(encoder.generation)
        services.stores.generations.put_record(GenerationRecord(generation, settings.preset, at, prefix))
        services.stores.generations.create(generation, encoder)


async def main(folder: Path, with_votes: bool, noise: float | None) -> None:
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(data_dir=Path(data), search_timeout_s=120)
        configure_logging(settings, to_file=True)
        if noise is not None:
            store_adapter(settings, make_random_adapter(Path(data) / "random", noise))
        async with run_embedded_worker(settings) as client:
            await index_clips(client, folder)
            if with_votes:
                await vote_for_clips(client, folder)
            before, shares = await search_all(client, folder)
            print(f"before: {shares}")
            counts = SearchCounts()
            meanwhile = asyncio.create_task(keep_searching(client, counts))
            await print_replies(retrain(client, CALLER))
            await print_replies(retrain(client, CALLER, "start"))
            meanwhile.cancel()
            print(f"searches meanwhile: {counts.total}, failed {counts.failed}, {counts.slowest_s:.2f} s at most")
            after, shares = await search_until_changed(client, folder, before)
            print(f"after: {shares}")
            if after != before:
                await print_replies(manage_models(client, CALLER, "rollback"))
                restored, _ = await search_until_changed(client, folder, after)
                print(f"the same answers after the rollback: {restored == before}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


async def search_until_changed(client: QueueClient, folder: Path, old: list[Any]) -> tuple[list[Any], str]:
    """Search until the answers change: the previous model answers while the new one is being loaded."""
    for _ in range(6):
        found, shares = await search_all(client, folder)
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
