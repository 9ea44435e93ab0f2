"""Motion vectors of the starter: X-CLIP's multi-frame integration transformer over the frames' own vectors.

Ni et al. 2022, "Expanding Language-Image Pretrained Models for General Video Recognition", arXiv:2208.02816, where it
mixes what each frame alone gave. No picture is looked at again, so a clip costs less than a millisecond.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional
from transformers import XCLIPVisionConfig
from transformers.models.x_clip.modeling_x_clip import XCLIPMultiframeIntegrationTransformer

from model.ports import Vector, evenly
from model.sentence import FEATURES
from model.text_map import SIZE

FRAMES = 8

CODE = 16

_HEADS = 4
_SCALE = 32.0
_LENGTH = 0.5


class Motion(nn.Module):
    """Clips and texts into one space: the text map's, with a few directions given over to what moves.

    Those directions are the ones that say least of pictures. A clip has a code of one length in them, a text a code as
    long as it speaks of motion: a text that does not finds what it would find by the frames alone.
    """

    def __init__(self, hidden: int, words: int) -> None:
        """`hidden` is the width of the transformer, `words` that of the bottleneck on the side of the texts."""
        super().__init__()
        config = XCLIPVisionConfig(
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_attention_heads=_HEADS,
            num_hidden_layers=1,
            num_frames=FRAMES,
            attn_implementation="eager",  # type: ignore[call-arg]  # passed on, in no signature
        )
        self.narrow = nn.Linear(2 * SIZE, hidden)
        self.integration = XCLIPMultiframeIntegrationTransformer(config)
        nn.init.normal_(self.integration.position_embedding, std=0.1)
        self.clip_code = nn.Linear(hidden, CODE)
        self.inner = nn.Linear(FEATURES, words)
        self.text_code = nn.Linear(words, CODE)
        self.directions = nn.Parameter(torch.eye(CODE, SIZE), requires_grad=False)
        """Orthonormal (CODE, 512)."""

    def clips(self, frames: torch.Tensor) -> torch.Tensor:
        """Unit vectors (n, 512) of frame vectors (n, FRAMES, 512)."""
        return self._with_code(functional.normalize(frames.mean(1), dim=1), self.clip_codes(frames))

    def texts(self, vectors: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Unit vectors (n, 512) of the text map's vectors (n, 512) and the features (n, FEATURES) they are made of."""
        return self._with_code(vectors, self.text_codes(features))

    def clip_codes(self, frames: torch.Tensor) -> torch.Tensor:
        """Unit vectors (n, CODE) of frame vectors (n, FRAMES, 512)."""
        # how frames differ matters here, which is little beside what they share
        differing = _SCALE * (frames - frames.mean(1, keepdim=True))
        # told by the clock as well: from positions alone the transformer hardly learns what comes before what
        timed = torch.linspace(-1, 1, FRAMES, device=frames.device)[:, None] * differing
        mixed: torch.Tensor = self.integration(self.narrow(torch.cat([differing, timed], 2))).pooler_output
        return functional.normalize(self.clip_code(mixed), dim=1)

    def text_codes(self, features: torch.Tensor) -> torch.Tensor:
        """(n, CODE), shorter than 1; what is short already becomes nearly nothing."""
        code: torch.Tensor = self.text_code(functional.gelu(self.inner(functional.layer_norm(features, (FEATURES,)))))
        length: torch.Tensor = torch.linalg.vector_norm(code, dim=1, keepdim=True)
        return code * length / (1 + length**2)

    def _with_code(self, vectors: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        rest = vectors - vectors @ self.directions.T @ self.directions
        return functional.normalize(rest + _LENGTH * code @ self.directions, dim=1)

    @classmethod
    def read(cls, path: Path) -> "Motion":
        weights = load_file(path)
        motion = cls(hidden=len(weights["narrow.bias"]), words=len(weights["inner.bias"]))
        motion.load_state_dict(weights)
        return motion.eval()

    def save(self, path: Path) -> None:
        """In half precision."""
        new = path.with_suffix(".new")
        save_file({name: tensor.half().contiguous() for name, tensor in self.state_dict().items()}, new)
        new.chmod(0o644)
        new.replace(path)


def stacked(clips: Sequence[Vector]) -> torch.Tensor:
    """(clips, FRAMES, d) of frame vectors (n, d): taken evenly, again where there are too few."""
    return torch.from_numpy(np.array([evenly(list(frames), FRAMES) for frames in clips]))
