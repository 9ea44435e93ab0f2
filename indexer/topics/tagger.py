"""Tags of stored moments."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from indexer.generation_id import GenerationId
from indexer.store.moments import MomentStore
from indexer.store.records import Scopes
from indexer.topics.tags import tag_frames
from indexer.topics.word_vectors import TextEncoder, WordVectors

MIN_LIBRARY: Final = 100
"""Moments of a library that is worth half a minute of encoding the vocabulary, without anyone asking for it."""


class Tagger:
    """Tags moments, as soon as the vectors of the vocabulary are there for their generation."""

    def __init__(self, moments: MomentStore, words: WordVectors) -> None:
        self._moments = moments
        self._words = words

    def is_ready(self, encoder: TextEncoder, is_wanted: bool = False) -> bool:
        """Return whether moments can be tagged. If not, get ready in the background.

        A small library is worth that only if it `is_wanted`.
        """
        if self._words.get_cached(encoder.generation) is not None:
            return True
        if is_wanted or self._moments.count(GenerationId.parse(encoder.generation)) >= MIN_LIBRARY:
            self._words.compute_in_background(encoder)
        return False

    def tag(self, encoder: TextEncoder, scopes: Scopes, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return by id the tags of those moments that the scopes may see and that have a picture.

        Without the vectors of the vocabulary, there are none.
        """
        words = self._words.get_cached(encoder.generation)
        if words is None or not ids:
            return {}
        found = self._moments.get(GenerationId.parse(encoder.generation), scopes, ids, with_vectors=True)
        stored = [each for each in found if "frame" in each.dense]
        tags = tag_frames(np.stack([each.dense["frame"] for each in stored]), words) if stored else []
        return {each.id: own for each, own in zip(stored, tags, strict=True)}
