"""What every command of the shell begins with: the settings, the log, and a terminal to answer in."""

import sys
from typing import Final

from rich.console import Console

from bots.cli.render import Terminal
from bots.connect import CommandError
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.ops.logs import configure
from worker.settings import Settings

PIPED_WIDTH: Final = 240
"""Columns of an answer that no terminal shows: wide enough that no link is broken."""


def settings(to_file: bool = True) -> Settings:
    """Raises `CommandError` where the log cannot be written, and `ValidationError`."""
    found = Settings()
    try:
        configure(found, to_file)
    except OSError as error:
        raise CommandError(translate(Msg.BAD_DATA_DIR, folder=found.data_dir, why=error.strerror)) from error
    return found


def terminal() -> Terminal:
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Terminal(Console(width=width, highlight=False), Console(stderr=True, highlight=False))
