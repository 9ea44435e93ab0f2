"""Runs `indexer.fetch.fetch_worker` and `indexer.decode.decode_worker` as child processes: the parent's end of `indexer.sandbox.child`."""

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

log = structlog.get_logger()

_MAX_LINE_BYTES = 64 * 1024**2
_LOG_TAIL_BYTES = 4000
_LAST_WORDS_S = 5.0
_LOOK_EVERY_S = 0.2
_PASSED_ON = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


class ChildTimeoutError(Exception):
    """The child was killed because its time was up."""


class ChildCrashedError(Exception):
    """The child ended without an answer: a crash, or a limit of the system."""


def run_child(
    module: str,
    request: Mapping[str, Any],
    limits: ResourceLimits,
    folder: Path,
    on_share: ProgressCallback,
    stopping: threading.Event | None = None,
) -> dict[str, Any]:
    """The result of `module`'s work. `folder` is its working and home folder; once `stopping` is set it is killed.

    Raises `ChildTimeoutError`, `ChildCrashedError`, or the `IndexerError` that the child raised.
    """
    with tempfile.TemporaryFile() as said, _start(module, folder, said) as process:
        ended, timed_out = threading.Event(), threading.Event()
        watch = threading.Thread(target=_watch, args=(process, limits.timeout_s, ended, timed_out, stopping))
        watch.start()
        try:
            answer = _talk(process, {"limits": asdict(limits), "request": request}, on_share)
            if answer is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LAST_WORDS_S)
        finally:
            ended.set()
            watch.join()
            _kill(process)
            process.wait()
        words = _tail(said)
    log.debug("child_ended", module=module, said=words)
    if timed_out.is_set():
        raise ChildTimeoutError(f"{module} took more than {limits.timeout_s:.0f} s")
    if answer is None:
        raise ChildCrashedError(f"{module} ended with status {process.returncode}: {words}")
    if "error" in answer:
        raise _error_class(answer["error"])(answer["message"])
    result: dict[str, Any] = answer["result"]
    return result


def _start(module: str, folder: Path, said: IO[bytes]) -> subprocess.Popen[bytes]:
    """Nothing of our environment goes along but what is needed: it may hold tokens.

    -P keeps `folder`, where hostile files land, off the import path.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        cwd=folder,
        env=environment
        | {
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "OPENBLAS_NUM_THREADS": "1",
        },
        start_new_session=True,
    )


def _talk(process: subprocess.Popen[bytes], message: Mapping[str, Any], on_share: ProgressCallback) -> dict[str, Any] | None:
    """Hands the message over and listens until the answer; None: the child ended without one."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    with suppress(BrokenPipeError):  # a child that died at once is told apart below
        os.write(process.stdin.fileno(), json.dumps(message).encode() + b"\n")
    while line := process.stdout.readline(_MAX_LINE_BYTES):
        try:
            heard: dict[str, Any] = json.loads(line)
        except ValueError:
            return None
        if "share" not in heard:
            return heard
        on_share(heard["share"])
    return None


def _watch(
    process: subprocess.Popen[bytes],
    timeout_s: float,
    ended: threading.Event,
    timed_out: threading.Event,
    stopping: threading.Event | None,
) -> None:
    """Kills the child when its time is up, or when this process is to end."""
    until_s = time.monotonic() + timeout_s
    while not ended.wait(min(_LOOK_EVERY_S, max(0.0, until_s - time.monotonic()))):
        if time.monotonic() >= until_s:
            timed_out.set()
        if timed_out.is_set() or (stopping is not None and stopping.is_set()):
            _kill(process)
            return


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The child and whatever it started; those outlive it where it crashed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _tail(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
    return said.read().decode(errors="replace").strip()


def _error_class(code: str) -> type[IndexerError]:
    """The most special class of a code: some share theirs with their base."""
    by_code: dict[str, type[IndexerError]] = {}
    waiting: list[type[IndexerError]] = [IndexerError]
    while waiting:
        found = waiting.pop(0)
        by_code[found.code] = found
        waiting.extend(found.__subclasses__())
    return by_code[code]
