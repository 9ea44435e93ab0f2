"""Help texts of the command line in the user's language.

Commands are declared with English texts of `Msg`, before the language of the process is known.
"""

from typing import Any, Final

import typer

from bots.i18n.messages import Msg
from bots.i18n.translate import translate

_TRANSLATABLE: Final = frozenset(map(str, Msg))


def translate_help(command: Any) -> None:
    """Translate the help of a click command, of its parameters and of its subcommands in place."""
    command.help = _translate_text(command.help)
    command.rich_help_panel = translate(Msg.COMMANDS_TITLE)
    help_option = command.get_help_option(typer.Context(command))
    help_option.help = translate(Msg.CLI_HELP_HELP)
    for parameter in [*command.params, help_option]:
        parameter.help = _translate_text(parameter.help)
        is_argument = parameter.param_type_name == "argument"
        parameter.rich_help_panel = translate(Msg.ARGUMENTS_TITLE if is_argument else Msg.OPTIONS_TITLE)
    for subcommand in getattr(command, "commands", {}).values():
        translate_help(subcommand)


def _translate_text(text: str | None) -> str | None:
    return translate(Msg(text)) if text in _TRANSLATABLE else text
