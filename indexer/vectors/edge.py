"""The vector store of the embedded form: Qdrant's engine in this process.

Each collection is one shard in its own folder, which one process owns. Searches compare every point: the engine does
not build an HNSW graph by itself, its `optimize()` holds Python's global lock while it builds one (half a minute for
20,000 moments), and without a graph a search of that many takes milliseconds. Larger libraries use a Qdrant server.
Codes of the vectors are built by `optimize()`, too, when a collection is opened (seconds for 20,000 moments).
"""

import json
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

from indexer.atomic_write import write_atomically
from indexer.errors import DiskFullError, IndexerError, store_error
from indexer.types import Vector
from indexer.vectors.quantization import Quantization, choose_oversampling
from indexer.vectors.vector_store import (
    Filter,
    Match,
    NewPoint,
    Payload,
    PointVectors,
    ScoredPoint,
    SparseWords,
    StoredPoint,
    VectorQuery,
)
from indexer.vectors.write_deadline import begin_write

SCROLL_PAGE = 1000
CONFIG_FILE = "edge_config.json"
"""Of the engine, in a collection's folder."""

FLUSH_EVERY_S = 1.0
"""Minimum time between two flushes to the disk, which take about 10 ms each.

A flush protects from a power cut. A killed process loses nothing, because each write reaches the kernel at once.
"""

# The engine requires at least one vector in a collection, and records have none.
NO_VECTORS = {"none": qe.EdgeSparseVectorParams()}

MIN_FREE_BYTES = 64 * 1024**2
"""The engine maps its files into memory: on a full disk, a write would kill the process (SIGBUS), and so would opening.

A write takes at most 32 MB, if a new segment of its log begins.
"""

# Quoted: only the stubs of the engine have this type.
CODES: "Mapping[Quantization, qe.QuantizationConfigType | None]" = {
    Quantization.OFF: None,
    Quantization.INT8: qe.ScalarQuantizationConfig(qe.ScalarType.Int8, memory=qe.Memory.Pinned),
    Quantization.BINARY: qe.BinaryQuantizationConfig(
        encoding=qe.BinaryQuantizationEncoding.TwoBits,
        query_encoding=qe.BinaryQuantizationQueryEncoding.Scalar8Bits,
        memory=qe.Memory.Pinned,
    ),
    Quantization.PRODUCT: qe.ProductQuantizationConfig(qe.CompressionRatio.X16, memory=qe.Memory.Pinned),
}

R = TypeVar("R")


def measure_free_bytes(folder: Path) -> int:
    """Return the free space of a folder's disk."""
    return shutil.disk_usage(folder).free


class EdgeVectorStore:
    """A vector store in a folder.

    Raises `StoreUnavailableError` if another process owns the folder, and `DiskFullError` if less than
    `MIN_FREE_BYTES` are free: searches go on then until the store is closed.
    """

    def __init__(
        self,
        folder: Path,
        quantization: Quantization = Quantization.OFF,
        measure_free_bytes: Callable[[Path], int] = measure_free_bytes,
    ) -> None:
        self._quantization = quantization
        self._measure_free_bytes = measure_free_bytes
        self._folder = folder / "collections"
        self._aliases = folder / "aliases.json"
        self._lock = threading.RLock()
        self._shards: dict[str, qe.EdgeShard] = {}
        self._flushed_s: dict[str, float] = {}
        with _translate_errors():
            self._folder.mkdir(parents=True, exist_ok=True)
        self._require_free_space()
        try:
            # Only folders: file managers leave files such as `.DS_Store`.
            for path in sorted(filter(Path.is_dir, self._folder.glob("[!.]*"))):
                self._load(path)
        except BaseException:
            self.close()
            raise
        for path in filter(Path.is_dir, self._folder.glob(".*")):
            shutil.rmtree(path)

    def _load(self, path: Path) -> None:
        with _translate_errors():
            sizes = _read_sizes(path)
            shard = qe.EdgeShard.load(str(path), _build_config(sizes, (), self._quantization) if sizes else None)
            self._shards[path.name] = shard
            # Free the space of deleted points, and build codes. There is no HNSW graph to build, which would be slow.
            shard.optimize()

    def ensure(
        self,
        collection: str,
        dense: Mapping[str, int],
        sparse: Sequence[str],
        indexed_keys: Sequence[str],
        tenant: str,
    ) -> None:
        with self._lock, _translate_errors():
            self._require_free_space()
            shard = self._shards.get(collection)
            if shard is not None:
                _create_indexes(shard, indexed_keys, tenant)
                return
            # Created under another name and renamed, so that a killed process leaves no incomplete collection.
            temporary = self._folder / f".{collection}"
            shard = qe.EdgeShard.create(str(temporary), _build_config(dense, sparse, self._quantization))
            _create_indexes(shard, indexed_keys, tenant)
            shard.flush()
            shard.close()
            temporary.rename(self._folder / collection)
            self._load(self._folder / collection)

    def collections(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(sorted(self._shards))

    def dense_sizes(self, collection: str) -> dict[str, int]:
        with self._lock, _translate_errors():
            self._shard(collection)
            return _read_sizes(self._folder / collection)

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
        with _translate_errors():
            write_atomically(self._aliases, json.dumps(aliases).encode(), fsync=True)

    def _require_free_space(self) -> None:
        """Raise `DiskFullError` if a write could fail."""
        free_bytes = self._measure_free_bytes(self._folder)
        if free_bytes < MIN_FREE_BYTES:
            raise DiskFullError(f"{self._folder}: {free_bytes >> 20} MB are free of {MIN_FREE_BYTES >> 20} needed")

    def _shard(self, name: str) -> qe.EdgeShard:
        shard = self._shards.get(name) or self._shards.get(self._read_aliases().get(name, ""))
        if shard is None:
            raise IndexerError(f"no collection {name}")
        return shard

    def _read(self, collection: str, call: Callable[[qe.EdgeShard], R]) -> R:
        with self._lock, _translate_errors():
            return call(self._shard(collection))

    def _write(self, collection: str, operation: qe.UpdateOperation) -> None:
        with self._lock, _translate_errors():
            begin_write()
            self._require_free_space()
            shard = self._shard(collection)
            shard.update(operation)
            if time.monotonic() - self._flushed_s.get(collection, 0.0) > FLUSH_EVERY_S:
                shard.flush()
                self._flushed_s[collection] = time.monotonic()

    def upsert(self, collection: str, points: Sequence[NewPoint]) -> None:
        self._write(collection, qe.UpdateOperation.upsert_points([_to_point(point) for point in points]))

    def set_vectors(self, collection: str, vectors: Mapping[str, PointVectors]) -> None:
        with self._lock:
            existing = {stored.id for stored in self.retrieve(collection, list(vectors), ())}
            points = [qe.PointVectors(id, _to_vectors(each)) for id, each in vectors.items() if id in existing]
            if points:
                self._write(collection, qe.UpdateOperation.update_vectors(points))

    def delete_vectors(self, collection: str, where: Filter, names: Sequence[str]) -> None:
        self._write(collection, qe.UpdateOperation.delete_vectors_by_filter(_to_filter(where), list(names)))

    def set_payload(self, collection: str, where: Filter, payload: Payload) -> None:
        self._write(collection, qe.UpdateOperation.set_payload_by_filter(_to_filter(where), dict(payload)))

    def set_payloads(self, collection: str, payloads: Mapping[str, Payload]) -> None:
        for id, payload in payloads.items():
            self.set_payload(collection, Filter(ids=(id,)), payload)

    def delete(self, collection: str, where: Filter) -> None:
        self._write(collection, qe.UpdateOperation.delete_points_by_filter(_to_filter(where)))

    def retrieve(
        self, collection: str, ids: Sequence[str], keys: Sequence[str] | None = None, with_vectors: bool = False
    ) -> list[StoredPoint]:
        records = self._read(collection, lambda shard: shard.retrieve(list(ids), _select_payload(keys), with_vectors))
        found = {record.id: record for record in map(_from_record, records)}
        return [found[id] for id in ids if id in found]

    def scroll(
        self, collection: str, where: Filter, keys: Sequence[str] | None = None, vectors: Sequence[str] = ()
    ) -> Iterator[StoredPoint]:
        offset: qe.PointId | None = None
        while True:
            request = qe.ScrollRequest(
                offset=offset,
                limit=SCROLL_PAGE,
                filter=_to_filter(where),
                with_payload=_select_payload(keys),
                with_vector=list(vectors) or False,
            )
            records, offset = self._read(collection, partial(qe.EdgeShard.scroll, scroll=request))
            yield from map(_from_record, records)
            if offset is None:
                return

    def count(self, collection: str, where: Filter) -> int:
        # Without conditions the estimate equals the count, and costs nothing.
        request = qe.CountRequest(exact=where != Filter(), filter=_to_filter(where))
        return self._read(collection, lambda shard: shard.count(request))

    def nearest(self, collection: str, queries: Sequence[VectorQuery]) -> list[list[ScoredPoint]]:
        # One by one: a batch is not faster here, and other threads can run in between.
        shard = self._read(collection, lambda shard: shard)
        found = []
        for query in queries:
            with self._lock, _translate_errors():
                found.append([_from_scored(point) for point in shard.query(self._to_query(query))])
        return found

    def _to_query(self, query: VectorQuery) -> qe.QueryRequest:
        vector = _to_sparse(query.vector) if isinstance(query.vector, SparseWords) else query.vector.tolist()
        # Codes that an earlier setting left stay on the disk.
        quantization = qe.QuantizationSearchParams(
            ignore=self._quantization == Quantization.OFF, rescore=True, oversampling=choose_oversampling(query.limit)
        )
        return qe.QueryRequest(
            limit=query.limit,
            query=qe.Query.Nearest(vector, using=query.using),
            filter=_to_filter(query.where),
            params=qe.SearchParams(quantization=quantization),
            with_payload=_select_payload(query.payload_keys),
        )

    def save(self, collection: str, path: Path) -> None:
        # No thread writes while the lock is held, so the folder holds what was flushed.
        with self._lock, _translate_errors():
            self._shard(collection).flush()
            # The engine preallocates its files; an archive does not store the empty parts.
            packed = shutil.make_archive(str(path), "zip", self._folder / collection)
        Path(packed).rename(path)

    def load(self, collection: str, path: Path) -> None:
        with self._lock:
            self.drop(collection)
            temporary = self._folder / f".{collection}"
            shutil.unpack_archive(path, temporary, "zip")
            temporary.rename(self._folder / collection)
            self._load(self._folder / collection)

    def close(self) -> None:
        with self._lock:
            while self._shards:
                _, shard = self._shards.popitem()
                with _translate_errors():
                    shard.flush()
                    shard.close()


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise `StoreUnavailableError` or `IndexerError` in place of the engine's errors."""
    try:
        yield
    except OSError as error:
        raise store_error(error) from error
    except Exception as error:
        # The engine raises a bare `Exception`, and only its message tells the kind of error.
        if type(error) is not Exception:
            raise
        if str(error).startswith("Service"):
            raise store_error(error) from error
        raise IndexerError(str(error)) from error


def _create_indexes(shard: qe.EdgeShard, keys: Sequence[str], tenant: str) -> None:
    existing = shard.info().payload_schema
    for key in keys:
        if key not in existing:
            shard.update(qe.UpdateOperation.create_field_index(key, qe.KeywordIndexParams(is_tenant=key == tenant)))


def _read_sizes(path: Path) -> dict[str, int]:
    config = json.loads((path / CONFIG_FILE).read_text())
    return {name: vector["size"] for name, vector in config.get("vectors", {}).items()}


def _build_config(dense: Mapping[str, int], sparse: Sequence[str], quantization: Quantization) -> qe.EdgeConfig:
    """Return the configuration of a collection.

    The files of its vectors are mapped into memory and read when they are needed. With `on_disk` off, the engine would
    read them when it opens the collection, 32 MB of each vector even of an empty one; searches take the same time.
    """
    return qe.EdgeConfig(
        vectors={name: qe.EdgeVectorParams(size, qe.Distance.Cosine, on_disk=True) for name, size in dense.items()},
        sparse_vectors={name: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf) for name in sparse}
        or (None if dense else NO_VECTORS),
        hnsw_config=qe.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10_000),
        # With a threshold of 0 kB, `optimize()` neither builds graphs nor codes.
        optimizers=qe.EdgeOptimizersConfig(indexing_threshold=0 if quantization == Quantization.OFF else 1),
        quantization_config=CODES[quantization],
    )


def _to_point(point: NewPoint) -> qe.Point:
    return qe.Point(point.id, _to_vectors(point), dict(point.payload))


def _to_vectors(point: NewPoint | PointVectors) -> dict[str, Any]:
    vectors: dict[str, Any] = {name: vector.tolist() for name, vector in point.dense.items()}
    return vectors | {name: _to_sparse(words) for name, words in point.sparse.items()}


def _to_sparse(words: SparseWords) -> qe.SparseVector:
    return qe.SparseVector(list(words.indices), list(words.values))


def _to_filter(where: Filter) -> qe.Filter:
    must: list[qe.ConditionType] = [*_to_conditions(where.match)]
    for key, values in where.each_of.items():
        must += [condition for value in values for condition in _to_conditions({key: value})]
    if where.ids is not None:
        must.append(qe.HasIdCondition(set(where.ids)))
    return qe.Filter(must=must, must_not=[*_to_conditions(where.without)])


def _to_conditions(match: Match) -> list[qe.FieldCondition]:
    return [
        qe.FieldCondition(key, match=qe.MatchAny([value] if isinstance(value, str) else list(value)))
        for key, value in match.items()
    ]


def _select_payload(keys: Sequence[str] | None) -> bool | list[str]:
    return True if keys is None else list(keys) or False


def _from_record(record: qe.Record) -> StoredPoint:
    vectors = record.vector if isinstance(record.vector, dict) else {}
    dense: dict[str, Vector] = {
        name: np.asarray(vector, np.float32) for name, vector in vectors.items() if isinstance(vector, list)
    }
    return StoredPoint(str(record.id), record.payload or {}, dense)


def _from_scored(point: qe.ScoredPoint) -> ScoredPoint:
    return ScoredPoint(str(point.id), point.score, point.payload or {})
