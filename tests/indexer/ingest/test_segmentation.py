"""Tests of segmentation: segments cover a video along its shots, and moment ids are deterministic."""

import uuid
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.ingest.segmentation import cut_into_segments, list_near, moment_id
from indexer.types import DecodeResult, SampledFrame


def make_decoded(duration_s: float, cuts_s: tuple[float, ...] = (), every_s: float = 1.0) -> DecodeResult:
    count = max(1, int(duration_s / every_s))
    frames = tuple(SampledFrame(index * every_s, Path(f"{index}.jpg")) for index in range(count))
    return DecodeResult(duration_s, frames, cuts_s)


def cut_ranges(decoded: DecodeResult, max_segment_s: float = 8.0) -> list[tuple[float, float]]:
    return [(segment.start_s, segment.end_s) for segment in cut_into_segments(decoded, max_segment_s)]


def test_cut_into_segments_follows_shots() -> None:
    assert cut_ranges(make_decoded(15, (4.0, 9.5))) == [(0, 4), (4, 9.5), (9.5, 15)]


def test_cut_into_segments_splits_long_shot_evenly() -> None:
    """Seventeen seconds are three equal parts, not two long ones and a rest."""
    assert cut_ranges(make_decoded(17)) == [(0, 5.667), (5.667, 11.333), (11.333, 17)]
    assert cut_ranges(make_decoded(16)) == [(0, 8), (8, 16)]


def test_cut_into_segments_merges_short_shot() -> None:
    """A short shot is merged with the previous one, and the first shot with the next one."""
    assert cut_ranges(make_decoded(11, (4.0, 5.0))) == [(0, 5), (5, 11)]
    assert cut_ranges(make_decoded(7, (0.8,))) == [(0, 7)]


def test_cut_into_segments_does_not_merge_over_maximum() -> None:
    """No merged segment is longer than the maximum."""
    assert cut_ranges(make_decoded(16.5, (7.5, 8.7))) == [(0, 7.5), (7.5, 8.7), (8.7, 16.5)]


def test_cut_into_segments_assigns_frames_by_time() -> None:
    """A frame at a border belongs to the segment that begins there."""
    first, second = cut_into_segments(make_decoded(12, (6.0,)))
    assert [frame.at_s for frame in first.frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.at_s for frame in second.frames] == [6, 7, 8, 9, 10, 11]


def test_cut_into_segments_repeats_frame_of_still_picture() -> None:
    """A slide shown for half a minute has one frame, which each of its segments gets."""
    segments = cut_into_segments(make_decoded(30, every_s=30))
    assert len(segments) == 4
    assert {segment.frames[0].at_s for segment in segments} == {0}


def test_segment_knows_the_cuts_in_it() -> None:
    """Also those around a shot that was too short for a segment of its own."""
    assert [segment.cuts_s for segment in cut_into_segments(make_decoded(12, (4.0, 5.0, 8.0)))] == [
        (4.0,),
        (5.0,),
        (8.0,),
    ]


@pytest.mark.parametrize(
    ("ranges", "near"),
    [
        ([(0, 8)], [[]]),
        ([(0, 8), (8, 16), (16, 30), (30, 60), (60, 61)], [[1, 2], [0, 2, 3], [0, 1, 3], [1, 2, 4], [3]]),
    ],
)
def test_near_moments_are_those_a_span_may_reach(ranges: list[tuple[float, float]], near: list[list[int]]) -> None:
    assert list_near(ranges) == near


def test_cut_into_segments_of_single_picture_returns_one() -> None:
    """A video without duration is one segment, too."""
    assert cut_ranges(make_decoded(0.0)) == [(0, 0)]


def test_cut_into_segments_without_frames_returns_none() -> None:
    assert cut_into_segments(DecodeResult(10, ())) == []


times = st.floats(0, 500, allow_nan=False)


@settings(deadline=None)  # no failure on a busy machine
@given(st.floats(0.01, 500), st.lists(times, max_size=40), st.lists(times, min_size=1, max_size=60), st.floats(2, 20))
def test_segments_cover_the_video(
    duration_s: float, cuts_s: list[float], at_s: list[float], max_segment_s: float
) -> None:
    """No gap or overlap from 0 to the end, no segment over the maximum or without a frame, no frame lost."""
    frames = tuple(SampledFrame(at, Path("x.jpg")) for at in sorted(set(at_s)))
    segments = cut_into_segments(DecodeResult(duration_s, frames, tuple(sorted(cuts_s))), max_segment_s)
    assert segments[0].start_s == 0
    assert segments[-1].end_s == duration_s
    assert all(before.end_s == after.start_s for before, after in pairwise(segments))
    assert all(0 < segment.end_s - segment.start_s <= max_segment_s + 0.002 for segment in segments)
    assert all(segment.frames for segment in segments)
    assert {frame for segment in segments for frame in segment.frames} >= set(frames)


@settings(deadline=None)  # no failure on a busy machine
@given(st.floats(0.01, 500), st.lists(times, max_size=40))
def test_moment_ids_are_distinct_and_reproducible(duration_s: float, cuts_s: list[float]) -> None:
    """No two moments of a video have the same id, and another run gives the same ids."""
    video_id = str(uuid.uuid4())
    cuts = tuple(sorted(cuts_s))
    ids, again = (
        [moment_id(video_id, segment.start_s) for segment in cut_into_segments(make_decoded(duration_s, cuts))]
        for _ in range(2)
    )
    assert len(set(ids)) == len(ids)
    assert ids == again


def test_moment_id_depends_on_video_and_start() -> None:
    """Ids are UUIDs that never change, because stored vectors are found by them."""
    video_id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    assert moment_id(video_id, 12.5) == str(uuid.uuid5(uuid.UUID(video_id), "12500"))
    assert moment_id(video_id, 12.5) != moment_id(str(uuid.uuid4()), 12.5)


@pytest.mark.parametrize("max_segment_s", [8.0, 3.0])
def test_cut_into_segments_respects_max_segment_s(max_segment_s: float) -> None:
    assert max(end - start for start, end in cut_ranges(make_decoded(20), max_segment_s)) <= max_segment_s
