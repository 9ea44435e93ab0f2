"""Settings, votes and removal of a space."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from indexer.store.records import VoteRecord
from indexer.store.spaces import SpaceStore
from indexer.store.stores import Stores
from tests.support.indexer.fakes import submit_video, video_id

A, B = "discord:1", "slack:2"
GOAL = video_id("goal")
VOTE = VoteRecord(A, "ann", ("a goal",), GOAL, 0.0, 5.0, "up", "2026-01-01T12:00:00+00:00")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def spaces(stores: Stores) -> SpaceStore:
    return stores.spaces


def test_settings_of_a_space_do_not_change_another_space(spaces: SpaceStore) -> None:
    """The last settings replace the earlier ones completely."""
    assert spaces.get_settings(A) == {}
    spaces.put_settings(A, {"language": "ko", "watched": ["5"]})
    spaces.put_settings(A, {"language": "zh", "watched": []})
    assert spaces.get_settings(A) == {"language": "zh", "watched": []}
    assert spaces.get_settings(B) == {}


def test_later_vote_replaces_the_earlier_one_of_the_same_user(spaces: SpaceStore) -> None:
    """`down` replaces `up`; `shared` and another user's vote are independent of it."""
    spaces.put_vote(VOTE)
    spaces.put_vote(replace(VOTE, vote="down"))
    spaces.put_vote(replace(VOTE, vote="shared"))
    spaces.put_vote(replace(VOTE, user_id="bob"))
    assert sorted((vote.user_id, vote.vote) for vote in spaces.list_votes(A)) == [
        ("ann", "down"),
        ("ann", "shared"),
        ("bob", "up"),
    ]


def test_votes_are_read_by_space_or_all_together(spaces: SpaceStore) -> None:
    """Votes of other spaces are not mixed in."""
    spaces.put_vote(VOTE)
    spaces.put_vote(replace(VOTE, space=B))
    assert spaces.list_votes(A) == [VOTE]
    assert len(spaces.list_votes()) == 2


def test_delete_votes_of_a_user_keeps_votes_of_others(spaces: SpaceStore) -> None:
    """Only the user's votes are deleted."""
    spaces.put_vote(VOTE)
    spaces.put_vote(replace(VOTE, user_id="bob"))
    spaces.delete_votes_of(A, "ann")
    assert [vote.user_id for vote in spaces.list_votes(A)] == ["bob"]


def test_removing_a_video_deletes_the_space_s_votes_on_it(stores: Stores, spaces: SpaceStore) -> None:
    """Votes of a space that still has the video, and votes on other videos, are kept."""
    other = replace(VOTE, video_id=video_id("kick"))
    for space in (A, B):
        submit_video(stores, space, "goal")
        spaces.put_vote(replace(VOTE, space=space))
    spaces.put_vote(other)
    stores.removals.remove_video(A, GOAL)
    assert {(vote.space, vote.video_id) for vote in spaces.list_votes()} == {(B, GOAL), (A, other.video_id)}
    stores.removals.remove_video(B, GOAL)
    assert spaces.list_votes() == [other]


def test_removed_bot_makes_the_space_due_after_the_grace_period(spaces: SpaceStore) -> None:
    """The first report of a removal counts, and after a return the space is not due."""
    spaces.put_settings(A, {"language": "ko"})
    spaces.record_bot_removal(A, NOON)
    spaces.record_bot_removal(A, NOON + timedelta(days=5))
    assert spaces.list_removed_before(NOON) == []
    assert spaces.list_removed_before(NOON + timedelta(seconds=1)) == [A]
    spaces.record_bot_return(A, NOON + timedelta(days=6))
    assert spaces.list_removed_before(NOON + timedelta(days=9)) == []
    assert spaces.get_settings(A) == {"language": "ko"}


def test_bot_removal_and_return_out_of_order_let_the_later_time_count(spaces: SpaceStore) -> None:
    """A return after the removal keeps the space, a removal after the return makes it due."""
    early, late = NOON, NOON + timedelta(hours=1)
    spaces.record_bot_return(A, late)
    spaces.record_bot_removal(A, early)
    assert spaces.list_removed_before(NOON + timedelta(days=9)) == []
    spaces.record_bot_removal(B, late)
    spaces.record_bot_return(B, early)
    assert spaces.list_removed_before(NOON + timedelta(days=9)) == [B]


def test_delete_space_deletes_settings_votes_and_removal(spaces: SpaceStore) -> None:
    """The space is not due again."""
    spaces.put_settings(A, {"language": "ko"})
    spaces.put_vote(VOTE)
    spaces.record_bot_removal(A, NOON)
    spaces.delete(A)
    assert (spaces.get_settings(A), spaces.list_votes(A)) == ({}, [])
    assert spaces.list_removed_before(NOON + timedelta(days=9)) == []
