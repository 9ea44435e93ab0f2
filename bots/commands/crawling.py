"""Commands that add whole lists of videos: once (crawl), or also what they publish later (follow)."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from bots.commands.client import Client
from bots.commands.errors import reply_on_error
from bots.commands.library import submit_links
from bots.commands.replies import (
    CrawlProgress,
    FollowedItem,
    FollowedPage,
    LinkOutcome,
    LinkStatus,
    Replies,
    ReplyButton,
    TextReply,
)
from bots.i18n.messages import Msg
from bots.i18n.translate import clean_text, translate
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.following import FollowedListEntry, FollowList, ListFollowed, UnfollowList
from worker.protocol.library import ListPlaylist, StopCrawls, Submit

STOP: Final = "stop"
MAX_UNFINISHED: Final = 8
"""Videos of a crawl that are in progress at once, so that links of other users wait behind a few only."""
MAX_SHOWN_FAILURES: Final = 5


@reply_on_error
async def crawl(
    client: Client,
    caller: Caller,
    link: str,
    *,
    max_links: int = 50,
    shows_links: bool = False,
    at: float | None = None,
) -> Replies:
    """Add up to `max_links` videos of a playlist, a channel, a feed or a search on YouTube, or `stop` all crawls.

    A crawl that was requested before a `stop` adds no more videos; what it has added stays. With `shows_links`, each
    link has its own progress and `LinkOutcome`; otherwise `CrawlProgress` counts them. `at` is the Unix time of the
    request.
    """
    if not link:
        yield TextReply(translate(Msg.WHICH_LIST), ok=False, code=ErrorCode.NOT_A_LINK)
        return
    asked_at = time.time() if at is None else at
    if link.strip().lower() == STOP:
        await client.call(StopCrawls(caller=caller, at=asked_at))
        yield TextReply(translate(Msg.CRAWLS_STOPPED))
        return
    links = (await client.call(ListPlaylist(caller=caller, link=link, max_links=max_links))).links
    requests = [Submit(caller=caller, link=each, at=asked_at, is_crawled=True) for each in links]
    async with aclosing(_submit_list(client, requests, shows_links)) as replies:
        async for reply in replies:
            yield reply


async def _submit_list(client: Client, requests: list[Submit], shows_links: bool) -> Replies:
    """Submit the videos of a list until the crawl is stopped. The replies are those of `crawl`."""
    summary = CrawlSummary(len(requests))
    if not shows_links:
        yield summary.make_progress()
    async with aclosing(submit_links(client, _until_stopped(requests, summary), MAX_UNFINISHED)) as replies:
        async for reply in replies:
            if isinstance(reply, LinkOutcome):
                summary.count(reply)
                if reply.code is ErrorCode.CRAWL_STOPPED:
                    continue
                if not shows_links:
                    yield summary.make_progress()
            if shows_links:
                yield reply
    if not shows_links:
        yield summary.make_result()
    elif summary.is_stopped:
        yield TextReply(translate(ErrorCode.CRAWL_STOPPED), ok=False, code=ErrorCode.CRAWL_STOPPED)


@reply_on_error
async def follow(client: Client, caller: Caller, link: str | None = None) -> Replies:
    """Add what a channel, playlist or feed publishes from now on. Without a link, show what is followed."""
    if not link:
        listing = await client.call(ListFollowed(caller=caller))
        title = translate(Msg.FOLLOWED_TITLE if listing.lists else Msg.NOTHING_FOLLOWED)
        yield FollowedPage(title, tuple(map(_make_followed_item, listing.lists)))
        return
    followed = await client.call(FollowList(caller=caller, link=link))
    text = Msg.FOLLOW_BEGUN if followed.is_new else Msg.FOLLOWED_ALREADY
    yield TextReply(translate(text, link=followed.link))


@reply_on_error
async def unfollow(client: Client, caller: Caller, link: str) -> Replies:
    """Stop adding videos of a channel, playlist or feed. What it has added stays."""
    if not link:
        yield TextReply(translate(Msg.WHICH_LIST), ok=False, code=ErrorCode.NOT_A_LINK)
        return
    followed = await client.call(UnfollowList(caller=caller, link=link))
    yield TextReply(translate(Msg.UNFOLLOWED, link=followed.link))


@dataclass
class CrawlSummary:
    """What has become of the links of a crawl so far."""

    total: int
    is_stopped: bool = False
    _counts: Counter[LinkStatus] = field(default_factory=Counter)
    _failures: list[LinkOutcome] = field(default_factory=list)

    def count(self, outcome: LinkOutcome) -> None:
        """Count one link."""
        if outcome.code is ErrorCode.CRAWL_STOPPED:
            self.is_stopped = True
            return
        self._counts[outcome.status] += 1
        if not outcome.ok and len(self._failures) < MAX_SHOWN_FAILURES:
            self._failures.append(outcome)

    def make_progress(self) -> CrawlProgress:
        """Return how far the crawl is, with a button that stops it."""
        done = self._counts.total()
        text = translate(Msg.CRAWLING, done=done, total=self.total)
        button = ReplyButton(translate(Msg.CRAWL_STOP), "crawl", {"link": STOP})
        return CrawlProgress(text, done / self.total if self.total else 1.0, tuple(self._failures), button)

    def make_result(self) -> CrawlProgress:
        """Return how the crawl ended."""
        counts = self._counts
        text = translate(
            Msg.CRAWL_STOPPED_RESULT if self.is_stopped else Msg.CRAWL_RESULT,
            added=counts[LinkStatus.INDEXED] + counts[LinkStatus.WORDS_ONLY],
            total=self.total,
            already=counts[LinkStatus.ALREADY],
            failed=counts[LinkStatus.FAILED],
        )
        return CrawlProgress(text, 1.0, tuple(self._failures), is_final=True)


def _until_stopped(requests: list[Submit], summary: CrawlSummary) -> Iterator[Submit]:
    for request in requests:
        if summary.is_stopped:
            return
        yield request


def _make_followed_item(entry: FollowedListEntry) -> FollowedItem:
    about = translate(Msg.FOLLOWED_BY, who=clean_text(entry.follower), count=entry.added)
    problem = translate(Msg.FOLLOWED_FAILED, why=translate(entry.code)) if entry.code else None
    return FollowedItem(clean_text(entry.link), about, problem)
