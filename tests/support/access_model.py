"""A naive model of who wants and sees which video: sets and dictionaries, and what an answer tells of."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from indexer.link.canonical import canonicalize
from tests.support.indexer_fakes import a_video, moment_id
from worker.protocol.base import Caller, WireModel
from worker.protocol.spaces import SpaceSettings

SPACES: Final = ("discord:1", "slack:2")
VIDEOS: Final = ("v0", "v1", "v2")
MOMENTS: Final = 2
"""Of each video."""


def link_of(name: str) -> str:
    return f"http://127.0.0.1/{name}.mp4"


def id_of(name: str) -> str:
    return canonicalize(link_of(name)).video_id


def moments_of(name: str) -> list[str]:
    return [moment_id(replace(a_video(name), id=id_of(name)), number) for number in range(MOMENTS)]


def told(answer: WireModel) -> set[str]:
    """The videos that an answer says anything of."""
    text = answer.model_dump_json()
    marks = {name: (link_of(name), id_of(name), f"title of {name}", *moments_of(name)) for name in VIDEOS}
    return {name for name, own in marks.items() if any(mark in text for mark in own)}


def named(answer: WireModel) -> set[str]:
    """The spaces that an answer says anything of: people are called by them, and ask with their names."""
    return {space for space in SPACES if f"of {space}" in answer.model_dump_json()}


@dataclass(frozen=True)
class Wish:
    """That a video is wanted, by whom, and where."""

    name: str
    space: str
    private_channel: str | None
    user_id: str
    message: str


@dataclass
class World:
    """What people did, and what follows from it."""

    wishes: dict[tuple[str, str | None, str], Wish] = field(default_factory=dict)
    """By space, room and video: the first who asked there counts."""
    indexed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    votes: set[tuple[str, str, str]] = field(default_factory=set)
    """Space, person, video."""
    decided: dict[str, SpaceSettings] = field(default_factory=dict)

    def settings(self, space: str) -> SpaceSettings:
        return self.decided.get(space, SpaceSettings())

    def submit(self, caller: Caller, name: str, message: str) -> None:
        private_channel = caller.private_channel if self.settings(caller.space).private_channels == "closed" else None
        self.wishes.setdefault(
            (caller.space, private_channel, name), Wish(name, caller.space, private_channel, caller.user_id, message)
        )
        self.failed.discard(name)

    def waiting(self) -> set[str]:
        return {wish.name for wish in self.wishes.values()} - self.indexed - self.failed

    def seen(self, caller: Caller) -> list[Wish]:
        """The wishes that somebody may know of who asks from there."""
        return [
            each
            for each in self.wishes.values()
            if each.space == caller.space and each.private_channel in (None, caller.private_channel)
        ]

    def forget(self, which: Callable[[Wish], bool]) -> set[str]:
        """Takes wishes back; the videos they were for. What nobody wants any more is gone."""
        taken = {key: wish for key, wish in self.wishes.items() if which(wish)}
        for key in taken:
            del self.wishes[key]
        gone = {(wish.space, wish.name) for wish in taken.values()}
        gone -= {(wish.space, wish.name) for wish in self.wishes.values()}
        self.votes = {vote for vote in self.votes if (vote[0], vote[2]) not in gone}
        wanted = {wish.name for wish in self.wishes.values()}
        self.indexed &= wanted
        self.failed &= wanted
        return {wish.name for wish in taken.values()}
