"""Requests about the learned model: retrain it, list its generations, go back to an earlier one."""

from collections.abc import Mapping

from worker.protocol.base import Request, WireModel


class TrainingDataSummary(WireModel):
    """Size of what a retrain would learn from."""

    pairs: int
    videos: int
    users: int
    pairs_by_kind: Mapping[str, int]
    """Number of pairs of titles, speech, votes, …"""
    missing_pairs: int
    """How many more pairs are needed before a retrain makes sense. 0: there are enough."""


class PreviewRetrain(Request[TrainingDataSummary]):
    """Summarize what a retrain would learn from. Admins only."""

    task = "preview_retrain"
    answer = TrainingDataSummary


class RetrainStarted(WireModel):
    """The retrain that is running."""

    job_id: str | None
    """None: none is running."""
    is_new: bool = False
    """Whether this request started it."""


class Retrain(Request[RetrainStarted]):
    """Start a retrain, or get the one that is running. Admins only."""

    task = "retrain"
    answer = RetrainStarted
    cancel: bool = False
    """End the running retrain at its next checkpoint."""
    start: bool = True
    """If false, none is started, and one that has just ended is returned too."""


class Generation(WireModel):
    """One state of the model: a preset, with an adapter or without."""

    name: str
    preset: str
    adapter: str | None
    """Key of the adapter's folder in the blob store. None: the preset itself."""
    made_at: str | None
    """ISO time, UTC. None: unknown, because the preset was never changed."""
    live: bool
    """Whether searches use it."""
    r5_before: float | None = None
    """`r5` of the generation that this one was trained from."""
    r5: float | None = None
    """Recall at 5: the share of held-out questions whose answer is among the first five hits."""
    questions: int = 0
    """Number of held-out questions."""


class ModelList(WireModel):
    """The generations that are kept, newest first."""

    generations: tuple[Generation, ...]


class ListModels(Request[ModelList]):
    """List the generations of the caller's model."""

    task = "list_models"
    answer = ModelList


class Rollback(Request[ModelList]):
    """Switch to the previous generation, or to the one named by `to`. Admins only."""

    task = "rollback"
    answer = ModelList
    to: str | None = None
