"""Commands for retraining and for the models that came out of it."""

from collections.abc import Mapping
from typing import Final

from bots.commands.client import Client
from bots.commands.errors import code_reply, describe_error, reply_on_error
from bots.commands.replies import Confirmation, Replies, Reply, TextReply, TrainingProgress
from bots.i18n.messages import Msg
from bots.i18n.translate import format_clock, format_count, format_date, translate
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.models import Generation, ListModels, PreviewRetrain, Retrain, Rollback, TrainingDataSummary
from worker.protocol.updates import (
    JobFailed,
    RetrainFinished,
    RetrainOutcome,
    RetrainProgress,
    RetrainStage,
    Update,
)

MODEL_ACTIONS: Final[Mapping[str, str]] = {
    "status": "status",
    "list": "list",
    "rollback": "rollback",
    "promote": "promote NAME",
}
"""The actions of `manage_models`, with how each is typed. `list` is another word for `status`."""

_STAGES: Final[Mapping[RetrainStage, Msg]] = {
    RetrainStage.GATHER: Msg.GATHERING,
    RetrainStage.TRAIN: Msg.TRAINING,
    RetrainStage.EVALUATE: Msg.EVALUATING,
    RetrainStage.EMBED: Msg.REEMBEDDING,
    RetrainStage.SWITCH: Msg.SWITCHING,
}
_OUTCOMES: Final[Mapping[RetrainOutcome, Msg]] = {
    RetrainOutcome.PROMOTED: Msg.PROMOTED,
    RetrainOutcome.NOT_BETTER: Msg.NOT_BETTER,
    RetrainOutcome.FORGETS: Msg.FORGETS,
    RetrainOutcome.CANCELLED: Msg.CANCELLED,
}


@reply_on_error
async def retrain(client: Client, caller: Caller, action: str = "preview", *, is_retry: bool = False) -> Replies:
    """Preview, start or cancel a retrain.

    `preview` shows the training data and asks for confirmation, `start` trains and shows the progress. With
    `is_retry`, a running retrain is followed, but no new one starts.
    """
    match action:
        case "cancel":
            running = await client.call(Retrain(caller=caller, cancel=True))
            yield TextReply(translate(Msg.RETRAIN_ENDS if running.job_id else Msg.RETRAIN_NONE))
        case "start":
            running = await client.call(Retrain(caller=caller, start=not is_retry))
            if running.job_id is None:
                yield TextReply(translate(Msg.RETRAIN_NONE))
                return
            yield TrainingProgress(translate(Msg.RETRAIN_BEGUN if running.is_new else Msg.RETRAIN_RUNS), 0.0)
            async for update in client.follow(running.job_id):
                if (reply := _make_progress_reply(update)) is not None:
                    yield reply
        case _:
            yield _preview_reply(await client.call(PreviewRetrain(caller=caller)))


@reply_on_error
async def manage_models(
    client: Client, caller: Caller, action: str = "status", *, to: str | None = None, is_retry: bool = False
) -> Replies:
    """List the generations (`status`), return to the previous one (`rollback`) or put `to` in use (`promote`).

    With `is_retry`, the change may have been made already, so the generations are only listed.
    """
    if action not in MODEL_ACTIONS or (action == "promote" and not to):
        all_actions = ", ".join(MODEL_ACTIONS.values())
        yield TextReply(translate(Msg.SETTING_REFUSED, name="model", all=all_actions), ok=False)
        return
    if action in ("rollback", "promote") and not is_retry:
        models = await client.call(Rollback(caller=caller, to=to or None))
        live = next(generation for generation in models.generations if generation.live)
        yield TextReply(translate(Msg.ROLLED_BACK, name=live.name))
        return
    models = await client.call(ListModels(caller=caller))
    yield TextReply("\n".join(_describe_generation(generation) for generation in models.generations))


def _preview_reply(summary: TrainingDataSummary) -> Reply:
    if summary.missing_pairs:
        text = translate(Msg.MATERIAL_MISSING, pairs=summary.pairs, missing=summary.missing_pairs)
        return TextReply(text, ok=False, code=ErrorCode.TOO_FEW_PAIRS)
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(summary.pairs_by_kind.items()))
    videos = format_count(summary.videos, Msg.VIDEOS_ONE, Msg.VIDEOS)
    text = translate(Msg.MATERIAL, pairs=summary.pairs, videos=videos, kinds=kinds)
    return Confirmation(
        f"{text} {translate(Msg.RETRAIN_ASK)}", translate(Msg.RETRAIN_GO), "retrain", {"action": "start"}
    )


def _make_progress_reply(update: Update) -> Reply | None:
    match update:
        case RetrainProgress():
            parts = [translate(_STAGES[update.stage])]
            if update.steps:
                parts.append(f"{update.step}/{update.steps}")
            if update.loss is not None:
                parts.append(translate(Msg.LOSS, loss=f"{update.loss:.3f}"))
            if update.left_s is not None:
                parts.append(translate(Msg.LEFT, time=format_clock(update.left_s)))
            return TrainingProgress(" · ".join(parts), update.step / update.steps if update.steps else 0.0)
        case RetrainFinished():
            figures = _format_recall(update.r5_before, update.r5, update.questions)
            text = translate(_OUTCOMES[update.outcome], **figures)
            return TrainingProgress(text, 1.0, is_final=True, picture=update.picture)
        case JobFailed():
            return code_reply(*describe_error(CallFailedError(update.code, update.correlation_id)))
    return None


def _describe_generation(generation: Generation) -> str:
    parts = [translate(Msg.MODEL_LINE, name=generation.name, date=format_date(generation.made_at or ""))]
    if generation.r5 is not None:
        figures = _format_recall(generation.r5_before, generation.r5, generation.questions)
        parts.append(translate(Msg.MODEL_FIGURES, **figures))
    else:
        parts.append(translate(Msg.MODEL_PLAIN))
    if generation.live:
        parts.append(translate(Msg.MODEL_LIVE))
    return " · ".join(parts)


def _format_recall(before: float | None, after: float | None, questions: int) -> dict[str, object]:
    """Return the values for sentences that compare recall at 5 on held-out questions before and after training."""
    return {"before": _format_percent(before), "after": _format_percent(after), "questions": questions}


def _format_percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
