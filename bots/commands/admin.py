"""What a space's admins can ask for, and what the space keeps: settings, retraining, models, privacy."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, get_args

from bots.commands.client import Client
from bots.commands.replies import Confirmation, Replies, Reply, SettingsView, TextReply, TrainingProgress
from bots.commands.search import answered, blame
from bots.i18n.messages import Msg
from bots.i18n.translate import clean, clock, count, date, translate
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, SpaceSettings

OPTIONS: Final[Mapping[str, Msg]] = {
    "watched": Msg.WATCHED,
    "submitters": Msg.SUBMITTERS,
    "language": Msg.LANGUAGE,
    "answers": Msg.ANSWERS,
    "rooms": Msg.ROOMS,
}
"""Each setting of a space; the names are those of `SpaceSettings`."""
_CHANNELS: Final[Mapping[str, re.Pattern[str]]] = {
    "discord": re.compile(r"\d{15,21}"),
    "slack": re.compile(r"[CG][A-Z0-9]{6,}"),
}
"""How each platform's channel ids look."""

ACTIONS: Final[Mapping[str, str]] = {"status": "status", "rollback": "rollback", "promote": "promote NAME"}
"""What `model` can do, and how that is typed."""

_STAGES: Final[Mapping[str, Msg]] = {
    "waiting": Msg.QUEUED,
    "gather": Msg.GATHERING,
    "train": Msg.TRAINING,
    "evaluate": Msg.EVALUATING,
    "embed": Msg.REEMBEDDING,
    "switch": Msg.SWITCHING,
}
_ENDS: Final[Mapping[str, Msg]] = {
    "promoted": Msg.PROMOTED,
    "not_better": Msg.NOT_BETTER,
    "forgets": Msg.FORGETS,
    "cancelled": Msg.CANCELLED,
}


@answered
async def privacy(client: Client, caller: Caller) -> Replies:
    """What is kept, who finds it, and how to take it back."""
    terms = await client.call(messages.GetRetentionPolicy(caller=caller))
    training = Msg.PRIVACY_TRAINING_ALL if terms.adapter_scope == "installation" else Msg.PRIVACY_TRAINING
    sentences = [
        translate(Msg.PRIVACY, training=translate(training), days=f"{terms.leave_grace_days:g}"),
        translate(Msg.PRIVACY_SEARCHES, days=f"{terms.keep_shown_days:g}"),
    ]
    for text, days in ((Msg.PRIVACY_VOTES, terms.keep_queries_days), (Msg.PRIVACY_FRAMES, terms.keep_frames_days)):
        sentences += [translate(text, days=f"{days:g}")] if days is not None else []
    yield TextReply(" ".join(sentences))


@answered
async def settings(client: Client, caller: Caller, name: str = "", value: str = "") -> Replies:
    """The settings; with a `name`, that one changed to `value`. `watched` takes channel ids parted by spaces."""
    if refused := refused_setting(caller, name, value):
        yield refused
        return
    decided = await client.call(messages.GetSettings(caller=caller))
    if name:
        changed = SpaceSettings.model_validate(decided.model_dump() | {name: _value(name, value)})
        decided = await client.call(messages.ChangeSettings(caller=caller, settings=changed))
    yield SettingsView(_lines(decided), translate(Msg.SETTING_CHANGED) if name else "")


def refused_setting(caller: Caller, name: str, value: str) -> TextReply | None:
    """What to say of a setting that does not exist, or can't be that."""
    if name and name not in OPTIONS:
        return TextReply(translate(Msg.SETTING_UNKNOWN, name=clean(name), all=", ".join(OPTIONS)), ok=False)
    if name and choices(name) and value not in choices(name):
        return TextReply(
            translate(Msg.SETTING_REFUSED, name=name, all=", ".join(filter(None, choices(name)))), ok=False
        )
    if name == "watched" and (wrong := _no_channel(caller.space, value)):
        return TextReply(translate(Msg.CHANNEL_REFUSED, name=clean(wrong)), ok=False)
    return None


def _no_channel(space: str, value: str) -> str:
    """The first word that is no channel id of the space's platform: watched, it would never be heard."""
    pattern = _CHANNELS.get(space.partition(":")[0])
    return next((word for word in value.split() if not (pattern and pattern.fullmatch(word))), "")


def choices(name: str) -> tuple[str, ...]:
    """What a setting can be; empty where that is not a choice of few."""
    return get_args(SpaceSettings.model_fields[name].annotation) if name != "watched" else ()


@answered
async def retrain(client: Client, caller: Caller, action: str = "preview", *, again: bool = False) -> Replies:
    """`preview` shows what would be learnt from and asks; `start` trains and follows; `cancel` ends it.

    `again`: what was started is followed, and nothing new begins.
    """
    match action:
        case "cancel":
            running = await client.call(messages.Retrain(caller=caller, cancel=True))
            yield TextReply(translate(Msg.RETRAIN_ENDS if running.job_id else Msg.RETRAIN_NONE))
        case "start":
            running = await client.call(messages.Retrain(caller=caller, begin=not again))
            if running.job_id is None:
                yield TextReply(translate(Msg.RETRAIN_NONE))
                return
            yield TrainingProgress(translate(Msg.RETRAIN_BEGUN if running.begun else Msg.RETRAIN_RUNS), 0.0)
            async for update in client.follow(running.job_id):
                if (lesson := _lesson(update)) is not None:
                    yield lesson
        case _:
            yield _asked(await client.call(messages.PreviewRetrain(caller=caller)))


@answered
async def model(
    client: Client, caller: Caller, action: str = "status", *, to: str = "", again: bool = False
) -> Replies:
    """`status` lists the generations; `rollback` goes back to the one before, `promote` puts `to` in use.

    `again`: perhaps that was done already, so only the list is shown.
    """
    if action not in ACTIONS or (action == "promote" and not to):
        yield TextReply(translate(Msg.SETTING_REFUSED, name="model", all=", ".join(ACTIONS.values())), ok=False)
        return
    if action in ("rollback", "promote") and not again:
        kept = await client.call(messages.Rollback(caller=caller, to=to or None))
        live = next(each for each in kept.generations if each.live)
        yield TextReply(translate(Msg.ROLLED_BACK, name=live.name))
        return
    kept = await client.call(messages.ListModels(caller=caller))
    yield TextReply("\n".join(_generation(each) for each in kept.generations))


def _asked(material: messages.TrainingDataSummary) -> Reply:
    if material.missing:
        text = translate(Msg.MATERIAL_MISSING, pairs=material.pairs, missing=material.missing)
        return TextReply(text, ok=False, code=ErrorCode.TOO_FEW_PAIRS)
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(material.kinds.items()))
    videos = count(material.videos, Msg.VIDEOS_ONE, Msg.VIDEOS)
    text = translate(Msg.MATERIAL, pairs=material.pairs, videos=videos, kinds=kinds)
    return Confirmation(
        f"{text} {translate(Msg.RETRAIN_ASK)}", translate(Msg.RETRAIN_GO), "retrain", {"action": "start"}
    )


def _lesson(update: messages.Update) -> Reply | None:
    match update:
        case messages.RetrainProgress():
            parts = [translate(_STAGES[update.stage])]
            if update.steps:
                parts.append(f"{update.step}/{update.steps}")
            if update.loss is not None:
                parts.append(translate(Msg.LOSS, loss=f"{update.loss:.3f}"))
            if update.left_s is not None:
                parts.append(translate(Msg.LEFT, time=clock(update.left_s)))
            return TrainingProgress(" · ".join(parts), update.step / update.steps if update.steps else 0.0)
        case messages.RetrainFinished():
            figures = {"before": _share(update.r5_before), "after": _share(update.r5), "questions": update.questions}
            return TrainingProgress(translate(_ENDS[update.outcome], **figures), 1.0, over=True, picture=update.picture)
        case messages.JobFailed():
            code, correlation_id = blame(messages.CallFailedError(update.code, update.correlation_id))
            return TextReply(translate(code), ok=False, code=code, correlation_id=correlation_id)
    return None


def _generation(each: messages.Generation) -> str:
    figures = {"before": _share(each.r5_before), "after": _share(each.r5), "questions": each.questions}
    parts = [
        translate(Msg.MODEL_LINE, name=each.name, date=date(each.made_at)),
        translate(Msg.MODEL_FIGURES, **figures) if each.r5 is not None else translate(Msg.MODEL_PLAIN),
        translate(Msg.MODEL_LIVE) if each.live else "",
    ]
    return " · ".join(filter(None, parts))


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _value(name: str, value: str) -> str | Sequence[str]:
    return tuple(value.split()) if name == "watched" else value


def _lines(decided: SpaceSettings) -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
    values = {name: getattr(decided, name) for name in OPTIONS}
    shown = {name: value if isinstance(value, str) else " ".join(value) for name, value in values.items()}
    return tuple((name, translate(text), shown[name], choices(name)) for name, text in OPTIONS.items())
