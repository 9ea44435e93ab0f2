"""Changes of payloads that earlier versions of Reelseek have written.

- Schema 1 had no private channels: its submissions have no `scope` and belong to the whole space.
- Schema 2 used other names (`person`, `room`, `leaving`, `thinned`, `said`), and empty strings for absent values.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from indexer.store.records import RECORDS, SCHEMA
from indexer.vectors.vector_store import Filter, Payload, StoredPoint, VectorStore

BATCH: Final = 1000

RECORD_KEYS: Final = {
    "submission": {"person": "user_id", "room": "private_channel", "name": "user_name", "message": "message_id"},
    "video": {"leaving": "removal_pending", "thinned": "frames_deleted"},
    "vote": {"person": "user_id"},
    "retraining": {"person": "user_id"},
    "generation": {"name": "generation"},
}
"""By kind of record: payload keys of schema 2 and their names in schema 3."""
SETTINGS_KEYS: Final = {"rooms": "private_channels"}
"""Keys in the settings of a space."""
EMPTY_IS_NONE: Final = ("private_channel", "user_name", "message_id", "space", "generation", "left_at")
"""Keys of schema 3 in which schema 2 wrote an empty string for an absent value."""


def migrate_records(vectors: VectorStore) -> None:
    """Bring the payloads of all records to this version's schema."""
    for batch in _old_records(vectors):
        vectors.set_payloads(RECORDS, {each.id: {**_record_changes(each.payload), "schema": SCHEMA} for each in batch})


def migrate_moment_payload(payload: Payload) -> dict[str, Any]:
    """Return a moment's payload as this version writes it. The texts by source were named `said` in schema 2."""
    has_old_name = payload.get("schema", 1) < 3
    texts = payload.get("said" if has_old_name else "text_by_source") or {}
    return {key: value for key, value in payload.items() if key != "said"} | {"text_by_source": texts}


def _old_records(vectors: VectorStore) -> Iterator[list[StoredPoint]]:
    """Yield the records of earlier schemas in batches."""
    points = (each for each in vectors.scroll(RECORDS, Filter()) if each.payload.get("schema") != SCHEMA)
    while batch := list(islice(points, BATCH)):
        yield batch


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


def _rename_keys(payload: Payload, names: Mapping[str, str]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for old, new in names.items():
        if old in payload:
            renamed |= {new: payload[old], old: None}
    return renamed
