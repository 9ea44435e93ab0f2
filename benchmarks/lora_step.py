"""A training step with peft's LoRA against a plain hand-written layer that makes W + BA anew in each forward.

    python benchmarks/lora_step.py [--batch 8] [--steps 8] [--rank 8]

The same CLIP picture tower (ViT-B/32, random weights), batch, targets and optimizer. Each form runs in a process of its
own, in turn, several rounds; a step's time is the least over the rounds' medians, memory the greatest of the process
above what it had before training. Prints both and their ratios. On a CPU, CPU seconds stand beside the clock's: where
others use the machine too, they are the fairer figure (set OMP_NUM_THREADS=1, so that no thread waits for another).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from model import lora
from model.devices import serving_device
from model.run import TARGETS

ROUNDS = 3
ALPHA = 16
MEASURES = ("clock_s", "cpu_s", "memory_mib")


class Rebuilding(nn.Module):
    """The layer as it is often written by hand: the whole weight is put together before it is used."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.data, requires_grad=False)
        self.bias = nn.Parameter(linear.bias.data, requires_grad=False)
        self.lora_a = nn.Parameter(torch.empty(rank, linear.in_features))
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=5**0.5)
        self.scale = alpha / rank

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.weight + self.scale * self.lora_b @ self.lora_a, self.bias)


def with_peft(model: CLIPVisionModelWithProjection, rank: int) -> nn.Module:
    return lora.with_lora(model, rank, ALPHA)


def by_hand(model: CLIPVisionModelWithProjection, rank: int) -> nn.Module:
    model.requires_grad_(False)
    for module in list(model.modules()):
        for target in TARGETS:
            if isinstance(linear := getattr(module, target, None), nn.Linear):
                setattr(module, target, Rebuilding(linear, rank, ALPHA))
    return model


FORMS: dict[str, Callable[[CLIPVisionModelWithProjection, int], nn.Module]] = {
    "peft, as model/lora.py puts it on": with_peft,
    "W + BA made anew in each forward": by_hand,
}


def measured(form: str, batch: int, steps: int, rank: int) -> dict[str, float]:
    device = serving_device("auto")
    torch.manual_seed(0)
    model = FORMS[form](CLIPVisionModelWithProjection(CLIPVisionConfig(projection_dim=512)), rank).to(device)
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-4)
    pixels = torch.randn(batch, 3, 224, 224, device=device)
    before = held(device)
    clock_s, cpu_s = [], []
    for _ in range(steps):
        clock, cpu = time.perf_counter(), time.process_time()
        vectors = functional.normalize(model(pixel_values=pixels).image_embeds, dim=1)
        loss = functional.cross_entropy(20 * vectors @ vectors.T.detach(), torch.arange(batch, device=device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        clock_s.append(time.perf_counter() - clock)
        cpu_s.append(time.process_time() - cpu)
    return {
        "clock_s": statistics.median(clock_s[1:]),  # the first sets things up
        "cpu_s": statistics.median(cpu_s[1:]),
        "memory_mib": greatest(device) - before,
        "learning": sum(weight.numel() for weight in learning),
    }


def held(device: torch.device) -> float:
    """By now, MiB."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / 2**20
    return psutil.Process().memory_info().rss / 2**20


def greatest(device: torch.device) -> float:
    """At any time so far, MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main(batch: int, steps: int, rank: int) -> None:
    rounds: dict[str, list[dict[str, float]]] = {form: [] for form in FORMS}
    for _ in range(ROUNDS):
        for form, found in rounds.items():
            command = [sys.executable, __file__, "--form", form, "--batch", batch, "--steps", steps, "--rank", rank]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    table = Table(
        "form", "seconds a step", "CPU seconds a step", "peak memory above the model, MiB", "weights that learn"
    )
    best = {form: [min(each[key] for each in found) for key in MEASURES] for form, found in rounds.items()}
    for form, (clock, cpu, peak) in best.items():
        table.add_row(form, f"{clock:.3f}", f"{cpu:.3f}", f"{peak:.0f}", f"{rounds[form][0]['learning']:,.0f}")
    ratios = [f"{ours / plain:.2f}" for ours, plain in zip(*best.values(), strict=True)]
    Console(width=140).print(table, f"peft to by hand: clock {ratios[0]}, CPU {ratios[1]}, memory {ratios[2]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.form:
        print(json.dumps(measured(arguments.form, arguments.batch, arguments.steps, arguments.rank)))
    else:
        main(arguments.batch, arguments.steps, arguments.rank)
