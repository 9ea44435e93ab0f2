"""Re-embedding: gives stored moments the vectors of another generation, from the frames in the blob store."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from indexer.blobs import BlobStore
from indexer.errors import CorruptFileError
from indexer.generation_id import GenerationId
from indexer.images import read_frame
from indexer.ingest.embedding import MomentVectors, embed_moments
from indexer.ingest.evidence import embed_evidence
from indexer.ports import Encoder
from indexer.store.generations import GenerationStore
from indexer.store.moments import MomentStore
from indexer.store.reembedding import ReembeddingStore
from indexer.types import Picture, Vector


def reembed_missing(
    generations: GenerationStore,
    moments: MomentStore,
    reembedding: ReembeddingStore,
    blobs: BlobStore,
    encoder: Encoder,
    progress: Callable[[int, int], None],
) -> None:
    """Re-embed every video that the encoder's generation lacks.

    If the generation belongs to a space, these are only videos that the space may find. An interrupted run is
    resumed with the first missing video. `progress` gets the numbers of done and of all videos, and may raise
    to stop.
    """
    generation = GenerationId.parse(encoder.generation)
    generations.create(generation, encoder)
    missing = reembedding.videos_missing_from(generation)
    for done, video_id in enumerate(missing):
        progress(done, len(missing))
        reembed_video(moments, reembedding, blobs, encoder, video_id)
    progress(len(missing), len(missing))


def reembed_video(
    moments: MomentStore, reembedding: ReembeddingStore, blobs: BlobStore, encoder: Encoder, video_id: str
) -> None:
    """Give one video moments in the encoder's generation, whose collection must exist."""
    generation = GenerationId.parse(encoder.generation)
    stored = moments.of_video(video_id, other_than=generation)
    pictures = (_read_pictures(blobs, moment.payload) for moment in stored)
    looks = [_vectors_by_name(each) for batch in embed_moments(encoder, pictures) for each in batch]
    evidence = embed_evidence(encoder, [moment.payload for moment in stored])
    vectors = [{**each, **other} for each, other in zip(looks, evidence, strict=True)]
    reembedding.put_reembedded(video_id, generation, list(zip(stored, vectors, strict=True)))


def _vectors_by_name(vectors: MomentVectors) -> dict[str, Vector]:
    named = {"frame": vectors.frame, "motion": vectors.motion}
    return {name: vector for name, vector in named.items() if vector is not None}


def _read_pictures(blobs: BlobStore, payload: Mapping[str, Any]) -> list[Picture]:
    """Return those of a moment's frames that still exist and are readable, or else its thumbnail.

    Retention deletes old frames, and a power cut may leave a file truncated.
    """
    thumbnail = payload.get("thumbnail")
    return _read_existing(blobs, payload.get("frames", ())) or _read_existing(blobs, (thumbnail,) if thumbnail else ())


def _read_existing(blobs: BlobStore, keys: Sequence[str]) -> list[Picture]:
    pictures = []
    for key in keys:
        with suppress(KeyError, CorruptFileError):
            pictures.append(read_frame(blobs.get(key)))
    return pictures
