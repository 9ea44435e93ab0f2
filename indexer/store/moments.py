"""The moments of each generation, in a collection of their own, and the search for the nearest ones.

The installation's generation holds every video. A space may have a generation of its own beside it, which holds only
what that space may find; its aliases end with the space. A space without such an alias searches the installation's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

import numpy as np

from indexer.errors import GenerationMismatchError
from indexer.store.generations import slug, space_of
from indexer.store.records import Scopes, each_scope
from indexer.types import Vector
from indexer.vectors.vector_store import Filter, ScoredPoint, SparseWords, StoredPoint, VectorQuery, VectorStore

MOMENTS = "moments"
BEFORE = "before"
"""Aliases: of the generation that is searched, and of the one before."""

KEYS = ("spaces", "video_id", "open")
"""Of moments, that filters use."""

SAMPLE = 200

Using: TypeAlias = Literal["frame", "motion"]
"""A named dense vector."""


@dataclass(frozen=True)
class Near:
    """One list to search for: the `limit` moments nearest to `vector` in the named vector `using`."""

    using: Literal["frame", "motion", "words"]
    vector: Vector | SparseWords
    limit: int


class MomentStore:
    """What is stored of moments. Every method may be repeated without harm."""

    def __init__(self, points: VectorStore) -> None:
        self._points = points

    def generation(self, space: str = "") -> str | None:
        """The one that the installation searches now, or a space: its own, or else the installation's."""
        own = self._behind(MOMENTS, space) if space else None
        return own or self._behind(MOMENTS)

    def before(self, space: str = "") -> str | None:
        """The generation that was searched before this one. It is kept, so that searches may finish and go back.

        A space that never had a generation of its own has none.
        """
        before = self._behind(BEFORE, space)
        if before is None and space and self._behind(MOMENTS, space):
            return self._behind(MOMENTS)
        return before

    def open(self, generation: str, frame_size: int, motion_size: int | None) -> None:
        """Makes room for a generation. The first one ever is searched from now on; others wait for `switch`."""
        sizes = {"frame": frame_size} | ({"motion": motion_size} if motion_size else {})
        self._points.ensure(collection_of(generation), sizes, ("words",), KEYS, tenant="spaces")
        if self.generation() is None:
            self.switch(generation)

    def switch(self, generation: str, space: str = "") -> None:
        """Searches of the installation, or of a space, go to this generation from now on.

        Killed in between, what was searched is still there, and the same again ends it.
        """
        live = self.generation(space)
        if live == generation:
            if self.before(space) == live:
                self._point(BEFORE, None, space)
        elif live is None or space_of(live) != space:
            self._point(MOMENTS, generation, space)
            self._point(BEFORE, live, space)
        else:
            self._point(BEFORE, live, space)
            self._point(MOMENTS, generation, space)

    def _point(self, alias: str, generation: str | None, space: str) -> None:
        """No alias of a space stands for the installation's generation: that one may change."""
        if generation and space_of(generation) == space:
            self._points.point_alias(_alias(alias, space), collection_of(generation))
        elif space:
            self._points.drop_alias(_alias(alias, space))

    def own_generations(self) -> list[str]:
        """Those that single spaces search now."""
        found = map(_generation_in, self._collections())
        return [each for each in found if space_of(each) and self.generation(space_of(each)) == each]

    def drop_old(self) -> None:
        """Deletes the generations that are neither searched nor the one before, by nobody."""
        for collection in self._collections():
            generation, space = _generation_in(collection), space_of(collection)
            if generation not in (self.generation(space), self.before(space)):
                self._points.drop(collection)

    def drop_own(self, space: str) -> None:
        """Deletes the generations of one space, which searches the installation's from now on."""
        for alias in (MOMENTS, BEFORE):
            self._points.drop_alias(_alias(alias, space))
        for collection in self._collections():
            if space_of(collection) == space:
                self._points.drop(collection)

    def _behind(self, alias: str, space: str = "") -> str | None:
        collection = self._points.resolve(_alias(alias, space))
        return _generation_in(collection) if collection else None

    def _collections(self) -> list[str]:
        return [name for name in self._points.collections() if name.startswith(f"{MOMENTS}_")]

    def kept(self, video_id: str, but: str) -> list[StoredPoint]:
        """A video's moments without vectors, out of any generation but one; empty where nothing is left of it."""
        for collection in self._collections():
            if collection != collection_of(but) and (
                moments := list(self._points.scroll(collection, Filter({"video_id": video_id, "open": "yes"})))
            ):
                return moments
        return []

    # ---- what one space sees ----

    def size(self, generation: str) -> int:
        """How many moments the store holds, of all spaces."""
        return self._points.count(collection_of(generation), Filter())

    def moments(self, generation: str, scopes: Scopes, ids: Sequence[str], vectors: bool = False) -> list[StoredPoint]:
        """Moments by id, as far as the space may see them."""
        stored = self._points.retrieve(collection_of(generation), ids, dense=vectors)
        seen = set(each_scope(scopes))
        return [each for each in stored if seen & set(each.payload["spaces"])]

    def nearest(
        self,
        generation: str,
        scopes: Scopes,
        lists: Sequence[Near],
        video_id: str | None = None,
        without_videos: Sequence[str] = (),
    ) -> list[list[ScoredPoint]]:
        """The moments nearest to each vector that the space may see, best first, each with its `video_id`.

        Raises `GenerationMismatchError` where `generation` is neither the one that is searched now nor the one before.
        """
        match: dict[str, str | tuple[str, ...]] = {"spaces": scopes}
        match |= {"video_id": video_id} if video_id else {}
        where = Filter(match, without={"video_id": tuple(without_videos)} if without_videos else {})
        queries = [VectorQuery(each.vector, each.using, where, each.limit, ("video_id",)) for each in lists]
        space = space_of(generation)
        if generation != self.generation(space) and generation != self.before(space):
            raise GenerationMismatchError(f"asked for {generation}, but {self.generation(space)} is searched now")
        return self._points.nearest(collection_of(generation), queries)

    def sample(self, generation: str, scopes: Scopes, vectors: Mapping[Using, Vector]) -> dict[Using, Vector]:
        """Each vector's cosines to some moments that the space may see, in no order: (n,), n at most `SAMPLE`.

        The same moments every time, and as good as drawn by lot: ids are hashes.
        """
        collection = collection_of(generation)
        seen = self._points.scroll(collection, Filter({"spaces": scopes}), ())
        where = Filter(ids=tuple(stored.id for stored in islice(seen, SAMPLE)))
        queries = [VectorQuery(vector, using, where, SAMPLE) for using, vector in vectors.items()]
        answers = self._points.nearest(collection, queries) if where.ids else []
        return {
            using: np.array([scored.score for scored in answer], dtype=np.float32)
            for using, answer in zip(vectors, answers, strict=False)
            if answer
        }


def collection_of(generation: str) -> str:
    return f"{MOMENTS}_{generation}"


def _generation_in(collection: str) -> str:
    return collection.removeprefix(f"{MOMENTS}_")


def _alias(alias: str, space: str) -> str:
    return f"{alias}@{slug(space)}" if space else alias
