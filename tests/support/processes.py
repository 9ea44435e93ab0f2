"""Starting Reelseek's commands as a person or an operator would: as plain processes."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

SIGNING_KEY = "0123456789abcdef" * 4
ROOT = Path(__file__).parents[2]
END_WITHIN_S = 30
LOOPBACK = '["127.0.0.1/32"]'
REELSEEK = str(Path(sys.executable).with_name("reelseek"))


def environment(data_dir: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A person's environment without this test run's settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("REELSEEK_")}
    given = {"REELSEEK_DATA_DIR": str(data_dir), "REELSEEK_WEB_PORT": "0", "REELSEEK_SIGNING_KEY": SIGNING_KEY}
    # Some processes are tests' own.
    return own | given | {"COLUMNS": "120", "PYTHONPATH": str(ROOT)} | dict(extra or {})


def reelseek(data_dir: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end."""
    return subprocess.run(
        [REELSEEK, *arguments],
        env=environment(data_dir, extra),
        cwd=data_dir,
        capture_output=True,
        text=True,
        timeout=110,
    )


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class Process:
    """A running command whose output can be waited for."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.lines: list[str] = []
        self._grown = threading.Condition()
        assert popen.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(popen.stdout,))
        self._reader.start()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            with self._grown:
                self.lines.append(line)
                self._grown.notify_all()
        with self._grown:
            self.lines.append("")
            self._grown.notify_all()

    def wait_for(self, words: str, timeout_s: float = 100, times: int = 1) -> str:
        """The line that holds `words`, the last of so many; fails with all output if they don't come."""
        with self._grown:
            self._grown.wait_for(lambda: len(self._having(words)) >= times or "" in self.lines, timeout_s)
        having = self._having(words)
        assert len(having) >= times, f"{words!r} never came {times} times:\n{self.text}"
        return having[times - 1]

    def _having(self, words: str) -> list[str]:
        return [line for line in self.lines if words in line]

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def end(self, number: int) -> int:
        """Sends a signal, and gives the exit status; fails where the process takes longer than any of ours may."""
        self.popen.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        status = self.popen.wait(END_WITHIN_S)
        self._reader.join()
        return status


@contextmanager
def running(command: Sequence[str], data_dir: Path, **extra: str) -> Iterator[Process]:
    """A command that runs until the block ends; what is left of it is killed."""
    popen = subprocess.Popen(
        command,
        env=environment(data_dir, extra),
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
def working(command: Sequence[str], redis_url: str, data_dir: Path) -> Iterator[Process]:
    """A worker that is ready, and that reaches this machine's test server."""
    given = {"REELSEEK_REDIS_URL": redis_url, "REELSEEK_ALLOW_NETWORKS": LOOPBACK}
    with running(command, data_dir, **given) as process:
        process.wait_for("worker.ready")
        yield process
