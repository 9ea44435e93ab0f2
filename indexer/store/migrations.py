"""Migration of payloads that earlier versions of Reelseek have written.

- Schema 1 had no private channels: its submissions have no `scope` and belong to the whole space.
- Schema 2 used other names (`person`, `room`, `leaving`, `thinned`, `said`), and empty strings for absent values. Its
  moments were found by words without names of emoji, and by one script of Chinese only.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from indexer.errors import NewerStoreError
from indexer.generation_id import is_moment_collection
from indexer.lexical import document_words
from indexer.store.records import RECORDS, SCHEMA
from indexer.vectors.vector_store import Filter, Payload, PointVectors, StoredPoint, VectorStore

SCHEMA_ALIAS: Final = "schema_"
"""Followed by a version: alias of the records, once all payloads have this version."""
BATCH: Final = 1000

RECORD_KEYS: Final = {
    "submission": {"person": "user_id", "room": "private_channel", "name": "user_name", "message": "message_id"},
    "video": {"leaving": "removal_pending", "thinned": "frames_deleted"},
    "vote": {"person": "user_id"},
    "retraining": {"person": "user_id"},
    "generation": {"name": "generation"},
}
"""By kind of record: payload keys of schema 2 and their names in schema 3."""
MOMENT_KEYS: Final = {"said": "text_by_source"}
SETTINGS_KEYS: Final = {"rooms": "private_channels"}
"""Keys in the settings of a space."""
EMPTY_IS_NONE: Final = ("private_channel", "user_name", "message_id", "space", "generation", "left_at")
"""Keys of schema 3 in which schema 2 wrote an empty string for an absent value."""


def migrate(vectors: VectorStore) -> None:
    """Bring all payloads to this version's schema, once, and mark them so.

    An interrupted migration is repeated. Raise `NewerStoreError` if a later version has written the records.
    """
    marks = [alias for alias, name in vectors.aliases().items() if name == RECORDS and alias.startswith(SCHEMA_ALIAS)]
    newest = max((int(alias.removeprefix(SCHEMA_ALIAS)) for alias in marks), default=0)
    if newest > SCHEMA:
        raise NewerStoreError(f"the records have schema {newest}, and this version knows schemas up to {SCHEMA}")
    if newest == SCHEMA:
        return
    for batch in _old_points(vectors, RECORDS):
        _change_payloads(vectors, RECORDS, batch, _record_changes)
    for collection in filter(is_moment_collection, vectors.collections()):
        for batch in _old_points(vectors, collection):
            _write_words(vectors, collection, batch)
            _change_payloads(vectors, collection, batch, _moment_changes)
    vectors.point_alias(f"{SCHEMA_ALIAS}{SCHEMA}", RECORDS)


def _old_points(vectors: VectorStore, collection: str) -> Iterator[list[StoredPoint]]:
    """Yield the points of earlier schemas in batches."""
    points = (each for each in vectors.scroll(collection, Filter()) if each.payload.get("schema") != SCHEMA)
    while batch := list(islice(points, BATCH)):
        yield batch


def _change_payloads(
    vectors: VectorStore,
    collection: str,
    points: Sequence[StoredPoint],
    changes_of: Callable[[Payload], dict[str, Any]],
) -> None:
    """Change payloads, in one request for all points that change alike."""
    ids_by_changes: dict[str, list[str]] = {}
    for point in points:
        changes = {**changes_of(point.payload), "schema": SCHEMA}
        ids_by_changes.setdefault(json.dumps(changes, sort_keys=True), []).append(point.id)
    for changes_json, ids in ids_by_changes.items():
        vectors.set_payload(collection, Filter(ids=tuple(ids)), json.loads(changes_json))


def _write_words(vectors: VectorStore, collection: str, points: Sequence[StoredPoint]) -> None:
    """Compute the sparse vector of each text again. Texts in ASCII have the same one as before."""
    texts = {point.id: point.payload["words"] for point in points}
    changed = {id: {"words": document_words(text)} for id, text in texts.items() if not text.isascii()}
    vectors.set_vectors(collection, {id: PointVectors(sparse=words) for id, words in changed.items()})


def _record_changes(payload: Payload) -> dict[str, Any]:
    """Return the payload keys of a record to set, or to remove (None)."""
    kind = payload["kind"]
    changes = _rename_keys(payload, RECORD_KEYS.get(kind, {}))
    if kind == "submission" and "scope" not in payload:
        changes["scope"] = payload["space"]
    if kind == "generation":
        # The owner is part of the id.
        changes["space"] = None
    if settings := payload.get("settings"):
        changes["settings"] = {SETTINGS_KEYS.get(key, key): value for key, value in settings.items() if value != ""}
    return changes | {key: None for key in EMPTY_IS_NONE if {**payload, **changes}.get(key) == ""}


def _moment_changes(payload: Payload) -> dict[str, Any]:
    return _rename_keys(payload, MOMENT_KEYS)


def _rename_keys(payload: Payload, names: Mapping[str, str]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for old, new in names.items():
        if old in payload:
            renamed |= {new: payload[old], old: None}
    return renamed
