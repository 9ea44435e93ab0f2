"""Damaged files are decoded as far as they go, or refused in our words, and leave nothing behind."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image

from indexer.decode.decoder import PyAvDecoder
from indexer.errors import IndexerError
from tests.support import media
from tests.support.mutation import KINDS, MUTATIONS, mutated, small

SEED, COUNT = 20261121, 40


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A short clip of each kind."""
    path = tmp_path_factory.mktemp("clips") / "clip"
    pictures = [Image.fromarray(media.picture((64, 48), media.RED, step)) for step in range(6)]
    return [small(pictures, path, kind) for kind in KINDS]


def test_damaged_files_harm_nobody(clips: list[bytes], tmp_path: Path) -> None:
    """Each ends in pictures or in an error of ours, none in a crash; no process or open file stays."""
    decoder, me = PyAvDecoder(7680 * 4320, 7200.0, 60.0, 1024**3), psutil.Process()

    def decode(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        media_file = folder / "media"
        media_file.write_bytes(mutated(SEED, number, clips)[1])
        (folder / "frames").mkdir()
        try:
            return f"{len(decoder.decode(media_file, folder / 'frames', lambda stage, share: None).frames) > 0}"
        except IndexerError as error:
            return str(error) if "ended with status" in str(error) or "took more" in str(error) else error.code

    before, others = me.num_fds(), me.children()
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(decode, range(COUNT)))
    assert {*ended} <= {"True", "corrupt", "empty_file", "no_pictures", "too_many_pixels", "too_long"}
    assert {"True", "corrupt"} <= {*ended}
    assert me.num_fds() <= before
    assert me.children() == others


def test_each_way_of_damaging_damages(clips: list[bytes]) -> None:
    """Every mutation changes files, and the same seed and number give the same file."""
    made = [mutated(SEED, number, clips) for number in range(300)]
    names = {name for names, _ in made for name in names.split("+")}
    assert names == {mutate.__name__ for mutate in MUTATIONS}
    assert sum(content in clips for _, content in made) < 15
    assert made == [mutated(SEED, number, clips) for number in range(300)]
