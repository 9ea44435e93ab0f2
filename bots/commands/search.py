"""Platform-independent search commands. Each is an async generator of replies, which every frontend renders."""

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Final, Literal, TypeAlias, cast

from bots.commands.client import Client
from bots.commands.errors import code_reply, reply_on_error
from bots.commands.findings import Answer, AnswerSource
from bots.commands.replies import (
    Card,
    Replies,
    Reply,
    Results,
    Search,
    Shared,
    TextReply,
    format_length,
)
from bots.i18n.messages import Msg
from bots.i18n.sounds import translate_sound
from bots.i18n.translate import clean_text, format_clock, format_span, get_language, translate
from bots.i18n.vocabulary import translate_words
from text.negation import join_negations
from text.queries import clean_query, has_words
from text.references import strip_reference
from text.tags import take_tags
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.describe import MAX_QUESTION_CHARS, AnswerLanguage, Ask, Describe, Description
from worker.protocol.error_codes import ErrorCode
from worker.protocol.links import strip_signature
from worker.protocol.search import MAX_QUERY_CHARS, Find, Hit, MatchKind, MatchReason, RecordVote, Strength, VoteKind

ResultAction: TypeAlias = Literal["next", "previous", "like", "unlike", "inside", "up", "down", "share", "describe"]
"""The buttons below results. All but `next` and `previous` act on one card."""

ONLY: Final[Mapping[str, Msg]] = {
    "looks": Msg.ONLY_LOOKS,
    "said": Msg.ONLY_SAID,
    "shown": Msg.ONLY_SHOWN,
    "heard": Msg.ONLY_HEARD,
}
"""What a search can be restricted to, with a description each."""

MAX_QUOTED_CHARS: Final = 160
"""Maximum length of a quotation of speech or text in a sentence about a moment."""

_COMMAS = re.compile(r"(?<!\d)[,，،]|[,，،](?!\d)|[、､]")
"""The commas of all keyboards separate queries, but not the digits of a number such as 1,000 or 3,5."""


@reply_on_error
async def find(
    client: Client,
    caller: Caller,
    words: str = "",
    *,
    like: str = "",
    unlike: str = "",
    in_link: str | None = None,
    picture: str | None = None,
    clip: str | None = None,
    only: str | None = None,
    limit: int = 5,
    weaker: bool = False,
    split_on_commas: bool = True,
) -> Replies:
    """Find moments that match any of the comma-separated `words`.

    `like` and `unlike` move the search towards and away from what they describe, `in_link` restricts it to one video,
    and `picture` or `clip` (base64) finds moments that look like it, changed as `words` say. `only` is one of `ONLY`:
    other kinds of match do not count then. `tag:WORD` in `words` finds only moments with this tag. If
    `weaker` matches follow on the next page, it is shown, too. Without `split_on_commas`, `words` is a single query.
    The markup of chat platforms is left out.
    """
    refusal = _refuse_search((words, like, unlike), only)
    if refusal:
        yield refusal
        return
    words, tags, _ = take_tags(words)
    if picture or clip:
        words = strip_reference(words)
    queries = _split_queries(words) if split_on_commas else tuple(filter(None, [clean_query(words)]))
    search = Search(
        queries,
        _split_queries(like),
        _split_queries(unlike),
        in_link,
        limit,
        picture=picture,
        clip=clip,
        tags=tags,
        only=only or None,
    )
    results = await run_search(client, caller, search)
    yield results
    if weaker and isinstance(results, Results) and results.weaker_follow and results.next:
        yield await run_search(client, caller, results.next)


def _refuse_search(texts: Sequence[str], only: str | None) -> TextReply | None:
    """Return the reply to a search that cannot be made, or None. `texts` begin with the words."""
    if any(len(text) > MAX_QUERY_CHARS for text in texts):
        return code_reply(ErrorCode.QUERY_TOO_LONG)
    if only and only not in ONLY:
        return TextReply(translate(Msg.SETTING_REFUSED, name="only", all=", ".join(ONLY)), ok=False)
    unknown_tag = take_tags(texts[0])[2]
    return TextReply(translate(Msg.TAG_UNKNOWN, word=clean_text(unknown_tag)), ok=False) if unknown_tag else None


@reply_on_error
async def continue_search(client: Client, caller: Caller, search: Search | None) -> Replies:
    """Continue an earlier search: `Results.next` or `Search.inside` one video.

    Without a search, say that all results were shown.
    """
    yield await run_search(client, caller, search) if search else TextReply(translate(Msg.NO_MORE))


@reply_on_error
async def vote(client: Client, caller: Caller, queries: Sequence[str], moment_id: str, kind: VoteKind) -> Replies:
    """Record the caller's vote on a moment as an answer to `queries`."""
    await _record_vote(client, caller, queries, moment_id, kind)
    yield TextReply(translate(Msg.THANKS))


async def record_opened(client: Client, caller: Caller, queries: Sequence[str], moment_id: str) -> None:
    """Record that the caller opened a moment. Failures are ignored: no user waits for this."""
    if queries:
        with suppress(CallFailedError):
            await _record_vote(client, caller, queries, moment_id, "opened")


@reply_on_error
async def press(
    client: Client, caller: Caller, *, results: Results | None, action: ResultAction, number: int = 0
) -> Replies:
    """Do what a button below `results` says, for the card with that `number` (from 0).

    `results` is None if the results are no longer stored or if the caller may not see them.
    """
    if results is None or (action not in ("next", "previous") and number >= len(results.cards)):
        yield TextReply(translate(Msg.TOO_OLD), ok=False)
        return
    async with aclosing(_act_on_results(client, caller, results, action, number)) as replies:
        async for reply in replies:
            yield reply


def _act_on_results(client: Client, caller: Caller, results: Results, action: ResultAction, number: int) -> Replies:
    search = results.search
    match action:
        case "next":
            return continue_search(client, caller, results.next)
        case "previous":
            return continue_search(client, caller, search.previous)
    card = results.cards[number]
    match action:
        case "like":
            return continue_search(client, caller, search.more_like(card.moment_id))
        case "unlike":
            return continue_search(client, caller, search.less_like(card.moment_id))
        case "inside":
            return continue_search(client, caller, search.inside(card.link))
        case "describe":
            return describe(client, caller, moment_id=card.moment_id)
        case "share":
            return _share(client, caller, card, search.queries)
        case "up" | "down":
            return vote(client, caller, search.queries, card.moment_id, action)


async def _share(client: Client, caller: Caller, card: Card, queries: Sequence[str]) -> Replies:
    """Show a card to the whole channel. Sharing counts as a vote for it."""
    await _record_vote(client, caller, queries, card.moment_id, "shared")
    yield Shared(card, caller.user_id, ", ".join(queries))


async def _record_vote(client: Client, caller: Caller, queries: Sequence[str], moment_id: str, kind: VoteKind) -> None:
    await client.call(RecordVote(caller=caller, queries=tuple(queries), moment_id=moment_id, kind=kind))


async def run_search(client: Client, caller: Caller, search: Search) -> Reply:
    """Return a page of results, or a sentence if the search has nothing to look for."""
    if search.is_empty:
        return code_reply(ErrorCode.EMPTY_QUERY)
    started = time.perf_counter()
    found = await client.call(
        Find(
            caller=caller,
            queries=search.queries,
            like=search.like,
            unlike=search.unlike,
            picture=search.picture,
            clip=search.clip,
            frames=search.frames,
            in_link=search.in_link,
            tags=search.tags,
            only=search.only,
            limit=search.limit,
            offset=search.offset,
        )
    )
    took_ms = 1000 * (time.perf_counter() - started)
    search = replace(search, picture=found.picture, clip=None, frames=found.frames)
    next_page = None if found.next_offset is None else replace(search, offset=found.next_offset)
    cards = tuple(_make_card(hit) for hit in found.hits)
    return Results(search, cards, next_page, took_ms, found.weak, found.weaker_follow, found.can_describe)


def _split_queries(words: str) -> tuple[str, ...]:
    return tuple(join_negations([part.strip() for part in _COMMAS.split(clean_query(words)) if has_words(part)]))


def _make_card(hit: Hit) -> Card:
    return Card(
        title=clean_text(hit.title) or hit.link,
        link=hit.link,
        moment_link=hit.moment_link,
        moment_id=hit.moment_id,
        start_s=hit.start_s,
        end_s=hit.end_s,
        time=format_span(hit.start_s, hit.end_s),
        length=format_length(hit.duration_s),
        submitter=clean_text(hit.submitter),
        submitted_at=hit.submitted_at,
        message_id=hit.message_id,
        why=tuple(_explain(why, hit) for why in hit.why),
        reasons=hit.why,
        opens_at_s=hit.opens_at_s,
        score=hit.score,
        strength=hit.strength,
        more=hit.more,
        thumbnail=hit.thumbnail,
        words_only=hit.words_only,
        tags=translate_words(hit.tags),
        note=translate(Msg.ONLY_IN_DISCORD) if strip_signature(hit.moment_link) else None,
    )


def _explain(why: MatchReason, hit: Hit) -> str:
    is_weak, tags = hit.strength is Strength.WEAK, translate_words(hit.tags)
    match why.kind:
        case MatchKind.LOOKS if is_weak:
            return translate(Msg.LOOKS_A_LITTLE)
        case MatchKind.LOOKS:
            return translate(Msg.LOOKS_TAGGED, tags=tags) if tags else translate(Msg.LOOKS)
        case MatchKind.MOTION:
            return translate(Msg.MOVES_A_LITTLE if is_weak else Msg.MOVES)
        case MatchKind.LIKED:
            return translate(Msg.LIKED, question=clean_text(why.snippet or ""))
        case MatchKind.TITLE:
            return translate(Msg.WORDS, snippet=clean_text(why.snippet)) if why.snippet else translate(Msg.WORDS_FIT)
        case MatchKind.SAID:
            return _quote(why, Msg.SAYS, Msg.SAYS_IT)
        case MatchKind.SHOWN:
            return _quote(why, Msg.SHOWS, Msg.SHOWS_IT)
        case MatchKind.HEARD:
            return translate(Msg.HEARD, sound=translate_sound(why.snippet or ""))


def _quote(why: MatchReason, with_words: Msg, without: Msg) -> str:
    """Return the sentence with the quoted words and their time, or the one without if they are not known."""
    if not why.snippet or why.at_s is None:
        return translate(without)
    return translate(with_words, snippet=clean_text(why.snippet), time=format_clock(why.at_s))


# ---- what happens in moments ----


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
    """Return the seconds of `83`, `1:23` or `1:02:03`, or None if a text is not a time."""
    parts = text.strip().split(":")
    if len(parts) > 3 or not all(part.isdecimal() and len(part) < 6 for part in parts):
        return None
    return float(sum(int(part) * 60**place for place, part in enumerate(reversed(parts))))


def _get_answer_language() -> AnswerLanguage:
    return cast(AnswerLanguage, get_language())
