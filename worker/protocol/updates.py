"""Updates of a job. The last one is `Indexed`, `Joined`, `RetrainFinished` or `JobFailed`."""

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from indexer.senses import Sense as Sense
from indexer.stages import IndexStage as IndexStage
from worker.protocol.base import WireModel
from worker.protocol.error_codes import ErrorCode


class IndexProgress(WireModel):
    """Progress of an index job or an enrich job."""

    kind: Literal["indexing_progress"] = "indexing_progress"
    stage: IndexStage
    done: float = Field(ge=0, le=1)
    """Share of the stage that is done."""


class IndexOutcome(StrEnum):
    """How a submission ended."""

    INDEXED = "indexed"
    WORDS_ONLY = "words_only"
    """Only title, description and speech; the pictures could not be fetched or decoded."""
    ALREADY = "already"
    """It was in the library before."""


class Indexed(WireModel):
    """The video can be found now."""

    kind: Literal["indexed"] = "indexed"
    link: str
    title: str
    status: IndexOutcome
    code: ErrorCode | None = None
    """The reason if only the words could be indexed."""
    moments: int
    is_first_of_several: bool = False
    """Whether its post has more videos."""
    enrich_job: str | None = None
    """The id of the job that still recognizes speech, text on the screen or sounds. None: nothing is left to do."""
    failed_senses: dict[Sense, ErrorCode] = Field(default_factory=dict)
    """What could not be recognized, and why."""


class Joined(WireModel):
    """The link leads to a video with another address, which only its site knew. Submitting `link` tells its state."""

    kind: Literal["joined"] = "joined"
    link: str


class RetrainStage(StrEnum):
    """Stages of a retrain, or of a switch to another model, in order."""

    LOAD = "load"
    FETCH = "fetch"
    """The model's files are downloaded, because they are not here. The steps are bytes."""
    GATHER = "gather"
    TRAIN = "train"
    EVALUATE = "evaluate"
    EMBED = "embed"
    SWITCH = "switch"


class RetrainProgress(WireModel):
    """Progress of a retrain, or of a switch to another model."""

    kind: Literal["retrain_progress"] = "retrain_progress"
    stage: RetrainStage
    step: int = 0
    steps: int = 0
    """Number of steps of the stage; 0 if it has none."""
    loss: float | None = None
    left_s: float | None = None
    """Estimated remaining time."""


class RetrainOutcome(StrEnum):
    """How a retrain or a switch ended. Only a generation that was promoted or switched to is searched."""

    PROMOTED = "promoted"
    NOT_BETTER = "not_better"
    FORGETS = "forgets"
    """Better on the space's videos but worse in general."""
    CANCELLED = "cancelled"
    SWITCHED = "switched"
    """An admin chose the generation, and it is searched now."""
    ALREADY = "already"
    """The chosen generation was searched already."""
    TOO_FEW = "too_few"
    """Too few videos are held out to tell whether an adapter is better."""


class RetrainFinished(WireModel):
    """The result of a retrain."""

    kind: Literal["retrain_finished"] = "retrain_finished"
    outcome: RetrainOutcome
    r5_before: float | None = None
    """Recall at 5 on held-out questions, before and after."""
    r5: float | None = None
    questions: int = 0
    """Number of held-out questions."""
    picture: str | None = None
    """Key of the report's picture in the blob store."""
    generation: str | None = None
    """The generation that was switched to."""
    overridden: RetrainOutcome | None = None
    """How it would have ended if the admin had not forced it."""
    moments_without_frames: int = 0
    """Moments of which only the thumbnail could be embedded, because retention had deleted their frames."""
    spaces_with_own_model: int = 0
    """Spaces that keep a model of their own after the installation has switched."""
    diverged_at: int | None = None
    """The step at which training broke off, because the loss or a weight became infinite."""


class JobFailed(WireModel):
    """A job or a request failed."""

    kind: Literal["failed"] = "failed"
    code: ErrorCode
    correlation_id: str | None = None
    """Short id that the log lines of the job have too. None: the log has nothing to add."""


Update: TypeAlias = Annotated[
    IndexProgress | Indexed | Joined | RetrainProgress | RetrainFinished | JobFailed, Field(discriminator="kind")
]
