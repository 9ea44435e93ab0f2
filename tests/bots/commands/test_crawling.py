"""Commands that add whole lists of videos, over a library in memory."""

import asyncio
import threading

import pytest

from bots.chat.progress import is_interim, throttle_progress
from bots.commands import library
from bots.commands.crawling import MAX_UNFINISHED, crawl, follow, unfollow
from bots.commands.replies import CrawlProgress, FollowedPage, LinkOutcome, ReplyButton
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.replies import collect, collect_sentence
from tests.support.waiting import wait_until
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Submit

LIST = "https://video.example/list"
ADMIN = Caller(space="discord:123", user_id="zoe", is_admin=True)


def list_submitted(client: FakeClient) -> list[str]:
    return [request.link for request in client.requests if isinstance(request, Submit)]


async def test_crawl_follows_each_video_of_a_list_to_its_outcome(client: FakeClient) -> None:
    replies = await collect(crawl(client, ADMIN, LIST, max_links=2, shows_links=True))
    assert [reply.link for reply in replies if isinstance(reply, LinkOutcome)] == [f"{LIST}/0", f"{LIST}/1"]


async def test_crawl_in_a_chat_has_one_message_that_counts_and_can_be_stopped() -> None:
    client = FakeClient(sites={f"{LIST}/1": ErrorCode.LIVE_STREAM})
    first, *_, last = await collect(crawl(client, ADMIN, LIST))
    assert isinstance(first, CrawlProgress)
    assert isinstance(last, CrawlProgress)
    assert (first.text, first.done) == ("Adding videos: 0 of 3", 0.0)
    assert first.button == ReplyButton("Stop", "crawl", {"link": "stop"})
    assert (last.text, last.button) == ("Added 2 of 3 videos. Already here: 0. Failed: 1.", None)
    assert [failure.link for failure in last.failures] == [f"{LIST}/1"]
    again = (await collect(crawl(client, ADMIN, LIST)))[-1]
    assert isinstance(again, CrawlProgress)
    assert again.text == "Added 0 of 3 videos. Already here: 2. Failed: 1."


async def test_progress_of_a_crawl_is_throttled() -> None:
    replies = await collect(throttle_progress(crawl(FakeClient(listed=50), ADMIN, LIST)))
    assert len(replies) < 10
    assert [is_interim(reply) for reply in replies][-1] is False


async def test_crawl_has_few_videos_in_progress_at_once() -> None:
    """So that links of other users do not wait behind the whole list."""
    client = FakeClient(gate=threading.Event(), listed=20)
    running = asyncio.ensure_future(collect(crawl(client, ADMIN, LIST)))
    await wait_until_submitted(client, MAX_UNFINISHED)
    assert client.gate
    client.gate.set()
    await running
    assert sorted(list_submitted(client)) == sorted(f"{LIST}/{number}" for number in range(20))


@pytest.mark.parametrize("shows_links", [False, True])
async def test_stopped_crawl_keeps_what_it_has_added(shows_links: bool) -> None:
    """Videos in progress are finished. A crawl that is requested later goes on."""
    client = FakeClient(gate=threading.Event(), listed=20)
    running = asyncio.ensure_future(collect(crawl(client, ADMIN, LIST, shows_links=shows_links, at=10)))
    await wait_until_submitted(client, MAX_UNFINISHED)
    stopped = await collect_sentence(crawl(client, ADMIN, "stop", at=20))
    assert (stopped.ok, stopped.text) == (True, translate(Msg.CRAWLS_STOPPED))
    assert client.gate
    client.gate.set()
    last = (await running)[-1]
    if shows_links:
        assert getattr(last, "code", None) is ErrorCode.CRAWL_STOPPED
    else:
        assert getattr(last, "text", "") == "Stopped. Added 8 of 20 videos. Already here: 0. Failed: 0."
    assert len(client.videos) == MAX_UNFINISHED
    later = (await collect(crawl(client, ADMIN, LIST, at=30)))[-1]
    assert getattr(later, "text", "") == "Added 12 of 20 videos. Already here: 8. Failed: 0."


async def wait_until_submitted(client: FakeClient, count: int) -> None:
    async def is_submitted() -> bool:
        return len(list_submitted(client)) >= count

    await wait_until(is_submitted)
    assert len(list_submitted(client)) == count


async def test_refused_playlist_names_the_commands_that_add_it(client: FakeClient) -> None:
    """The one of admins, and the operator's with the space."""
    client.sites = {LIST: ErrorCode.PLAYLIST_REFUSED}
    *_, outcome = await collect(library.index(client, ADMIN, [LIST]))
    assert isinstance(outcome, LinkOutcome)
    assert "`crawl`" in outcome.text
    assert "`reelseek crawl LINK --space discord:123`" in outcome.text


async def test_followed_lists_are_shown_until_they_are_unfollowed(client: FakeClient) -> None:
    assert (await collect(follow(client, ADMIN)))[0] == FollowedPage(translate(Msg.NOTHING_FOLLOWED), ())
    begun = await collect_sentence(follow(client, ADMIN, LIST))
    assert begun.text == translate(Msg.FOLLOW_BEGUN, link=LIST)
    again = await collect_sentence(follow(client, ADMIN, LIST))
    assert again.text == translate(Msg.FOLLOWED_ALREADY, link=LIST)
    failing = client.followed["discord:123"][LIST]
    client.followed["discord:123"][LIST] = failing.model_copy(update={"added": 4, "code": ErrorCode.UNREACHABLE})
    [page] = await collect(follow(client, ADMIN))
    assert isinstance(page, FollowedPage)
    [(link, about, problem)] = page.items
    assert (link, about) == (LIST, "followed by zoe, videos added: 4")
    assert problem
    assert translate(ErrorCode.UNREACHABLE) in problem
    assert (await collect_sentence(unfollow(client, ADMIN, LIST))).text == translate(Msg.UNFOLLOWED, link=LIST)
    assert (await collect_sentence(unfollow(client, ADMIN, LIST))).code is ErrorCode.NOT_FOLLOWED


async def test_crawl_and_follow_are_refused_for_members(client: FakeClient, caller: Caller) -> None:
    for replies in (
        crawl(client, caller, LIST),
        crawl(client, caller, "stop"),
        follow(client, caller),
        follow(client, caller, LIST),
        unfollow(client, caller, LIST),
    ):
        assert (await collect_sentence(replies)).code is ErrorCode.ADMINS_ONLY


async def test_list_without_a_link_is_asked_for(client: FakeClient) -> None:
    for replies in (crawl(client, ADMIN, ""), unfollow(client, ADMIN, "")):
        assert (await collect_sentence(replies)).text == translate(Msg.WHICH_LIST)
    assert client.requests == []
