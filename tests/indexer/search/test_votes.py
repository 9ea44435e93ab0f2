"""Votes as a prior: which moments rise and fall, and how far at most."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.hits import MatchKind, MatchReason
from indexer.lexical import MAX_SNIPPET_CHARS
from indexer.search.fusion import FusedItem
from indexer.search.query import SearchQuery, TextQuery
from indexer.search.ranking import RankedMoment
from indexer.search.votes import MAX_GAIN, MAX_PLACES, Opinion, VoteReader, apply_opinions
from indexer.store.records import VoteRecord
from indexer.store.stores import Stores
from indexer.types import Vector
from indexer.vectors.edge import EdgeVectorStore
from tests.support.indexer.fakes import (
    FakeEncoder,
    index_video,
    make_video,
    moment_id,
    open_library,
    search_library,
    video_id,
)

A, B = "discord:1", "slack:2"
PRIVATE = f"{A}/55"
RED_DOG = SearchQuery(A, ("red dog",))
GOAL = RankedMoment(FusedItem(moment_id(make_video("goal"), 0), video_id("goal"), {}, 0.0), TextQuery("red dog", {}))


def make_vote(
    question: str = "red dog", kind: str = "up", user_id: str = "ann", space: str = A, channel: str | None = None
) -> VoteRecord:
    """Return a vote on the first moment of the video `goal`."""
    at = "2026-01-01T12:00:00+00:00"
    id = moment_id(make_video("goal"), 0)
    return VoteRecord(space, user_id, (question,), video_id("goal"), 0.0, 5.0, kind, at, channel, id)


def read(stores: Stores, question: str = "red dog", scopes: str | tuple[str, ...] = A) -> Mapping[str, Opinion]:
    return VoteReader(stores.spaces).read(FakeEncoder(), SearchQuery(scopes, (question,)), [GOAL])


def describe(opinions: Mapping[str, Opinion]) -> dict[str, tuple[float, str | None]]:
    return {id: (round(opinion.balance, 2), opinion.liked_for) for id, opinion in opinions.items()}


@pytest.fixture
def edge(store_folder: Path) -> Iterator[Stores]:
    """Open empty stores in this process: a vote needs no video."""
    vector_store = EdgeVectorStore(store_folder)
    yield open_library(vector_store)
    vector_store.close()


def test_one_vote_for_the_same_question_makes_one_half(edge: Stores) -> None:
    edge.spaces.put_vote(make_vote())
    assert describe(read(edge)) == {GOAL.id: (0.5, "red dog")}
    edge.spaces.put_vote(make_vote(kind="down"))
    assert describe(read(edge)) == {GOAL.id: (-0.33, None)}


def test_vote_counts_less_for_a_near_question_and_nothing_for_another(edge: Stores) -> None:
    edge.spaces.put_vote(make_vote("a big dog"))
    assert 0 < read(edge)[GOAL.id].balance < 0.5
    assert read(edge, "ship") == {}


def test_more_voters_count_more_but_one_person_counts_once(edge: Stores) -> None:
    """Neither repetition nor other words for the same question add anything."""
    for question in ("red dog", "red dog", "Red dog!", "dog red"):
        edge.spaces.put_vote(make_vote(question))
    edge.spaces.put_vote(make_vote(kind="shared"))
    assert read(edge)[GOAL.id].balance == pytest.approx(1 / 2)
    edge.spaces.put_vote(make_vote(user_id="bob"))
    assert read(edge)[GOAL.id].balance == pytest.approx(2 / 3)


def test_opened_moments_and_votes_without_a_question_count_nothing(edge: Stores) -> None:
    edge.spaces.put_vote(make_vote(kind="opened"))
    edge.spaces.put_vote(replace(make_vote(user_id="bob"), queries=()))
    assert read(edge) == {}


def test_vote_in_a_private_channel_is_read_in_that_channel_only(stores: Stores) -> None:
    """Those of the whole space are read in its private channels, too, and those of another space nowhere."""
    stores.spaces.put_vote(make_vote("secret dog", channel="55"))
    stores.spaces.put_vote(make_vote(user_id="bob"))
    stores.spaces.put_vote(make_vote("red dog", "down", space=B))
    assert describe(read(stores)) == {GOAL.id: (0.5, "red dog")}
    assert read(stores, "secret dog", (A, PRIVATE))[GOAL.id].liked_for == "secret dog"
    assert read(stores, "secret dog", (A, f"{A}/66"))[GOAL.id].liked_for == "red dog"


def test_deleted_vote_has_no_effect_at_once(edge: Stores) -> None:
    reader = VoteReader(edge.spaces)
    edge.spaces.put_vote(make_vote())
    assert reader.read(FakeEncoder(), RED_DOG, [GOAL])
    edge.spaces.delete_votes_of(A, "ann")
    assert reader.read(FakeEncoder(), RED_DOG, [GOAL]) == {}


def test_long_question_is_shown_in_part(edge: Stores) -> None:
    question = "red dog " * 1000
    edge.spaces.put_vote(make_vote(question))
    assert read(edge, question)[GOAL.id].liked_for == f"{question[: MAX_SNIPPET_CHARS - 1]}…"


def test_question_is_embedded_once(edge: Stores) -> None:
    embedded: list[str] = []

    class CountingEncoder(FakeEncoder):
        def encode_sentences(self, texts: Sequence[str]) -> Vector:
            embedded.extend(texts)
            return super().encode_sentences(texts)

    reader = VoteReader(edge.spaces)
    edge.spaces.put_vote(make_vote())
    edge.spaces.put_vote(make_vote("red cat", user_id="bob"))
    for _ in range(2):
        reader.read(CountingEncoder(), RED_DOG, [GOAL])
    assert sorted(embedded) == ["red cat", "red dog"]


# ---- searches ----


@pytest.fixture
def library(edge: Stores) -> Stores:
    """Index two videos that match `red dog` a little, `goal` with its second moment, and others."""
    for name in ("ship", "tree", "car", "moon", "lake", "fish"):
        index_video(edge, A, name, title="")
    index_video(edge, A, "best", "red dog jumps high", title="")
    index_video(edge, A, "goal", "blue sky", "red dog runs", title="")
    return edge


def like(stores: Stores, number: int, *user_ids: str) -> None:
    """Vote for a moment of `goal` as an answer to `red dog`."""
    id = moment_id(make_video("goal"), number)
    for user_id in user_ids:
        vote = replace(make_vote(user_id=user_id), start_s=5.0 * number, end_s=5.0 * number + 5, moment_id=id)
        stores.spaces.put_vote(vote)


def search(stores: Stores, *texts: str, **query: Any) -> tuple[list[str], bool]:
    """Return the names of the first two videos, and whether the page is weak."""
    page = search_library(stores, A, *texts, **query)
    return [hit.link.rpartition("/")[2] for hit in page.hits][:2], page.is_weak


def test_liked_moment_ranks_higher_for_the_question_with_a_reason(library: Stores) -> None:
    """Then the page is not weak any more. Other questions find what they found before."""
    before = search(library, "blue whale")
    unsure = FakeEncoder(logit_scale=3.0)
    assert search(library, "red dog", encoder=unsure) == (["best", "goal"], True)
    like(library, 1, "ann", "bob")
    assert search(library, "red dog", encoder=unsure) == (["goal", "best"], False)
    hit = search_library(library, A, "red dog").hits[0]
    assert hit.why[0] == MatchReason(MatchKind.LIKED, "red dog")
    assert (hit.start_s, hit.more) == (5.0, 1)
    assert search(library, "blue whale") == before


def test_votes_do_not_count_in_searches_with_examples_or_restrictions(library: Stores) -> None:
    like(library, 1, "ann", "bob")
    assert search(library, "red dog", like=("red dog",))[0] == ["best", "goal"]
    assert search(library, "red dog", only="looks")[0] == ["best", "goal"]


def test_video_shows_its_liked_moment_unless_another_is_much_better(library: Stores) -> None:
    like(library, 0, "ann", "bob")
    [shown] = [hit for hit in search_library(library, A, "red dog").hits if hit.video_id == video_id("goal")]
    assert shown.start_s == 5.0
    index_video(library, A, "goal", "red dog sky", "red dog runs", title="")
    [shown] = [hit for hit in search_library(library, A, "red dog").hits if hit.video_id == video_id("goal")]
    assert (shown.start_s, shown.more, shown.is_liked) == (0.0, 1, True)


# ---- order ----


def reorder(likelihoods: Sequence[float], balances: Mapping[int, float]) -> list[int]:
    """Return the former places of moments in their new order."""
    ranked = [RankedMoment(FusedItem(str(at), str(at), {}, 0.0), TextQuery("", {})) for at in range(len(likelihoods))]
    opinions = {str(at): Opinion(balance) for at, balance in balances.items()}
    return [
        int(each.id)
        for each in apply_opinions(ranked, opinions, {str(at): each for at, each in enumerate(likelihoods)})
    ]


def test_liked_moment_passes_those_that_are_not_much_better() -> None:
    assert reorder([0.9, 0.56, 0.55, 0.5], {3: 0.5}) == [0, 3, 1, 2]


def test_disliked_moment_falls_behind_those_that_are_not_much_worse() -> None:
    assert reorder([0.56, 0.52, 0.5, 0.1], {0: -0.5}) == [1, 2, 0, 3]


def test_moment_passes_no_more_than_the_maximum_of_places() -> None:
    assert reorder([0.5] * 20, {19: 0.9}).index(19) == 19 - MAX_PLACES
    assert reorder([0.5] * 20, {0: -0.9}).index(0) == MAX_PLACES


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.0, 0.5, -0.5, 0.9, -0.9])), min_size=1, max_size=12))
def test_no_opinions_bring_a_moment_before_a_much_better_one(moments: list[tuple[float, float]]) -> None:
    likelihoods, balances = [each for each, _ in moments], [balance for _, balance in moments]
    order = reorder(likelihoods, {at: balance for at, balance in enumerate(balances) if balance})
    assert sorted(order) == list(range(len(moments)))
    for place, at in enumerate(order):
        for passed in (other for other in order[place + 1 :] if other < at):
            gained = MAX_GAIN * (balances[at] - balances[passed])
            assert gained > 0
            assert log_odds(likelihoods[passed]) - log_odds(likelihoods[at]) <= gained + 1e-9


def log_odds(likelihood: float) -> float:
    bounded = min(max(likelihood, 0.001), 0.999)
    return math.log(bounded / (1 - bounded))
