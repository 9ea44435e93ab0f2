"""Ingest pipeline of one link: fetch, decode, cut into moments, embed, store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from indexer.blobs import BlobStore, video_prefix
from indexer.enrich.sources import SenseSources, SourceStore, WantedSenses
from indexer.generation_id import GenerationId
from indexer.images import read_frame
from indexer.ingest.embedding import MomentVectors, embed_moments
from indexer.ingest.evidence import embed_meanings, join_texts
from indexer.ingest.segmentation import Segment, cut_into_segments, list_near, moment_id
from indexer.ports import Decoder, Encoder, Fetcher, StageProgressCallback
from indexer.senses import SenseStatus
from indexer.stages import IndexStage
from indexer.store.generations import GenerationStore
from indexer.store.publishing import MomentPublisher
from indexer.store.records import VideoRecord
from indexer.store.videos import VideoStore
from indexer.types import Caption, DecodeResult, FetchResult, Moment, SampledFrame, SpanFrames, Vector, Video

MAX_SOURCE_CHARS = 4000
"""Maximum text of one source in one moment. Times of captions can span the whole video, which is many
moments.
"""


@dataclass(frozen=True)
class IngestPipeline:
    """Steps from a link to searchable moments, with the stores that they write to."""

    fetcher: Fetcher
    decoder: Decoder
    encoder: Encoder
    generations: GenerationStore
    videos: VideoStore
    publisher: MomentPublisher
    blobs: BlobStore
    sources: SourceStore
    wanted_senses: WantedSenses
    preset: str
    """The preset of the encoder, which the first video records."""

    def __call__(self, record: VideoRecord, folder: Path, progress: StageProgressCallback) -> VideoRecord | None:
        """Make a waiting video searchable and return its new record.

        Idempotent, also if two runs overlap. Returns None if no space wants the video any more. A video that
        another run of its job marked as failed meanwhile stays failed. `folder` is an empty work folder; the
        caller deletes it. Raises `IndexerError`; then the video cannot be found, and the caller deletes the
        frames that were stored.
        """
        fetched, decoded = self._fetch(record, folder, progress)
        video = replace(fetched.video, id=record.video_id, link=record.link, title=record.title or fetched.video.title)
        generation = GenerationId.parse(self.encoder.generation)
        is_first = self.generations.get_live() is None
        self.generations.create(generation, self.encoder)
        if is_first:
            self.generations.record_base(generation, self.preset, datetime.now(UTC))
        moments = list(self._create_moments(video, fetched, decoded, progress))
        progress(IndexStage.STORE, 0.0)
        self.blobs.delete_prefix(video_prefix(video.id), keep={key for moment in moments for key in moment.frames})
        sources = _list_sources(fetched, decoded)
        senses = self.wanted_senses.choose_statuses(sources)
        if SenseStatus.PENDING in senses.values():
            self.sources.keep(video.id, sources)
        is_wanted = self.publisher.publish_moments(
            replace(video, duration_s=video.duration_s or decoded.duration_s or None),
            moments,
            generation,
            words_only_code=fetched.media_error_code,
            senses=senses,
        )
        if not is_wanted:
            self.blobs.delete_prefix(video_prefix(video.id))
        return self.videos.get(video.id)

    def fetch_sources(self, record: VideoRecord, folder: Path, progress: StageProgressCallback) -> SenseSources:
        """Fetch and decode a video that was indexed before, and return the sources of its senses.

        `folder` is an empty work folder. Raises `IndexerError`.
        """
        return _list_sources(*self._fetch(record, folder, progress))

    def _fetch(
        self, record: VideoRecord, folder: Path, progress: StageProgressCallback
    ) -> tuple[FetchResult, DecodeResult]:
        """Fetch and decode a video. The words of its site come before those in its file."""
        fetched = self.fetcher.fetch(record.fetch_url, folder, progress)
        decoded = self._decode(fetched, folder, progress)
        speech, chapters = fetched.speech or decoded.speech, fetched.chapters or decoded.chapters
        return replace(fetched, speech=speech, chapters=chapters), decoded

    def _decode(self, fetched: FetchResult, folder: Path, progress: StageProgressCallback) -> DecodeResult:
        """Sample the frames of the media file, or of the thumbnail without one."""
        source = fetched.media or fetched.thumbnail
        if source is None:
            return DecodeResult(duration_s=0.0, frames=())
        frames_folder = folder / "frames"
        frames_folder.mkdir()
        decoded = self.decoder.decode(source, frames_folder, progress, fetched.sound)
        return decoded if fetched.media else replace(decoded, duration_s=0.0)

    def _create_moments(
        self, video: Video, fetched: FetchResult, decoded: DecodeResult, progress: StageProgressCallback
    ) -> Iterator[Moment]:
        """Yield the moments of a video, in time order, and store their frames."""
        if not decoded.frames:
            [meaning] = embed_meanings(self.encoder, [join_texts((video.title, video.description))])
            yield _create_text_moment(video, meaning)
            return
        segments = cut_into_segments(decoded)
        ids = [moment_id(video.id, segment.start_s) for segment in segments]
        near = [tuple(ids[at] for at in each) for each in list_near([(each.start_s, each.end_s) for each in segments])]
        pictures = ([read_frame(frame.path.read_bytes()) for frame in segment.frames] for segment in segments)
        done = 0
        progress(IndexStage.EMBED, 0.0)
        for batch in embed_moments(self.encoder, pictures):
            in_batch = segments[done : done + len(batch)]
            texts = [collect_text(video, fetched, segment) for segment in in_batch]
            meanings = embed_meanings(self.encoder, [join_texts((video.title, *each.values())) for each in texts])
            in_reach = near[done : done + len(batch)]
            for moment in zip(in_batch, batch, texts, meanings, in_reach, strict=True):
                yield self._create_moment(video, *moment)
            done += len(batch)
            progress(IndexStage.EMBED, done / len(segments))

    def _create_moment(
        self,
        video: Video,
        segment: Segment,
        vectors: MomentVectors,
        text_by_source: Mapping[str, str],
        meaning: Vector | None,
        near: tuple[str, ...],
    ) -> Moment:
        keys = self._store_frames(video, segment.frames)
        return Moment(
            id=moment_id(video.id, segment.start_s),
            video_id=video.id,
            start_s=segment.start_s,
            end_s=segment.end_s,
            thumbnail=keys[vectors.most_typical],
            words="\n".join((video.title, *text_by_source.values())).strip(),
            frame=vectors.frame,
            motion=vectors.motion,
            meaning=meaning,
            frames=tuple(keys),
            text_by_source=text_by_source,
            span_frames=SpanFrames(tuple(frame.at_s for frame in segment.frames), vectors.frames, segment.cuts_s, near),
        )

    def _store_frames(self, video: Video, frames: Sequence[SampledFrame]) -> list[str]:
        """Store frames as blobs, for thumbnails and for re-embedding, and return their keys."""
        keys = [f"{video_prefix(video.id)}{round(frame.at_s * 1000)}.jpg" for frame in frames]
        for key, frame in zip(keys, frames, strict=True):
            self.blobs.put(key, frame.path.read_bytes())
        return keys


def _list_sources(fetched: FetchResult, decoded: DecodeResult) -> SenseSources:
    return SenseSources(fetched.speech, decoded.sound, decoded.reading_frames)


def collect_text(video: Video, fetched: FetchResult, segment: Segment) -> dict[str, str]:
    """Return the text of a segment by source: the description, and overlapping chapter titles and speech."""
    text = {
        "description": video.description,
        "chapter": " ".join(each.text for each in fetched.chapters if _overlaps(each, segment))[:MAX_SOURCE_CHARS],
        "speech": " ".join(each.text for each in fetched.speech if _overlaps(each, segment))[:MAX_SOURCE_CHARS],
    }
    return {source: text for source, text in text.items() if text}


def _overlaps(caption: Caption, segment: Segment) -> bool:
    return caption.start_s < segment.end_s and caption.end_s > segment.start_s


def _create_text_moment(video: Video, meaning: Vector | None) -> Moment:
    """Return the only moment of a video without pictures, with title and description."""
    return Moment(
        id=moment_id(video.id, 0.0),
        video_id=video.id,
        start_s=0.0,
        end_s=0.0,
        thumbnail=None,
        words=f"{video.title}\n{video.description}".strip(),
        frame=None,
        meaning=meaning,
        text_by_source={"description": video.description} if video.description else {},
    )
