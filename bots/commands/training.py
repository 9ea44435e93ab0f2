"""Commands for retraining and for the models that came out of it."""

from collections.abc import Mapping
from typing import Final

from bots.commands.client import Client
from bots.commands.errors import code_reply, describe_error, reply_on_error
from bots.commands.replies import Confirmation, Replies, Reply, TextReply, TrainingProgress
from bots.i18n.messages import Msg
from bots.i18n.translate import format_bytes, format_clock, format_count, translate
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.models import PreviewRetrain, Retrain, TrainingDataSummary
from worker.protocol.updates import (
    JobFailed,
    RetrainFinished,
    RetrainOutcome,
    RetrainProgress,
    RetrainStage,
    Update,
)

_STAGES: Final[Mapping[RetrainStage, Msg]] = {
    RetrainStage.LOAD: Msg.LOADING,
    RetrainStage.FETCH: Msg.FETCHING_MODEL,
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
    RetrainOutcome.SWITCHED: Msg.SWITCHED,
    RetrainOutcome.ALREADY: Msg.ALREADY_USED,
    RetrainOutcome.TOO_FEW: Msg.TOO_FEW_HELD_OUT,
}
_OVERRIDDEN: Final[Mapping[RetrainOutcome, Msg]] = {
    RetrainOutcome.NOT_BETTER: Msg.OVERRODE_NOT_BETTER,
    RetrainOutcome.FORGETS: Msg.OVERRODE_FORGETS,
    RetrainOutcome.TOO_FEW: Msg.OVERRODE_TOO_FEW,
}
"""The sentence for each outcome that an admin has overridden."""


@reply_on_error
async def retrain(client: Client, caller: Caller, action: str = "preview", *, is_retry: bool = False) -> Replies:
    """Preview, start or cancel a retrain.

    `preview` shows the training data and asks for confirmation, `start` trains and shows the progress. With
    `is_retry`, a running retrain is followed, but no new one starts.
    """
    match action:
        case "cancel":
            yield await cancel_training(client, caller)
        case "start":
            running = await client.call(Retrain(caller=caller, start=not is_retry))
            if running.job_id is None:
                yield TextReply(translate(Msg.RETRAIN_NONE))
                return
            yield TrainingProgress(translate(Msg.RETRAIN_BEGUN if running.is_new else Msg.RETRAIN_RUNS), 0.0)
            async for update in client.follow(running.job_id):
                if (reply := make_progress_reply(update)) is not None:
                    yield reply
        case _:
            yield _preview_reply(await client.call(PreviewRetrain(caller=caller)))


async def cancel_training(client: Client, caller: Caller) -> Reply:
    """End the caller's retrain or switch. Returns what becomes of it."""
    running = await client.call(Retrain(caller=caller, cancel=True))
    return TextReply(translate(Msg.RETRAIN_ENDS if running.job_id else Msg.RETRAIN_NONE))


def _preview_reply(summary: TrainingDataSummary) -> Reply:
    if summary.missing_pairs:
        text = translate(Msg.MATERIAL_MISSING, pairs=summary.pairs, missing=summary.missing_pairs)
        return TextReply(text, ok=False, code=ErrorCode.TOO_FEW_PAIRS)
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(summary.pairs_by_kind.items()))
    videos = format_count(summary.videos, Msg.VIDEOS_ONE, Msg.VIDEOS)
    sentences = [translate(Msg.MATERIAL, pairs=summary.pairs, videos=videos, kinds=kinds)]
    if summary.unrelated:
        sentences.append(translate(Msg.MATERIAL_UNRELATED, count=summary.unrelated))
    sentences.append(translate(Msg.RETRAIN_ASK))
    return Confirmation(" ".join(sentences), translate(Msg.RETRAIN_GO), "retrain", {"action": "start"})


def make_progress_reply(update: Update) -> Reply | None:
    match update:
        case RetrainProgress():
            parts = [translate(_STAGES[update.stage])]
            if update.steps:
                is_download = update.stage is RetrainStage.FETCH
                step, steps = (format_bytes(each) if is_download else each for each in (update.step, update.steps))
                parts.append(f"{step}/{steps}")
            if update.loss is not None:
                parts.append(translate(Msg.LOSS, loss=f"{update.loss:.3f}"))
            if update.left_s is not None:
                parts.append(translate(Msg.LEFT, time=format_clock(update.left_s)))
            return TrainingProgress(" · ".join(parts), update.step / update.steps if update.steps else 0.0)
        case RetrainFinished():
            return TrainingProgress(_describe_outcome(update), 1.0, is_final=True, picture=update.picture)
        case JobFailed():
            return code_reply(*describe_error(CallFailedError(update.code, update.correlation_id)))
    return None


def _describe_outcome(update: RetrainFinished) -> str:
    """Return the sentence of the outcome, and those of what was overridden or is left as it was."""
    figures = format_recall(update.r5_before, update.r5, update.questions)
    sentences = [translate(_OUTCOMES[update.outcome], name=update.generation, **figures)]
    if update.diverged_at is not None:
        sentences.append(translate(Msg.TRAINING_BROKE_OFF, step=update.diverged_at))
    if update.overridden:
        sentences.append(translate(_OVERRIDDEN[update.overridden], **figures))
    if update.moments_without_frames:
        sentences.append(translate(Msg.WITHOUT_FRAMES, count=update.moments_without_frames))
    if update.spaces_with_own_model:
        sentences.append(translate(Msg.OWN_MODELS_STAY, count=update.spaces_with_own_model))
    return " ".join(sentences)


def format_recall(before: float | None, after: float | None, questions: int) -> dict[str, object]:
    """Return the values for sentences that compare recall at 5 on held-out questions before and after training."""
    return {"before": _format_percent(before), "after": _format_percent(after), "questions": questions}


def _format_percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
