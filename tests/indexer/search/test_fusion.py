"""Fusion of ranked lists."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.search.fusion import RankedEntry, fuse


def entry(id: str, score: float, group: str | None = None, strength: float = 1.0) -> RankedEntry:
    return RankedEntry(id, group or id, score, strength)


def test_second_in_both_lists_beats_first_in_one() -> None:
    """The score is the sum of 1 / (60 + rank), whatever the scales of the lists."""
    looks = [entry("a", 0.31), entry("b", 0.30)]
    words = [entry("c", 17.0), entry("b", 2.0)]
    fused = fuse({"looks": looks, "words": words})
    assert [item.id for item in fused] == ["b", "a", "c"]
    assert [item.score for item in fused] == pytest.approx([2 / 62, 1 / 61, 1 / 61])


def test_ranks_count_videos_instead_of_moments() -> None:
    """After any number of moments of one video the next video has rank 2."""
    many_moments = [entry(f"x{n}", 1 - n / 100, "x") for n in range(50)]
    fused = {item.id: item.score for item in fuse({"looks": [*many_moments, entry("y", 0.1), entry("x99", 0.05, "x")]})}
    assert fused["x0"] == fused["x49"] == 1 / 61
    assert fused["y"] == fused["x99"] == 1 / 62


def test_moments_of_one_video_keep_their_order() -> None:
    """They have the same score, and the nearer moment comes first."""
    many_moments = [entry(id, score, "x") for id, score in (("c", 0.7), ("a", 0.8), ("b", 0.9))]
    assert [item.id for item in fuse({"looks": many_moments})] == ["b", "a", "c"]


def test_equal_scores_share_a_rank() -> None:
    """Their order does not depend on the order of the list."""
    listed = [entry("b", 1.0), entry("a", 1.0), entry("c", 0.5)]
    for entries in (listed, listed[::-1]):
        assert [(item.id, item.score) for item in fuse({"words": entries})] == [
            ("a", 1 / 61),
            ("b", 1 / 61),
            ("c", 1 / 63),
        ]


def test_strength_scales_the_contribution_of_an_entry() -> None:
    """Half the strength gives half the contribution."""
    words = [entry("a", 3.0, strength=0.5)]
    looks = [entry("b", 0.3), entry("a", 0.2)]
    fused = {item.id: item for item in fuse({"looks": looks, "words": words})}
    assert fused["a"].parts == {"looks": 1 / 62, "words": 0.5 / 61}


ENTRIES = st.lists(
    st.builds(RankedEntry, st.sampled_from("abcdefgh"), st.sampled_from("XYZ"), st.integers(0, 5)), max_size=8
)


@given(lists=st.dictionaries(st.sampled_from(["looks", "motion", "words"]), ENTRIES))
def test_fuse_agrees_with_a_naive_computation(lists: dict[str, list[RankedEntry]]) -> None:
    """The oracle is the formula in exact fractions (Hypothesis)."""
    lists = {
        name: list({e.id: RankedEntry(e.id, "XYZ"[ord(e.id) % 3], e.score) for e in each}.values())
        for name, each in lists.items()
    }
    expected: dict[str, Fraction] = {}
    for entries in lists.values():
        for each in entries:
            better = {other.group for other in entries if other.score > each.score} - {each.group}
            expected[each.id] = expected.get(each.id, Fraction(0)) + Fraction(1, 61 + len(better))
    fused = fuse(lists)
    assert {item.id: pytest.approx(item.score) for item in fused} == {id: float(part) for id, part in expected.items()}
    assert [item.score for item in fused] == sorted((item.score for item in fused), reverse=True)
