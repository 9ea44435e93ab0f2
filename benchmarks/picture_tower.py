"""What each way of running the starter's picture tower gives: pictures a second, and how near it stays to float32.

python benchmarks/picture_tower.py [PICTURE...]   (without pictures: frames of the samples)

CPU seconds are counted beside the clock: on a machine that others use too they are the fairer figure.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import av
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from model import parts, picture_tower, starter
from model.ports import Picture, Vector

ROUNDS = 5


def pictures() -> list[Picture]:
    if sys.argv[1:]:
        return [np.asarray(Image.open(path).convert("RGB")) for path in sys.argv[1:]]
    found = []
    for path, _ in parts.sample_files(parts.default_folder()):
        with av.open(str(path)) as media:
            found.append(next(media.decode(video=0)).to_ndarray(format="rgb24"))
    return found


def main() -> None:
    model = starter.read_tower(None)
    shown = (pictures() * 16)[:16]
    side = picture_tower.PIXELS
    forms: dict[str, tuple[Callable[[torch.Tensor], Vector], int]] = {
        f"int8, {side} (served)": (picture_tower.serve(model, torch.device("cpu")), side),
    }
    for size in (224, side):
        forms[f"torch bfloat16, {size}"] = (plain(starter.read_tower(None), torch.bfloat16), size)
    forms["torch float32, 224"] = (plain(model, torch.float32), 224)
    exact = forms["torch float32, 224"][0](pixels(shown, 224))
    table = Table("form", "pictures/s, by the clock", "per core, by CPU time", "cosine to float32, 224")
    for name, (tower, size) in forms.items():
        prepared = pixels(shown, size)
        cosine = float((tower(prepared) * exact).sum(1).mean())
        clock, cpu = measure(lambda tower=tower, prepared=prepared: tower(prepared))  # type: ignore[misc]  # bound now
        table.add_row(name, f"{16 / clock:.1f}", f"{16 / cpu:.1f}", f"{cosine:.3f}")
    Console().print(table)


def pixels(shown: list[Picture], size: int) -> torch.Tensor:
    return replace(starter.PREPROCESS, short_side=size, size=(size, size))(shown)


def plain(model: torch.nn.Module, dtype: torch.dtype) -> Callable[[torch.Tensor], Vector]:
    model = model.to(dtype)

    def run(prepared: torch.Tensor) -> Vector:
        with torch.inference_mode():
            found = model(pixel_values=prepared.to(dtype), interpolate_pos_encoding=True).image_embeds.float()
        vectors: Vector = torch.nn.functional.normalize(found, dim=1).numpy()
        return vectors

    return run


def measure(run: Callable[[], object]) -> tuple[float, float]:
    """The least seconds of several rounds: by the clock, and of CPU."""
    clocks, cpus = [], []
    for _ in range(ROUNDS):
        clock, cpu = time.perf_counter(), time.process_time()
        run()
        clocks.append(time.perf_counter() - clock)
        cpus.append(time.process_time() - cpu)
    return min(clocks), min(cpus)


if __name__ == "__main__":
    main()
