"""Requests about what a library contains: its topics."""

from worker.protocol.base import Request, WireModel


class Topic(WireModel):
    """One topic of a library."""

    names: tuple[str, ...]
    """Words of `text.vocabulary`, in English; none if no word fits."""
    moment_id: str
    """The moment nearest to the centre of the topic."""
    thumbnail: str | None
    """Key of its picture in the blob store."""
    moments: int
    videos: int


class TopicListing(WireModel):
    """The topics that the caller can see, the largest first."""

    topics: tuple[Topic, ...]
    is_pending: bool = False
    """Whether they are still being made; there are none yet then."""


class ListTopics(Request[TopicListing]):
    """List the topics of the videos that the caller can see."""

    task = "list_topics"
    answer = TopicListing
