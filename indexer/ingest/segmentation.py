"""Segmentation: cuts a decoded video into moments along its shots, each of about 8 s at most."""

import math
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from indexer.types import DecodeResult, SampledFrame

MAX_SEGMENT_S = 8.0
MIN_SHOT_S = 1.5
"""Shorter shots are merged with a neighbour if the result is not over the maximum."""
NEAR_S = 16.0
"""How far a span may reach beyond the moment that was found."""


@dataclass(frozen=True)
class Segment:
    """Range of a video that will become a moment, with its frames."""

    start_s: float
    end_s: float
    frames: tuple[SampledFrame, ...]
    cuts_s: tuple[float, ...] = ()
    """The cuts in it, and the one at its start if there is one."""


def cut_into_segments(decoded: DecodeResult, max_segment_s: float = MAX_SEGMENT_S) -> list[Segment]:
    """Return segments that cover the video from 0 to its end without gaps, each with at least one frame.

    If no frame was sampled in a segment, because the picture does not change, it gets the last frame before
    it.
    """
    if not decoded.frames:
        return []
    inner = sorted({cut_s for cut_s in (round(cut_s, 3) for cut_s in decoded.cuts_s) if 0 < cut_s < decoded.duration_s})
    shots = list(pairwise([0.0, *inner, decoded.duration_s]))
    ranges = [part for shot in _merge_short_shots(shots, max_segment_s) for part in _split_evenly(*shot, max_segment_s)]
    times = [frame.at_s for frame in decoded.frames]
    firsts = [0, *(bisect_left(times, start_s) for start_s, _ in ranges[1:]), len(times)]
    return [
        Segment(
            start_s,
            end_s,
            decoded.frames[first:after] or decoded.frames[max(first - 1, 0) : max(first, 1)],
            tuple(inner[bisect_left(inner, start_s) : bisect_left(inner, end_s)]),
        )
        for (start_s, end_s), (first, after) in zip(ranges, pairwise(firsts), strict=True)
    ]


def list_near(ranges: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Return for each of the ranges of a video, in time order, the indexes of the others near it."""
    starts, ends = [start_s for start_s, _ in ranges], [end_s for _, end_s in ranges]
    near = (
        range(bisect_right(ends, start_s - NEAR_S), bisect_left(starts, end_s + NEAR_S)) for start_s, end_s in ranges
    )
    return [[at for at in indexes if at != own] for own, indexes in enumerate(near)]


def moment_id(video_id: str, start_s: float) -> str:
    """Return the deterministic id (UUIDv5) of a moment, which makes indexing a video twice idempotent."""
    return str(uuid.uuid5(uuid.UUID(video_id), str(round(start_s * 1000))))


def _merge_short_shots(shots: Iterable[tuple[float, float]], max_s: float) -> Sequence[tuple[float, float]]:
    """Merge each very short shot with the previous one, or the first shot with the next one."""
    merged: list[tuple[float, float]] = []
    for start_s, end_s in shots:
        if merged:
            previous_s = merged[-1][0]
            is_short = min(end_s - start_s, merged[-1][1] - previous_s) < MIN_SHOT_S
            if is_short and end_s - previous_s <= max_s:
                merged[-1] = (previous_s, end_s)
                continue
        merged.append((start_s, end_s))
    return merged


def _split_evenly(start_s: float, end_s: float, max_s: float) -> list[tuple[float, float]]:
    """Split a shot into the smallest number of equal parts that are not longer than `max_s`."""
    parts = max(1, math.ceil((end_s - start_s) / max_s - 1e-9))
    borders = [round(start_s + (end_s - start_s) * i / parts, 3) for i in range(parts)]
    return list(pairwise([*borders, end_s]))
