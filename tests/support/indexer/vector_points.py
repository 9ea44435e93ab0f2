"""A small collection of numbered points, for tests of the vector stores."""

import uuid

from indexer.vectors.vector_store import Filter, NewPoint, VectorStore
from tests.support.indexer.fakes import VECTOR_SIZE, random_vector


def point_id(number: int) -> str:
    """Return the id of a point."""
    return str(uuid.UUID(int=number))


def ensure_things(vector_store: VectorStore, collection: str = "things") -> None:
    """Create the collection of the tests: a dense and a sparse vector, filters by space and kind."""
    vector_store.ensure(collection, {"frame": VECTOR_SIZE}, ("words",), ("spaces", "kind"), tenant="spaces")


def make_thing(number: int, **payload: object) -> NewPoint:
    """Return a point with a random vector that its number determines."""
    return NewPoint(point_id(number), {"n": number, **payload}, {"frame": random_vector(str(number))})


def store_things(vector_store: VectorStore) -> None:
    """Store six points: odd ones in space a, all in b, each of its own kind."""
    ensure_things(vector_store)
    vector_store.upsert(
        "things", [make_thing(n, spaces=["a", "b"] if n % 2 else ["b"], kind=f"k{n}") for n in range(6)]
    )


def scroll_numbers(vector_store: VectorStore, where: Filter) -> list[int]:
    """Return the numbers of the points that match, in the order of a scroll."""
    return [stored.payload["n"] for stored in vector_store.scroll("things", where)]
