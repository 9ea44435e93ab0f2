"""The command line in this process and in a process of its own, for tests."""

import logging
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from bots.main import main

RUN_MAIN = "from bots.main import main; main()"


@dataclass(frozen=True)
class Finished:
    """A command that has exited."""

    status: int
    answers: str
    """Its stdout."""
    notes: str
    """Its stderr."""


def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Finished:
    """Run `reelseek` in this process, where its libraries are loaded already."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    monkeypatch.setattr(sys, "argv", ["reelseek", *arguments])
    try:
        with pytest.raises(SystemExit) as exited:
            main()
        for handler in root.handlers:
            handler.close()
    finally:
        root.handlers, root.level = handlers, level
    captured = capsys.readouterr()
    return Finished(int(exited.value.code or 0), captured.out, captured.err)


def run_process(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `reelseek` as a process, with `env` added to the environment."""
    command = [sys.executable, "-c", RUN_MAIN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | env)
