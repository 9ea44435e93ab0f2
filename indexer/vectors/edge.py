"""Qdrant's own engine in this process: the vector store of the embedded form.

Each collection is one shard in its own folder, which one process owns. Searches are exact: the engine makes no HNSW
graph by itself, its `optimize()` holds Python's global lock for as long as it builds one (half a minute at 20,000
moments), and without a graph a search of that many takes milliseconds. Who has more takes a Qdrant server.
"""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import qdrant_edge as qe

from indexer.errors import IndexerError, StoreUnavailableError
from indexer.types import Vector
from indexer.vectors.vector_store import (
    Filter,
    Match,
    NewPoint,
    Payload,
    ScoredPoint,
    SparseWords,
    StoredPoint,
    VectorQuery,
)

SCROLL_PAGE = 1000

# A write reaches the kernel at once, so a killed process loses nothing; against a power cut it is flushed to the disk
# (about 10 ms), in a burst of writes no more often than this.
FLUSH_EVERY_S = 1.0

# The engine wants at least one vector in a collection; records have none.
NO_VECTORS = {"none": qe.EdgeSparseVectorParams()}

R = TypeVar("R")


class EdgeVectorStore:
    """`Points` in a folder of this machine. Raises `StoreUnavailableError` when another process owns the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "collections"
        self._aliases = folder / "aliases.json"
        self._lock = threading.RLock()
        self._shards: dict[str, qe.EdgeShard] = {}
        self._flushed_s: dict[str, float] = {}
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            # Only folders are ours: file managers leave files such as `.DS_Store`.
            for path in sorted(filter(Path.is_dir, self._folder.glob("[!.]*"))):
                self._load(path)
        except BaseException:
            self.close()
            raise
        for path in filter(Path.is_dir, self._folder.glob(".*")):
            shutil.rmtree(path)

    def _load(self, path: Path) -> None:
        with _translated():
            shard = qe.EdgeShard.load(str(path))
            self._shards[path.name] = shard
            # Deleted points keep their place until here. Without an HNSW graph to build this takes a moment.
            shard.optimize()

    def ensure(
        self, collection: str, dense: Mapping[str, int], sparse: Sequence[str], keywords: Sequence[str], tenant: str
    ) -> None:
        with self._lock:
            if collection in self._shards:
                return
            # Made aside and renamed, so that a killed process leaves no half-made collection.
            made = self._folder / f".{collection}"
            with _translated():
                shard = qe.EdgeShard.create(str(made), _config(dense, sparse))
                for key in keywords:
                    params = qe.KeywordIndexParams(is_tenant=key == tenant)
                    shard.update(qe.UpdateOperation.create_field_index(key, params))
                shard.flush()
                shard.close()
            made.rename(self._folder / collection)
            self._load(self._folder / collection)

    def collections(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(sorted(self._shards))

    def drop(self, collection: str) -> None:
        with self._lock:
            shard = self._shards.pop(collection, None)
            if shard is not None:
                shard.close()
                dropped = (self._folder / collection).rename(self._folder / f".{collection}")
                shutil.rmtree(dropped)

    def point_alias(self, alias: str, collection: str) -> None:
        with self._lock:
            self._shard(collection)
            self._write_aliases({**self._read_aliases(), alias: collection})

    def drop_alias(self, alias: str) -> None:
        with self._lock:
            aliases = self._read_aliases()
            if aliases.pop(alias, None) is not None:
                self._write_aliases(aliases)

    def aliases(self) -> dict[str, str]:
        with self._lock:
            return self._read_aliases()

    def resolve(self, alias: str) -> str | None:
        return self.aliases().get(alias)

    def _read_aliases(self) -> dict[str, str]:
        if not self._aliases.exists():
            return {}
        aliases: dict[str, str] = json.loads(self._aliases.read_text())
        return aliases

    def _write_aliases(self, aliases: Mapping[str, str]) -> None:
        new = self._aliases.with_suffix(".new")
        with new.open("w") as file:
            json.dump(aliases, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._aliases)

    def _shard(self, name: str) -> qe.EdgeShard:
        shard = self._shards.get(name) or self._shards.get(self._read_aliases().get(name, ""))
        if shard is None:
            raise IndexerError(f"no collection {name}")
        return shard

    def _read(self, collection: str, call: Callable[[qe.EdgeShard], R]) -> R:
        with self._lock, _translated():
            return call(self._shard(collection))

    def _write(self, collection: str, operation: qe.UpdateOperation) -> None:
        with self._lock, _translated():
            shard = self._shard(collection)
            shard.update(operation)
            if time.monotonic() - self._flushed_s.get(collection, 0.0) > FLUSH_EVERY_S:
                shard.flush()
                self._flushed_s[collection] = time.monotonic()

    def upsert(self, collection: str, points: Sequence[NewPoint]) -> None:
        self._write(collection, qe.UpdateOperation.upsert_points([_point(point) for point in points]))

    def set_payload(self, collection: str, where: Filter, payload: Payload) -> None:
        self._write(collection, qe.UpdateOperation.set_payload_by_filter(_filter(where), dict(payload)))

    def delete(self, collection: str, where: Filter) -> None:
        self._write(collection, qe.UpdateOperation.delete_points_by_filter(_filter(where)))

    def retrieve(
        self, collection: str, ids: Sequence[str], keys: Sequence[str] | None = None, dense: bool = False
    ) -> list[StoredPoint]:
        records = self._read(collection, lambda shard: shard.retrieve(list(ids), _with_payload(keys), dense))
        found = {record.id: record for record in map(_stored, records)}
        return [found[id] for id in ids if id in found]

    def scroll(self, collection: str, where: Filter, keys: Sequence[str] | None = None) -> Iterator[StoredPoint]:
        offset: qe.PointId | None = None
        while True:
            request = qe.ScrollRequest(
                offset=offset, limit=SCROLL_PAGE, filter=_filter(where), with_payload=_with_payload(keys)
            )
            records, offset = self._read(collection, partial(qe.EdgeShard.scroll, scroll=request))
            yield from map(_stored, records)
            if offset is None:
                return

    def count(self, collection: str, where: Filter) -> int:
        # Without conditions the estimate is the count, and costs nothing.
        request = qe.CountRequest(exact=where != Filter(), filter=_filter(where))
        return self._read(collection, lambda shard: shard.count(request))

    def nearest(self, collection: str, queries: Sequence[VectorQuery]) -> list[list[ScoredPoint]]:
        # One by one: a batch is no faster here, and other threads run in between.
        shard = self._read(collection, lambda shard: shard)
        found = []
        for query in queries:
            with self._lock, _translated():
                found.append([_scored(point) for point in shard.query(_query(query))])
        return found

    def save(self, collection: str, path: Path) -> None:
        # While the lock is held nobody writes: what is flushed is what the folder holds.
        with self._lock, _translated():
            self._shard(collection).flush()
            # The engine makes its files large beforehand; packed, what is empty takes no room.
            packed = shutil.make_archive(str(path), "zip", self._folder / collection)
        Path(packed).rename(path)

    def load(self, collection: str, path: Path) -> None:
        with self._lock:
            self.drop(collection)
            made = self._folder / f".{collection}"
            shutil.unpack_archive(path, made, "zip")
            made.rename(self._folder / collection)
            self._load(self._folder / collection)

    def close(self) -> None:
        with self._lock:
            while self._shards:
                _, shard = self._shards.popitem()
                with _translated():
                    shard.flush()
                    shard.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # The engine raises bare `Exception`; what is wrong with it is in the message.
        if type(error) is not Exception:
            raise
        if str(error).startswith("Service"):
            raise StoreUnavailableError(str(error)) from error
        raise IndexerError(str(error)) from error


def _config(dense: Mapping[str, int], sparse: Sequence[str]) -> qe.EdgeConfig:
    return qe.EdgeConfig(
        vectors={name: qe.EdgeVectorParams(size, qe.Distance.Cosine) for name, size in dense.items()},
        sparse_vectors={name: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf) for name in sparse}
        or (None if dense else NO_VECTORS),
        hnsw_config=qe.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10_000),
        optimizers=qe.EdgeOptimizersConfig(indexing_threshold=0),
    )


def _point(point: NewPoint) -> qe.Point:
    vectors: dict[str, Any] = {name: vector.tolist() for name, vector in point.dense.items()}
    vectors |= {name: _sparse(words) for name, words in point.sparse.items()}
    return qe.Point(point.id, vectors, dict(point.payload))


def _sparse(words: SparseWords) -> qe.SparseVector:
    return qe.SparseVector(list(words.indices), list(words.values))


def _query(query: VectorQuery) -> qe.QueryRequest:
    vector = _sparse(query.vector) if isinstance(query.vector, SparseWords) else query.vector.tolist()
    return qe.QueryRequest(
        limit=query.limit,
        query=qe.Query.Nearest(vector, using=query.using),
        filter=_filter(query.where),
        with_payload=_with_payload(query.keys),
    )


def _filter(where: Filter) -> qe.Filter:
    must: list[qe.ConditionType] = [*_conditions(where.match)]
    if where.ids is not None:
        must.append(qe.HasIdCondition(set(where.ids)))
    return qe.Filter(must=must, must_not=[*_conditions(where.without)])


def _conditions(match: Match) -> list[qe.FieldCondition]:
    return [
        qe.FieldCondition(key, match=qe.MatchAny([value] if isinstance(value, str) else list(value)))
        for key, value in match.items()
    ]


def _with_payload(keys: Sequence[str] | None) -> bool | list[str]:
    return True if keys is None else list(keys) or False


def _stored(record: qe.Record) -> StoredPoint:
    vectors = record.vector if isinstance(record.vector, dict) else {}
    dense: dict[str, Vector] = {
        name: np.asarray(vector, np.float32) for name, vector in vectors.items() if isinstance(vector, list)
    }
    return StoredPoint(str(record.id), record.payload or {}, dense)


def _scored(point: qe.ScoredPoint) -> ScoredPoint:
    return ScoredPoint(str(point.id), point.score, point.payload or {})
