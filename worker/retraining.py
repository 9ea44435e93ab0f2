"""The retrain job: what a community has taught becomes an adapter, is judged, and takes over only if it is better.

It goes on where it was: gathered pairs and checkpoints lie in the work folder, and once an adapter was found better,
the record says so, and what is left is to embed the library anew.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog
from celery import Task
from celery.exceptions import Ignore, Reject

from indexer.anew import embed_missing
from indexer.generations import GenerationRecord, Retraining
from worker import lessons
from worker.codes import Code, code_of
from worker.compose import Parts
from worker.jobs import Stopping
from worker.messages import Failed, Learned, Learning, Update

if TYPE_CHECKING:
    from model.pairs import Pair
    from model.promotion import Trial

TASK: Final = "reelseek.job.retrain"
CATCH_UP: Final = "reelseek.job.catch_up"
JOB: Final = "retrain"
"""There is one at a time in an installation, so its id is its name."""
TELL_EVERY_S: Final = 1.0
LOOK_EVERY_S: Final = 5.0
"""How often the record is asked whether somebody cancelled."""

Stage = Literal["gather", "train", "evaluate", "embed", "switch"]
log = structlog.get_logger()


class CancelledByAdmin(Exception):
    """Somebody asked the retrain to end."""


class Teller:
    """Tells how far it is, not more often than a person can read it; raises where the job is to stop."""

    def __init__(self, parts: Parts, task: Task) -> None:
        self._parts, self._task = parts, task
        self._told, self._told_s = "", 0.0
        self._looked_s, self._cancelled = time.monotonic(), False

    def __call__(
        self, stage: Stage, step: int = 0, steps: int = 0, loss: float | None = None, left_s: float | None = None
    ) -> None:
        if self._parts.stopping.is_set():
            raise Stopping
        if self.cancelled():
            raise CancelledByAdmin
        now_s = time.monotonic()
        if stage != self._told or now_s - self._told_s >= TELL_EVERY_S:
            self._told, self._told_s = stage, now_s
            update = Learning(stage=stage, step=step, steps=steps, loss=loss, left_s=left_s)
            self._task.update_state(state="PROGRESS", meta=update.model_dump(mode="json"))

    def cancelled(self) -> bool:
        now_s = time.monotonic()
        if not self._cancelled and now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            running = self._parts.generations.retraining()
            self._cancelled = running is None or running.cancelled
        return self._cancelled

    def stopping(self) -> bool:
        return self._parts.stopping.is_set() or self.cancelled()


def send_retrain(parts: Parts) -> None:
    """Makes the job of the retrain that is on record unless it has one already."""
    if parts.claims.queue(JOB):
        try:
            parts.app.AsyncResult(JOB).forget()
            parts.app.send_task(TASK, task_id=JOB, queue="train")
        except BaseException:
            parts.claims.done(JOB)
            raise
        parts.claims.queued(JOB)


def resume(parts: Parts) -> None:
    """Makes the job of a retrain whose worker died."""
    if parts.generations.retraining() is not None:
        send_retrain(parts)


def retrain(parts: Parts, task: Task, incident: str) -> Update:
    """Works on the retrain that is on record, unless somebody else does."""
    with parts.claims.running(JOB, incident) as mine:
        if not mine:
            raise Ignore("a copy of this job is running")
        try:
            update = _retrain(parts, Teller(parts, task))
        except Stopping as stop:
            parts.claims.requeue(JOB)
            raise Reject("shutting down", requeue=True) from stop
        except Exception as error:
            log.warning("retrain.failed", code=code_of(error), exc_info=error)
            update = Failed(code=code_of(error), incident=incident)
        parts.generations.end_retraining()
        parts.claims.done(JOB)
        shutil.rmtree(_folder(parts), ignore_errors=True)
        return update


def catch_up(parts: Parts) -> None:
    """Embeds what only another generation has: videos that were added while this one was not searched."""

    def tell(done: int, of: int) -> None:
        if parts.stopping.is_set():
            raise Stopping

    embed_missing(parts.library, parts.blobs, parts.models.current(), tell)


def send_catch_up(parts: Parts) -> None:
    parts.app.send_task(CATCH_UP, queue="train")


# ---- the way of a retrain ----


def _retrain(parts: Parts, tell: Teller) -> Update:
    asked = parts.generations.retraining()
    try:
        if asked is None or asked.cancelled:
            return Learned(outcome="cancelled")
        if asked.generation:
            return _take_over(parts, asked.generation, tell)
        return _learn(parts, asked, tell)
    except CancelledByAdmin:
        return Learned(outcome="cancelled")


def _learn(parts: Parts, asked: Retraining, tell: Teller) -> Update:
    from model.errors import Cancelled

    pairs = _pairs(parts, asked, tell)
    if pairs is None:
        return Failed(code=Code.TOO_FEW_PAIRS, incident="")
    folder = _folder(parts)
    try:
        trained = parts.train(
            parts.settings,
            pairs,
            folder / "train",
            parts.models.adapter(parts.library.generation),
            lambda step: tell("train", step.step, step.steps, step.loss, step.seconds_left),
            tell.stopping,
        )
    except Cancelled as cancelled:
        raise (Stopping if parts.stopping.is_set() else CancelledByAdmin) from cancelled
    generation, tried, picture = _tried(parts, pairs, trained, tell)
    before, after = tried.base.text_to_image, tried.adapter.text_to_image
    figures: dict[str, Any] = {"r5_before": before.r5, "r5": after.r5, "questions": after.queries}
    if not tried.verdict.better:
        found = {reason.finding for reason in tried.verdict.reasons}
        if "too_few" in found:
            return Failed(code=Code.TOO_FEW_PAIRS, incident="")
        return Learned(outcome="forgets" if "forgot" in found else "not_better", picture=picture, **figures)
    _keep_base(parts)
    prefix = f"adapters/{generation}/"
    parts.blobs.put_folder(prefix, trained.adapter)
    made = GenerationRecord(generation, parts.settings.preset, datetime.now(UTC).isoformat(), prefix, **figures)
    parts.generations.put(made)
    parts.generations.put_retraining(replace(asked, generation=generation))
    return _take_over(parts, generation, tell)


def _tried(parts: Parts, pairs: "list[Pair]", trained: Any, tell: Teller) -> "tuple[str, Trial, str]":
    """The new generation's name, how it stands against the one before, and the key of a picture of that."""
    from model import general, report
    from model.promotion import trial

    folder = _folder(parts)
    adapter = parts.models.load(trained.adapter)
    world = general.pairs(parts.settings.preset, folder / "general", parts.settings.parts_dir)
    held_out = [pair for pair in pairs if pair.split == "test"]
    rest = [pair for pair in pairs if pair.split != "test"]
    tried = trial(
        parts.models.current(), adapter, held_out, world, lambda share: tell("evaluate", round(100 * share), 100), rest
    )
    facts = {"preset": parts.settings.preset, "generation": adapter.generation}
    report.write(tried, trained.outcomes, facts, folder / "report")
    prefix = f"reports/{adapter.generation}/"
    parts.blobs.put_folder(prefix, folder / "report")
    return adapter.generation, tried, prefix + report.PICTURE


def _take_over(parts: Parts, generation: str, tell: Teller) -> Learned:
    """Embeds the library beside the old vectors, then switches in one step."""
    made = parts.generations.get(generation)
    if made is None:
        raise LookupError(f"no record of {generation}")
    encoder = parts.models.load(parts.models.adapter(generation))
    embed_missing(parts.library, parts.blobs, encoder, lambda done, of: tell("embed", done, of))
    tell("switch")
    parts.library.switch(generation)
    # Videos that were finished by the model before in the last moment.
    embed_missing(parts.library, parts.blobs, encoder, lambda done, of: None)
    _forget_old(parts)
    return Learned(
        outcome="promoted",
        r5_before=made.r5_before,
        r5=made.r5,
        questions=made.questions,
        picture=f"reports/{generation}/report.png",
    )


def _keep_base(parts: Parts) -> None:
    """The generation that is searched stands in the list, too, also if no retrain made it."""
    live = parts.library.generation
    if live and parts.generations.get(live) is None:
        parts.generations.put(GenerationRecord(live, parts.settings.preset, datetime.now(UTC).isoformat()))


def _forget_old(parts: Parts) -> None:
    """Keeps the generation that is searched and the one before, and lets go of the others."""
    parts.library.drop_old()
    for record in parts.generations.all():
        if record.name not in (parts.library.generation, parts.library.before):
            parts.generations.forget(record.name)
            if record.adapter:
                parts.blobs.delete_prefix(record.adapter)


def _pairs(parts: Parts, asked: Retraining, tell: Teller) -> "list[Pair] | None":
    """Gathered once: a job that goes on must go on with the same. None: too few."""
    from model.cleaning import clean
    from model.pairs import Pair

    folder = _folder(parts)
    file = folder / "pairs.json"
    if not file.exists():
        tell("gather")
        space = None if parts.settings.adapter_scope == "installation" else asked.space
        found = lessons.lessons(parts, space)
        if lessons.material(found).missing:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        found = list(lessons.pictures(parts, found, folder / "pictures"))
        _write(file, found)
    stored = [lessons.Lesson(**each) for each in json.loads(file.read_text(encoding="utf-8"))]
    pairs = [_pair(Pair, lesson, folder / "pictures") for lesson in stored]
    return list(clean(pairs).pairs)


def _write(file: Path, found: list[lessons.Lesson]) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(each) for each in found]), encoding="utf-8")
    partial.rename(file)


def _pair(make: "Callable[..., Pair]", lesson: lessons.Lesson, folder: Path) -> "Pair":
    return make(
        text=lesson.text,
        pictures=tuple(folder / key for key in lesson.pictures),
        source=lesson.video_id,
        kind=lesson.kind,
        person=lesson.person,
        against=tuple(tuple(folder / key for key in each) for each in lesson.against),
    )


def _folder(parts: Parts) -> Path:
    return parts.settings.data_dir / "work" / JOB
