"""What crosses the wire between frontends and workers, as JSON. Nothing else does.

A frontend calls with a request and gets that request's answer. A submitted link becomes a job, whose updates are
followed by its id until an `Indexed`, a `RetrainFinished` or a `JobFailed` comes.
"""

import time
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from worker.protocol.error_codes import ErrorCode

MAX_QUERY_CHARS = 10_000
MAX_PICTURE_BYTES = 8_000_000
MAX_PICTURE_CHARS = 4 * MAX_PICTURE_BYTES // 3 + 4


class WireModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


A = TypeVar("A", bound=WireModel, covariant=True)


class Caller(WireModel):
    """Who asks, and from which space."""

    space: str = Field(pattern=r"^(discord|slack|local):[\w-]+$")
    user_id: str
    """The platform's id: names change."""
    name: str = ""
    """As the others of the space know the person."""
    private_channel: str = Field(default="", pattern=r"^[\w-]*$")
    """The private channel it is asked in; empty where all of the space may read along."""
    is_admin: bool = False
    """As the platform says, asked anew each time."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What may be found from here: what the whole space may see, and what this room put in."""
        return (self.space, f"{self.space}/{self.private_channel}") if self.private_channel else (self.space,)


# ---- answers ----


class MatchReason(WireModel):
    """The reason a moment was found: `looks` (frame), `motion`, or `words` with the matching snippet."""

    kind: Literal["looks", "motion", "words"]
    snippet: str = ""


class Hit(WireModel):
    link: str
    moment_link: str
    title: str
    start_s: float
    end_s: float
    score: float
    """0 to 1: how likely this is what was meant, judged against the library itself."""
    why: tuple[MatchReason, ...]
    thumbnail: str | None
    """Key in the blob store."""
    more: int
    """How many more moments of the same video matched."""
    moment_id: str
    video_id: str
    duration_s: float | None
    submitter: str
    submitted_at: str
    words_only: bool = False
    """The pictures could not be had; found by title and description."""


class SearchResults(WireModel):
    hits: tuple[Hit, ...]
    next_offset: int | None = None
    weak: bool = False
    """None of the hits stands out from the library: what was meant is probably not there."""
    picture: str | None = None
    """The picture that was asked with, made small: enough to go on with."""


class Submitted(WireModel):
    """The link was taken; follow `job_id`. Links that need no work come back with `indexed` at once."""

    link: str
    video_id: str
    job_id: str | None
    indexed: "Indexed | None" = None


class VideoStatus(WireModel):
    """How the job of a video ended, as the record has it; None: it has not."""

    update: "Indexed | JobFailed | None"


class LibraryEntry(WireModel):
    link: str
    video_id: str
    title: str
    status: Literal["waiting", "indexed", "words_only", "failed"]
    code: ErrorCode | None = None
    moments: int
    duration_s: float | None
    submitter: str
    submitted_at: str
    thumbnail: str | None


class LibraryPage(WireModel):
    entries: tuple[LibraryEntry, ...]
    total: int


class ForgetResult(WireModel):
    links: tuple[str, ...]


class Ack(WireModel):
    """It was done; there is nothing to tell."""


class SpaceSettings(WireModel):
    """What a space's admins have decided."""

    watched: tuple[str, ...] = ()
    """Channels whose links are submitted by themselves."""
    submitters: Literal["everyone", "admins"] = "everyone"
    language: Literal["", "en", "ko", "zh"] = ""
    """Of what the whole space reads; empty: as the platform says."""
    answers: Literal["private", "public"] = "private"
    private_channels: Literal["closed", "open"] = "closed"
    """Whether links from private channels are found there only (`closed`) or in the whole space."""


class RetentionPolicy(WireModel):
    """What the installation promises about what it keeps."""

    leave_grace_days: float
    adapter_scope: Literal["space", "installation"]
    keep_queries_days: float | None = None
    """Votes; None: for good."""
    keep_shown_days: float = 30
    """Results that chats showed."""
    keep_frames_days: float | None = None


class PlaylistLinks(WireModel):
    """The links of a playlist, a channel or a feed, in its order."""

    links: tuple[str, ...]


class TrainingDataSummary(WireModel):
    """What a retrain would learn from."""

    pairs: int
    videos: int
    people: int
    kinds: Mapping[str, int]
    """How many pairs of titles, speech, votes, …"""
    missing: int
    """How many more pairs are needed before it makes sense; 0: enough."""


class RetrainStarted(WireModel):
    """A retrain that was begun, and whether by this request; `job_id` can be followed."""

    job_id: str | None
    """None: none is running."""
    begun: bool = False


class Generation(WireModel):
    """One state of the model: a preset with an adapter or none."""

    name: str
    preset: str
    adapter: str | None
    """Key of its folder in the blob store; None: the preset as it came."""
    made_at: str
    live: bool
    r5_before: float | None = None
    """Share of held-out questions whose answer is among the first five, with the model it was made from."""
    r5: float | None = None
    questions: int = 0
    """How many there were."""


class ModelList(WireModel):
    """The generations that are kept, newest first."""

    generations: tuple[Generation, ...]


class LibraryStatus(WireModel):
    preset: str
    generation: str
    videos: int
    moments: int
    waiting: int


# ---- requests: each names its task and its answer ----


class CallFailedError(Exception):
    """A request that got no answer, raised in the caller."""

    def __init__(self, code: ErrorCode, correlation_id: str) -> None:
        super().__init__(f"{code} ({correlation_id})")
        self.code = code
        self.correlation_id = correlation_id


class Request(WireModel, Generic[A]):
    """A question to the workers whose answer is an `A`."""

    task: ClassVar[str]
    answer: ClassVar[type[WireModel]]
    caller: Caller


class Find(Request[SearchResults]):
    """Moments for any of `queries`, towards the moments `like` and away from `unlike`, perhaps inside one video."""

    task = "find"
    answer = SearchResults
    queries: tuple[Annotated[str, Field(max_length=MAX_QUERY_CHARS)], ...] = ()
    like: tuple[str, ...] = ()
    """Words, or the id of a moment written `moment:<id>`."""
    unlike: tuple[str, ...] = ()
    picture: str | None = Field(default=None, max_length=MAX_PICTURE_CHARS)
    """A picture (JPEG, PNG, WebP or GIF) that the moment looks like, in base64."""
    in_link: str | None = None
    limit: int = Field(default=5, ge=1, le=50)
    offset: int = Field(default=0, ge=0)


class Submit(Request[Submitted]):
    task = "submit"
    answer = Submitted
    link: str
    title: str | None = None
    """Stands in for the site's own; only the operator's samples set it."""
    local_files: bool = False
    """Only the command line sets this: there a path is a link too."""
    message: str = ""
    """The chat message that holds the link; it takes the submission along when it goes."""
    at: float = Field(default_factory=time.time)
    """When that was asked, in seconds since 1970: a link that was forgotten since stays away."""


class ListLibrary(Request[LibraryPage]):
    task = "library"
    answer = LibraryPage
    limit: int = Field(default=20, ge=1, le=200)
    offset: int = Field(default=0, ge=0)
    search: str = ""
    mine: bool = False
    """Only what the asker submitted."""


class ListPlaylist(Request[PlaylistLinks]):
    """What a playlist, a channel or a feed holds; nothing is submitted yet. Admins only."""

    task = "crawl"
    answer = PlaylistLinks
    link: str
    most: int = Field(default=50, ge=1, le=500)


class Forget(Request[ForgetResult]):
    """Takes back one link, everything the asker submitted (`mine`), or what a chat message held.

    A link is taken back by who submitted it, or by an admin.
    """

    task = "forget"
    answer = ForgetResult
    link: str | None = None
    mine: bool = False
    message: str = ""
    still: tuple[str, ...] = ()
    """Links that the edited message holds still: they stay."""
    at: float = Field(default_factory=time.time)
    """When that was asked, in seconds since 1970."""


VoteKind: TypeAlias = Literal["up", "down", "opened", "shared"]


class RecordVote(Request[Ack]):
    """What a person thinks of a moment as the answer to a question. A later vote takes the place of an earlier one."""

    task = "vote"
    answer = Ack
    queries: tuple[Annotated[str, Field(max_length=MAX_QUERY_CHARS)], ...]
    moment_id: str
    kind: VoteKind


class GetRetentionPolicy(Request[RetentionPolicy]):
    task = "read_terms"
    answer = RetentionPolicy


class GetSettings(Request[SpaceSettings]):
    task = "read_settings"
    answer = SpaceSettings


class ChangeSettings(Request[SpaceSettings]):
    """Admins only."""

    task = "change_settings"
    answer = SpaceSettings
    settings: SpaceSettings


class RecordBotRemoval(Request[Ack]):
    """The bot was removed from the space, whose data go after the installation's grace time; or it is `back`.

    Of two that come in the wrong order the one that happened later counts.
    """

    task = "leave"
    answer = Ack
    back: bool = False
    at: float = Field(default_factory=time.time)
    """When that happened, in seconds since 1970."""


class PreviewRetrain(Request[TrainingDataSummary]):
    """Admins only."""

    task = "preview_retrain"
    answer = TrainingDataSummary


class Retrain(Request[RetrainStarted]):
    """Begins a retrain, or tells of the one that runs. Admins only.

    `cancel`: ends it at its next checkpoint. Without `begin`: tells also of the one that has just ended.
    """

    task = "retrain"
    answer = RetrainStarted
    cancel: bool = False
    begin: bool = True


class ListModels(Request[ModelList]):
    task = "read_models"
    answer = ModelList


class Rollback(Request[ModelList]):
    """Back to the generation before, or to the one named by `to`. Admins only."""

    task = "rollback"
    answer = ModelList
    to: str | None = None


class GetVideoStatus(Request[VideoStatus]):
    """How a submitted video stands, for who has heard nothing of its job for long. A lost job is made anew."""

    task = "standing"
    answer = VideoStatus
    video_id: str


class GetStatus(Request[LibraryStatus]):
    task = "status"
    answer = LibraryStatus


REQUESTS: tuple[type[Request[Any]], ...] = (
    Find,
    Submit,
    ListPlaylist,
    ListLibrary,
    Forget,
    GetStatus,
    RecordVote,
    GetRetentionPolicy,
    GetSettings,
    ChangeSettings,
    RecordBotRemoval,
    PreviewRetrain,
    Retrain,
    ListModels,
    Rollback,
    GetVideoStatus,
)


# ---- updates of a job ----


class IndexProgress(WireModel):
    kind: Literal["progress"] = "progress"
    stage: Literal["waiting", "fetch", "decode", "embed", "store"]
    done: float = Field(ge=0, le=1)


class Indexed(WireModel):
    kind: Literal["indexed"] = "indexed"
    link: str
    title: str
    status: Literal["indexed", "words_only", "already"]
    code: ErrorCode | None = None
    """Why only the words could be had."""
    moments: int


class RetrainProgress(WireModel):
    """How far a retrain has come."""

    kind: Literal["learning"] = "learning"
    stage: Literal["waiting", "gather", "train", "evaluate", "embed", "switch"]
    step: int = 0
    steps: int = 0
    loss: float | None = None
    left_s: float | None = None


class RetrainFinished(WireModel):
    """How a retrain ended: `promoted`, or why not."""

    kind: Literal["learned"] = "learned"
    outcome: Literal["promoted", "not_better", "forgets", "cancelled"]
    r5_before: float | None = None
    r5: float | None = None
    questions: int = 0
    picture: str | None = None
    """Key of the report's picture in the blob store."""


class JobFailed(WireModel):
    kind: Literal["failed"] = "failed"
    code: ErrorCode
    correlation_id: str
    """Short id, in the log too."""


Update: TypeAlias = Annotated[
    IndexProgress | Indexed | RetrainProgress | RetrainFinished | JobFailed, Field(discriminator="kind")
]
