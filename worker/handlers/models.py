"""What a worker answers where an admin lets the search learn, or goes back."""

from datetime import UTC, datetime

from indexer.store.generations import GenerationRecord, Retraining, space_of
from worker.handlers.spaces import Refusal, admins_only
from worker.jobs import retrain as retraining
from worker.jobs import training_data
from worker.jobs.index import send_missing
from worker.protocol.error_codes import Code
from worker.protocol.messages import (
    Asker,
    Generation,
    Material,
    Models,
    PreviewRetrain,
    ReadModels,
    Retrain,
    Rollback,
    Training,
)
from worker.services import Parts


def preview_retrain(parts: Parts, request: PreviewRetrain) -> Material:
    admins_only(request.asker)
    return training_data.material(training_data.lessons(parts, _apart(parts, request.asker)))


def retrain(parts: Parts, request: Retrain) -> Training:
    admins_only(request.asker)
    space, running = _apart(parts, request.asker), parts.generations.retraining()
    mine = running is not None and space in ("", running.space)
    job = retraining.job_id(space)
    if request.cancel:
        return Training(job_id=job if mine and parts.generations.cancel() else None)
    if mine:
        retraining.send_retrain(parts)
        return Training(job_id=job)
    if not request.begin:
        return Training(job_id=job if parts.app.AsyncResult(job).ready() else None)
    if running is None and training_data.material(training_data.lessons(parts, space)).missing:
        raise Refusal(Code.TOO_FEW_PAIRS)
    if running is not None or parts.generations.retraining() is not None:  # begun elsewhere while lessons were counted
        raise Refusal(Code.TRAINING_ELSEWHERE)
    asker = request.asker
    parts.generations.put_retraining(Retraining(asker.space, asker.person, datetime.now(UTC).isoformat()))
    retraining.send_retrain(parts)
    return Training(job_id=job, begun=True)


def read_models(parts: Parts, request: ReadModels) -> Models:
    """Those of the asker's space, and the installation's as far as the space searches them."""
    space = _apart(parts, request.asker)
    live, before = parts.library.generation(space), parts.library.before(space)
    kept = [each for each in parts.generations.all() if each.space == space or each.name in (live, before)]
    if live and all(record.name != live for record in kept):
        kept = [GenerationRecord(live, parts.settings.preset, ""), *kept]
    return Models(
        generations=tuple(
            Generation(
                name=record.name,
                preset=record.preset,
                adapter=record.adapter,
                made_at=record.made_at,
                live=record.name == live,
                r5_before=record.r5_before,
                r5=record.r5,
                questions=record.questions,
            )
            for record in kept
        )
    )


def rollback(parts: Parts, request: Rollback) -> Models:
    """Searches change at once; what was added since is embedded again for the model that is back."""
    admins_only(request.asker)
    space = _apart(parts, request.asker)
    live, before = parts.library.generation(space), parts.library.before(space)
    to = request.to or before
    if to is None or to not in (live, before):
        raise Refusal(Code.NO_OTHER_MODEL)
    parts.library.switch(to, space)
    if space_of(to):
        send_missing(parts, to)
    elif not space:
        retraining.send_catch_up(parts)
    return read_models(parts, ReadModels(asker=request.asker))


def _apart(parts: Parts, asker: Asker) -> str:
    """The asker's space where that has its adapter to itself; empty where all have one."""
    return parts.settings.adapter_space(asker.space)
