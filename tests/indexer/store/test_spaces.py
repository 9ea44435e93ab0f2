"""What a space decides and its people think."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from indexer.store.library import Library
from indexer.store.spaces import SpaceStore, VoteRecord
from indexer.vectors.vector_store import VectorStore
from tests.support.indexer_fakes import submit, video_id

A, B = "discord:1", "slack:2"
GOAL = video_id("goal")
VOTE = VoteRecord(A, "ann", ("a goal",), GOAL, 0.0, 5.0, "up", "2026-01-01T12:00:00+00:00")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def spaces(points: VectorStore) -> SpaceStore:
    Library(points)
    return SpaceStore(points)


def test_settings_are_each_space_s_own(spaces: SpaceStore) -> None:
    """What one space decides changes nothing for another, and lasts."""
    assert spaces.settings(A) == {}
    spaces.put_settings(A, {"language": "ko", "watched": ["5"]})
    spaces.put_settings(A, {"language": "zh", "watched": []})
    assert spaces.settings(A) == {"language": "zh", "watched": []}
    assert spaces.settings(B) == {}


def test_a_later_vote_takes_the_place_of_the_earlier(spaces: SpaceStore) -> None:
    """Up and then down is down; sharing stands beside it, and so does another person's vote."""
    spaces.vote(VOTE)
    spaces.vote(replace(VOTE, kind="down"))
    spaces.vote(replace(VOTE, kind="shared"))
    spaces.vote(replace(VOTE, user_id="bob"))
    assert sorted((vote.user_id, vote.kind) for vote in spaces.votes(A)) == [
        ("ann", "down"),
        ("ann", "shared"),
        ("bob", "up"),
    ]


def test_votes_are_each_space_s_own(spaces: SpaceStore) -> None:
    """A space's votes are asked for alone, or all together."""
    spaces.vote(VOTE)
    spaces.vote(replace(VOTE, space=B))
    assert spaces.votes(A) == [VOTE]
    assert len(spaces.votes()) == 2


def test_votes_go_with_the_person(spaces: SpaceStore) -> None:
    """Nothing is left of who takes their things back."""
    spaces.vote(VOTE)
    spaces.vote(replace(VOTE, user_id="bob"))
    spaces.forget_person(A, "ann")
    assert [vote.user_id for vote in spaces.votes(A)] == ["bob"]


def test_votes_go_with_the_video(points: VectorStore) -> None:
    """Those of the space that takes it back go, and at last those of the other; votes on other videos stay."""
    library, spaces = Library(points), SpaceStore(points)
    other = replace(VOTE, video_id=video_id("kick"))
    for space in (A, B):
        submit(library, space, "goal")
        spaces.vote(replace(VOTE, space=space))
    spaces.vote(other)
    library.forget(A, GOAL)
    assert {(vote.space, vote.video_id) for vote in spaces.votes()} == {(B, GOAL), (A, other.video_id)}
    library.forget(B, GOAL)
    assert spaces.votes() == [other]


def test_a_space_that_was_left_is_due_after_its_grace(spaces: SpaceStore) -> None:
    """Told twice the first time counts; come back, it is not due."""
    spaces.put_settings(A, {"language": "ko"})
    spaces.leave(A, NOON)
    spaces.leave(A, NOON + timedelta(days=5))
    assert spaces.left_before(NOON) == []
    assert spaces.left_before(NOON + timedelta(seconds=1)) == [A]
    spaces.come_back(A, NOON + timedelta(days=6))
    assert spaces.left_before(NOON + timedelta(days=9)) == []
    assert spaces.settings(A) == {"language": "ko"}


def test_what_happened_later_counts(spaces: SpaceStore) -> None:
    """Told in the wrong order, a space that is back is not due, and one that was left again is."""
    early, late = NOON, NOON + timedelta(hours=1)
    spaces.come_back(A, late)
    spaces.leave(A, early)
    assert spaces.left_before(NOON + timedelta(days=9)) == []
    spaces.leave(B, late)
    spaces.come_back(B, early)
    assert spaces.left_before(NOON + timedelta(days=9)) == [B]


def test_a_forgotten_space_leaves_nothing(spaces: SpaceStore) -> None:
    """Settings and votes are gone, and it is not due again."""
    spaces.put_settings(A, {"language": "ko"})
    spaces.vote(VOTE)
    spaces.leave(A, NOON)
    spaces.forget(A)
    assert (spaces.settings(A), spaces.votes(A)) == ({}, [])
    assert spaces.left_before(NOON + timedelta(days=9)) == []
