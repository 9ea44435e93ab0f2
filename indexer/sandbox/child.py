"""Child end of the sandbox: a process with resource limits that does one piece of work and ends.

The parent (`indexer.sandbox.parent`) writes one JSON line to standard input and keeps the pipe open. The
child writes JSON lines: progress, then one result or one error. The child ends when that pipe closes, so it
never outlives its parent. Anything that libraries print goes to standard error, which the parent logs.
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

from indexer.errors import DISK_FULL, DiskFullError, IndexerError

ProgressCallback: TypeAlias = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1."""
ChildWork: TypeAlias = Callable[[dict[str, Any], ProgressCallback], dict[str, Any]]
"""Function that the child runs: takes the request and returns the result, both JSON."""

_MAX_OPEN_FILES = 256
_MIN_PROGRESS_STEP = 0.01
_PR_SET_NO_NEW_PRIVS = 38


@dataclass(frozen=True)
class ResourceLimits:
    """Resource limits of one child process.

    `timeout_s` is wall-clock time; CPU time is limited to twice that. `memory_bytes` limits private memory
    and `file_bytes` the size of each file that it writes. `address_bytes` limits the address space, which
    also covers shared mappings. It is None if a JavaScript runtime has to run, because that reserves far more
    than it uses.
    """

    timeout_s: float
    memory_bytes: int
    file_bytes: int
    address_bytes: int | None = None


def serve_request(work: ChildWork) -> None:
    """Run `work` on the request from standard input, under the limits in it, and write the result.

    An `IndexerError` or a full disk is sent as an error. Any other exception ends the process with a
    traceback.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as responses:
        os.dup2(2, 1)
        message = json.loads(sys.stdin.buffer.readline())
        _apply_limits(ResourceLimits(**message["limits"]))
        _harden_process()
        threading.Thread(target=_exit_with_parent, daemon=True).start()
        try:
            response: dict[str, Any] = {"result": work(message["request"], _progress_writer(responses))}
        except IndexerError as error:
            response = {"error": error.code, "message": str(error)}
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            response = {"error": DiskFullError.code, "message": str(error)}
        sys.stdout.flush()  # the parent kills this process once it has the response
        _write_message(responses, response)


def _apply_limits(limits: ResourceLimits) -> None:
    """Set the rlimits of this process, never above the hard limits that it already has.

    RLIMIT_DATA limits the memory in use, RLIMIT_AS the reserved addresses. RLIMIT_NPROC would count all
    threads of the user, so it is not set.
    """
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
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (limit, limit))


def _harden_process() -> None:
    """On Linux, set `no_new_privs` and make this process the first that the OOM killer ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _exit_with_parent() -> None:
    """Block until the parent's end of the pipe closes, then kill this process and all that it started."""
    while os.read(0, 1):
        pass
    with suppress(ProcessLookupError):  # only if this process leads a group: others' groups are left alone
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _progress_writer(responses: IO[str]) -> ProgressCallback:
    """Return a callback that writes progress to the parent if it grew by at least one percent."""
    last_share = -1.0

    def write_progress(share: float) -> None:
        nonlocal last_share
        share = min(max(share, 0.0), 1.0)
        if share >= last_share + _MIN_PROGRESS_STEP:
            last_share = share
            _write_message(responses, {"share": share})

    return write_progress


def _write_message(responses: IO[str], message: Mapping[str, Any]) -> None:
    responses.write(json.dumps(message) + "\n")
    responses.flush()
