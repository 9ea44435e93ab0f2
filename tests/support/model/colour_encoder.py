"""An encoder that sees only colours, and encodings with a known amount of noise."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model.evaluation.compare import EncodedPairs
from model.ports import Clip, Picture, TextVectors, Vector


class LengthEncoder:
    """Encodes the meaning of a text as its length, so that another text of the same length means the same."""

    meaning_size = 2
    logit_scale = 20.0
    unrelated_cosine: float | None = None

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        return np.array([normalize(np.array([len(text), 1.0])) for text in texts], np.float32).reshape(-1, 2)


class ColourEncoder(LengthEncoder):
    """Encodes a picture as its mean colour, a text `r g b` as that colour, and motion as the change of a clip."""

    generation = "colours"
    frame_size = 3

    def __init__(self, motion_size: int | None = None) -> None:
        self.motion_size = motion_size

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        frames = [normalize(np.array(text.split()[:3], np.float32)) for text in texts]
        motions = [normalize(np.array(text.split()[3:], np.float32)) if self.motion_size else None for text in texts]
        return [TextVectors(*each) for each in zip(frames, self.encode_sentences(texts), motions, strict=True)]

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.stack([normalize(picture.reshape(-1, 3).mean(0).astype(np.float32)) for picture in pictures])

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        changes = [
            (self.encode_frames([clip.pictures[-1]]) - self.encode_frames([clip.pictures[0]]))[0] for clip in clips
        ]
        return np.stack([normalize(change[:2] + 1e-6) for change in changes])


def normalize(vector: npt.NDArray[np.floating]) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def make_encodings(seed: int, noise: float, images: int = 30, texts_per_image: int = 3) -> EncodedPairs:
    """Make random images, two per source, and texts that are as close to them as `noise` allows."""
    random = np.random.default_rng(seed)
    pictures = np.stack([normalize(one) for one in random.normal(size=(images, 8))])
    own = np.repeat(np.arange(images), texts_per_image)
    texts = np.stack([normalize(pictures[i] + noise * random.normal(size=8)) for i in own])
    names = tuple(f"video {i // 2}" for i in range(images))
    return EncodedPairs(texts, pictures, own[:, None] == np.arange(images), tuple(names[i] for i in own), names)
