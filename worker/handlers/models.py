"""Handlers of a space's models: retraining, listing the generations, and rolling back."""

from datetime import UTC, datetime

from indexer.generation_id import GenerationId
from indexer.store.generations import GenerationStore
from indexer.store.records import GenerationRecord, RetrainRecord
from indexer.store.stores import Stores
from worker.handlers.access import require_admin
from worker.handlers.errors import RequestRefusedError
from worker.jobs.index_queue import IndexQueue
from worker.jobs.retrain_queue import RetrainQueue
from worker.jobs.training_data import collect_examples, summarize
from worker.protocol.error_codes import ErrorCode
from worker.protocol.models import (
    Generation,
    ListModels,
    ModelList,
    PreviewRetrain,
    Retrain,
    RetrainStarted,
    Rollback,
    TrainingDataSummary,
)
from worker.settings import Settings


def preview_retrain(settings: Settings, stores: Stores, request: PreviewRetrain) -> TrainingDataSummary:
    """Summarize what a retrain would learn from. Raises `RequestRefusedError` if the caller is not an admin."""
    require_admin(request.caller)
    return summarize(collect_examples(stores, settings.adapter_scope_of(request.caller.space)))


def retrain(settings: Settings, stores: Stores, retrain_queue: RetrainQueue, request: Retrain) -> RetrainStarted:
    """Start a retrain of the caller's model, return the one that is running, or cancel it.

    Only one retrain runs in an installation at a time. Raises `RequestRefusedError` if the caller is not an admin,
    if there is too little training data, or if another space's retrain is running.
    """
    require_admin(request.caller)
    retrains, space = stores.retrains, settings.adapter_scope_of(request.caller.space)
    running = retrains.get_current()
    is_own = running is not None and space in (None, running.space)
    job_id = retrain_queue.job_id(space)
    if request.cancel:
        return RetrainStarted(job_id=job_id if is_own and retrains.cancel() else None)
    if is_own:
        retrain_queue.enqueue()
        return RetrainStarted(job_id=job_id)
    if not request.start:
        return RetrainStarted(job_id=job_id if retrain_queue.has_result(job_id) else None)
    if running is None and summarize(collect_examples(stores, space)).missing_pairs:
        raise RequestRefusedError(ErrorCode.TOO_FEW_PAIRS)
    # Another space may have started one while the examples were collected.
    if running is not None or retrains.get_current() is not None:
        raise RequestRefusedError(ErrorCode.TRAINING_ELSEWHERE)
    caller = request.caller
    retrains.put(RetrainRecord(caller.space, caller.user_id, datetime.now(UTC).isoformat()))
    retrain_queue.enqueue()
    return RetrainStarted(job_id=job_id, is_new=True)


def list_models(settings: Settings, generations: GenerationStore, request: ListModels) -> ModelList:
    """List the generations of the caller's space, and those of the installation that the space searches."""
    space = settings.adapter_scope_of(request.caller.space)
    live, previous = generations.get_live(space), generations.get_previous(space)
    records = [
        record
        for record in generations.list_records()
        if record.generation.space == space or record.generation in (live, previous)
    ]
    if live and all(record.generation != live for record in records):
        records = [GenerationRecord(live, settings.preset, None), *records]
    return ModelList(generations=tuple(_to_message(record, live) for record in records))


def _to_message(record: GenerationRecord, live: GenerationId | None) -> Generation:
    return Generation(
        name=str(record.generation),
        preset=record.preset,
        adapter=record.adapter,
        made_at=record.made_at,
        live=record.generation == live,
        r5_before=record.r5_before,
        r5=record.r5,
        questions=record.questions,
    )


def rollback(
    settings: Settings,
    generations: GenerationStore,
    index_queue: IndexQueue,
    retrain_queue: RetrainQueue,
    request: Rollback,
) -> ModelList:
    """Switch searches back to the previous generation at once, and re-embed the videos added since for it.

    Raises `RequestRefusedError` if the caller is not an admin, or if the target is neither the live nor the previous
    generation.
    """
    require_admin(request.caller)
    space = settings.adapter_scope_of(request.caller.space)
    live, previous = generations.get_live(space), generations.get_previous(space)
    target = GenerationId.parse(request.to) if request.to else previous
    if target is None or target not in (live, previous):
        raise RequestRefusedError(ErrorCode.NO_OTHER_MODEL)
    generations.switch_to(target, space)
    if target.space:
        index_queue.enqueue_missing(target)
    elif not space:
        retrain_queue.enqueue_catch_up()
    return list_models(settings, generations, ListModels(caller=request.caller))
