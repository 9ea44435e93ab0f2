"""Joining a video to another one, after a site has reported that both are the same."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from indexer.errors import LinkRefusedError, NoVideoError
from indexer.link.canonical import Link, canonicalize
from indexer.store.aliases import AliasStore
from indexer.store.publishing import MomentPublisher
from indexer.store.records import FINDABLE, RECORDS, NewSubmission, Submission, VideoRecord, VoteRecord
from indexer.store.submissions import SubmissionStore
from indexer.store.videos import VideoStore
from indexer.vectors.vector_store import Filter, VectorStore

CANONICAL_FORMS: Final = "canonical_forms_2"
"""Alias of the records, once they were adopted; the number changes with the forms of `indexer.link.sites`."""


@dataclass(frozen=True)
class JoinStore:
    """Moves the submissions of a video to the one that it is. Idempotent: another worker can finish what one began."""

    aliases: AliasStore
    videos: VideoStore
    submissions: SubmissionStore
    publisher: MomentPublisher

    def join(self, record: VideoRecord, link: Link) -> Sequence[NewSubmission]:
        """Make `record` an alias of the video behind `link`, and return the submissions that were moved to it.

        The caller must then repeat the removals that were requested meanwhile. If a space submits the alias while this
        runs, its record waits again. Raises `NoVideoError` if the two addresses lead to each other.
        """
        video_id = self.aliases.resolve(link.video_id)
        if video_id == record.video_id:
            raise NoVideoError(f"{record.link} and {link.url} lead to each other")
        self.aliases.put(record.video_id, video_id)
        moved = []
        for submission in self.submissions.find({"video_id": record.video_id}):
            new = _move(submission, record, video_id, link)
            if not self.submissions.is_removed(submission):
                self.submissions.submit(new)
                moved.append(new)
            self.submissions.delete([submission])
        self.publisher.delete_video(record)
        return moved


def adopt_stored_links(vectors: VectorStore, joins: JoinStore) -> None:
    """Let the ids that this version gives to the links of stored videos mean these videos. Done once for a library.

    Videos that earlier versions took for several, and that are one, are joined. An indexed one is kept.
    """
    if CANONICAL_FORMS in vectors.aliases():
        return
    for video_id, records in _group_by_address(joins.videos.list_all()).items():
        kept = min(records, key=lambda record: (record.status not in FINDABLE, record.video_id != video_id))
        if video_id not in [record.video_id for record in records]:
            joins.aliases.put(video_id, kept.video_id)
        for record in records:
            if record is not kept:
                of_record = Filter({"kind": VoteRecord.KIND, "video_id": record.video_id})
                vectors.set_payload(RECORDS, of_record, {"video_id": kept.video_id})
                joins.join(record, Link(kept.link, kept.fetch_url))
    vectors.point_alias(CANONICAL_FORMS, RECORDS)


def _group_by_address(records: Iterable[VideoRecord]) -> Mapping[str, Sequence[VideoRecord]]:
    """Return the videos whose id is that of their link, by the id that this version gives to the link."""
    groups = defaultdict(list)
    for record in records:
        with suppress(LinkRefusedError):
            if Link(record.link, record.link).video_id == record.video_id:
                groups[canonicalize(record.link).video_id].append(record)
    return groups


def _move(submission: Submission, record: VideoRecord, video_id: str, link: Link) -> NewSubmission:
    """Return a submission of one video as one of another."""
    return NewSubmission(
        video_id=video_id,
        link=link.url,
        fetch_url=link.fetch_url,
        space=submission.space,
        user_id=submission.user_id,
        at=datetime.fromisoformat(submission.at),
        title=record.title,
        private_channel=submission.private_channel,
        user_name=submission.user_name,
        message_id=submission.message_id,
    )
