"""What a worker answers where an admin lets the search learn, or goes back."""

from datetime import UTC, datetime

from indexer.store.generations import GenerationRecord, Retraining, space_of
from worker.handlers.spaces import RequestRefusedError, admins_only
from worker.jobs import retrain as retraining
from worker.jobs import training_data
from worker.jobs.index import send_missing
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import (
    Caller,
    Generation,
    ListModels,
    ModelList,
    PreviewRetrain,
    Retrain,
    RetrainStarted,
    Rollback,
    TrainingDataSummary,
)
from worker.services import Services


def preview_retrain(services: Services, request: PreviewRetrain) -> TrainingDataSummary:
    admins_only(request.caller)
    return training_data.material(training_data.lessons(services, _apart(services, request.caller)))


def retrain(services: Services, request: Retrain) -> RetrainStarted:
    admins_only(request.caller)
    space, running = _apart(services, request.caller), services.generations.retraining()
    mine = running is not None and space in ("", running.space)
    job = retraining.job_id(space)
    if request.cancel:
        return RetrainStarted(job_id=job if mine and services.generations.cancel() else None)
    if mine:
        retraining.send_retrain(services)
        return RetrainStarted(job_id=job)
    if not request.begin:
        return RetrainStarted(job_id=job if services.app.AsyncResult(job).ready() else None)
    if running is None and training_data.material(training_data.lessons(services, space)).missing:
        raise RequestRefusedError(ErrorCode.TOO_FEW_PAIRS)
    if (
        running is not None or services.generations.retraining() is not None
    ):  # begun elsewhere while lessons were counted
        raise RequestRefusedError(ErrorCode.TRAINING_ELSEWHERE)
    caller = request.caller
    services.generations.put_retraining(Retraining(caller.space, caller.user_id, datetime.now(UTC).isoformat()))
    retraining.send_retrain(services)
    return RetrainStarted(job_id=job, begun=True)


def read_models(services: Services, request: ListModels) -> ModelList:
    """Those of the asker's space, and the installation's as far as the space searches them."""
    space = _apart(services, request.caller)
    live, before = services.library.generation(space), services.library.before(space)
    kept = [each for each in services.generations.all() if each.space == space or each.name in (live, before)]
    if live and all(record.name != live for record in kept):
        kept = [GenerationRecord(live, services.settings.preset, ""), *kept]
    return ModelList(
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


def rollback(services: Services, request: Rollback) -> ModelList:
    """Searches change at once; what was added since is embedded again for the model that is back."""
    admins_only(request.caller)
    space = _apart(services, request.caller)
    live, before = services.library.generation(space), services.library.before(space)
    to = request.to or before
    if to is None or to not in (live, before):
        raise RequestRefusedError(ErrorCode.NO_OTHER_MODEL)
    services.library.switch(to, space)
    if space_of(to):
        send_missing(services, to)
    elif not space:
        retraining.send_catch_up(services)
    return read_models(services, ListModels(caller=request.caller))


def _apart(services: Services, caller: Caller) -> str:
    """The asker's space where that has its adapter to itself; empty where all have one."""
    return services.settings.adapter_space(caller.space)
