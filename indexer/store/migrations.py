"""Records of earlier versions, brought up to this one."""

from indexer.errors import NewerStoreError
from indexer.store.records import RECORDS, SCHEMA
from indexer.vectors.vector_store import Filter, VectorStore

MARK = "schema_"
"""Before a version: an alias of the records that are all of this version."""


def upgrade(points: VectorStore) -> None:
    """Looks through the records once, then only at the mark that it leaves. Doing it twice changes nothing.

    Schema 1 knew no rooms: its submissions are the whole space's. Moments are the same in both. Raises `NewerStoreError`
    where a later version of Reelseek has been at work.
    """
    ours = [alias for alias, collection in points.aliases().items() if collection == RECORDS]
    marks = [int(alias.removeprefix(MARK)) for alias in ours if alias.startswith(MARK)]
    newest = max(marks, default=0)
    if newest > SCHEMA:
        raise NewerStoreError(f"schema {newest}, and this is {SCHEMA}")
    if newest == SCHEMA:
        return
    for stored in points.scroll(RECORDS, Filter({"kind": "submission"}), ("space", "scope")):
        if "scope" not in stored.payload:
            new = {"scope": stored.payload["space"], "schema": SCHEMA}
            points.set_payload(RECORDS, Filter(ids=(stored.id,)), new)
    points.point_alias(f"{MARK}{SCHEMA}", RECORDS)
