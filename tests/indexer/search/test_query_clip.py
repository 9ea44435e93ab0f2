"""Clips and pictures of a query: which frames are used, how words change them, and files that are no clips."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.errors import CorruptFileError, IndexerError, NotAClipError, TooLongError, TooManyPixelsError
from indexer.ports import StageProgressCallback
from indexer.search.query import SHOWN_WEIGHT, ExampleMoments, SearchQuery, TextQuery, embed_query
from indexer.search.query_clip import MAX_CLIP_FRAMES, read_clip_frames, read_query_clip
from indexer.types import DecodeResult, Picture, SampledFrame
from tests.support.indexer.fakes import FakeEncoder


def make_jpeg(size: tuple[int, int] = (32, 24), level: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("L", size, level).save(file, "JPEG")
    return file.getvalue()


@dataclass(frozen=True)
class ScriptedDecoder:
    """A decoder that samples these frames, one a second, of any file, or fails."""

    frames: Sequence[bytes] = ()
    error: IndexerError | None = None

    def decode(
        self, media: Path, folder: Path, progress: StageProgressCallback, sound: Path | None = None
    ) -> DecodeResult:
        if self.error:
            raise self.error
        assert media.read_bytes() == b"clip"
        sampled = []
        for number, content in enumerate(self.frames):
            sampled.append(SampledFrame(float(number), folder / f"{number}.jpg"))
            sampled[-1].path.write_bytes(content)
        return DecodeResult(float(len(sampled)), tuple(sampled))


@pytest.mark.parametrize(
    ("count", "chosen"), [(1, [0]), (3, [0, 1, 2]), (8, list(range(8))), (9, [1, 3, 5, 7]), (60, list(range(4, 60, 8)))]
)
def test_frames_of_a_clip_are_spread_over_it(count: int, chosen: list[int]) -> None:
    frames = [b"%d" % number for number in range(count)]
    read = read_query_clip(ScriptedDecoder(frames), b"clip")
    assert read == [frames[number] for number in chosen]
    assert len(read) <= MAX_CLIP_FRAMES


@pytest.mark.parametrize("error", [CorruptFileError(""), TooLongError(""), TooManyPixelsError("")])
def test_file_that_is_no_short_video_is_refused_as_a_clip(error: IndexerError) -> None:
    """One sentence says what a clip may be."""
    with pytest.raises(NotAClipError):
        read_query_clip(ScriptedDecoder(error=error), b"clip")


@pytest.mark.parametrize("file", [b"", b"not a picture", make_jpeg((2000, 2000))])
def test_frame_that_no_decoder_wrote_is_refused(file: bytes) -> None:
    """The frames of a further page come from outside, too."""
    assert read_clip_frames([make_jpeg()])[0].shape == (24, 32, 3)
    with pytest.raises(NotAClipError):
        read_clip_frames([make_jpeg(), file])


def make_query(**fields: Any) -> SearchQuery:
    return SearchQuery(scopes=("discord:1",), **fields)


def embed(query: SearchQuery, encoder: FakeEncoder) -> TextQuery:
    [embedded] = embed_query(encoder, query, ExampleMoments((), ()))
    return embedded


def paint(level: int) -> Picture:
    return np.full((4, 4, 3), level, np.uint8)


def test_clip_has_the_mean_of_its_frames_and_a_motion_if_the_encoder_knows_motions() -> None:
    encoder, clip = FakeEncoder(), (paint(0), paint(200))
    frames = encoder.encode_frames(clip)
    vectors = embed(make_query(clip=clip), encoder).vectors
    assert vectors.keys() == {"frame", "motion"}
    assert vectors["frame"] @ frames.mean(axis=0) == pytest.approx(np.linalg.norm(frames.mean(axis=0)), abs=1e-5)
    assert vectors["motion"] @ vectors["frame"] == pytest.approx(-1, abs=1e-5)
    assert embed(make_query(clip=clip), replace(encoder, motion_size=None)).vectors.keys() == {"frame"}


def test_query_of_picture_and_words_is_their_sum() -> None:
    """The query is the sum of both, with the weight of the picture, and unwanted words count against it."""
    encoder, picture = FakeEncoder(motion_size=None), paint(0)
    shown, words, people = (
        encoder.encode_frames([picture])[0],
        *(encoder.encode_texts([text])[0].frame for text in ("night", "people")),
    )
    both = embed(make_query(picture=picture, texts=("night",)), encoder).vectors["frame"]
    wanted = words + SHOWN_WEIGHT * shown
    assert np.allclose(both, wanted / np.linalg.norm(wanted), atol=1e-5)
    without = embed(make_query(picture=picture, texts=("without people",)), encoder).vectors["frame"]
    assert without @ people < shown @ people
    assert without @ shown > 0.5
