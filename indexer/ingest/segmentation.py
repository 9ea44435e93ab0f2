"""Cuts a decoded video into moments: along its shots, none longer than about 8 s."""

import math
import uuid
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from indexer.types import DecodeResult, SampledFrame

LONGEST_S = 8.0
SHORT_S = 1.5


@dataclass(frozen=True)
class Segment:
    """A moment to be: its range in seconds and the frames that are seen in it."""

    start_s: float
    end_s: float
    frames: tuple[SampledFrame, ...]


def cut_into_segments(decoded: DecodeResult, longest_s: float = LONGEST_S) -> list[Segment]:
    """Stretches that follow each other from 0 to the end, each with a frame or more.

    Where no frame was sampled (a still that stays), a stretch shows the last frame before it.
    """
    if not decoded.frames:
        return []
    inner = sorted({cut_s for cut_s in (round(cut_s, 3) for cut_s in decoded.cuts_s) if 0 < cut_s < decoded.duration_s})
    shots = list(pairwise([0.0, *inner, decoded.duration_s]))
    ranges = [piece for shot in _joined(shots, longest_s) for piece in _split(*shot, longest_s)]
    times = [frame.at_s for frame in decoded.frames]
    firsts = [0, *(bisect_left(times, start_s) for start_s, _ in ranges[1:]), len(times)]
    return [
        Segment(start_s, end_s, decoded.frames[first:after] or decoded.frames[max(first - 1, 0) : max(first, 1)])
        for (start_s, end_s), (first, after) in zip(ranges, pairwise(firsts), strict=True)
    ]


def moment_id(video_id: str, start_s: float) -> str:
    """The same video and start give the same id, so doing a job twice changes nothing."""
    return str(uuid.uuid5(uuid.UUID(video_id), str(round(start_s * 1000))))


def _joined(shots: Iterable[tuple[float, float]], longest_s: float) -> Sequence[tuple[float, float]]:
    """A very short shot goes with the one before it, or with the one after it when it is the first."""
    joined: list[tuple[float, float]] = []
    for start_s, end_s in shots:
        if joined:
            before_s = joined[-1][0]
            short = min(end_s - start_s, joined[-1][1] - before_s) < SHORT_S
            if short and end_s - before_s <= longest_s:
                joined[-1] = (before_s, end_s)
                continue
        joined.append((start_s, end_s))
    return joined


def _split(start_s: float, end_s: float, longest_s: float) -> list[tuple[float, float]]:
    parts = max(1, math.ceil((end_s - start_s) / longest_s - 1e-9))
    borders = [round(start_s + (end_s - start_s) * i / parts, 3) for i in range(parts)]
    return list(pairwise([*borders, end_s]))
