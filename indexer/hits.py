"""Hits of a search. The wire protocol and the frontends use them too, so this module imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


class MatchKind(StrEnum):
    """Kind of match by which a moment was found."""

    LOOKS = "looks"
    MOTION = "motion"
    WORDS = "words"
    LIKED = "liked"
    """People voted for the moment as an answer to a near question."""


@dataclass(frozen=True)
class MatchReason:
    """One reason for which a moment was found."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    kind: MatchKind
    snippet: str | None = None
    """The matching part of the moment's text, if it was found by words, or the question that it was liked for."""


@dataclass(frozen=True)
class Hit:
    """The best moment of a video, or one of its moments if the search was within a video."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    link: str
    moment_link: str
    """The link with the second at which the moment begins, if the site has such links."""
    title: str
    start_s: float
    end_s: float
    score: float
    """Likelihood from 0 to 1 that this is what the query means: the highest of those by looks, motion and words."""
    why: tuple[MatchReason, ...]
    """The strongest reason first."""
    thumbnail: str | None
    """Key in the blob store."""
    more: int
    """Number of further moments of the same video that matched."""
    moment_id: str
    video_id: str
    duration_s: float | None
    """Of the whole video."""
    submitter: str
    submitted_at: str
    """ISO time, UTC."""
    message_id: str | None = None
    """The chat message that contained the link."""
    words_only: bool = False
    """Whether the video's pictures could not be fetched."""
