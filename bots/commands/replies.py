"""What a person sees, before any frontend draws it."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from worker.protocol.error_codes import ErrorCode


@dataclass(frozen=True)
class TextReply:
    """One plain sentence. Not `ok`: what was asked for was not done, for the reason `code`."""

    text: str
    ok: bool = True
    code: ErrorCode | None = None
    correlation_id: str | None = None
    """Short id under which the log holds the cause."""


@dataclass(frozen=True)
class LinkProgress:
    """How far one link has come."""

    link: str
    stage: str
    done: float
    """Share of the whole way, 0 to 1."""


@dataclass(frozen=True)
class IndexingProgress:
    """Where all links of one request stand."""

    lines: "tuple[LinkProgress | LinkOutcome, ...]"
    over: bool = False
    """Nothing more comes: all lines are outcomes, and no link is without one."""


@dataclass(frozen=True)
class LinkOutcome:
    """The last word on one submitted link."""

    link: str
    status: Literal["indexed", "words_only", "already", "failed"]
    text: str
    moments: int = 0
    code: ErrorCode | None = None
    correlation_id: str | None = None

    @property
    def ok(self) -> bool:
        return self.status != "failed"


@dataclass(frozen=True)
class Search:
    """A search that can be carried on: its next page, or the same inside one video."""

    queries: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    in_link: str | None = None
    limit: int = 5
    offset: int = 0
    picture: str | None = None
    """In base64."""

    def inside(self, link: str) -> "Search":
        return replace(self, in_link=link, offset=0)

    @property
    def before(self) -> "Search | None":
        """The search for the page before this; None: this is the first."""
        return replace(self, offset=max(0, self.offset - self.limit)) if self.offset else None


@dataclass(frozen=True)
class Card:
    """One found moment."""

    title: str
    link: str
    moment_link: str
    moment_id: str
    start_s: float
    end_s: float
    time: str
    """`0:12–0:18`"""
    length: str
    """`1:02:03`, or empty where it is not known."""
    added: str
    """`added by ada, 21 Nov 2026`"""
    why: tuple[str, ...]
    score: float
    more: int
    """How many more moments of the same video matched."""
    thumbnail: str | None
    """Key in the blob store."""
    words_only: bool = False


@dataclass(frozen=True)
class Results:
    """Cards, best first; `next` is the search for the page after this."""

    search: Search
    cards: tuple[Card, ...]
    next: Search | None
    took_ms: float
    weak: bool = False
    """Nothing fits well: these are only the nearest."""
    token: str = ""
    """Under which `bots.chat.store` keeps them, so that their buttons work later; empty: not kept."""


@dataclass(frozen=True)
class LibraryItem:
    """One video of the library."""

    title: str
    link: str
    status: Literal["waiting", "indexed", "words_only", "failed"]
    state: str
    """The status in words."""
    moments: int
    length: str
    added: str
    thumbnail: str | None
    problem: str | None = None
    """Why it failed, or why only its words could be had, as a sentence."""


@dataclass(frozen=True)
class LibraryPage:
    """A page of the library."""

    entries: tuple[LibraryItem, ...]
    total: int


@dataclass(frozen=True)
class Removed:
    """Links that are no longer in the library."""

    links: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Help:
    """Each command with its arguments and what it does."""

    lines: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Shared:
    """One card that everybody in the channel is to see."""

    card: Card
    by: str
    """Id of who shares it."""
    query: str


@dataclass(frozen=True)
class Confirmation:
    """A sentence with a button, which runs `command` with `args` when it is pressed."""

    text: str
    button: str
    command: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class TrainingProgress:
    """How far a retrain has come, or how it ended (`over`)."""

    text: str
    done: float
    """Share of the stage, 0 to 1."""
    over: bool = False
    picture: str | None = None
    """Key in the blob store of the curves."""

    @property
    def progress(self) -> LinkProgress:
        """The same for frontends that draw bars."""
        return LinkProgress("retrain", self.text, self.done)


@dataclass(frozen=True)
class SettingsView:
    """A space's settings: each one's name, what it means, its value, and what it may be."""

    lines: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    text: str = ""


Reply: TypeAlias = (
    TextReply
    | LinkProgress
    | LinkOutcome
    | IndexingProgress
    | Results
    | Shared
    | LibraryPage
    | Removed
    | Help
    | Confirmation
    | TrainingProgress
    | SettingsView
)
Replies: TypeAlias = AsyncGenerator[Reply, None]
"""What a command gives. Closing it stops the listening, not the work."""


def succeeded(reply: Reply) -> bool:
    """Whether this reply tells of nothing that failed."""
    if isinstance(reply, IndexingProgress):
        return all(map(succeeded, reply.lines))
    return reply.ok if isinstance(reply, TextReply | LinkOutcome) else True
