"""Moving the moments of earlier schemas into collections that have the vectors `meaning` and `sound`.

A server up to Qdrant 1.16 cannot add the name of a vector to a collection, so the moments are copied into a new one, as
they are when another generation re-embeds them: one video after the other, unpublished until all of its moments are
stored. Searches use the old collection until the aliases are switched. An interrupted move goes on with the first
missing video, and several workers may move the same collection.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from indexer.errors import IndexerError
from indexer.generation_id import GenerationId, is_old_moment_collection
from indexer.store.enrichment import EVIDENCE_VECTORS
from indexer.store.generations import INDEXED_KEYS
from indexer.store.migrations.payloads import migrate_moment_payload
from indexer.store.reembedding import ReembeddingStore
from indexer.types import Vector
from indexer.vectors.vector_store import Filter, StoredPoint, VectorStore

PUBLISHED: Final = {"open": "yes"}


def move_moments(vectors: VectorStore, reembedding: ReembeddingStore, meaning_size: int) -> None:
    """Move the moments of all old collections, and delete these. `meaning_size` is the size of the new vectors."""
    for old in filter(is_old_moment_collection, vectors.collections()):
        try:
            _move_collection(vectors, reembedding, old, meaning_size)
        except IndexerError:
            if old in vectors.collections():
                raise
            # Another worker has finished first.


def _move_collection(vectors: VectorStore, reembedding: ReembeddingStore, old: str, meaning_size: int) -> None:
    generation = GenerationId.of_old_collection(old)
    sizes = vectors.dense_sizes(old) | dict.fromkeys(EVIDENCE_VECTORS, meaning_size)
    vectors.ensure(generation.collection_name, sizes, ("words",), INDEXED_KEYS, tenant="spaces")
    for video_id in _list_missing(vectors, old, generation.collection_name):
        reembedding.put_reembedded(video_id, generation, list(_read_moments(vectors, old, video_id)))
    for alias, collection in vectors.aliases().items():
        if collection == old:
            vectors.point_alias(alias, generation.collection_name)
    vectors.drop(old)


def _list_missing(vectors: VectorStore, old: str, new: str) -> list[str]:
    return sorted(_list_videos(vectors, old) - _list_videos(vectors, new))


def _list_videos(vectors: VectorStore, collection: str) -> set[str]:
    published = vectors.scroll(collection, Filter(PUBLISHED), ("video_id",))
    return {stored.payload["video_id"] for stored in published}


def _read_moments(
    vectors: VectorStore, collection: str, video_id: str
) -> Iterator[tuple[StoredPoint, Mapping[str, Vector]]]:
    """Yield the moments of a video with this version's payload, and their vectors."""
    ids = [stored.id for stored in vectors.scroll(collection, Filter({"video_id": video_id, **PUBLISHED}), ())]
    for stored in vectors.retrieve(collection, ids, with_vectors=True):
        yield replace(stored, payload=migrate_moment_payload(stored.payload)), stored.dense
