"""Both vector stores by the same tests."""

import math
from dataclasses import replace

import numpy as np
import pytest

from indexer.errors import IndexerError
from indexer.vectors.vector_store import Filter, NewPoint, Payload, PointVectors, SparseWords, VectorQuery, VectorStore
from tests.support.indexer.fakes import VECTOR_SIZE, OpenVectorStore, random_vector
from tests.support.indexer.vector_points import ensure_things, make_thing, point_id, scroll_numbers, store_things


def test_retrieve_returns_points_as_stored_in_the_order_of_ids(vector_store: VectorStore) -> None:
    """Missing ids are left out."""
    ensure_things(vector_store)
    payload = {"n": 1, "title": "눈 🐶", "none": None, "list": ["x", "y"], "share": 0.5, "flag": True}
    vector_store.upsert("things", [NewPoint(point_id(1), payload, {"frame": random_vector("1")}), make_thing(2)])
    second, first = vector_store.retrieve("things", [point_id(2), point_id(9), point_id(1)], with_vectors=True)
    assert (second.id, first.id) == (point_id(2), point_id(1))
    assert first.payload == payload
    np.testing.assert_allclose(first.dense["frame"], random_vector("1"), atol=1e-6)


def test_reads_return_only_the_requested_keys(vector_store: VectorStore) -> None:
    """No keys give an empty payload, and vectors are returned only on request."""
    store_things(vector_store)
    assert vector_store.retrieve("things", [point_id(1)], ("kind",))[0].payload == {"kind": "k1"}
    assert vector_store.retrieve("things", [point_id(1)], ())[0].payload == {}
    assert vector_store.retrieve("things", [point_id(1)])[0].dense == {}
    assert [stored.payload for stored in vector_store.scroll("things", Filter({"kind": "k1"}), ("n",))] == [{"n": 1}]


def test_upsert_replaces_the_whole_point(vector_store: VectorStore) -> None:
    """No key and no vector of the older point is left."""
    store_things(vector_store)
    vector_store.upsert("things", [NewPoint(point_id(1), {"n": 1})])
    stored = vector_store.retrieve("things", [point_id(1)], with_vectors=True)[0]
    assert (dict(stored.payload), dict(stored.dense)) == ({"n": 1}, {})
    assert vector_store.count("things", Filter()) == 6


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
        (Filter(ids=(point_id(4), point_id(1), point_id(9))), [1, 4]),
        (Filter({"spaces": "a"}, ids=(point_id(4), point_id(1))), [1]),
        (Filter(ids=()), []),
        (Filter(each_of={"spaces": ("a", "b")}), [1, 3, 5]),
        (Filter({"kind": ("k1", "k2")}, each_of={"spaces": ("a", "b")}), [1]),
        (Filter(each_of={"spaces": ("a", "c")}), []),
    ],
)
def test_scroll_count_and_delete_agree_on_a_filter(
    vector_store: VectorStore, where: Filter, expected: list[int]
) -> None:
    """All other points stay."""
    store_things(vector_store)
    assert scroll_numbers(vector_store, where) == expected
    assert vector_store.count("things", where) == len(expected)
    vector_store.delete("things", where)
    assert scroll_numbers(vector_store, Filter()) == [n for n in range(6) if n not in expected]


def test_set_payloads_changes_each_point_in_its_own_way(vector_store: VectorStore) -> None:
    """Other keys stay, and a point that does not exist is not created."""
    store_things(vector_store)
    before = {each.id: dict(each.payload) for each in vector_store.scroll("things", Filter())}
    changes: dict[str, Payload] = {
        point_id(1): {"label": "one"},
        point_id(2): {"kind": None},
        point_id(77): {"kind": "b"},
    }
    vector_store.set_payloads("things", changes)
    expected = before | {point_id(1): before[point_id(1)] | {"label": "one"}}
    del expected[point_id(2)]["kind"]
    assert {each.id: dict(each.payload) for each in vector_store.scroll("things", Filter())} == expected


def test_set_payload_changes_only_matching_points_and_given_keys(vector_store: VectorStore) -> None:
    """None removes a key; a filter without matches changes nothing."""
    store_things(vector_store)
    vector_store.set_payload("things", Filter({"spaces": "a"}), {"spaces": ["c"], "kind": None})
    vector_store.set_payload("things", Filter(ids=(point_id(77),)), {"spaces": ["d"]})
    assert scroll_numbers(vector_store, Filter({"spaces": "c"})) == [1, 3, 5]
    assert scroll_numbers(vector_store, Filter({"spaces": "a"})) == []
    assert vector_store.retrieve("things", [point_id(1)])[0].payload == {"n": 1, "spaces": ["c"]}
    assert vector_store.count("things", Filter()) == 6


def test_scroll_returns_every_point_once(vector_store: VectorStore) -> None:
    """More points than one request returns are in order of id."""
    ensure_things(vector_store)
    vector_store.upsert("things", [NewPoint(point_id(n), {"n": n}) for n in range(2300)])
    assert scroll_numbers(vector_store, Filter()) == list(range(2300))


def test_nearest_agrees_with_naive_cosines(vector_store: VectorStore) -> None:
    """Within the filter, up to the limit."""
    store_things(vector_store)
    query = random_vector("query")
    naive = sorted((1, 3, 5), key=lambda n: -float(random_vector(str(n)) @ query))
    found = vector_store.nearest("things", [VectorQuery("frame", query, 2, Filter({"spaces": "a"}), ("n",))])[0]
    assert [scored.payload for scored in found] == [{"n": n} for n in naive[:2]]
    assert found[0].score == pytest.approx(float(random_vector(str(naive[0])) @ query), abs=1e-5)


def test_sparse_score_is_weight_times_idf(vector_store: VectorStore) -> None:
    """IDF is ln(1 + (N - n + 0.5) / (n + 0.5)), summed over the common words."""
    ensure_things(vector_store)
    documents = [(1, 2), (1, 3), (1, 4), (1,)]
    vector_store.upsert(
        "things",
        [
            NewPoint(point_id(n), {"n": n}, sparse={"words": SparseWords(words, (1.5,) * len(words))})
            for n, words in enumerate(documents)
        ],
    )
    query = SparseWords((1, 3, 99), (1.0, 1.0, 1.0))
    found = vector_store.nearest("things", [VectorQuery("words", query, 10, Filter(), ("n",))])[0]
    common, rare = (math.log(1 + (4 - n + 0.5) / (n + 0.5)) for n in (4, 1))
    assert found[0].payload == {"n": 1}
    assert found[0].score == pytest.approx(1.5 * (common + rare), rel=1e-4)
    assert [scored.score for scored in found[1:]] == pytest.approx([1.5 * common] * 3, rel=1e-4)


def test_set_vectors_replaces_these_vectors_and_nothing_else(vector_store: VectorStore) -> None:
    """The payload, the other vectors and the other points stay. No point is created."""
    ensure_things(vector_store)
    old, new = SparseWords((1,), (1.0,)), SparseWords((2, 3), (1.0, 1.0))
    points = [make_thing(n, spaces=["a"]) for n in range(3)]
    vector_store.upsert("things", [replace(point, sparse={"words": old}) for point in points])
    vector_store.set_vectors("things", {point_id(n): PointVectors(sparse={"words": new}) for n in (9, 0, 2)})
    vector_store.set_vectors("things", {point_id(9): PointVectors(sparse={"words": new})})
    vector_store.set_vectors("things", {})
    queries = [VectorQuery("words", each, 10, Filter({"spaces": "a"}), ("n",)) for each in (old, new)]
    found = [{scored.payload["n"] for scored in answer} for answer in vector_store.nearest("things", queries)]
    assert found == [{1}, {0, 2}]
    stored = vector_store.retrieve("things", [point_id(0)], with_vectors=True)[0]
    assert stored.payload == points[0].payload
    np.testing.assert_allclose(stored.dense["frame"], points[0].dense["frame"], atol=1e-6)
    assert vector_store.count("things", Filter()) == 3


def test_dense_vector_is_added_replaced_and_deleted(vector_store: VectorStore) -> None:
    """A point that lacks it is not found by it. The other vectors stay."""
    vector_store.ensure("things", {"frame": VECTOR_SIZE, "sound": 4}, (), ("spaces",), tenant="spaces")
    vector_store.upsert("things", [make_thing(n) for n in range(2)])
    query = VectorQuery("sound", random_vector("hiss", 4), 5)
    assert vector_store.nearest("things", [query]) == [[]]
    for sound in ("bark", "hiss"):
        vector_store.set_vectors("things", {point_id(1): PointVectors({"sound": random_vector(sound, 4)})})
    [[found]] = vector_store.nearest("things", [query])
    assert found.id == point_id(1)
    assert found.score == pytest.approx(1, abs=1e-5)
    vector_store.delete_vectors("things", Filter(ids=(point_id(0), point_id(1))), ("sound",))
    assert vector_store.nearest("things", [query]) == [[]]
    assert set(vector_store.retrieve("things", [point_id(1)], with_vectors=True)[0].dense) == {"frame"}


def test_dense_sizes_are_read_back(open_vector_store: OpenVectorStore) -> None:
    """Also after the store was opened again."""
    open_vector_store().ensure("things", {"frame": 8, "sound": 4}, ("words",), ("spaces",), tenant="spaces")
    open_vector_store().ensure("records", {}, (), ("kind",), tenant="kind")
    assert open_vector_store().dense_sizes("things") == {"frame": 8, "sound": 4}
    assert open_vector_store().dense_sizes("records") == {}


def test_nearest_finds_only_points_with_that_vector(vector_store: VectorStore) -> None:
    """A query without words finds nothing."""
    store_things(vector_store)
    vector_store.upsert("things", [NewPoint(point_id(7), {"n": 7}, sparse={"words": SparseWords((1,), (1.0,))})])
    queries = [
        VectorQuery("frame", random_vector("7"), 10, Filter(), ("n",)),
        VectorQuery("words", SparseWords((1,), (1.0,)), 10, Filter(), ("n",)),
        VectorQuery("words", SparseWords((), ()), 10, Filter()),
    ]
    looks, words, nothing = vector_store.nearest("things", queries)
    assert sorted(scored.payload["n"] for scored in looks) == [0, 1, 2, 3, 4, 5]
    assert [scored.payload["n"] for scored in words] == [7]
    assert nothing == []
    assert vector_store.nearest("things", []) == []


def test_collection_without_vectors_stores_records(vector_store: VectorStore) -> None:
    """Filters work as in other collections."""
    vector_store.ensure("records", {}, (), ("kind",), tenant="kind")
    vector_store.upsert("records", [NewPoint(point_id(1), {"kind": "video"})])
    assert vector_store.count("records", Filter({"kind": "video"})) == 1


def test_ensure_and_drop_are_idempotent(vector_store: VectorStore) -> None:
    """A second `ensure` keeps the points."""
    store_things(vector_store)
    ensure_things(vector_store)
    assert (vector_store.collections(), vector_store.count("things", Filter())) == (("things",), 6)
    vector_store.drop("things")
    vector_store.drop("things")
    assert vector_store.collections() == ()
    ensure_things(vector_store)
    assert vector_store.count("things", Filter()) == 0


def test_ensure_adds_missing_indexes_to_a_collection(vector_store: VectorStore) -> None:
    """A collection of an earlier version gets the keys that filters use now, and keeps its points."""
    store_things(vector_store)
    vector_store.ensure("things", {"frame": VECTOR_SIZE}, ("words",), ("spaces", "kind", "label"), tenant="spaces")
    vector_store.set_payload("things", Filter({"kind": "k1"}), {"label": "new"})
    assert scroll_numbers(vector_store, Filter({"label": "new"})) == [1]
    assert vector_store.count("things", Filter()) == 6


def test_alias_points_to_one_collection_at_a_time(vector_store: VectorStore) -> None:
    """Reads and writes through it go to the present collection."""
    assert vector_store.resolve("current") is None
    for number, name in enumerate(("old", "new")):
        ensure_things(vector_store, name)
        vector_store.upsert(name, [make_thing(number)])
    for number, name in enumerate(("old", "new")):
        vector_store.point_alias("current", name)
        assert vector_store.resolve("current") == name
        assert [stored.payload["n"] for stored in vector_store.scroll("current", Filter())] == [number]
    vector_store.upsert("current", [make_thing(5)])
    assert (vector_store.count("old", Filter()), vector_store.count("new", Filter())) == (1, 2)
    assert vector_store.collections() == ("new", "old")


def test_drop_alias_keeps_the_collection(vector_store: VectorStore) -> None:
    """A second call raises no error."""
    store_things(vector_store)
    vector_store.point_alias("current@discord.1", "things")
    for _ in range(2):
        vector_store.drop_alias("current@discord.1")
    assert vector_store.resolve("current@discord.1") is None
    assert vector_store.collections() == ("things",)


def test_reopened_store_has_points_and_aliases(open_vector_store: OpenVectorStore) -> None:
    """Filters work, too."""
    vector_store = open_vector_store()
    store_things(vector_store)
    vector_store.point_alias("current", "things")
    vector_store = open_vector_store()
    assert scroll_numbers(vector_store, Filter({"spaces": "a"})) == [1, 3, 5]
    assert vector_store.resolve("current") == "things"


def test_invalid_call_raises_an_error_that_is_not_transient(vector_store: VectorStore) -> None:
    """An unknown collection and a vector of the wrong size are not worth a retry."""
    ensure_things(vector_store)
    with pytest.raises(IndexerError) as unknown:
        vector_store.count("nowhere", Filter())
    with pytest.raises(IndexerError) as wrong_size:
        vector_store.upsert("things", [NewPoint(point_id(1), {}, {"frame": random_vector("1", VECTOR_SIZE + 1)})])
    assert not unknown.value.transient
    assert not wrong_size.value.transient
