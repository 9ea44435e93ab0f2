"""The payloads of the points of `indexer.store.library`: made of its records, and read back."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from indexer.lexical import document_words
from indexer.store.records import SCHEMA, Submission, VideoRecord
from indexer.types import Moment, Video
from indexer.vectors.vector_store import NewPoint, StoredPoint

CLOSED = {"spaces": [], "open": "no"}
"""Of moments that nobody finds yet."""


def moment_point(moment: Moment, video: Video, generation: str, code: str | None) -> NewPoint:
    dense = {"frame": moment.frame, "motion": moment.motion}
    return NewPoint(
        moment.id,
        {
            "schema": SCHEMA,
            "generation": generation,
            "video_id": video.id,
            "link": video.link,
            "title": video.title,
            "duration_s": video.duration_s,
            "published": video.published,
            "start_s": moment.start_s,
            "end_s": moment.end_s,
            "thumbnail": moment.thumbnail,
            "words": moment.words,
            "frames": list(moment.frames),
            "said": dict(moment.said),
            "words_only": code is not None,
            **CLOSED,
        },
        {name: vector for name, vector in dense.items() if vector is not None},
        {"words": document_words(moment.words)},
    )


def outcome_of(video: Video, moments: Sequence[Moment], code: str | None) -> dict[str, Any]:
    return {
        "status": "words_only" if code else "indexed",
        "code": code,
        "title": video.title,
        "moments": len(moments),
        "duration_s": video.duration_s,
        "published": video.published,
        "thumbnail": moments[0].thumbnail if moments else None,
    }


def video_of(stored: StoredPoint) -> VideoRecord:
    # Qdrant drops the keys that are set to null.
    return VideoRecord(
        **{each.name: stored.payload[each.name] for each in fields(VideoRecord) if each.name in stored.payload}
    )


def submission_of(stored: StoredPoint) -> Submission:
    return Submission(
        **{each.name: stored.payload[each.name] for each in fields(Submission) if each.name in stored.payload}
    )
