"""What a person can ask for, written once: each command yields replies that every frontend draws in its own way."""

import asyncio
import functools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import ParamSpec

import structlog

from bots.commands.client import Client
from bots.commands.job_progress import follow
from bots.commands.replies import (
    Card,
    LibraryItem,
    LibraryPage,
    LinkOutcome,
    Removed,
    Replies,
    Reply,
    Results,
    Search,
    TextReply,
)
from bots.i18n.messages import Msg
from bots.i18n.translate import clean, clock, count, date, span, translate
from worker.ops.logs import current_correlation_id
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.messages import MAX_QUERY_CHARS, Caller, CallFailedError

P = ParamSpec("P")
log = structlog.get_logger()

SUGGEST_WITHIN_S = 2.0
"""Both platforms show what comes within three seconds, and else an error."""
PAGE_SIZE = 200
"""Videos of the library that are asked for at once."""

_COMMAS = re.compile("[,，、]")
"""Commas of Chinese and Japanese keyboards part queries too."""

_STATES: Mapping[str, Msg] = {
    "waiting": Msg.IN_WORK,
    "indexed": Msg.READY,
    "words_only": Msg.ONLY_WORDS,
    "failed": Msg.FAILED,
}


def answered(command: Callable[P, Replies]) -> Callable[P, Replies]:
    """Ends a failed command with a sentence: nobody sees a traceback, and nobody is left without an answer."""

    @functools.wraps(command)
    async def run(*args: P.args, **kwargs: P.kwargs) -> Replies:
        try:
            async with aclosing(command(*args, **kwargs)) as replies:
                async for reply in replies:
                    yield reply
        except Exception as error:
            yield surprised(error)

    return run


@answered
async def find(
    client: Client,
    caller: Caller,
    words: str,
    *,
    like: str = "",
    unlike: str = "",
    in_link: str | None = None,
    picture: str | None = None,
    limit: int = 5,
    several: bool = True,
) -> Replies:
    """Moments for any of the comma-separated `words`, towards `like` and away from `unlike`, perhaps in one video.

    `picture`, in base64, is one that they look like.

    Not `several`: the words are one sentence, with whatever commas it has.
    """
    if any(len(text) > MAX_QUERY_CHARS for text in (words, like, unlike)):
        yield _sentence(ErrorCode.QUERY_TOO_LONG)
        return
    queries = _parts(words) if several else tuple(filter(None, [words.strip()]))
    search = Search(queries, _parts(like), _parts(unlike), in_link, limit, picture=picture)
    yield await _results(client, caller, search)


@answered
async def more(client: Client, caller: Caller, search: Search | None) -> Replies:
    """An earlier search carried on: `Results.next`, or a `Search.inside` of one video. None: there is no more."""
    yield await _results(client, caller, search) if search else TextReply(translate(Msg.NO_MORE))


@answered
async def index(
    client: Client,
    caller: Caller,
    links: Sequence[str],
    *,
    titles: Mapping[str, str] | None = None,
    local_files: bool = False,
    message: str = "",
    at: float | None = None,
) -> Replies:
    """Submits all `links` at once and follows each to its `LinkOutcome`. `titles` stand in for the sites' own.

    `message` is the chat message that holds them, whose going takes them along. `at` is when it was asked, in seconds
    since 1970: those that were forgotten since stay away.
    """
    if not links:
        yield TextReply(translate(Msg.WHICH_LINKS), ok=False, code=ErrorCode.NOT_A_LINK)
        return
    replies: asyncio.Queue[Reply] = asyncio.Queue()
    jobs = [
        asyncio.create_task(_index_one(client, submit, replies.put_nowait))
        for link in links
        for submit in [
            messages.Submit(
                caller=caller,
                link=link,
                title=(titles or {}).get(link),
                local_files=local_files,
                message=message,
                at=time.time() if at is None else at,
            )
        ]
    ]
    running = len(jobs)
    try:
        while running:
            reply = await replies.get()
            running -= isinstance(reply, LinkOutcome)
            yield reply
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


@answered
async def crawl(client: Client, caller: Caller, link: str, *, most: int = 50) -> Replies:
    """Submits the videos of a playlist, a channel or a feed, each followed to its `LinkOutcome`."""
    found = await client.call(messages.ListPlaylist(caller=caller, link=link, most=most))
    async with aclosing(index(client, caller, found.links)) as replies:
        async for reply in replies:
            yield reply


@answered
async def library(
    client: Client, caller: Caller, search: str = "", *, mine: bool = False, limit: int | None = 20
) -> Replies:
    """The videos this space can find, newest first, perhaps only those that go by the words of `search` or are `mine`.

    Without a `limit` all of them.
    """
    entries: list[LibraryItem] = []
    while True:
        size = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit - len(entries))
        page = await client.call(
            messages.ListLibrary(caller=caller, search=search, mine=mine, limit=size, offset=len(entries))
        )
        entries += [_entry(entry) for entry in page.entries]
        if not page.entries or len(entries) in (limit, page.total):
            break
    if entries:
        yield LibraryPage(tuple(entries), page.total)
    else:
        yield TextReply(translate(Msg.NOTHING_ON_SHELF if search else Msg.EMPTY_LIBRARY))


@answered
async def forget(
    client: Client, caller: Caller, link: str = "", *, mine: bool = False, at: float | None = None
) -> Replies:
    """Takes one link back, or all that the asker submitted; asked for `at` that time, in seconds since 1970."""
    if not (link or mine):
        yield TextReply(translate(Msg.WHICH_LINK), ok=False, code=ErrorCode.NOT_A_LINK)
        return
    forget = messages.Forget(caller=caller, link=link or None, mine=mine, at=time.time() if at is None else at)
    links = (await client.call(forget)).links
    text = (
        translate(Msg.FORGOTTEN_ONE, link=links[0]) if len(links) == 1 else translate(Msg.FORGOTTEN, count=len(links))
    )
    yield Removed(links, text)


@answered
async def watch(client: Client, caller: Caller, message: str, links: Sequence[str], *, at: float) -> Replies:
    """A message of a watched channel holds these links since: what it held before is taken back, the rest added."""
    await client.call(messages.Forget(caller=caller, message=message, still=tuple(links), at=at))
    if links:
        async with aclosing(index(client, caller, links, message=message, at=at)) as replies:
            async for reply in replies:
                yield reply


@answered
async def vote(
    client: Client, caller: Caller, queries: Sequence[str], moment_id: str, kind: messages.VoteKind
) -> Replies:
    """Takes down what the asker thinks of a moment as the answer to what was looked for."""
    await client.call(messages.RecordVote(caller=caller, queries=tuple(queries), moment_id=moment_id, kind=kind))
    yield TextReply(translate(Msg.THANKS))


async def opened(client: Client, caller: Caller, queries: Sequence[str], moment_id: str) -> None:
    """Takes down that the asker opened a moment. Nobody waits for a word on that, so it may be lost."""
    if queries:
        with suppress(CallFailedError):
            await client.call(
                messages.RecordVote(caller=caller, queries=tuple(queries), moment_id=moment_id, kind="opened")
            )


@answered
async def leave(client: Client, caller: Caller, *, at: float, back: bool = False) -> Replies:
    """The bot was removed from the space at that time, in seconds since 1970, or is back. Nobody is left to tell: a
    reply means that it failed.
    """
    await client.call(messages.RecordBotRemoval(caller=caller, at=at, back=back))
    nothing: tuple[Reply, ...] = ()
    for reply in nothing:
        yield reply


async def suggest(client: Client, caller: Caller, typed: str, limit: int = 25) -> list[tuple[str, str]]:
    """Titles and links of videos that may be meant, while somebody is typing; none where that fails or takes long."""
    try:
        async with asyncio.timeout(SUGGEST_WITHIN_S):
            page = await client.call(messages.ListLibrary(caller=caller, search=typed, limit=limit))
    except (CallFailedError, TimeoutError):
        return []
    return [(clean(entry.title) or entry.link, entry.link) for entry in page.entries if entry.moments]


@answered
async def status(client: Client, caller: Caller) -> Replies:
    state = await client.call(messages.GetStatus(caller=caller))
    waiting = translate(Msg.WAITING, count=state.waiting) if state.waiting else translate(Msg.NOTHING_WAITING)
    videos, moments = (
        count(state.videos, Msg.VIDEOS_ONE, Msg.VIDEOS),
        count(state.moments, Msg.MOMENTS_ONE, Msg.MOMENTS),
    )
    yield TextReply(translate(Msg.STATUS, videos=videos, moments=moments, preset=state.preset, waiting=waiting))


def surprised(error: Exception) -> TextReply:
    """What to tell of an exception; the log is told the rest."""
    return _sentence(*blame(error))


async def _results(client: Client, caller: Caller, search: Search) -> Reply:
    if not (search.queries or search.like or search.picture):
        return _sentence(ErrorCode.EMPTY_QUERY)
    began = time.perf_counter()
    found = await client.call(
        messages.Find(
            caller=caller,
            queries=search.queries,
            like=search.like,
            unlike=search.unlike,
            picture=search.picture,
            in_link=search.in_link,
            limit=search.limit,
            offset=search.offset,
        )
    )
    took_ms = 1000 * (time.perf_counter() - began)
    search = replace(search, picture=found.picture)
    after = None if found.next_offset is None else replace(search, offset=found.next_offset)
    return Results(search, tuple(_card(hit) for hit in found.hits), after, took_ms, found.weak)


async def _index_one(client: Client, submit: messages.Submit, tell: Callable[[Reply], None]) -> None:
    """Tells of one link's way; the last reply, and only that, is an `LinkOutcome`."""
    try:
        tell(await follow(client, submit, tell))
    except Exception as error:
        code, correlation_id = blame(error)
        tell(LinkOutcome(submit.link, "failed", translate(code), code=code, correlation_id=correlation_id))


def blame(error: Exception) -> tuple[ErrorCode, str]:
    """The code and incident of a failure. One that happened in this process is logged under a new incident."""
    if isinstance(error, CallFailedError):
        return error.code, error.correlation_id
    failed = current_correlation_id()
    log.error("command_failed", correlation_id=failed, exc_info=error)
    return error_code_of(error), failed


def _sentence(code: ErrorCode, correlation_id: str | None = None) -> TextReply:
    return TextReply(translate(code), ok=False, code=code, correlation_id=correlation_id)


def _parts(words: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _COMMAS.split(words) if part.strip())


def _card(hit: messages.Hit) -> Card:
    return Card(
        title=clean(hit.title) or hit.link,
        link=hit.link,
        moment_link=hit.moment_link,
        moment_id=hit.moment_id,
        start_s=hit.start_s,
        end_s=hit.end_s,
        time=span(hit.start_s, hit.end_s),
        length=_length(hit.duration_s),
        added=_added(hit.submitter, hit.submitted_at),
        why=tuple(_why(why) for why in hit.why),
        score=hit.score,
        more=hit.more,
        thumbnail=hit.thumbnail,
        words_only=hit.words_only,
    )


def _entry(entry: messages.LibraryEntry) -> LibraryItem:
    return LibraryItem(
        title=clean(entry.title) or entry.link,
        link=entry.link,
        status=entry.status,
        state=translate(_STATES[entry.status]),
        moments=entry.moments,
        length=_length(entry.duration_s),
        added=_added(entry.submitter, entry.submitted_at),
        thumbnail=entry.thumbnail,
        problem=translate(entry.code) if entry.code else None,
    )


def _why(why: messages.MatchReason) -> str:
    match why.kind:
        case "looks":
            return translate(Msg.LOOKS)
        case "motion":
            return translate(Msg.MOVES)
        case "words":
            return translate(Msg.WORDS, snippet=clean(why.snippet)) if why.snippet else translate(Msg.WORDS_FIT)


def _length(duration_s: float | None) -> str:
    return "" if duration_s is None else clock(duration_s)


def _added(who: str, iso: str) -> str:
    day = date(iso)
    return translate(Msg.ADDED_BY_ON, who=clean(who), date=day) if day else translate(Msg.ADDED_BY, who=clean(who))
