"""What crosses the wire between frontends and workers, as JSON. Nothing else does.

A frontend calls with a request and gets that request's answer. A submitted link becomes a job, whose updates are
followed by its id until an `Indexed` or a `Failed` comes.
"""

from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from worker.codes import Code

MAX_QUERY_CHARS = 10_000


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


A = TypeVar("A", bound=Message, covariant=True)


class Asker(Message):
    """Who asks, and from which space."""

    space: str = Field(pattern=r"^(discord|slack|local):[\w-]+$")
    person: str


# ---- answers ----


class Why(Message):
    """The reason a moment was found: `looks` (frame), `motion`, or `words` with the matching snippet."""

    kind: Literal["looks", "motion", "words"]
    snippet: str = ""


class Hit(Message):
    link: str
    moment_link: str
    title: str
    start_s: float
    end_s: float
    score: float
    """0 to 1: how likely this is what was meant, judged against the library itself."""
    why: tuple[Why, ...]
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


class Found(Message):
    hits: tuple[Hit, ...]
    next_offset: int | None = None


class Submitted(Message):
    """The link was taken; follow `job_id`. Links that need no work come back with `indexed` at once."""

    link: str
    video_id: str
    job_id: str | None
    indexed: "Indexed | None" = None


class LibraryEntry(Message):
    link: str
    video_id: str
    title: str
    status: Literal["waiting", "indexed", "words_only", "failed"]
    code: Code | None = None
    moments: int
    duration_s: float | None
    submitter: str
    submitted_at: str
    thumbnail: str | None


class LibraryPage(Message):
    entries: tuple[LibraryEntry, ...]
    total: int


class Forgotten(Message):
    links: tuple[str, ...]


class State(Message):
    preset: str
    generation: str
    videos: int
    moments: int
    waiting: int


# ---- requests: each names its task and its answer ----


class CallFailed(Exception):
    """A request that got no answer, raised in the caller."""

    def __init__(self, code: Code, incident: str) -> None:
        super().__init__(f"{code} ({incident})")
        self.code = code
        self.incident = incident


class Request(Message, Generic[A]):
    """A question to the workers whose answer is an `A`."""

    task: ClassVar[str]
    answer: ClassVar[type[Message]]
    asker: Asker


class Find(Request[Found]):
    """Moments for any of `queries`, towards the moments `like` and away from `unlike`, perhaps inside one video."""

    task = "find"
    answer = Found
    queries: tuple[Annotated[str, Field(max_length=MAX_QUERY_CHARS)], ...] = ()
    like: tuple[str, ...] = ()
    """Words, or the id of a moment written `moment:<id>`."""
    unlike: tuple[str, ...] = ()
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


class Library(Request[LibraryPage]):
    task = "library"
    answer = LibraryPage
    limit: int = Field(default=20, ge=1, le=200)
    offset: int = Field(default=0, ge=0)
    search: str = ""


class Forget(Request[Forgotten]):
    """Takes back one link, or everything the asker submitted (`mine`)."""

    task = "forget"
    answer = Forgotten
    link: str | None = None
    mine: bool = False


class Status(Request[State]):
    task = "status"
    answer = State


REQUESTS: tuple[type[Request[Any]], ...] = (Find, Submit, Library, Forget, Status)


# ---- updates of a job ----


class Progress(Message):
    kind: Literal["progress"] = "progress"
    stage: Literal["waiting", "fetch", "decode", "embed", "store"]
    done: float = Field(ge=0, le=1)


class Indexed(Message):
    kind: Literal["indexed"] = "indexed"
    link: str
    title: str
    status: Literal["indexed", "words_only", "already"]
    code: Code | None = None
    """Why only the words could be had."""
    moments: int


class Failed(Message):
    kind: Literal["failed"] = "failed"
    code: Code
    incident: str
    """Short id, in the log too."""


Update: TypeAlias = Annotated[Progress | Indexed | Failed, Field(discriminator="kind")]
