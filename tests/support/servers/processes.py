"""Reelseek's commands as plain processes, started as a person or an operator would start them."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

SIGNING_KEY = "0123456789abcdef" * 4
ROOT = Path(__file__).parents[3]
STOP_TIMEOUT_S = 30
QUICK_SENSES: Final = {"REELSEEK_SPEECH": "subtitles", "REELSEEK_SCREEN_TEXT": "off", "REELSEEK_SOUNDS": "off"}
"""Jobs recognize nothing but subtitles: the recognizers have tests of their own."""
LOOPBACK_NETWORKS = '["127.0.0.1/32"]'
REELSEEK = str(Path(sys.executable).with_name("reelseek"))


def make_environment(data_dir: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this environment with settings of its own for `data_dir`, without the settings of this test run.

    Nothing but subtitles is recognized unless `extra` says otherwise.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REELSEEK_")}
    settings = {"REELSEEK_DATA_DIR": str(data_dir), "REELSEEK_WEB_PORT": "0", "REELSEEK_SIGNING_KEY": SIGNING_KEY}
    # PYTHONPATH: some processes are modules of tests.
    return inherited | settings | QUICK_SENSES | {"COLUMNS": "120", "PYTHONPATH": str(ROOT)} | dict(extra or {})


def run_reelseek(data_dir: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [REELSEEK, *arguments],
        env=make_environment(data_dir, extra),
        cwd=data_dir,
        capture_output=True,
        text=True,
        timeout=200,
    )


def parse_json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class Process:
    """A running command with its output."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.lines: list[str] = []
        self._has_ended = False
        self._changed = threading.Condition()
        assert popen.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(popen.stdout,))
        self._reader.start()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def wait_for(self, words: str, timeout_s: float = 200, times: int = 1) -> str:
        """Wait until `times` lines contain `words`; return the last of them. Fail with the output otherwise."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._lines_with(words)) >= times or self._has_ended, timeout_s)
        found = self._lines_with(words)
        assert len(found) >= times, f"{words!r} never came {times} times:\n{self.text}"
        return found[times - 1]

    def _lines_with(self, words: str) -> list[str]:
        return [line for line in self.lines if words in line]

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def stop(self, signal_number: int) -> int:
        """Send a signal. Returns the exit status. Fails if the process takes longer than a graceful shutdown may."""
        self.popen.send_signal(signal_number)
        return self.wait()

    def wait(self) -> int:
        status = self.popen.wait(STOP_TIMEOUT_S)
        self._reader.join()
        return status


@contextmanager
def run_process(command: Sequence[str], data_dir: Path, **extra: str) -> Iterator[Process]:
    """Run a command until the block ends; kill it if it still runs then."""
    popen = subprocess.Popen(
        command,
        env=make_environment(data_dir, extra),
        cwd=data_dir,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    process = Process(popen)
    try:
        yield process
    finally:
        popen.kill()
        process.wait()
        assert popen.stdout is not None
        popen.stdout.close()


@contextmanager
def run_worker(command: Sequence[str], redis_url: str, data_dir: Path, **extra: str) -> Iterator[Process]:
    """Run a worker that may fetch from loopback; yield it once it is ready."""
    settings = {"REELSEEK_REDIS_URL": redis_url, "REELSEEK_ALLOW_NETWORKS": LOOPBACK_NETWORKS} | extra
    with run_process(command, data_dir, **settings) as process:
        process.wait_for("worker.ready")
        yield process
