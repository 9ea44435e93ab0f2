"""Submissions: which space wants which video, and the library as a space sees it."""

from collections.abc import Mapping, Sequence
from datetime import UTC

from indexer.senses import Sense
from indexer.store.aliases import AliasStore
from indexer.store.generations import GenerationStore
from indexer.store.publishing import MomentPublisher
from indexer.store.records import (
    RECORDS,
    IndexStatus,
    LibraryCounts,
    LibraryRow,
    NewSubmission,
    RemovalRequest,
    Scopes,
    Submission,
    VideoRecord,
    each_scope,
    from_payload,
    submission_id,
    to_payload,
)
from indexer.store.videos import VideoStore
from indexer.vectors.vector_store import Filter, NewPoint, VectorStore
from text.folding import fold


class SubmissionStore:
    """Reads and writes submissions. Every method is idempotent."""

    def __init__(
        self, vectors: VectorStore, videos: VideoStore, generations: GenerationStore, publisher: MomentPublisher
    ) -> None:
        self._vectors = vectors
        self._videos = videos
        self._generations = generations
        self._publisher = publisher
        self.aliases = AliasStore(vectors)

    def submit(self, new: NewSubmission) -> VideoRecord:
        """Record that a space, or a private channel of it, wants a video.

        The returned record is `waiting` if the video needs a job or has one already. The space finds a video that is
        indexed from now on. A video that failed waits again. The first submission of a scope is kept, unless an earlier
        request removes it.
        """
        submission = make_submission(new)
        first = self.of_video(submission.scope, new.video_id)
        if not first or (self.is_removed(first[0]) and not self.is_removed(submission)):
            payload = {**to_payload(submission), "scope": submission.scope}
            self._vectors.upsert(RECORDS, [NewPoint(submission.id, payload)])
        record = self._videos.get(new.video_id)
        if record is None or record.status == IndexStatus.FAILED:
            record = VideoRecord(new.video_id, new.link, new.fetch_url, new.title)
            self._videos.put(record)
        else:
            self._publisher.update_spaces(new.video_id)
        return record

    def delete(self, submissions: Sequence[Submission]) -> None:
        """Delete these submissions, but not newer ones that have replaced them."""
        where = Filter({"at": tuple(each.at for each in submissions)}, ids=tuple(each.id for each in submissions))
        self._vectors.delete(RECORDS, where)

    # ---- removals ----

    def is_removed(self, submission: Submission) -> bool:
        """Return whether a removal that was requested after this submission covers it."""
        return any(request.covers(submission) for request in self.removal_requests(submission.space).values())

    def removal_requests(self, space: str | None = None) -> dict[str, RemovalRequest]:
        """Return by point id the removals of a space, or (None) of all spaces, that were requested lately."""
        where = Filter({"kind": RemovalRequest.KIND} | ({"space": space} if space else {}))
        return {
            stored.id: from_payload(RemovalRequest, stored.payload) for stored in self._vectors.scroll(RECORDS, where)
        }

    # ---- what one space sees ----

    def has(self, scopes: Scopes, video_id: str) -> bool:
        """Return whether one of the scopes has submitted the video."""
        return bool(self.of_video(scopes, video_id))

    def of_video(self, scopes: Scopes, video_id: str) -> list[Submission]:
        """Return the submissions of a video by these scopes, in their order."""
        return self._retrieve(scopes, [video_id])

    def get(self, scopes: Scopes, video_ids: Sequence[str]) -> dict[str, Submission]:
        """Return one submission for each video that the scopes have; the first scope that has it wins."""
        return {each.video_id: each for each in reversed(self._retrieve(scopes, video_ids))}

    def find(self, match: Mapping[str, str | tuple[str, ...]], ids: tuple[str, ...] | None = None) -> list[Submission]:
        """Return the submissions with these payload values, of those with the `ids` if they are given."""
        where = Filter({"kind": Submission.KIND, **match}, ids=ids)
        return [from_payload(Submission, stored.payload) for stored in self._vectors.scroll(RECORDS, where)]

    def list_video_ids(self) -> set[str]:
        """Return the ids of all videos that were submitted, also of those whose record was never written."""
        where = Filter({"kind": Submission.KIND})
        return {stored.payload["video_id"] for stored in self._vectors.scroll(RECORDS, where, ("video_id",))}

    def map_submitters(self, space: str | None) -> dict[str, str]:
        """Return by video id the id of the user who submitted it: to a space, or (None) to any space."""
        return {each.video_id: each.user_id for each in self.find({"space": space} if space else {})}

    def list_videos(
        self, scopes: Scopes, limit: int, offset: int = 0, search: str = "", user_id: str | None = None
    ) -> tuple[list[LibraryRow], int]:
        """Return a page of the videos whose title or link contains `search`, newest first, and their total number.

        Case, accents, widths and the two scripts of Chinese make no difference (`text.folding`).
        With a `user_id`, only videos that this user submitted.
        """
        match: dict[str, str | tuple[str, ...]] = {"scope": scopes}
        found = sorted(
            self.find(match | ({"user_id": user_id} if user_id else {})), key=lambda each: (each.at, each.video_id)
        )
        submissions = list({each.video_id: each for each in found}.values())[::-1]
        if search:
            submissions = [row.submission for row in self._read_rows(submissions) if _mentions(row.video, search)]
        return self._read_rows(submissions[offset : offset + limit]), len(submissions)

    def count(self, scopes: Scopes) -> LibraryCounts:
        """Count videos and moments. A video that the space and a private channel have submitted counts once."""
        space, *private_channels = each_scope(scopes)
        private = self.find({"scope": tuple(private_channels)}) if private_channels else []
        both = self._vectors.retrieve(RECORDS, [submission_id(each.video_id, space) for each in private], ())
        public = self._vectors.count(RECORDS, Filter({"kind": Submission.KIND, "scope": space}))
        waiting = self.get(scopes, [video.video_id for video in self._videos.list_waiting()])
        return LibraryCounts(
            videos=public + len(private) - len(both),
            moments=self._count_moments(scopes),
            waiting=len(waiting),
            listening=len(self.get(scopes, [video.video_id for video in self._videos.list_due_enrichments()])),
            failed_senses=self._count_failed_senses(scopes),
        )

    def _count_failed_senses(self, scopes: Scopes) -> dict[Sense, int]:
        failed = {sense: self._videos.list_with_failed(sense) for sense in Sense}
        counts = {sense: len(self.get(scopes, video_ids)) for sense, video_ids in failed.items() if video_ids}
        return {sense: count for sense, count in counts.items() if count}

    def _count_moments(self, scopes: Scopes) -> int:
        live = self._generations.get_live()
        return self._vectors.count(live.collection_name, Filter({"spaces": scopes})) if live else 0

    def _retrieve(self, scopes: Scopes, video_ids: Sequence[str]) -> list[Submission]:
        ids = [submission_id(video_id, scope) for scope in each_scope(scopes) for video_id in video_ids]
        return [from_payload(Submission, stored.payload) for stored in self._vectors.retrieve(RECORDS, ids)]

    def _read_rows(self, submissions: Sequence[Submission]) -> list[LibraryRow]:
        videos = {video.video_id: video for video in self._videos.get_many([each.video_id for each in submissions])}
        return [LibraryRow(videos[each.video_id], each) for each in submissions if each.video_id in videos]


def make_submission(new: NewSubmission) -> Submission:
    """Return the submission that is stored for a new one."""
    return Submission(
        new.video_id,
        new.space,
        new.user_id,
        new.at.astimezone(UTC).isoformat(),
        new.private_channel,
        new.user_name,
        new.message_id,
    )


def _mentions(video: VideoRecord, search: str) -> bool:
    return fold(search) in fold(f"{video.title} {video.link}")
