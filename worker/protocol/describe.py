"""Requests for what happens in a moment, and questions that moments answer."""

from typing import Literal, TypeAlias

from pydantic import Field

from worker.protocol.base import Request, WireModel
from worker.protocol.search import Hit

MAX_QUESTION_CHARS = 500

AnswerLanguage: TypeAlias = Literal["en", "ko", "zh"]


class Description(WireModel):
    """What happens in a moment, or in a whole video."""

    title: str
    link: str
    """Link that opens at the moment, if the site has such links."""
    start_s: float
    end_s: float
    text: str | None
    """The model server's text; None without a server."""
    tags: tuple[str, ...] = ()
    """Words of `text.vocabulary`, in English."""
    said: str = ""
    shown: str = ""
    """Text on the screen."""
    heard: tuple[str, ...] = ()
    """Sounds, by their AudioSet classes."""


class Describe(Request[Description]):
    """Describe a moment by its id, or the moment at a second of a video, or the whole video."""

    task = "describe"
    answer = Description
    moment_id: str | None = None
    link: str | None = None
    at_s: float | None = Field(default=None, ge=0)
    language: AnswerLanguage = "en"


class AnsweredQuestion(WireModel):
    """An answer, and the moments that it is taken from."""

    text: str | None
    """None: these moments do not say it."""
    hits: tuple[Hit, ...]
    """In the order of their numbers in the text (`[1]`); those that were looked at if there is no answer."""


class Ask(Request[AnsweredQuestion]):
    """Answer a question from the moments that a search for it finds."""

    task = "ask"
    answer = AnsweredQuestion
    question: str = Field(min_length=1, max_length=MAX_QUESTION_CHARS)
    language: AnswerLanguage = "en"
