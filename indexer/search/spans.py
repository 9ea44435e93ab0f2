"""Spans of hits: when what a query means begins and ends in a video.

The cosines of the frames around a moment are a curve over time. The video is taken apart at its cuts, and where two
frames in a row are not alike. The span is the shot of the moment that matches best, or of a long shot the part around
the peak of the smoothed curve; it is joined with the shots before and after it that look alike and match nearly as
well. docs/moments.md has what was tried.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from indexer.blobs import video_prefix
from indexer.hits import MatchKind, MatchReason
from indexer.search.candidates import SearchScope
from indexer.search.query import PICTURE_VECTORS
from indexer.search.ranking import RankedMoment
from indexer.types import Vector
from indexer.vectors.frame_codes import SPAN_KEYS, decode_span_frames
from indexer.vectors.vector_store import Payload, StoredPoint

MAX_SPAN_S: Final = 30.0
"""Maximum of a span that is joined from several shots."""
LONG_SHOT_S: Final = 8.0
"""A shot that is longer can contain more than what the query means."""
MIN_LIKENESS_IN_SHOT: Final = 0.25
"""Likeness of two frames in a row below which a cut that was not detected is between them.

0 is the likeness of any two pictures of the library, 1 that of equal ones.
"""
MIN_LIKENESS_TO_JOIN: Final = 0.6
"""Minimum likeness of a shot to the span that it is joined with."""
MIN_HEIGHT: Final = 0.5
"""Minimum height above the library's usual cosine, as a share of the span's or of the peak's."""
LEAD_S: Final = 1.0
"""How much earlier a link opens if it is the same shot."""
MAX_UNRELATED: Final = 0.6
"""Maximum cosine of pictures that have nothing to do with each other: a library may have one video only."""

_TIMED: Final = (MatchKind.SAID, MatchKind.SHOWN, MatchKind.HEARD)
_KEYS: Final = ("video_id", "start_s", "end_s", "frames", *SPAN_KEYS)


@dataclass(frozen=True)
class Span:
    """When what the query means is shown."""

    start_s: float
    end_s: float
    opens_at_s: float
    """The second to open: a little earlier, if that is the same shot."""
    thumbnail: str | None
    """Key of its frame that matches best; None: that of the moment."""

    def overlaps(self, other: "Span") -> bool:
        """Return whether both have a second in common."""
        return self.start_s < other.end_s and other.start_s < self.end_s


@dataclass(frozen=True)
class Shot:
    """A range without a cut, and the indexes of its frames."""

    start_s: float
    end_s: float
    frames: range


@dataclass(frozen=True)
class Surroundings:
    """The frames of a moment and of those near it, in time order."""

    start_s: float
    end_s: float
    at_s: Sequence[float]
    vectors: Vector
    cuts_s: Sequence[float]
    keys: frozenset[str]
    """Keys of the frames that are kept in the blob store."""


def find_spans(scope: SearchScope, ranked: Sequence[RankedMoment]) -> dict[str, Span]:
    """Return the spans of moments that are found by their pictures, by their ids.

    A moment that an earlier version indexed, and one without pictures, has none: its span is the moment.
    """
    by_looks = [each for each in ranked if _is_by_looks(each)]
    moments = {each.id: each for each in _read(scope, [each.id for each in by_looks])}
    near = {id for each in moments.values() for id in each.payload.get("near") or ()} - moments.keys()
    moments |= {each.id: each for each in _read(scope, sorted(near))}
    around = {
        each.id: surroundings
        for each in by_looks
        if each.id in moments and (surroundings := _gather(moments, moments[each.id]))
    }
    if not around:
        return {}
    unrelated = _measure_unrelated(scope, next(iter(around.values())))
    return {
        each.id: _find_span(each, moments[each.id].payload, around[each.id], unrelated)
        for each in by_looks
        if each.id in around
    }


def choose_span(moment: Payload, reasons: Sequence[MatchReason], refined: Span | None) -> Span:
    """Return the span of a hit with these reasons: what is said, shown or heard has its own times."""
    strongest = next(iter(reasons), None)
    if strongest and strongest.kind in _TIMED and strongest.at_s is not None:
        ends_s = [each for each in (strongest.end_s, moment["end_s"]) if each is not None and each > strongest.at_s]
        return Span(strongest.at_s, next(iter(ends_s), strongest.at_s), strongest.at_s, None)
    return refined or Span(moment["start_s"], moment["end_s"], moment["start_s"], None)


def drop_overlapping(ranked: Sequence[RankedMoment], spans: Mapping[str, Span]) -> list[RankedMoment]:
    """Return the moments in the same order, without those whose span overlaps that of an earlier one."""
    kept: list[RankedMoment] = []
    taken: list[Span] = []
    for each in ranked:
        span = spans.get(each.id)
        if span and any(span.overlaps(other) for other in taken):
            continue
        kept.append(each)
        taken += [span] if span else []
    return kept


def _is_by_looks(ranked: RankedMoment) -> bool:
    """Return whether a moment ranks by its pictures more than by anything else."""
    parts = ranked.fused.parts
    return "frame" in ranked.query.backgrounds and max(parts, key=lambda name: parts[name]) in PICTURE_VECTORS


def _read(scope: SearchScope, ids: Sequence[str]) -> list[StoredPoint]:
    return scope.moments.get(scope.generation, scope.scopes, ids, keys=_KEYS) if ids else []


def _measure_unrelated(scope: SearchScope, surroundings: Surroundings) -> float:
    """Return the usual cosine of a picture to moments of the library."""
    sample = scope.moments.sample_cosines(scope.generation, scope.scopes, {"frame": surroundings.vectors[0]})
    return min(float(np.median(sample["frame"])), MAX_UNRELATED) if "frame" in sample else 0.0


def _gather(moments: Mapping[str, StoredPoint], own: StoredPoint) -> Surroundings | None:
    """Return the frames of a moment and of those that adjoin it without a gap."""
    ids = {own.id, *(own.payload.get("near") or ())} & moments.keys()
    in_order = sorted((moments[id].payload for id in ids), key=lambda payload: float(payload["start_s"]))
    at = next(index for index, payload in enumerate(in_order) if payload is own.payload)
    before = list(_list_adjoining(in_order[at::-1], "start_s", "end_s"))[::-1]
    run = [*before, own.payload, *_list_adjoining(in_order[at:], "end_s", "start_s")]
    frames = [(payload, each) for payload in run if (each := decode_span_frames(payload))]
    if not frames or "frames_at_s" not in own.payload:
        return None
    return Surroundings(
        start_s=run[0]["start_s"],
        end_s=run[-1]["end_s"],
        at_s=[max(at_s, payload["start_s"]) for payload, each in frames for at_s in each.at_s],
        vectors=np.concatenate([each.vectors for _, each in frames]),
        cuts_s=sorted({cut_s for _, each in frames for cut_s in each.cuts_s}),
        keys=frozenset(key for payload, _ in frames for key in payload["frames"]),
    )


def _list_adjoining(in_order: Sequence[Payload], end: str, start: str) -> Iterator[Payload]:
    """Yield the moments after the first one, as long as each begins where the one before it ends."""
    for last, following in pairwise(in_order):
        if last[end] != following[start]:
            return
        yield following


def _find_span(ranked: RankedMoment, own: Payload, around: Surroundings, unrelated: float) -> Span:
    heights = around.vectors @ ranked.query.vectors["frame"] - ranked.query.backgrounds["frame"].median
    shots = _cut_into_shots(around, unrelated)
    at = _choose_shot(shots, around, heights, own)
    smooth = _smooth(heights, shots)
    part = _trim(shots[at], around, smooth, own)
    span = _join(shots, at, part, around.vectors, heights, unrelated)
    best = max(span.frames, key=lambda index: float(smooth[index]))
    key = f"{video_prefix(own['video_id'])}{round(1000 * around.at_s[best])}.jpg"
    first = next(shot for shot in shots if shot.start_s <= span.start_s < shot.end_s)
    opens_at_s = max(span.start_s - LEAD_S, first.start_s)
    return Span(span.start_s, span.end_s, opens_at_s, key if key in around.keys else None)


def _cut_into_shots(around: Surroundings, unrelated: float) -> list[Shot]:
    """Return the shots around a moment. Between unlike frames without a cut, one ends in the middle."""
    likeness = _measure_likeness(np.sum(around.vectors[:-1] * around.vectors[1:], axis=1), unrelated)
    shots, first, start_s = [], 0, around.start_s
    for index, like in enumerate(likeness, start=1):
        before_s, at_s = around.at_s[index - 1], around.at_s[index]
        cut_s = max((cut_s for cut_s in around.cuts_s if before_s < cut_s <= at_s), default=None)
        if cut_s is None and like < MIN_LIKENESS_IN_SHOT:
            cut_s = round((before_s + at_s) / 2, 3)
        if cut_s is not None and cut_s > start_s:
            shots.append(Shot(start_s, cut_s, range(first, index)))
            first, start_s = index, cut_s
    return [*shots, Shot(start_s, around.end_s, range(first, len(around.at_s)))]


def _measure_likeness(cosines: Vector, unrelated: float) -> Vector:
    likeness: Vector = (cosines - unrelated) / (1 - unrelated)
    return likeness


def _choose_shot(shots: Sequence[Shot], around: Surroundings, heights: Vector, own: Payload) -> int:
    """Return the index of the shot whose frames in the moment match best on average."""
    overlapping = [at for at, shot in enumerate(shots) if shot.start_s < own["end_s"] and own["start_s"] < shot.end_s]
    return max(overlapping, key=lambda at: float(heights[_list_frames(shots[at], around, own)].mean()))


def _list_frames(shot: Shot, around: Surroundings, own: Payload) -> list[int]:
    """Return the indexes of the shot's frames in a moment, or of all if it has none there."""
    inside = [index for index in shot.frames if own["start_s"] <= around.at_s[index] < own["end_s"]]
    return inside or list(shot.frames)


def _smooth(heights: Vector, shots: Sequence[Shot]) -> Vector:
    """Return the curve with each height averaged with its neighbours in the same shot."""
    smooth = np.empty_like(heights)
    for shot in shots:
        own = slice(shot.frames.start, shot.frames.stop)
        padded = np.pad(heights[own], 1, mode="edge")
        smooth[own] = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return smooth


def _trim(shot: Shot, around: Surroundings, smooth: Vector, own: Payload) -> Shot:
    """Return the part of a long shot around the peak in the moment in which the curve stays high enough."""
    if shot.end_s - shot.start_s <= LONG_SHOT_S:
        return shot
    peak = max(_list_frames(shot, around, own), key=lambda index: float(smooth[index]))
    low = [index for index in shot.frames if smooth[index] < MIN_HEIGHT * smooth[peak]]
    first = max((index + 1 for index in low if index < peak), default=shot.frames.start)
    after = min((index for index in low if index > peak), default=shot.frames.stop)
    start_s = shot.start_s if first == shot.frames.start else _compute_middle_s(around.at_s, first)
    end_s = shot.end_s if after == shot.frames.stop else _compute_middle_s(around.at_s, after)
    return Shot(start_s, end_s, range(first, after))


def _compute_middle_s(at_s: Sequence[float], index: int) -> float:
    return round((at_s[index - 1] + at_s[index]) / 2, 3)


def _join(shots: Sequence[Shot], at: int, part: Shot, vectors: Vector, heights: Vector, unrelated: float) -> Shot:
    """Return the part of a shot joined with the shots before and after it that belong to it."""
    span, least = part, MIN_HEIGHT * float(heights[part.frames].mean())
    for following in (shots[:at][::-1], shots[at + 1 :]):
        for shot in following:
            joined = _unite(span, shot)
            is_short = joined.end_s - joined.start_s <= MAX_SPAN_S and shot.end_s - shot.start_s <= LONG_SHOT_S
            mean, other = vectors[span.frames].mean(axis=0), vectors[shot.frames].mean(axis=0)
            cosine = mean @ other / np.linalg.norm(mean) / np.linalg.norm(other)
            is_alike = _measure_likeness(cosine, unrelated) >= MIN_LIKENESS_TO_JOIN
            if not (_adjoins(span, shot) and is_short and is_alike and heights[shot.frames].mean() >= least):
                break
            span = joined
    return span


def _adjoins(span: Shot, shot: Shot) -> bool:
    return shot.end_s == span.start_s or shot.start_s == span.end_s


def _unite(span: Shot, shot: Shot) -> Shot:
    frames = range(min(span.frames.start, shot.frames.start), max(span.frames.stop, shot.frames.stop))
    return Shot(min(span.start_s, shot.start_s), max(span.end_s, shot.end_s), frames)
