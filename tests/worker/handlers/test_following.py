"""Following lists and stopping crawls: who may, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from indexer.errors import AddressRefusedError, NoVideoError, SchemeRefusedError
from indexer.store.records import FollowedList
from tests.support.indexer.pages import make_rss_feed
from tests.support.servers.site import Site
from tests.support.worker.callers import ADMIN, ANN, OTHER_SPACE
from tests.support.worker.services import handle, local_link
from worker.handlers.errors import RequestRefusedError
from worker.handlers.following import MAX_LISTS
from worker.handlers.registry import build_handlers
from worker.protocol.base import Caller, Request
from worker.protocol.error_codes import ErrorCode
from worker.protocol.following import FollowList, ListFollowed, UnfollowList
from worker.protocol.library import ListLibrary, ListPlaylist, StopCrawls, Submit
from worker.services import Services

FEED = "http://127.0.0.1/feed.xml"


def put_feed(site: Site, *names: str) -> str:
    urls = [f"{site.base}/{name}.mp4" for name in names]
    return site.put("/feed.xml", make_rss_feed(*urls), kind="application/rss+xml")


def test_feed_of_a_site_is_followed_and_its_later_videos_are_added(services: Services, site: Site) -> None:
    """Through the sandboxed child process that reads it."""
    link = put_feed(site, "old")
    assert handle(services, FollowList(caller=ADMIN, link=link)).is_new
    put_feed(site, "new", "old")
    [followed] = services.stores.followed_lists.list_followed(ADMIN.scopes)
    later = datetime.now(UTC) + timedelta(hours=2)
    services.make_look_job(build_handlers(services)[Submit]).look(followed.id, later)
    [entry] = handle(services, ListLibrary(caller=ANN)).entries
    assert (entry.link, entry.submitter) == (f"{site.base}/new.mp4", "zoe")


def test_list_that_cannot_be_read_is_not_followed(services: Services, site: Site) -> None:
    with pytest.raises(NoVideoError):
        handle(services, FollowList(caller=ADMIN, link=put_feed(site)))
    for link, error in (("list://of", SchemeRefusedError), ("http://10.0.0.1/feed.xml", AddressRefusedError)):
        with pytest.raises(error):
            handle(services, FollowList(caller=ADMIN, link=link))
    assert handle(services, ListFollowed(caller=ADMIN)).lists == ()


def get_refused_code(services: Services, request: Request[Any]) -> ErrorCode:
    with pytest.raises(RequestRefusedError) as refused:
        handle(services, request)
    return refused.value.code


def test_search_on_youtube_is_not_followed(services: Services) -> None:
    assert get_refused_code(services, FollowList(caller=ADMIN, link="ytsearch5:cats")) is ErrorCode.NOT_A_LIST


def test_space_follows_a_limited_number_of_lists(services: Services) -> None:
    now = datetime.now(UTC).isoformat()
    for number in range(MAX_LISTS):
        followed = FollowedList(ADMIN.space, f"{FEED}?{number}", ADMIN.user_id, now, due_at=now)
        services.stores.followed_lists.put(followed)
    assert get_refused_code(services, FollowList(caller=ADMIN, link=FEED)) is ErrorCode.TOO_MANY_LISTS


def test_unknown_list_cannot_be_unfollowed(services: Services) -> None:
    assert get_refused_code(services, UnfollowList(caller=ADMIN, link=FEED)) is ErrorCode.NOT_FOLLOWED


@pytest.mark.parametrize(
    "make_request",
    [
        lambda caller: FollowList(caller=caller, link=FEED),
        lambda caller: UnfollowList(caller=caller, link=FEED),
        lambda caller: ListFollowed(caller=caller),
        lambda caller: StopCrawls(caller=caller),
        lambda caller: ListPlaylist(caller=caller, link=FEED),
    ],
)
def test_lists_and_crawls_are_for_admins(services: Services, make_request: Callable[[Caller], Request[Any]]) -> None:
    """The worker checks it, independently of the frontend."""
    assert get_refused_code(services, make_request(ANN)) is ErrorCode.ADMINS_ONLY


def test_stopped_crawl_adds_no_more_videos(services: Services) -> None:
    """What it has added stays; later crawls, other links and other spaces are not affected."""
    handle(services, Submit(caller=ADMIN, link=local_link("a"), is_crawled=True, at=10))
    handle(services, StopCrawls(caller=ADMIN, at=20))
    handle(services, StopCrawls(caller=ADMIN, at=15))
    stopped = Submit(caller=ADMIN, link=local_link("b"), is_crawled=True, at=19)
    assert get_refused_code(services, stopped) is ErrorCode.CRAWL_STOPPED
    handle(services, stopped.model_copy(update={"is_crawled": False, "link": local_link("c")}))
    handle(services, stopped.model_copy(update={"at": 21, "link": local_link("d")}))
    handle(services, stopped.model_copy(update={"caller": OTHER_SPACE}))
    links = {entry.link for entry in handle(services, ListLibrary(caller=ADMIN)).entries}
    assert links == {local_link("a"), local_link("c"), local_link("d")}
