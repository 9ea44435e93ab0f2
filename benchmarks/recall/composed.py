"""Measure how a picture and words are best joined to one query: "this picture, but at night".

    python -m benchmarks.recall.composed FOLDER [--preset starter]

FOLDER is Flickr8k: pictures and `captions.tsv`. `composed.tsv` holds 50 questions about its split `dev`: a picture, a
change in words, and the pictures whose captions describe the first one with that change. A question's own picture is
no answer. One half (`choose`) was used to choose a rule and its weight, and so were the questions `by rule`, which are
all that the rules below find in the captions without the pictures of `composed.tsv`. The other half (`judge`) chose
nothing. Prints R@1, R@5 and R@10, and the 95 % interval of R@5.
"""

import argparse
import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from rich.progress import track

from indexer.types import Vector
from model.data.images import read_picture
from model.evaluation.metrics import bootstrap_interval
from model.loader import load_encoder
from model.ports import Encoder
from model.preset_files import find_preset

QUESTIONS: Final = Path(__file__).with_suffix(".tsv")
NEUTRAL: Final = "a photo"
MAX_RIGHT: Final = 6
"""A change with more right answers is too vague."""

ASPECTS: Final[Mapping[str, Mapping[str, str]]] = {
    "subject": {
        "two dogs": r"dogs",
        "a dog": r"dog",
        "a girl": r"girl",
        "a boy": r"boy",
        "a woman": r"woman|lady",
        "a man": r"man|guy|male",
        "children": r"children|kids",
    },
    "colour": {
        "black and white": r"black and white|white and black",
        "black": r"black (?:lab|dog|puppy|furry|\w+ dog)",
        "brown": r"(?:brown|tan) (?:dog|puppy|\w+ dog)",
        "white": r"white (?:dog|puppy|\w+ dog)",
    },
    "action": {
        "jumping": r"jump\w*|leap\w*|mid ?air",
        "swimming": r"swim\w*",
        "running": r"run\w*|race\w*|racing",
        "catching a frisbee": r"frisbee",
        "with a ball": r"ball",
        "with a stick in its mouth": r"stick|branch",
        "sitting": r"sit\w*|seated",
        "lying down": r"lay\w*|lies|lying",
        "climbing": r"climb\w*",
        "on a bike": r"(?:bike|bicycle|bmx)s?",
        "skateboarding": r"skateboard\w*",
        "surfing": r"surf\w*|wakeboard\w*",
        "on a swing": r"swing",
        "on a slide": r"slid\w+",
    },
    "place": {
        "in the snow": r"snow\w*",
        "on the beach": r"beach|sand\w*|shore\w*",
        "in a pool": r"pool",
        "in the water": r"water|ocean|lake|river|sea",
        "in the grass": r"grass\w*|lawn|field",
        "on the street": r"street|road|sidewalk|pavement|city",
        "in the woods": r"woods?|forest|trees",
        "indoors": r"indoors|inside|couch|bed|carpet|floor|room|sofa",
    },
}
"""Words of captions, by what they say. A picture has what two of its captions say, or for its subject, three."""


@dataclass(frozen=True)
class Question:
    """A picture, a change, and the pictures that answer it."""

    half: str
    picture: str
    change: str
    right: tuple[str, ...]


def read_questions() -> list[Question]:
    with QUESTIONS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [Question(row["half"], row["picture"], row["change"], tuple(row["right"].split())) for row in rows]


def read_captions(folder: Path) -> dict[str, list[str]]:
    """Return the captions of each picture of the split `dev`."""
    captions = defaultdict(list)
    with (folder / "captions.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["split"] == "dev":
                captions[row["file"]].append(re.sub(r"[^a-z ]", " ", row["caption"].lower()))
    return captions


def find_aspects(captions: Sequence[str]) -> dict[str, str] | None:
    """Return what the captions say, or None if they contradict each other."""
    found: dict[str, str] = {}
    for aspect, values in ASPECTS.items():
        least = 3 if aspect == "subject" else 2
        said = [name for name, words in values.items() if _count(words, captions) >= least]
        if aspect == "colour" and "black and white" in said:
            said = ["black and white"]
        if len(said) > 1 or (aspect == "subject" and not said):
            return None
        if said and not (aspect == "colour" and "dog" not in found["subject"]):
            found[aspect] = said[0]
    return found if {"action", "place"} & found.keys() else None


def _count(words: str, captions: Sequence[str]) -> int:
    return sum(bool(re.search(rf"\b(?:{words})\b", caption)) for caption in captions)


def find_questions(captions: Mapping[str, Sequence[str]], without: set[str]) -> Iterator[Question]:
    """Yield each change of one aspect that one to `MAX_RIGHT` other pictures show."""
    aspects = {file: found for file, said in captions.items() if (found := find_aspects(said))}
    by_aspects = defaultdict(list)
    for file, found in aspects.items():
        by_aspects[frozenset(found.items())].append(file)
    for file, found in aspects.items():
        for aspect in found if file not in without else ():
            for value in ASPECTS[aspect].keys() - {found[aspect]}:
                right = [each for each in by_aspects[frozenset({**found, aspect: value}.items())] if each != file]
                if 1 <= len(right) <= MAX_RIGHT:
                    change = f"a {value} dog" if aspect == "colour" else value
                    yield Question("by rule", file, change, tuple(sorted(right)))


def join(rule: str, weight: float, pictures: Vector, texts: Vector, neutral: Vector) -> Vector:
    """Return a query vector for each picture and text, by a rule."""
    change = texts - neutral
    match rule:
        case "words + w × picture":
            joined = texts + weight * pictures
        case "picture + w × (words − neutral)":
            joined = pictures + weight * change
        case "picture + w × unit(words − neutral)":
            joined = pictures + weight * change / np.linalg.norm(change, axis=1, keepdims=True)
        case _:
            raise ValueError(rule)
    unit: Vector = joined / np.linalg.norm(joined, axis=1, keepdims=True)
    return unit


WEIGHTS: Final[Mapping[str, Sequence[float]]] = {
    "words + w × picture": (0.0, 0.25, 0.5, 0.6, 0.75, 1.0, 1.5, 1e6),
    "picture + w × (words − neutral)": (0.5, 1.0, 1.5, 2.0),
    "picture + w × unit(words − neutral)": (0.5, 1.0, 1.5, 2.0),
}
"""The weights that are tried. 0 is the words alone, and a million the picture alone."""


def rank_right_answers(
    queries: Vector, library: Vector, own: Sequence[int], right: Sequence[Sequence[int]]
) -> npt.NDArray[np.int_]:
    """Return the rank of each query's best right answer."""
    scores = queries @ library.T
    scores[np.arange(len(own)), own] = -np.inf
    best = [max(row[each] for each in answers) for row, answers in zip(scores, right, strict=True)]
    return np.asarray(1 + np.count_nonzero(scores > np.array(best)[:, None], axis=1))


def print_recall(name: str, ranks: npt.NDArray[np.int_], sources: Sequence[str]) -> None:
    recall = " / ".join(f"{np.mean(ranks <= limit):.3f}" for limit in (1, 5, 10))
    low, high = bootstrap_interval(list(sources))((ranks <= 5).astype(np.float64))
    print(f"{name:<46} {recall}  R@5 {low:.3f} to {high:.3f}", flush=True)


def encode_library(encoder: Encoder, folder: Path, files: Sequence[str]) -> Vector:
    batches = [files[start : start + 32] for start in range(0, len(files), 32)]
    vectors = [encoder.encode_frames([read_picture(folder / file) for file in batch]) for batch in track(batches)]
    return np.concatenate(vectors)


def main(folder: Path, preset: str) -> None:
    captions = read_captions(folder)
    questions = read_questions()
    questions += find_questions(captions, {each.picture for each in questions})
    encoder = load_encoder(find_preset(preset), device="auto", adapter=None, artifacts_dir=None)
    number = {file: place for place, file in enumerate(sorted(captions))}
    library = encode_library(encoder, folder, list(number))
    changes = sorted({each.change for each in questions} | {NEUTRAL})
    vectors = dict(zip(changes, (each.frame for each in encoder.encode_texts(changes)), strict=True))
    for half in sorted({each.half for each in questions}):
        asked = [each for each in questions if each.half == half]
        own = [number[each.picture] for each in asked]
        right = [[number[file] for file in each.right] for each in asked]
        texts = np.stack([vectors[each.change] for each in asked])
        print(f"{half}: {len(asked)} questions, {len(library)} pictures, R@1/5/10")
        for rule, weights in WEIGHTS.items():
            for weight in weights:
                queries = join(rule, weight, library[own], texts, vectors[NEUTRAL])
                ranks = rank_right_answers(queries, library, own, right)
                print_recall(f"{rule}, w = {weight:g}", ranks, [each.picture for each in asked])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="starter")
    arguments = parser.parse_args()
    main(arguments.folder, arguments.preset)
