"""CLIP4Clip's heads over the starter's frame vectors, by cross-validation over clips.

    python benchmarks/clip_heads.py FOLDER [--cache FILE.npz]

FOLDER holds clips and `queries.tsv` (a column `file`, then one column of queries for each language). A head is trained
on four fifths of the clips and asked, among all clips, with the queries of the last fifth, in turn: each query is asked
of a head that has seen neither it nor its clip. Prints R@1 / R@5 / MRR with bootstrap intervals over the clips.
"""

import argparse
import csv
import time
from pathlib import Path

import av
import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from model import starter
from model.evaluate import best_ranks, owned
from model.heads import HEADS, MOST_FRAMES, fit
from model.ports import Encoder, Picture, evenly

FOLDS = 5
STEPS = 100
RATES = (1e-4, 1e-3)
BATCH = 16
TIGHT_BATCH = 8
"""Every text meets every clip of a batch: 16 would take four times as long."""


def pictures(clip: Path) -> list[Picture]:
    """Evenly from the clip, about two a second but no more than the heads take."""
    with av.open(str(clip)) as media:
        stream = media.streams.video[0]
        every = max(1, round(float(stream.average_rate or 25) / 2))
        found = [frame.to_ndarray(format="rgb24") for i, frame in enumerate(media.decode(stream)) if i % every == 0]
    return evenly(found, min(len(found), MOST_FRAMES))


def material(folder: Path, cache: Path | None) -> dict[str, np.ndarray]:
    if cache and cache.exists():
        return dict(np.load(cache))
    encoder = starter.load(None, "cpu", None)
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    clips = [encoder.frames(pictures(folder / row["file"])) for row in track(rows, description="frames")]
    made = {"there": np.arange(max(map(len, clips))) < np.array([len(clip) for clip in clips])[:, None]}
    made["frames"] = np.zeros((*made["there"].shape, encoder.frame_size), np.float32)
    made["frames"][made["there"]] = np.concatenate(clips)
    languages = [name for name in rows[0] if name != "file"]
    made["texts"] = np.concatenate([texts(encoder, [row[language] for row in rows]) for language in languages])
    made["own"] = np.tile(np.arange(len(rows)), len(languages))
    if cache:
        np.savez(cache, **made)
    return made


def texts(encoder: Encoder, queries: list[str]) -> np.ndarray:
    return np.stack([text.frame for text in encoder.texts(queries)])


def held_out_ranks(name: str, data: dict[str, torch.Tensor], rate: float, seed: int = 0) -> np.ndarray:
    fold = np.random.default_rng(seed).permutation(len(data["frames"])) % FOLDS
    own = data["own"]
    ranks = np.zeros(len(own), np.int64)
    for each in range(FOLDS):
        asked = torch.from_numpy(fold == each)[own]
        torch.manual_seed(seed)
        head = HEADS[name](data["frames"].shape[2])
        taught = (data["texts"][~asked], data["frames"], data["there"], own[~asked])
        fit(head, *taught, steps=STEPS, batch=TIGHT_BATCH if name == "tight" else BATCH, rate=rate, seed=seed)
        with torch.inference_mode():
            scores = head.eval()(data["texts"][asked], data["frames"], data["there"]).numpy()
        ranks[asked.numpy()] = best_ranks(scores, owned(own[asked].numpy(), len(data["frames"])))
    return ranks


def shown(values: np.ndarray, own: np.ndarray) -> str:
    """Mean over queries, and its interval over draws of clips."""
    by_clip = np.bincount(own, values) / np.bincount(own)
    draws = np.random.default_rng(0).integers(0, len(by_clip), (2_000, len(by_clip)))
    low, high = np.quantile(by_clip[draws].mean(1), [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.3f}–{high:.3f})"


def main(folder: Path, cache: Path | None) -> None:
    torch.set_num_threads(2)
    data = {name: torch.from_numpy(array) for name, array in material(folder, cache).items()}
    own = data["own"].numpy()
    table = Table("head", "rate", "R@1", "R@5", "MRR", "MRR minus mean's", "weights", "seconds a fold")
    plain = 1 / held_out_ranks("mean", data, 0.0)
    for name, rate in [("mean", 0.0), *((name, rate) for name in HEADS if name != "mean" for rate in RATES)]:
        start_s = time.perf_counter()
        ranks = held_out_ranks(name, data, rate)
        took_s = (time.perf_counter() - start_s) / FOLDS
        weights = sum(weight.numel() for weight in HEADS[name](data["frames"].shape[2]).parameters())
        measures = (ranks <= 1, ranks <= 5, 1 / ranks, 1 / ranks - plain)
        shares = (shown(measure, own) for measure in measures)
        table.add_row(name, f"{rate:g}" if rate else "", *shares, f"{weights:,}", f"{took_s:.1f}")
    Console(width=160).print(f"{len(data['frames'])} clips, {len(own)} queries, {FOLDS} folds", table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.cache)
