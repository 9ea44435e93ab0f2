"""Tags of stored moments: for those that are shown, and stored ones to search by."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from itertools import islice
from typing import Final

import numpy as np
import structlog

from indexer.generation_id import GenerationId
from indexer.store.enrichment import EnrichmentStore
from indexer.store.moments import MomentStore
from indexer.store.records import Scopes
from indexer.topics.tags import tag_frames
from indexer.topics.word_vectors import TextEncoder, WordVectors
from indexer.types import Vector
from indexer.vectors.vector_store import StoredPoint

MIN_LIBRARY: Final = 100
"""Moments of a library that is worth half a minute of encoding the vocabulary, without anyone asking for it."""
WAIT_S: Final = 5.0
"""How long a search for a tag waits until all moments have theirs. 100,000 moments take longer, the first time."""
BATCH_SIZE: Final = 1_000
"""Moments that are tagged at once."""

log = structlog.get_logger()


class Tagger:
    """Tags moments, as soon as the vectors of the vocabulary are there for their generation. Thread-safe."""

    def __init__(self, moments: MomentStore, enrichment: EnrichmentStore, words: WordVectors) -> None:
        self._moments = moments
        self._enrichment = enrichment
        self._words = words
        self._running: dict[GenerationId, Future[None]] = {}
        self._lock = threading.Lock()
        self._is_closing = threading.Event()
        self._executor = ThreadPoolExecutor(1, "tagger")

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
        return _tag_moments([each for each in found if "frame" in each.dense], words)

    def store_tags(self, encoder: TextEncoder, wait_s: float = WAIT_S) -> bool:
        """Store the tags of all moments that have none yet, so that searches find them.

        Returns whether that is done within `wait_s` seconds. If not, it goes on in the background.
        """
        words = self._words.get_cached(encoder.generation)
        if words is None:
            self._words.compute_in_background(encoder)
            return False
        generation = GenerationId.parse(encoder.generation)
        if not self._enrichment.count_untagged(generation, self._words.compute_digest(encoder.generation)):
            return True
        with self._lock:
            running = self._running.get(generation)
            if running is None or running.done():
                running = self._running[generation] = self._executor.submit(
                    self._tag_untagged, encoder.generation, words
                )
        try:
            running.result(timeout=wait_s)
        except FutureTimeoutError:
            return False
        return not self._is_closing.is_set()

    def close(self) -> None:
        """Stop tagging."""
        self._is_closing.set()
        self._executor.shutdown(cancel_futures=True)

    def _tag_untagged(self, generation_name: str, words: Vector) -> None:
        generation, digest = GenerationId.parse(generation_name), self._words.compute_digest(generation_name)
        untagged, tagged = self._enrichment.read_untagged(generation, digest), 0
        while (batch := list(islice(untagged, BATCH_SIZE))) and not self._is_closing.is_set():
            without_picture: dict[str, tuple[str, ...]] = {each.id: () for each in batch if "frame" not in each.dense}
            tags = _tag_moments([each for each in batch if "frame" in each.dense], words)
            self._enrichment.put_tags(generation, without_picture | tags, digest)
            tagged += len(batch)
        log.info("tags.stored", generation=generation_name, moments=tagged)


def _tag_moments(stored: Sequence[StoredPoint], words: Vector) -> dict[str, tuple[str, ...]]:
    """Return by id the tags of moments that have a frame vector."""
    tags = tag_frames(np.stack([each.dense["frame"] for each in stored]), words) if stored else []
    return {each.id: own for each, own in zip(stored, tags, strict=True)}
