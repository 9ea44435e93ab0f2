"""A clip head on an encoder: chosen in the run file, taught on clips, kept in the adapter's folder, served."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from model.config import ClipHeadConfig, TrainingConfig, read_run
from model.data.pairs import Pair
from model.errors import AdapterMismatch, Cancelled
from model.ports import Clip, Picture, TextVectors, Vector
from model.training.clip_head_encoder import FILE, padded, teach, with_clip_head

SIZE = 8
FORTH, BACK = ("red", "blue"), ("blue", "red")


class Colours:
    """A picture is its colour and a text names the colour where a clip ends."""

    generation = "colours-00000000"
    frame_size = SIZE
    motion_size: int | None = None

    def texts(self, texts: Sequence[str]) -> list[TextVectors]:
        return [TextVectors(unit(float(text == "red"), float(text == "blue"))) for text in texts]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.stack([unit(picture[0, 0, 0] / 255, picture[0, 0, 2] / 255) for picture in pictures])

    def clips(self, clips: Sequence[Clip]) -> Vector:
        raise NotImplementedError


class Shown:
    """A clip as the indexer hands it over."""

    pictures: tuple[Picture, ...] = ()

    def __init__(self, frame_vectors: Vector) -> None:
        self.frame_vectors = frame_vectors


def unit(*values: float) -> Vector:
    vector = np.zeros(SIZE, np.float32)
    vector[: len(values)] = values
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Clips from a colour to the other, named by where they end."""
    made = []
    for number in range(12):
        colours = FORTH if number % 2 else BACK
        files = tuple(tmp_path / f"{number}-{place}.png" for place in range(2))
        for file, colour in zip(files, colours, strict=True):
            Image.new("RGB", (4, 4), colour).save(file)
        made.append(Pair(colours[1], files, f"video {number}", stated="train"))
    return made


def taught(pairs: Sequence[Pair], folder: Path, kind: str = "lstm") -> Path:
    stated = ClipHeadConfig.model_validate({"kind": kind, "steps": 60, "rate": 1e-2})
    teach(stated, pairs, Colours(), folder, seed=0, progress=lambda done, of: None, stopping=lambda: False)
    return folder


def test_a_taught_head_serves_from_the_adapters_folder(pairs: list[Pair], tmp_path: Path) -> None:
    """The clip that ends as the text says is nearer, although both have the same frames; it is another generation."""
    plain, encoder = Colours(), with_clip_head(Colours(), taught(pairs, tmp_path))
    red, blue = plain.frames([np.full((1, 1, 3), c, np.uint8) for c in ((255, 0, 0), (0, 0, 255))])
    clips = encoder.clips([Shown(np.stack([blue, red])), Shown(np.stack([red, blue]))])
    near = clips @ np.stack([text.motion for text in encoder.texts(["red", "blue"]) if text.motion is not None]).T
    assert near.argmax(0).tolist() == [0, 1]
    assert np.allclose(np.linalg.norm(clips, axis=1), 1, atol=1e-5)
    assert encoder.motion_size == SIZE
    assert encoder.generation.startswith("colours-")
    assert encoder.generation != plain.generation


def test_the_same_pairs_give_the_same_generation(pairs: list[Pair], tmp_path: Path) -> None:
    """A head learns from its seed alone, so it is the same on every machine."""
    names = set()
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        names.add(with_clip_head(Colours(), taught(pairs, folder)).generation)
    assert len(names) == 1


def test_without_a_head_nothing_changes(pairs: list[Pair], tmp_path: Path) -> None:
    """No adapter, an adapter without a head, and pairs without a clip leave the encoder as it is."""
    photographs = [Pair(pair.text, pair.pictures[:1], pair.source, stated="train") for pair in pairs]
    plain = Colours()
    assert with_clip_head(plain, None) is plain
    assert with_clip_head(plain, taught(photographs, tmp_path)) is plain


def test_a_preset_with_a_clip_model_takes_no_head(pairs: list[Pair], tmp_path: Path) -> None:
    """Neither to train nor to serve: it is told so before anything is done."""
    folder = taught(pairs, tmp_path)
    encoder = Colours()
    encoder.motion_size = SIZE
    with pytest.raises(AdapterMismatch):
        with_clip_head(encoder, folder)
    with pytest.raises(AdapterMismatch, match=r"head\.kind"):
        teach(read_run().head, pairs, encoder, tmp_path, seed=0, progress=lambda done, of: None, stopping=lambda: False)


def test_a_head_of_another_size_is_refused(pairs: list[Pair], tmp_path: Path) -> None:
    """A head that was made for other vectors is a sentence, not a traceback of torch."""
    encoder = Colours()
    encoder.frame_size = SIZE + 8
    with pytest.raises(AdapterMismatch, match=FILE):
        with_clip_head(encoder, taught(pairs, tmp_path))


def test_it_stops_when_asked(pairs: list[Pair], tmp_path: Path) -> None:
    """A cancelled retrain leaves no head behind."""
    with pytest.raises(Cancelled):
        teach(
            read_run().head, pairs, Colours(), tmp_path, seed=0, progress=lambda done, of: None, stopping=lambda: True
        )
    assert not (tmp_path / FILE).exists()


def test_the_tight_head_is_no_choice() -> None:
    """It gives no vector that an index could hold, so a run file that names it is refused."""
    stated = read_run().model_dump()
    with pytest.raises(ValidationError, match="transformer"):
        TrainingConfig.model_validate({**stated, "head": {**stated["head"], "kind": "tight"}})


def test_padding_keeps_order_and_counts() -> None:
    """Clips of different lengths stand in one tensor, and what fills it up is marked as not there."""
    short, long = np.eye(SIZE, dtype=np.float32)[:2], np.ones((30, SIZE), np.float32)
    frames, there = padded([short, long])
    assert there.sum(1).tolist() == [2, 12]
    assert np.array_equal(frames[0, :2].numpy(), short)
