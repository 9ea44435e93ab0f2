"""Replies of commands, before a frontend renders them."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from bots.commands.findings import Answer, TopicsPage
from bots.i18n.messages import Msg
from bots.i18n.translate import format_clock, translate
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import IndexStatus, Sense
from worker.protocol.search import MatchReason, Strength


@dataclass(frozen=True)
class TextReply:
    """A sentence. If it is not `ok`, the request failed or was refused for the reason `code`."""

    text: str
    ok: bool = True
    code: ErrorCode | None = None
    correlation_id: str | None = None
    """The id of the log lines that tell the cause."""


@dataclass(frozen=True)
class LinkProgress:
    """The progress of one submitted link."""

    link: str
    stage: str
    """The stage in words."""
    done: float
    """Share of the stages of the current job that is done, 0 to 1."""
    is_added: bool = False
    """The video can be found by its looks, and its speech, text and sounds are still being recognized."""


@dataclass(frozen=True)
class IndexingProgress:
    """The progress or outcome of each link of one request."""

    lines: "tuple[LinkProgress | LinkOutcome, ...]"
    is_final: bool = False
    """Every link has its outcome, and no further reply follows."""


class LinkStatus(StrEnum):
    """How the submission of a link ended."""

    INDEXED = "indexed"
    WORDS_ONLY = "words_only"
    ALREADY = "already"
    FAILED = "failed"


@dataclass(frozen=True)
class LinkOutcome:
    """The last reply about one submitted link."""

    link: str
    status: LinkStatus
    text: str
    moments: int = 0
    code: ErrorCode | None = None
    correlation_id: str | None = None
    is_first_of_several: bool = False
    """Whether the post has more videos, which were not added. The text says so."""

    @property
    def ok(self) -> bool:
        return self.status != LinkStatus.FAILED

    @property
    def says_more_than_added(self) -> bool:
        """Whether a check mark is not enough of an answer."""
        return not self.ok or self.is_first_of_several


@dataclass(frozen=True)
class Search:
    """A search that can be continued: its next page, or the same search inside one video."""

    queries: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    in_link: str | None = None
    limit: int = 5
    offset: int = 0
    picture: str | None = None
    """In base64."""
    clip: str | None = None
    """A video file in base64; its further pages have `frames` instead."""
    frames: tuple[str, ...] = ()
    """Frames of the clip in base64."""
    tags: tuple[str, ...] = ()
    """Words of the vocabulary in English: only moments that have all of these tags are found."""
    only: str | None = None
    """`looks`, `said`, `shown` or `heard`: search only this."""

    def inside(self, link: str) -> "Search":
        """Return the same search restricted to one video."""
        return replace(self, in_link=link, offset=0)

    def more_like(self, moment_id: str) -> "Search":
        """Return the same search, in all videos, for what is similar to a moment."""
        return replace(self, like=(*self.like, f"moment:{moment_id}"), in_link=None, only=None, offset=0)

    def less_like(self, moment_id: str) -> "Search":
        """Return the same search for what is different from a moment."""
        return replace(self, unlike=(*self.unlike, f"moment:{moment_id}"), offset=0)

    @property
    def is_empty(self) -> bool:
        """Whether nothing says what to find."""
        return not (self.queries or self.like or self.picture or self.clip or self.frames)

    @property
    def title(self) -> str:
        """The heading of its results."""
        if self.queries:
            return translate(Msg.FOUND, query=", ".join(self.queries))
        if self.clip or self.frames:
            return translate(Msg.FOUND_LIKE_CLIP)
        return translate(Msg.FOUND_LIKE if self.picture else Msg.FOUND_SIMILAR)

    @property
    def previous(self) -> "Search | None":
        """The search for the previous page; None on the first page."""
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
    length: str | None
    """Length of the video as `1:02:03`, if it is known."""
    submitter: str
    submitted_at: str
    """ISO time, UTC. Each frontend shows the day in its reader's time zone (`format_origin`)."""
    why: tuple[str, ...]
    """The reasons for which it was found, in words."""
    score: float
    strength: Strength
    """How well it matches."""
    more: int
    """Number of further matching moments in the same video."""
    thumbnail: str | None
    """Key in the blob store."""
    words_only: bool = False
    reasons: tuple[MatchReason, ...] = ()
    opens_at_s: float | None = None
    """The second that `moment_link` opens."""
    message_id: str | None = None
    """The chat message that contained the link."""
    tags: str = ""
    """What the moment certainly shows, in words."""
    note: str | None = None
    """What to know before the link is opened."""

    @property
    def match(self) -> str:
        """How well it matches, as a bar and in words."""
        return translate(_MATCHES[self.strength])

    @property
    def alt_text(self) -> str:
        """The text that stands for its picture."""
        return ", ".join(filter(None, [self.title, self.time, self.tags]))


@dataclass(frozen=True)
class Results:
    """Cards, best first. `next` is the search for the next page."""

    search: Search
    cards: tuple[Card, ...]
    next: Search | None
    took_ms: float
    weak: bool = False
    """No card matches well: these are only the nearest moments."""
    weaker_follow: bool = False
    """The next page begins with weak matches. They are not on the same page as strong ones."""
    can_describe: bool = False
    """A model server can say what happens in the moments."""
    token: str | None = None
    """The key under which a chat frontend stored the results for their buttons; None if they are not stored."""


@dataclass(frozen=True)
class LibraryItem:
    """One video of the library."""

    title: str
    link: str
    status: IndexStatus
    state: str
    """The status in words."""
    moments: int
    length: str | None
    submitter: str
    submitted_at: str
    """ISO time, UTC."""
    thumbnail: str | None
    message_id: str | None = None
    """The chat message that contained the link."""
    problem: str | None = None
    """What failed, and why: the video, its pictures, or the recognition of a sense."""
    pending_senses: tuple[Sense, ...] = ()
    failed_senses: tuple[Sense, ...] = ()


@dataclass(frozen=True)
class LibraryPage:
    """A page of the library; `total` counts the videos of all pages."""

    entries: tuple[LibraryItem, ...]
    total: int


@dataclass(frozen=True)
class Removed:
    """Links that were removed from the library."""

    links: tuple[str, ...]
    text: str


class HelpLine(NamedTuple):
    """One command in the help."""

    name: str
    usage: str
    """The text that can follow the name."""
    help: str


@dataclass(frozen=True)
class Help:
    """The commands that a user may call."""

    lines: tuple[HelpLine, ...]


@dataclass(frozen=True)
class Shared:
    """A card that a user shares with the whole channel."""

    card: Card
    by: str
    """The user's id."""
    query: str


@dataclass(frozen=True)
class Confirmation:
    """A question with a button that runs `command` with `args`."""

    text: str
    button: str
    command: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a retrain, or its result if it `is_final`."""

    text: str
    done: float
    """Share of the stage that is done, 0 to 1."""
    is_final: bool = False
    picture: str | None = None
    """Key of the picture of the training curves in the blob store."""
    task: str = "retrain"
    """The label of its bar: `retrain`, or the model that is switched to."""

    @property
    def as_link_progress(self) -> LinkProgress:
        """The same progress for frontends that draw bars."""
        return LinkProgress(self.task, self.text, self.done)


@dataclass(frozen=True)
class ReplyButton:
    """A button that runs `command` with `args`."""

    label: str
    command: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class CrawlProgress:
    """How many videos of a list were added so far, or how the crawl ended if it `is_final`."""

    text: str
    done: float
    """Share of the videos that is done, 0 to 1."""
    failures: tuple[LinkOutcome, ...] = ()
    """The first videos that could not be added."""
    button: ReplyButton | None = None
    """Stops the crawl."""
    is_final: bool = False

    @property
    def as_link_progress(self) -> LinkProgress:
        """The same progress for frontends that draw bars."""
        return LinkProgress("crawl", self.text, self.done)


class FollowedItem(NamedTuple):
    """A channel, playlist or feed that the space follows."""

    link: str
    about: str
    """Who follows it, and how many videos it has added."""
    problem: str | None
    """A sentence that says why the last look at it failed."""


@dataclass(frozen=True)
class FollowedPage:
    """All that the space follows."""

    title: str
    items: tuple[FollowedItem, ...]


class SettingLine(NamedTuple):
    """One setting of a space."""

    name: str
    description: str
    value: str
    choices: tuple[str, ...]
    """The accepted values; empty if any value is accepted."""


@dataclass(frozen=True)
class SettingsView:
    """The settings of a space, and a sentence if one was changed."""

    lines: tuple[SettingLine, ...]
    text: str | None = None


_MATCHES: Final = {
    Strength.STRONG: Msg.STRONG_MATCH,
    Strength.FAIR: Msg.FAIR_MATCH,
    Strength.WEAK: Msg.WEAK_MATCH,
}

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
    | CrawlProgress
    | FollowedPage
    | TopicsPage
    | Answer
    | SettingsView
)
Replies: TypeAlias = AsyncGenerator[Reply, None]
"""The replies of a command. Closing the generator stops following the work, not the work itself."""


def is_success(reply: Reply) -> bool:
    """Return False if the reply reports a failure."""
    if isinstance(reply, IndexingProgress):
        return all(map(is_success, reply.lines))
    return reply.ok if isinstance(reply, TextReply | LinkOutcome) else True


def format_length(duration_s: float | None) -> str | None:
    """Return a video's length as `1:02:03`, or None if it is not known."""
    return None if duration_s is None else format_clock(duration_s)


def format_origin(submitter: str, day: str = "") -> str:
    """Return who added a video and on which day, if `day` is not empty, in the form of the frontend."""
    return translate(Msg.ADDED_BY_ON, who=submitter, date=day) if day else translate(Msg.ADDED_BY, who=submitter)
