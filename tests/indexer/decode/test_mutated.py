"""Fuzz tests of the decoder: damaged files are decoded or refused, and leave nothing behind."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image

from indexer.decode.decoder import PyAvDecoder
from indexer.errors import IndexerError
from tests.support.indexer import media
from tests.support.indexer.mutation import CLIP_FORMATS, MUTATIONS, encode_clip, make_mutant

SEED, COUNT = 20261121, 24


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return a short clip in each format."""
    path = tmp_path_factory.mktemp("clips") / "clip"
    pictures = [Image.fromarray(media.draw_picture((64, 48), media.RED, step)) for step in range(6)]
    return [encode_clip(pictures, path, clip_format) for clip_format in CLIP_FORMATS]


def test_decode_damaged_files_returns_frames_or_indexer_error(clips: list[bytes], tmp_path: Path) -> None:
    """No file crashes the decoder, and no process or open file is left over."""
    decoder, process = PyAvDecoder(7680 * 4320, 7200.0, 60.0, 1024**3), psutil.Process()

    def decode(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        media_file = folder / "media"
        media_file.write_bytes(make_mutant(SEED, number, clips)[1])
        (folder / "frames").mkdir()
        try:
            return f"{len(decoder.decode(media_file, folder / 'frames', lambda stage, share: None).frames) > 0}"
        except IndexerError as error:
            return str(error) if "ended with status" in str(error) or "took more" in str(error) else error.code

    open_files, children = process.num_fds(), process.children()
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(decode, range(COUNT)))
    assert {*outcomes} <= {"True", "corrupt", "empty_file", "no_pictures", "too_many_pixels", "too_long"}
    assert {"True", "corrupt"} <= {*outcomes}
    assert process.num_fds() <= open_files
    assert process.children() == children


def test_every_mutation_damages_files_and_is_reproducible(clips: list[bytes]) -> None:
    """The same seed and number give the same file."""
    made = [make_mutant(SEED, number, clips) for number in range(300)]
    names = {name for names, _ in made for name in names.split("+")}
    assert names == {mutate.__name__ for mutate in MUTATIONS}
    assert sum(content in clips for _, content in made) < 15
    assert made == [make_mutant(SEED, number, clips) for number in range(300)]
