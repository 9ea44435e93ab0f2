"""What both forms of the vector store promise, and what each promises alone."""

import json
import math
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import IndexerError, StoreUnavailable
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.vector_store import Filter, NewPoint, SparseWords, VectorQuery, VectorStore
from tests.conftest import free_port
from tests.indexer.conftest import OpenPoints
from tests.support.indexer_fakes import SIZE, vector_of
from tests.support.qdrant import qdrant_binary, qdrant_server


def id_of(number: int) -> str:
    return str(uuid.UUID(int=number))


def ensure(points: VectorStore, collection: str = "things") -> None:
    points.ensure(collection, {"frame": SIZE}, ("words",), ("spaces", "kind"), tenant="spaces")


def thing(number: int, **payload: object) -> NewPoint:
    return NewPoint(id_of(number), {"n": number, **payload}, {"frame": vector_of(str(number))})


def fill(points: VectorStore) -> None:
    """Six points: odd ones in space a, all in b, each of its own kind."""
    ensure(points)
    points.upsert("things", [thing(n, spaces=["a", "b"] if n % 2 else ["b"], kind=f"k{n}") for n in range(6)])


def numbers(points: VectorStore, where: Filter) -> list[int]:
    return [stored.payload["n"] for stored in points.scroll("things", where)]


def test_a_point_comes_back_as_it_was_stored(points: VectorStore) -> None:
    """Payload and dense vectors survive; the order is the one asked for; missing ids are left out."""
    ensure(points)
    payload = {"n": 1, "title": "눈 🐶", "none": None, "list": ["x", "y"], "share": 0.5, "flag": True}
    points.upsert("things", [NewPoint(id_of(1), payload, {"frame": vector_of("1")}), thing(2)])
    second, first = points.retrieve("things", [id_of(2), id_of(9), id_of(1)], dense=True)
    assert (second.id, first.id) == (id_of(2), id_of(1))
    assert first.payload == payload
    np.testing.assert_allclose(first.dense["frame"], vector_of("1"), atol=1e-6)


def test_only_the_keys_that_were_asked_for_are_read(points: VectorStore) -> None:
    """`keys` narrows the payload, down to nothing; vectors come only on request."""
    fill(points)
    assert points.retrieve("things", [id_of(1)], ("kind",))[0].payload == {"kind": "k1"}
    assert points.retrieve("things", [id_of(1)], ())[0].payload == {}
    assert points.retrieve("things", [id_of(1)])[0].dense == {}
    assert [stored.payload for stored in points.scroll("things", Filter({"kind": "k1"}), ("n",))] == [{"n": 1}]


def test_an_upsert_replaces_the_whole_point(points: VectorStore) -> None:
    """Nothing of an older point with the same id stays, and there is still one point."""
    fill(points)
    points.upsert("things", [NewPoint(id_of(1), {"n": 1})])
    stored = points.retrieve("things", [id_of(1)], dense=True)[0]
    assert (dict(stored.payload), dict(stored.dense)) == ({"n": 1}, {})
    assert points.count("things", Filter()) == 6


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Filter(), [0, 1, 2, 3, 4, 5]),
        (Filter({"spaces": "a"}), [1, 3, 5]),
        (Filter({"spaces": "a", "kind": "k3"}), [3]),
        (Filter({"kind": ("k0", "k5", "k9")}), [0, 5]),
        (Filter({"kind": ()}), []),
        (Filter({"nothing": "x"}), []),
        (Filter(without={"spaces": "a"}), [0, 2, 4]),
        (Filter({"spaces": "b"}, without={"kind": ("k0", "k1")}), [2, 3, 4, 5]),
        (Filter(ids=(id_of(4), id_of(1), id_of(9))), [1, 4]),
        (Filter({"spaces": "a"}, ids=(id_of(4), id_of(1))), [1]),
        (Filter(ids=()), []),
    ],
)
def test_a_filter_picks_exactly_its_points(points: VectorStore, where: Filter, expected: list[int]) -> None:
    """Scrolling, counting and deleting agree on which points a filter means."""
    fill(points)
    assert numbers(points, where) == expected
    assert points.count("things", where) == len(expected)
    points.delete("things", where)
    assert numbers(points, Filter()) == [n for n in range(6) if n not in expected]


def test_a_payload_is_set_where_the_filter_matches_and_nowhere_else(points: VectorStore) -> None:
    """Other keys and points stay as they were, None takes a key away; where nothing matches nothing happens."""
    fill(points)
    points.set_payload("things", Filter({"spaces": "a"}), {"spaces": ["c"], "kind": None})
    points.set_payload("things", Filter(ids=(id_of(77),)), {"spaces": ["d"]})
    assert numbers(points, Filter({"spaces": "c"})) == [1, 3, 5]
    assert numbers(points, Filter({"spaces": "a"})) == []
    assert points.retrieve("things", [id_of(1)])[0].payload == {"n": 1, "spaces": ["c"]}
    assert points.count("things", Filter()) == 6


def test_scrolling_reaches_every_point_once(points: VectorStore) -> None:
    """More points than a page holds come in order of id, none twice."""
    ensure(points)
    points.upsert("things", [NewPoint(id_of(n), {"n": n}) for n in range(2300)])
    assert numbers(points, Filter()) == list(range(2300))


def test_nearest_is_the_order_of_cosines(points: VectorStore) -> None:
    """Dense search agrees with a naive computation, inside the filter, up to the limit."""
    fill(points)
    query = vector_of("query")
    naive = sorted((1, 3, 5), key=lambda n: -float(vector_of(str(n)) @ query))
    found = points.nearest("things", [VectorQuery(query, "frame", Filter({"spaces": "a"}), 2, ("n",))])[0]
    assert [scored.payload for scored in found] == [{"n": n} for n in naive[:2]]
    assert found[0].score == pytest.approx(float(vector_of(str(naive[0])) @ query), abs=1e-5)


def test_words_are_weighed_by_how_rare_they_are(points: VectorStore) -> None:
    """A sparse score is the sum of weight times IDF (ln(1 + (N - n + 0.5) / (n + 0.5))) of the words in common."""
    ensure(points)
    documents = [(1, 2), (1, 3), (1, 4), (1,)]
    points.upsert(
        "things",
        [
            NewPoint(id_of(n), {"n": n}, sparse={"words": SparseWords(words, (1.5,) * len(words))})
            for n, words in enumerate(documents)
        ],
    )
    query = SparseWords((1, 3, 99), (1.0, 1.0, 1.0))
    found = points.nearest("things", [VectorQuery(query, "words", Filter(), 10, ("n",))])[0]
    common, rare = (math.log(1 + (4 - n + 0.5) / (n + 0.5)) for n in (4, 1))
    assert found[0].payload == {"n": 1}
    assert found[0].score == pytest.approx(1.5 * (common + rare), rel=1e-4)
    assert [scored.score for scored in found[1:]] == pytest.approx([1.5 * common] * 3, rel=1e-4)


def test_a_point_without_a_vector_is_not_found_by_it(points: VectorStore) -> None:
    """Points may lack any of the named vectors, and a query without words finds nothing."""
    fill(points)
    points.upsert("things", [NewPoint(id_of(7), {"n": 7}, sparse={"words": SparseWords((1,), (1.0,))})])
    queries = [
        VectorQuery(vector_of("7"), "frame", Filter(), 10, ("n",)),
        VectorQuery(SparseWords((1,), (1.0,)), "words", Filter(), 10, ("n",)),
        VectorQuery(SparseWords((), ()), "words", Filter(), 10),
    ]
    looks, words, nothing = points.nearest("things", queries)
    assert sorted(scored.payload["n"] for scored in looks) == [0, 1, 2, 3, 4, 5]
    assert [scored.payload["n"] for scored in words] == [7]
    assert nothing == []
    assert points.nearest("things", []) == []


def test_a_collection_may_have_no_vectors(points: VectorStore) -> None:
    """Records are points, too."""
    points.ensure("records", {}, (), ("kind",), tenant="kind")
    points.upsert("records", [NewPoint(id_of(1), {"kind": "video"})])
    assert points.count("records", Filter({"kind": "video"})) == 1


def test_making_a_collection_twice_keeps_what_is_in_it(points: VectorStore) -> None:
    """`ensure` and `drop` may be repeated."""
    fill(points)
    ensure(points)
    assert (points.collections(), points.count("things", Filter())) == (("things",), 6)
    points.drop("things")
    points.drop("things")
    assert points.collections() == ()
    ensure(points)
    assert points.count("things", Filter()) == 0


def test_an_alias_stands_for_one_collection_at_a_time(points: VectorStore) -> None:
    """Reads and writes through an alias go where it points now, and it can be pointed elsewhere."""
    assert points.resolve("current") is None
    for number, name in enumerate(("old", "new")):
        ensure(points, name)
        points.upsert(name, [thing(number)])
    for number, name in enumerate(("old", "new")):
        points.point_alias("current", name)
        assert points.resolve("current") == name
        assert [stored.payload["n"] for stored in points.scroll("current", Filter())] == [number]
    points.upsert("current", [thing(5)])
    assert (points.count("old", Filter()), points.count("new", Filter())) == (1, 2)
    assert points.collections() == ("new", "old")


def test_an_alias_can_be_dropped(points: VectorStore) -> None:
    """It stands for nothing then, what it stood for stays, and dropping it twice does no harm."""
    fill(points)
    points.point_alias("current@discord.1", "things")
    for _ in range(2):
        points.drop_alias("current@discord.1")
    assert points.resolve("current@discord.1") is None
    assert points.collections() == ("things",)


def test_a_store_that_is_opened_again_knows_everything(open_points: OpenPoints) -> None:
    """Points, filters and aliases outlive the process."""
    points = open_points()
    fill(points)
    points.point_alias("current", "things")
    points = open_points()
    assert numbers(points, Filter({"spaces": "a"})) == [1, 3, 5]
    assert points.resolve("current") == "things"


def test_a_mistake_of_ours_is_no_outage(points: VectorStore) -> None:
    """An unknown collection or a vector of the wrong size is an error that no retry mends."""
    ensure(points)
    with pytest.raises(IndexerError) as unknown:
        points.count("nowhere", Filter())
    with pytest.raises(IndexerError) as wrong_size:
        points.upsert("things", [NewPoint(id_of(1), {}, {"frame": vector_of("1", SIZE + 1)})])
    assert not unknown.value.transient
    assert not wrong_size.value.transient


# ---- in process ----


def test_a_folder_has_one_owner(store_folder: Path) -> None:
    """A second one is told that the store is not available, and the first goes on."""
    first = EdgeVectorStore(store_folder)
    fill(first)
    with pytest.raises(StoreUnavailable):
        EdgeVectorStore(store_folder)
    assert first.count("things", Filter()) == 6
    first.close()


def test_a_collection_that_was_half_made_is_forgotten(store_folder: Path) -> None:
    """What a killed process left of making or dropping a collection is cleared away."""
    half = store_folder / "collections" / ".things"
    half.mkdir(parents=True)
    (half / "edge_config.json").write_text("{")
    points = EdgeVectorStore(store_folder)
    assert points.collections() == ()
    assert not half.exists()
    fill(points)
    assert points.count("things", Filter()) == 6
    points.close()


@pytest.mark.parametrize("name", [".DS_Store", "desktop.ini"])
def test_a_file_that_is_not_ours_is_passed_over(store_folder: Path, name: str) -> None:
    """What a file manager leaves beside the collections hinders nothing and stays."""
    stray = store_folder / "collections" / name
    stray.parent.mkdir()
    stray.write_bytes(b"x")
    with closing(EdgeVectorStore(store_folder)) as points:
        assert points.collections() == ()
    assert stray.exists()


def test_readers_see_a_step_whole_or_not_at_all(store_folder: Path) -> None:
    """While one thread moves all points to and fro in single steps, others never count a part of them."""
    points = EdgeVectorStore(store_folder)
    ensure(points)
    points.upsert("things", [thing(n, spaces=["a"], kind="k") for n in range(200)])
    done = threading.Event()

    def count() -> set[int]:
        counted = set()
        while not done.is_set():
            counted.add(points.count("things", Filter({"spaces": "a"})))
            points.nearest("things", [VectorQuery(vector_of("x"), "frame", Filter({"spaces": "a"}), 5)])
        return counted

    with ThreadPoolExecutor(3) as readers:
        counts = [readers.submit(count) for _ in range(3)]
        for space in ["b", "a"] * 30:
            points.set_payload("things", Filter({"kind": "k"}), {"spaces": [space]})
        done.set()
    assert set[int]().union(*(each.result() for each in counts)) <= {0, 200}
    points.close()


WRITER = """
import sys, uuid
from pathlib import Path
from indexer.vectors.edge import EdgePoints
from indexer.vectors.vector_store import PointIn
points = EdgePoints(Path(sys.argv[1]))
points.ensure("things", {}, (), (), tenant="")
for n in range(10_000):
    points.upsert("things", [PointIn(str(uuid.UUID(int=n)), {"n": n})])
    print(n, flush=True)
"""


def test_a_killed_process_loses_no_write(store_folder: Path) -> None:
    """What was written when the call returned is there after kill -9."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(store_folder)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    written = [next(writer.stdout) for _ in range(150)]
    writer.kill()
    writer.communicate()
    points = EdgeVectorStore(store_folder)
    assert numbers(points, Filter())[: len(written)] == [int(line) for line in written]
    points.close()


def test_deleted_points_give_their_room_back(tmp_path: Path) -> None:
    """Reopening a store of which most was deleted makes it smaller, and loses nothing else."""
    points = EdgeVectorStore(tmp_path)
    ensure(points)
    points.upsert("things", [thing(n, kind="keep" if n < 10 else "go", text="x" * 1000) for n in range(3000)])
    points.delete("things", Filter({"kind": "go"}))
    points.close()
    full = used_bytes(tmp_path / "collections" / "things" / "segments")
    points = EdgeVectorStore(tmp_path)
    assert numbers(points, Filter()) == list(range(10))
    assert len(points.nearest("things", [VectorQuery(vector_of("x"), "frame", Filter(), 50)])[0]) == 10
    points.close()
    assert used_bytes(tmp_path / "collections" / "things" / "segments") < full / 2


def used_bytes(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*"))


def test_an_alias_is_replaced_in_one_step(store_folder: Path) -> None:
    """The file of aliases is whole at any time: it is renamed into place."""
    points = EdgeVectorStore(store_folder)
    ensure(points, "old")
    ensure(points, "new")
    points.point_alias("current", "old")
    before = (store_folder / "aliases.json").stat().st_ino
    points.point_alias("current", "new")
    assert (store_folder / "aliases.json").stat().st_ino != before
    assert json.loads((store_folder / "aliases.json").read_text()) == {"current": "new"}
    points.close()


# ---- on a server ----


def test_a_server_that_is_away_is_an_outage() -> None:
    """A refused connection is worth another try later."""
    points = QdrantVectorStore(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailable):
        points.collections()
    points.close()


def test_a_server_may_restart_between_two_calls(tmp_path: Path) -> None:
    """The connection that broke is made again, and nothing was lost."""
    binary, port = qdrant_binary(), free_port()
    with qdrant_server(binary, tmp_path, port) as url:
        points = QdrantVectorStore(url)
        fill(points)
    with pytest.raises(StoreUnavailable):
        points.count("things", Filter())
    with qdrant_server(binary, tmp_path, port):
        assert numbers(points, Filter({"spaces": "a"})) == [1, 3, 5]
    points.close()
