"""Topics of a library: clusters of its moments' frame vectors, with names and with examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from indexer.generation_id import GenerationId
from indexer.store.enrichment import read_evidence
from indexer.store.moments import MomentStore
from indexer.store.records import Scopes
from indexer.topics.clustering import Clusters, cluster_vectors
from indexer.topics.naming import name_topics
from indexer.types import Vector
from indexer.vectors.vector_store import StoredPoint

MAX_EXAMPLES: Final = 4
"""Examples of a topic, in case that some of them are removed."""
MAX_READ: Final = 60
"""Moments of a topic whose titles and speech are read for its name."""
MIN_MOMENTS: Final = 2
"""Moments without which a library has no topics."""


@dataclass(frozen=True)
class LibraryTopic:
    """One topic of a library."""

    names: tuple[str, ...]
    """Words of the vocabulary, in English; none if no word fits."""
    moment_ids: tuple[str, ...]
    """Up to `MAX_EXAMPLES` moments of different videos, nearest to the centroid first."""
    moments: int
    videos: int


@dataclass(frozen=True)
class LibraryFrames:
    """The moments with pictures that someone may see."""

    ids: Sequence[str]
    video_ids: Sequence[str]
    vectors: Vector


def make_topics(
    moments: MomentStore, generation: GenerationId, scopes: Scopes, words: Sequence[str], word_vectors: Vector | None
) -> tuple[LibraryTopic, ...]:
    """Return the topics of the moments that the scopes may see, the largest first.

    Without `word_vectors` (the vectors of `words`), the topics have no names.
    """
    library = read_library(moments, generation, scopes)
    if len(library.ids) < MIN_MOMENTS:
        return ()
    clusters = cluster_vectors(library.vectors)
    orders = [_order_members(library, clusters, number) for number in range(len(clusters.centroids))]
    names: Sequence[tuple[str, ...]] = [()] * len(orders)
    if word_vectors is not None:
        texts = [_read_texts(moments, generation, scopes, library, order) for order in orders]
        names = name_topics(clusters.centroids, word_vectors, words, texts)
    topics = [_make_topic(library, order, names[number]) for number, order in enumerate(orders)]
    return tuple(sorted(topics, key=lambda topic: -topic.moments))


def read_library(moments: MomentStore, generation: GenerationId, scopes: Scopes) -> LibraryFrames:
    """Read the frame vectors of all moments that the scopes may see."""
    ids, video_ids, vectors = [], [], []
    for stored in moments.read_frames(generation, scopes):
        if "frame" in stored.dense:
            ids.append(stored.id)
            video_ids.append(stored.payload["video_id"])
            vectors.append(stored.dense["frame"])
    return LibraryFrames(ids, video_ids, np.array(vectors, np.float32))


def _order_members(library: LibraryFrames, clusters: Clusters, number: int) -> list[int]:
    """Return the members of a cluster as indices of the library, nearest to its centroid first."""
    members = np.flatnonzero(clusters.labels == number)
    nearness = library.vectors[members] @ clusters.centroids[number]
    return [int(member) for member in members[np.argsort(-nearness, kind="stable")]]


def _make_topic(library: LibraryFrames, order: Sequence[int], names: tuple[str, ...]) -> LibraryTopic:
    first_of_video: dict[str, str] = {}
    for member in order:
        first_of_video.setdefault(library.video_ids[member], library.ids[member])
    return LibraryTopic(names, tuple(first_of_video.values())[:MAX_EXAMPLES], len(order), len(first_of_video))


def _read_texts(
    moments: MomentStore, generation: GenerationId, scopes: Scopes, library: LibraryFrames, order: Sequence[int]
) -> list[str]:
    """Return title and speech of a topic's nearest moments."""
    return [_join_text(each) for each in moments.get(generation, scopes, [library.ids[i] for i in order[:MAX_READ]])]


def _join_text(moment: StoredPoint) -> str:
    said = read_evidence(moment.payload).said or ()
    subtitles = moment.payload["text_by_source"].get("speech", "")
    return " ".join([moment.payload["title"], subtitles, *(line.text for line in said)])
