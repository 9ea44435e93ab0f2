"""Measures the activation ranges of the int8 tower. Its result is `weights/tower_ranges.safetensors`.

`python -m model.pretraining.measure_tower_ranges DATA` reads the first 96 training pictures of a data folder
(its layout is described in `model.pretraining.pretrain_data`).
"""

import sys
from pathlib import Path

import numpy as np
from rich.progress import track
from safetensors.numpy import save_file

from model.data.images import read_picture
from model.pretraining.pretrain_data import read_captions
from model.starter import encoder, picture_tower

_PICTURES, _BATCH = 96, 8


def measure_tower_ranges(data: Path, out: Path) -> None:
    """Measure the ranges and write them to `out`. Raises `ArtifactsMissingError`."""
    files = read_captions(data, "train").files[:_PICTURES]
    starts = track(range(0, len(files), _BATCH), "pictures")
    batches = (encoder.PREPROCESS([read_picture(data / f) for f in files[i : i + _BATCH]]) for i in starts)
    ranges = picture_tower.measure_ranges(encoder.read_tower(None), batches)
    save_file({name: np.ascontiguousarray(values, np.float16) for name, values in ranges.items()}, out)


if __name__ == "__main__":
    measure_tower_ranges(Path(sys.argv[1]), picture_tower.RANGES_FILE)
