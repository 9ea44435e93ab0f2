"""Measures what the int8 tower must be able to hold: made `weights/tower_ranges.safetensors`.

`python -m model.pretraining.tower_ranges DATA` reads the first 96 training pictures of a data folder (see `pretrain_data`).
"""

import sys
from pathlib import Path

import numpy as np
from rich.progress import track
from safetensors.numpy import save_file

from model.pretraining.pretrain_data import read_captions, read_picture
from model.starter import encoder, picture_tower

_PICTURES, _BATCH = 96, 8


def run(data: Path, out: Path) -> None:
    """Raises `PartsMissing`."""
    files = read_captions(data, "train").files[:_PICTURES]
    starts = track(range(0, len(files), _BATCH), "pictures")
    batches = (encoder.PREPROCESS([read_picture(data / f) for f in files[i : i + _BATCH]]) for i in starts)
    ranges = picture_tower.measure_ranges(encoder.read_tower(None), batches)
    save_file({name: np.ascontiguousarray(data, np.float16) for name, data in ranges.items()}, out)


if __name__ == "__main__":
    run(Path(sys.argv[1]), picture_tower.RANGES)
