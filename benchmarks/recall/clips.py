"""Measure how often a person's words find their clip, through the product's own index and search.

    python -m benchmarks.recall.clips FOLDER [--neutral-names]

FOLDER holds clips and `queries.tsv` (a column `file`, then one column of queries for each language). With
`--neutral-names` the clips are indexed under numbers, so that no file name can help. Prints R@1 / R@5 / R@10.
"""

import argparse
import asyncio
import csv
import shutil
import tempfile
import time
from pathlib import Path

from tests.support.indexer.local_clips import CALLER, index_clips
from worker.client.queue_client import QueueClient
from worker.ops.logs import configure_logging
from worker.protocol.search import Find
from worker.runtime.embedded import run_embedded_worker
from worker.settings import Settings

RANKS = (1, 5, 10)


async def measure_recall(client: QueueClient, links: dict[str, str], queries: list[tuple[str, str]]) -> str:
    """Return the recall of (file, words) pairs as text. `links` maps each link to its file."""
    ranks, times_s = [], []
    for file, words in queries:
        start_s = time.perf_counter()
        found = await client.call(Find(caller=CALLER, queries=(words,), limit=max(RANKS)))
        times_s.append(time.perf_counter() - start_s)
        files = [links[hit.link] for hit in found.hits]
        ranks.append(files.index(file) + 1 if file in files else max(RANKS) + 1)
    shares = " / ".join(f"{sum(rank <= limit for rank in ranks) / len(ranks):.3f}" for limit in RANKS)
    return f"{shares}  ({len(ranks)} queries, median {1000 * sorted(times_s)[len(times_s) // 2]:.0f} ms)"


async def main(folder: Path, neutral_names: bool) -> None:
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    with tempfile.TemporaryDirectory() as temporary:
        clips = {row["file"]: folder / row["file"] for row in rows}
        if neutral_names:
            for number, (name, clip) in enumerate(clips.items()):
                clips[name] = Path(temporary) / f"{number:04d}{clip.suffix}"
                shutil.copy(clip, clips[name])
        settings = Settings(data_dir=Path(temporary) / "data", log_level="warning")
        configure_logging(settings, to_file=True)
        names = {clip.name: name for name, clip in clips.items()}
        async with run_embedded_worker(settings) as client:
            start_s = time.perf_counter()
            indexed = await index_clips(client, list(clips.values()))
            links = {link: names[name] for link, name in indexed.items()}
            print(f"{len(links)} clips indexed in {time.perf_counter() - start_s:.0f} s")
            for language in [column for column in rows[0] if column != "file"]:
                queries = [(row["file"], row[language]) for row in rows]
                print(f"{language}: R@1/5/10 {await measure_recall(client, links, queries)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--neutral-names", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.folder, arguments.neutral_names))
