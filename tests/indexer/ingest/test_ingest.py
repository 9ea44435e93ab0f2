"""The way of a link, as far as a hostile file may go on it."""

from pathlib import Path

import pytest
from PIL import Image

from indexer.errors import CorruptFileError
from indexer.ingest.ingest import IngestPipeline
from indexer.ports import StageProgressCallback
from indexer.store.blobs import BlobStore
from indexer.store.library import Library
from indexer.types import DecodeResult, FetchResult, SampledFrame
from tests.support.indexer_fakes import FakeEncoder, a_video, submit


class HasItAlready:
    """A fetcher that has the file already."""

    def fetch(self, link: str, folder: Path, progress: StageProgressCallback) -> FetchResult:
        return FetchResult(a_video("goal"), folder / "media")


class TakenOver:
    """A decoder whose child wrote something else under the name of a frame."""

    def decode(self, media: Path, folder: Path, progress: StageProgressCallback) -> DecodeResult:
        frame = folder / "000000.jpg"
        Image.new("RGB", (64, 64)).save(frame, "TIFF")
        return DecodeResult(1.0, (SampledFrame(0.0, frame),))


def test_a_decoder_that_was_taken_over_hands_nothing_on(library: Library, blobs: BlobStore, tmp_path: Path) -> None:
    """Only a small JPEG is opened outside its child; anything else ends the job, and nothing is kept of it."""
    folder = tmp_path / "work"
    folder.mkdir()
    ingest = IngestPipeline(HasItAlready(), TakenOver(), FakeEncoder(), library, BlobStore(str(tmp_path / "blobs")))
    with pytest.raises(CorruptFileError):
        ingest(submit(library, "discord:1", "goal"), folder, lambda stage, share: None)
    assert list(ingest.blobs.all_keys()) == []
