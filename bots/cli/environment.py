"""The settings, the log and the terminal of a command."""

import re
import sys
from typing import Final

from rich.console import Console

from bots.cli.render import Terminal
from bots.connect import CommandError
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import clean_text, translate
from worker.ops.logs import configure_logging
from worker.protocol.base import LOCAL_SPACE, SPACE_NAME, Caller
from worker.settings import Settings

CALLER: Final = Caller(space=LOCAL_SPACE, user_id="cli", is_admin=True)
PIPED_WIDTH: Final = 240
"""Columns of output that goes to a pipe or a file: enough that no link is broken over two lines."""


def make_caller(space: str, user_id: str = CALLER.user_id) -> Caller:
    """Return the operator as an admin of a space. Raises `CommandError` if it is not the name of one."""
    if not re.fullmatch(SPACE_NAME, space):
        raise CommandError(translate(CliMsg.BAD_SPACE, space=clean_text(space)), 2)
    return CALLER.model_copy(update={"space": space, "user_id": user_id})


def load_settings(to_file: bool = True) -> Settings:
    """Read the settings and configure logging, to a file or to the terminal.

    Raises `CommandError` if the log cannot be written, and `ValidationError` if a setting is not valid.
    """
    settings = Settings()
    try:
        configure_logging(settings, to_file)
    except OSError as error:
        raise CommandError(translate(CliMsg.BAD_DATA_DIR, folder=settings.data_dir, why=error.strerror)) from error
    return settings


def open_terminal() -> Terminal:
    """Return the terminal of this process: answers go to stdout, progress and problems to stderr."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Terminal(Console(width=width, highlight=False), Console(stderr=True, highlight=False))
