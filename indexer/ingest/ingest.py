"""The way of a link: fetched, decoded, cut into moments, embedded, stored. Read it from `ingest` downwards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from indexer.images import read_frame
from indexer.ingest.segmentation import Segment, cut_into_segments, moment_id
from indexer.ports import Decoder, Encoder, Fetcher, StageProgressCallback
from indexer.store.blobs import BlobStore, video_prefix
from indexer.store.library import Library
from indexer.store.records import VideoRecord
from indexer.types import Caption, Clip, DecodeResult, FetchResult, Moment, SampledFrame, Vector, Video

BATCH_FRAMES = 32
MAX_SAID_CHARS = 4000
"""Of one kind in one moment: captions that all claim the whole video are not stored with each of its moments."""


@dataclass(frozen=True)
class IngestPipeline:
    """The parts that a link passes through."""

    fetcher: Fetcher
    decoder: Decoder
    encoder: Encoder
    library: Library
    blobs: BlobStore

    def __call__(self, record: VideoRecord, folder: Path, progress: StageProgressCallback) -> VideoRecord | None:
        """Makes a waiting video searchable; twice, even at once, changes nothing. None: nobody wants it any more.

        One that another run of its job has failed meanwhile stays so.

        `folder` is empty and the caller's to delete. Raises `IndexerError`; then nobody finds the video, and pictures
        that were kept already are the caller's to delete.
        """
        fetched = self.fetcher.fetch(record.fetch_url, folder, progress)
        video = replace(fetched.video, id=record.video_id, link=record.link, title=record.title or fetched.video.title)
        decoded = self._decode(fetched, folder, progress)
        self.library.open(self.encoder.generation, self.encoder.frame_size, self.encoder.motion_size)
        moments = list(self._moments(video, fetched, decoded, progress))
        progress("store", 0.0)
        self.blobs.delete_prefix(video_prefix(video.id), but={key for moment in moments for key in moment.frames})
        wanted = self.library.put_moments(
            replace(video, duration_s=video.duration_s or decoded.duration_s or None),
            moments,
            self.encoder.generation,
            code=fetched.missing,
        )
        if not wanted:
            self.blobs.delete_prefix(video_prefix(video.id))
        return self.library.video(video.id)

    def _decode(self, fetched: FetchResult, folder: Path, progress: StageProgressCallback) -> DecodeResult:
        """Without a file, the site's own thumbnail is the one picture of the video."""
        source = fetched.media or fetched.thumbnail
        if source is None:
            return DecodeResult(duration_s=0.0, frames=())
        pictures = folder / "frames"
        pictures.mkdir()
        decoded = self.decoder.decode(source, pictures, progress)
        return decoded if fetched.media else replace(decoded, duration_s=0.0)

    def _moments(self, video: Video, fetched: FetchResult, decoded: DecodeResult, progress: StageProgressCallback) -> Iterator[Moment]:
        if not decoded.frames:
            yield self._without_pictures(video)
            return
        stretches = cut_into_segments(decoded)
        done = 0
        progress("embed", 0.0)
        for group in _groups(stretches):
            yield from self._embed(video, fetched, group)
            done += len(group)
            progress("embed", done / len(stretches))

    def _embed(self, video: Video, fetched: FetchResult, stretches: Sequence[Segment]) -> Iterator[Moment]:
        """One batch of whole stretches: their frame vectors in one call, then their clip vectors."""
        pictures = [[read_frame(each.path.read_bytes()) for each in stretch.frames] for stretch in stretches]
        vectors = self.encoder.frames([picture for stretch in pictures for picture in stretch])
        split = np.split(vectors, np.cumsum([len(stretch) for stretch in pictures])[:-1])
        motions: Sequence[Vector | None] = [None] * len(stretches)
        if self.encoder.motion_size is not None:
            motions = list(self.encoder.clips([Clip(tuple(p), v) for p, v in zip(pictures, split, strict=True)]))
        for stretch, frames, motion in zip(stretches, split, motions, strict=True):
            keys = self._keep(video, stretch.frames)
            said = _said(video, fetched, stretch)
            yield Moment(
                id=moment_id(video.id, stretch.start_s),
                video_id=video.id,
                start_s=stretch.start_s,
                end_s=stretch.end_s,
                thumbnail=keys[int(np.argmax(frames @ frames.mean(axis=0)))],
                words="\n".join((video.title, *said.values())).strip(),
                frame=mean_vector(frames),
                motion=motion,
                frames=tuple(keys),
                said=said,
            )

    def _keep(self, video: Video, frames: Sequence[SampledFrame]) -> list[str]:
        """Stores the pictures, from which vectors can be made anew."""
        keys = [f"{video_prefix(video.id)}{round(frame.at_s * 1000)}.jpg" for frame in frames]
        for key, frame in zip(keys, frames, strict=True):
            self.blobs.put(key, frame.path.read_bytes())
        return keys

    def _without_pictures(self, video: Video) -> Moment:
        return Moment(
            id=moment_id(video.id, 0.0),
            video_id=video.id,
            start_s=0.0,
            end_s=0.0,
            thumbnail=None,
            words=f"{video.title}\n{video.description}".strip(),
            frame=None,
            said={"description": video.description} if video.description else {},
        )


def mean_vector(frames: Vector) -> Vector:
    """What stands for a moment: the mean of its frames (n, d) as a unit vector (d,)."""
    mean: Vector = frames.mean(axis=0)
    return mean / np.linalg.norm(mean)


def _groups(stretches: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Whole stretches, about `BATCH_FRAMES` pictures at a time."""
    group: list[Segment] = []
    for stretch in stretches:
        group.append(stretch)
        if sum(len(each.frames) for each in group) >= BATCH_FRAMES:
            yield group
            group = []
    if group:
        yield group


def _said(video: Video, fetched: FetchResult, stretch: Segment) -> dict[str, str]:
    """Description, and the chapter titles and speech that this stretch overlaps."""
    heard = {
        "description": video.description,
        "chapter": " ".join(each.text for each in fetched.chapters if _overlaps(each, stretch))[:MAX_SAID_CHARS],
        "speech": " ".join(each.text for each in fetched.speech if _overlaps(each, stretch))[:MAX_SAID_CHARS],
    }
    return {kind: text for kind, text in heard.items() if text}


def _overlaps(caption: Caption, stretch: Segment) -> bool:
    return caption.start_s < stretch.end_s and caption.end_s > stretch.start_s
