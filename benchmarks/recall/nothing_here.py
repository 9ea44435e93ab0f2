"""Fit what a score means, and measure it: how often an answer that a library lacks is called weak.

    python -m benchmarks.recall.nothing_here CLIPS FLICKR8K --work FOLDER [--plot FILE]

Each question is asked of a library with and without what it means: the clips in a person's words, libraries of some of
Flickr8k's dev pictures with captions, and with the words of `things.tsv`, which many pictures match. One half of the
clips and pictures fits the numbers of `indexer.search.calibration` by logistic regression; the other half judges those
that the product has. Prints the fit, the shares of first hits that are called weak, and a table of reliability: how
often a first hit with a score was right, if half of the questions have their answer in the library.
"""

import argparse
import asyncio
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from benchmarks.recall.libraries import KnownLibrary, encode_texts, read_clips, read_pictures
from benchmarks.recall.negation import bootstrap
from indexer.hits import STRONG_SCORE, WEAK_SCORE
from indexer.search.calibration import measure_picture_background
from indexer.store.moments import SAMPLE_SIZE
from indexer.types import Vector
from model.loader import load_encoder
from model.ports import Encoder
from model.preset_files import find_preset

THINGS = Path(__file__).with_name("things.tsv")
SIZES = (5, 12, 30, 100, 400)
QUESTIONS = 60
ROUNDS = 4
WEIGHTS = {"clips": 4.0, "captions": 1.0, "things": 0.7}
"""There are fewer clips, and they are what people search."""
EDGES = (0.0, 0.1, WEAK_SCORE, 0.4, STRONG_SCORE, 0.8, 1.0)


@dataclass(frozen=True)
class FirstHit:
    """The first hit of a question."""

    kind: str
    half: int
    is_present: bool
    """Whether the library has what the question means."""
    is_right: bool
    evidence: float
    length: float
    """Logarithm of the number of bytes."""
    score: float


def ask(
    encoder: Encoder, kind: str, half: int, text: str, vector: Vector, frames: Vector, right: npt.NDArray[np.bool_]
) -> Iterator[FirstHit]:
    """Yield the first hit of a question, in the library and without its `right` moments."""
    for is_present in (True, False):
        kept = np.ones(len(right), np.bool_) if is_present else ~right
        if not kept.any() or (is_present and not right.any()):
            continue
        cosines = frames[kept] @ vector
        sample = np.random.default_rng(0).permutation(cosines)[:SAMPLE_SIZE]
        background = measure_picture_background(sample, text, encoder.logit_scale, encoder.unrelated_cosine)
        best = float(cosines.max())
        yield FirstHit(
            kind,
            half,
            is_present,
            bool(right[kept][cosines.argmax()]),
            background.scale * best - background.level,
            log(len(text.encode())),
            background.likelihood(best),
        )


def ask_clips(encoder: Encoder, library: KnownLibrary) -> Iterator[FirstHit]:
    for text, vector, meant in zip(library.questions, library.question_vectors, library.meant, strict=True):
        half = int(library.halves[meant])
        yield from ask(encoder, "clips", half, text, vector, library.frames, library.videos == meant)


def ask_pictures(encoder: Encoder, library: KnownLibrary) -> Iterator[FirstHit]:
    """Ask captions and names of things of random libraries of each half's pictures."""
    random = np.random.default_rng(0)
    with THINGS.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    names = [row[language] for row in rows for language in ("en", "ko", "zh")]
    vectors = encode_texts(encoder, names)
    shows = [
        np.array([bool(re.search(rf"\b(?:{row['pattern']})\b", each)) for each in library.descriptions]) for row in rows
    ]
    for size in SIZES:
        for number in range(ROUNDS):
            half = number % 2
            pictures = random.choice(np.flatnonzero(library.halves == half), size, replace=False)
            asked = np.flatnonzero(np.isin(library.meant, pictures))
            for at in random.choice(asked, min(QUESTIONS, len(asked)), replace=False):
                text, vector, meant = library.questions[at], library.question_vectors[at], library.meant[at]
                yield from ask(encoder, "captions", half, text, vector, library.frames[pictures], pictures == meant)
            for at, (text, vector) in enumerate(zip(names, vectors, strict=True)):
                yield from ask(
                    encoder, "things", half, text, vector, library.frames[pictures], shows[at // 3][pictures]
                )


def fit(hits: Sequence[FirstHit]) -> str:
    """Return the weights that logistic regression gives to evidence and length, and the offset."""
    features = np.array([(hit.evidence, hit.length) for hit in hits])
    right = np.array([hit.is_present and hit.is_right for hit in hits])
    weights = np.array([WEIGHTS[hit.kind] for hit in hits])
    fitted = LogisticRegression(C=100.0).fit(features, right, weights)
    return f"evidence {fitted.coef_[0][0]:.2f}, length {fitted.coef_[0][1]:.2f}, offset {fitted.intercept_[0]:.2f}"


def report(hits: Sequence[FirstHit], name: str) -> None:
    """Print which shares of the first hits are called weak, and which are called strong."""
    right = [hit.score for hit in hits if hit.is_present and hit.is_right]
    absent = [hit.score for hit in hits if not hit.is_present]
    strong = [float(hit.is_present and hit.is_right) for hit in hits if hit.score >= STRONG_SCORE]
    print(
        f"{name}: called weak of absent {bootstrap([float(s < WEAK_SCORE) for s in absent])} ({len(absent)}), "
        f"of right first hits {bootstrap([float(s < WEAK_SCORE) for s in right])} ({len(right)}), "
        f"a tenth of which is below {np.quantile(right, 0.1):.2f}; "
        f"right of strong {bootstrap(strong)} ({len(strong)})",
        flush=True,
    )


def tabulate(hits: Sequence[FirstHit]) -> list[tuple[float, float, int]]:
    """Return for each range of scores the mean score, the share that is right, and the number of hits."""
    table = []
    for low, high in pairwise(EDGES):
        inside = [hit for hit in hits if low <= hit.score < high]
        if inside:
            right = np.mean([hit.is_present and hit.is_right for hit in inside])
            table.append((float(np.mean([hit.score for hit in inside])), float(right), len(inside)))
    return table


def plot(tables: dict[str, list[tuple[float, float, int]]], file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure((4.5, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, table in tables.items():
        axes.plot([said for said, _, _ in table], [right for _, right, _ in table], "o-", label=name)
    axes.set(xlabel="score of the first hit", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    figure.savefig(file)


async def main(clips: Path, pictures: Path, work: Path, file: Path | None) -> None:
    encoder = load_encoder(find_preset("starter"), device="auto", adapter=None, artifacts_dir=None)
    hits = [
        *ask_clips(encoder, await read_clips(encoder, clips, work)),
        *ask_pictures(encoder, read_pictures(encoder, pictures, work)),
    ]
    print(f"fit on half 0: {fit([hit for hit in hits if hit.half == 0])}")
    tables = {}
    for kind in WEIGHTS:
        report([hit for hit in hits if hit.kind == kind and hit.half == 0], f"{kind}, half that fitted")
        judged = [hit for hit in hits if hit.kind == kind and hit.half == 1]
        report(judged, f"{kind}, half that judges")
        tables[kind] = tabulate(judged)
        print("\n".join(f"    said {said:.2f}, right {right:.2f} ({count})" for said, right, count in tables[kind]))
    if file:
        plot(tables, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.clips, arguments.pictures, arguments.work, arguments.plot))
