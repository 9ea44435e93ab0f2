"""Parent end of the sandbox: runs one piece of work in a child process with resource limits and a timeout.

`indexer.sandbox.child` is the child end. `indexer.fetch.fetch_worker`, `indexer.fetch.playlist_worker` and
`indexer.decode.decode_worker` are the modules that run in such a process.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import structlog

from indexer.errors import IndexerError
from indexer.sandbox.child import ProgressCallback, ResourceLimits
from indexer.sandbox.environment import build_child_environment

log = structlog.get_logger()

_MAX_LINE_BYTES = 64 * 1024**2
_STDERR_TAIL_BYTES = 4000
_EXIT_GRACE_S = 5.0
_POLL_INTERVAL_S = 0.2


class ChildTimeoutError(Exception):
    """The child process was killed because it exceeded its timeout."""


class ChildCrashedError(Exception):
    """The child process ended without a response: it crashed, hit a resource limit, or was stopped."""


def run_child(
    module: str,
    request: Mapping[str, Any],
    limits: ResourceLimits,
    folder: Path,
    on_progress: ProgressCallback,
    stopping: threading.Event | None = None,
) -> dict[str, Any]:
    """Run `module` in a child process and return its result.

    `folder` is the child's working and home directory. Setting the event `stopping` kills the child. Raises
    `ChildTimeoutError`, `ChildCrashedError`, or the `IndexerError` that the child raised.
    """
    with tempfile.TemporaryFile() as stderr, _start(module, folder, stderr) as process:
        ended, timed_out = threading.Event(), threading.Event()
        watchdog = threading.Thread(
            target=_kill_on_timeout, args=(process, limits.timeout_s, ended, timed_out, stopping)
        )
        watchdog.start()
        try:
            response = _exchange(process, {"limits": asdict(limits), "request": request}, on_progress)
            if response is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_EXIT_GRACE_S)
        finally:
            ended.set()
            watchdog.join()
            _kill_group(process)
            process.wait()
        stderr_tail = _read_tail(stderr)
    log.debug("sandbox.child_ended", module=module, stderr=stderr_tail)
    if timed_out.is_set():
        raise ChildTimeoutError(f"{module} took more than {limits.timeout_s:.0f} s")
    if response is None:
        raise ChildCrashedError(f"{module} ended with status {process.returncode}: {stderr_tail}")
    if "error" in response:
        raise _error_class(response["error"])(response["message"])
    result: dict[str, Any] = response["result"]
    return result


def _start(module: str, folder: Path, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the child with an allow-listed environment: this process's own may hold tokens.

    The option -P keeps `folder`, which receives hostile files, off the import path. The child leads its own
    process group.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=folder,
        env=build_child_environment()
        | {
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "OPENBLAS_NUM_THREADS": "1",
        },
        start_new_session=True,
    )


def _exchange(
    process: subprocess.Popen[bytes], message: Mapping[str, Any], on_progress: ProgressCallback
) -> dict[str, Any] | None:
    """Send the message and read progress until the response. Returns None if the child ended without one."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    with suppress(BrokenPipeError):  # the child died at once; the missing response is handled below
        os.write(process.stdin.fileno(), json.dumps(message).encode() + b"\n")
    while line := process.stdout.readline(_MAX_LINE_BYTES):
        try:
            received: dict[str, Any] = json.loads(line)
        except ValueError:
            return None
        if "share" not in received:
            return received
        on_progress(received["share"])
    return None


def _kill_on_timeout(
    process: subprocess.Popen[bytes],
    timeout_s: float,
    ended: threading.Event,
    timed_out: threading.Event,
    stopping: threading.Event | None,
) -> None:
    """Wait until the child ended. Kill it if the timeout passes first or if `stopping` is set."""
    deadline_s = time.monotonic() + timeout_s
    while not ended.wait(min(_POLL_INTERVAL_S, max(0.0, deadline_s - time.monotonic()))):
        if time.monotonic() >= deadline_s:
            timed_out.set()
        if timed_out.is_set() or (stopping is not None and stopping.is_set()):
            _kill_group(process)
            return


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and the processes that it started, which outlive it if it crashed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _read_tail(stderr: IO[bytes]) -> str:
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _STDERR_TAIL_BYTES))
    return stderr.read().decode(errors="replace").strip()


def _error_class(code: str) -> type[IndexerError]:
    """Return the exception class with this code, the most derived one if a base class has the same code."""
    by_code: dict[str, type[IndexerError]] = {}
    waiting: list[type[IndexerError]] = [IndexerError]
    while waiting:
        cls = waiting.pop(0)
        if "code" in vars(cls):
            by_code[cls.code] = cls
        waiting.extend(cls.__subclasses__())
    return by_code[code]
