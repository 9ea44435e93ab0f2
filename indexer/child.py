"""Runs `indexer.fetching` and `indexer.decoding` as child processes with limits: both ends of the pipe.

The parent writes one JSON line and keeps the pipe open; the child writes JSON lines: shares of the work done, then one
result or one error. The child ends when that pipe closes, so none outlives its parent. What it or a library prints goes
to its standard error, which the parent reads when something went wrong.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import structlog

from indexer.errors import IndexerError

log = structlog.get_logger()

Share: TypeAlias = Callable[[float], None]
"""Called with the share of the work done, 0 to 1."""
Work: TypeAlias = Callable[[dict[str, Any], Share], dict[str, Any]]

_MAX_LINE_BYTES = 64 * 1024**2
_MAX_OPEN_FILES = 256
_LOG_TAIL_BYTES = 4000
_PASSED_ON = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Limits:
    """Of one child: wall-clock seconds (and twice as many of CPU), bytes of memory, bytes of one file it writes."""

    timeout_s: float
    memory_bytes: int
    file_bytes: int


class ChildTimedOut(Exception):
    """The child was killed because its time was up."""


class ChildDied(Exception):
    """The child ended without an answer: a crash, or a limit of the system."""


# ---- the parent's end ----


def run(module: str, request: Mapping[str, Any], limits: Limits, folder: Path, on_share: Share) -> dict[str, Any]:
    """The result of `module`'s work. `folder` is its working and home folder.

    Raises `ChildTimedOut`, `ChildDied`, or the `IndexerError` that the child raised.
    """
    with tempfile.TemporaryFile() as said, _start(module, folder, said) as process:
        timed_out = threading.Event()
        timer = threading.Timer(limits.timeout_s, _time_out, [process, timed_out])
        timer.start()
        try:
            answer = _talk(process, {"limits": asdict(limits), "request": request}, on_share)
        finally:
            timer.cancel()
            timer.join()
            _kill(process)
            process.wait()
        words = _tail(said)
    log.debug("child_ended", module=module, status=process.returncode, said=words)
    if timed_out.is_set():
        raise ChildTimedOut(f"{module} took more than {limits.timeout_s:.0f} s")
    if answer is None:
        raise ChildDied(f"{module} ended with status {process.returncode}: {words}")
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
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
            "OPENBLAS_NUM_THREADS": "1",
        },
        start_new_session=True,
    )


def _talk(process: subprocess.Popen[bytes], message: Mapping[str, Any], on_share: Share) -> dict[str, Any] | None:
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


def _time_out(process: subprocess.Popen[bytes], timed_out: threading.Event) -> None:
    timed_out.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The child and whatever it started. It was not waited for yet, so its id is still its own."""
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


# ---- the child's end ----


def serve(work: Work) -> None:
    """The life of a child process: one request, one answer."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        message = json.loads(sys.stdin.buffer.readline())
        _limit(Limits(**message["limits"]))
        threading.Thread(target=_end_with_parent, daemon=True).start()
        try:
            answer: dict[str, Any] = {"result": work(message["request"], _shares(answers))}
        except IndexerError as error:
            answer = {"error": error.code, "message": str(error)}
        _tell(answers, answer)


def _limit(limits: Limits) -> None:
    """RLIMIT_DATA and not RLIMIT_AS: a JavaScript runtime and thread stacks reserve far more than they use."""
    wanted = {
        resource.RLIMIT_CPU: int(2 * limits.timeout_s) + 1,
        resource.RLIMIT_DATA: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: _MAX_OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least))


def _end_with_parent() -> None:
    """Blocks until the parent's end of the pipe closes, which it does however the parent ends."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def _shares(answers: IO[str]) -> Share:
    told = -1.0

    def tell(share: float) -> None:
        nonlocal told
        share = min(max(share, 0.0), 1.0)
        if share >= told + 0.01:
            told = share
            _tell(answers, {"share": share})

    return tell


def _tell(answers: IO[str], message: Mapping[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()
