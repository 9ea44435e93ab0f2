"""Removing videos from a space, step by step, so that another worker can finish what a killed one began.

`remove_*` deletes submissions: from then on the space does not find the videos. The caller then deletes other data of
these videos, and calls `finish_removal` last.

An unacknowledged submission can still be written when its removal is over: a stalled worker wakes up, or the
server completes a write that its client gave up. So a removal is recorded before it begins. After writing a submission,
the handler looks for such requests, and a periodic task repeats them for `LATE_WRITES_S`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from indexer.errors import NotSubmitterError
from indexer.store.publishing import MomentPublisher, read_scopes
from indexer.store.records import (
    RECORDS,
    RemovalRequest,
    RemovedVideos,
    Scopes,
    Submission,
    VideoRecord,
    VoteRecord,
    space_of_scope,
    to_payload,
)
from indexer.store.submissions import SubmissionStore
from indexer.store.videos import VideoStore
from indexer.vectors.vector_store import Filter, NewPoint, VectorStore

LATE_WRITES_S: Final = 600.0
"""How long after its removal a submission that was requested before may still be written."""


def is_settled(at: str, now: datetime | None = None) -> bool:
    """Return whether a request from `at` (ISO time) is so old that nothing of it is written any more."""
    return (now or datetime.now(UTC)) - datetime.fromisoformat(at) > timedelta(seconds=LATE_WRITES_S)


class RemovalStore:
    """Removes videos from spaces, and deletes those that no space wants. Every method is idempotent."""

    def __init__(
        self, vectors: VectorStore, videos: VideoStore, submissions: SubmissionStore, publisher: MomentPublisher
    ) -> None:
        self._vectors = vectors
        self._videos = videos
        self._submissions = submissions
        self._publisher = publisher

    def remove_video(self, scopes: Scopes, video_id: str, user_id: str | None = None) -> RemovedVideos:
        """Remove a video from the scopes, or with a `user_id` only what this user submitted.

        Raises `NotSubmitterError` if only others have submitted it.
        """
        submissions = self._submissions.of_video(scopes, video_id)
        own = [each for each in submissions if user_id in (None, each.user_id)]
        if submissions and not own:
            raise NotSubmitterError(f"{user_id} did not submit {video_id}")
        return self._remove(video_id, own)

    def remove_by_user(self, space: str, user_id: str) -> RemovedVideos:
        """Remove from a space everything that a user submitted."""
        return self._remove_all(self._submissions.find({"space": space, "user_id": user_id}))

    def remove_by_message(self, space: str, message_id: str, keep: Sequence[str] = ()) -> RemovedVideos:
        """Remove from a space what a chat message submitted, except the videos with the ids `keep`."""
        submissions = self._submissions.find({"space": space, "message_id": message_id})
        return self._remove_all([each for each in submissions if each.video_id not in keep])

    def remove_space(self, space: str) -> RemovedVideos:
        """Remove all videos from a space."""
        return self._remove_all(self._submissions.find({"space": space}))

    # ---- submissions that are written late ----

    def record_request(self, request: RemovalRequest) -> None:
        """Record a removal before it begins."""
        self._vectors.upsert(RECORDS, [NewPoint(str(uuid4()), to_payload(request))])

    def repeat_requests(self) -> list[tuple[RemovalRequest, RemovedVideos]]:
        """Remove what was written after its removal. Forget the requests that are older than `LATE_WRITES_S`."""
        repeated = []
        for point_id, request in self._submissions.removal_requests().items():
            found = self._submissions.find(request.match, request.submission_ids or None)
            repeated.append((request, self._remove_all([each for each in found if request.covers(each)])))
            if is_settled(request.at):
                self._vectors.delete(RECORDS, Filter(ids=(point_id,)))
        return repeated

    # ---- finishing a removal ----

    def list_pending_removals(self) -> list[VideoRecord]:
        """Return the videos whose removal is not finished: it is in progress, or its worker was killed."""
        return self._videos.list_pending_removals()

    def unpublish(self, video_id: str) -> None:
        """Hide a video's moments from the spaces that no longer have it, and delete the votes of these spaces."""
        spaces = tuple(space_of_scope(scope) for scope in read_scopes(self._vectors, video_id))
        match = {"kind": VoteRecord.KIND, "video_id": video_id}
        self._vectors.delete(RECORDS, Filter(match, without={"space": spaces} if spaces else {}))
        self._publisher.update_spaces(video_id)

    def finish_removal(self, video_id: str) -> bool:
        """Finish removing a video. Returns True if no space has it any more: the caller must then delete its blobs."""
        record = self._videos.get(video_id)
        if record is None:
            return False
        if read_scopes(self._vectors, video_id):
            self._videos.update(video_id, removal_pending=None)
            return False
        return self._publisher.delete_video(record)

    def delete_orphan(self, video_id: str) -> bool:
        """Delete the moments of a video that has no record, and its submissions that were never acknowledged.

        Returns False if it has a record.
        """
        if self._videos.get(video_id) is not None:
            return False
        self._publisher.delete_moments(video_id)
        late = [each for each in self._submissions.find({"video_id": video_id}) if is_settled(each.at)]
        if late:
            self._submissions.delete(late)
        return True

    def _remove_all(self, submissions: Sequence[Submission]) -> RemovedVideos:
        removed = [self._remove(each.video_id, [each]) for each in submissions]
        return RemovedVideos(
            tuple(link for each in removed for link in each.links),
            tuple(dict.fromkeys(id for each in removed for id in each.video_ids)),
        )

    def _remove(self, video_id: str, submissions: Sequence[Submission]) -> RemovedVideos:
        if not submissions:
            return RemovedVideos()
        record = self._videos.get(video_id)
        self._videos.update(video_id, removal_pending="yes")
        self._submissions.delete(submissions)
        self.unpublish(video_id)
        # Without a record, a worker was killed between the writes of a submission, and it was never acknowledged.
        aliases = self._submissions.aliases.list_of(video_id)
        return RemovedVideos((record.link,) if record else (), (video_id, *aliases))
