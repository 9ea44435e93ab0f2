"""What is said in a private channel stays there."""

import pytest

from indexer.errors import NotSubmitterError
from indexer.store.library import Library
from indexer.store.moments import Near
from tests.support.indexer_fakes import a_video, gone, meaning, moment_id, some_moments, submit, video_id

A = "discord:1"
IN_ROOM = (A, f"{A}/55")
IN_ANOTHER = (A, f"{A}/66")


def share(library: Library, name: str, private_channel: str = "", user_id: str = "ann", message: str = "") -> None:
    submit(library, A, name, user_id, private_channel=private_channel, message=message)
    assert library.put_moments(a_video(name), some_moments(a_video(name), name), "fake")


def findable(library: Library, scopes: str | tuple[str, ...]) -> set[str]:
    near = Near("frame", meaning("anything"), 100)
    return {scored.id for scored in library.nearest("fake", scopes, [near])[0]}


def ids(*names: str) -> set[str]:
    return {moment_id(a_video(name), 0) for name in names}


def test_a_room_s_video_is_found_in_that_room_only(library: Library) -> None:
    """Those who can't read the channel neither find the video nor see it listed."""
    share(library, "open")
    share(library, "secret", private_channel="55")
    assert findable(library, IN_ROOM) == ids("open", "secret")
    assert findable(library, A) == findable(library, IN_ANOTHER) == ids("open")
    assert [entry.video.title for entry in library.entries(A, limit=10)[0]] == ["open"]
    assert library.entries(IN_ROOM, limit=10)[1] == 2
    assert library.has(IN_ROOM, video_id("secret"))
    assert not library.has(IN_ANOTHER, video_id("secret"))
    assert library.moments("fake", A, list(ids("secret"))) == []
    assert (library.counts(A).moments, library.counts(IN_ROOM).moments) == (1, 2)


def test_shared_openly_later_it_is_found_by_all(library: Library) -> None:
    """The same link, given where everybody reads, opens the video; taken back there, it is the room's alone again."""
    share(library, "clip", private_channel="55")
    submit(library, A, "clip", "bob")
    assert findable(library, A) == ids("clip")
    assert library.entries(IN_ROOM, limit=10)[1] == 1
    library.forget(A, video_id("clip"))
    assert findable(library, A) == set()
    assert findable(library, IN_ROOM) == ids("clip")


def test_only_who_added_it_takes_it_out(library: Library) -> None:
    """Others are refused, and an admin (nobody in particular) is not."""
    share(library, "clip", user_id="ann")
    with pytest.raises(NotSubmitterError):
        library.forget(A, video_id("clip"), user_id="bob")
    assert findable(library, A) == ids("clip")
    assert library.forget(A, video_id("clip"), user_id="ann").links == (a_video("clip").link,)


def test_mine_are_mine_in_every_room(library: Library) -> None:
    """`forget mine` reaches what a person added in private channels, too, and nobody else's."""
    share(library, "one", private_channel="55", user_id="ann")
    share(library, "two", user_id="ann")
    share(library, "three", user_id="bob")
    assert len(library.forget_mine(A, "ann").links) == 2
    assert findable(library, IN_ROOM) == ids("three")


def test_a_message_takes_its_links_along(library: Library) -> None:
    """What an edited message no longer holds goes, what it holds still stays, and other messages' links stay."""
    for name in ("kept", "gone"):
        share(library, name, message="m1")
    share(library, "other", message="m2")
    library.forget_message(A, "m1", still=[video_id("kept")])
    assert findable(library, A) == ids("kept", "other")


def test_a_left_space_keeps_nothing(library: Library) -> None:
    """All rooms of a space go with it; another space's share in a video stays."""
    share(library, "room", private_channel="55")
    share(library, "open")
    submit(library, "slack:2", "open")
    gone(library, library.forget_space(A))
    assert findable(library, IN_ROOM) == set()
    assert findable(library, "slack:2") == ids("open")
    assert library.video(video_id("room")) is None
    assert set(library.submitters("")) == {video_id("open")}
