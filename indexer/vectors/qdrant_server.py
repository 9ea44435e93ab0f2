"""The vector store of the distributed form: a Qdrant server (1.16 or newer)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import httpx
import numpy as np
import stamina
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from indexer.errors import IndexerError, StoreUnavailableError, store_error
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

TIMEOUT_S = 30
SNAPSHOT_TIMEOUT_S = 3600
SCROLL_PAGE = 1000
NOT_FOUND, REQUEST_TIMEOUT, CONFLICT, TOO_MANY_REQUESTS, SERVER_ERROR = 404, 408, 409, 429, 500

P = ParamSpec("P")
R = TypeVar("R")

CODES: Mapping[Quantization, models.QuantizationConfig | None] = {
    Quantization.OFF: None,
    Quantization.INT8: models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
    ),
    Quantization.BINARY: models.BinaryQuantization(
        binary=models.BinaryQuantizationConfig(
            always_ram=True,
            encoding=models.BinaryQuantizationEncoding.TWO_BITS,
            query_encoding=models.BinaryQuantizationQueryEncoding.SCALAR8BITS,
        )
    ),
    Quantization.PRODUCT: models.ProductQuantization(
        product=models.ProductQuantizationConfig(compression=models.CompressionRatio.X16, always_ram=True)
    ),
}


def is_reachable(url: str, api_key: str | None, within_s: float) -> bool:
    """Return whether a server answers and accepts the key."""
    headers = {"api-key": api_key} if api_key else {}
    try:
        return httpx.get(f"{url}/collections", headers=headers, timeout=within_s).is_success
    except httpx.HTTPError:
        return False


class QdrantVectorStore:
    """A vector store on a Qdrant server."""

    def __init__(self, url: str, api_key: str | None = None, quantization: Quantization = Quantization.OFF) -> None:
        self._quantization = quantization
        # The client's own version check would call the server here and warn of every other minor version.
        self._client = QdrantClient(url=url, api_key=api_key, timeout=TIMEOUT_S, check_compatibility=False)
        # Snapshots are large files: they are streamed, with a timeout of their own.
        headers = {"api-key": api_key} if api_key else {}
        self._files = httpx.Client(base_url=url, headers=headers, timeout=SNAPSHOT_TIMEOUT_S)

    def ensure(
        self,
        collection: str,
        dense: Mapping[str, int],
        sparse: Sequence[str],
        indexed_keys: Sequence[str],
        tenant: str,
    ) -> None:
        if not _call(self._client.collection_exists, collection):
            self._create(collection, dense, sparse)
        elif dense:
            self._change_codes(collection, dense)
        # Also if the collection exists: it may be of an earlier version, or another worker may just be creating it.
        for key in indexed_keys:
            params = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=key == tenant)
            _call(self._client.create_payload_index, collection, key, params, wait=True)

    def _create(self, collection: str, dense: Mapping[str, int], sparse: Sequence[str]) -> None:
        codes = CODES[self._quantization]
        on_disk = True if codes else None  # the server's setting decides where vectors without codes are
        cosine = models.Distance.COSINE
        try:
            self._client.create_collection(
                collection,
                {
                    name: models.VectorParams(size=size, distance=cosine, on_disk=on_disk)
                    for name, size in dense.items()
                },
                {name: models.SparseVectorParams(modifier=models.Modifier.IDF) for name in sparse},
                # Every search is within one tenant: build a graph for each tenant, and none across tenants.
                hnsw_config=models.HnswConfigDiff(m=0, payload_m=16),
                quantization_config=codes,
            )
        except UnexpectedResponse as error:
            if error.status_code != CONFLICT:
                raise _translate_error(error) from error
        except ResponseHandlingException as error:
            raise _translate_error(error) from error

    def _change_codes(self, collection: str, dense: Mapping[str, int]) -> None:
        """Let the server build this store's kind of codes in the background, unless the collection has them."""
        codes = CODES[self._quantization]
        if _call(self._client.get_collection, collection).config.quantization_config != codes:
            _call(
                self._client.update_collection,
                collection,
                vectors_config={name: models.VectorParamsDiff(on_disk=codes is not None) for name in dense},
                quantization_config=codes or models.Disabled.DISABLED,
            )

    def collections(self) -> tuple[str, ...]:
        return tuple(sorted(each.name for each in _call(self._client.get_collections).collections))

    def dense_sizes(self, collection: str) -> dict[str, int]:
        vectors = _call(self._client.get_collection, collection).config.params.vectors
        return {name: each.size for name, each in vectors.items()} if isinstance(vectors, dict) else {}

    def drop(self, collection: str) -> None:
        _call(self._client.delete_collection, collection)

    def point_alias(self, alias: str, collection: str) -> None:
        create = models.CreateAlias(collection_name=collection, alias_name=alias)
        _call(self._client.update_collection_aliases, [models.CreateAliasOperation(create_alias=create)])

    def drop_alias(self, alias: str) -> None:
        if self.resolve(alias) is not None:
            drop = models.DeleteAlias(alias_name=alias)
            _call(self._client.update_collection_aliases, [models.DeleteAliasOperation(delete_alias=drop)])

    def aliases(self) -> dict[str, str]:
        return {each.alias_name: each.collection_name for each in _call(self._client.get_aliases).aliases}

    def resolve(self, alias: str) -> str | None:
        return self.aliases().get(alias)

    def upsert(self, collection: str, points: Sequence[NewPoint]) -> None:
        if points:
            begin_write()
            _call(self._client.upsert, collection, [_to_point(point) for point in points], wait=True)

    def set_vectors(self, collection: str, vectors: Mapping[str, PointVectors]) -> None:
        if not vectors:
            return
        begin_write()
        while existing := {stored.id for stored in self.retrieve(collection, list(vectors), ())}:
            points = [
                models.PointVectors(id=id, vector=_to_vectors(each)) for id, each in vectors.items() if id in existing
            ]
            try:
                _retry_once(self._client.update_vectors, collection, points, wait=True)
            except UnexpectedResponse as error:
                # A point was deleted meanwhile, of which the server tells by this status.
                if error.status_code != NOT_FOUND:
                    raise _translate_error(error) from error
            except ResponseHandlingException as error:
                raise _translate_error(error) from error
            else:
                return

    def delete_vectors(self, collection: str, where: Filter, names: Sequence[str]) -> None:
        begin_write()
        _call(self._client.delete_vectors, collection, list(names), _to_filter(where), wait=True)

    def set_payload(self, collection: str, where: Filter, payload: Payload) -> None:
        begin_write()
        _call(self._client.set_payload, collection, dict(payload), points=_to_filter(where), wait=True)

    def set_payloads(self, collection: str, payloads: Mapping[str, Payload]) -> None:
        if payloads:
            begin_write()
            changes = [_to_operation(id, payload) for id, payload in payloads.items()]
            _call(self._client.batch_update_points, collection, changes, wait=True)

    def delete(self, collection: str, where: Filter) -> None:
        begin_write()
        _call(self._client.delete, collection, models.FilterSelector(filter=_to_filter(where)), wait=True)

    def retrieve(
        self, collection: str, ids: Sequence[str], keys: Sequence[str] | None = None, with_vectors: bool = False
    ) -> list[StoredPoint]:
        records = _call(
            self._client.retrieve, collection, list(ids), with_payload=_select_payload(keys), with_vectors=with_vectors
        )
        found = {record.id: record for record in map(_from_record, records)}
        return [found[id] for id in ids if id in found]

    def scroll(
        self, collection: str, where: Filter, keys: Sequence[str] | None = None, vectors: Sequence[str] = ()
    ) -> Iterator[StoredPoint]:
        offset = None
        while True:
            records, offset = _call(
                self._client.scroll,
                collection,
                _to_filter(where),
                limit=SCROLL_PAGE,
                offset=offset,
                with_payload=_select_payload(keys),
                with_vectors=list(vectors) or False,
            )
            yield from map(_from_record, records)
            if offset is None:
                return

    def count(self, collection: str, where: Filter) -> int:
        return _call(self._client.count, collection, _to_filter(where), exact=True).count

    def nearest(self, collection: str, queries: Sequence[VectorQuery]) -> list[list[ScoredPoint]]:
        if not queries:
            return []
        answers = _call(self._client.query_batch_points, collection, [_to_query(query) for query in queries])
        return [
            [ScoredPoint(str(point.id), point.score, point.payload or {}) for point in answer.points]
            for answer in answers
        ]

    def save(self, collection: str, path: Path) -> None:
        name = self._request_file("POST", f"/collections/{collection}/snapshots").json()["result"]["name"]
        snapshot = f"/collections/{collection}/snapshots/{name}"
        try:
            with self._files.stream("GET", snapshot) as answer, path.open("wb") as file:
                answer.raise_for_status()
                for part in answer.iter_bytes():
                    file.write(part)
        except httpx.HTTPError as error:
            raise StoreUnavailableError(str(error)) from error
        finally:
            self._request_file("DELETE", snapshot)

    def load(self, collection: str, path: Path) -> None:
        with path.open("rb") as file:
            upload = f"/collections/{collection}/snapshots/upload?priority=snapshot&wait=true"
            self._request_file("POST", upload, files={"snapshot": file})

    def _request_file(self, method: str, address: str, **body: Any) -> httpx.Response:
        try:
            return self._files.request(method, address, **body).raise_for_status()
        except httpx.HTTPError as error:
            raise StoreUnavailableError(str(error)) from error

    def close(self) -> None:
        self._client.close()
        self._files.close()


def _is_connection_error(error: Exception) -> bool:
    return isinstance(error, ResponseHandlingException) and not isinstance(error.source, httpx.TimeoutException)


# A restarted server leaves dead connections in the client's pool. All calls are idempotent.
_retry_once = stamina.RetryingCaller(attempts=2, timeout=None, wait_initial=0, wait_max=0, wait_jitter=0).on(
    _is_connection_error
)


def _call(method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the client, once more if the connection broke, and translate its errors."""
    try:
        return _retry_once(method, *args, **kwargs)
    except (ResponseHandlingException, UnexpectedResponse, QdrantException) as error:
        raise _translate_error(error) from error


def _translate_error(error: Exception) -> IndexerError:
    if isinstance(error, UnexpectedResponse) and not (
        error.status_code is None
        or error.status_code >= SERVER_ERROR
        or error.status_code in (REQUEST_TIMEOUT, TOO_MANY_REQUESTS)
    ):
        return IndexerError(str(error))
    return store_error(error)


def _to_point(point: NewPoint) -> models.PointStruct:
    return models.PointStruct(id=point.id, vector=_to_vectors(point), payload=dict(point.payload))


def _to_vectors(point: NewPoint | PointVectors) -> dict[str, Any]:
    vectors: dict[str, Any] = {name: vector.tolist() for name, vector in point.dense.items()}
    return vectors | {name: _to_sparse(words) for name, words in point.sparse.items()}


def _to_operation(id: str, payload: Payload) -> models.SetPayloadOperation:
    # By a filter, because an id that does not exist would be an error.
    only = _to_filter(Filter(ids=(id,)))
    return models.SetPayloadOperation(set_payload=models.SetPayload(payload=dict(payload), filter=only))


def _to_sparse(words: SparseWords) -> models.SparseVector:
    return models.SparseVector(indices=list(words.indices), values=list(words.values))


def _to_query(query: VectorQuery) -> models.QueryRequest:
    # Without codes, and for sparse vectors, this does nothing.
    rescoring = models.QuantizationSearchParams(rescore=True, oversampling=choose_oversampling(query.limit))
    return models.QueryRequest(
        query=_to_sparse(query.vector) if isinstance(query.vector, SparseWords) else query.vector.tolist(),
        using=query.using,
        filter=_to_filter(query.where),
        params=models.SearchParams(quantization=rescoring),
        limit=query.limit,
        with_payload=_select_payload(query.payload_keys),
    )


def _to_filter(where: Filter) -> models.Filter:
    must: list[models.Condition] = [*_to_conditions(where.match)]
    for key, values in where.each_of.items():
        must += [condition for value in values for condition in _to_conditions({key: value})]
    if where.ids is not None:
        must.append(models.HasIdCondition(has_id=list(where.ids)))
    return models.Filter(must=must, must_not=[*_to_conditions(where.without)])


def _to_conditions(match: Match) -> list[models.FieldCondition]:
    return [
        models.FieldCondition(key=key, match=models.MatchAny(any=[value] if isinstance(value, str) else list(value)))
        for key, value in match.items()
    ]


def _select_payload(keys: Sequence[str] | None) -> bool | list[str]:
    return True if keys is None else list(keys) or False


def _from_record(record: models.Record) -> StoredPoint:
    vectors = record.vector if isinstance(record.vector, dict) else {}
    dense = {name: np.asarray(vector, np.float32) for name, vector in vectors.items() if isinstance(vector, list)}
    return StoredPoint(str(record.id), record.payload or {}, dense)
