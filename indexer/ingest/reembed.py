"""Re-embedding: gives stored moments the vectors of another generation, from the frames in the blob store."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, Final

from indexer.blobs import BlobStore
from indexer.errors import CorruptFileError
from indexer.generation_id import GenerationId
from indexer.images import read_frame
from indexer.ingest.embedding import MomentVectors, embed_moments
from indexer.ingest.evidence import embed_evidence
from indexer.ingest.segmentation import list_near
from indexer.ports import Encoder
from indexer.store.generations import GenerationStore
from indexer.store.moments import MomentStore
from indexer.store.reembedding import ReembeddingStore
from indexer.types import Picture, SpanFrames, Vector
from indexer.vectors.frame_codes import SPAN_KEYS, encode_span_frames
from indexer.vectors.vector_store import StoredPoint

NO_SPAN_FRAMES: Final = dict.fromkeys(SPAN_KEYS)


@dataclass(frozen=True)
class KeptFrame:
    """A frame that could be read from the blob store."""

    at_s: float
    picture: Picture


def reembed_missing(
    generations: GenerationStore,
    moments: MomentStore,
    reembedding: ReembeddingStore,
    blobs: BlobStore,
    encoder: Encoder,
    progress: Callable[[int, int], None],
) -> None:
    """Re-embed every video that the encoder's generation lacks, and the frames that earlier versions left out.

    If the generation belongs to a space, these are only videos that the space may find. An interrupted run is
    resumed with the first missing video. `progress` gets the numbers of done and of all videos, and may raise
    to stop.
    """
    generation = GenerationId.parse(encoder.generation)
    generations.create(generation, encoder)
    missing = reembedding.videos_missing_from(generation)
    incomplete = reembedding.videos_without_span_frames(generation)
    for done, video_id in enumerate(chain(missing, incomplete)):
        progress(done, len(missing) + len(incomplete))
        if done < len(missing):
            reembed_video(moments, reembedding, blobs, encoder, video_id)
        else:
            embed_span_frames(reembedding, blobs, encoder, video_id)
    progress(len(missing) + len(incomplete), len(missing) + len(incomplete))


def reembed_video(
    moments: MomentStore, reembedding: ReembeddingStore, blobs: BlobStore, encoder: Encoder, video_id: str
) -> None:
    """Give one video moments in the encoder's generation, whose collection must exist."""
    generation = GenerationId.parse(encoder.generation)
    stored = moments.of_video(video_id, other_than=generation)
    kept = [_read_frames(blobs, moment.payload) for moment in stored]
    looks = list(chain.from_iterable(embed_moments(encoder, ([each.picture for each in frames] for frames in kept))))
    evidence = embed_evidence(encoder, [moment.payload for moment in stored])
    vectors = [{**_vectors_by_name(each), **other} for each, other in zip(looks, evidence, strict=True)]
    spans = _list_span_payloads(stored, kept, [each.frames for each in looks if len(each.frames)])
    renewed = [replace(moment, payload={**moment.payload, **each}) for moment, each in zip(stored, spans, strict=True)]
    reembedding.put_reembedded(video_id, generation, list(zip(renewed, vectors, strict=True)))


def embed_span_frames(reembedding: ReembeddingStore, blobs: BlobStore, encoder: Encoder, video_id: str) -> None:
    """Give the moments that one video has in the encoder's generation the frames that refine spans."""
    generation = GenerationId.parse(encoder.generation)
    stored = reembedding.read_moments(generation, video_id)
    kept = [_read_frames(blobs, moment.payload) for moment in stored]
    vectors = [encoder.encode_frames([each.picture for each in frames]) for frames in kept if frames]
    payloads = _list_span_payloads(stored, kept, vectors)
    reembedding.put_payloads(generation, {moment.id: each for moment, each in zip(stored, payloads, strict=True)})


def _list_span_payloads(
    stored: Sequence[StoredPoint], kept: Sequence[Sequence[KeptFrame]], vectors: Sequence[Vector]
) -> list[dict[str, Any]]:
    """Return the payload keys of the frames of all moments of a video, with the vectors of those that have frames.

    An earlier version did not store its cuts.
    """
    in_order = sorted(range(len(stored)), key=lambda at: float(stored[at].payload["start_s"]))
    ranges = [(float(stored[at].payload["start_s"]), float(stored[at].payload["end_s"])) for at in in_order]
    ids = [stored[at].id for at in in_order]
    near = {ids[own]: tuple(ids[at] for at in indexes) for own, indexes in enumerate(list_near(ranges))}
    remaining = iter(vectors)
    return [
        encode_span_frames(
            SpanFrames(
                tuple(each.at_s for each in frames),
                next(remaining),
                tuple(moment.payload.get("cuts_s") or ()),
                near[moment.id],
            )
        )
        if frames
        else NO_SPAN_FRAMES
        for moment, frames in zip(stored, kept, strict=True)
    ]


def _vectors_by_name(vectors: MomentVectors) -> dict[str, Vector]:
    named = {"frame": vectors.frame, "motion": vectors.motion}
    return {name: vector for name, vector in named.items() if vector is not None}


def _read_frames(blobs: BlobStore, payload: Mapping[str, Any]) -> list[KeptFrame]:
    """Return those of a moment's frames that still exist and are readable, or else its thumbnail.

    Retention deletes old frames, and a power cut may leave a file truncated.
    """
    thumbnail = payload.get("thumbnail")
    return _read_existing(blobs, payload.get("frames", ())) or _read_existing(blobs, (thumbnail,) if thumbnail else ())


def _read_existing(blobs: BlobStore, keys: Sequence[str]) -> list[KeptFrame]:
    frames = []
    for key in keys:
        with suppress(KeyError, CorruptFileError):
            frames.append(KeptFrame(int(PurePosixPath(key).stem) / 1000, read_frame(blobs.get(key))))
    return frames
