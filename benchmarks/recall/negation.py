"""Measure how often a search shows what the words exclude: `a dog but no people`, in three languages.

    python -m benchmarks.recall.negation CLIPS FLICKR8K --work FOLDER

`negation.tsv` has questions with patterns of what is wanted and what is not, over the descriptions of the clips and the
captions of Flickr8k's dev pictures. Prints how many of the first five show what is not wanted and how many show only
what is wanted, with 95 % bootstrap intervals: for the sentence as it is, without its negation, and for the search.
"""

import argparse
import asyncio
import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.recall.libraries import KnownLibrary, read_clips, read_pictures
from indexer.search.query import ExampleMoments, SearchQuery, embed_query
from indexer.types import Vector
from model.loader import load_encoder
from model.ports import Encoder
from model.preset_files import find_preset
from text.negation import split_negation

QUESTIONS = Path(__file__).with_suffix(".tsv")
NO_EXAMPLES = ExampleMoments((), ())


def find_first_five(library: KnownLibrary, query: Vector) -> list[str]:
    """Return the descriptions of the five best videos."""
    best = np.full(len(library.descriptions), -np.inf)
    np.maximum.at(best, library.videos, library.frames @ query)
    return [library.descriptions[video] for video in np.argsort(-best)[:5]]


def measure(
    libraries: dict[str, KnownLibrary], rows: Sequence[dict[str, str]], embed: Callable[[str], Vector]
) -> list[tuple[float, float]]:
    """Return for each question the share of the first five with what it excludes, and with only what it wants."""
    shares = []
    for row in rows:
        found = find_first_five(libraries[row["library"]], embed(row["query"]))
        excluded = [bool(re.search(rf"\b(?:{row['negated']})\b", each)) for each in found]
        wanted = [bool(re.search(rf"\b(?:{row['wanted']})\b", each)) for each in found]
        right = [is_wanted and not is_excluded for is_wanted, is_excluded in zip(wanted, excluded, strict=True)]
        shares.append((sum(excluded) / 5, sum(right) / 5))
    return shares


def bootstrap(values: Sequence[float]) -> str:
    """Return the mean and its 95 % interval."""
    drawn = np.random.default_rng(0).choice(np.array(values), (2000, len(values))).mean(1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{np.mean(values):.2f} ({low:.2f}–{high:.2f})"


def report(encoder: Encoder, libraries: dict[str, KnownLibrary]) -> None:
    with QUESTIONS.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    forms: dict[str, Callable[[str], Vector]] = {
        "the sentence as it is": lambda text: encoder.encode_texts([text])[0].frame,
        "without its negation": lambda text: encoder.encode_texts([split_negation(text).wanted])[0].frame,
        "the search": lambda text: embed_query(encoder, SearchQuery("local:me", (text,)), NO_EXAMPLES)[0].vectors[
            "frame"
        ],
    }
    for name, embed in forms.items():
        shares = measure(libraries, rows, embed)
        for kind, values in (("excluded", [a for a, _ in shares]), ("right", [b for _, b in shares])):
            parts = {
                language: bootstrap([v for v, row in zip(values, rows, strict=True) if row["language"] == language])
                for language in ("en", "ko", "zh")
            }
            print(f"{name}, {kind} among five: {bootstrap(values)}, {parts} ({len(rows)} questions)", flush=True)


async def main(clips: Path, pictures: Path, work: Path) -> None:
    encoder = load_encoder(find_preset("starter"), device="auto", adapter=None, artifacts_dir=None)
    report(
        encoder,
        {"clips": await read_clips(encoder, clips, work), "flickr8k": read_pictures(encoder, pictures, work)},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.clips, arguments.pictures, arguments.work))
