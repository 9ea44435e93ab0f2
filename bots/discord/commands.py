"""Discord's slash commands and message menu, derived from the command registry."""

import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, Protocol, TypeAlias

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.app_commands import Choice, Range, locale_str

from bots.chat.links import find_links
from bots.chat.parsing import parse_links, parse_list_link
from bots.chat.service import ChatService
from bots.chat.uploads import UNREADABLE, check_file_size, encode_query_file, find_query_file_type
from bots.commands import settings
from bots.commands.definition import Command, Completion, Parameter, ParameterType, Surface
from bots.commands.registry import list_commands
from bots.discord import identity
from bots.discord.message_links import find_attachments, find_message_links
from bots.discord.render import MAX_CARDS
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from worker.ops.logs import current_correlation_id
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode

DEFAULT_PAGE_SIZE: Final = 3
"""Cards that fit a screen."""
MAX_VALUE_CHARS: Final = 100
"""Discord's limit for the name and the value of a choice."""

Args: TypeAlias = Mapping[str, Any]
SlashCommand: TypeAlias = app_commands.Command[Any, ..., None]
Autocomplete: TypeAlias = Callable[[discord.Interaction, str], Coroutine[Any, Any, list[Choice[str]]]]

log = structlog.get_logger()
_CHANNEL_MENTION: Final = re.compile(r"<#(\d+)>")


class CommandHandler(Protocol):
    """Runs the commands that users choose."""

    @property
    def chat(self) -> ChatService: ...

    async def run_command(
        self, interaction: discord.Interaction, command: str, args: Args | Callable[[], Awaitable[Args]]
    ) -> None:
        """Acknowledge the interaction, then answer it. Slow arguments are awaited after the acknowledgement."""
        ...


class CatalogTranslator(app_commands.Translator):
    """Translates names and descriptions of commands with the message catalogue."""

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        """Return the translation, or None if Discord should show the English text."""
        english = str(string)
        if english not in list(Msg):
            return None
        with use_locale(locale.value):
            translation = translate(Msg(english))
        return None if translation == english else translation


def build_tree(client: discord.Client, handler: CommandHandler) -> app_commands.CommandTree[Any]:
    """Build everything that Discord lists: for servers only, not for direct messages."""
    tree: app_commands.CommandTree[Any] = app_commands.CommandTree(
        client,
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )
    for command in list_commands(Surface.CHAT):
        tree.add_command(_build_slash_command(handler, command))
    tree.add_command(_build_index_menu(handler))
    tree.add_command(_build_find_menu(handler))
    return tree


def _build_slash_command(handler: CommandHandler, command: Command) -> SlashCommand:
    parameters = command.parameters_for(Surface.CHAT)

    async def callback(interaction: discord.Interaction, **values: Any) -> None:
        given = {name: value for name, value in values.items() if value is not None}
        await handler.run_command(interaction, command.name, lambda: _convert(handler, interaction, parameters, given))

    callback.__signature__ = _build_signature(command, parameters)  # type: ignore[attr-defined]  # read by inspect.signature
    app_commands.rename(**{each.name: locale_str(each.shown_name) for each in parameters})(callback)
    app_commands.describe(**{each.name: locale_str(each.help) for each in parameters})(callback)
    app_commands.choices(**{each.name: _list_choices(each) for each in parameters if each.choices})(callback)
    slash_command: SlashCommand = app_commands.Command(
        name=locale_str(command.name), description=locale_str(command.help or command.name), callback=callback
    )
    for parameter in parameters:
        if parameter.completion:
            slash_command.autocomplete(parameter.name)(_autocomplete(handler, parameter.completion))
    if command.is_admin:
        slash_command.default_permissions = discord.Permissions(manage_guild=True)
    return slash_command


def _build_index_menu(handler: CommandHandler) -> app_commands.ContextMenu:
    async def index_message(interaction: discord.Interaction, message: discord.Message) -> None:
        args = {"links": find_message_links(message), "message_id": str(message.id)}
        await handler.run_command(interaction, "index", args)

    return app_commands.ContextMenu(name=locale_str(Msg.INDEX_MESSAGE), callback=index_message)


def _build_find_menu(handler: CommandHandler) -> app_commands.ContextMenu:
    async def find_similar(interaction: discord.Interaction, message: discord.Message) -> None:
        await handler.run_command(interaction, "find", lambda: _read_attached_file(message))

    return app_commands.ContextMenu(name=locale_str(Msg.FIND_SIMILAR), callback=find_similar)


# ---- from parameters to Discord's options ----


def _build_signature(command: Command, parameters: tuple[Parameter, ...]) -> inspect.Signature:
    """Return the signature from which discord.py derives the options of a slash command."""
    alternatives = (ParameterType.FLAG, ParameterType.VIDEO_FILE, *UNREADABLE)
    has_alternative = any(each.type in alternatives for each in parameters)
    options = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_choose_default(each, is_required=each.is_required and not has_alternative),
            annotation=_choose_annotation(each),
        )
        for each in parameters
    ]
    interaction = inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return inspect.Signature([interaction, *options])


def _choose_default(parameter: Parameter, is_required: bool) -> Any:
    if is_required:
        return inspect.Parameter.empty
    return DEFAULT_PAGE_SIZE if parameter.type is ParameterType.PAGE_SIZE else None


def _choose_annotation(parameter: Parameter) -> Any:
    match parameter.type:
        case ParameterType.FLAG:
            return bool
        case ParameterType.PICTURE | ParameterType.CLIP | ParameterType.VIDEO_FILE:
            return discord.Attachment
        case ParameterType.PAGE_SIZE:
            return Range[int, parameter.minimum, min(parameter.maximum or MAX_CARDS, MAX_CARDS)]
        case ParameterType.NUMBER:
            return Range[int, parameter.minimum, parameter.maximum]
        case _:
            return str


def _list_choices(parameter: Parameter) -> list[Choice[str]]:
    return [
        Choice(name=locale_str(description) if description else value, value=value)
        for value, description in parameter.choices.items()
    ]


def _autocomplete(handler: CommandHandler, completion: Completion) -> Autocomplete:
    async def suggest_videos(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
        caller = identity.caller_from_interaction(interaction)
        found = await handler.chat.suggest(caller, typed, MAX_VALUE_CHARS)
        return [Choice(name=title[:MAX_VALUE_CHARS], value=value) for title, value in found]

    async def suggest_setting_values(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
        name = str(interaction.namespace.name or "")
        values = settings.list_accepted_values(name) if name in settings.OPTIONS else ()
        return [
            Choice(name=value, value=value) for value in values if value and value.startswith(typed.strip().lower())
        ]

    return {Completion.VIDEO: suggest_videos, Completion.SETTING_VALUE: suggest_setting_values}[completion]


# ---- from Discord's values to arguments ----


async def _convert(
    handler: CommandHandler, interaction: discord.Interaction, parameters: tuple[Parameter, ...], values: Args
) -> dict[str, Any]:
    """Convert the values of an interaction to arguments of the command. Raises `CallFailedError`."""
    args = {}
    for parameter in parameters:
        if parameter.name in values:
            args[parameter.name] = await _convert_value(handler, interaction, parameter, values[parameter.name])
        if parameter.type is ParameterType.VIDEO_FILE and parameter.name in args:
            args["links"] = [*args.get("links", ()), args.pop(parameter.name)]
    return args


async def _convert_value(
    handler: CommandHandler, interaction: discord.Interaction, parameter: Parameter, value: Any
) -> Any:
    if parameter.type in UNREADABLE:
        return await _read_file(value, parameter.type)
    if parameter.type is ParameterType.VIDEO_FILE:
        return value.url
    if parameter.completion is Completion.VIDEO:
        space = identity.caller_from_interaction(interaction).space
        link = await handler.chat.resolve_link_token(space, value)
        return next(iter(find_links(link)), link) if link else None
    if parameter.completion is Completion.SETTING_VALUE:
        return _CHANNEL_MENTION.sub(r" \1 ", value).strip()
    if parameter.type is ParameterType.LIST:
        return parse_list_link(value)
    if parameter.type is ParameterType.LINK:
        links = parse_links(value)
        return links if parameter.is_list else next(iter(links), "")
    return value


async def _read_attached_file(message: discord.Message) -> dict[str, Any]:
    """Return the first picture or video of a message, as an argument of `find`. Raises `CallFailedError`."""
    for attachment in find_attachments(message):
        type = find_query_file_type(attachment.filename, attachment.content_type)
        if type is not None:
            return {type: await _read_file(attachment, type)}
    raise CallFailedError(ErrorCode.NOT_A_PICTURE, current_correlation_id())


async def _read_file(attachment: discord.Attachment, type: ParameterType) -> str:
    """Return an attached picture or clip in base64. Raises `CallFailedError`."""
    check_file_size(attachment.size, type)
    try:
        return encode_query_file(await attachment.read(), type)
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        correlation_id = current_correlation_id()
        log.warning("query_file.failed", correlation_id=correlation_id, error=error)
        raise CallFailedError(ErrorCode.UNREACHABLE, correlation_id) from error
