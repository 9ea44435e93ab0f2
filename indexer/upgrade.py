"""Records of earlier versions, brought up to this one."""

from indexer.points import Points, Where
from indexer.records import RECORDS, SCHEMA

MARK = f"schema_{SCHEMA}"
"""An alias of the records that are all of this version."""


def upgrade(points: Points) -> None:
    """Looks through the records once, then only at the mark that it leaves. Doing it twice changes nothing.

    Schema 1 knew no rooms: its submissions are the whole space's.
    """
    if points.resolve(MARK):
        return
    for stored in points.scroll(RECORDS, Where({"kind": "submission"}), ("space", "scope")):
        if "scope" not in stored.payload:
            new = {"scope": stored.payload["space"], "schema": SCHEMA}
            points.set_payload(RECORDS, Where(ids=(stored.id,)), new)
    points.point_alias(MARK, RECORDS)
