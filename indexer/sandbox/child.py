"""The life of a child process with limits: one request, one answer. `indexer.sandbox.parent` is the parent's end.

The parent writes one JSON line and keeps the pipe open; the child writes JSON lines: shares of the work done, then one
result or one error. The child ends when that pipe closes, so none outlives its parent. What it or a library prints goes
to its standard error, which the parent reads when something went wrong.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from indexer.errors import DISK_FULL, IndexerError, StoreUnavailableError

ProgressCallback: TypeAlias = Callable[[float], None]
"""Called with the share of the work done, 0 to 1."""
ChildWork: TypeAlias = Callable[[dict[str, Any], ProgressCallback], dict[str, Any]]

_MAX_OPEN_FILES = 256
_PR_SET_NO_NEW_PRIVS = 38


@dataclass(frozen=True)
class ResourceLimits:
    """Of one child: wall-clock seconds (and twice as many of CPU), bytes of memory, bytes of one file it writes.

    `address_bytes` holds what memory alone does not: shared mappings. None where a JavaScript runtime has to run, which
    reserves far more than it uses.
    """

    timeout_s: float
    memory_bytes: int
    file_bytes: int
    address_bytes: int | None = None


def serve_request(work: ChildWork) -> None:
    """The life of a child process: one request, one answer."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        message = json.loads(sys.stdin.buffer.readline())
        _limit(ResourceLimits(**message["limits"]))
        _step_down()
        threading.Thread(target=_end_with_parent, daemon=True).start()
        try:
            answer: dict[str, Any] = {"result": work(message["request"], _shares(answers))}
        except IndexerError as error:
            answer = {"error": error.code, "message": str(error)}
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            answer = {"error": StoreUnavailableError.code, "message": str(error)}
        sys.stdout.flush()  # the parent kills us once it has its answer
        _tell(answers, answer)


def _limit(limits: ResourceLimits) -> None:
    """RLIMIT_DATA is what is used, RLIMIT_AS what is reserved. Not RLIMIT_NPROC: it counts all threads of our user."""
    wanted = {
        resource.RLIMIT_CPU: int(2 * limits.timeout_s) + 1,
        resource.RLIMIT_DATA: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: _MAX_OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if limits.address_bytes is not None:
        wanted[resource.RLIMIT_AS] = limits.address_bytes
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least))


def _step_down() -> None:
    """On Linux: no program that is started gains rights, and where memory runs out, this process is the first to go."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with_parent() -> None:
    """Blocks until the parent's end of the pipe closes, which it does however the parent ends."""
    while os.read(0, 1):
        pass
    with suppress(ProcessLookupError):  # by our own id: a group that someone else leads is none of ours to kill
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _shares(answers: IO[str]) -> ProgressCallback:
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
