"""What a worker answers where an admin lets the search learn, or goes back."""

from datetime import UTC, datetime

from indexer.generations import GenerationRecord, Retraining
from worker import lessons, retraining
from worker.codes import Code
from worker.compose import Parts
from worker.decisions import Refusal, admins_only
from worker.messages import Generation, Material, Models, PreviewRetrain, ReadModels, Retrain, Rollback, Training


def preview_retrain(parts: Parts, request: PreviewRetrain) -> Material:
    admins_only(request.asker)
    return lessons.material(lessons.lessons(parts, _scope(parts, request.asker.space)))


def retrain(parts: Parts, request: Retrain) -> Training:
    admins_only(request.asker)
    if request.cancel:
        return Training(job_id=retraining.JOB if parts.generations.cancel() else None)
    if parts.generations.retraining() is not None:
        retraining.send_retrain(parts)
        return Training(job_id=retraining.JOB)
    if parts.settings.adapter_scope == "space" and parts.library.spaces() - {request.asker.space}:
        raise Refusal(Code.SPACES_SHARE)
    if lessons.material(lessons.lessons(parts, _scope(parts, request.asker.space))).missing:
        raise Refusal(Code.TOO_FEW_PAIRS)
    asker = request.asker
    parts.generations.put_retraining(Retraining(asker.space, asker.person, datetime.now(UTC).isoformat()))
    retraining.send_retrain(parts)
    return Training(job_id=retraining.JOB, begun=True)


def read_models(parts: Parts, request: ReadModels) -> Models:
    live, kept = parts.library.generation, parts.generations.all()
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
    to = request.to or parts.library.before
    if to not in (parts.library.generation, parts.library.before) or to is None:
        raise Refusal(Code.NO_OTHER_MODEL)
    parts.library.switch(to)
    retraining.send_catch_up(parts)
    return read_models(parts, ReadModels(asker=request.asker))


def _scope(parts: Parts, space: str) -> str | None:
    """Whose videos teach; None: those of all spaces."""
    return None if parts.settings.adapter_scope == "installation" else space
