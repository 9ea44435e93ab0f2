"""Followed lists of the fake client."""

from worker.protocol.base import CallFailedError, WireModel
from worker.protocol.error_codes import ErrorCode
from worker.protocol.following import (
    Followed,
    FollowedListEntry,
    FollowedListing,
    FollowList,
    ListFollowed,
    UnfollowList,
)


def change_followed(
    lists: dict[str, FollowedListEntry], request: FollowList | UnfollowList | ListFollowed
) -> WireModel:
    """Change the followed lists of a space, given by link, and return the answer."""
    if isinstance(request, ListFollowed):
        return FollowedListing(lists=tuple(lists.values()))
    if isinstance(request, UnfollowList):
        if lists.pop(request.link, None) is None:
            raise CallFailedError(ErrorCode.NOT_FOLLOWED, "n0t0ne00")
        return Followed(link=request.link, is_new=False)
    is_new = request.link not in lists
    now = "2026-11-21T12:00:00+00:00"
    entry = FollowedListEntry(link=request.link, follower=request.caller.user_id, followed_at=now, added=0, due_at=now)
    lists.setdefault(request.link, entry)
    return Followed(link=request.link, is_new=is_new)
