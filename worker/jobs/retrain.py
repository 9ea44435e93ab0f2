"""The retrain job: what a community has taught becomes an adapter, is judged, and takes over only if it is better.

It goes on where it was: gathered pairs and checkpoints lie in the work folder, and once an adapter was found better,
the record says so, and what is left is to embed the library anew.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog
from celery import Task
from celery.exceptions import Ignore, Reject
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from indexer.errors import StoreUnavailableError
from indexer.ingest.reembed import reembed_missing
from indexer.store.generations import GenerationRecord, Retraining, slug, space_of
from worker.jobs import training_data
from worker.jobs.index import WorkerStoppingError
from worker.leases import LeasesUnavailableError
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.messages import Ack, JobFailed, RetrainFinished, RetrainProgress, Update
from worker.queue.app import waiting
from worker.queue.signing import send
from worker.services import Services

if TYPE_CHECKING:
    from model.data.pairs import Pair
    from model.evaluation.promotion import PromotionTest

TASK: Final = "reelseek.job.retrain"
CATCH_UP: Final = "reelseek.job.catch_up"
CLAIM: Final = "retrain"
"""There is one at a time in an installation, whichever space asked."""
TELL_EVERY_S: Final = 1.0
TELL_AGAIN_S: Final = 60.0
"""After this long where nobody could be told: a try may take Celery as long as twenty steps."""
LOOK_EVERY_S: Final = 5.0
"""How often the record is asked whether somebody cancelled."""

Stage = Literal["gather", "train", "evaluate", "embed", "switch"]
log = structlog.get_logger()


class CancelledByAdminError(Exception):
    """Somebody asked the retrain to end."""


class ProgressReporter:
    """Tells how far it is, not more often than a person can read it; raises where the job is to stop."""

    def __init__(self, services: Services, task: Task, begin: Callable[[str], None]) -> None:
        self._parts, self._task, self._begin = services, task, begin
        self._told, self._told_s, self._quiet_until_s = "", 0.0, 0.0
        self._looked_s, self._cancelled = time.monotonic(), False

    def __call__(
        self, stage: Stage, step: int = 0, steps: int = 0, loss: float | None = None, left_s: float | None = None
    ) -> None:
        if self._parts.stopping.is_set():
            raise WorkerStoppingError
        if self.cancelled():
            raise CancelledByAdminError
        self._begin(stage)
        now_s = time.monotonic()
        if now_s >= self._quiet_until_s and (stage != self._told or now_s - self._told_s >= TELL_EVERY_S):
            self._told, self._told_s = stage, now_s
            self._tell(RetrainProgress(stage=stage, step=step, steps=steps, loss=loss, left_s=left_s))

    def over(self, update: Update) -> None:
        """Tells what came of it."""
        self._tell(update, "SUCCESS")

    def _tell(self, update: Update, state: str = "PROGRESS") -> None:
        """The job does not end because nobody can be told of it."""
        try:
            self._task.update_state(state=state, meta=update.model_dump(mode="json"))
        except (OperationalError, RedisError) as error:
            self._quiet_until_s = time.monotonic() + TELL_AGAIN_S
            log.warning("retrain.not_told", error=error)

    def cancelled(self) -> bool:
        now_s = time.monotonic()
        if not self._cancelled and now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            try:
                running = self._parts.generations.retraining()
            except StoreUnavailableError as error:
                log.warning("retrain.not_looked", error=error)
                return False
            self._cancelled = running is None or running.cancelled
        return self._cancelled

    def stopping(self) -> bool:
        return self._parts.stopping.is_set() or self.cancelled()


def job_id(space: str) -> str:
    """Of the retrain of a space's own model, or of the installation's: nobody follows another space's."""
    return f"retrain-{slug(space)}" if space else "retrain"


def send_retrain(services: Services) -> None:
    """Makes the job of the retrain that is on record unless it has one already."""
    asked = services.generations.retraining()
    if asked is not None and services.leases.queue(CLAIM):
        job = job_id(services.settings.adapter_space(asked.space))
        try:
            services.app.AsyncResult(job).forget()
            send(services.app, TASK, task_id=job, queue="train")
        except BaseException:
            services.leases.done(CLAIM)
            raise
        services.leases.queued(CLAIM)


def resume(services: Services) -> None:
    """Makes the job of a retrain whose worker died, perhaps with its message, or whose store was away."""
    if services.settings.redis_url is not None and not waiting(services.app, "train"):
        services.leases.lost(CLAIM)
    send_retrain(services)


def retrain(services: Services, task: Task, correlation_id: str) -> Update:
    """Works on the retrain that is on record, unless somebody else does."""
    try:
        return _run(services, task, correlation_id)
    except LeasesUnavailableError as away:
        raise Reject(str(away), requeue=True) from away


def _run(services: Services, task: Task, correlation_id: str) -> Update:
    with services.leases.running(CLAIM, uuid.uuid4().hex) as mine:
        if not mine:
            raise Ignore("a copy of this job is running")
        asked = services.generations.retraining()
        _clear_folders(services, asked)
        if asked is None:
            raise Ignore("a copy of this job ended it")
        try:
            with services.metrics.stages(TASK.removeprefix("reelseek.")) as begin:
                tell = ProgressReporter(services, task, begin)
                update = _outcome(services, asked, tell, correlation_id)
            _forget_old(services)
            # Who follows it is told while the record still has it: a worker that dies in between tells nobody.
            tell.over(update)
            services.generations.end_retraining()
        except Exception as error:
            if services.stopping.is_set():
                services.leases.requeue(CLAIM)
                log.info("retrain.given_back")
                raise Reject("shutting down", requeue=True) from None
            if not isinstance(error, StoreUnavailableError):
                raise
            # It stays on record, and is gone on with once the store is back.
            log.warning("retrain.store_away", error=error)
            services.leases.done(CLAIM)
            raise Ignore("the store is away") from error
        _clear_folders(services)
        services.leases.done(CLAIM)
        return update


def catch_up(services: Services) -> Ack:
    """Embeds what only another generation has: videos that were added while this one was not searched."""

    def tell(done: int, of: int) -> None:
        if services.stopping.is_set():
            raise WorkerStoppingError

    try:
        reembed_missing(services.library, services.blobs, services.models.current(), tell)
    except WorkerStoppingError:
        raise Reject("shutting down", requeue=True) from None
    return Ack()


def send_catch_up(services: Services) -> None:
    send(services.app, CATCH_UP, queue="train")


def forget(services: Services, space: str) -> None:
    """Takes a space's own models away, whatever was learnt from it, and a retrain that it asked for."""
    asked = services.generations.retraining()
    if asked is not None and asked.space == space:
        services.generations.cancel()
    services.library.drop_own(space)
    for record in services.generations.all():
        if record.space == space:
            services.generations.forget(record.name)
    services.blobs.delete_prefix(_home(space))
    services.models.tidy()


# ---- the way of a retrain ----


def _outcome(services: Services, asked: Retraining, tell: ProgressReporter, correlation_id: str) -> Update:
    """How it ended. Raises `WorkerStoppingError` and `StoreUnavailableError`: then it has not."""
    try:
        if asked.cancelled:
            return RetrainFinished(outcome="cancelled")
        if asked.generation:
            return _take_over(services, asked.generation, tell)
        return _learn(services, asked, tell)
    except CancelledByAdminError:
        return RetrainFinished(outcome="cancelled")
    except (WorkerStoppingError, StoreUnavailableError):
        raise
    except Exception as error:
        if services.stopping.is_set():
            raise
        log.warning("retrain.failed", code=error_code_of(error), exc_info=error)
        return JobFailed(code=error_code_of(error), correlation_id=correlation_id)


def _learn(services: Services, asked: Retraining, tell: ProgressReporter) -> Update:
    from model.errors import Cancelled

    space = services.settings.adapter_space(asked.space)
    pairs = _pairs(services, asked, tell)
    if pairs is None:
        return JobFailed(code=ErrorCode.TOO_FEW_PAIRS, correlation_id="")
    folder = _folder(services, asked)
    try:
        trained = services.train(
            services.settings,
            pairs,
            folder / "train",
            services.models.adapter(services.library.generation(space)),
            lambda step: tell("train", step.step, step.steps, step.loss, step.seconds_left),
            tell.stopping,
        )
    except Cancelled as cancelled:
        raise (WorkerStoppingError if services.stopping.is_set() else CancelledByAdminError) from cancelled
    generation, tried, picture = _tried(services, space, pairs, trained, folder, tell)
    before, after = tried.base.text_to_image, tried.adapter.text_to_image
    figures: dict[str, Any] = {"r5_before": before.r5, "r5": after.r5, "questions": after.queries}
    if not tried.verdict.better:
        found = {reason.finding for reason in tried.verdict.reasons}
        if "too_few" in found:
            return JobFailed(code=ErrorCode.TOO_FEW_PAIRS, correlation_id="")
        return RetrainFinished(outcome="forgets" if "forgot" in found else "not_better", picture=picture, **figures)
    _keep_base(services)
    prefix = f"{_home(space)}adapters/{_plain(generation)}/"
    services.blobs.put_folder(prefix, trained.adapter)
    made_at, preset = datetime.now(UTC).isoformat(), services.settings.preset
    services.generations.put(GenerationRecord(generation, preset, made_at, prefix, **figures, space=space))
    if not services.generations.found_better(generation):
        raise CancelledByAdminError
    return _take_over(services, generation, tell)


def _tried(
    services: Services, space: str, pairs: "list[Pair]", trained: Any, folder: Path, tell: ProgressReporter
) -> "tuple[str, PromotionTest, str]":
    """The new generation's name, how it stands against the one before, and the key of a picture of that."""
    from model.evaluation import general_set, report
    from model.evaluation.promotion import trial

    adapter = services.models.load(trained.adapter, space)
    world = general_set.pairs(services.settings.preset, folder / "general", services.settings.parts_dir)
    held_out = [pair for pair in pairs if pair.split == "test"]
    rest = [pair for pair in pairs if pair.split != "test"]
    base, tell_share = services.models.current(space), lambda share: tell("evaluate", round(100 * share), 100)
    tried = trial(base, adapter, held_out, world, tell_share, rest)
    facts = {"preset": services.settings.preset, "generation": adapter.generation}
    report.write(tried, trained.outcomes, facts, folder / "report")
    picture = _picture(adapter.generation)
    services.blobs.put_folder(picture.removesuffix(report.PICTURE), folder / "report")
    return adapter.generation, tried, picture


def _picture(generation: str) -> str:
    """The key of the report's picture, beside which lies the rest of it."""
    from model.evaluation import report

    return f"{_home(space_of(generation))}reports/{_plain(generation)}/{report.PICTURE}"


def _home(space: str) -> str:
    """Under which lie the blobs that go when a space leaves; empty: those of the installation."""
    return f"spaces/{slug(space)}/" if space else ""


def _plain(generation: str) -> str:
    return generation.partition("@")[0]


def _take_over(services: Services, generation: str, tell: ProgressReporter) -> RetrainFinished:
    """Embeds the library beside the old vectors, then switches in one step."""
    made = services.generations.get(generation)
    if made is None:
        raise LookupError(f"no record of {generation}")
    encoder = services.models.load(services.models.adapter(generation), made.space)
    reembed_missing(services.library, services.blobs, encoder, lambda done, of: tell("embed", done, of))
    tell("switch")
    services.library.switch(generation, made.space)
    # Videos that were finished by the model before in the last moment.
    reembed_missing(services.library, services.blobs, encoder, lambda done, of: None)
    return RetrainFinished(
        outcome="promoted",
        r5_before=made.r5_before,
        r5=made.r5,
        questions=made.questions,
        picture=_picture(generation),
    )


def _keep_base(services: Services) -> None:
    """The generation that is searched stands in the list, too, also if no retrain made it."""
    live = services.library.generation()
    if live and services.generations.get(live) is None:
        services.generations.put(GenerationRecord(live, services.settings.preset, datetime.now(UTC).isoformat()))


def _forget_old(services: Services) -> None:
    """Keeps the generations that are searched and those before them, and lets go of the others."""
    services.library.drop_old()
    for record in services.generations.all():
        if record.name not in (services.library.generation(record.space), services.library.before(record.space)):
            services.generations.forget(record.name)
            if record.adapter:
                services.blobs.delete_prefix(record.adapter)


def _pairs(services: Services, asked: Retraining, tell: ProgressReporter) -> "list[Pair] | None":
    """Gathered once: a job that goes on must go on with the same. None: too few."""
    from model.data.cleaning import clean
    from model.data.pairs import Pair

    folder = _folder(services, asked)
    file = folder / "pairs.json"
    if not file.exists():
        tell("gather")
        found = training_data.lessons(services, services.settings.adapter_space(asked.space))
        if training_data.material(found).missing:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        found = list(training_data.pictures(services, found, folder / "pictures"))
        _write(file, found)
    stored = [training_data.TrainingExample(**each) for each in json.loads(file.read_text(encoding="utf-8"))]
    pairs = [_pair(Pair, lesson, folder / "pictures") for lesson in stored]
    return list(clean(pairs).pairs)


def _write(file: Path, found: list[training_data.TrainingExample]) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(each) for each in found]), encoding="utf-8")
    partial.rename(file)


def _pair(make: "Callable[..., Pair]", lesson: training_data.TrainingExample, folder: Path) -> "Pair":
    return make(
        text=lesson.text,
        pictures=tuple(folder / key for key in lesson.pictures),
        source=lesson.video_id,
        kind=lesson.kind,
        user_id=lesson.user_id,
        against=tuple(tuple(folder / key for key in each) for each in lesson.against),
    )


def _folder(services: Services, asked: Retraining) -> Path:
    """Each retrain has its own: what another one gathered may be another space's."""
    return _folders(services) / uuid.uuid5(uuid.NAMESPACE_URL, f"{asked.space} {asked.at}").hex


def _folders(services: Services) -> Path:
    return services.settings.data_dir / "work" / CLAIM


def _clear_folders(services: Services, but: Retraining | None = None) -> None:
    """Deletes what retrains left on this machine, also those that another machine ended."""
    for path in _folders(services).glob("*"):
        if but is None or path != _folder(services, but):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
