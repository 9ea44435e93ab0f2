"""What is known of each generation, and of the retrain that makes the next one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from indexer.store.records import RECORDS, SCHEMA
from indexer.vectors.vector_store import Filter, NewPoint, StoredPoint, VectorStore


def own_name(generation: str, space: str) -> str:
    """What a generation is called that this space alone searches: equal weights of two spaces stay two generations."""
    return f"{generation}@{slug(space)}"


def space_of(name: str) -> str:
    """The space whose own a generation is, or a collection of one; empty: the installation's."""
    return name.partition("@")[2].replace(".", ":")


def slug(space: str) -> str:
    """A space's id as stores take it: Qdrant wants no colon in a name, and a space's id has no dot."""
    return space.replace(":", ".")


@dataclass(frozen=True)
class GenerationRecord:
    """How a generation came about."""

    name: str
    preset: str
    made_at: str
    """ISO time, UTC."""
    adapter: str | None = None
    """Under which the blob store has its files; None: the preset as it came."""
    r5_before: float | None = None
    r5: float | None = None
    questions: int = 0
    space: str = ""
    """Who alone searches it; empty: the whole installation."""


@dataclass(frozen=True)
class Retraining:
    """A retrain that was asked for and is not over."""

    space: str
    user_id: str
    at: str
    """ISO time, UTC."""
    cancelled: bool = False
    generation: str = ""
    """What came out of it, once it was found better: what is left is to embed the library anew."""


class GenerationStore:
    """Kept in the same collection as the videos' records. Every method may be repeated without harm."""

    def __init__(self, points: VectorStore) -> None:
        self._points = points

    def put(self, record: GenerationRecord) -> None:
        self._put(record.name, {"kind": "generation", **asdict(record)})

    def get(self, name: str) -> GenerationRecord | None:
        stored = self._get(name)
        return _read(GenerationRecord, stored) if stored else None

    def all(self) -> list[GenerationRecord]:
        """Newest first."""
        found = [_read(GenerationRecord, each) for each in self._points.scroll(RECORDS, Filter({"kind": "generation"}))]
        return sorted(found, key=lambda each: (each.made_at, each.name), reverse=True)

    def forget(self, name: str) -> None:
        self._points.delete(RECORDS, Filter(ids=(_id(name),)))

    # ---- the one retrain that may run ----

    def retraining(self) -> Retraining | None:
        stored = self._get("retraining")
        return _read(Retraining, stored) if stored else None

    def put_retraining(self, retraining: Retraining) -> None:
        self._put("retraining", {"kind": "retraining", **asdict(retraining)})

    def cancel(self) -> bool:
        """Asks the retrain to end. False: none runs."""
        self._change_retraining(cancelled=True)
        return self.retraining() is not None

    def found_better(self, generation: str) -> bool:
        """What is left of the retrain is to embed the library anew. False: somebody has asked it to end."""
        self._change_retraining(generation=generation)
        running = self.retraining()
        return running is not None and not running.cancelled

    def end_retraining(self) -> None:
        self.forget("retraining")

    def _change_retraining(self, **values: Any) -> None:
        """Writes these keys alone, if there still is one: a worker and an admin may both do so at once."""
        self._points.set_payload(RECORDS, Filter(ids=(_id("retraining"),)), values)

    def _get(self, name: str) -> StoredPoint | None:
        return next(iter(self._points.retrieve(RECORDS, [_id(name)])), None)

    def _put(self, name: str, payload: Mapping[str, Any]) -> None:
        self._points.upsert(RECORDS, [NewPoint(_id(name), {"schema": SCHEMA, **payload})])


def _id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"generation {name}"))


def _read(kind: type[Any], stored: StoredPoint) -> Any:
    # Qdrant drops the keys that are set to null.
    return kind(**{each.name: stored.payload[each.name] for each in fields(kind) if each.name in stored.payload})
