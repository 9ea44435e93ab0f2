"""Commands that add videos to the library, list them and remove them."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import islice, starmap
from typing import Final

from bots.commands.client import Client
from bots.commands.errors import describe_error, reply_on_error
from bots.commands.findings import TopicItem, TopicsPage
from bots.commands.job_progress import describe_failed_senses, index_and_follow
from bots.commands.replies import (
    LibraryItem,
    LibraryPage,
    LinkOutcome,
    LinkProgress,
    LinkStatus,
    Removed,
    Replies,
    Reply,
    Search,
    TextReply,
    format_length,
)
from bots.commands.search import run_search
from bots.i18n.messages import Msg
from bots.i18n.translate import clean_text, format_count, translate
from bots.i18n.vocabulary import translate_words
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Enrich, Forget, GetStatus, IndexStatus, LibraryEntry, ListLibrary, Sense, Submit
from worker.protocol.topics import ListTopics, Topic, TopicListing

SUGGEST_WITHIN_S: Final = 2.0
"""Discord and Slack show suggestions that arrive within three seconds, and an error after that."""
MAX_SUGGESTIONS: Final = 25
"""Discord shows no more."""
MAX_ENRICHED: Final = 8
"""Videos whose enrich jobs one command has in the queue at once, so that those of new links wait behind a few only."""
MOMENTS_SHOWN: Final = 3
"""Moments of a topic on one page, which every frontend can show."""
PAGE_SIZE: Final = 200
"""Videos that one request to the worker lists at most."""

_STATES: Final[Mapping[IndexStatus, Msg]] = {
    IndexStatus.WAITING: Msg.IN_WORK,
    IndexStatus.INDEXED: Msg.READY,
    IndexStatus.WORDS_ONLY: Msg.ONLY_WORDS,
    IndexStatus.FAILED: Msg.FAILED,
}
SENSES: Final[Mapping[Sense, Msg]] = {
    Sense.SAID: Msg.SENSE_SAID,
    Sense.SHOWN: Msg.SENSE_SHOWN,
    Sense.HEARD: Msg.SENSE_HEARD,
}


@reply_on_error
async def index(
    client: Client,
    caller: Caller,
    links: Sequence[str] = (),
    *,
    titles: Mapping[str, str] | None = None,
    local_files: bool = False,
    message_id: str | None = None,
    at: float | None = None,
) -> Replies:
    """Submit all `links` at once and follow each until its `LinkOutcome`.

    `titles` (by link) replace the titles that the sites give. `message_id` is the chat message that contains the
    links: when it is deleted, they are removed. `at` is the Unix time of the request: a link that was forgotten
    after that is not added again.
    """
    if not links:
        yield TextReply(translate(Msg.WHICH_LINKS), ok=False, code=ErrorCode.NOT_A_LINK)
        return
    requests = [
        Submit(
            caller=caller,
            link=link,
            title=(titles or {}).get(link),
            local_files=local_files,
            message_id=message_id,
            at=time.time() if at is None else at,
        )
        for link in links
    ]
    async with aclosing(submit_links(client, requests)) as replies:
        async for reply in replies:
            yield reply


@reply_on_error
async def enrich(client: Client, caller: Caller, links: Sequence[str] = (), *, is_all: bool = False) -> Replies:
    """Recognize speech, text and sounds of videos in the library again, and follow each until its `LinkOutcome`.

    With `is_all`, these are all videos of the space, and only what they lack or what failed is recognized.
    """
    if is_all:
        entries, _ = await _list_entries(client, caller)
        links = [entry.link for entry in entries if entry.status is not IndexStatus.FAILED]
    if not links:
        yield TextReply(translate(Msg.EMPTY_LIBRARY if is_all else Msg.WHICH_LINK), ok=is_all)
        return
    requests = [Enrich(caller=caller, link=link, only_missing=is_all) for link in links]
    async with aclosing(submit_links(client, requests, MAX_ENRICHED)) as replies:
        async for reply in replies:
            yield reply


async def submit_links(
    client: Client, requests: Iterable[Submit | Enrich], max_unfinished: int | None = None
) -> Replies:
    """Submit links and follow each until its `LinkOutcome`.

    At most `max_unfinished` are in progress at once. The next request is taken after an outcome was yielded, or after
    a new video was added whose speech, text and sounds are still being recognized.
    """
    replies: asyncio.Queue[tuple[Reply, bool]] = asyncio.Queue()
    waiting, jobs = iter(requests), list[asyncio.Task[None]]()

    def start(count: int | None) -> int:
        """Start the next links. Returns their number."""
        started = [
            asyncio.create_task(_index_link(client, request, _make_report(request, replies)))
            for request in islice(waiting, count)
        ]
        jobs.extend(started)
        return len(started)

    unfinished = start(max_unfinished)
    try:
        while unfinished:
            reply, makes_room = await replies.get()
            yield reply
            unfinished += start(1) if makes_room else 0
            unfinished -= isinstance(reply, LinkOutcome)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


def _make_report(request: Submit | Enrich, replies: asyncio.Queue[tuple[Reply, bool]]) -> Callable[[Reply], None]:
    """Return a function that enqueues the replies to one request, the first that makes room for another one marked."""
    has_made_room = False

    def report(reply: Reply) -> None:
        nonlocal has_made_room
        is_added = isinstance(request, Submit) and isinstance(reply, LinkProgress) and reply.is_added
        makes_room = not has_made_room and (is_added or isinstance(reply, LinkOutcome))
        has_made_room = has_made_room or makes_room
        replies.put_nowait((reply, makes_room))

    return report


async def _index_link(client: Client, request: Submit | Enrich, report: Callable[[Reply], None]) -> None:
    """Report the progress of one link. The last reply, and only that one, is a `LinkOutcome`."""
    try:
        outcome = await index_and_follow(client, request, report)
    except Exception as error:
        code, correlation_id = describe_error(error)
        outcome = LinkOutcome(request.link, LinkStatus.FAILED, translate(code), 0, code, correlation_id)
    if outcome.code is ErrorCode.PLAYLIST_REFUSED:
        hint = translate(Msg.CRAWL_BY_OPERATOR, space=request.caller.space)
        outcome = replace(outcome, text=f"{outcome.text} {hint}")
    report(outcome)


@reply_on_error
async def list_library(
    client: Client, caller: Caller, search: str | None = None, *, only_own: bool = False, limit: int | None = 20
) -> Replies:
    """List the videos that the caller can find, newest first.

    `search` keeps only videos that match its words, `only_own` only those that the caller added. Without a `limit`, all
    pages are read.
    """
    entries, total = await _list_entries(client, caller, search, only_own, limit)
    if entries:
        yield LibraryPage(tuple(map(_make_library_item, entries)), total)
    else:
        yield TextReply(translate(Msg.NO_VIDEO_MATCHES if search else Msg.EMPTY_LIBRARY))


async def _list_entries(
    client: Client, caller: Caller, search: str | None = None, only_own: bool = False, limit: int | None = None
) -> tuple[list[LibraryEntry], int]:
    """Return the videos that the caller can find, or up to `limit` of them, and the number of all."""
    entries: list[LibraryEntry] = []
    while True:
        size = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit - len(entries))
        page = await client.call(
            ListLibrary(caller=caller, search=search, only_own=only_own, limit=size, offset=len(entries))
        )
        entries += page.entries
        if not page.entries or len(entries) in (limit, page.total):
            return entries, page.total


@reply_on_error
async def forget(
    client: Client, caller: Caller, link: str | None = None, *, only_own: bool = False, at: float | None = None
) -> Replies:
    """Remove one link, or with `only_own` all that the caller added. `at` is the Unix time of the request."""
    if not (link or only_own):
        yield TextReply(translate(Msg.WHICH_LINK), ok=False, code=ErrorCode.NOT_A_LINK)
        return
    request = Forget(caller=caller, link=link or None, only_own=only_own, at=time.time() if at is None else at)
    links = (await client.call(request)).links
    if len(links) == 1:
        text = translate(Msg.FORGOTTEN_ONE, link=links[0])
    else:
        text = translate(Msg.FORGOTTEN, count=len(links))
    yield Removed(links, text)


@reply_on_error
async def sync_watched_message(
    client: Client, caller: Caller, message_id: str, links: Sequence[str], *, at: float
) -> Replies:
    """Make the library match a message of a watched channel: remove what it no longer links to, add the rest."""
    await client.call(Forget(caller=caller, message_id=message_id, kept_links=tuple(links), at=at))
    if links:
        async with aclosing(index(client, caller, links, message_id=message_id, at=at)) as replies:
            async for reply in replies:
                yield reply


async def suggest_videos(client: Client, caller: Caller, typed: str) -> list[tuple[str, str]]:
    """Return titles and links of videos that match what a user has typed so far.

    Returns nothing if the worker fails or takes longer than `SUGGEST_WITHIN_S`.
    """
    try:
        async with asyncio.timeout(SUGGEST_WITHIN_S):
            page = await client.call(ListLibrary(caller=caller, search=typed, limit=MAX_SUGGESTIONS))
    except (CallFailedError, TimeoutError):
        return []
    return [(clean_text(entry.title) or entry.link, entry.link) for entry in page.entries if entry.moments]


@reply_on_error
async def show_status(client: Client, caller: Caller) -> Replies:
    """Show how much is in the library, which model reads it, and how many videos wait."""
    state = await client.call(GetStatus(caller=caller))
    sentences = [translate(Msg.WAITING, count=state.waiting)] if state.waiting else []
    if state.listening:
        sentences.append(translate(Msg.LISTENING, count=state.listening))
    if state.is_listening_stalled:
        sentences.append(translate(Msg.LISTENING_STALLED))
    if state.failed_senses:
        senses = ", ".join(_describe_failed(sense, count) for sense, count in state.failed_senses.items())
        sentences.append(translate(Msg.FAILED_SENSES, senses=senses))
    waiting = " ".join(sentences) or translate(Msg.NOTHING_WAITING)
    videos = format_count(state.videos, Msg.VIDEOS_ONE, Msg.VIDEOS)
    moments = format_count(state.moments, Msg.MOMENTS_ONE, Msg.MOMENTS)
    yield TextReply(translate(Msg.STATUS, videos=videos, moments=moments, preset=state.preset, waiting=waiting))


def _describe_failed(sense: Sense, count: int) -> str:
    videos = format_count(count, Msg.VIDEOS_ONE, Msg.VIDEOS)
    return translate(Msg.FAILED_SENSE, sense=translate(SENSES[sense]), videos=videos)


def _make_library_item(entry: LibraryEntry) -> LibraryItem:
    problems = [translate(entry.code)] if entry.code else []
    problems += describe_failed_senses(entry.failed_senses)
    return LibraryItem(
        title=clean_text(entry.title) or entry.link,
        link=entry.link,
        status=entry.status,
        state=translate(Msg.READY_LISTENING if entry.pending_senses else _STATES[entry.status]),
        moments=entry.moments,
        length=format_length(entry.duration_s),
        submitter=clean_text(entry.submitter),
        submitted_at=entry.submitted_at,
        message_id=entry.message_id,
        thumbnail=entry.thumbnail,
        problem=" ".join(problems) or None,
        pending_senses=entry.pending_senses,
        failed_senses=tuple(entry.failed_senses),
    )


@reply_on_error
async def show_topics(client: Client, caller: Caller, topic: str = "") -> Replies:
    """Show the topics of what the caller can see, or the best moments of one of them.

    `topic` is its number in the list, from 1, or the id of the moment that stands for it, which buttons know.
    """
    topic = topic.strip()
    if topic and not topic.isdecimal():
        yield await run_search(client, caller, _search_topic(topic))
        return
    listing = await client.call(ListTopics(caller=caller))
    if not topic:
        yield _make_page(listing)
    elif 0 < int(topic) <= len(listing.topics):
        yield await run_search(client, caller, _search_topic(listing.topics[int(topic) - 1].moment_id))
    else:
        yield TextReply(translate(Msg.TOPIC_UNKNOWN, number=clean_text(topic)), ok=False)


def _search_topic(moment_id: str) -> Search:
    return Search(like=(f"topic:{moment_id}",), limit=MOMENTS_SHOWN)


def _make_page(listing: TopicListing) -> TextReply | TopicsPage:
    if not listing.topics:
        return TextReply(translate(Msg.TOPICS_PENDING if listing.is_pending else Msg.NO_TOPICS))
    return TopicsPage(translate(Msg.TOPICS_TITLE), tuple(starmap(_make_item, enumerate(listing.topics, 1))))


def _make_item(number: int, topic: Topic) -> TopicItem:
    """Return a topic in words. One that no word fits is named by its number."""
    moments = format_count(topic.moments, Msg.MOMENTS_ONE, Msg.MOMENTS)
    videos = format_count(topic.videos, Msg.VIDEOS_ONE, Msg.VIDEOS)
    name = translate_words(topic.names) or translate(Msg.TOPIC_NUMBER, number=number)
    return TopicItem(
        name=name,
        about=f"{moments} · {videos}",
        thumbnail=topic.thumbnail,
        topic=topic,
    )
