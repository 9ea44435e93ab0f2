"""Tests of the ingest pipeline with hostile files and captions."""

from pathlib import Path

import pytest
from PIL import Image

from indexer.errors import CorruptFileError
from indexer.ingest.ingest import MAX_SOURCE_CHARS, IngestPipeline, collect_text
from indexer.ingest.segmentation import Segment
from indexer.ports import StageProgressCallback
from indexer.store.blobs import BlobStore
from indexer.store.stores import Stores
from indexer.types import Caption, DecodeResult, FetchResult, SampledFrame
from tests.support.indexer_fakes import FakeEncoder, make_video, submit_video


class LocalFetcher:
    """Fetcher that returns a file without a download."""

    def fetch(self, link: str, folder: Path, progress: StageProgressCallback) -> FetchResult:
        return FetchResult(make_video("goal"), folder / "media")


class CompromisedDecoder:
    """Decoder whose child process wrote another format under the name of a frame."""

    def decode(self, media: Path, folder: Path, progress: StageProgressCallback) -> DecodeResult:
        frame = folder / "000000.jpg"
        Image.new("RGB", (64, 64)).save(frame, "TIFF")
        return DecodeResult(1.0, (SampledFrame(0.0, frame),))


def test_ingest_refuses_frame_of_compromised_decoder(stores: Stores, tmp_path: Path) -> None:
    """Only a small JPEG is opened outside the child process.

    Anything else ends the job, and nothing is stored.
    """
    folder, blobs = tmp_path / "work", BlobStore(str(tmp_path / "blobs"))
    folder.mkdir()
    ingest = IngestPipeline(
        LocalFetcher(),
        CompromisedDecoder(),
        FakeEncoder(),
        stores.generations,
        stores.videos,
        stores.publisher,
        blobs,
    )
    with pytest.raises(CorruptFileError):
        ingest(submit_video(stores, "discord:1", "goal"), folder, lambda stage, share: None)
    assert list(blobs.all_keys()) == []


def test_text_of_moment_is_limited() -> None:
    """Captions that all claim to span the whole video are not stored in full with each moment."""
    video, speech = make_video("goal"), tuple(Caption(0, 7200, "word " * 100) for _ in range(1000))
    text = collect_text(video, FetchResult(video, None, speech=speech), Segment(0, 8, ()))
    assert len(text["speech"]) == MAX_SOURCE_CHARS
