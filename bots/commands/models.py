"""The command for a space's models: which there are, switching to another one, and going back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bots.commands.client import Client
from bots.commands.errors import reply_on_error
from bots.commands.replies import Replies, TextReply, TrainingProgress
from bots.commands.training import cancel_training, format_recall, make_progress_reply
from bots.i18n.messages import Msg
from bots.i18n.translate import format_bytes, format_date, translate
from worker.protocol.base import Caller
from worker.protocol.models import Generation, ListModels, ListPresets, ModelList, PresetSummary, Rollback, UseModel

MODEL_ACTIONS: Final[Mapping[str, str]] = {
    "status": "status",
    "list": "list",
    "use": "use NAME",
    "cancel": "cancel",
    "rollback": "rollback",
    "promote": "promote NAME",
}
"""The actions of `manage_models`, with how each is typed."""


@reply_on_error
async def manage_models(
    client: Client,
    caller: Caller,
    action: str = "status",
    *,
    to: str | None = None,
    is_retry: bool = False,
    is_forced: bool = False,
    by_operator: bool = False,
    for_space: bool = False,
    offer: str | None = None,
) -> Replies:
    """List the generations (`status`) or the presets (`list`), switch to a preset (`use`), or go back (`rollback`).

    `promote` puts the generation `to` in use, and `cancel` ends a switch. The command line acts `by_operator`, for the
    installation or `for_space`, and may `offer` an adapter. With `is_retry`, the change may have been made already:
    generations are only listed, and a running switch is followed.
    """
    if action not in MODEL_ACTIONS or (action in ("promote", "use") and not to):
        all_actions = ", ".join(MODEL_ACTIONS.values())
        yield TextReply(translate(Msg.SETTING_REFUSED, name="model", all=all_actions), ok=False)
    elif action == "cancel":
        yield await cancel_training(client, caller)
    elif action == "use":
        request = UseModel(
            caller=caller,
            preset=to or "",
            offer=offer,
            is_forced=is_forced,
            by_operator=by_operator,
            for_space=for_space,
        )
        async for reply in _use_model(client, request):
            yield reply
    elif action in ("rollback", "promote") and not is_retry:
        yield await _roll_back(client, Rollback(caller=caller, to=to or None, by_operator=by_operator))
    else:
        if action == "list":
            yield await _list_presets(client, ListPresets(caller=caller, by_operator=by_operator))
        yield await _list_models(client, ListModels(caller=caller, by_operator=by_operator))


async def _use_model(client: Client, request: UseModel) -> Replies:
    """Start a switch, or find the one that is running, and follow it."""
    running = await client.call(request)
    begun = translate(Msg.SWITCH_BEGUN, name=request.preset) if running.is_new else translate(Msg.RETRAIN_RUNS)
    yield TrainingProgress(begun, 0.0, task=request.preset)
    if running.job_id is not None:
        async for update in client.follow(running.job_id):
            reply = make_progress_reply(update)
            if reply is not None:
                yield replace(reply, task=request.preset) if isinstance(reply, TrainingProgress) else reply


async def _roll_back(client: Client, request: Rollback) -> TextReply:
    models = await client.call(request)
    return TextReply(translate(Msg.ROLLED_BACK, name=_find_target(models, request.to).name))


async def _list_presets(client: Client, request: ListPresets) -> TextReply:
    presets = await client.call(request)
    return TextReply("\n".join(_describe_preset(preset) for preset in presets.presets))


async def _list_models(client: Client, request: ListModels) -> TextReply:
    return TextReply(_describe_models(await client.call(request)))


def _find_target(models: ModelList, to: str | None) -> Generation:
    """Return the generation that a rollback has put in use: by name, or else the one that is searched."""
    return next(each for each in models.generations if (each.name == to if to else each.live))


def _describe_models(models: ModelList) -> str:
    lines = [_describe_generation(generation) for generation in models.generations]
    if models.newer:
        lines.append(translate(Msg.NEWER_WEIGHTS, preset=models.newer))
    return "\n".join(lines)


def _describe_generation(generation: Generation) -> str:
    parts = [translate(Msg.MODEL_LINE, name=generation.name, date=format_date(generation.made_at or ""))]
    if generation.r5 is not None:
        figures = format_recall(generation.r5_before, generation.r5, generation.questions)
        parts.append(translate(Msg.MODEL_FIGURES, **figures))
    else:
        parts.append(translate(Msg.MODEL_PLAIN))
    if generation.live:
        parts.append(translate(Msg.MODEL_LIVE))
    return " · ".join(parts)


def _describe_preset(preset: PresetSummary) -> str:
    """Return one line about a preset, and one for each of its models and figures."""
    if preset.problem:
        return f"{preset.name} · {translate(Msg.PRESET_BROKEN, why=preset.problem)}"
    size = translate(Msg.PRESET_SIZE_UNKNOWN) if preset.bytes is None else format_bytes(preset.bytes)
    parts = [preset.name, ", ".join(preset.languages), size]
    parts.append(translate(Msg.PRESET_HERE if preset.is_here else Msg.PRESET_TO_FETCH))
    parts += [preset.licence] if preset.licence else []
    parts += [] if preset.is_allowed else [translate(Msg.PRESET_OPERATOR_ONLY)]
    return "\n".join((" · ".join(parts), *(f"    {line}" for line in (*preset.models, *preset.figures))))
