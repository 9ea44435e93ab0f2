"""The training loop.

Only a chunk of a batch is in the model at once, however large the batch is (gradient caching; Gao et al.
2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", arXiv:2101.06983): first all
vectors are computed, then the loss and its gradient for each vector, then the gradients of the weights, chunk
by chunk. Under `accelerate launch` each process computes its share of the chunks, and the loss is over all of
them.
"""

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, gather_object, send_to_device
from torch.nn import functional
from transformers import get_cosine_with_hard_restarts_schedule_with_warmup as make_cosine_schedule

from model.data.pairs import Pair
from model.encoders.devices import select_device, select_dtype
from model.errors import TrainingCancelledError
from model.evaluation.metrics import rank_best_matches
from model.outcome import TrainingOutcome, TrainingStage, TrainingStep
from model.training.batches import Batch, Indices, TrainingSet, build_training_set, draw_batch
from model.training.checkpoint import Checkpoint, CheckpointState
from model.training.losses import LOSSES, Temperature
from model.training.towers import Towers
from model.training.training_run import TrainingRun

VectorPair: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Vectors of texts (n, d) and of each frame of clips (m, frames, d)."""

_MAX_GRADIENT_NORM = 1.0
_MAX_VALIDATION_CLIPS = 500
"""Validation is frequent, so it uses at most this many clips."""
_PROCESS_TIMEOUT = timedelta(hours=12)
"""How long the main process may work alone, on pictures or on a clip head. torch's default is minutes."""


class Trainer:
    """Trains one pair of towers. A checkpoint in the run's folder lets the same run resume after a kill."""

    def __init__(
        self, run: TrainingRun, role: str, towers: Towers, pairs: Sequence[Pair], initial_weights: str
    ) -> None:
        """Prepare the towers for `pairs`. `initial_weights` identifies the weights that they start from."""
        self._run, self._config, self._towers = run, run.config, towers
        self._train_set = build_training_set(pairs, "train")
        self._validation_set = build_training_set(pairs, "validation", _MAX_VALIDATION_CLIPS)
        self._validation_queries, self._relevant = _build_validation_queries(self._validation_set)
        self._accelerator = create_accelerator(run.device)
        self._prepare_towers()
        self._temperature = Temperature(towers.scale).to(self._accelerator.device)
        optimizer = self._make_optimizer()
        self._schedule = make_cosine_schedule(
            optimizer, round(self._config.warm_up * self._config.steps), self._config.steps, self._config.cycles
        )
        self._module, self._optimizer = self._accelerator.prepare(towers.module, optimizer)
        self._checkpoint = Checkpoint(
            run.folder / role / "checkpoint.pt",
            f"{towers.base_model} {initial_weights} {self._config!r} {pairs!r}",
            towers.module,
            {"optimizer": self._optimizer, "schedule": self._schedule, "temperature": self._temperature},
        )

    def fit(self) -> TrainingOutcome:
        """Train until the last step, until validation stops improving, or until the run diverges.

        The towers end with the best weights, which are finite. Raises `TrainingCancelledError`, only right after a
        checkpoint.
        """
        steps, state = self._config.steps, self._checkpoint.load() or self._start()
        started_s, first_step = time.monotonic(), state.step
        while state.step < steps and not self._is_stale(state):
            loss = self._train_step(state.step)
            state.step += 1
            if not self._is_finite(loss):
                state.diverged_at = state.step
                break
            state.losses.append((state.step, loss))
            left_s = (time.monotonic() - started_s) / (state.step - first_step) * (steps - state.step)
            self._report(TrainingStep(TrainingStage.TRAINING, state.step, steps, loss, left_s))
            if state.step % self._config.check_every == 0 or state.step == steps:
                self._check(state)
        self._checkpoint.restore_weights(state.best)
        return TrainingOutcome(state.step, state.best_step, state.losses, state.validation, state.diverged_at)

    def _is_finite(self, loss: float) -> bool:
        """Return whether the loss is finite, and the trained weights are within the range of half precision."""
        trained = (each for each in self._towers.module.parameters() if each.requires_grad)
        return math.isfinite(loss) and all(bool(each.half().isfinite().all()) for each in trained)

    def _prepare_towers(self) -> None:
        texts = [*self._train_set.texts, *self._validation_set.texts]
        clips = [*self._train_set.clips, *self._validation_set.clips]
        with self._accelerator.main_process_first():  # the other processes use its cache
            self._towers.prepare(texts, clips, self._report_preparation)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        temperature = {"params": list(self._temperature.parameters()), "lr": self._config.rate}
        groups = [*self._towers.make_parameter_groups(), temperature]
        return torch.optim.AdamW(groups, weight_decay=self._config.weight_decay)

    def _start(self) -> CheckpointState:
        state = CheckpointState(best=self._checkpoint.copy_weights())
        self._validate(state)
        return state

    def _check(self, state: CheckpointState) -> None:
        """Validate, write a checkpoint, and stop if the run was cancelled."""
        self._validate(state)
        if self._accelerator.is_main_process:
            self._checkpoint.save(state)
        if self._run.is_cancelled():
            raise TrainingCancelledError(
                "cancelled at step {step} of {steps}", step=state.step, steps=self._config.steps
            )

    def _is_stale(self, state: CheckpointState) -> bool:
        return state.step - state.best_step >= self._config.patience * self._config.check_every

    def _train_step(self, step: int) -> float:
        """Update the weights once. Returns the loss."""
        self._module.train()
        loss = self._backward(draw_batch(self._config, self._train_set, step), step)
        self._accelerator.clip_grad_norm_(self._module.parameters(), _MAX_GRADIENT_NORM)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
        return loss

    def _backward(self, batch: Batch, step: int) -> float:
        """Compute the gradients of the whole batch's loss. Returns the loss."""
        chunks = self._split_into_chunks(batch)
        count = len(chunks) // self._accelerator.num_processes
        first = self._accelerator.process_index * count
        vectors = []
        for i in range(count):  # keep the graph of the first chunk only; the others are recomputed below
            with torch.set_grad_enabled(i == 0), self._sync_gradients(count == 1):
                vectors.append(self._encode_chunk(chunks[first + i], step))
        leaves = [_require_grad(pair) for pair in gather_object([_detach(pair) for pair in vectors])]
        texts, frames = (torch.cat(side).to(self._accelerator.device) for side in zip(*leaves, strict=True))
        loss = self._compute_loss(texts, frames, batch, step)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for i in range(count):
            with self._sync_gradients(i == count - 1):
                encoded = vectors[0] if i == 0 else self._encode_chunk(chunks[first + i], step)
                _backpropagate(encoded, leaves[first + i], self._accelerator.num_processes)
        return float(loss.detach())

    def _split_into_chunks(self, batch: Batch) -> "list[_Chunk]":
        """Split the batch so that every process gets the same number of chunks."""
        processes = self._accelerator.num_processes
        count = processes * -(-len(batch.clips) // (self._config.chunk * processes))
        sides = (np.array_split(side, count) for side in (batch.texts, batch.clips, batch.views))
        return [_Chunk(i, *side) for i, side in enumerate(zip(*sides, strict=True))]

    def _encode_chunk(self, chunk: "_Chunk", step: int) -> VectorPair:
        """Encode a chunk. Repeated calls give the same result, dropout included."""
        torch.manual_seed(int(np.random.SeedSequence([self._config.seed, step, chunk.number]).generate_state(1)[0]))
        texts, clips = (
            self._towers.make_text_inputs(chunk.texts),
            self._towers.make_clip_inputs(chunk.clips, chunk.views),
        )
        vectors: VectorPair = self._module(*send_to_device((texts, clips), self._device))
        return vectors

    def _compute_loss(self, texts: torch.Tensor, frames: torch.Tensor, batch: Batch, step: int) -> torch.Tensor:
        logits = self._temperature(torch.einsum("td,cfd->tcf", texts, frames))
        random = torch.Generator().manual_seed(step)
        own, shared = torch.from_numpy(batch.own).to(self._device), torch.from_numpy(batch.shared).to(self._device)
        return LOSSES[self._config.loss](logits, own, shared, random)

    def _sync_gradients(self, enabled: bool) -> AbstractContextManager[None]:
        """Let the processes average their gradients in this backward pass, or not."""
        return nullcontext() if enabled else self._accelerator.no_sync(self._module)

    def _validate(self, state: CheckpointState) -> None:
        """Record the validation figure, and the weights if they are the best so far.

        Without pairs the last are best.
        """
        if not self._validation_set.texts:
            state.best, state.best_step = self._checkpoint.copy_weights(), state.step
            return
        figure = self._compute_mean_reciprocal_rank()
        if not state.validation or figure > max(earlier for _, earlier in state.validation):
            state.best, state.best_step = self._checkpoint.copy_weights(), state.step
        state.validation.append((state.step, figure))

    @torch.inference_mode()
    def _compute_mean_reciprocal_rank(self) -> float:
        self._module.eval()
        first_text, first_clip = len(self._train_set.texts), len(self._train_set.clips)
        clips = np.arange(len(self._validation_set.clips))
        count = -(-len(clips) // self._config.chunk)
        queries = len(self._validation_queries)
        texts = np.resize(self._validation_queries, max(queries, count))  # at least one text per chunk
        text_vectors, frame_vectors = [], []
        for some_texts, some_clips in zip(np.array_split(texts, count), np.array_split(clips, count), strict=True):
            inputs = (
                self._towers.make_text_inputs(first_text + some_texts),
                self._towers.make_clip_inputs(first_clip + some_clips, np.zeros_like(some_clips)),
            )
            encoded = self._towers.module(*send_to_device(inputs, self._device))
            text_vectors.append(encoded[0].cpu())
            frame_vectors.append(encoded[1].cpu())
        means = functional.normalize(torch.cat(frame_vectors).mean(1), dim=1)  # as in the index
        similarity = (torch.cat(text_vectors)[:queries] @ means.T).numpy()
        return float(np.mean(1 / rank_best_matches(similarity, self._relevant)))

    def _report_preparation(self, stage: TrainingStage, done: int, total: int) -> None:
        self._report(TrainingStep(stage, done, total, None, None))
        if self._run.is_cancelled():
            raise TrainingCancelledError("cancelled while preparing ({stage})", stage=stage)

    def _report(self, step: TrainingStep) -> None:
        if self._accelerator.is_main_process:
            self._run.on_progress(step)

    @property
    def _device(self) -> torch.device:
        device: torch.device = self._accelerator.device
        return device


@dataclass(frozen=True)
class _Chunk:
    """The part of a batch that goes through the towers at once."""

    number: int
    texts: Indices
    clips: Indices
    views: Indices


def create_accelerator(device: str) -> Accelerator:
    """Create the accelerator for `auto`, `cpu` or `cuda`. Raises `ModelError` if the device is not available."""
    selected = select_device(device)
    is_bfloat16_native = select_dtype(selected) is torch.bfloat16
    return Accelerator(
        cpu=selected.type == "cpu",
        mixed_precision="bf16" if is_bfloat16_native else "no",
        kwargs_handlers=[InitProcessGroupKwargs(timeout=_PROCESS_TIMEOUT)],
    )


def _build_validation_queries(data: TrainingSet) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """Return the index of each distinct text (n,), and the relevance matrix (n, clips).

    A text may have several clips: a title belongs to all moments of its video.
    """
    wordings, first = np.unique(data.wording_of, return_index=True)
    relevant = np.zeros((len(wordings), len(data.clips)), np.bool_)
    relevant[data.wording_of, data.clip_of] = True
    return first, relevant


def _detach(vectors: VectorPair) -> VectorPair:
    """Detach vectors, so that they can be sent to other processes."""
    return vectors[0].detach().cpu(), vectors[1].detach().cpu()


def _require_grad(vectors: VectorPair) -> VectorPair:
    return vectors[0].requires_grad_(), vectors[1].requires_grad_()


def _backpropagate(vectors: VectorPair, leaves: VectorPair, processes: int) -> None:
    """Backpropagate the gradients of the loss from the leaves into the towers.

    They are multiplied by the number of processes, because the accelerator averages over processes
    afterwards, but the loss already covers the vectors of all processes.
    """
    trainable = [(side, leaf) for side, leaf in zip(vectors, leaves, strict=True) if side.requires_grad]
    gradients = [_read_gradient(leaf).to(side.device) * processes for side, leaf in trainable]
    torch.autograd.backward([side for side, _ in trainable], gradients)


def _read_gradient(leaf: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
