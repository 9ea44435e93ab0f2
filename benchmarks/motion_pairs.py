"""Measure how often a preset distinguishes two clips that differ only in motion.

    python -m benchmarks.motion_pairs FOLDER [--preset base] [--adapter FOLDER]

FOLDER holds clips and `queries.tsv` (a column `file`, then one column of queries for each language). From each clip's
longest moment, pairs are made: a window that moves over it and the same backwards, and the clip and its first picture
as a still. `motion_pairs.tsv` names clips whose own motion has a direction; they are compared with their reverse. A
query followed by words for the motion must rank the right one of the two first, in a library of all other clips; a tie
counts one half. The preset must have motion vectors: those of X-CLIP, or of a clip head in the adapter.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from indexer.decode.decoder import PyAvDecoder
from indexer.ingest.segmentation import cut_into_segments
from indexer.search.fusion import RankedEntry, fuse
from indexer.types import Clip, Vector
from model.loader import load_encoder
from model.ports import Encoder, Picture, TextVectors
from model.preset_files import find_preset

FRAMES = 8
LABELS = Path(__file__).with_suffix(".tsv")

MOTION_WORDS = {
    "pan_left": ("the shot turns left", "카메라 왼쪽 이동", "镜头往左转"),
    "pan_right": ("the shot turns right", "카메라 오른쪽 이동", "镜头往右转"),
    "tilt_up": ("the shot rises up", "카메라 위로 이동", "镜头往上抬"),
    "tilt_down": ("the shot sinks down", "카메라 아래로 이동", "镜头往下降"),
    "zoom_in": ("closer and closer", "점점 가까이", "慢慢变近"),
    "zoom_out": ("farther and farther away", "점점 멀리", "慢慢变远"),
    "thing_left": ("heading left", "왼쪽으로 가는", "往左边去"),
    "thing_right": ("heading right", "오른쪽으로 가는", "往右边去"),
    "still": ("frozen and motionless", "멈춰 있는 사진", "定住的照片"),
    "moving": ("with movement", "움직임이 있는", "有动作"),
}
OPPOSITE = {
    "pan_right": "pan_left",
    "tilt_down": "tilt_up",
    "zoom_in": "zoom_out",
    "zoom_out": "zoom_in",
    "thing_left": "thing_right",
    "thing_right": "thing_left",
}


@dataclass(frozen=True)
class ClipVectors:
    """The vectors of one clip, as the index would store them."""

    frame: Vector
    motion: Vector


@dataclass(frozen=True)
class MotionPair:
    """Two clips, and the motion that each of them alone has."""

    kind: str
    file: str
    motions: tuple[str, str]
    clips: tuple[ClipVectors, ClipVectors]


def encode_clip(encoder: Encoder, pictures: Sequence[Picture]) -> ClipVectors:
    frames = encoder.encode_frames(pictures)
    mean = frames.mean(0)
    return ClipVectors(mean / np.linalg.norm(mean), encoder.encode_clips([Clip(tuple(pictures), frames)])[0])


def read_longest_moment(file: Path) -> list[Picture]:
    """Return eight pictures of the longest moment."""
    decoder = PyAvDecoder(max_pixels=10**8, max_duration_s=600, timeout_s=120, memory_limit_bytes=4 * 1024**3)
    with tempfile.TemporaryDirectory() as folder:
        decoded = decoder.decode(file, Path(folder), lambda _stage, _share: None)
        frames = max(cut_into_segments(decoded), key=lambda segment: len(segment.frames)).frames
        chosen = [frames[i].path for i in np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)]
        return [np.asarray(Image.open(path).convert("RGB")) for path in chosen]


def crop_moving_window(pictures: Sequence[Picture], motion: str) -> list[Picture]:
    """Return the content of a square window that moves over the pictures."""
    cuts = []
    for picture, share in zip(pictures, np.linspace(0, 1, len(pictures)), strict=True):
        height, width = picture.shape[:2]
        full = min(height, width)
        side = int(full * (1 - 0.45 * share if motion == "zoom_in" else 0.6))
        across = share if motion == "pan_right" else 0.5
        down = share if motion == "tilt_down" else 0.5
        left, top = int((width - side) * across), int((height - side) * down)
        cuts.append(picture[top : top + side, left : left + side])
    return cuts


def make_pairs(encoder: Encoder, file: str, pictures: list[Picture], label: str | None) -> Iterator[MotionPair]:
    """Yield the pairs of one clip; the first clip of a pair is the original."""
    clip, still = encode_clip(encoder, pictures), encode_clip(encoder, pictures[:1] * FRAMES)
    yield MotionPair("still or moving", file, ("moving", "still"), (clip, still))
    for motion in ("pan_right", "tilt_down", "zoom_in"):
        moved = crop_moving_window(pictures, motion)
        reversed_clip = encode_clip(encoder, moved[::-1])
        yield MotionPair(
            f"camera, {motion[:4].strip('_')}",
            file,
            (motion, OPPOSITE[motion]),
            (encode_clip(encoder, moved), reversed_clip),
        )
    if label:
        reversed_clip = encode_clip(encoder, pictures[::-1])
        kind = "its own, near or far" if label.startswith("zoom") else "its own, left or right"
        yield MotionPair(kind, file, (label, OPPOSITE[label]), (clip, reversed_clip))


def score_order(text: TextVectors, pair: MotionPair, others: Sequence[ClipVectors], using: Sequence[str]) -> float:
    """Return 1 if the first of the pair is ranked before the second, 0 if after it, and one half for a tie."""
    lists = {}
    for name in using:
        vector = getattr(text, name)
        entries = {str(i): float(getattr(each, name) @ vector) for i, each in enumerate((*pair.clips, *others))}
        lists[name] = [RankedEntry(id, id, round(score, 6), 1 / len(using)) for id, score in entries.items()]
    places = {each.id: each.order[:2] for each in fuse(lists)}
    return 0.5 if places["0"] == places["1"] else float(places["0"] < places["1"])


def main(folder: Path, preset: str, adapter: Path | None) -> None:
    encoder = load_encoder(find_preset(preset), device="auto", adapter=adapter, artifacts_dir=None)
    if encoder.motion_size is None:
        raise SystemExit(f"{encoder.generation} has no motion vectors")
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        rows = {row.pop("file"): row for row in csv.DictReader(file, delimiter="\t")}
    with LABELS.open(encoding="utf-8") as file:
        labels = {row["file"]: row["motion"] for row in csv.DictReader(file, delimiter="\t")}
    found = [
        pair
        for name in track(rows, "clips")
        for pair in make_pairs(encoder, name, read_longest_moment(folder / name), labels.get(name))
    ]
    library = {pair.file: pair.clips[0] for pair in found if pair.kind == "still or moving"}
    print_table(encoder, found, rows, library)


def print_table(
    encoder: Encoder, found: list[MotionPair], rows: dict[str, dict[str, str]], library: dict[str, ClipVectors]
) -> None:
    table = Table("pair", "language", "pairs", "frames alone", "motion alone", "fused")
    ways = (["frame"], ["motion"], ["frame", "motion"])
    for kind in dict.fromkeys(pair.kind for pair in found):
        of_kind = [pair for pair in found if pair.kind == kind]
        for number, language in enumerate(next(iter(rows.values()))):
            right = np.zeros(len(ways))
            for pair in of_kind:
                others = [each for name, each in library.items() if name != pair.file]
                texts = encoder.encode_texts(
                    [f"{rows[pair.file][language]} {MOTION_WORDS[each][number]}" for each in pair.motions]
                )
                for way, using in enumerate(ways):
                    right[way] += (
                        score_order(texts[0], pair, others, using) + 1 - score_order(texts[1], pair, others, using)
                    )
            shares = right / (2 * len(of_kind))
            table.add_row(kind, language, str(len(of_kind)), *(f"{share:.3f}" for share in shares))
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="base")
    parser.add_argument("--adapter", type=Path)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.preset, arguments.adapter)
