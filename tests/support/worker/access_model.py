"""A simple model of which videos each user may see, to compare with the worker's answers."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final

from hypothesis import strategies as st
from PIL import Image

from indexer.link.canonical import canonicalize
from tests.support.indexer.fakes import make_video, moment_id
from tests.support.worker.services import local_link
from worker.protocol.base import Caller, WireModel
from worker.protocol.spaces import SpaceSettings

SPACES: Final = ("discord:1", "slack:2")
VIDEOS: Final = ("v0", "v1", "v2")
MOMENTS_PER_VIDEO: Final = 2
PRIVATE_CHANNELS: Final = (None, "55", "66")
USERS: Final = ("ann", "bob")
MESSAGE_IDS: Final = (None, "m1", "m2")
OBSERVERS: Final = [
    Caller(space=space, user_id="eve", private_channel=private_channel)
    for space, private_channel in product(SPACES, PRIVATE_CHANNELS)
]
"""A user in every place that requests can come from."""


def encode_picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def make_caller(space: str, user_id: str, private_channel: str | None, is_admin: bool) -> Caller:
    return Caller(
        space=space,
        user_id=user_id,
        display_name=f"{user_id} of {space}",
        private_channel=private_channel,
        is_admin=is_admin,
    )


def link_of(name: str) -> str:
    return local_link(name)


def video_id_of(name: str) -> str:
    return canonicalize(link_of(name)).video_id


def question_of(space: str, private_channel: str | None) -> str:
    """Return the only question for which people vote in a channel."""
    return f"query of {space} in {private_channel or 'public'}"


def moment_ids_of(name: str) -> list[str]:
    video = replace(make_video(name), id=video_id_of(name))
    return [moment_id(video, number) for number in range(MOMENTS_PER_VIDEO)]


def list_mentioned_videos(answer: WireModel) -> set[str]:
    """Return the names of the videos whose link, id, title or moments the answer contains."""
    text = answer.model_dump_json()
    marks = {name: (link_of(name), video_id_of(name), f"title of {name}", *moment_ids_of(name)) for name in VIDEOS}
    return {name for name, own in marks.items() if any(mark in text for mark in own)}


def list_mentioned_spaces(answer: WireModel) -> set[str]:
    """Return the spaces that the answer contains. Display names, queries and watched channels end with `of <space>`."""
    text = answer.model_dump_json()
    return {space for space in SPACES if f"of {space}" in text}


SEARCH_OPTIONS: Final = st.fixed_dictionaries(
    {},
    optional={
        "like": st.tuples(st.sampled_from(["snow", *[f"moment:{moment_ids_of(name)[0]}" for name in VIDEOS]])),
        "unlike": st.tuples(st.sampled_from([f"moment:{moment_ids_of(name)[1]}" for name in VIDEOS])),
        "picture": st.just(encode_picture()),
        "limit": st.integers(1, 3),
        "offset": st.integers(0, 2),
    },
)
"""Options that a search may have in addition to its words."""


@dataclass(frozen=True)
class ModelSubmission:
    """A video that is wanted in a space, or in a private channel of it."""

    name: str
    space: str
    private_channel: str | None
    user_id: str
    message_id: str | None


@dataclass(frozen=True)
class ModelVote:
    """A vote on a moment of a video."""

    space: str
    private_channel: str | None
    user_id: str
    name: str

    @property
    def scope(self) -> str:
        return f"{self.space}/{self.private_channel}" if self.private_channel else self.space

    def is_visible_to(self, caller: Caller) -> bool:
        """Return whether the caller may learn which question it was cast for."""
        return self.scope in caller.scopes


@dataclass
class AccessModel:
    """The state of all spaces after the requests so far."""

    submissions: dict[tuple[str, str | None, str], ModelSubmission] = field(default_factory=dict)
    """By space, private channel and video: the first submission counts."""
    indexed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    votes: set[ModelVote] = field(default_factory=set)
    changed_settings: dict[str, SpaceSettings] = field(default_factory=dict)

    def settings(self, space: str) -> SpaceSettings:
        return self.changed_settings.get(space, SpaceSettings())

    def submit(self, caller: Caller, name: str, message_id: str | None) -> None:
        is_closed = self.settings(caller.space).private_channels == "closed"
        private_channel = caller.private_channel if is_closed else None
        submission = ModelSubmission(name, caller.space, private_channel, caller.user_id, message_id)
        self.submissions.setdefault((caller.space, private_channel, name), submission)
        self.failed.discard(name)

    def waiting(self) -> set[str]:
        """Return the submitted videos that are neither indexed nor failed."""
        return {submission.name for submission in self.submissions.values()} - self.indexed - self.failed

    def visible(self, caller: Caller) -> list[ModelSubmission]:
        """Return the submissions that the caller may see."""
        return [
            submission
            for submission in self.submissions.values()
            if submission.space == caller.space and submission.private_channel in (None, caller.private_channel)
        ]

    def visible_names(self, caller: Caller) -> set[str]:
        """Return the names of the videos that the caller may see."""
        return {submission.name for submission in self.visible(caller)}

    def findable_names(self, caller: Caller) -> set[str]:
        """Return the names of the videos that a search by the caller may find."""
        return self.visible_names(caller) & self.indexed

    def findable_questions(self, caller: Caller) -> set[str]:
        """Return the questions for which the caller may see that a moment was liked."""
        findable = self.findable_names(caller)
        return {
            question_of(vote.space, vote.private_channel)
            for vote in self.votes
            if vote.is_visible_to(caller) and vote.name in findable
        }

    def remove(self, matches: Callable[[ModelSubmission], bool]) -> set[str]:
        """Remove submissions, and all data that no space needs any more. Returns the names of their videos."""
        removed = {key: submission for key, submission in self.submissions.items() if matches(submission)}
        for key in removed:
            del self.submissions[key]
        remaining = {(submission.space, submission.name) for submission in self.submissions.values()}
        departed = {(submission.space, submission.name) for submission in removed.values()} - remaining
        self.remove_votes(lambda vote: (vote.space, vote.name) in departed)
        wanted = {submission.name for submission in self.submissions.values()}
        self.indexed &= wanted
        self.failed &= wanted
        return {submission.name for submission in removed.values()}

    def remove_votes(self, matches: Callable[[ModelVote], bool]) -> None:
        self.votes = {vote for vote in self.votes if not matches(vote)}
