"""Requests about hits: search, and votes on what was found."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from indexer.hits import Hit as Hit
from indexer.hits import MatchKind as MatchKind
from indexer.hits import MatchReason as MatchReason
from indexer.hits import Strength as Strength
from worker.protocol.base import Ack, Request, WireModel

MAX_QUERY_CHARS = 10_000
MAX_PICTURE_BYTES = 8_000_000
MAX_PICTURE_CHARS = 4 * MAX_PICTURE_BYTES // 3 + 4
"""Length of `MAX_PICTURE_BYTES` in base64. A clip has the same limit."""
MAX_CLIP_FRAMES = 8
MAX_FRAME_CHARS = 1_400_000
"""Length of the largest frame of a clip in base64."""


class SearchResults(WireModel):
    """One page of hits, best first."""

    hits: tuple[Hit, ...]
    next_offset: int | None = None
    """Offset of the next page; None: this is the last one."""
    weak: bool = False
    """All hits are weak, so the library probably has no match for the query."""
    weaker_follow: bool = False
    """The page ends before it is full, because only weak matches follow strong ones."""
    can_describe: bool = False
    """A model server can say what happens in the hits."""
    picture: str | None = None
    """The query's picture, reduced to the size that further pages need."""
    frames: tuple[str, ...] = ()
    """Frames of the query's clip, which further pages need in its place."""


class Find(Request[SearchResults]):
    """Search for moments that match any of `queries`, are similar to `like` and different from `unlike`."""

    task = "find"
    answer = SearchResults
    queries: tuple[Annotated[str, Field(max_length=MAX_QUERY_CHARS)], ...] = ()
    like: tuple[str, ...] = ()
    """Each is words, or the id of a moment written `moment:<id>`."""
    unlike: tuple[str, ...] = ()
    picture: str | None = Field(default=None, max_length=MAX_PICTURE_CHARS)
    """A picture (JPEG, PNG, WebP, GIF or AVIF, in base64) that the moment looks like."""
    clip: str | None = Field(default=None, max_length=MAX_PICTURE_CHARS)
    """A short video (in base64) that the moment looks like and moves like."""
    frames: tuple[Annotated[str, Field(max_length=MAX_FRAME_CHARS)], ...] = Field(
        default=(), max_length=MAX_CLIP_FRAMES
    )
    """The frames of that clip, if an earlier page returned them."""
    in_link: str | None = None
    """Search only in the video with this link."""
    only: Literal["looks", "said", "shown", "heard"] | None = None
    """Search only what is seen, said, shown as text, or heard."""
    tags: tuple[str, ...] = Field(default=(), max_length=8)
    """Search only moments with all of these tags: words of `text.vocabulary`, in English."""
    limit: int = Field(default=5, ge=1, le=50)
    offset: int = Field(default=0, ge=0)


VoteKind: TypeAlias = Literal["up", "down", "opened", "shared"]


class RecordVote(Request[Ack]):
    """Record what a user thinks of a moment as an answer to a query. A later vote replaces an earlier one."""

    task = "record_vote"
    answer = Ack
    queries: tuple[Annotated[str, Field(max_length=MAX_QUERY_CHARS)], ...]
    moment_id: str
    kind: VoteKind
