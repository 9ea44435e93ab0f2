"""What is on record of videos, and of who wants them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID, uuid5

RECORDS = "records"
SCHEMA = 2
"""Version of the payloads, written into each."""

Status: TypeAlias = Literal["waiting", "indexed", "words_only", "failed"]
Scopes: TypeAlias = str | tuple[str, ...]
"""Whose submissions are seen: a space's, or also those of rooms in it, written `<space>/<room>`."""


@dataclass(frozen=True)
class VideoRecord:
    """A video and how far its indexing has come."""

    video_id: str
    link: str
    fetch_url: str
    """What is really fetched; the canonical `link` need not serve for that."""
    title: str
    status: Status = "waiting"
    code: str | None = None
    """Why it failed, or why only the words could be had."""
    moments: int = 0
    duration_s: float | None = None
    published: str | None = None
    thumbnail: str | None = None


@dataclass(frozen=True)
class Submission:
    """That a space, or a room in it, wants a video, and who said so first."""

    video_id: str
    space: str
    user_id: str
    at: str
    """ISO time, UTC."""
    private_channel: str = ""
    """The private channel that it stays in; empty: the whole space finds it."""
    name: str = ""
    """What the person was called then."""
    message: str = ""
    """The chat message that held the link."""

    @property
    def scope(self) -> str:
        return f"{self.space}/{self.private_channel}" if self.private_channel else self.space

    @property
    def id(self) -> str:
        return submission_id(self.video_id, self.scope)


@dataclass(frozen=True)
class LibraryRow:
    """A video as one space sees it."""

    video: VideoRecord
    submission: Submission


@dataclass(frozen=True)
class RemovedVideo:
    """What a space took back, and which videos are to be let go of (`Library.let_go`)."""

    links: tuple[str, ...] = ()
    video_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counts:
    """Of one space."""

    videos: int
    moments: int
    waiting: int


def submission_id(video_id: str, scope: str) -> str:
    return str(uuid5(UUID(video_id), scope))


def each_scope(scopes: Scopes) -> tuple[str, ...]:
    return (scopes,) if isinstance(scopes, str) else scopes
