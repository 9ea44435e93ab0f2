"""Measure how often what is said, shown or heard finds its clip, through the product's index, enrichment and search.

    python -m benchmarks.senses_recall SENSES [--looks VIDEOS]

SENSES holds `manifest.tsv` and its `clip_*` files (their README describes them). With --looks the clips of VIDEOS and
its `queries.tsv` are in the same library, and are searched, too. All are indexed under numbers, so that no file name
can help. Prints R@1 and R@5 with 95 % bootstrap intervals, and for verbatim phrases how often the first hit overlaps
the phrase.
"""

import argparse
import asyncio
import csv
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from indexer.hits import Hit
from tests.support.indexer.local_clips import CALLER, index_clips
from worker.client.queue_client import QueueClient
from worker.ops.logs import configure_logging
from worker.protocol.search import Find
from worker.runtime.embedded import run_embedded_worker
from worker.settings import Settings

LANGUAGES: Final = ("en", "ko", "zh")
LIMIT: Final = 5
VERBATIM: Final = "verbatim phrase"


@dataclass(frozen=True)
class Question:
    """A query, the clip that it should find, and when the answer is said, shown or heard there."""

    group: str
    text: str
    file: str
    start_s: float | None = None
    end_s: float | None = None

    def is_in(self, hit: Hit) -> bool:
        """Return whether a moment overlaps the answer."""
        return self.start_s is None or self.end_s is None or (hit.start_s < self.end_s and hit.end_s > self.start_s)


def read_senses(folder: Path) -> Iterator[Question]:
    """Yield a question in each language for each clip."""
    for row in _read_rows(folder / "manifest.tsv"):
        if row["file"].startswith("clip_"):
            for language in LANGUAGES:
                is_verbatim = row["query_style"] == VERBATIM and row["language"] == language
                style = {"sound": "in words"}.get(row["kind"], VERBATIM if is_verbatim else "other words or language")
                times = (float(row["start_s"]), float(row["end_s"])) if is_verbatim else (None, None)
                yield Question(f"{row['kind']}, {style}, {language}", row[f"query_{language}"], row["file"], *times)


def read_looks(folder: Path) -> Iterator[Question]:
    """Yield the questions about looks."""
    for row in _read_rows(folder / "queries.tsv"):
        for language in LANGUAGES:
            yield Question(f"looks, {language}", row[language], row["file"])


async def ask(client: QueueClient, links: dict[str, str], questions: Sequence[Question]) -> None:
    """Print a row for each group of questions. `links` maps each link to its file."""
    ranks: dict[str, list[int]] = defaultdict(list)
    overlaps: dict[str, list[bool]] = defaultdict(list)
    times_s = []
    for question in questions:
        start_s = time.perf_counter()
        hits = (await client.call(Find(caller=CALLER, queries=(question.text,), limit=LIMIT))).hits
        times_s.append(time.perf_counter() - start_s)
        files = [links[hit.link] for hit in hits]
        rank = files.index(question.file) + 1 if question.file in files else LIMIT + 1
        ranks[question.group].append(rank)
        if rank == 1 and question.start_s is not None:
            overlaps[question.group].append(question.is_in(hits[0]))
    print(f"| {'':40} | {'n':>3} | {'R@1':22} | {'R@5':22} | overlap |")
    for group in sorted(ranks):
        overlap = f"{np.mean(overlaps[group]):.2f}" if group in overlaps else ""
        first, page = (_format_share([rank <= limit for rank in ranks[group]]) for limit in (1, LIMIT))
        print(f"| {group:40} | {len(ranks[group]):3} | {first:22} | {page:22} | {overlap:7} |")
    print(f"{len(questions)} searches, median {1000 * float(np.median(times_s)):.0f} ms")


def _format_share(found: Sequence[bool]) -> str:
    """Return a share with its 95 % bootstrap interval."""
    random = np.random.default_rng(0)
    means = random.choice(np.array(found, float), (2000, len(found))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{np.mean(found):.3f} ({low:.2f}–{high:.2f})"


def _read_rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as rows:
        return list(csv.DictReader(rows, delimiter="\t"))


async def main(senses: Path, looks: Path | None) -> None:
    questions = [*read_senses(senses), *(read_looks(looks) if looks else ())]
    sources = {each["file"]: senses for each in _read_rows(senses / "manifest.tsv") if each["file"].startswith("clip_")}
    sources |= {each["file"]: looks for each in _read_rows(looks / "queries.tsv")} if looks else {}
    with tempfile.TemporaryDirectory() as temporary:
        names = {}
        for number, (name, folder) in enumerate(sorted(sources.items())):
            copy = Path(temporary) / f"{number:04d}{Path(name).suffix}"
            shutil.copy(folder / name, copy)
            names[copy.name] = name
        settings = Settings(data_dir=Path(temporary) / "data", log_level="warning")
        configure_logging(settings, to_file=True)
        async with run_embedded_worker(settings) as client:
            start_s = time.perf_counter()
            indexed = await index_clips(client, [Path(temporary) / name for name in names])
            print(f"{len(indexed)} clips indexed and enriched in {time.perf_counter() - start_s:.0f} s")
            await ask(client, {link: names[name] for link, name in indexed.items()}, questions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("senses", type=Path)
    parser.add_argument("--looks", type=Path, metavar="VIDEOS")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.senses, arguments.looks))
