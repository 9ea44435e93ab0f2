"""Moments tile a video along its shots, and their ids are always the same."""

import uuid
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.ingest.segmentation import cut_into_segments, moment_id
from indexer.types import DecodeResult, SampledFrame


def decoded(duration_s: float, cuts_s: tuple[float, ...] = (), every_s: float = 1.0) -> DecodeResult:
    count = max(1, int(duration_s / every_s))
    frames = tuple(SampledFrame(index * every_s, Path(f"{index}.jpg")) for index in range(count))
    return DecodeResult(duration_s, frames, cuts_s)


def ranges(found: DecodeResult, longest_s: float = 8.0) -> list[tuple[float, float]]:
    return [(stretch.start_s, stretch.end_s) for stretch in cut_into_segments(found, longest_s)]


def test_shots_are_the_borders() -> None:
    """A moment begins and ends where a shot does."""
    assert ranges(decoded(15, (4.0, 9.5))) == [(0, 4), (4, 9.5), (9.5, 15)]


def test_a_long_shot_is_split_evenly() -> None:
    """Seventeen seconds are three parts of the same length, not two long ones and a rest."""
    assert ranges(decoded(17)) == [(0, 5.667), (5.667, 11.333), (11.333, 17)]
    assert ranges(decoded(16)) == [(0, 8), (8, 16)]


def test_a_short_shot_goes_with_its_neighbour() -> None:
    """What is too short to search for joins the shot before it, or the one after it at the beginning."""
    assert ranges(decoded(11, (4.0, 5.0))) == [(0, 5), (5, 11)]
    assert ranges(decoded(7, (0.8,))) == [(0, 7)]


def test_a_short_shot_stays_alone_where_joining_would_be_too_long() -> None:
    """Joining never makes a moment longer than the limit."""
    assert ranges(decoded(16.5, (7.5, 8.7))) == [(0, 7.5), (7.5, 8.7), (8.7, 16.5)]


def test_each_frame_is_in_the_moment_it_is_seen_in() -> None:
    """A frame at a border belongs to what begins there."""
    first, second = cut_into_segments(decoded(12, (6.0,)))
    assert [frame.at_s for frame in first.frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.at_s for frame in second.frames] == [6, 7, 8, 9, 10, 11]


def test_a_still_that_stays_is_seen_in_all_its_moments() -> None:
    """A slide shown for half a minute has one frame; every moment of it shows that frame."""
    stretches = cut_into_segments(decoded(30, every_s=30))
    assert len(stretches) == 4
    assert {stretch.frames[0].at_s for stretch in stretches} == {0}


def test_a_single_picture_is_one_moment() -> None:
    """What has no duration is one moment nevertheless."""
    assert ranges(decoded(0.0)) == [(0, 0)]


def test_nothing_decoded_is_no_moment() -> None:
    """Without pictures there is nothing to cut."""
    assert cut_into_segments(DecodeResult(10, ())) == []


times = st.floats(0, 500, allow_nan=False)


@settings(deadline=None)  # a busy machine is no failure
@given(st.floats(0.01, 500), st.lists(times, max_size=40), st.lists(times, min_size=1, max_size=60), st.floats(2, 20))
def test_moments_tile_the_video(duration_s: float, cuts_s: list[float], at_s: list[float], longest_s: float) -> None:
    """Without gap or overlap from 0 to the end, none too long, each with a frame, no frame lost."""
    frames = tuple(SampledFrame(at, Path("x.jpg")) for at in sorted(set(at_s)))
    found = cut_into_segments(DecodeResult(duration_s, frames, tuple(sorted(cuts_s))), longest_s)
    assert found[0].start_s == 0
    assert found[-1].end_s == duration_s
    assert all(before.end_s == after.start_s for before, after in pairwise(found))
    assert all(0 < stretch.end_s - stretch.start_s <= longest_s + 0.002 for stretch in found)
    assert all(stretch.frames for stretch in found)
    assert {frame for stretch in found for frame in stretch.frames} >= set(frames)


@settings(deadline=None)  # a busy machine is no failure
@given(st.floats(0.01, 500), st.lists(times, max_size=40))
def test_starts_are_ids_of_their_own(duration_s: float, cuts_s: list[float]) -> None:
    """No two moments of a video share an id, and cutting again gives the same ones."""
    video_id = str(uuid.uuid4())
    found = [moment_id(video_id, each.start_s) for each in cut_into_segments(decoded(duration_s, tuple(sorted(cuts_s))))]
    again = [moment_id(video_id, each.start_s) for each in cut_into_segments(decoded(duration_s, tuple(sorted(cuts_s))))]
    assert len(set(found)) == len(found)
    assert found == again


def test_an_id_is_of_one_video_and_one_start() -> None:
    """Ids are UUIDs, stable over time: stored vectors are found by them."""
    video_id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    assert moment_id(video_id, 12.5) == str(uuid.uuid5(uuid.UUID(video_id), "12500"))
    assert moment_id(video_id, 12.5) != moment_id(str(uuid.uuid4()), 12.5)


@pytest.mark.parametrize("longest_s", [8.0, 3.0])
def test_the_longest_moment_is_a_setting(longest_s: float) -> None:
    """Another limit gives other moments."""
    assert max(end - start for start, end in ranges(decoded(20), longest_s)) <= longest_s
