"""The starter's picture tower as it serves: int8 on a CPU, bfloat16 on CUDA.

The int8 graph is built straight from the weights of `CLIPVisionModelWithProjection`, so a merged adapter is ready in
seconds and nothing is traced. What makes it fast at equal recall (docs/starter-model.md has the table): int8 products,
with the outliers of the activations moved into the weights first (Xiao et al. 2022, "SmoothQuant", arXiv:2211.10438);
pictures of 208 pixels with interpolated positions; the last layer worked out for the class token only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import nn
from torch.nn import functional

from model.encoders.runtime import openvino
from model.encoders.runtime import opset15 as ops
from model.errors import PartsMissing
from model.ports import Vector
from model.starter.artifacts import fetching

if TYPE_CHECKING:
    from transformers import CLIPVisionModelWithProjection, PreTrainedModel

PIXELS = 208
"""Side of the pictures that the int8 form reads."""

Array = npt.NDArray[np.float32]
Ranges = Mapping[str, Array]
"""By layer: the least and greatest value of each channel of what its product reads, (2, channels)."""

Weights = Mapping[str, Array]
"""By transformers' names."""

_BATCH = 16
_WIDTH, _HEADS, _PATCH, _LAYERS = 768, 12, 16, 12
_ENCODER = "vision_model.encoder.layers"
_FC2_SHARE = 0.7
"""How much of its outliers moves into the weights: these are the tallest of all (cosine to float 0.965 without)."""
RANGES = Path(__file__).parents[1] / "weights" / "tower_ranges.safetensors"


class PictureTower:
    """Pixels (n, 3, PIXELS, PIXELS), float32, into unit vectors (n, 512)."""

    def __init__(self, weights: Weights) -> None:
        graph = _Graph(weights, _ranges()).model()
        threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self._compiled = openvino.Core().compile_model(graph, "CPU", threads)

    def __call__(self, pixels: torch.Tensor) -> Vector:
        request = self._compiled.create_infer_request()  # one a call: several threads may call at once
        parts = [request.infer([pixels[i : i + _BATCH].numpy()])[0].copy() for i in range(0, len(pixels), _BATCH)]
        vectors = np.concatenate(parts)
        unit: Vector = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


class LowerLayers:
    """Pixels (n, 3, PIXELS, PIXELS) into what the tower of `serve` holds after its first layers: (n, tokens, 768)."""

    def __init__(self, model: PreTrainedModel, layers: int) -> None:
        threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self._compiled = openvino.Core().compile_model(
            _Graph(_weights(model), _ranges()).hidden(layers), "CPU", threads
        )

    def __call__(self, pixels: torch.Tensor) -> Array:
        states: Array = self._compiled([pixels.numpy()])[0]
        return states


class CudaTower:
    """`PictureTower` on a graphics card, in bfloat16."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model.to("cuda", torch.bfloat16)  # type: ignore[arg-type]  # transformers wraps `to` untyped

    @torch.inference_mode()
    def __call__(self, pixels: torch.Tensor) -> Vector:
        pixels = pixels.to("cuda", torch.bfloat16)
        vectors = self._model(pixel_values=pixels, interpolate_pos_encoding=True).image_embeds.float()
        unit: Vector = functional.normalize(vectors, dim=1).cpu().numpy()
        return unit


def read(folder: Path) -> CLIPVisionModelWithProjection:
    """The tower of a folder in transformers' layout, to train or to merge, in float32. Raises `PartsMissing`."""
    from transformers import CLIPVisionModelWithProjection
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        read_in: Any = CLIPVisionModelWithProjection.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
        model, report = read_in
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise PartsMissing(f"the picture tower cannot be read: {_again(folder)} ({error})") from error
    if report["missing_keys"]:
        raise PartsMissing(f"the picture tower lacks weights: {_again(folder)}")
    tower: CLIPVisionModelWithProjection = model.eval()
    return tower


def serve_folder(folder: Path) -> PictureTower:
    """The tower of a folder as it is, on a CPU, without the seconds that transformers takes. Raises `PartsMissing`."""
    try:
        stored = safetensors.torch.load_file(folder / "model.safetensors")
        return PictureTower({name: data.float().numpy() for name, data in stored.items()})
    except (OSError, SafetensorError) as error:
        raise PartsMissing(f"the picture tower cannot be read: {_again(folder)} ({error})") from error
    except KeyError as error:
        raise PartsMissing(f"the picture tower lacks weights: {_again(folder)}") from error


def serve(model: PreTrainedModel, device: torch.device) -> PictureTower | CudaTower:
    if device.type == "cuda":
        return CudaTower(model)
    return PictureTower(_weights(model))


def _again(folder: Path) -> str:
    return f"delete {folder} and run `{fetching(folder.parent)}`"


def _weights(model: PreTrainedModel) -> Weights:
    return {name: tensor.float().numpy() for name, tensor in model.state_dict().items()}


def _ranges() -> Ranges:
    return {name: data.astype(np.float32) for name, data in load_file(RANGES).items()}


@torch.inference_mode()
def measure_ranges(model: CLIPVisionModelWithProjection, batches: Iterable[torch.Tensor]) -> dict[str, Array]:
    """What each product of the tower reads when it sees these pixels."""
    ranges: dict[str, torch.Tensor] = {}

    def seen(name: str, inputs: torch.Tensor) -> None:
        flat = inputs.reshape(-1, inputs.shape[-1])
        low, high = ranges.get(name, torch.zeros(2, flat.shape[1]))
        ranges[name] = torch.stack([torch.minimum(low, flat.amin(0)), torch.maximum(high, flat.amax(0))])

    def watch(name: str) -> Any:
        return lambda _module, inputs, _output: seen(name, inputs[0])

    hooks = [
        module.register_forward_hook(watch(name))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.startswith(_ENCODER) and not name.endswith((".k_proj", ".v_proj"))
    ]
    for pixels in batches:
        model(pixel_values=pixels, interpolate_pos_encoding=True)
    for hook in hooks:
        hook.remove()
    return {name: data.numpy() for name, data in ranges.items()}


class _Graph:
    """Builds the OpenVINO graph of the tower."""

    def __init__(self, weights: Weights, ranges: Ranges) -> None:
        self._weights, self._ranges = weights, ranges

    def model(self) -> openvino.Model:
        pixels, x = self._states(_LAYERS - 1)
        x = self._layer(x, f"{_ENCODER}.{_LAYERS - 1}", last=True)
        x = self._norm(ops.reshape(x, _ints(-1, _WIDTH), False), "vision_model.post_layernorm")
        return openvino.Model([ops.matmul(x, _const(self._weights["visual_projection.weight"]), False, True)], [pixels])

    def hidden(self, layers: int) -> openvino.Model:
        pixels, x = self._states(layers)
        return openvino.Model([x], [pixels])

    def _states(self, layers: int) -> tuple[openvino.Node, openvino.Node]:
        pixels = ops.parameter([-1, 3, PIXELS, PIXELS], np.float32)
        x = self._norm(self._tokens(pixels), "vision_model.pre_layrnorm")
        for i in range(layers):
            x = self._layer(x, f"{_ENCODER}.{i}", last=False)
        return pixels, x

    def _tokens(self, pixels: openvino.Node) -> openvino.Node:
        positions = _resized(self._weights["vision_model.embeddings.position_embedding.weight"], PIXELS // _PATCH)
        kernel = _const(self._weights["vision_model.embeddings.patch_embedding.weight"])
        patches = ops.convolution(pixels, kernel, [_PATCH, _PATCH], [0, 0], [0, 0], [1, 1])
        patches = ops.transpose(ops.reshape(patches, _ints(0, _WIDTH, -1), True), _ints(0, 2, 1))
        patches = ops.add(patches, _const(positions[1:]))
        head = self._weights["vision_model.embeddings.class_embedding"] + positions[0]
        count = ops.gather(ops.shape_of(patches), _ints(0), ops.constant(0))
        return ops.concat([ops.broadcast(_const(head), ops.concat([count, _ints(1, _WIDTH)], 0)), patches], 1)

    def _layer(self, x: openvino.Node, name: str, last: bool) -> openvino.Node:
        attention = f"{name}.self_attn"
        spread = self._spread(f"{attention}.q_proj", *(f"{attention}.{p}_proj" for p in "qkv"))
        h = self._norm(x, f"{name}.layer_norm1", spread)
        q, k, v = (self._linear(h, f"{attention}.{p}_proj", f"{attention}.q_proj", spread) for p in "qkv")
        if last:
            x, q = _first(x), _first(q)
        h = ops.scaled_dot_product_attention(_heads(q), _heads(k), _heads(v))
        h = ops.reshape(ops.transpose(h, _ints(0, 2, 1, 3)), _ints(0, -1, _WIDTH), True)
        x = ops.add(x, self._linear(h, f"{attention}.out_proj"))
        spread = self._spread(f"{name}.mlp.fc1", f"{name}.mlp.fc1")
        h = self._linear(self._norm(x, f"{name}.layer_norm2", spread), f"{name}.mlp.fc1", spread=spread)
        h = ops.swish(h, ops.constant(np.array(1.702, np.float32)))
        spread = self._spread(f"{name}.mlp.fc2", f"{name}.mlp.fc2", share=_FC2_SHARE)
        h = ops.multiply(h, _const(1 / spread))
        return ops.add(x, self._linear(h, f"{name}.mlp.fc2", spread=spread))

    def _norm(self, x: openvino.Node, name: str, spread: Array | float = 1.0) -> openvino.Node:
        h = ops.mvn(x, _ints(-1), True, 1e-5, "INSIDE_SQRT")
        h = ops.multiply(h, _const(self._weights[f"{name}.weight"] / spread))
        return ops.add(h, _const(self._weights[f"{name}.bias"] / spread))

    def _spread(self, source: str, *readers: str, share: float = 0.5) -> Array:
        """SmoothQuant: what each channel is divided by, and the weights that read it are multiplied by."""
        activations = np.abs(self._ranges[source]).max(0)
        weights = np.max([np.abs(self._weights[f"{name}.weight"]).max(0) for name in readers], axis=0)
        spread: Array = np.maximum(activations, 1e-4) ** share / np.maximum(weights, 1e-4) ** (1 - share)
        return spread

    def _linear(
        self, x: openvino.Node, name: str, source: str | None = None, spread: Array | float = 1.0
    ) -> openvino.Node:
        weights = self._weights[f"{name}.weight"] * spread
        ranges = self._ranges[source or name] / spread
        low, high = _const(ranges[0].min()), _const(ranges[1].max())
        top = np.abs(weights).max(1, keepdims=True)
        x = ops.fake_quantize(x, low, high, low, high, 256)
        quantized = ops.fake_quantize(_const(weights), _const(-top), _const(top), _const(-top), _const(top), 255)
        return ops.add(ops.matmul(x, quantized, False, True), _const(self._weights[f"{name}.bias"]))


def _resized(positions: Array, side: int) -> Array:
    """Position vectors (1 + side², width) of a square of another side, as transformers interpolates them."""
    old = round((len(positions) - 1) ** 0.5)
    grid = torch.from_numpy(positions[1:]).reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, (side, side), mode="bicubic", align_corners=False)
    resized: Array = np.concatenate([positions[:1], grid.permute(0, 2, 3, 1).reshape(side * side, -1).numpy()])
    return resized


def _heads(x: openvino.Node) -> openvino.Node:
    return ops.transpose(ops.reshape(x, _ints(0, -1, _HEADS, _WIDTH // _HEADS), True), _ints(0, 2, 1, 3))


def _first(x: openvino.Node) -> openvino.Node:
    return ops.slice(x, _ints(0), _ints(1), _ints(1), _ints(1))


def _const(values: Any) -> openvino.Node:
    return ops.constant(np.asarray(values, np.float32))


def _ints(*values: int) -> openvino.Node:
    return ops.constant(np.array(values))
