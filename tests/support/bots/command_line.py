"""The command line in this process and in a process of its own, for tests."""

import logging
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import pytest

from bots.main import main

FORKS: Final = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["bots.main", "model.training.train", "model.evaluation.report"])

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


def start_fork(*arguments: str, output: Path, **env: str) -> BaseProcess:
    """Start `reelseek` as a process in which the libraries of training are loaded already; loading takes 8 s.

    Its folder and its environment are those of this process, with `env` added. It writes stdout and stderr to files
    whose names are that of `output` with `.out` and `.err`.
    """
    process = FORKS.Process(target=_run_fork, args=(arguments, dict(os.environ) | env, Path.cwd(), output))
    process.start()
    return process


def _run_fork(arguments: tuple[str, ...], env: Mapping[str, str], folder: Path, output: Path) -> None:
    os.environ.update(env)
    os.chdir(folder)
    for descriptor, suffix in ((1, ".out"), (2, ".err")):
        with output.with_suffix(suffix).open("w") as file:
            os.dup2(file.fileno(), descriptor)
    sys.argv = ["reelseek", *arguments]
    main()
