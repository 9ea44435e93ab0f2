"""What a space has decided and what its people think of what was found: settings, votes, and when it was left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from indexer.store.records import RECORDS, SCHEMA
from indexer.vectors.vector_store import Filter, NewPoint, StoredPoint, VectorStore

JUDGES = ("up", "down")
"""Of these a person has one at a time for an answer; the others stand beside it."""


@dataclass(frozen=True)
class VoteRecord:
    """What a person thought of a moment as the answer to a question."""

    space: str
    user_id: str
    queries: tuple[str, ...]
    video_id: str
    start_s: float
    end_s: float
    kind: str
    """`up`, `down`, `opened` or `shared`."""
    at: str
    """ISO time, UTC."""


class SpaceStore:
    """Kept in the same collection as the videos' records. Every method may be repeated without harm."""

    def __init__(self, points: VectorStore) -> None:
        self._points = points

    def settings(self, space: str) -> dict[str, Any]:
        """As they were last put; empty where they never were."""
        record = self._record(space)
        return dict(record.payload.get("settings", {})) if record else {}

    def put_settings(self, space: str, settings: Mapping[str, Any]) -> None:
        self._put(space, {"settings": dict(settings)})

    def leave(self, space: str, at: datetime) -> None:
        """Reelseek was removed from the space. Told twice, the first time counts; told late, that it is back counts."""
        left, back = self._times(space)
        if not left and (back is None or back < at):
            self._put(space, {"left_at": at.astimezone(UTC).isoformat()})

    def come_back(self, space: str, at: datetime) -> None:
        """Reelseek is in the space again. Told late, that it was removed since then counts."""
        left, _ = self._times(space)
        if left is None or left <= at:
            self._put(space, {"left_at": "", "back_at": at.astimezone(UTC).isoformat()})

    def _times(self, space: str) -> tuple[datetime | None, datetime | None]:
        """When it was left, if it is not back, and when it came back last."""
        record = self._record(space)
        times = [record.payload.get(key) if record else None for key in ("left_at", "back_at")]
        left, back = (datetime.fromisoformat(time) if time else None for time in times)
        return left, back

    def left_before(self, at: datetime) -> list[str]:
        """Spaces that were left before then, and are not forgotten yet."""
        spaces = self._points.scroll(RECORDS, Filter({"kind": "space"}), ("space", "left_at"))
        due = [each for each in spaces if each.payload.get("left_at")]
        return [each.payload["space"] for each in due if datetime.fromisoformat(each.payload["left_at"]) < at]

    def vote(self, vote: VoteRecord) -> None:
        """Takes down a vote in place of the person's earlier one on the same answer."""
        sort = "judged" if vote.kind in JUDGES else vote.kind
        stretch = f"{vote.video_id} {vote.start_s} {vote.end_s}"
        id = uuid5(UUID(vote.video_id), "\n".join((sort, vote.space, vote.user_id, stretch, *vote.queries)))
        payload = {
            "kind": "vote",
            "schema": SCHEMA,
            "space": vote.space,
            "person": vote.user_id,
            "queries": list(vote.queries),
            "video_id": vote.video_id,
            "start_s": vote.start_s,
            "end_s": vote.end_s,
            "vote": vote.kind,
            "at": vote.at,
        }
        self._points.upsert(RECORDS, [NewPoint(str(id), payload)])

    def votes(self, space: str | None = None) -> list[VoteRecord]:
        """All of a space, or of all spaces."""
        where = Filter({"kind": "vote"} | ({"space": space} if space else {}))
        return [_vote(each) for each in self._points.scroll(RECORDS, where)]

    def forget_person(self, space: str, user_id: str) -> None:
        """Takes a person's votes out."""
        self._points.delete(RECORDS, Filter({"kind": "vote", "space": space, "person": user_id}))

    def forget(self, space: str) -> None:
        """Takes everything of a space out but its submissions."""
        self._points.delete(RECORDS, Filter({"kind": ("vote", "space"), "space": space}))

    def _record(self, space: str) -> StoredPoint | None:
        return next(iter(self._points.retrieve(RECORDS, [_id(space)])), None)

    def _put(self, space: str, values: Mapping[str, Any]) -> None:
        record = self._record(space)
        kept = record.payload if record else {"kind": "space", "schema": SCHEMA, "space": space}
        self._points.upsert(RECORDS, [NewPoint(_id(space), {**kept, **values})])


def _id(space: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"space {space}"))


def _vote(stored: StoredPoint) -> VoteRecord:
    payload = stored.payload
    return VoteRecord(
        space=payload["space"],
        user_id=payload["person"],
        queries=tuple(payload["queries"]),
        video_id=payload["video_id"],
        start_s=payload["start_s"],
        end_s=payload["end_s"],
        kind=payload["vote"],
        at=payload["at"],
    )
