"""Records of videos, submissions, generations, retrains and votes, and their payloads in the vector store.

The wire protocol uses the statuses, so this module imports nothing heavy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, ClassVar, Final, TypeAlias, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from indexer.generation_id import GenerationId
from indexer.senses import Sense, SenseStatus

RECORDS: Final = "records"
"""Name of the collection that holds all records."""
SCHEMA: Final = 4
"""Version of the payloads, written into each."""

Scopes: TypeAlias = str | tuple[str, ...]
"""Whose submissions are visible: a space's, or also those of its private channels (`<space>/<private channel>`)."""


class IndexStatus(StrEnum):
    """How far the indexing of a video has come."""

    WAITING = "waiting"
    INDEXED = "indexed"
    WORDS_ONLY = "words_only"
    """Indexed without its pictures, which could not be fetched."""
    FAILED = "failed"


FINDABLE: Final = (IndexStatus.INDEXED.value, IndexStatus.WORDS_ONLY.value)
"""Statuses of videos that a search can find."""


@dataclass(frozen=True)
class VideoRecord:
    """A video and how far its indexing has come."""

    KIND: ClassVar = "video"

    video_id: str
    link: str
    fetch_url: str
    """The URL to fetch, which can differ from the canonical `link`."""
    title: str
    status: IndexStatus = IndexStatus.WAITING
    code: str | None = None
    """Code of the error because of which it failed, or because of which it has only words."""
    moments: int = 0
    duration_s: float | None = None
    published: str | None = None
    """ISO date."""
    thumbnail: str | None = None
    """Key in the blob store."""
    is_first_of_several: bool = False
    """Whether its post has more videos, which are not in the library."""
    said: SenseStatus | None = None
    """How far the recognition of speech has come. None: the settings excluded it, or an earlier version indexed it."""
    said_code: str | None = None
    """Code of the error because of which it failed."""
    shown: SenseStatus | None = None
    shown_code: str | None = None
    heard: SenseStatus | None = None
    heard_code: str | None = None
    starts: int = 0
    """How many times the recognition of the next pending sense was started without an end that is recorded."""

    @property
    def senses(self) -> dict[Sense, SenseStatus]:
        """The status of each sense that has one."""
        values = {sense: getattr(self, sense) for sense in Sense}
        return {sense: status for sense, status in values.items() if status is not None}

    @property
    def sense_codes(self) -> dict[Sense, str]:
        """The codes of the errors of failed senses."""
        codes = {sense: getattr(self, f"{sense}_code") for sense in Sense}
        return {sense: code for sense, code in codes.items() if code is not None}

    @property
    def pending_senses(self) -> tuple[Sense, ...]:
        """The senses that are still to be recognized."""
        return tuple(sense for sense, status in self.senses.items() if status is SenseStatus.PENDING)


@dataclass(frozen=True)
class Submission:
    """A video that a space, or a private channel of it, wants to find, and who submitted it first."""

    KIND: ClassVar = "submission"

    video_id: str
    space: str
    user_id: str
    at: str
    """ISO time, UTC."""
    private_channel: str | None = None
    """The only channel that finds the video; None: the whole space finds it."""
    user_name: str | None = None
    """Display name of the user at that time."""
    message_id: str | None = None
    """Id of the chat message that contained the link."""

    @property
    def scope(self) -> str:
        """`<space>`, or `<space>/<private channel>`."""
        return f"{self.space}/{self.private_channel}" if self.private_channel else self.space

    @property
    def id(self) -> str:
        """Id of the record's point."""
        return submission_id(self.video_id, self.scope)

    @property
    def submitter(self) -> str:
        """Name to show for the user who submitted the video."""
        return self.user_name or self.user_id


@dataclass(frozen=True)
class NewSubmission:
    """A link to submit to a space."""

    video_id: str
    link: str
    fetch_url: str
    space: str
    user_id: str
    at: datetime
    title: str = ""
    private_channel: str | None = None
    user_name: str | None = None
    message_id: str | None = None


@dataclass(frozen=True)
class GenerationRecord:
    """How a generation was made."""

    KIND: ClassVar = "generation"

    generation: GenerationId
    preset: str
    made_at: str | None
    """ISO time, UTC. None: a preset that was never replaced, which has no stored record."""
    adapter: str | None = None
    """Prefix of the adapter's files in the blob store; None: the preset without an adapter."""
    r5_before: float | None = None
    """Recall at 5 of the generation before, on the same questions."""
    r5: float | None = None
    """Recall at 5 on the held-out questions."""
    questions: int = 0


@dataclass(frozen=True)
class RetrainRecord:
    """A retrain, or a switch to another model, that was requested and is not finished."""

    KIND: ClassVar = "retraining"

    space: str
    user_id: str
    at: str
    """ISO time, UTC."""
    cancelled: bool = False
    generation: GenerationId | None = None
    """The new generation, as soon as it is decided on: only re-embedding the library is left to do."""
    preset: str | None = None
    """The preset to switch to. None: an adapter is to be trained."""
    offer: str | None = None
    """Prefix of the blobs of a trained adapter that is to be taken into use, if it is better."""
    is_forced: bool = False
    """Whether the adapter is taken into use even if it is not better."""
    for_installation: bool = False
    """Whether it concerns the installation's model even if spaces have models of their own."""


@dataclass(frozen=True)
class VoteRecord:
    """A user's judgement of a moment as the answer to a query."""

    KIND: ClassVar = "vote"

    space: str
    user_id: str
    queries: tuple[str, ...]
    video_id: str
    start_s: float
    end_s: float
    vote: str
    """`up`, `down`, `opened` or `shared`."""
    at: str
    """ISO time, UTC."""
    private_channel: str | None = None
    """The private channel in which the user voted."""
    moment_id: str = ""
    """Empty: the vote is from an earlier version, which did not store this and where the user voted."""

    @property
    def scope(self) -> str:
        """`<space>`, or `<space>/<private channel>`: who may learn that this question was asked."""
        return f"{self.space}/{self.private_channel}" if self.private_channel else self.space


@dataclass(frozen=True)
class RemovalRequest:
    """A request to remove submissions from a space. It also removes those of earlier requests that are written late."""

    KIND: ClassVar = "removal_request"

    space: str
    at: str
    """ISO time, UTC, of the request."""
    submission_ids: tuple[str, ...] = ()
    """Ids of the submissions to remove, which reveal nothing about the video. Empty: all of the space."""
    user_digest: str | None = None
    """Remove only what the user of this `digest_user` submitted. None: what anyone did.

    A user who left must not be named anywhere, so the request does not hold the id itself.
    """
    message_id: str | None = None
    """Remove only what this chat message submitted, except the videos of `kept_ids`."""
    kept_ids: tuple[str, ...] = ()

    def digest_user(self, user_id: str) -> str:
        """Return the digest of a user id, which differs from request to request."""
        return sha256(f"{self.at}/{self.space}/{user_id}".encode()).hexdigest()

    @property
    def match(self) -> dict[str, str]:
        """Payload values of the submissions that it removes."""
        keys = ("space", "message_id")
        return {key: value for key in keys if (value := getattr(self, key)) is not None}

    def covers(self, submission: Submission) -> bool:
        """Return whether the submission was requested before this removal, which then removes it."""
        return (
            all(getattr(submission, key) == value for key, value in self.match.items())
            and (not self.submission_ids or submission.id in self.submission_ids)
            and submission.video_id not in self.kept_ids
            and self.user_digest in (None, self.digest_user(submission.user_id))
            and datetime.fromisoformat(submission.at) < datetime.fromisoformat(self.at)
        )


@dataclass(frozen=True)
class FollowedList:
    """A channel, playlist or feed whose later videos are added to a space, or to a private channel of it."""

    KIND: ClassVar = "followed_list"

    space: str
    link: str
    user_id: str
    at: str
    """ISO time, UTC, since when it is followed."""
    due_at: str
    """ISO time, UTC, of the next look at it."""
    private_channel: str | None = None
    user_name: str | None = None
    """Display name of the user at that time."""
    seen: tuple[str, ...] = ()
    """Keys of the videos that are not new."""
    added: int = 0
    """Videos that were added so far."""
    looked_at: str | None = None
    """ISO time, UTC, of the last look."""
    failures: int = 0
    """Looks that have failed since the last one that succeeded."""
    code: str | None = None
    """Code of the error of the last look."""

    @property
    def scope(self) -> str:
        """`<space>`, or `<space>/<private channel>`."""
        return f"{self.space}/{self.private_channel}" if self.private_channel else self.space

    @property
    def id(self) -> str:
        """Id of the record's point: a UUIDv5, so that a list that is followed again is the same point."""
        return followed_list_id(self.link, self.scope)


@dataclass(frozen=True)
class LibraryRow:
    """A video as one space sees it."""

    video: VideoRecord
    submission: Submission


@dataclass(frozen=True)
class RemovedVideos:
    """Videos that were removed from a space; `RemovalStore.finish_removal` has to follow for each of them."""

    links: tuple[str, ...] = ()
    video_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class LibraryCounts:
    """Numbers of videos and moments that one space can see."""

    videos: int
    moments: int
    waiting: int
    listening: int
    """Videos with senses that are still to be recognized."""
    failed_senses: Mapping[Sense, int]
    """Numbers of videos in which a sense could not be recognized."""


def submission_id(video_id: str, scope: str) -> str:
    """Return the id of a submission's point: a UUIDv5, so that a repeated submission is the same point."""
    return str(uuid5(UUID(video_id), scope))


def followed_list_id(link: str, scope: str) -> str:
    """Return the id of the point of a list that a scope follows."""
    return str(uuid5(NAMESPACE_URL, f"followed_list {scope} {link}"))


def each_scope(scopes: Scopes) -> tuple[str, ...]:
    """Return the scopes as a tuple."""
    return (scopes,) if isinstance(scopes, str) else scopes


def space_of_scope(scope: str) -> str:
    """Return the space of `<space>` or `<space>/<private channel>`."""
    return scope.partition("/")[0]


# ---- payloads ----

_DECODERS: Final[Mapping[str, Any]] = {
    "status": IndexStatus,
    **dict.fromkeys(Sense, SenseStatus),
    "generation": GenerationId.parse,
    "queries": tuple,
    "submission_ids": tuple,
    "kept_ids": tuple,
    "seen": tuple,
}

R = TypeVar("R", VideoRecord, Submission, GenerationRecord, RetrainRecord, VoteRecord, RemovalRequest, FollowedList)


def from_payload(record: type[R], payload: Mapping[str, Any]) -> R:
    """Read a record from its payload. Qdrant drops keys that are set to null: these keep their default."""
    stored = {each.name: payload[each.name] for each in fields(record) if payload.get(each.name) is not None}
    return record(**{name: _DECODERS[name](value) if name in _DECODERS else value for name, value in stored.items()})


def to_payload(
    record: VideoRecord | Submission | GenerationRecord | RetrainRecord | VoteRecord | RemovalRequest | FollowedList,
) -> dict[str, Any]:
    """Return a record's payload: plain JSON values."""
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    return {"kind": record.KIND, "schema": SCHEMA, **{name: _encode_value(value) for name, value in values.items()}}


def _encode_value(value: Any) -> Any:
    if isinstance(value, GenerationId | StrEnum):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
