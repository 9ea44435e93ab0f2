"""Commands that tell what happens in a moment, and that answer questions."""

from collections.abc import Sequence
from typing import cast

from bots.commands.client import Client
from bots.commands.errors import code_reply, reply_on_error
from bots.commands.replies import Answer, AnswerSource, Replies, TextReply
from bots.i18n.messages import Msg
from bots.i18n.sounds import translate_sound
from bots.i18n.translate import clean_text, format_span, get_language, translate
from bots.i18n.vocabulary import translate_words
from worker.protocol.base import Caller
from worker.protocol.describe import MAX_QUESTION_CHARS, AnswerLanguage, Ask, Describe, Description
from worker.protocol.error_codes import ErrorCode
from worker.protocol.search import Hit

MAX_QUOTED_CHARS = 160


@reply_on_error
async def describe(
    client: Client, caller: Caller, link: str | None = None, at: str = "", *, moment_id: str | None = None
) -> Replies:
    """Tell what happens in a video, at `at` (`1:23`) of it, or in the moment with this id."""
    if not (link or moment_id):
        yield TextReply(translate(Msg.WHICH_LINK), ok=False, code=ErrorCode.NOT_A_LINK)
        return
    at_s = _parse_time(at)
    if at and at_s is None:
        yield TextReply(translate(Msg.TIME_UNKNOWN, time=clean_text(at)), ok=False)
        return
    request = Describe(caller=caller, moment_id=moment_id, link=link, at_s=at_s, language=_get_answer_language())
    found = await client.call(request)
    source = AnswerSource(clean_text(found.title) or found.link, found.link, format_span(found.start_s, found.end_s))
    if found.text is None:
        yield Answer(_describe_known(found), (source,))
    else:
        yield Answer(clean_text(found.text), (source,), translate(Msg.BY_MODEL))


@reply_on_error
async def ask(client: Client, caller: Caller, question: str) -> Replies:
    """Answer a question from the moments that it finds."""
    if len(question) > MAX_QUESTION_CHARS:
        yield code_reply(ErrorCode.QUERY_TOO_LONG)
        return
    if not question.strip():
        yield code_reply(ErrorCode.EMPTY_QUERY)
        return
    answer = await client.call(Ask(caller=caller, question=question, language=_get_answer_language()))
    sources = tuple(map(_make_source, answer.hits))
    if answer.text is None:
        yield Answer(translate(Msg.DONT_KNOW), sources)
    else:
        yield Answer(clean_text(answer.text), sources, translate(Msg.BY_MODEL))


def _make_source(hit: Hit) -> AnswerSource:
    return AnswerSource(clean_text(hit.title) or hit.link, hit.moment_link, format_span(hit.start_s, hit.end_s))


def _describe_known(found: Description) -> str:
    """Return in one sentence what is known of a moment without a model server."""
    parts = [
        translate(Msg.KNOWN_TAGS, tags=translate_words(found.tags)) if found.tags else "",
        translate(Msg.KNOWN_SAID, words=_shorten(found.said)) if found.said else "",
        translate(Msg.KNOWN_SHOWN, words=_shorten(found.shown)) if found.shown else "",
        translate(Msg.KNOWN_HEARD, sounds=_list_sounds(found.heard)) if found.heard else "",
    ]
    return "; ".join(filter(None, parts)) + "." if any(parts) else translate(Msg.KNOWN_NOTHING)


def _list_sounds(names: Sequence[str]) -> str:
    return " · ".join(map(translate_sound, names))


def _shorten(text: str) -> str:
    text = clean_text(text)
    return text if len(text) <= MAX_QUOTED_CHARS else f"{text[: MAX_QUOTED_CHARS - 1]}…"


def _parse_time(text: str) -> float | None:
    """Return the seconds of `83`, `1:23` or `1:02:03`, or None if a text is no time."""
    parts = text.strip().split(":")
    if len(parts) > 3 or not all(part.isdecimal() and len(part) < 6 for part in parts):
        return None
    return float(sum(int(part) * 60**place for place, part in enumerate(reversed(parts))))


def _get_answer_language() -> AnswerLanguage:
    return cast(AnswerLanguage, get_language())
