"""Measure topics and tags by what captions and descriptions say.

    python -m benchmarks.recall.topics FLICKR8K [--moments 100000]

FLICKR8K holds the pictures and `captions.tsv` (split, file, caption). Prints, for the dev split: the purity of topics
and of a random clustering of the same sizes, the share of a topic's pictures whose captions have one of its names, and
how many tags the captions confirm. With `--moments`, prints how long a library of made-up vectors takes.
"""

import argparse
import csv
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.topics.clustering import cluster_vectors
from indexer.topics.naming import name_topics
from indexer.topics.tags import MAX_TAGS, MIN_TAG_SCORE, score_words
from indexer.topics.word_vectors import WordVectors
from indexer.types import Vector
from model.data.images import read_picture
from model.loader import load_encoder
from model.packages import default_artifacts_dir
from model.preset_files import find_preset
from text.vocabulary import read_vocabulary

MEANT: dict[str, str] = {
    "person": "man woman boy girl child people lady guy kid baby toddler player",
    "child": "boy girl kid baby toddler children",
    "animal": "dog cat horse bird cow sheep",
}
"""Words of captions that confirm a more general word."""
SMALL_WORDS = {"a", "the", "in", "on", "at", "with", "of", "to", "from", "an"}
Confirmed = npt.NDArray[np.bool_]


def read_captions(folder: Path, split: str) -> dict[str, set[str]]:
    """Return the stems of all captions of each picture."""
    stems: dict[str, set[str]] = defaultdict(set)
    with (folder / "captions.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row[0] == split:
                stems[row[1]] |= {stem(word) for word in re.findall("[a-z]+", row[2].lower())}
    return dict(sorted(stems.items()))


def stem(word: str) -> str:
    return re.sub(r"(ing|ed|er|e|s|y|i)+$", "", word) or word


def confirm_words(captions: Sequence[set[str]]) -> Confirmed:
    """Return whether the captions of each picture confirm each word of the vocabulary (pictures, words)."""
    columns = []
    for word in read_vocabulary():
        if word.en in MEANT:
            meant = {stem(each) for each in MEANT[word.en].split()}
            columns.append([bool(meant & stems) for stems in captions])
        else:
            parts = {stem(part) for part in word.en.split() if part not in SMALL_WORDS}
            columns.append([parts <= stems for stems in captions])
    return np.array(columns).T


def measure_purity(labels: npt.NDArray[np.int32], confirmed: Confirmed) -> float:
    """Return the share of pictures whose captions have the word that most captions of their cluster have.

    Words of people and of more than a tenth of all captions are left out, because they suit any cluster.
    """
    telling = confirmed[:, confirmed.mean(axis=0) < 0.1]
    best = [telling[labels == label].mean(axis=0).max() * (labels == label).sum() for label in np.unique(labels)]
    return float(sum(best) / len(labels))


def main(folder: Path, moments: int) -> None:
    encoder = load_encoder(find_preset("starter"), device="cpu", adapter=None, artifacts_dir=default_artifacts_dir())
    with tempfile.TemporaryDirectory() as temporary:
        words = WordVectors(Path(temporary)).compute(encoder)
    assert words is not None
    print(f"{len(words)} words")
    captions = read_captions(folder, "dev")
    vectors = np.concatenate([encoder.encode_frames([read_picture(folder / name)]) for name in captions])
    confirmed = confirm_words(list(captions.values()))
    report_topics(vectors, words, confirmed)
    report_tags(vectors, words, confirmed)
    if moments:
        report_time(moments)


def report_topics(vectors: Vector, words: Vector, confirmed: Confirmed) -> None:
    clusters = cluster_vectors(vectors)
    shuffled = np.random.default_rng(0).permutation(clusters.labels)
    purities = [measure_purity(labels, confirmed) for labels in (clusters.labels, shuffled)]
    print(f"{len(clusters.centroids)} topics: purity {purities[0]:.3f}, random {purities[1]:.3f}")
    english = [word.en for word in read_vocabulary()]
    names = name_topics(clusters.centroids, words, english, [()] * len(clusters.centroids))
    named = [[english.index(name) for name in each] for each in names]
    for labels, title in ((clusters.labels, "topics"), (shuffled, "random")):
        shares = [confirmed[labels == n][:, own].any(axis=1).mean() if own else np.nan for n, own in enumerate(named)]
        print(f"{title}: captions have a name of the topic for {np.nanmean(shares):.3f} of its pictures")
    print("; ".join(f"{' · '.join(each) or '…'} ({(clusters.labels == n).sum()})" for n, each in enumerate(names)))


def report_tags(vectors: Vector, words: Vector, confirmed: Confirmed) -> None:
    scores = np.where([word.is_tag for word in read_vocabulary()], score_words(vectors, words), -np.inf)
    best = np.argsort(-scores, axis=1)[:, :MAX_TAGS]
    is_tag = np.take_along_axis(scores, best, axis=1) >= MIN_TAG_SCORE
    is_right = np.take_along_axis(confirmed, best, axis=1)
    print(
        f"tags: {is_right[is_tag].mean():.3f} of {is_tag.sum()} right, "
        f"{is_tag.any(axis=1).mean():.2f} of {len(vectors)} pictures have one"
    )


def report_time(moments: int) -> None:
    """Cluster made-up vectors around 30 directions, without reading them from a store."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(30, 512))[random.integers(30, size=moments)]
    vectors = (centres + 2 * random.normal(size=centres.shape)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    start_s, cpu_s = time.perf_counter(), time.process_time()
    clusters = cluster_vectors(vectors)
    print(
        f"{moments} moments: {len(clusters.centroids)} topics in {time.perf_counter() - start_s:.1f} s, "
        f"{time.process_time() - cpu_s:.1f} s of CPU time"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--moments", type=int, default=0)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.moments)
