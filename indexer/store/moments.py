"""Reading moments: by id, by video, and the nearest ones to a vector."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, Literal, TypeAlias

import numpy as np

from indexer.errors import GenerationMismatchError
from indexer.generation_id import GenerationId
from indexer.store.generations import GenerationStore
from indexer.store.records import Scopes, each_scope
from indexer.types import Vector
from indexer.vectors.vector_store import Filter, ScoredPoint, StoredPoint, VectorQuery, VectorStore

SAMPLE_SIZE: Final = 200
"""Maximum number of moments in `MomentStore.sample_cosines`."""

DenseName: TypeAlias = Literal["frame", "motion", "meaning", "sound"]
"""Name of a dense vector of a moment."""


class MomentStore:
    """Reads the moments that a space may see."""

    def __init__(self, vectors: VectorStore, generations: GenerationStore) -> None:
        self._vectors = vectors
        self._generations = generations

    def is_empty(self) -> bool:
        """Return whether no generation has been created yet."""
        return self._generations.get_live() is None

    def count(self, generation: GenerationId) -> int:
        """Return the number of a generation's moments, of all spaces."""
        return self._vectors.count(generation.collection_name, Filter())

    def get(
        self,
        generation: GenerationId,
        scopes: Scopes,
        ids: Sequence[str],
        with_vectors: bool = False,
        keys: Sequence[str] = (),
    ) -> list[StoredPoint]:
        """Return those moments of these ids that the scopes may see, in the same order.

        With `keys`, their payload has only these.
        """
        wanted = (*keys, "spaces") if keys else None
        stored = self._vectors.retrieve(generation.collection_name, ids, wanted, with_vectors)
        visible = set(each_scope(scopes))
        return [each for each in stored if visible & set(each.payload["spaces"])]

    def count_visible(self, generation: GenerationId, scopes: Scopes) -> int:
        """Return the number of a generation's moments that the scopes may see."""
        return self._vectors.count(generation.collection_name, Filter({"spaces": scopes}))

    def read_frames(self, generation: GenerationId, scopes: Scopes) -> Iterator[StoredPoint]:
        """Yield the moments that the scopes may see, with their `video_id` and their frame vector, if they have one."""
        where = Filter({"spaces": scopes})
        return self._vectors.scroll(generation.collection_name, where, ("video_id",), ("frame",))

    def of_video(self, video_id: str, other_than: GenerationId | None = None) -> list[StoredPoint]:
        """Return a video's published moments of any generation, or of any but one, without vectors."""
        where = Filter({"video_id": video_id, "open": "yes"})
        for generation in self._generations.list_stored():
            if generation != other_than and (moments := list(self._vectors.scroll(generation.collection_name, where))):
                return moments
        return []

    def read_vectors(self, generation: GenerationId, ids: Sequence[str], name: DenseName) -> dict[str, Vector]:
        """Return one vector of those moments of these ids that a generation has, by their ids."""
        stored = self._vectors.retrieve(generation.collection_name, ids, (), with_vectors=True)
        return {each.id: each.dense[name] for each in stored if name in each.dense}

    def nearest(
        self,
        generation: GenerationId,
        scopes: Scopes,
        queries: Sequence[VectorQuery],
        video_id: str | None = None,
        without_videos: Sequence[str] = (),
        sense: str | None = None,
        tags: tuple[str, ...] = (),
    ) -> list[list[ScoredPoint]]:
        """Return for each query the nearest moments that the scopes may see, best first, with their `video_id`.

        With a `video_id`, only moments of this video; with a `sense`, only moments in which it found something; with
        `tags`, only moments that have all of them. Raises `GenerationMismatchError` if `generation` is neither the live
        nor the previous one.
        """
        match: dict[str, str | tuple[str, ...]] = {"spaces": scopes}
        match |= ({"video_id": video_id} if video_id else {}) | ({"senses": sense} if sense else {})
        where = Filter(
            match,
            without={"video_id": tuple(without_videos)} if without_videos else {},
            each_of={"tags": tags} if tags else {},
        )
        live = self._generations.get_live(generation.space)
        if generation != live and generation != self._generations.get_previous(generation.space):
            raise GenerationMismatchError(f"the query was embedded by {generation}, but {live} is searched now")
        filtered = [replace(query, where=where, payload_keys=("video_id",)) for query in queries]
        return self._vectors.nearest(generation.collection_name, filtered)

    def sample_cosines(
        self, generation: GenerationId, scopes: Scopes, vectors: Mapping[DenseName, Vector]
    ) -> dict[DenseName, Vector]:
        """Return each vector's cosines to some moments that the scopes may see: (n,) with n at most `SAMPLE_SIZE`.

        The sample is the same every time and as good as random, because ids are hashes. It has no order.
        """
        collection = generation.collection_name
        visible = self._vectors.scroll(collection, Filter({"spaces": scopes}), ())
        where = Filter(ids=tuple(stored.id for stored in islice(visible, SAMPLE_SIZE)))
        queries = [VectorQuery(name, vector, SAMPLE_SIZE, where) for name, vector in vectors.items()]
        answers = self._vectors.nearest(collection, queries) if where.ids else []
        return {
            name: np.array([scored.score for scored in answer], dtype=np.float32)
            for name, answer in zip(vectors, answers, strict=False)
            if answer
        }
