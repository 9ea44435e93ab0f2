"""Topics that were made, for what each caller may see. They are made again in the background as the library grows."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Final, TypeAlias

from indexer.generation_id import GenerationId
from indexer.store.moments import MomentStore
from indexer.store.records import Scopes, each_scope
from indexer.topics.topics import LibraryTopic, make_topics
from indexer.topics.word_vectors import TextEncoder, WordVectors

MAX_KEPT: Final = 256
WAIT_S: Final = 15.0
"""How long a request waits for topics that were never made. Its frontend waits longer."""
MAX_AGE_S: Final = 600.0
"""Topics are made again after this time: a library may have changed and have as many moments as before."""

_Key: TypeAlias = tuple[GenerationId, tuple[str, ...]]


@dataclass(frozen=True)
class MadeTopics:
    """Topics and the library that they were made of."""

    topics: tuple[LibraryTopic, ...]
    moments: int
    """Moments of the library, also those without pictures."""
    at_s: float


class TopicCache:
    """Makes topics and keeps them in memory, for each generation and each set of scopes. Thread-safe."""

    def __init__(self, moments: MomentStore, words: WordVectors, clock: Callable[[], float] = time.monotonic) -> None:
        self._moments = moments
        self._words = words
        self._clock = clock
        self._made: OrderedDict[_Key, MadeTopics] = OrderedDict()
        self._running: dict[_Key, Future[MadeTopics]] = {}
        self._lock = threading.Lock()
        # One at a time: they take a whole core, which searches need.
        self._executor = ThreadPoolExecutor(1, "topics")

    def get(self, encoder: TextEncoder, scopes: Scopes, wait_s: float = WAIT_S) -> MadeTopics | None:
        """Return the topics of what the scopes may see; None if they are still being made after `wait_s` seconds.

        If the library has changed, these are the former topics, and new ones are being made.
        """
        key = (GenerationId.parse(encoder.generation), each_scope(scopes))
        with self._lock:
            made = self._made.get(key)
        if made is not None and self._is_fresh(made, key):
            return made
        running = self._start(key, encoder)
        if made is not None:
            return made
        try:
            return running.result(timeout=wait_s)
        except FutureTimeoutError:
            return None

    def close(self) -> None:
        """Finish what is being made, and make nothing any more."""
        self._executor.shutdown(cancel_futures=True)

    def _is_fresh(self, made: MadeTopics, key: _Key) -> bool:
        is_recent = self._clock() - made.at_s < MAX_AGE_S
        return is_recent and made.moments == self._moments.count_visible(*key)

    def _start(self, key: _Key, encoder: TextEncoder) -> Future[MadeTopics]:
        with self._lock:
            if key not in self._running:
                self._running[key] = self._executor.submit(self._make, key, encoder)
            return self._running[key]

    def _make(self, key: _Key, encoder: TextEncoder) -> MadeTopics:
        try:
            at_s, count = self._clock(), self._moments.count_visible(*key)
            vectors = self._words.compute(encoder)
            made = MadeTopics(make_topics(self._moments, *key, self._words.words, vectors), count, at_s)
            with self._lock:
                self._made[key] = made
                self._made.move_to_end(key)
                while len(self._made) > MAX_KEPT:
                    self._made.popitem(last=False)
            return made
        finally:
            with self._lock:
                self._running.pop(key, None)
