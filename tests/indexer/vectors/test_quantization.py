"""Codes of vectors: searches answer as they do without them, also in collections that were made without them."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import httpx
import numpy as np
import pytest

from indexer.store.stores import open_stores
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.quantization import MIN_OVERSAMPLING, RESCORED, Quantization, choose_oversampling
from indexer.vectors.vector_store import Filter, NewPoint, VectorQuery, VectorStore
from tests.support.indexer.fakes import FAKE, open_library, random_vector
from tests.support.indexer.vector_points import point_id
from tests.support.waiting import wait_until

SIZE, POINTS, LIMIT = 32, 600, 10
QUERY = random_vector("query", SIZE)

OpenQuantized: TypeAlias = Callable[[Quantization], VectorStore]
"""Opens the store of a test with a kind of codes, and returns when they are built."""


@pytest.fixture(params=["edge", "server"])
def open_quantized(request: pytest.FixtureRequest, store_folder: Path) -> Iterator[OpenQuantized]:
    """Return a function that opens this test's store; opened again, it contains the same points."""
    opened: list[VectorStore] = []
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else None

    def open_again(quantization: Quantization) -> VectorStore:
        while opened:
            opened.pop().close()
        store = QdrantVectorStore(url, None, quantization) if url else EdgeVectorStore(store_folder, quantization)
        opened.append(store)
        store.ensure("things", {"frame": SIZE}, ("words",), ("spaces",), tenant="spaces")
        if url:
            build_codes(url, quantization != Quantization.OFF)
        return store

    yield open_again
    opened[0].drop("things")
    opened[0].close()


def build_codes(url: str, wanted: bool) -> None:
    """Let a server build codes of few points, too, and wait until searches compare them or, if unwanted, do not."""
    settings = {"optimizers_config": {"indexing_threshold": 1}}
    httpx.patch(f"{url}/collections/things", json=settings).raise_for_status()

    async def is_done() -> bool:
        scores = [score_nearest(url, rescore) for rescore in (False, True)]
        return not scores[0] or (scores[0] != pytest.approx(scores[1], abs=1e-5)) == wanted

    asyncio.run(wait_until(is_done))


def score_nearest(url: str, rescore: bool) -> list[float]:
    """Return the best score on a server, of the codes alone or after a comparison of the vectors."""
    parameters = {"quantization": {"rescore": rescore}}
    query = {"query": QUERY.tolist(), "using": "frame", "params": parameters, "limit": 1}
    answer = httpx.post(f"{url}/collections/things/points/query", json=query).raise_for_status()
    return [point["score"] for point in answer.json()["result"]["points"]]


def make_point(number: int) -> NewPoint:
    payload = {"n": number, "spaces": ["a"] if number % 2 else ["b"]}
    return NewPoint(point_id(number), payload, {"frame": random_vector(str(number), SIZE)})


def assert_finds_nearest_of_a(store: VectorStore) -> None:
    """Compare a search of space a with naive cosines."""
    found = store.nearest("things", [VectorQuery("frame", QUERY, LIMIT, Filter({"spaces": "a"}), ("n",))])[0]
    cosines = {n: float(random_vector(str(n), SIZE) @ QUERY) for n in range(1, POINTS, 2)}
    nearest = sorted(cosines, key=lambda n: -cosines[n])[:LIMIT]
    assert [scored.payload["n"] for scored in found] == nearest
    assert [scored.score for scored in found] == pytest.approx([cosines[n] for n in nearest], abs=1e-5)


@pytest.mark.parametrize("quantization", [kind for kind in Quantization if kind != Quantization.OFF])
def test_searches_by_codes_answer_with_true_cosines(open_quantized: OpenQuantized, quantization: Quantization) -> None:
    """The points were stored before there were codes; those that come later are found at once."""
    open_quantized(Quantization.OFF).upsert("things", [make_point(n) for n in range(POINTS - 1)])
    store = open_quantized(quantization)
    store.upsert("things", [make_point(POINTS - 1)])
    assert_finds_nearest_of_a(store)
    vectors = store.retrieve("things", [point_id(1)], with_vectors=True)[0].dense
    np.testing.assert_allclose(vectors["frame"], random_vector("1", SIZE), atol=1e-6)


def test_codes_can_be_switched_off_again(open_quantized: OpenQuantized) -> None:
    """The answers stay."""
    open_quantized(Quantization.BINARY).upsert("things", [make_point(n) for n in range(POINTS)])
    open_quantized(Quantization.BINARY)
    assert_finds_nearest_of_a(open_quantized(Quantization.OFF))


def test_server_moves_vectors_that_have_codes_to_the_disk(qdrant_url: str) -> None:
    """Vectors without codes stay where the server's own settings say."""
    places = []
    for quantization in (Quantization.OFF, Quantization.BINARY):
        store = QdrantVectorStore(qdrant_url, None, quantization)
        store.ensure("things", {"frame": SIZE}, (), (), tenant="spaces")
        parameters = httpx.get(f"{qdrant_url}/collections/things").json()["result"]["config"]["params"]
        places.append(parameters["vectors"]["frame"].get("on_disk"))
    assert places == [None, True]
    store.drop("things")
    store.close()


def test_stored_generations_get_codes_when_a_worker_starts(qdrant_url: str) -> None:
    """No video has to be added for it."""
    collection = FAKE.collection_name
    codes = []
    for quantization in (Quantization.OFF, Quantization.BINARY):
        store = QdrantVectorStore(qdrant_url, None, quantization)
        if quantization == Quantization.OFF:
            open_library(store)
        else:
            open_stores(store)
        config = httpx.get(f"{qdrant_url}/collections/{collection}").json()["result"]["config"]
        codes.append("binary" in (config["quantization_config"] or {}))
    assert codes == [False, True]
    for name in store.collections():
        store.drop(name)
    store.close()


def test_edge_builds_codes_when_it_is_opened(store_folder: Path) -> None:
    """Opened without codes, it has none."""
    store = EdgeVectorStore(store_folder)
    store.ensure("things", {"frame": SIZE}, (), (), tenant="spaces")
    store.upsert("things", [make_point(n) for n in range(POINTS)])
    store.close()
    for quantization, count in ((Quantization.OFF, 0), (Quantization.BINARY, 1)):
        EdgeVectorStore(store_folder, quantization).close()
        assert len([*(store_folder / "collections" / "things").rglob("quantized.data")]) == count


def test_short_answers_compare_as_many_vectors_as_long_ones() -> None:
    """A long answer still compares twice its length."""
    assert choose_oversampling(10) * 10 == RESCORED
    assert choose_oversampling(1_000) == MIN_OVERSAMPLING
