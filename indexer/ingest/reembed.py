"""The library embedded anew by another generation, from the pictures that were kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from indexer.errors import CorruptFileError
from indexer.images import read_frame
from indexer.ingest.ingest import mean_vector
from indexer.ports import Encoder
from indexer.store.blobs import BlobStore
from indexer.store.library import Library
from indexer.types import Clip, Picture, Vector
from indexer.vectors.vector_store import StoredPoint

BATCH_FRAMES = 32


def reembed_missing(library: Library, blobs: BlobStore, encoder: Encoder, progress: Callable[[int, int], None]) -> None:
    """Gives every video that can be found the moments of the encoder's generation, too; of a space's own generation,
    those that this space may find.

    Video by video, so whoever is stopped goes on where it was. `progress` hears how many of how many are done, and may
    raise to stop.
    """
    library.open(encoder.generation, encoder.frame_size, encoder.motion_size)
    missing = library.missing(encoder.generation)
    for done, video_id in enumerate(missing):
        progress(done, len(missing))
        reembed_video(library, blobs, encoder, video_id)
    progress(len(missing), len(missing))


def reembed_video(library: Library, blobs: BlobStore, encoder: Encoder, video_id: str) -> None:
    """Gives one video the moments of the encoder's generation, which is open, too."""
    kept = library.kept(video_id, but=encoder.generation)
    library.put_anew(video_id, encoder.generation, list(zip(kept, _vectors(blobs, encoder, kept), strict=True)))


def _vectors(blobs: BlobStore, encoder: Encoder, moments: Sequence[StoredPoint]) -> Iterator[Mapping[str, Vector]]:
    """Those of each moment, in order; none where no picture is left."""
    for group in _groups(moments):
        pictures = [_pictures(blobs, moment.payload) for moment in group]
        flat = [picture for each in pictures for picture in each]
        vectors = encoder.frames(flat) if flat else np.empty((0, encoder.frame_size), np.float32)
        split = np.split(vectors, np.cumsum([len(each) for each in pictures])[:-1])
        motions: Sequence[Vector | None] = [None] * len(group)
        if encoder.motion_size is not None:
            clips = [Clip(tuple(own), each) for own, each in zip(pictures, split, strict=True) if own]
            made = iter(encoder.clips(clips) if clips else ())
            motions = [next(made) if own else None for own in pictures]
        for frames, motion in zip(split, motions, strict=True):
            named = {"frame": mean_vector(frames) if len(frames) else None, "motion": motion}
            yield {name: vector for name, vector in named.items() if vector is not None}


def _groups(moments: Sequence[StoredPoint]) -> Iterator[list[StoredPoint]]:
    group: list[StoredPoint] = []
    for moment in moments:
        group.append(moment)
        if sum(len(each.payload.get("frames", ())) for each in group) >= BATCH_FRAMES:
            yield group
            group = []
    if group:
        yield group


def _pictures(blobs: BlobStore, payload: Mapping[str, Any]) -> list[Picture]:
    """The moment's pictures, as far as they are still there and can be read."""
    found = []
    for key in payload.get("frames", ()):
        # One that a power cut left half-written is as good as gone.
        with suppress(KeyError, CorruptFileError):
            found.append(read_frame(blobs.get(key)))
    return found
