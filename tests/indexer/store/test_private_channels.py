"""Videos submitted in a private channel are visible only there."""

import pytest

from indexer.errors import NotSubmitterError
from indexer.store.records import Scopes
from indexer.store.stores import Stores
from tests.support.indexer.fakes import (
    FAKE,
    findable_moments,
    finish_removals,
    make_moments,
    make_video,
    moment_id,
    submit_video,
    video_id,
)

A = "discord:1"
IN_CHANNEL = (A, f"{A}/55")
IN_ANOTHER = (A, f"{A}/66")


def index_video(
    stores: Stores, name: str, private_channel: str | None = None, user_id: str = "ann", message_id: str | None = None
) -> None:
    submit_video(stores, A, name, user_id, private_channel=private_channel, message_id=message_id)
    assert stores.publisher.publish_moments(make_video(name), make_moments(make_video(name), name), FAKE)


def findable(stores: Stores, scopes: Scopes) -> set[str]:
    return set(findable_moments(stores, scopes))


def ids(*names: str) -> set[str]:
    return {moment_id(make_video(name), 0) for name in names}


def test_video_of_a_private_channel_is_found_only_there(stores: Stores) -> None:
    """Users who cannot read the channel neither find the video nor see it in the library."""
    index_video(stores, "open")
    index_video(stores, "secret", private_channel="55")
    assert findable(stores, IN_CHANNEL) == ids("open", "secret")
    assert findable(stores, A) == findable(stores, IN_ANOTHER) == ids("open")
    assert [row.video.title for row in stores.submissions.list_videos(A, limit=10)[0]] == ["open"]
    assert stores.submissions.list_videos(IN_CHANNEL, limit=10)[1] == 2
    assert stores.submissions.has(IN_CHANNEL, video_id("secret"))
    assert not stores.submissions.has(IN_ANOTHER, video_id("secret"))
    assert stores.moments.get(FAKE, A, list(ids("secret"))) == []
    assert (stores.submissions.count(A).moments, stores.submissions.count(IN_CHANNEL).moments) == (1, 2)


def test_private_video_submitted_publicly_is_found_by_the_space(stores: Stores) -> None:
    """Removed there again, the video is visible only in the private channel."""
    index_video(stores, "clip", private_channel="55")
    submit_video(stores, A, "clip", "bob")
    assert findable(stores, A) == ids("clip")
    assert stores.submissions.list_videos(IN_CHANNEL, limit=10)[1] == 1
    assert stores.submissions.count(IN_CHANNEL).videos == 1
    stores.removals.remove_video(A, video_id("clip"))
    assert findable(stores, A) == set()
    assert findable(stores, IN_CHANNEL) == ids("clip")


def test_remove_video_by_another_user_is_refused(stores: Stores) -> None:
    """Its submitter, and a caller without a user id (an admin), can remove it."""
    index_video(stores, "clip", user_id="ann")
    with pytest.raises(NotSubmitterError):
        stores.removals.remove_video(A, video_id("clip"), user_id="bob")
    assert findable(stores, A) == ids("clip")
    assert stores.removals.remove_video(A, video_id("clip"), user_id="ann").links == (make_video("clip").link,)


def test_remove_by_user_includes_private_channels(stores: Stores) -> None:
    """Videos of other users are kept."""
    index_video(stores, "one", private_channel="55", user_id="ann")
    index_video(stores, "two", user_id="ann")
    index_video(stores, "three", user_id="bob")
    assert len(stores.removals.remove_by_user(A, "ann").links) == 2
    assert findable(stores, IN_CHANNEL) == ids("three")


def test_remove_by_message_keeps_links_that_it_still_contains(stores: Stores) -> None:
    """Links of other messages are kept, too."""
    for name in ("kept", "gone"):
        index_video(stores, name, message_id="m1")
    index_video(stores, "other", message_id="m2")
    stores.removals.remove_by_message(A, "m1", keep=[video_id("kept")])
    assert findable(stores, A) == ids("kept", "other")


def test_remove_space_includes_private_channels(stores: Stores) -> None:
    """A video that another space has, too, is kept for that space."""
    index_video(stores, "private", private_channel="55")
    index_video(stores, "open")
    submit_video(stores, "slack:2", "open")
    finish_removals(stores, stores.removals.remove_space(A))
    assert findable(stores, IN_CHANNEL) == set()
    assert findable(stores, "slack:2") == ids("open")
    assert stores.videos.get(video_id("private")) is None
    assert set(stores.submissions.map_submitters(None)) == {video_id("open")}
