"""The entry point of `reelseek`."""

from collections.abc import Callable

import pytest

from bots.__main__ import import_command_line, run
from bots.cli.process import INTERRUPTED_STATUS
from bots.main import main


def test_ctrl_c_during_the_imports_exits_with_the_status_of_an_interrupted_command() -> None:
    def interrupt() -> Callable[[], None]:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as exit:
        run(interrupt)
    assert exit.value.code == INTERRUPTED_STATUS


def test_command_line_is_that_of_every_command() -> None:
    assert import_command_line() is main
