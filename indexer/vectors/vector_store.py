"""The port to a vector store: the operations that Qdrant in this process and a Qdrant server both have.

A collection is a set of points; a point is an id (a UUID), named vectors and a JSON payload. Every argument that names
a collection also takes an alias. All methods are safe to call from many threads, and a write is done when its call
returns. A store that cannot be reached, or that fails, raises `StoreUnavailableError`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from indexer.types import Vector

Payload: TypeAlias = Mapping[str, Any]
Match: TypeAlias = Mapping[str, str | tuple[str, ...]]
"""Payload key to the value it must have, or to several values of which it must have one.

A list in the payload matches if any of its items does.
"""


@dataclass(frozen=True)
class SparseWords:
    """A sparse vector: distinct 32-bit indices with a value each."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class NewPoint:
    """A point to store. It needs not have all vectors of the collection."""

    id: str
    payload: Payload
    dense: Mapping[str, Vector] = field(default_factory=dict)
    sparse: Mapping[str, SparseWords] = field(default_factory=dict)


@dataclass(frozen=True)
class PointVectors:
    """Some of a point's vectors, by name."""

    dense: Mapping[str, Vector] = field(default_factory=dict)
    sparse: Mapping[str, SparseWords] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredPoint:
    """A point as it was read back; `dense` is empty unless the vectors were requested."""

    id: str
    payload: Payload
    dense: Mapping[str, Vector] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoredPoint:
    """A point near a query: cosine for dense vectors, BM25 for sparse ones. Higher is nearer."""

    id: str
    score: float
    payload: Payload


@dataclass(frozen=True)
class Filter:
    """Selects points: all conditions of `match` hold, none of `without` does, and the id is one of `ids`, if given.

    `each_of` maps a payload key to values of which a point must have all, which takes a list in the payload.
    """

    match: Match = field(default_factory=dict)
    without: Match = field(default_factory=dict)
    ids: tuple[str, ...] | None = None
    each_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class VectorQuery:
    """Asks for the `limit` points nearest to `vector` by the vector named `using`, with these payload keys."""

    using: str
    vector: Vector | SparseWords
    limit: int
    where: Filter = field(default_factory=Filter)
    payload_keys: tuple[str, ...] = ()


class VectorStore(Protocol):
    """Stores points. Implementations: `indexer.vectors.edge` and `indexer.vectors.qdrant_server`."""

    def ensure(
        self,
        collection: str,
        dense: Mapping[str, int],
        sparse: Sequence[str],
        indexed_keys: Sequence[str],
        tenant: str,
    ) -> None:
        """Create a collection unless it exists, and the indexes of payload keys and the codes that it lacks.

        `dense` maps the names of dense vectors, compared by cosine, to their sizes; `sparse` names the sparse vectors,
        weighted by IDF. Filters use the `indexed_keys`, of which `tenant` is the one that separates tenants.
        """
        ...

    def collections(self) -> tuple[str, ...]:
        """Return the sorted names of all collections."""
        ...

    def dense_sizes(self, collection: str) -> dict[str, int]:
        """Return the sizes of a collection's dense vectors by name."""
        ...

    def drop(self, collection: str) -> None:
        """Delete a collection, if it exists."""
        ...

    def point_alias(self, alias: str, collection: str) -> None:
        """Let an alias point to a collection from now on, in one step."""
        ...

    def drop_alias(self, alias: str) -> None:
        """Delete an alias, if it exists."""
        ...

    def aliases(self) -> dict[str, str]:
        """Return the collection of each alias."""
        ...

    def resolve(self, alias: str) -> str | None:
        """Return the collection of an alias, or None if the alias does not exist."""
        ...

    def upsert(self, collection: str, points: Sequence[NewPoint]) -> None:
        """Store whole points; a point with the same id is replaced."""
        ...

    def set_vectors(self, collection: str, vectors: Mapping[str, PointVectors]) -> None:
        """Set only these vectors of existing points, by the points' ids. Ids without a point are skipped."""
        ...

    def delete_vectors(self, collection: str, where: Filter, names: Sequence[str]) -> None:
        """Delete the vectors of these names of all points that match."""
        ...

    def set_payload(self, collection: str, where: Filter, payload: Payload) -> None:
        """Set only these payload keys of all points that match. None removes a key.

        This is one request, which the store completes even if the caller is killed. Until then other readers of a
        server may see only a part of the points changed.
        """
        ...

    def set_payloads(self, collection: str, payloads: Mapping[str, Payload]) -> None:
        """Set only these payload keys of points, by id. None removes a key. Points that do not exist are skipped."""
        ...

    def delete(self, collection: str, where: Filter) -> None:
        """Delete all points that match."""
        ...

    def retrieve(
        self, collection: str, ids: Sequence[str], keys: Sequence[str] | None = None, with_vectors: bool = False
    ) -> list[StoredPoint]:
        """Return points in the order of the ids, without missing ones, with the payload `keys` (None: all)."""
        ...

    def scroll(
        self, collection: str, where: Filter, keys: Sequence[str] | None = None, vectors: Sequence[str] = ()
    ) -> Iterator[StoredPoint]:
        """Yield all points that match, in order of id, with the payload `keys` (None: all) and these dense vectors."""
        ...

    def count(self, collection: str, where: Filter) -> int:
        """Count the points that match."""
        ...

    def nearest(self, collection: str, queries: Sequence[VectorQuery]) -> list[list[ScoredPoint]]:
        """Answer a batch of queries from the same collection, best points first each."""
        ...

    def save(self, collection: str, path: Path) -> None:
        """Write a collection to a file, in the store's own format."""
        ...

    def load(self, collection: str, path: Path) -> None:
        """Replace a collection by the one in a file that `save` of the same kind of store wrote."""
        ...

    def close(self) -> None:
        """Write what is pending and release the store."""
        ...
