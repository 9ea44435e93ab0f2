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
    unrelated: int = 0
    """About how many of the pairs say nothing of their picture, so that they are left out."""


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
    newer: str | None = None
    """The preset that is searched, if this version of Reelseek has newer weights of it."""


class ListModels(Request[ModelList]):
    """List the generations of the caller's model."""

    task = "list_models"
    answer = ModelList
    by_operator: bool = False
    """Whether the person at the installation's own command line asks, who sees the installation's model, too."""


class Rollback(Request[ModelList]):
    """Switch to the previous generation, or to the one named by `to`. Admins only."""

    task = "rollback"
    answer = ModelList
    to: str | None = None
    by_operator: bool = False
    """As in `ListModels`: without a model of the caller's space, that of the installation is rolled back."""


class PresetSummary(WireModel):
    """A preset that the workers know."""

    name: str
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes."""
    licence: str | None = None
    models: tuple[str, ...] = ()
    """Its models: repositories of the hub, or folders."""
    bytes: int | None = None
    """Size of its weights. None: unknown until they are fetched."""
    is_here: bool = False
    """Whether nothing has to be downloaded before it is used."""
    figures: tuple[str, ...] = ()
    """What its authors, or Reelseek, measured, each with the source."""
    problem: str | None = None
    """The mistake because of which its file cannot be used, in English."""
    is_allowed: bool = True
    """Whether the caller may switch to it."""


class PresetList(WireModel):
    """All presets, Reelseek's first."""

    presets: tuple[PresetSummary, ...]


class ListPresets(Request[PresetList]):
    """List the presets that a library can be embedded with."""

    task = "list_presets"
    answer = PresetList
    by_operator: bool = False


class UseModel(Request[RetrainStarted]):
    """Embed the library with another model, and switch to it in one step. Admins only.

    The job is followed like that of a retrain.
    """

    task = "use_model"
    answer = RetrainStarted
    preset: str
    """Name of the preset, or of that of the adapter."""
    offer: str | None = None
    """Prefix of the blobs of an adapter, which the operator has stored (`worker.models.adapter_offers`)."""
    is_forced: bool = False
    """Take the adapter even if it is not better than the model in use."""
    by_operator: bool = False
    """Whether the person at the installation's own command line asks, who may use every preset."""
    for_space: bool = False
    """Whether the operator means the caller's space only, instead of the installation."""
