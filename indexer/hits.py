"""Hits of a search. The wire protocol and the frontends use them too, so this module imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal, TypeAlias

STRONG_SCORE: Final = 0.6
WEAK_SCORE: Final = 0.2
"""Chosen and judged by `python -m benchmarks.recall.nothing_here` (docs/starter-model.md)."""

OnlyKind: TypeAlias = Literal["looks", "said", "shown", "heard"]
"""What a search can be restricted to."""


class MatchKind(StrEnum):
    """Kind of match by which a moment was found."""

    LOOKS = "looks"
    MOTION = "motion"
    TITLE = "title"
    """The title, the description or a chapter."""
    SAID = "said"
    SHOWN = "shown"
    HEARD = "heard"
    LIKED = "liked"
    """People voted for the moment as an answer to a near question."""


class Strength(StrEnum):
    """How well a hit matches."""

    STRONG = "strong"
    FAIR = "fair"
    WEAK = "weak"
    """About as well as moments match that have nothing to do with the query."""


@dataclass(frozen=True)
class MatchReason:
    """One reason for which a moment was found."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    kind: MatchKind
    snippet: str | None = None
    """The matching part of the title, or of what is said or shown; the name of the sound (of its AudioSet class); or
    the question that the moment was liked for.
    """
    at_s: float | None = None
    """The second at which this is said, shown or heard."""
    end_s: float | None = None
    """The second at which the line or the sound ends."""


@dataclass(frozen=True)
class Hit:
    """The best moment of a video, or one of its moments if the search was within a video."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    link: str
    moment_link: str
    """The link with the second `opens_at_s`, or without it if the site has no such links."""
    title: str
    start_s: float
    end_s: float
    """Its span: what was found, refined within the moment and joined over the moments around it."""
    opens_at_s: float
    """The second to open: where the words are said or shown, or a little before the span if that is the same shot."""
    score: float
    """Likelihood from 0 to 1 that this is what the query means: the highest of all kinds of match."""
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
    tags: tuple[str, ...] = ()
    """What the moment certainly shows: words of `text.vocabulary`, in English."""

    @property
    def is_liked(self) -> bool:
        """Whether people voted for it as an answer to a near question."""
        return any(why.kind is MatchKind.LIKED for why in self.why)

    @property
    def strength(self) -> Strength:
        """How well it matches. What people liked for a near question is what they meant, so that it is not weak."""
        return rate_score(self.score, self.is_liked)


def rate_score(score: float, is_liked: bool = False) -> Strength:
    """Return how well a moment with this score matches."""
    if score >= STRONG_SCORE:
        return Strength.STRONG
    return Strength.FAIR if score >= WEAK_SCORE or is_liked else Strength.WEAK
