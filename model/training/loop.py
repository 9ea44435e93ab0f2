"""The training loop.

However large a batch is, only a chunk of it is in the model at once (Gao et al. 2021, "Scaling Deep Contrastive
Learning Batch Size under Memory Limited Setup", arXiv:2101.06983): first all vectors, then the loss and its gradient
for each vector, then chunk by chunk the weights' gradients. Under `accelerate launch` each process has its share of the
chunks, and the loss is over all of them.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, gather_object, send_to_device
from torch.nn import functional
from transformers import get_cosine_with_hard_restarts_schedule_with_warmup as cosine_with_restarts

from model.config import TrainingConfig
from model.data.pairs import Pair
from model.encoders.devices import serving_device, serving_dtype
from model.errors import Cancelled
from model.evaluation.metrics import best_ranks
from model.outcome import Stage, Step, TrainingOutcome
from model.training import batches
from model.training.batches import Batch, Material, Numbers
from model.training.checkpoint import Checkpoint, CheckpointState
from model.training.losses import LOSSES, Temperature
from model.training.towers import Towers

_CLIP_NORM = 1.0
_LOOKED_AT = 500
"""Clips of the validation pairs, at most: they are looked at often."""
_WAITS = timedelta(hours=12)
"""So long may the main process work alone, at pictures or at a head; torch would give up after minutes."""


class Trainer:
    """One run over one pair of towers. `folder` keeps a checkpoint, from which the same run goes on after a kill.

    `begun_from` names the weights that the towers begin with.
    """

    def __init__(
        self,
        run: TrainingConfig,
        towers: Towers,
        pairs: Sequence[Pair],
        folder: Path,
        device: str,
        begun_from: str,
        progress: Callable[[Step], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._run, self._towers, self._progress, self._stopping = run, towers, progress, stopping
        self._teach = batches.gather(pairs, "train")
        self._look = batches.gather(pairs, "validation", _LOOKED_AT)
        self._asked, self._relevant = _questions(self._look)
        self._accelerator = accelerator(device)
        with self._accelerator.main_process_first():  # it prepares, the others find it done
            towers.prepare(
                [*self._teach.texts, *self._look.texts], [*self._teach.clips, *self._look.clips], self._preparing
            )
        self._temperature = Temperature(towers.scale).to(self._accelerator.device)
        groups = [*towers.groups(), {"params": list(self._temperature.parameters()), "lr": run.rate}]
        optimizer = torch.optim.AdamW(groups, weight_decay=run.weight_decay)
        self._schedule = cosine_with_restarts(optimizer, round(run.warm_up * run.steps), run.steps, run.cycles)
        self._module, self._optimizer = self._accelerator.prepare(towers.module, optimizer)
        parts = {"optimizer": self._optimizer, "schedule": self._schedule, "temperature": self._temperature}
        what = f"{towers.pin} {begun_from} {run!r} {pairs!r}"
        self._checkpoint = Checkpoint(folder / "checkpoint.pt", what, towers.module, parts)

    def __call__(self) -> TrainingOutcome:
        """Leaves the best weights in the towers. Raises `Cancelled`, only just after a checkpoint."""
        run, state = self._run, self._checkpoint.resumed() or self._begun()
        started, first = time.monotonic(), state.step
        while state.step < run.steps and not self._is_stale(state):
            loss = self._learn(state.step)
            state.step += 1
            state.losses.append((state.step, loss))
            left = (time.monotonic() - started) / (state.step - first) * (run.steps - state.step)
            self._progress(Step("training", state.step, run.steps, loss, left))
            if state.step % run.check_every == 0 or state.step == run.steps:
                self._look_at(state)
                if self._accelerator.is_main_process:
                    self._checkpoint.write(state)
                if self._stopping():
                    raise Cancelled(f"stopped at step {state.step} of {run.steps}, as asked")
        self._checkpoint.put_back(state.best)
        return TrainingOutcome(state.step, state.best_step, state.losses, state.validation)

    def _learn(self, step: int) -> float:
        self._module.train()
        loss = self._backward(batches.batch(self._run, self._teach, step), step)
        self._accelerator.clip_grad_norm_(self._module.parameters(), _CLIP_NORM)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
        return loss

    def _backward(self, batch: Batch, step: int) -> float:
        """Leaves the gradients of the whole batch's loss, which it returns."""
        chunks = self._chunks(batch)
        count = len(chunks) // self._accelerator.num_processes
        first = self._accelerator.process_index * count
        vectors = []
        for i in range(count):  # the first one's graph is kept, the others are worked out again below
            with torch.set_grad_enabled(i == 0), self._syncing(count == 1):
                vectors.append(self._vectors(chunks[first + i], step))
        leaves = [_leaves(made) for made in gather_object([_bare(made) for made in vectors])]
        texts, frames = (torch.cat(side).to(self._accelerator.device) for side in zip(*leaves, strict=True))
        loss = self._loss(texts, frames, batch, step)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for i in range(count):
            with self._syncing(i == count - 1):
                made = vectors[0] if i == 0 else self._vectors(chunks[first + i], step)
                _hand_down(made, leaves[first + i], self._accelerator.num_processes)
        return float(loss.detach())

    def _chunks(self, batch: Batch) -> "list[_Chunk]":
        """As many for each process."""
        processes = self._accelerator.num_processes
        count = processes * -(-len(batch.clips) // (self._run.chunk * processes))
        parts = (np.array_split(side, count) for side in (batch.texts, batch.clips, batch.views))
        return [_Chunk(i, *part) for i, part in enumerate(zip(*parts, strict=True))]

    def _vectors(self, chunk: "_Chunk", step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Of texts (n, d) and frames (m, frames, d). The same in each call, dropout included."""
        torch.manual_seed(int(np.random.SeedSequence([self._run.seed, step, chunk.number]).generate_state(1)[0]))
        texts, clips = self._towers.texts(chunk.texts), self._towers.clips(chunk.clips, chunk.views)
        vectors: tuple[torch.Tensor, torch.Tensor] = self._module(*send_to_device((texts, clips), self._device))
        return vectors

    def _loss(self, texts: torch.Tensor, frames: torch.Tensor, batch: Batch, step: int) -> torch.Tensor:
        logits = self._temperature(torch.einsum("td,cfd->tcf", texts, frames))
        random = torch.Generator().manual_seed(step)
        return LOSSES[self._run.loss](logits, torch.from_numpy(batch.own).to(self._device), random)

    def _syncing(self, wanted: bool) -> AbstractContextManager[None]:
        return nullcontext() if wanted else self._accelerator.no_sync(self._module)

    def _begun(self) -> CheckpointState:
        state = CheckpointState(best=self._checkpoint.learnt())
        self._look_at(state)
        return state

    def _look_at(self, state: CheckpointState) -> None:
        """Notes how good the towers are by now, and their weights where they were never better."""
        if not self._look.texts:
            state.best, state.best_step = self._checkpoint.learnt(), state.step
            return
        figure = self._mean_reciprocal_rank()
        if not state.validation or figure > max(seen for _, seen in state.validation):
            state.best, state.best_step = self._checkpoint.learnt(), state.step
        state.validation.append((state.step, figure))

    @torch.inference_mode()
    def _mean_reciprocal_rank(self) -> float:
        self._module.eval()
        first_text, first_clip = len(self._teach.texts), len(self._teach.clips)
        clips = np.arange(len(self._look.clips))
        count = -(-len(clips) // self._run.chunk)
        texts = np.resize(self._asked, max(len(self._asked), count))  # again where not each chunk would have one
        text_vectors, frames = [], []
        for some_texts, some_clips in zip(np.array_split(texts, count), np.array_split(clips, count), strict=True):
            inputs = (
                self._towers.texts(first_text + some_texts),
                self._towers.clips(first_clip + some_clips, np.zeros_like(some_clips)),
            )
            made = self._towers.module(*send_to_device(inputs, self._device))
            text_vectors.append(made[0].cpu())
            frames.append(made[1].cpu())
        means = functional.normalize(torch.cat(frames).mean(1), dim=1)  # as the index has them
        similarity = (torch.cat(text_vectors)[: len(self._asked)] @ means.T).numpy()
        return float(np.mean(1 / best_ranks(similarity, self._relevant)))

    def _is_stale(self, state: CheckpointState) -> bool:
        return state.step - state.best_step >= self._run.patience * self._run.check_every

    def _preparing(self, stage: Stage, step: int, steps: int) -> None:
        self._progress(Step(stage, step, steps, None, None))
        if self._stopping():
            raise Cancelled(f"stopped while the {stage} were read in, as asked")

    @property
    def _device(self) -> torch.device:
        device: torch.device = self._accelerator.device
        return device


@dataclass(frozen=True)
class _Chunk:
    """What goes through the towers at once."""

    number: int
    texts: Numbers
    clips: Numbers
    views: Numbers


def accelerator(device: str) -> Accelerator:
    """`device` is `auto`, `cpu` or `cuda`. Raises `ModelError` for one that is not there."""
    found = serving_device(device)
    native = serving_dtype(found) is torch.bfloat16
    return Accelerator(
        cpu=found.type == "cpu",
        mixed_precision="bf16" if native else "no",
        kwargs_handlers=[InitProcessGroupKwargs(timeout=_WAITS)],
    )


def _questions(look: Material) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """The number of each different text (n,), and which clips (n, clips) it goes with: a title has several moments."""
    rows: dict[str, int] = {}
    row_of = [rows.setdefault(text, len(rows)) for text in look.texts]
    relevant = np.zeros((len(rows), len(look.clips)), np.bool_)
    relevant[row_of, look.clip_of] = True
    return np.unique(row_of, return_index=True)[1], relevant


def _bare(made: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit to be sent to other processes."""
    return made[0].detach().cpu(), made[1].detach().cpu()


def _hand_down(
    made: tuple[torch.Tensor, torch.Tensor], leaves: tuple[torch.Tensor, torch.Tensor], processes: int
) -> None:
    """Gradients from the loss on. Processes are averaged afterwards, and the loss is over all of them."""
    learning = [(side, leaf) for side, leaf in zip(made, leaves, strict=True) if side.requires_grad]
    gradients = [_gradient(leaf).to(side.device) * processes for side, leaf in learning]
    torch.autograd.backward([side for side, _ in learning], gradients)


def _gradient(leaf: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def _leaves(made: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return made[0].requires_grad_(), made[1].requires_grad_()
