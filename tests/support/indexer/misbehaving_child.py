"""Child process for the tests of `indexer.sandbox.parent`: runs the action that the request names."""

import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from indexer import errors
from indexer.sandbox.child import ProgressCallback, serve_request


def run_action(request: dict[str, Any], progress: ProgressCallback) -> dict[str, Any]:
    action, _, argument = request["action"].partition(" ")
    return {"output": ACTIONS[action](argument, progress)}


def count(argument: str, progress: ProgressCallback) -> int:
    for step in range(1001):
        progress(step / 1000)
    return step


def raise_error(argument: str, progress: ProgressCallback) -> None:
    raise getattr(errors, argument)("for a reason")


def write_invalid_json(argument: str, progress: ProgressCallback) -> None:
    """Write to every open file, which includes the pipe to the parent."""
    for number in range(3, 20):
        with suppress(OSError):
            os.write(number, b"{nonsense\n")
    os._exit(0)


def wait(argument: str, progress: ProgressCallback) -> None:
    """Wait forever and start a program that does too. Both hold the pipe `alive` open until they end."""
    alive = os.open("alive", os.O_WRONLY)
    with subprocess.Popen(["sleep", "600"], pass_fds=[alive]) as sleeper:
        progress(0)
        sleeper.wait()


def allocate(argument: str, progress: ProgressCallback) -> str:
    try:
        bytearray(1024**3)
    except MemoryError as error:
        return type(error).__name__
    return "allocated"


def map_shared_memory(argument: str, progress: ProgressCallback) -> str:
    """Create a shared mapping, which RLIMIT_DATA does not count."""
    try:
        mmap.mmap(-1, 4 * 1024**3).close()
    except OSError as error:
        return type(error).__name__
    return "mapped"


def burn_cpu(argument: str, progress: ProgressCallback) -> None:
    progress(0)
    while True:
        pass


def open_many_files(argument: str, progress: ProgressCallback) -> int:
    opened: list[int] = []
    with suppress(OSError):
        while len(opened) < 10_000:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    return len(opened)


def read_privileges(argument: str, progress: ProgressCallback) -> list[str]:
    status = Path("/proc/self/status").read_text()
    return [status.split("NoNewPrivs:")[1].split()[0], Path("/proc/self/oom_score_adj").read_text().strip()]


def write_large_file(argument: str, progress: ProgressCallback) -> str:
    try:
        Path("big").write_bytes(bytes(2 * 1024**2))
    except OSError as error:
        return type(error).__name__
    return "written"


def import_colorsys(argument: str, progress: ProgressCallback) -> str:
    import colorsys

    return str(colorsys.__file__)


def print_like_a_library(argument: str, progress: ProgressCallback) -> str:
    print('{"result": "printed by a library"}')
    os.write(1, b'{"result": "written by a library"}\n')
    return "printed"


ACTIONS: dict[str, Callable[[str, ProgressCallback], Any]] = {
    "count": count,
    "raise": raise_error,
    "crash": lambda argument, progress: os.kill(os.getpid(), signal.SIGSEGV),
    "bug": lambda argument, progress: 1 / 0,
    "exit": lambda argument, progress: sys.exit(3),
    "write_invalid_json": write_invalid_json,
    "print": print_like_a_library,
    "wait": wait,
    "allocate": allocate,
    "map_shared_memory": map_shared_memory,
    "burn_cpu": burn_cpu,
    "open_many_files": open_many_files,
    "read_privileges": read_privileges,
    "write_large_file": write_large_file,
    "read_environment": lambda argument, progress: dict(os.environ),
    "import_colorsys": import_colorsys,
}

if __name__ == "__main__":
    serve_request(run_action)
