"""Requests about the lists that a space follows: channels, playlists and feeds whose later videos are added."""

from worker.protocol.base import Request, WireModel
from worker.protocol.error_codes import ErrorCode


class FollowedListEntry(WireModel):
    """One followed list."""

    link: str
    follower: str
    followed_at: str
    """ISO time, UTC."""
    added: int
    """Videos that were added so far."""
    looked_at: str | None = None
    """ISO time, UTC, of the last look; None before the first."""
    due_at: str
    """ISO time, UTC, of the next look."""
    code: ErrorCode | None = None
    """Why the last look failed."""


class FollowedListing(WireModel):
    """The lists that the caller's space follows, the oldest first; of private channels only the caller's own."""

    lists: tuple[FollowedListEntry, ...]


class ListFollowed(Request[FollowedListing]):
    """List what the space follows. Admins only."""

    task = "list_followed"
    answer = FollowedListing


class Followed(WireModel):
    """The followed list, by the link that the listing has."""

    link: str
    is_new: bool
    """False if it was followed before."""


class FollowList(Request[Followed]):
    """Follow a list: what it publishes from now on is added. Admins only."""

    task = "follow_list"
    answer = Followed
    link: str


class UnfollowList(Request[Followed]):
    """Do not follow a list any more. What it has added stays. Admins only."""

    task = "unfollow_list"
    answer = Followed
    link: str
