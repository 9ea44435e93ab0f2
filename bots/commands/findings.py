"""Replies about what is in a library: its topics, and what happens in its moments."""

from dataclasses import dataclass
from typing import NamedTuple

from worker.protocol.topics import Topic


class AnswerSource(NamedTuple):
    """A moment that an answer is about."""

    title: str
    link: str
    time: str


@dataclass(frozen=True)
class Answer:
    """What happens in a moment, or the answer to a question. Models write the text, so no frontend may interpret it."""

    text: str
    sources: tuple[AnswerSource, ...]
    """In the order of their numbers in the text."""
    note: str | None = None
    """What to know about it."""


class TopicItem(NamedTuple):
    """One topic of the library."""

    name: str
    about: str
    """How many moments and videos it has."""
    thumbnail: str | None
    topic: Topic


@dataclass(frozen=True)
class TopicsPage:
    """What the library is about, the largest topic first."""

    title: str
    items: tuple[TopicItem, ...]
