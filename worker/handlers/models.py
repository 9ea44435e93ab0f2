"""Handlers of a space's models: retraining, switching, listing, and rolling back."""

from dataclasses import replace
from datetime import UTC, datetime

from indexer.generation_id import GenerationId
from indexer.store.generations import GenerationStore
from indexer.store.records import GenerationRecord, RetrainRecord
from indexer.store.stores import Stores
from model.errors import WeightsChangedError
from model.preset_files import find_preset
from model.presets import STARTER
from worker.handlers.access import require_admin
from worker.handlers.errors import RequestRefusedError
from worker.jobs.index_queue import IndexQueue
from worker.jobs.retrain_queue import RetrainQueue, find_searcher
from worker.jobs.training_data import collect_examples, estimate_unrelated, summarize
from worker.models.cache import ModelCache
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
    UseModel,
)
from worker.settings import Settings


def preview_retrain(
    settings: Settings, stores: Stores, models: ModelCache, request: PreviewRetrain
) -> TrainingDataSummary:
    """Summarize what a retrain would learn from, without texts that are not about their pictures.

    Raises `RequestRefusedError` if the caller is not an admin, and `ModelError`.
    """
    require_admin(request.caller)
    space = request.caller.space
    examples = collect_examples(stores, settings.adapter_scope_of(space))
    if summarize(examples).missing_pairs:
        return summarize(examples)
    return summarize(examples, estimate_unrelated(stores.moments, models.get_available(space), examples))


def retrain(settings: Settings, stores: Stores, retrain_queue: RetrainQueue, request: Retrain) -> RetrainStarted:
    """Start a retrain of the caller's model, return the one that is running, or cancel it.

    Only one retrain or switch runs in an installation at a time. Raises `RequestRefusedError` if the caller is not an
    admin, if there is too little training data, or if that of another space is running.
    """
    require_admin(request.caller)
    retrains, space = stores.retrains, settings.adapter_scope_of(request.caller.space)
    running = retrains.get_current()
    is_own = running is not None and space in (None, running.space)
    job_id = retrain_queue.job_id(find_searcher(settings, running) if running and is_own else space)
    if request.cancel:
        return RetrainStarted(job_id=job_id if is_own and retrains.cancel() else None)
    if is_own:
        retrain_queue.enqueue()
        return RetrainStarted(job_id=job_id)
    if not request.start:
        return RetrainStarted(job_id=job_id if retrain_queue.has_result(job_id) else None)
    if running is None and summarize(collect_examples(stores, space)).missing_pairs:
        raise RequestRefusedError(ErrorCode.TOO_FEW_PAIRS)
    _start(stores, retrain_queue, RetrainRecord(request.caller.space, request.caller.user_id, _now()))
    return RetrainStarted(job_id=job_id, is_new=True)


def use_model(settings: Settings, stores: Stores, retrain_queue: RetrainQueue, request: UseModel) -> RetrainStarted:
    """Start the switch to another preset or to an adapter, or return it if it is running.

    Raises `RequestRefusedError` if the caller is not an admin, if the operator has not allowed that preset in chats, or
    if another retrain or switch is running; `ModelError` if there is no such preset, or if its file has a mistake.
    """
    require_admin(request.caller)
    caller, is_allowed = request.caller, request.preset in settings.chat_presets and request.offer is None
    if not request.by_operator and not is_allowed:
        raise RequestRefusedError(ErrorCode.PRESET_NOT_ALLOWED)
    find_preset(request.preset, settings.presets_folder)
    wanted = RetrainRecord(
        caller.space,
        caller.user_id,
        _now(),
        preset=request.preset,
        offer=request.offer,
        is_forced=request.is_forced,
        for_installation=request.by_operator and not request.for_space,
    )
    job_id = retrain_queue.job_id(find_searcher(settings, wanted))
    running = stores.retrains.get_current()
    if running and replace(wanted, at=running.at, user_id=running.user_id, generation=running.generation) == running:
        retrain_queue.enqueue()
        return RetrainStarted(job_id=job_id)
    _start(stores, retrain_queue, wanted)
    return RetrainStarted(job_id=job_id, is_new=True)


def _start(stores: Stores, retrain_queue: RetrainQueue, record: RetrainRecord) -> None:
    """Record a retrain or a switch, and send its job. Raises `RequestRefusedError` if another one is running."""
    if stores.retrains.get_current() is not None:
        raise RequestRefusedError(ErrorCode.TRAINING_ELSEWHERE)
    stores.retrains.put(record)
    retrain_queue.enqueue()


def _now() -> str:
    return datetime.now(UTC).isoformat()


def list_models(settings: Settings, generations: GenerationStore, request: ListModels) -> ModelList:
    """List the generations of the caller's space, and those of the installation that the space searches.

    The operator sees all of the installation.
    """
    space = settings.adapter_scope_of(request.caller.space)
    live = generations.get_live(space)
    scopes = (space, None) if request.by_operator else (space,)
    found = (each(scope) for scope in scopes for each in (generations.get_live, generations.get_previous))
    shown = {each for each in found if each is not None}
    records = {record.generation: record for record in generations.list_records() if record.generation.space in scopes}
    records |= {each: generations.describe(each) for each in shown - set(records)}
    in_order = sorted(records.values(), key=lambda each: (each.made_at or "", str(each.generation)), reverse=True)
    return ModelList(
        generations=tuple(_to_message(record, live) for record in in_order), newer=_find_newer(generations, live)
    )


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


def _find_newer(generations: GenerationStore, live: GenerationId | None) -> str | None:
    """Return the preset of a generation if this version has newer weights of it. An adapter has weights of its own."""
    record = generations.describe(live) if live else None
    if record is None or record.adapter or record.preset != STARTER:
        return None
    # torch, which a worker of searches has loaded already
    from model.loader import find_preset_of, is_outdated

    try:
        return STARTER if is_outdated(find_preset_of(STARTER, record.generation.name)) else None
    except WeightsChangedError:
        return None


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
    if request.by_operator and space and generations.get_previous(space) is None:
        space = None
    live, previous = generations.get_live(space), generations.get_previous(space)
    target = GenerationId.parse(request.to) if request.to else previous
    if target is None or target not in (live, previous):
        raise RequestRefusedError(ErrorCode.NO_OTHER_MODEL)
    generations.switch_to(target, space)
    if target.space:
        index_queue.enqueue_missing(target)
    elif not space:
        retrain_queue.enqueue_catch_up()
    return list_models(settings, generations, ListModels(caller=request.caller, by_operator=request.by_operator))
