"""The starter's picture tower for serving: int8 on a CPU, bfloat16 on CUDA.

The int8 graph is built directly from the weights of `CLIPVisionModelWithProjection`, so a merged adapter is
ready in seconds, without tracing. Three things make it fast at equal recall (table in
docs/measurements/2026-11-starter-model.md): int8 products, with the outliers of the activations moved into the
weights first (Xiao et al. 2022, "SmoothQuant", arXiv:2211.10438); pictures of 208 pixels with interpolated
positions; and a last layer that is computed for the class token only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from torch import nn
from torch.nn import functional

from model.encoders.openvino_runtime import openvino
from model.encoders.openvino_runtime import opset15 as ops
from model.errors import ArtifactsMissingError
from model.packages import fetch_command
from model.ports import Vector
from model.starter.compiled_graph import CompiledGraph, load_or_compile

if TYPE_CHECKING:
    from transformers import CLIPVisionModelWithProjection, PreTrainedModel

PIXELS = 208
"""Side of the input pictures of the int8 form."""

Array = npt.NDArray[np.float32]
Ranges = Mapping[str, Array]
"""By layer: minimum and maximum of each input channel of its matrix product, (2, channels)."""

TowerWeights = Mapping[str, Array]
"""Arrays by transformers' parameter names."""

_BATCH = 16
_WIDTH, _HEADS, _PATCH, _LAYERS = 768, 12, 16, 12
_ENCODER = "vision_model.encoder.layers"
_FC2_ALPHA = 0.7
"""SmoothQuant's alpha for the second MLP layer, whose outliers are the largest (cosine to float
0.965 without it).
"""
RANGES_FILE = Path(__file__).parents[1] / "weights" / "tower_ranges.safetensors"


class PictureTower:
    """Encodes pixels (n, 3, PIXELS, PIXELS), float32, as unit vectors (n, 512). Runs int8 on the CPU."""

    def __init__(self, graph: CompiledGraph) -> None:
        self._graph = graph

    def __call__(self, pixels: torch.Tensor) -> Vector:
        request = self._graph.model.create_infer_request()  # one per call, for thread safety
        batches = [request.infer([pixels[i : i + _BATCH].numpy()])[0].copy() for i in range(0, len(pixels), _BATCH)]
        vectors = np.concatenate(batches)
        unit: Vector = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


class LowerLayers:
    """The lower layers of the int8 tower.

    Encodes pixels (n, 3, PIXELS, PIXELS) as hidden states (n, tokens, 768).
    """

    def __init__(self, model: PreTrainedModel, layers: int) -> None:
        self._compiled = _compile(_Graph(_read_weights(model), _read_ranges()).build_lower_layers(layers))

    def __call__(self, pixels: torch.Tensor) -> Array:
        states: Array = self._compiled([pixels.numpy()])[0]
        return states


class CudaTower:
    """`PictureTower` on a GPU, in bfloat16."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model.to("cuda", torch.bfloat16)  # type: ignore[arg-type]  # transformers wraps `to` untyped

    @torch.inference_mode()
    def __call__(self, pixels: torch.Tensor) -> Vector:
        pixels = pixels.to("cuda", torch.bfloat16)
        vectors = self._model(pixel_values=pixels, interpolate_pos_encoding=True).image_embeds.float()
        unit: Vector = functional.normalize(vectors, dim=1).cpu().numpy()
        return unit


def read_picture_tower(folder: Path) -> CLIPVisionModelWithProjection:
    """Read the tower in transformers' layout for training or merging, in float32.

    Raises `ArtifactsMissingError`.
    """
    # transformers takes seconds to import, and serving without an adapter does not need it.
    from transformers import CLIPVisionModelWithProjection
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        loaded: Any = CLIPVisionModelWithProjection.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
        model, report = loaded
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _make_damage_error(folder) from error
    if report["missing_keys"]:
        raise _make_damage_error(folder)
    tower: CLIPVisionModelWithProjection = model.eval()
    return tower


def check_tower_file(folder: Path) -> None:
    """Raise `ArtifactsMissingError` if the file of the tower's weights is truncated. Reads only its beginning."""
    try:
        with safe_open(folder / "model.safetensors", "numpy"):
            pass
    except (OSError, SafetensorError) as error:
        raise _make_damage_error(folder) from error


def load_serving_tower(folder: Path) -> PictureTower:
    """Load the tower without an adapter for a CPU, in the compiled form that an earlier call has kept, if any.

    This avoids importing transformers, which takes seconds. Raises `ArtifactsMissingError`.
    """
    sources = (folder / "source.txt", RANGES_FILE, Path(__file__))
    compiled = folder.parent / "compiled"
    return PictureTower(load_or_compile(compiled, sources, partial(_compile_file, folder), _choose_threads()))


def _compile_file(folder: Path) -> openvino.CompiledModel:
    try:
        stored = safetensors.torch.load_file(folder / "model.safetensors")
        weights = {name: data.float().numpy() for name, data in stored.items()}
        return _compile(_Graph(weights, _read_ranges()).build_tower())
    except (OSError, SafetensorError, KeyError) as error:
        raise _make_damage_error(folder) from error


def build_serving_tower(model: PreTrainedModel, device: torch.device) -> PictureTower | CudaTower:
    """Build the fastest form of `model` for the device."""
    if device.type == "cuda":
        return CudaTower(model)
    return PictureTower(CompiledGraph(_compile(_Graph(_read_weights(model), _read_ranges()).build_tower())))


def _compile(graph: openvino.Model) -> openvino.CompiledModel:
    return openvino.Core().compile_model(graph, "CPU", _choose_threads())


def _choose_threads() -> dict[str, Any]:
    return {"INFERENCE_NUM_THREADS": torch.get_num_threads()}


def _make_damage_error(folder: Path) -> ArtifactsMissingError:
    return ArtifactsMissingError(
        "the picture tower cannot be read: delete {folder} and run `{command}`",
        folder=folder,
        command=fetch_command(folder.parent),
    )


def _read_weights(model: PreTrainedModel) -> TowerWeights:
    return {name: tensor.float().numpy() for name, tensor in model.state_dict().items()}


def _read_ranges() -> Ranges:
    return {name: data.astype(np.float32) for name, data in load_file(RANGES_FILE).items()}


@torch.inference_mode()
def measure_ranges(model: CLIPVisionModelWithProjection, batches: Iterable[torch.Tensor]) -> dict[str, Array]:
    """Measure the range of the inputs of each matrix product of the tower on these pixels."""
    ranges: dict[str, torch.Tensor] = {}

    def update(name: str, inputs: torch.Tensor) -> None:
        flat = inputs.reshape(-1, inputs.shape[-1])
        low, high = ranges.get(name, torch.zeros(2, flat.shape[1]))
        ranges[name] = torch.stack([torch.minimum(low, flat.amin(0)), torch.maximum(high, flat.amax(0))])

    def make_hook(name: str) -> Any:
        return lambda _module, inputs, _output: update(name, inputs[0])

    hooks = [
        module.register_forward_hook(make_hook(name))
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

    def __init__(self, weights: TowerWeights, ranges: Ranges) -> None:
        self._weights, self._ranges = weights, ranges

    def build_tower(self) -> openvino.Model:
        pixels, x = self._add_layers(_LAYERS - 1)
        x = self._add_layer(x, f"{_ENCODER}.{_LAYERS - 1}", is_last=True)
        x = self._add_norm(ops.reshape(x, _make_shape(-1, _WIDTH), False), "vision_model.post_layernorm")
        return openvino.Model(
            [ops.matmul(x, _make_constant(self._weights["visual_projection.weight"]), False, True)], [pixels]
        )

    def build_lower_layers(self, layers: int) -> openvino.Model:
        pixels, x = self._add_layers(layers)
        return openvino.Model([x], [pixels])

    def _add_layers(self, layers: int) -> tuple[openvino.Node, openvino.Node]:
        pixels = ops.parameter([-1, 3, PIXELS, PIXELS], np.float32)
        x = self._add_norm(self._embed_patches(pixels), "vision_model.pre_layrnorm")
        for i in range(layers):
            x = self._add_layer(x, f"{_ENCODER}.{i}", is_last=False)
        return pixels, x

    def _embed_patches(self, pixels: openvino.Node) -> openvino.Node:
        positions = _resize_positions(
            self._weights["vision_model.embeddings.position_embedding.weight"], PIXELS // _PATCH
        )
        kernel = _make_constant(self._weights["vision_model.embeddings.patch_embedding.weight"])
        patches = ops.convolution(pixels, kernel, [_PATCH, _PATCH], [0, 0], [0, 0], [1, 1])
        patches = ops.transpose(ops.reshape(patches, _make_shape(0, _WIDTH, -1), True), _make_shape(0, 2, 1))
        patches = ops.add(patches, _make_constant(positions[1:]))
        head = self._weights["vision_model.embeddings.class_embedding"] + positions[0]
        count = ops.gather(ops.shape_of(patches), _make_shape(0), ops.constant(0))
        return ops.concat(
            [ops.broadcast(_make_constant(head), ops.concat([count, _make_shape(1, _WIDTH)], 0)), patches], 1
        )

    def _add_layer(self, x: openvino.Node, name: str, is_last: bool) -> openvino.Node:
        attention = f"{name}.self_attn"
        scale = self._compute_smoothing_scale(f"{attention}.q_proj", *(f"{attention}.{p}_proj" for p in "qkv"))
        h = self._add_norm(x, f"{name}.layer_norm1", scale)
        q, k, v = (self._add_linear(h, f"{attention}.{p}_proj", f"{attention}.q_proj", scale) for p in "qkv")
        if is_last:
            x, q = _take_first_token(x), _take_first_token(q)
        h = ops.scaled_dot_product_attention(_split_heads(q), _split_heads(k), _split_heads(v))
        h = ops.reshape(ops.transpose(h, _make_shape(0, 2, 1, 3)), _make_shape(0, -1, _WIDTH), True)
        x = ops.add(x, self._add_linear(h, f"{attention}.out_proj"))
        scale = self._compute_smoothing_scale(f"{name}.mlp.fc1", f"{name}.mlp.fc1")
        h = self._add_linear(self._add_norm(x, f"{name}.layer_norm2", scale), f"{name}.mlp.fc1", scale=scale)
        h = ops.swish(h, ops.constant(np.array(1.702, np.float32)))
        scale = self._compute_smoothing_scale(f"{name}.mlp.fc2", f"{name}.mlp.fc2", alpha=_FC2_ALPHA)
        h = ops.multiply(h, _make_constant(1 / scale))
        return ops.add(x, self._add_linear(h, f"{name}.mlp.fc2", scale=scale))

    def _add_norm(self, x: openvino.Node, name: str, scale: Array | float = 1.0) -> openvino.Node:
        h = ops.mvn(x, _make_shape(-1), True, 1e-5, "INSIDE_SQRT")
        h = ops.multiply(h, _make_constant(self._weights[f"{name}.weight"] / scale))
        return ops.add(h, _make_constant(self._weights[f"{name}.bias"] / scale))

    def _compute_smoothing_scale(self, source: str, *readers: str, alpha: float = 0.5) -> Array:
        """Compute SmoothQuant's scale per channel.

        Activations are divided by it, and the weights of `readers` are multiplied by it.
        """
        activations = np.abs(self._ranges[source]).max(0)
        weights = np.max([np.abs(self._weights[f"{name}.weight"]).max(0) for name in readers], axis=0)
        scale: Array = np.maximum(activations, 1e-4) ** alpha / np.maximum(weights, 1e-4) ** (1 - alpha)
        return scale

    def _add_linear(
        self, x: openvino.Node, name: str, source: str | None = None, scale: Array | float = 1.0
    ) -> openvino.Node:
        weights = self._weights[f"{name}.weight"] * scale
        ranges = self._ranges[source or name] / scale
        low, high = _make_constant(ranges[0].min()), _make_constant(ranges[1].max())
        top = np.abs(weights).max(1, keepdims=True)
        x = ops.fake_quantize(x, low, high, low, high, 256)
        quantized = ops.fake_quantize(
            _make_constant(weights),
            _make_constant(-top),
            _make_constant(top),
            _make_constant(-top),
            _make_constant(top),
            255,
        )
        return ops.add(ops.matmul(x, quantized, False, True), _make_constant(self._weights[f"{name}.bias"]))


def _resize_positions(positions: Array, side: int) -> Array:
    """Interpolate position vectors to a grid of `side` by `side`, as transformers does.

    Returns (1 + side², width).
    """
    old = round((len(positions) - 1) ** 0.5)
    grid = torch.from_numpy(positions[1:]).reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, (side, side), mode="bicubic", align_corners=False)
    resized: Array = np.concatenate([positions[:1], grid.permute(0, 2, 3, 1).reshape(side * side, -1).numpy()])
    return resized


def _split_heads(x: openvino.Node) -> openvino.Node:
    return ops.transpose(ops.reshape(x, _make_shape(0, -1, _HEADS, _WIDTH // _HEADS), True), _make_shape(0, 2, 1, 3))


def _take_first_token(x: openvino.Node) -> openvino.Node:
    return ops.slice(x, _make_shape(0), _make_shape(1), _make_shape(1), _make_shape(1))


def _make_constant(values: Any) -> openvino.Node:
    return ops.constant(np.asarray(values, np.float32))


def _make_shape(*values: int) -> openvino.Node:
    return ops.constant(np.array(values))
