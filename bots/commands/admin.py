"""What a space's admins can ask for, and what the space keeps: settings, retraining, models, privacy."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, get_args

from bots.commands.client import Client
from bots.commands.replies import Confirm, Lesson, Options, Replies, Reply, Sentence
from bots.commands.search import answered, blame
from bots.i18n.messages import Text
from bots.i18n.translate import clean, clock, count, date, say
from worker.protocol import messages
from worker.protocol.error_codes import Code
from worker.protocol.messages import Asker, SpaceSettings

OPTIONS: Final[Mapping[str, Text]] = {
    "watched": Text.WATCHED,
    "submitters": Text.SUBMITTERS,
    "language": Text.LANGUAGE,
    "answers": Text.ANSWERS,
    "rooms": Text.ROOMS,
}
"""Each setting of a space; the names are those of `SpaceSettings`."""
_CHANNELS: Final[Mapping[str, re.Pattern[str]]] = {
    "discord": re.compile(r"\d{15,21}"),
    "slack": re.compile(r"[CG][A-Z0-9]{6,}"),
}
"""How each platform's channel ids look."""

ACTIONS: Final[Mapping[str, str]] = {"status": "status", "rollback": "rollback", "promote": "promote NAME"}
"""What `model` can do, and how that is typed."""

_STAGES: Final[Mapping[str, Text]] = {
    "waiting": Text.QUEUED,
    "gather": Text.GATHERING,
    "train": Text.TRAINING,
    "evaluate": Text.EVALUATING,
    "embed": Text.REEMBEDDING,
    "switch": Text.SWITCHING,
}
_ENDS: Final[Mapping[str, Text]] = {
    "promoted": Text.PROMOTED,
    "not_better": Text.NOT_BETTER,
    "forgets": Text.FORGETS,
    "cancelled": Text.CANCELLED,
}


@answered
async def privacy(client: Client, asker: Asker) -> Replies:
    """What is kept, who finds it, and how to take it back."""
    terms = await client.call(messages.ReadTerms(asker=asker))
    training = Text.PRIVACY_TRAINING_ALL if terms.adapter_scope == "installation" else Text.PRIVACY_TRAINING
    sentences = [
        say(Text.PRIVACY, training=say(training), days=f"{terms.leave_grace_days:g}"),
        say(Text.PRIVACY_SEARCHES, days=f"{terms.keep_shown_days:g}"),
    ]
    for text, days in ((Text.PRIVACY_VOTES, terms.keep_queries_days), (Text.PRIVACY_FRAMES, terms.keep_frames_days)):
        sentences += [say(text, days=f"{days:g}")] if days is not None else []
    yield Sentence(" ".join(sentences))


@answered
async def settings(client: Client, asker: Asker, name: str = "", value: str = "") -> Replies:
    """The settings; with a `name`, that one changed to `value`. `watched` takes channel ids parted by spaces."""
    if refused := refused_setting(asker, name, value):
        yield refused
        return
    decided = await client.call(messages.ReadSettings(asker=asker))
    if name:
        changed = SpaceSettings.model_validate(decided.model_dump() | {name: _value(name, value)})
        decided = await client.call(messages.ChangeSettings(asker=asker, settings=changed))
    yield Options(_lines(decided), say(Text.SETTING_CHANGED) if name else "")


def refused_setting(asker: Asker, name: str, value: str) -> Sentence | None:
    """What to say of a setting that does not exist, or can't be that."""
    if name and name not in OPTIONS:
        return Sentence(say(Text.SETTING_UNKNOWN, name=clean(name), all=", ".join(OPTIONS)), ok=False)
    if name and choices(name) and value not in choices(name):
        return Sentence(say(Text.SETTING_REFUSED, name=name, all=", ".join(filter(None, choices(name)))), ok=False)
    if name == "watched" and (wrong := _no_channel(asker.space, value)):
        return Sentence(say(Text.CHANNEL_REFUSED, name=clean(wrong)), ok=False)
    return None


def _no_channel(space: str, value: str) -> str:
    """The first word that is no channel id of the space's platform: watched, it would never be heard."""
    pattern = _CHANNELS.get(space.partition(":")[0])
    return next((word for word in value.split() if not (pattern and pattern.fullmatch(word))), "")


def choices(name: str) -> tuple[str, ...]:
    """What a setting can be; empty where that is not a choice of few."""
    return get_args(SpaceSettings.model_fields[name].annotation) if name != "watched" else ()


@answered
async def retrain(client: Client, asker: Asker, action: str = "preview", *, again: bool = False) -> Replies:
    """`preview` shows what would be learnt from and asks; `start` trains and follows; `cancel` ends it.

    `again`: what was started is followed, and nothing new begins.
    """
    match action:
        case "cancel":
            running = await client.call(messages.Retrain(asker=asker, cancel=True))
            yield Sentence(say(Text.RETRAIN_ENDS if running.job_id else Text.RETRAIN_NONE))
        case "start":
            running = await client.call(messages.Retrain(asker=asker, begin=not again))
            if running.job_id is None:
                yield Sentence(say(Text.RETRAIN_NONE))
                return
            yield Lesson(say(Text.RETRAIN_BEGUN if running.begun else Text.RETRAIN_RUNS), 0.0)
            async for update in client.follow(running.job_id):
                if (lesson := _lesson(update)) is not None:
                    yield lesson
        case _:
            yield _asked(await client.call(messages.PreviewRetrain(asker=asker)))


@answered
async def model(client: Client, asker: Asker, action: str = "status", *, to: str = "", again: bool = False) -> Replies:
    """`status` lists the generations; `rollback` goes back to the one before, `promote` puts `to` in use.

    `again`: perhaps that was done already, so only the list is shown.
    """
    if action not in ACTIONS or (action == "promote" and not to):
        yield Sentence(say(Text.SETTING_REFUSED, name="model", all=", ".join(ACTIONS.values())), ok=False)
        return
    if action in ("rollback", "promote") and not again:
        kept = await client.call(messages.Rollback(asker=asker, to=to or None))
        live = next(each for each in kept.generations if each.live)
        yield Sentence(say(Text.ROLLED_BACK, name=live.name))
        return
    kept = await client.call(messages.ReadModels(asker=asker))
    yield Sentence("\n".join(_generation(each) for each in kept.generations))


def _asked(material: messages.Material) -> Reply:
    if material.missing:
        text = say(Text.MATERIAL_MISSING, pairs=material.pairs, missing=material.missing)
        return Sentence(text, ok=False, code=Code.TOO_FEW_PAIRS)
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(material.kinds.items()))
    videos = count(material.videos, Text.VIDEOS_ONE, Text.VIDEOS)
    text = say(Text.MATERIAL, pairs=material.pairs, videos=videos, kinds=kinds)
    return Confirm(f"{text} {say(Text.RETRAIN_ASK)}", say(Text.RETRAIN_GO), "retrain", {"action": "start"})


def _lesson(update: messages.Update) -> Reply | None:
    match update:
        case messages.Learning():
            parts = [say(_STAGES[update.stage])]
            if update.steps:
                parts.append(f"{update.step}/{update.steps}")
            if update.loss is not None:
                parts.append(say(Text.LOSS, loss=f"{update.loss:.3f}"))
            if update.left_s is not None:
                parts.append(say(Text.LEFT, time=clock(update.left_s)))
            return Lesson(" · ".join(parts), update.step / update.steps if update.steps else 0.0)
        case messages.Learned():
            figures = {"before": _share(update.r5_before), "after": _share(update.r5), "questions": update.questions}
            return Lesson(say(_ENDS[update.outcome], **figures), 1.0, over=True, picture=update.picture)
        case messages.Failed():
            code, incident = blame(messages.CallFailed(update.code, update.incident))
            return Sentence(say(code), ok=False, code=code, incident=incident)
    return None


def _generation(each: messages.Generation) -> str:
    figures = {"before": _share(each.r5_before), "after": _share(each.r5), "questions": each.questions}
    parts = [
        say(Text.MODEL_LINE, name=each.name, date=date(each.made_at)),
        say(Text.MODEL_FIGURES, **figures) if each.r5 is not None else say(Text.MODEL_PLAIN),
        say(Text.MODEL_LIVE) if each.live else "",
    ]
    return " · ".join(filter(None, parts))


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _value(name: str, value: str) -> str | Sequence[str]:
    return tuple(value.split()) if name == "watched" else value


def _lines(decided: SpaceSettings) -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
    values = {name: getattr(decided, name) for name in OPTIONS}
    shown = {name: value if isinstance(value, str) else " ".join(value) for name, value in values.items()}
    return tuple((name, say(text), shown[name], choices(name)) for name, text in OPTIONS.items())
