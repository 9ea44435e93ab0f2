"""Measure what a prior adds to true CLIP vectors of texts and pictures.

    python -m benchmarks.recall.prior FLICKR8K CLIP_TEXT [--rank 16] [--steps 200]

FLICKR8K has `captions.tsv` and `teacher_b16.npz`, the vectors of pictures by CLIP ViT-B/16; CLIP_TEXT has `*.npz` with
those of English names by the same model. A name and a picture are a pair if two of the picture's captions have the
name. The prior learns from the split `train` with one half of the names (by a hash). Of the others, whose pictures are
those of the split `dev`, one half (`choose`) chose the settings, and the other (`judge`) did not. Prints for both the
mean average precision, and the share of names whose first five pictures have a right one, without and with the prior,
and the difference with its 95 % interval by name.
"""

import argparse
import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from indexer.types import Vector
from model.config import PriorConfig
from model.encoders.text_prior import TextPrior
from model.evaluation.metrics import bootstrap_interval
from model.training.train_clip_head import ClipHeadExamples, fit_clip_head

MIN_CAPTIONS: Final = 2
MIN_PICTURES: Final = 3


def read_names(folder: Path) -> dict[str, Vector]:
    """Return a vector for each name of one to three words."""
    vectors: dict[str, Vector] = {}
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as stored:
            vectors |= dict(zip(stored["names"].tolist(), stored["emb"].astype(np.float32), strict=True))
    return {name: vector for name, vector in vectors.items() if re.fullmatch(r"[a-z]{3,}(?: [a-z]+){0,2}", name)}


def find_pairs(folder: Path, split: str, names: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the pictures of each name that has at least `MIN_PICTURES` of them."""
    known, found, captions = set(names), defaultdict(list), defaultdict(list)
    with (folder / "captions.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["split"] == split:
                captions[row["file"]].append(re.sub(r"[^a-z]+", " ", row["caption"].lower()).split())
    for picture, texts in captions.items():
        said = [{" ".join(text[i : i + n]) for n in (1, 2, 3) for i in range(len(text))} & known for text in texts]
        for name in set().union(*said):
            if sum(name in each for each in said) >= MIN_CAPTIONS:
                found[name].append(picture)
    return {name: pictures for name, pictures in found.items() if len(pictures) >= MIN_PICTURES}


def choose_group(name: str) -> str:
    return ("learn", "learn", "choose", "judge")[hashlib.md5(name.encode(), usedforsecurity=False).digest()[0] % 4]


def rank_pictures(texts: Vector, pictures: Vector, right: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.float64]]:
    """Return for each text its average precision, and 1 if one of the first five pictures is right."""
    order = np.argsort(-(texts @ pictures.T), axis=1)
    hits = np.take_along_axis(right, order, axis=1)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    average = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    return [np.asarray(each, np.float64) for each in (average, hits[:, :5].any(axis=1))]


def main(flickr: Path, texts: Path, config: PriorConfig) -> None:
    with np.load(flickr / "teacher_b16.npz") as stored:
        vectors = stored["emb"].astype(np.float32)
        pictures = dict(zip(stored["names"].tolist(), vectors / np.linalg.norm(vectors, axis=1)[:, None], strict=True))
    names = read_names(texts)
    learnt = find_pairs(flickr, "train", [name for name in names if choose_group(name) == "learn"])
    found = find_pairs(flickr, "dev", list(names))
    files = sorted({file for of in learnt.values() for file in of})
    number = {file: place for place, file in enumerate(files)}
    pairs = [(place, number[file]) for place, name in enumerate(learnt) for file in learnt[name]]
    examples = ClipHeadExamples(
        torch.from_numpy(np.stack([names[name] for name in learnt])[[place for place, _ in pairs]]),
        torch.from_numpy(np.stack([pictures[file] for file in files])[:, None]),
        torch.ones(len(files), 1, dtype=torch.bool),
        torch.tensor([clip for _, clip in pairs]),
        torch.tensor([place for place, _ in pairs]),
    )
    torch.manual_seed(0)
    prior = TextPrior(len(vectors[0]), config.rank)
    fit_clip_head(prior, examples, config)
    print(f"{len(learnt)} names and {len(files)} pictures learnt")
    for group in ("choose", "judge"):
        print_group(
            group, prior, names, {name: of for name, of in found.items() if choose_group(name) == group}, pictures
        )


def print_group(
    group: str,
    prior: TextPrior,
    names: Mapping[str, Vector],
    found: Mapping[str, Sequence[str]],
    pictures: Mapping[str, Vector],
) -> None:
    library = sorted({file for of in found.values() for file in of})
    right = np.array([[file in of for file in library] for of in map(set, found.values())])
    plain = np.stack([names[name] for name in found])
    with torch.inference_mode():
        moved = prior.encode_texts(torch.from_numpy(plain)).numpy()
    shown = np.stack([pictures[file] for file in library])
    print(f"{group}: {len(found)} names, {len(library)} pictures")
    results = [rank_pictures(each, shown, right) for each in (plain, moved)]
    for name, before, after in zip(("average precision", "right among five"), *results, strict=True):
        low, high = bootstrap_interval(list(found))(after - before)
        print(f"  {name}: {before.mean():.3f} -> {after.mean():.3f}, {low:+.3f} to {high:+.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flickr", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rate", type=float, default=1e-4)
    arguments = parser.parse_args()
    config = PriorConfig(rank=arguments.rank, steps=arguments.steps, rate=arguments.rate)
    main(arguments.flickr, arguments.texts, config)
