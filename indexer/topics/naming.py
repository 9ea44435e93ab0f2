"""Names of topics: the words of the vocabulary by which a cluster differs from the rest of the library."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from indexer.topics.tags import score_words
from indexer.types import Vector
from text.vocabulary import find_words, read_vocabulary

MAX_NAMES: Final = 2
MIN_NAME_SCORE: Final = 3.8
"""Minimum score of a name. A topic that no word fits has none."""
MAX_SCORE_GAP: Final = 1.5
"""How much less than the first name a second one may score."""
USED_WORD_SCORE: Final = 2.0
"""Minimum score of a word that titles or speech have for their use of it to count, and what it then adds."""
MIN_SHARE: Final = 0.3
"""Minimum share of a topic's texts that have a word which is used for it."""
MIN_LIFT: Final = 2.0
"""How many times more of a topic's texts than of the library's must have a word which is used for it."""


def name_topics(
    centroids: Vector, word_vectors: Vector, words: Sequence[str], texts: Sequence[Sequence[str]]
) -> list[tuple[str, ...]]:
    """Return up to `MAX_NAMES` words for each centroid (k, d), in English; none if no word fits.

    Centroids are without the library's mean, so that no topic is named by what all of it shows. `texts` are titles
    and speech of each topic's moments. Words that may not be tags name only what no other word fits.
    """
    scores = score_words(centroids, word_vectors - word_vectors.mean(axis=0))
    used = find_used_words(texts)
    doubtful = {word.en for word in read_vocabulary() if not word.is_tag}
    is_certain = np.array([word not in doubtful for word in words])
    names = []
    for row, own in zip(scores, used, strict=True):
        certain = _choose_names(np.where(is_certain, row, -np.inf), words, own)
        names.append(certain or _choose_names(row, words, own))
    return names


def find_used_words(texts: Sequence[Sequence[str]]) -> list[set[str]]:
    """Return the words that each topic's texts have much more often than those of all topics together."""
    counts = [Counter(word for text in each for word in find_words(text)) for each in texts]
    total, texts_in_all = sum(counts, Counter()), max(1, sum(map(len, texts)))
    used = []
    for count, each in zip(counts, texts, strict=True):
        shares = {word: number / len(each) for word, number in count.items()}
        used.append(
            {
                word
                for word, share in shares.items()
                if share >= MIN_SHARE and share >= MIN_LIFT * total[word] / texts_in_all
            }
        )
    return used


def _choose_names(scores: Vector, words: Sequence[str], used: Collection[str]) -> tuple[str, ...]:
    bonus = np.array([USED_WORD_SCORE if word in used else 0.0 for word in words], np.float32)
    # A word that people use is a name only if the pictures agree.
    scores = scores + np.where(scores >= USED_WORD_SCORE, bonus, 0.0)
    order = np.argsort(-scores)[:20]
    first = float(scores[order[0]])
    names: list[str] = []
    for index in order:
        is_good = scores[index] >= max(MIN_NAME_SCORE, first - MAX_SCORE_GAP)
        if is_good and len(names) < MAX_NAMES and not any(_share_word(words[index], each) for each in names):
            names.append(words[index])
    return tuple(names)


def _share_word(one: str, other: str) -> bool:
    """Return whether two names have a word in common, also with another ending (`surfer`, `surfing`)."""
    return any(a[:4] == b[:4] for a in one.split() for b in other.split())
