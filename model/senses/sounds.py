"""Sounds by YAMNet (Google), a classifier of the 521 AudioSet classes with a MobileNet v1 (arXiv:1704.04861).

It sees the sound in patches of 0.96 s, one every 0.48 s, as a log-mel spectrogram.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from model.encoders.openvino_runtime import openvino
from model.encoders.openvino_runtime import opset15 as ops
from model.errors import ArtifactsMissingError
from model.senses.parts import YAMNET_LAYERS

Array: TypeAlias = npt.NDArray[np.float32]

SAMPLE_RATE_HZ: Final = 16_000
MIN_SCORE: Final = 0.2
"""Minimum score of a sound. Chosen on the dev clips: docs/senses.md."""
MAX_SOUNDS_PER_PATCH: Final = 5
MIN_LOUDNESS: Final = 0.001
"""Root mean square from which a patch counts as sound (-60 dB of full scale)."""

_FRAME, _HOP, _FFT = 400, 160, 512
_PATCH_FRAMES, _PATCH_HOP_FRAMES = 96, 48
_PATCH_S, _PATCH_HOP_S = _PATCH_FRAMES * _HOP / SAMPLE_RATE_HZ, _PATCH_HOP_FRAMES * _HOP / SAMPLE_RATE_HZ
_PATCH = (_PATCH_FRAMES - 1) * _HOP + _FRAME
_MELS, _MIN_HZ, _MAX_HZ = 64, 125.0, 7500.0
_LOG_OFFSET: Final = 0.001
_BATCH: Final = 32
_STRIDED_LAYERS: Final = frozenset({0, 3, 7, 11, 23})
_NO_SOUNDS: Final = frozenset({"Silence"})
_GENERAL: Final = frozenset(
    {
        "Animal",
        "Domestic animals, pets",
        "Livestock, farm animals, working animals",
        "Wild animals",
        "Vehicle",
        "Motor vehicle (road)",
        "Musical instrument",
        "Sound effect",
        "Mechanisms",
        "Tools",
    }
)
"""Classes that count in a patch only if no other one does: "Dog" says more than "Animal"."""


@dataclass(frozen=True)
class TaggedSound:
    """A class of sounds by its AudioSet display name, its highest score, and the range in which it is heard."""

    name: str
    score: float
    start_s: float
    end_s: float


class YamnetTagger:
    """Recognizer of sounds on the CPU, with one thread."""

    def __init__(self, names: Sequence[str], classify: Callable[[Array], Array]) -> None:
        """Take the names of the classes and what returns their scores (n, classes) for patches (n, 1, 96, 64)."""
        self._names = names
        self._classify = classify
        self._is_general = np.array([name in _GENERAL for name in names])

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the part from its folder. Raises `ArtifactsMissingError`."""
        try:
            names: Sequence[str] = json.loads((folder / "classes.json").read_text())
            graph = _build_graph(load_file(folder / "model.safetensors"))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ArtifactsMissingError(
                "{model} cannot be read: delete {folder} and start again", model="YAMNet", folder=folder
            ) from error
        compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_NUM_THREADS": 1})
        return cls(names, partial(_infer, compiled))

    def tag(self, samples: Array, on_progress: Callable[[float], None]) -> list[TaggedSound]:
        """Return the sounds of samples (n,) at 16 kHz, in time order. Silence costs next to nothing."""
        scores = self.score(samples, on_progress)
        sounds: list[TaggedSound] = []
        for index in np.flatnonzero((scores >= MIN_SCORE).any(axis=0)).tolist():
            if self._names[index] not in _NO_SOUNDS:
                sounds += _join_patches(self._names[index], scores[:, index])
        return sorted(sounds, key=lambda sound: (sound.start_s, -sound.score))

    def score(self, samples: Array, on_progress: Callable[[float], None]) -> Array:
        """Return the scores (patches, classes) of samples (n,). A patch without sound, or a lower rank, scores 0."""
        count = 1 + max(0, -(-(len(samples) - _PATCH) // (_PATCH_HOP_FRAMES * _HOP)))
        scores = np.zeros((count, len(self._names)), np.float32)
        for first in range(0, count, _BATCH):
            on_progress(first / count)
            start = first * _PATCH_HOP_FRAMES * _HOP
            patches = _cut_patches(samples[start:], min(_BATCH, count - first))
            is_loud = np.sqrt(np.mean(np.square(patches), axis=1)) >= MIN_LOUDNESS
            if is_loud.any():
                block = scores[first : first + len(patches)]
                block[is_loud] = self._select(self._classify(compute_log_mel(patches[is_loud])[:, None]))
        return scores

    def _select(self, scores: Array) -> Array:
        """Return scores (n, classes) without general classes in rows with specific ones, and the highest of a row."""
        has_specific = (scores[:, ~self._is_general] >= MIN_SCORE).any(axis=1, keepdims=True)
        scores = np.where(has_specific & self._is_general, np.float32(0.0), scores)
        limits = np.partition(scores, -MAX_SOUNDS_PER_PATCH, axis=1)[:, -MAX_SOUNDS_PER_PATCH, None]
        return np.where(scores >= limits, scores, np.float32(0.0))


def _infer(compiled: openvino.CompiledModel, patches: Array) -> Array:
    request = compiled.create_infer_request()  # one per call, for thread safety
    scores: Array = request.infer([patches])[0].copy()
    return scores


def compute_log_mel(patches: Array) -> Array:
    """Return the log-mel spectrograms (n, 96, 64) of patches (n, samples).

    Frames of 25 ms every 10 ms, a periodic Hann window, magnitudes of an FFT of 512, 64 HTK mel bands.
    """
    frames = np.lib.stride_tricks.sliding_window_view(patches, _FRAME, axis=1)[:, ::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)
    magnitudes = np.abs(np.fft.rfft(frames * window.astype(np.float32), _FFT))
    spectrograms: Array = np.log(magnitudes @ _MEL_MATRIX + _LOG_OFFSET).astype(np.float32)
    return spectrograms


def _make_mel_matrix() -> Array:
    """Return the weights (FFT bins, bands) of triangular bands with equal widths on the HTK mel scale."""

    def to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return 1127.0 * np.log1p(hz / 700.0)

    bins = to_mel(np.linspace(0.0, SAMPLE_RATE_HZ / 2, _FFT // 2 + 1))[1:, None]
    lowest, highest = to_mel(np.array([_MIN_HZ, _MAX_HZ])).tolist()
    edges = np.linspace(lowest, highest, _MELS + 2)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return np.vstack([np.zeros((1, _MELS)), weights]).astype(np.float32)


_MEL_MATRIX: Final = _make_mel_matrix()


def _cut_patches(samples: Array, count: int) -> Array:
    """Return the next patches (count, samples), the last one padded with silence."""
    length = _PATCH + (count - 1) * _PATCH_HOP_FRAMES * _HOP
    padded = np.pad(samples[:length], (0, max(0, length - len(samples))))
    return np.lib.stride_tricks.sliding_window_view(padded, _PATCH)[:: _PATCH_HOP_FRAMES * _HOP]


def _join_patches(name: str, scores: Array) -> list[TaggedSound]:
    """Return one sound for each run of successive patches in which a class reaches the minimum score."""
    is_heard = np.concatenate([[False], scores >= MIN_SCORE, [False]])
    edges = np.flatnonzero(is_heard[1:] != is_heard[:-1])
    return [
        TaggedSound(
            name, round(float(scores[first:last].max()), 3), first * _PATCH_HOP_S, (last - 1) * _PATCH_HOP_S + _PATCH_S
        )
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    ]


def _build_graph(weights: dict[str, Array]) -> openvino.Model:
    """Build the network from log-mel patches (n, 1, 96, 64) to scores (n, classes)."""
    patches = ops.parameter([-1, 1, _PATCH_FRAMES, _MELS], np.float32)
    x = patches
    for layer in range(YAMNET_LAYERS):
        x = _add_layer(x, weights[f"weight.{layer}"], weights[f"bias.{layer}"], layer)
    pooled = ops.reduce_mean(x, ops.constant(np.array([2, 3])), keep_dims=False)
    scores = ops.matmul(pooled, ops.constant(weights["weight"]), False, True)
    scores = ops.sigmoid(ops.add(scores, ops.constant(weights["bias"])))
    return openvino.Model([scores], [patches], "yamnet")


def _add_layer(x: openvino.Node, weight: Array, bias: Array, layer: int) -> openvino.Node:
    """Append a convolution and its ReLU. Every second one works on each channel alone. Padding is TensorFlow's."""
    stride = 2 if layer in _STRIDED_LAYERS else 1
    pad: Any = {1: ((0, 0), (0, 0)), 3: ((1, 1), (1, 1))}[weight.shape[-1]]
    if stride == 2:
        pad = ((0, 0), (1, 1))
    if layer % 2:
        filters = ops.constant(weight[:, None])
        x = ops.group_convolution(x, filters, [stride, stride], *map(list, pad), [1, 1])
    else:
        x = ops.convolution(x, ops.constant(weight), [stride, stride], *map(list, pad), [1, 1])
    return ops.relu(ops.add(x, ops.constant(bias[None, :, None, None])))
