"""Aliases: other ids of a video, under which people may name it.

Only the site knows which video a short link leads to. Its id becomes an alias of that video's id once its job has asked
the site. If a version knows more forms of a site's addresses than the one before, the ids that it gives to stored links
are aliases, too.
"""

from typing import Final
from uuid import UUID, uuid5

from indexer.store.records import RECORDS, SCHEMA
from indexer.vectors.vector_store import Filter, NewPoint, VectorStore

KIND: Final = "alias"


class AliasStore:
    """Reads and writes aliases. Every method is idempotent."""

    def __init__(self, vectors: VectorStore) -> None:
        self._vectors = vectors

    def resolve(self, video_id: str) -> str:
        """Return the id of the video that an id means: itself, unless it is an alias."""
        stored = list(self._vectors.retrieve(RECORDS, [_alias_point(video_id)]))
        return str(stored[0].payload["video_id"]) if stored else video_id

    def put(self, alias_id: str, video_id: str) -> None:
        """Let an id, and all its aliases, mean a video."""
        for each in (*self.list_of(alias_id), alias_id):
            payload = {"kind": KIND, "schema": SCHEMA, "alias_id": each, "video_id": video_id}
            self._vectors.upsert(RECORDS, [NewPoint(_alias_point(each), payload)])

    def list_of(self, video_id: str) -> list[str]:
        """Return the sorted aliases of a video."""
        where = Filter({"kind": KIND, "video_id": video_id})
        return sorted(each.payload["alias_id"] for each in self._vectors.scroll(RECORDS, where))

    def delete_of(self, video_id: str) -> None:
        """Delete the aliases of a video."""
        self._vectors.delete(RECORDS, Filter({"kind": KIND, "video_id": video_id}))


def _alias_point(alias_id: str) -> str:
    return str(uuid5(UUID(alias_id), KIND))
