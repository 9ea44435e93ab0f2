"""Tests of the ingest pipeline with hostile files and captions."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from indexer.blobs import BlobStore
from indexer.decode.decoder import PyAvDecoder
from indexer.enrich.sources import SourceStore, WantedSenses
from indexer.errors import CorruptFileError
from indexer.fetch.fetcher import YtDlpFetcher
from indexer.ingest.ingest import MAX_SOURCE_CHARS, IngestPipeline, collect_text
from indexer.ingest.segmentation import Segment
from indexer.ports import Decoder, Fetcher, StageProgressCallback
from indexer.store.stores import Stores
from indexer.types import Caption, DecodeResult, FetchResult, SampledFrame
from indexer.vectors.frame_codes import decode_span_frames
from tests.support.indexer.fakes import FakeEncoder, make_video, submit_video
from tests.support.indexer.film import Film, Pictures, Subtitles, write_film


class LocalFetcher:
    """Fetcher that returns a file without a download."""

    def fetch(self, link: str, folder: Path, progress: StageProgressCallback) -> FetchResult:
        return FetchResult(make_video("goal"), folder / "media")


class CompromisedDecoder:
    """Decoder whose child process wrote another format under the name of a frame."""

    def decode(
        self, media: Path, folder: Path, progress: StageProgressCallback, sound: Path | None = None
    ) -> DecodeResult:
        frame = folder / "000000.jpg"
        Image.new("RGB", (64, 64)).save(frame, "TIFF")
        return DecodeResult(1.0, (SampledFrame(0.0, frame),))


def make_pipeline(stores: Stores, blobs: BlobStore, fetcher: Fetcher, decoder: Decoder) -> IngestPipeline:
    return IngestPipeline(
        fetcher,
        decoder,
        FakeEncoder(),
        stores.generations,
        stores.videos,
        stores.publisher,
        blobs,
        SourceStore(blobs),
        WantedSenses(),
        "starter",
    )


def test_ingest_refuses_frame_of_compromised_decoder(stores: Stores, tmp_path: Path) -> None:
    """Only a small JPEG is opened outside the child process.

    Anything else ends the job, and nothing is stored.
    """
    folder, blobs = tmp_path / "work", BlobStore(str(tmp_path / "blobs"))
    folder.mkdir()
    ingest = make_pipeline(stores, blobs, LocalFetcher(), CompromisedDecoder())
    with pytest.raises(CorruptFileError):
        ingest(submit_video(stores, "discord:1", "goal"), folder, lambda stage, share: None)
    assert list(blobs.all_keys()) == []


def test_text_of_moment_is_limited() -> None:
    """Captions that all claim to span the whole video are not stored in full with each moment."""
    video, speech = make_video("goal"), tuple(Caption(0, 7200, "word " * 100) for _ in range(1000))
    text = collect_text(video, FetchResult(video, None, speech=speech), Segment(0, 8, ()))
    assert len(text["speech"]) == MAX_SOURCE_CHARS


def test_words_in_and_beside_a_local_film_are_stored_with_its_moments(stores: Stores, tmp_path: Path) -> None:
    """Subtitles and chapters, at their moments."""
    pictures = Pictures([index / 2 for index in range(40)])
    spoken = Subtitles([(1, 2, "the dog barks")], "eng")
    film = write_film(tmp_path / "film.mkv", Film([pictures, spoken], chapters={"In the garden": (12, 20)}))
    (tmp_path / "film.ko.srt").write_text("1\n00:00:08,000 --> 00:00:09,000\n강아지\n")
    folder = tmp_path / "work"
    folder.mkdir()
    blobs = BlobStore(str(tmp_path / "blobs"))
    fetcher, decoder = YtDlpFetcher(7200, 10**8, 60, 1024**3), PyAvDecoder(10**7, 7200, 60, 1024**3)
    ingest = make_pipeline(stores, blobs, fetcher, decoder)
    record = replace(submit_video(stores, "discord:1", "film"), fetch_url=film.as_uri())
    ingest(record, folder, lambda stage, share: None)
    stored = sorted(stores.moments.of_video(record.video_id), key=lambda point: float(point.payload["start_s"]))
    assert ["dog barks" in point.payload["words"] for point in stored] == [True, False, False]
    assert ["강아지" in point.payload["words"] for point in stored] == [False, True, False]
    assert ["In the garden" in point.payload["words"] for point in stored] == [False, True, True]
    frames = [decode_span_frames(point.payload) for point in stored]
    assert [each.near if each else None for each in frames] == [
        (stored[1].id, stored[2].id),
        (stored[0].id, stored[2].id),
        (stored[0].id, stored[1].id),
    ]
    assert sum(len(each.at_s) for each in frames if each) == len(
        {key for each in stored for key in each.payload["frames"]}
    )
