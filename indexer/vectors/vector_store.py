"""What the library needs of a vector store: the least that Qdrant in process and a Qdrant server can both do.

A collection is a set of points; a point is an id (a UUID), named vectors and a JSON payload. Everywhere a collection is
named, an alias may stand for it. All calls are safe from many threads; writes are done when they return. A store that
cannot be reached, or that fails, raises `StoreUnavailable`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from indexer.types import Vector

Payload: TypeAlias = Mapping[str, Any]
Match: TypeAlias = Mapping[str, str | tuple[str, ...]]
"""Payload key to the value it must have, or to those of which it must have one. A list matches by any of its items."""


@dataclass(frozen=True)
class SparseWords:
    """A sparse vector: distinct 32-bit indices with a value each."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class NewPoint:
    """A point to store. Vectors it has none of are left out."""

    id: str
    payload: Payload
    dense: Mapping[str, Vector] = field(default_factory=dict)
    sparse: Mapping[str, SparseWords] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredPoint:
    """A point as it was read back; `dense` only where it was asked for."""

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
    """Which points: all conditions hold, those of `without` do not, and the id is one of `ids`, if given."""

    match: Match = field(default_factory=dict)
    without: Match = field(default_factory=dict)
    ids: tuple[str, ...] | None = None


@dataclass(frozen=True)
class VectorQuery:
    """One query: the `limit` points nearest to `vector` in the named vector `using`, with these payload keys."""

    vector: Vector | SparseWords
    using: str
    where: Filter
    limit: int
    keys: tuple[str, ...] = ()


class VectorStore(Protocol):
    """A store of points. `indexer.vectors.edge` is Qdrant in process, `indexer.vectors.qdrant_server` a Qdrant server."""

    def ensure(
        self, collection: str, dense: Mapping[str, int], sparse: Sequence[str], keywords: Sequence[str], tenant: str
    ) -> None:
        """Makes a collection if there is none: dense vectors with their sizes (compared by cosine), sparse vectors
        (weighed by IDF), payload keys that filters use, and the one of them that keeps tenants apart.
        """
        ...

    def collections(self) -> tuple[str, ...]:
        """Names of all collections, sorted."""
        ...

    def drop(self, collection: str) -> None:
        """Deletes a collection; nothing happens if there is none."""
        ...

    def point_alias(self, alias: str, collection: str) -> None:
        """Makes `alias` stand for `collection` from now on, in one step."""
        ...

    def drop_alias(self, alias: str) -> None:
        """Makes `alias` stand for nothing; nothing happens if it does already."""
        ...

    def aliases(self) -> dict[str, str]:
        """What each alias stands for."""
        ...

    def resolve(self, alias: str) -> str | None:
        """The collection that `alias` stands for."""
        ...

    def upsert(self, collection: str, points: Sequence[NewPoint]) -> None:
        """Stores points whole; a point with the same id is replaced."""
        ...

    def set_payload(self, collection: str, where: Filter, payload: Payload) -> None:
        """Sets these payload keys, and no others, of all points that match. None takes a key away.

        One request, which the store completes whatever becomes of the caller; while it does, a server's other readers
        may see a part of it done.
        """
        ...

    def delete(self, collection: str, where: Filter) -> None: ...

    def retrieve(
        self, collection: str, ids: Sequence[str], keys: Sequence[str] | None = None, dense: bool = False
    ) -> list[StoredPoint]:
        """Points by id, in the order asked; missing ones are left out. `keys`: None reads the whole payload."""
        ...

    def scroll(self, collection: str, where: Filter, keys: Sequence[str] | None = None) -> Iterator[StoredPoint]:
        """All points that match, in order of id."""
        ...

    def count(self, collection: str, where: Filter) -> int: ...

    def nearest(self, collection: str, queries: Sequence[VectorQuery]) -> list[list[ScoredPoint]]:
        """Answers to a batch of queries, best first each. All are answered by the same collection."""
        ...

    def save(self, collection: str, path: Path) -> None:
        """Writes a collection to a file, in the store's own form."""
        ...

    def load(self, collection: str, path: Path) -> None:
        """Takes over what `save` of the same kind of store wrote, in place of what the collection holds."""
        ...

    def close(self) -> None: ...
