"""Handlers of the lists that a space follows. What they add later is the work of `worker.jobs.following`."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from yarl import URL

from indexer.fetch.fetcher import YtDlpFetcher
from indexer.store.records import FollowedList, followed_list_id
from indexer.store.spaces import FollowedListStore, SpaceStore
from worker.handlers.access import require_admin
from worker.handlers.errors import RequestRefusedError
from worker.handlers.spaces import load_settings
from worker.jobs.following import LOOK_EVERY, MAX_LISTED, video_keys
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.following import (
    Followed,
    FollowedListEntry,
    FollowedListing,
    FollowList,
    ListFollowed,
    UnfollowList,
)
from worker.protocol.library import is_search

MAX_LISTS: Final = 50
"""Lists that a space and its private channels may follow."""


def follow_list(
    lists: FollowedListStore, spaces: SpaceStore, fetcher: YtDlpFetcher, timeout_s: float, request: FollowList
) -> Followed:
    """Follow a list from now on: the videos that it has already are not added.

    Raises `RequestRefusedError` if the caller is not an admin, if the link leads to one video, or if the space follows
    too many lists; `LinkRefusedError` or `FetchError` if the list cannot be read. Nothing is stored then.
    """
    caller = request.caller
    require_admin(caller)
    followed = _make_followed_list(spaces, caller, _require_list_link(request.link))
    if lists.get(followed.id) is not None:
        return Followed(link=followed.link, is_new=False)
    if lists.count(caller.space) >= MAX_LISTS:
        raise RequestRefusedError(ErrorCode.TOO_MANY_LISTS)
    with TemporaryDirectory() as folder:
        links = replace(fetcher, timeout_s=timeout_s).list_links(followed.link, Path(folder), MAX_LISTED)
    seen = tuple(video_keys(links))
    if seen == tuple(video_keys([followed.link])):
        raise RequestRefusedError(ErrorCode.NOT_A_LIST)
    lists.put(replace(followed, seen=seen))
    return Followed(link=followed.link, is_new=True)


def unfollow_list(lists: FollowedListStore, request: UnfollowList) -> Followed:
    """Do not follow a list any more. Raises `RequestRefusedError` if it is not followed here."""
    caller = request.caller
    require_admin(caller)
    link = _require_list_link(request.link)
    ids = [followed_list_id(link, scope) for scope in caller.scopes]
    followed_ids = [list_id for list_id in ids if lists.get(list_id) is not None]
    if not followed_ids:
        raise RequestRefusedError(ErrorCode.NOT_FOLLOWED)
    for list_id in followed_ids:
        lists.delete(list_id)
    return Followed(link=link, is_new=False)


def list_followed(lists: FollowedListStore, request: ListFollowed) -> FollowedListing:
    """Return what the caller's space follows."""
    require_admin(request.caller)
    return FollowedListing(lists=tuple(map(_entry, lists.list_followed(request.caller.scopes))))


def _require_list_link(text: str) -> str:
    """Return the link of a list in the one form that is stored. Raises `RequestRefusedError`."""
    if is_search(text):
        raise RequestRefusedError(ErrorCode.NOT_A_LIST)
    try:
        return str(URL(text.strip()).with_fragment(None)).rstrip("/")
    except ValueError as error:
        raise RequestRefusedError(ErrorCode.NOT_A_LINK) from error


def _make_followed_list(spaces: SpaceStore, caller: Caller, link: str) -> FollowedList:
    now = datetime.now(UTC)
    is_closed = load_settings(spaces, caller.space).private_channels == "closed"
    return FollowedList(
        space=caller.space,
        link=link,
        user_id=caller.user_id,
        at=now.isoformat(),
        due_at=(now + LOOK_EVERY).isoformat(),
        private_channel=caller.private_channel if is_closed else None,
        user_name=caller.display_name,
    )


def _entry(followed: FollowedList) -> FollowedListEntry:
    return FollowedListEntry(
        link=followed.link,
        follower=followed.user_name or followed.user_id,
        followed_at=followed.at,
        added=followed.added,
        looked_at=followed.looked_at,
        due_at=followed.due_at,
        code=ErrorCode(followed.code) if followed.code else None,
    )
