"""Requests about the videos of a space: submit, list and forget them."""

import time

from pydantic import Field

from indexer.link.searches import is_search as is_search
from indexer.senses import Sense as Sense
from indexer.store.records import IndexStatus as IndexStatus
from worker.protocol.base import Ack, Request, WireModel
from worker.protocol.error_codes import ErrorCode
from worker.protocol.updates import Indexed, JobFailed, Joined


class Submitted(WireModel):
    """Answer for an accepted link. Its job has the id `job_id`, or `indexed` says that none is needed."""

    link: str
    video_id: str
    job_id: str | None
    indexed: Indexed | None = None


class Submit(Request[Submitted]):
    """Add a link to the space's library. Videos that are not indexed yet get a job."""

    task = "submit"
    answer = Submitted
    link: str
    title: str | None = None
    """Replaces the site's title; used for the operator's samples only."""
    local_files: bool = False
    """Accept a path as a link; used by the command line only."""
    message_id: str | None = None
    """The chat message that contains the link; if it is deleted, the submission is too."""
    is_crawled: bool = False
    """The link is one of a crawl that was requested at `at`: after `StopCrawls` it is refused."""
    at: float = Field(default_factory=time.time)
    """When the user asked (Unix time). A link that was forgotten since then is not added again."""


class Enrich(Request[Submitted]):
    """Recognize speech, text on the screen and sounds of a video in the library again. Admins only."""

    task = "enrich"
    answer = Submitted
    link: str
    only_missing: bool = False
    """Only what was never recognized, or failed."""


class VideoStatus(WireModel):
    """How a video's job ended according to the record; None if it has not ended."""

    update: Indexed | Joined | JobFailed | None


class GetVideoStatus(Request[VideoStatus]):
    """Get a submitted video's status, for callers whose job has been silent. A lost job is queued again."""

    task = "get_video_status"
    answer = VideoStatus
    video_id: str


class PlaylistLinks(WireModel):
    """The links of a playlist, a channel or a feed, in its order."""

    links: tuple[str, ...]


class ListPlaylist(Request[PlaylistLinks]):
    """List the links of a playlist, a channel, a feed or a search on YouTube without submitting them. Admins only."""

    task = "list_playlist"
    answer = PlaylistLinks
    link: str
    max_links: int = Field(default=50, ge=1, le=500)


class StopCrawls(Request[Ack]):
    """Stop the crawls of the space that were requested until `at`. What they have added stays. Admins only."""

    task = "stop_crawls"
    answer = Ack
    at: float = Field(default_factory=time.time)
    """When the user asked (Unix time)."""


class LibraryEntry(WireModel):
    """A video in the library, with its first submission."""

    link: str
    video_id: str
    title: str
    status: IndexStatus
    code: ErrorCode | None = None
    """The reason if it failed or only its words could be indexed."""
    moments: int
    duration_s: float | None
    submitter: str
    submitted_at: str
    thumbnail: str | None
    """Key in the blob store."""
    message_id: str | None = None
    """The chat message that contained the link."""
    pending_senses: tuple[Sense, ...] = ()
    """What is still to be recognized in it."""
    failed_senses: dict[Sense, ErrorCode] = Field(default_factory=dict)
    """What could not be recognized, and why."""


class LibraryListing(WireModel):
    """One page of the library, newest submission first."""

    entries: tuple[LibraryEntry, ...]
    total: int


class ListLibrary(Request[LibraryListing]):
    """List the videos that the caller can find."""

    task = "list_library"
    answer = LibraryListing
    limit: int = Field(default=20, ge=1, le=200)
    offset: int = Field(default=0, ge=0)
    search: str | None = None
    """Only videos with these words in their title or link."""
    only_own: bool = False
    """Only what the caller submitted."""


class ForgetResult(WireModel):
    """The links that were removed from the space."""

    links: tuple[str, ...]


class Forget(Request[ForgetResult]):
    """Remove one link, everything the caller submitted (`only_own`), or the links of a chat message from the space.

    A link can be removed by its submitter and by admins.
    """

    task = "forget"
    answer = ForgetResult
    link: str | None = None
    only_own: bool = False
    message_id: str | None = None
    kept_links: tuple[str, ...] = ()
    """Links that the message still contains after it was edited; they are not removed."""
    at: float = Field(default_factory=time.time)
    """When the user asked (Unix time)."""


class LibraryStatus(WireModel):
    """Counts of the videos that the caller can find, and the model that searches them."""

    preset: str
    generation: str | None
    """None: nothing is indexed yet."""
    videos: int
    moments: int
    waiting: int
    """Videos that are not indexed yet."""
    listening: int = 0
    """Videos whose speech, text or sounds are still to be recognized."""
    is_listening_stalled: bool = False
    """Whether no worker does that."""
    failed_senses: dict[Sense, int] = Field(default_factory=dict)
    """Numbers of videos in which a sense could not be recognized."""


class GetStatus(Request[LibraryStatus]):
    """Get the counts and the model of the library."""

    task = "get_status"
    answer = LibraryStatus
