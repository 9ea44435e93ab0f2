"""Subcommands of `reelseek`, derived from the command registry."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from bots.chat.links import find_links
from bots.chat.uploads import UNREADABLE, check_file_size, encode_query_file
from bots.cli import json_output
from bots.cli.environment import load_settings, make_caller, open_terminal
from bots.cli.model_use import choose_model
from bots.cli.process import run_with_client
from bots.cli.render import locate_pictures, mention_weaker, name_commands
from bots.commands.client import Client
from bots.commands.definition import Command, Parameter, ParameterType, Surface
from bots.commands.registry import list_commands
from bots.connect import CommandError
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from worker.protocol.base import LOCAL_SPACE, CallFailedError

AS_JSON: Final = Annotated[bool, typer.Option("--json", help=CliMsg.JSON_HELP)]
SPACE_OPTION: Final = typer.Option("--space", metavar="SPACE", help=CliMsg.SPACE_HELP)
SpaceName: TypeAlias = Annotated[str, SPACE_OPTION]
GivenSpaceName: TypeAlias = Annotated[str | None, SPACE_OPTION]
WITH_LOCAL_FILES: Final = Annotated[bool, typer.Option("--local-files", help=CliMsg.LOCAL_FILES_HELP)]
IS_DRY_RUN: Final = Annotated[bool, typer.Option("--dry-run", help=CliMsg.DRY_RUN_HELP)]
AT_S: Final = Annotated[float, typer.Option("--at", min=0, metavar="SECONDS", help=CliMsg.DRY_RUN_AT_HELP)]
_TYPES: Final = {ParameterType.FLAG: bool, ParameterType.NUMBER: int, ParameterType.PAGE_SIZE: int}
_ALTERNATIVES: Final = frozenset({ParameterType.FLAG, *UNREADABLE})
"""With a parameter of these types, no other one is required."""


def add_core_commands(app: typer.Typer) -> None:
    """Add a subcommand for each command that is offered on the command line."""
    for command in list_commands(Surface.COMMAND_LINE):
        app.command(command.name, help=command.help)(_build_function(command))


def _build_function(command: Command) -> Callable[..., None]:
    """Return a function from whose signature typer derives the arguments and options of a subcommand."""
    parameters = command.parameters_for(Surface.COMMAND_LINE)

    def run(
        as_json: bool,
        space: str | None,
        with_local_files: bool = False,
        is_dry_run: bool = False,
        at_s: float = 0.0,
        **values: Any,
    ) -> None:
        if is_dry_run:
            print_dry_run([_file_to_link(each) for each in values["links"]], at_s, as_json)
            return
        for_space, space = space is not None, LOCAL_SPACE if space is None else space
        caller, settings = make_caller(space), load_settings()
        args = dict(command.command_line_args)
        for parameter in parameters:
            if values[parameter.name] is not None:
                args[parameter.name] = _convert(parameter, values[parameter.name])
        if "local_files" in args:
            args["local_files"] = _allow_local_files(space, with_local_files, args["links"])
        if args.get("action") == "use" and "to" in args:
            args |= {"for_space": for_space, **choose_model(settings, caller, args["to"], for_space)}

        async def show_replies(client: Client) -> bool:
            replies = command.run(client, caller, **args)
            if as_json:
                return await json_output.print_replies(command.name, replies, settings.blobs_address)
            option = "" if space == LOCAL_SPACE else f" --space {space}"
            replies = name_commands(locate_pictures(replies, settings.blobs_address), option)
            return await open_terminal().show(mention_weaker(replies) if command.name == "find" else replies)

        # Retrains and switches take long: searches, and the command that cancels, must reach this process meanwhile.
        run_with_client(settings, show_replies, serve_relay=command.name in ("model", "retrain"))

    run.__signature__ = _make_signature(command)  # type: ignore[attr-defined]  # read by typer
    return run


def _make_signature(command: Command) -> inspect.Signature:
    """Return the arguments and options of a subcommand."""
    parameters = command.parameters_for(Surface.COMMAND_LINE)
    has_alternative = any(each.type in _ALTERNATIVES for each in parameters)
    options = [_make_signature_parameter(each, each.is_required and not has_alternative) for each in parameters]
    if command.name == "index":
        options.append(_make_option("with_local_files", False, WITH_LOCAL_FILES))
        options += [_make_option("is_dry_run", False, IS_DRY_RUN), _make_option("at_s", 75.0, AT_S)]
    options += [_make_option("space", None, GivenSpaceName), _make_option("as_json", False, AS_JSON)]
    return inspect.Signature(options)


def _allow_local_files(space: str, is_wanted: bool, links: list[str]) -> bool:
    """Return whether files of this computer may be added to a space. Raises `CommandError` if one must not be.

    A word can be the name of a file by chance, and others would find what is in it.
    """
    is_allowed = is_wanted or space == LOCAL_SPACE
    if not is_allowed and any(link.lower().startswith("file:") for link in links):
        raise CommandError(translate(CliMsg.FILES_ARE_LOCAL, space=space), 2)
    return is_allowed


def print_dry_run(texts: list[str], at_s: float, as_json: bool) -> None:
    """Print which videos the links in texts are. Nothing is fetched or stored."""
    from bots.cli.dry_run import describe_links, print_links

    print_links(describe_links(texts, at_s, load_settings(to_file=False)), at_s, open_terminal(), as_json)


def _make_option(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _make_signature_parameter(parameter: Parameter, is_required: bool) -> inspect.Parameter:
    kind: Any = _TYPES.get(parameter.type, str)
    if parameter.is_list:
        kind = list[kind]
    if not is_required and parameter.default is None and parameter.type is not ParameterType.FLAG:
        kind = kind | None
    default: Any = False if parameter.type is ParameterType.FLAG else parameter.default
    return inspect.Parameter(
        parameter.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if is_required else default,
        annotation=Annotated[kind, _declare_argument_or_option(parameter)],
    )


def _declare_argument_or_option(parameter: Parameter) -> Any:
    help_text = parameter.command_line_help or parameter.help
    metavar = parameter.command_line_metavar or parameter.usage
    if parameter.is_positional and not parameter.is_command_line_option:
        return typer.Argument(help=help_text, metavar=metavar, min=parameter.minimum, max=parameter.maximum)
    return typer.Option(
        f"--{parameter.shown_name}",
        help=help_text,
        # For numbers, typer shows their range instead.
        metavar=None if parameter.type in _TYPES else metavar,
        min=parameter.minimum,
        max=parameter.maximum,
    )


def _convert(parameter: Parameter, value: Any) -> Any:
    if parameter.type in UNREADABLE:
        return _read_query_file(Path(value).expanduser(), parameter.type)
    if parameter.type is not ParameterType.LINK:
        return value
    links = [link for each in (value if parameter.is_list else [value]) for link in _to_links(each)]
    return links if parameter.is_list else links[0]


def _read_query_file(file: Path, type: ParameterType) -> str:
    """Return a picture or a clip in base64. Raises `CommandError` if there is no such file, or if it is too large."""
    try:
        check_file_size(file.stat().st_size, type)
        return encode_query_file(file.read_bytes(), type)
    except OSError as error:
        raise CommandError(translate(CliMsg.FILE_UNREADABLE, file=file), 2) from error
    except CallFailedError as error:
        raise CommandError(translate(error.code), 2) from error


def _to_links(text: str) -> list[str]:
    """Return the address of a local file if there is one with that name, the links in a text, or the text itself."""
    link = _file_to_link(text)
    return [link] if link.startswith("file://") else find_links(text) or [text]


def _file_to_link(text: str) -> str:
    """Return the address of a local file if there is one with that name, otherwise the text itself."""
    path = Path(text).expanduser()
    return path.resolve().as_uri() if "://" not in text and _exists(path) else text


def _exists(path: Path) -> bool:
    """Return whether a file exists. False for a text that is too long for a file name."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
