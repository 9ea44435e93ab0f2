"""Tags: the few words of the vocabulary that a moment certainly shows, by its frame vector.

They are computed when a moment is read, so that old libraries and new models have them without a migration.
"""

from typing import Final

import numpy as np

from indexer.types import Vector
from text.vocabulary import read_vocabulary

MAX_TAGS: Final = 3
MIN_TAG_SCORE: Final = 5.0
"""Minimum score of a tag. Chosen on Flickr8k's train split: with the words chosen on one half of it, the captions of
the other half confirm 83 % of the tags. Those of the dev split confirm 81 % (`benchmarks.recall.topics`).
"""


def score_words(frames: Vector, words: Vector) -> Vector:
    """Return how much each frame vector (n, d) is of each word (m, d), more than of the others: z-scores (n, m).

    They have no unit of the model's cosines, so that one limit serves different models.
    """
    cosines = frames @ words.T
    centred = cosines - cosines.mean(axis=1, keepdims=True)
    scores: Vector = centred / np.maximum(cosines.std(axis=1, keepdims=True), 1e-9)
    return scores


def tag_frames(frames: Vector, words: Vector) -> list[tuple[str, ...]]:
    """Return the tags of each frame vector (n, d) in English, the surest first. `words` are those of the vocabulary."""
    vocabulary = read_vocabulary()
    scores = np.where([word.is_tag for word in vocabulary], score_words(frames, words), -np.inf)
    best = np.argsort(-scores, axis=1)[:, :MAX_TAGS]
    return [
        tuple(vocabulary[word].en for word in row if scores[number, word] >= MIN_TAG_SCORE)
        for number, row in enumerate(best)
    ]
