"""Commands for what a space decides, what Reelseek keeps of it, and the removal of the bot."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args, get_origin

from bots.commands.client import Client
from bots.commands.errors import reply_on_error
from bots.commands.replies import Replies, SettingLine, SettingsView, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import clean_text, translate
from worker.protocol.base import Caller
from worker.protocol.spaces import ChangeSettings, GetRetentionPolicy, GetSettings, RecordBotRemoval, SpaceSettings

OPTIONS: Final[Mapping[str, Msg]] = {
    "watched": Msg.WATCHED,
    "submitters": Msg.SUBMITTERS,
    "language": Msg.LANGUAGE,
    "answers": Msg.ANSWERS,
    "private_channels": Msg.PRIVATE_CHANNELS,
}
"""The settings of a space, by their field in `SpaceSettings`, with a description each."""
_CHANNEL_IDS: Final[Mapping[str, re.Pattern[str]]] = {
    "discord": re.compile(r"\d{15,21}"),
    "slack": re.compile(r"[CG][A-Z0-9]{6,}"),
}
"""The form of each platform's channel ids."""


@reply_on_error
async def show_or_change_settings(client: Client, caller: Caller, name: str | None = None, value: str = "") -> Replies:
    """Show the settings of the space. With a `name`, change that setting to `value` first.

    The value of `watched` is a list of channel ids, separated by spaces.
    """
    if name and (refusal := refuse_setting(caller, name, value)):
        yield refusal
        return
    settings = await client.call(GetSettings(caller=caller))
    if name:
        changed = SpaceSettings.model_validate(settings.model_dump() | {name: _parse_value(name, value)})
        settings = await client.call(ChangeSettings(caller=caller, settings=changed))
    yield SettingsView(_list_settings(settings), translate(Msg.SETTING_CHANGED) if name else None)


def refuse_setting(caller: Caller, name: str, value: str) -> TextReply | None:
    """Return the sentence for a setting that does not exist or does not accept that value, else None."""
    if name not in OPTIONS:
        return TextReply(translate(Msg.SETTING_UNKNOWN, name=clean_text(name), all=", ".join(OPTIONS)), ok=False)
    if list_accepted_values(name) and value not in list_accepted_values(name):
        return TextReply(
            translate(Msg.SETTING_REFUSED, name=name, all=", ".join(filter(None, list_accepted_values(name)))), ok=False
        )
    if name == "watched" and (wrong := _find_wrong_channel(caller.space, value)):
        return TextReply(translate(Msg.CHANNEL_REFUSED, name=clean_text(wrong)), ok=False)
    return None


def list_accepted_values(name: str) -> tuple[str, ...]:
    """Return the values that a setting accepts; empty for `watched`, which takes any channels.

    The empty text resets an optional setting to its default, None.
    """
    if name == "watched":
        return ()
    annotation = SpaceSettings.model_fields[name].annotation
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    values = [value for part in get_args(annotation) for value in get_args(part)]
    return ("", *values)


@reply_on_error
async def show_privacy(client: Client, caller: Caller) -> Replies:
    """Explain what is kept and for how long, who can find it, and how to remove it."""
    policy = await client.call(GetRetentionPolicy(caller=caller))
    training = Msg.PRIVACY_TRAINING_ALL if policy.adapter_scope == "installation" else Msg.PRIVACY_TRAINING
    sentences = [
        translate(Msg.PRIVACY, training=translate(training), days=f"{policy.leave_grace_days:g}"),
        translate(Msg.PRIVACY_LIKED),
        translate(Msg.PRIVACY_SEARCHES, days=f"{policy.keep_results_days:g}"),
    ]
    for text, days in ((Msg.PRIVACY_VOTES, policy.keep_queries_days), (Msg.PRIVACY_FRAMES, policy.keep_frames_days)):
        if days is not None:
            sentences.append(translate(text, days=f"{days:g}"))
    if policy.vision_host:
        sentences.append(translate(Msg.PRIVACY_VISION, host=policy.vision_host))
    yield TextReply(" ".join(sentences))


@reply_on_error
async def record_bot_removal(client: Client, caller: Caller, *, at: float, is_back: bool = False) -> Replies:
    """Record that the bot was removed from a space at `at` (Unix time), or with `is_back` that it was added again.

    Yields nothing on success; any reply is an error.
    """
    await client.call(RecordBotRemoval(caller=caller, at=at, is_back=is_back))
    return
    yield


def _find_wrong_channel(space: str, value: str) -> str | None:
    """Return the first word that is not a channel id of the space's platform: such a channel would never be read."""
    pattern = _CHANNEL_IDS.get(space.partition(":")[0])
    return next((word for word in value.split() if not (pattern and pattern.fullmatch(word))), None)


def _parse_value(name: str, value: str) -> str | Sequence[str] | None:
    return tuple(value.split()) if name == "watched" else value or None


def _list_settings(settings: SpaceSettings) -> tuple[SettingLine, ...]:
    lines = []
    for name, description in OPTIONS.items():
        value = getattr(settings, name)
        shown = value if isinstance(value, str) else " ".join(value or ())
        lines.append(SettingLine(name, translate(description), shown, list_accepted_values(name)))
    return tuple(lines)
