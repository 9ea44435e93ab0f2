"""What a retrain can learn from: the words of videos with their pictures, and what people thought of answers."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.errors import CorruptFileError
from indexer.images import read_frame
from indexer.store.spaces import VoteRecord
from indexer.vectors.vector_store import StoredPoint
from worker.protocol.messages import TrainingDataSummary
from worker.services import Services

LEAST_PAIRS: Final = 100
LEAST_HELD_OUT: Final = 6
"""Videos that must be held out, or nothing can be told of what was learnt (`model.evaluation.promotion`); of ten about one is."""
MOMENTS_OF_A_VIDEO: Final = 8
"""Title and description are of the whole video: they go with no more than this many of its moments."""

_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")


@dataclass(frozen=True)
class TrainingExample:
    """A text and the pictures of a moment, as keys of blobs; `model.data.pairs` has the same with files."""

    text: str
    pictures: tuple[str, ...]
    video_id: str
    kind: str
    user_id: str
    against: tuple[tuple[str, ...], ...] = ()


def lessons(services: Services, space: str) -> list[TrainingExample]:
    """All of a space, or of all spaces where that is empty, but for texts that say nothing."""
    from model.data.cleaning import says_something

    people = services.library.submitters(space)
    moments = {id: services.library.kept(id, but="") for id in sorted(people)}
    said = [lesson for id, own in moments.items() for lesson in _said(own, people[id])]
    found = [*said, *_voted(services.spaces.votes(space), moments)]
    return [lesson for lesson in found if says_something(lesson.text)]


def material(found: Sequence[TrainingExample]) -> TrainingDataSummary:
    """What there is, and how much is missing."""
    from model.data.pairs import split

    videos = {each.video_id for each in found}
    held_out = sum(split(id) == "test" for id in videos)
    missing = max(LEAST_PAIRS - len(found), 10 * (LEAST_HELD_OUT - held_out), 0)
    return TrainingDataSummary(
        pairs=len(found),
        videos=len(videos),
        people=len({each.user_id for each in found}),
        kinds=Counter(each.kind for each in found),
        missing=missing,
    )


def pictures(services: Services, found: Sequence[TrainingExample], folder: Path) -> Iterator[TrainingExample]:
    """The lessons whose pictures can all still be read, after writing them into `folder` under their keys."""
    for lesson in found:
        keys = [*lesson.pictures, *(key for each in lesson.against for key in each)]
        if all(_written(services, key, folder / key) for key in keys):
            yield lesson


def _written(services: Services, key: str, file: Path) -> bool:
    if not file.exists():
        try:
            data = services.blobs.get(key)
            read_frame(data)
        except (KeyError, CorruptFileError):
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return True


def _said(moments: Sequence[StoredPoint], user_id: str) -> Iterator[TrainingExample]:
    """Words of the whole video go with moments from all along it, those of a stretch with that stretch."""
    shown = [each for each in sorted(moments, key=lambda each: each.payload["start_s"]) if each.payload.get("frames")]
    for moment in shown[:: math.ceil(len(shown) / MOMENTS_OF_A_VIDEO) or 1]:
        payload = moment.payload
        description = _SENTENCE.split(payload["said"].get("description", "").strip())[0]
        for kind, text in (("title", payload["title"]), ("description", description)):
            if text:
                yield _lesson(text, payload, kind, user_id)
    for moment in shown:
        for kind in ("chapter", "speech"):
            if text := moment.payload["said"].get(kind):
                yield _lesson(text, moment.payload, kind, user_id)


def _lesson(text: str, payload: Mapping[str, Any], kind: str, user_id: str) -> TrainingExample:
    return TrainingExample(text, tuple(payload["frames"]), payload["video_id"], kind, user_id)


def _voted(votes: Sequence[VoteRecord], moments: Mapping[str, Sequence[StoredPoint]]) -> Iterator[TrainingExample]:
    """A question and what was good for it; what was bad for the same question stands against it."""
    seen = [(vote, _shown(vote, moments)) for vote in votes]
    bad: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for vote, frames in seen:
        if vote.kind == "down" and frames:
            bad.setdefault(vote.queries, []).append(frames)
    for vote, frames in seen:
        if vote.kind != "down" and frames and vote.queries:
            against = tuple(each for each in bad.get(vote.queries, ()) if each != frames)
            yield TrainingExample(", ".join(vote.queries), frames, vote.video_id, "vote", vote.user_id, against)


def _shown(vote: VoteRecord, moments: Mapping[str, Sequence[StoredPoint]]) -> tuple[str, ...]:
    for moment in moments.get(vote.video_id, ()):
        if moment.payload["start_s"] == vote.start_s:
            return tuple(moment.payload.get("frames", ()))
    return ()
