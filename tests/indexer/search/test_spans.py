"""Spans of hits: when what a query means begins and ends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from indexer.hits import Hit, MatchKind, MatchReason
from indexer.ingest.segmentation import list_near
from indexer.search.spans import Span, choose_span
from indexer.store.stores import Stores
from indexer.types import SpanFrames
from indexer.vectors.edge import EdgeVectorStore
from tests.support.indexer.fakes import (
    FAKE,
    embed_text,
    index_video,
    make_moments,
    make_video,
    moment_id,
    open_library,
    search_library,
    submit_video,
)

SPACE = "discord:1"
HOUSE, LAMP, CHAIR = "house", "lamp", "chair"  # their vectors are nearly at right angles


@dataclass(frozen=True)
class Film:
    """What each second of a video looks like, where its moments begin, and where its cuts were found."""

    looks: Sequence[str]
    starts_s: Sequence[float]
    cuts_s: Sequence[float] = ()


@pytest.fixture
def library(store_folder: Path) -> Iterator[Stores]:
    """Open a library with videos of other things, in this process."""
    vector_store = EdgeVectorStore(store_folder)
    stores = open_library(vector_store)
    for name in ("sea", "sand", "ship", "shell", "gull", "wave", "salt", "sail"):
        index_video(stores, SPACE, name, title="")
    yield stores
    vector_store.close()


def index_film(stores: Stores, film: Film, name: str = "film") -> None:
    video = make_video(name, "")
    submit_video(stores, SPACE, name)
    ranges = list(pairwise([*film.starts_s, float(len(film.looks))]))
    near = [tuple(moment_id(video, at) for at in each) for each in list_near(ranges)]
    moments = []
    for moment, (start_s, end_s), in_reach in zip(make_moments(video, *[""] * len(ranges)), ranges, near, strict=True):
        seconds = range(int(start_s), int(end_s))
        vectors = np.stack([embed_text(film.looks[second]) for second in seconds])
        mean = vectors.mean(axis=0)
        moments.append(
            replace(
                moment,
                start_s=start_s,
                end_s=end_s,
                frame=mean / np.linalg.norm(mean),
                motion=None,
                frames=tuple(f"videos/{video.id}/{1000 * second}.jpg" for second in seconds),
                span_frames=SpanFrames(
                    tuple(float(second) for second in seconds),
                    vectors,
                    tuple(cut_s for cut_s in film.cuts_s if start_s <= cut_s < end_s),
                    in_reach,
                ),
            )
        )
    assert stores.publisher.publish_moments(video, moments, FAKE)


def find_in_film(stores: Stores, text: str) -> list[Hit]:
    return list(search_library(stores, SPACE, text, video_id=make_video("film").id).hits)


SPANS = {
    "shot": (Film([*[LAMP] * 5, *[HOUSE] * 3, *[LAMP] * 6], (0, 5, 8), (5, 8)), (5, 8)),
    "short shot in a moment": (Film([*[LAMP] * 6, HOUSE, HOUSE, LAMP], (0, 6), (6, 8)), (6, 8)),
    "action in a long take": (Film([*[LAMP] * 9, *[HOUSE] * 3, *[LAMP] * 12], (0, 8, 16)), (8.5, 11.5)),
    "shots that look alike": (Film([*[LAMP] * 5, *[HOUSE] * 8, *[CHAIR] * 5], (0, 5, 9, 13), (5, 9, 13)), (5, 13)),
    "long shot": (Film([*[HOUSE] * 20, *[LAMP] * 5], (0, 6, 13, 20), (20,)), (0, 20)),
}


@pytest.mark.parametrize(("film", "span"), SPANS.values(), ids=SPANS)
def test_hit_begins_and_ends_with_what_the_query_means(library: Stores, film: Film, span: tuple[float, float]) -> None:
    """In the whole library and in the video alike."""
    index_film(library, film)
    [best, *_] = search_library(library, SPACE, HOUSE).hits
    assert (best.start_s, best.end_s) == span
    in_video = find_in_film(library, HOUSE)[0]
    assert (in_video.start_s, in_video.end_s) == span


def test_spans_of_one_video_do_not_overlap(library: Stores) -> None:
    """The parts of a shot that was cut evenly are one hit."""
    index_film(library, Film([*[HOUSE] * 16, *[LAMP] * 8, *[HOUSE] * 4], (0, 8, 16, 24), (16, 24)))
    spans = [(hit.start_s, hit.end_s) for hit in find_in_film(library, HOUSE)]
    assert sorted(spans) == [(0, 16), (16, 24), (24, 28)]


def test_thumbnail_is_the_frame_that_matches_best(library: Stores) -> None:
    index_film(library, Film([LAMP, LAMP, *[f"{LAMP} {HOUSE}"] * 2, *[HOUSE] * 4], (0,)))
    [best, *_] = search_library(library, SPACE, HOUSE).hits
    second = int((best.thumbnail or "").rpartition("/")[2].removesuffix(".jpg")) // 1000
    assert 5 <= second <= 7


def test_link_opens_a_second_before_a_span_in_the_same_shot(library: Stores) -> None:
    """But not before a cut."""
    index_film(library, Film([*[LAMP] * 4, *[HOUSE] * 2, *[LAMP] * 2], (0,), (4, 6)))
    assert find_in_film(library, HOUSE)[0].opens_at_s == 4


def test_moment_of_an_earlier_version_is_its_span(library: Stores) -> None:
    """Its frames are not stored as vectors."""
    index_video(library, SPACE, "old", "cat", HOUSE, "cat", title="")
    [best, *_] = search_library(library, SPACE, HOUSE).hits
    assert (best.start_s, best.end_s, best.opens_at_s) == (5, 10, 5)


MOMENT = {"start_s": 10.0, "end_s": 18.0}
REFINED = Span(11.0, 12.0, 10.0, None)


@pytest.mark.parametrize(
    ("reasons", "span"),
    [
        ((MatchReason(MatchKind.SAID, "hello", 12.5, 14.0),), Span(12.5, 14.0, 12.5, None)),
        ((MatchReason(MatchKind.HEARD, "Bark", 10.0, 11.0), MatchReason(MatchKind.LOOKS)), Span(10, 11, 10, None)),
        ((MatchReason(MatchKind.SHOWN, "SALE", 17.0),), Span(17, 18, 17, None)),
        ((MatchReason(MatchKind.LOOKS), MatchReason(MatchKind.SAID, "hello", 12.5, 14.0)), REFINED),
        ((), REFINED),
    ],
)
def test_what_is_said_shown_or_heard_has_its_own_times(reasons: tuple[MatchReason, ...], span: Span) -> None:
    """If it is the strongest reason."""
    assert choose_span(MOMENT, reasons, REFINED) == span


def test_span_without_refinement_is_the_moment() -> None:
    assert choose_span(MOMENT, (MatchReason(MatchKind.TITLE, "x"),), None) == Span(10, 18, 10, None)
