"""A clip head is trained on clips, stored in the adapter's folder, and served."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from model.config import ClipHeadConfig, TrainingConfig, read_training_config
from model.data.pairs import Pair
from model.encoders.clip_head_encoder import HEAD_FILE, attach_clip_head, make_clip_head, pad_clips
from model.errors import AdapterMismatchError, TrainingCancelledError
from model.ports import Clip, Picture, TextVectors, Vector
from model.presets import PRESETS
from model.training.train_clip_head import ClipHeadExamples, fit_clip_head, train_clip_head
from model.training.training_run import TrainingRun
from tests.support.model.colour_encoder import LengthEncoder

SIZE = 8
FORWARD, BACKWARD = ("red", "blue"), ("blue", "red")


class RedBlueEncoder(LengthEncoder):
    """Encodes a picture as its colour, and a text as the colour where a clip ends."""

    generation = "colours-00000000"
    frame_size = SIZE
    motion_size: int | None = None

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        return [TextVectors(unit(float(text == "red"), float(text == "blue")), unit(1.0, 0.0)) for text in texts]

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.stack([unit(picture[0, 0, 0] / 255, picture[0, 0, 2] / 255) for picture in pictures])

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        raise NotImplementedError


class ClipVectors:
    """A clip as the indexer passes it."""

    pictures: tuple[Picture, ...] = ()

    def __init__(self, frame_vectors: Vector) -> None:
        self.frame_vectors = frame_vectors


def unit(*values: float) -> Vector:
    vector = np.zeros(SIZE, np.float32)
    vector[: len(values)] = values
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Return clips from one colour to the other, named by the last colour."""
    pairs = []
    for number in range(12):
        colours = FORWARD if number % 2 else BACKWARD
        files = tuple(tmp_path / f"{number}-{place}.png" for place in range(2))
        for file, colour in zip(files, colours, strict=True):
            Image.new("RGB", (4, 4), colour).save(file)
        pairs.append(Pair(colours[1], files, f"video {number}", fixed_split="train"))
    return pairs


def train(
    pairs: Sequence[Pair], folder: Path, encoder: RedBlueEncoder | None = None, is_cancelled: bool = False
) -> Path:
    """Train a head. Returns the adapter's folder."""
    head = ClipHeadConfig(kind="lstm", steps=60, rate=3e-3)
    run = TrainingRun(
        config=read_training_config().model_copy(update={"head": head}),
        pairs=pairs,
        preset=PRESETS["base"],
        device="cpu",
        folder=folder,
        is_cancelled=lambda: is_cancelled,
    )
    run.adapter.mkdir(exist_ok=True)
    train_clip_head(run, encoder or RedBlueEncoder())
    return run.adapter


def test_trained_head_is_served_as_another_generation(pairs: list[Pair], tmp_path: Path) -> None:
    """The clip that ends with the text's colour is nearer, although both clips have the same frames."""
    plain, encoder = RedBlueEncoder(), attach_clip_head(RedBlueEncoder(), train(pairs, tmp_path))
    red, blue = plain.encode_frames([np.full((1, 1, 3), c, np.uint8) for c in ((255, 0, 0), (0, 0, 255))])
    clips = encoder.encode_clips([ClipVectors(np.stack([blue, red])), ClipVectors(np.stack([red, blue]))])
    cosines = (
        clips @ np.stack([text.motion for text in encoder.encode_texts(["red", "blue"]) if text.motion is not None]).T
    )
    assert cosines.argmax(0).tolist() == [0, 1]
    assert np.allclose(np.linalg.norm(clips, axis=1), 1, atol=1e-5)
    assert encoder.motion_size == SIZE
    assert encoder.generation.startswith("colours-")
    assert encoder.generation != plain.generation


def test_same_pairs_give_the_same_generation(pairs: list[Pair], tmp_path: Path) -> None:
    """Training a head depends only on its seed."""
    generations = set()
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        generations.add(attach_clip_head(RedBlueEncoder(), train(pairs, folder)).generation)
    assert len(generations) == 1


def test_encoder_without_head_is_unchanged(pairs: list[Pair], tmp_path: Path) -> None:
    """There is no adapter, or one that was trained without clips."""
    photographs = [Pair(pair.text, pair.pictures[:1], pair.source, fixed_split="train") for pair in pairs]
    plain = RedBlueEncoder()
    assert attach_clip_head(plain, None) is plain
    assert attach_clip_head(plain, train(photographs, tmp_path)) is plain


def test_preset_with_motion_model_refuses_head(pairs: list[Pair], tmp_path: Path) -> None:
    """Neither training nor serving a head is possible; the error comes before any work."""
    folder = train(pairs, tmp_path)
    encoder = RedBlueEncoder()
    encoder.motion_size = SIZE
    with pytest.raises(AdapterMismatchError):
        attach_clip_head(encoder, folder)
    with pytest.raises(AdapterMismatchError, match=r"head\.kind"):
        train(pairs, tmp_path, encoder)


def test_head_of_another_size_is_refused(pairs: list[Pair], tmp_path: Path) -> None:
    encoder = RedBlueEncoder()
    encoder.frame_size = SIZE + 8
    with pytest.raises(AdapterMismatchError, match=HEAD_FILE):
        attach_clip_head(encoder, train(pairs, tmp_path))


def test_cancelled_training_writes_no_head(pairs: list[Pair], tmp_path: Path) -> None:
    with pytest.raises(TrainingCancelledError):
        train(pairs, tmp_path, is_cancelled=True)
    assert not (tmp_path / "adapter" / HEAD_FILE).exists()


def test_config_refuses_tight_head() -> None:
    """An index cannot store its results."""
    config = read_training_config().model_dump()
    with pytest.raises(ValidationError, match="transformer"):
        TrainingConfig.model_validate({**config, "head": {**config["head"], "kind": "tight"}})


def test_padding_keeps_order_and_masks_missing_frames() -> None:
    short, long = np.eye(SIZE, dtype=np.float32)[:2], np.ones((30, SIZE), np.float32)
    frames, mask = pad_clips([short, long])
    assert mask.sum(1).tolist() == [2, 12]
    assert np.array_equal(frames[0, :2].numpy(), short)


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_diverging_head_keeps_weights_whose_scores_are_numbers(steps: int) -> None:
    """Also if it diverges at the last step."""
    texts, frames = torch.eye(SIZE)[:4], torch.eye(SIZE)[torch.arange(8).reshape(4, 2)]
    examples = ClipHeadExamples(texts, frames, torch.ones(4, 2, dtype=torch.bool), torch.arange(4), torch.arange(4))
    head = make_clip_head("lstm", SIZE)
    fit_clip_head(head, examples, ClipHeadConfig(kind="lstm", steps=steps, rate=1e37))
    with torch.no_grad():
        assert head(examples.texts, examples.frames, examples.mask).isfinite().all()
