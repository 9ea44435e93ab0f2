"""A child process that does as it is told, for the tests of `indexer.sandbox.parent`: python -m tests.support.misbehaving_child."""

import mmap
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from indexer import errors
from indexer.sandbox.child import ProgressCallback, serve_request


def work(request: dict[str, Any], share: ProgressCallback) -> dict[str, Any]:
    job, _, detail = request["job"].partition(" ")
    return {"found": JOBS[job](detail, share)}


def count(detail: str, share: ProgressCallback) -> int:
    for step in range(1001):
        share(step / 1000)
    return step


def fail(detail: str, share: ProgressCallback) -> None:
    raise getattr(errors, detail)("for a reason")


def nonsense(detail: str, share: ProgressCallback) -> None:
    """Onto every open file, the parent's pipe among them."""
    for number in range(3, 20):
        with suppress(OSError):
            os.write(number, b"{nonsense\n")
    os._exit(0)


def wait(detail: str, share: ProgressCallback) -> None:
    """For ever, and with a program of its own; both hold the pipe `alive` open as long as they live."""
    alive = os.open("alive", os.O_WRONLY)
    with subprocess.Popen(["sleep", "600"], pass_fds=[alive]) as sleeper:
        share(0)
        sleeper.wait()


def allocate(detail: str, share: ProgressCallback) -> str:
    try:
        bytearray(1024**3)
    except MemoryError as error:
        return type(error).__name__
    return "allocated"


def share_memory(detail: str, share: ProgressCallback) -> str:
    """A mapping that is no private memory, which the limit on memory alone does not see."""
    try:
        mmap.mmap(-1, 4 * 1024**3).close()
    except OSError as error:
        return type(error).__name__
    return "mapped"


def burn(detail: str, share: ProgressCallback) -> None:
    share(0)
    while True:
        pass


def open_many(detail: str, share: ProgressCallback) -> int:
    opened = []
    with suppress(OSError):
        while len(opened) < 10_000:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    return len(opened)


def standing(detail: str, share: ProgressCallback) -> list[str]:
    status = Path("/proc/self/status").read_text()
    return [status.split("NoNewPrivs:")[1].split()[0], Path("/proc/self/oom_score_adj").read_text().strip()]


def write(detail: str, share: ProgressCallback) -> str:
    try:
        Path("big").write_bytes(bytes(2 * 1024**2))
    except OSError as error:
        return type(error).__name__
    return "written"


def take(detail: str, share: ProgressCallback) -> str:
    import colorsys

    return str(colorsys.__file__)


def say(detail: str, share: ProgressCallback) -> str:
    print('{"result": "printed by a library"}')
    os.write(1, b'{"result": "written by a library"}\n')
    return "printed"


JOBS = {
    "count": count,
    "raise": fail,
    "crash": lambda detail, share: os.kill(os.getpid(), signal.SIGSEGV),
    "bug": lambda detail, share: 1 / 0,
    "leave": lambda detail, share: sys.exit(3),
    "nonsense": nonsense,
    "print": say,
    "wait": wait,
    "allocate": allocate,
    "share_memory": share_memory,
    "burn": burn,
    "open_many": open_many,
    "standing": standing,
    "write": write,
    "environment": lambda detail, share: dict(os.environ),
    "import": take,
}

if __name__ == "__main__":
    serve_request(work)
