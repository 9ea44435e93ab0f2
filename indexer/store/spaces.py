"""Settings, votes and followed lists of a space, and when Reelseek was removed from it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from indexer.store.records import (
    RECORDS,
    SCHEMA,
    FollowedList,
    RemovalRequest,
    Scopes,
    VoteRecord,
    from_payload,
    to_payload,
)
from indexer.vectors.vector_store import Filter, NewPoint, StoredPoint, VectorStore

EXCLUSIVE_VOTES: Final = ("up", "down")
"""A user has only one of these for an answer; other kinds of votes are independent."""

_KIND: Final = "space"


class SpaceStore:
    """Reads and writes what a space has decided. Every method is idempotent."""

    def __init__(self, vectors: VectorStore) -> None:
        self._vectors = vectors

    # ---- settings ----

    def get_settings(self, space: str) -> dict[str, Any]:
        """Return the settings that were stored last; empty if none were."""
        record = self._read_record(space)
        return dict(record.payload.get("settings", {})) if record else {}

    def put_settings(self, space: str, settings: Mapping[str, Any]) -> None:
        """Store all settings of a space."""
        self._update(space, {"settings": dict(settings)})

    # ---- removal of the bot ----

    def record_bot_removal(self, space: str, at: datetime) -> None:
        """Record that Reelseek was removed from the space.

        Of several reports of the same removal the first counts, and a report from before the last return is ignored.
        """
        removed, returned = self._read_times(space)
        if not removed and (returned is None or returned < at):
            self._update(space, {"left_at": at.astimezone(UTC).isoformat()})

    def record_bot_return(self, space: str, at: datetime) -> None:
        """Record that Reelseek was added to the space again. A report from before the last removal is ignored."""
        removed, _ = self._read_times(space)
        if removed is None or removed <= at:
            self._update(space, {"left_at": None, "back_at": at.astimezone(UTC).isoformat()})

    def list_removed_before(self, at: datetime) -> list[str]:
        """Return the spaces that Reelseek was removed from before `at` and whose data still exist."""
        spaces = self._vectors.scroll(RECORDS, Filter({"kind": _KIND}), ("space", "left_at"))
        removed = [each.payload for each in spaces if each.payload.get("left_at")]
        return [each["space"] for each in removed if datetime.fromisoformat(each["left_at"]) < at]

    def delete(self, space: str) -> None:
        """Delete everything of a space except its submissions."""
        kinds = (VoteRecord.KIND, RemovalRequest.KIND, FollowedList.KIND, _KIND)
        self._vectors.delete(RECORDS, Filter({"kind": kinds, "space": space}))

    # ---- crawls ----

    def stop_crawls(self, space: str, at: datetime) -> None:
        """Record that the crawls that were requested until `at` must not add more videos."""
        stopped = self.crawls_stopped_at(space)
        if stopped is None or stopped < at:
            self._update(space, {"crawls_stopped_at": at.astimezone(UTC).isoformat()})

    def crawls_stopped_at(self, space: str) -> datetime | None:
        """Return when the crawls of a space were stopped last; None if they never were."""
        record = self._read_record(space)
        at = record.payload.get("crawls_stopped_at") if record else None
        return datetime.fromisoformat(at) if at else None

    # ---- votes ----

    def put_vote(self, vote: VoteRecord) -> None:
        """Store a vote in place of the user's earlier one on the same answer."""
        group = "judged" if vote.vote in EXCLUSIVE_VOTES else vote.vote
        moment = f"{vote.video_id} {vote.start_s} {vote.end_s}"
        id = uuid5(UUID(vote.video_id), "\n".join((group, vote.scope, vote.user_id, moment, *vote.queries)))
        self._vectors.upsert(RECORDS, [NewPoint(str(id), {**to_payload(vote), "scope": vote.scope})])

    def list_votes(self, space: str | None = None) -> list[VoteRecord]:
        """Return all votes of a space, or (None) of all spaces."""
        where = Filter({"kind": VoteRecord.KIND} | ({"space": space} if space else {}))
        return [from_payload(VoteRecord, stored.payload) for stored in self._vectors.scroll(RECORDS, where)]

    def list_votes_on(self, video_ids: Sequence[str], scopes: Scopes) -> list[VoteRecord]:
        """Return the votes on moments of these videos that were cast in these scopes.

        Those of earlier versions are not among them, because it is not known whether they were cast in private.
        """
        where = Filter({"kind": VoteRecord.KIND, "video_id": tuple(video_ids), "scope": scopes})
        return [from_payload(VoteRecord, stored.payload) for stored in self._vectors.scroll(RECORDS, where)]

    def delete_votes_of(self, space: str, user_id: str) -> None:
        """Delete a user's votes in a space."""
        self._vectors.delete(RECORDS, Filter({"kind": VoteRecord.KIND, "space": space, "user_id": user_id}))

    def _read_times(self, space: str) -> tuple[datetime | None, datetime | None]:
        """Return when Reelseek was removed, unless it is back, and when it was added again last."""
        record = self._read_record(space)
        times = [record.payload.get(key) if record else None for key in ("left_at", "back_at")]
        removed, returned = (datetime.fromisoformat(time) if time else None for time in times)
        return removed, returned

    def _read_record(self, space: str) -> StoredPoint | None:
        return next(iter(self._vectors.retrieve(RECORDS, [_record_id(space)])), None)

    def _update(self, space: str, values: Mapping[str, Any]) -> None:
        record = self._read_record(space)
        kept = record.payload if record else {"kind": _KIND, "space": space}
        self._vectors.upsert(RECORDS, [NewPoint(_record_id(space), {**kept, "schema": SCHEMA, **values})])


class FollowedListStore:
    """Reads and writes the lists that spaces follow. Every method is idempotent."""

    def __init__(self, vectors: VectorStore) -> None:
        self._vectors = vectors

    def put(self, followed: FollowedList) -> None:
        """Follow a list."""
        self._vectors.upsert(RECORDS, [NewPoint(followed.id, {**to_payload(followed), "scope": followed.scope})])

    def get(self, list_id: str) -> FollowedList | None:
        """Return a followed list, or None if it is not followed."""
        stored = self._vectors.retrieve(RECORDS, [list_id])
        return from_payload(FollowedList, stored[0].payload) if stored else None

    def list_followed(self, scopes: Scopes) -> list[FollowedList]:
        """Return the lists that these scopes follow, the oldest first."""
        found = self._vectors.scroll(RECORDS, Filter({"kind": FollowedList.KIND, "scope": scopes}))
        return sorted((from_payload(FollowedList, each.payload) for each in found), key=lambda each: each.at)

    def count(self, space: str) -> int:
        """Count the lists that a space and its private channels follow."""
        return self._vectors.count(RECORDS, Filter({"kind": FollowedList.KIND, "space": space}))

    def list_due(self, now: datetime) -> dict[str, str]:
        """Return the spaces of the lists at which it is time to look, by the id of the list."""
        lists = self._vectors.scroll(RECORDS, Filter({"kind": FollowedList.KIND}), ("space", "due_at"))
        return {
            each.id: each.payload["space"] for each in lists if datetime.fromisoformat(each.payload["due_at"]) <= now
        }

    def update(self, list_id: str, **values: Any) -> None:
        """Set these fields of a list, unless it is not followed any more."""
        self._vectors.set_payload(RECORDS, Filter(ids=(list_id,)), values)

    def delete(self, list_id: str) -> None:
        """Do not follow a list any more."""
        self._vectors.delete(RECORDS, Filter(ids=(list_id,)))

    def delete_of_user(self, space: str, user_id: str) -> None:
        """Do not follow the lists any more that a user has chosen."""
        self._vectors.delete(RECORDS, Filter({"kind": FollowedList.KIND, "space": space, "user_id": user_id}))


def _record_id(space: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"space {space}"))
