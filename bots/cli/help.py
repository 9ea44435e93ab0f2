"""Help texts of the command line in the user's language.

Commands are declared with English texts of `Msg` and `CliMsg`, before the language of the process is known.
"""

from collections.abc import Mapping
from typing import Any, Final

import typer

from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import translate

_MESSAGES: Final[Mapping[str, Msg | CliMsg]] = {str(message): message for message in (*CliMsg, *Msg)}


def translate_help(command: Any) -> None:
    """Translate the help of a click command, of its parameters and of its subcommands in place."""
    command.help = _translate_text(command.help)
    command.rich_help_panel = translate(CliMsg.COMMANDS_TITLE)
    help_option = command.get_help_option(typer.Context(command))
    help_option.help = translate(CliMsg.CLI_HELP_HELP)
    for parameter in [*command.params, help_option]:
        parameter.help = _translate_text(parameter.help)
        is_argument = parameter.param_type_name == "argument"
        parameter.rich_help_panel = translate(CliMsg.ARGUMENTS_TITLE if is_argument else CliMsg.OPTIONS_TITLE)
    for subcommand in getattr(command, "commands", {}).values():
        translate_help(subcommand)


def _translate_text(text: str | None) -> str | None:
    return translate(_MESSAGES[text]) if text and text in _MESSAGES else text
