"""Joining a video to another one, after a site has told that both are the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from indexer.errors import NoVideoError
from indexer.link.canonical import Link
from indexer.store.aliases import AliasStore
from indexer.store.publishing import MomentPublisher
from indexer.store.records import NewSubmission, Submission, VideoRecord
from indexer.store.submissions import SubmissionStore
from indexer.store.videos import VideoStore


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
        runs, its record waits again. Raise `NoVideoError` if the two addresses lead to each other.
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
