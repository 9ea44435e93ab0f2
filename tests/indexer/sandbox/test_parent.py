"""Tests of the sandbox: a child process returns a result or an error, keeps its limits, and ends with its parent."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import IndexerError, NotALinkError, TooManyPixelsError
from indexer.sandbox.child import ResourceLimits
from indexer.sandbox.parent import ChildCrashedError, ChildTimeoutError, run_child

CHILD = "tests.support.indexer.misbehaving_child"
LIMITS = ResourceLimits(timeout_s=60, memory_bytes=512 * 1024**2, file_bytes=1024**2)


def run_action(folder: Path, action: str, limits: ResourceLimits = LIMITS) -> Any:
    return run_child(CHILD, {"action": action}, limits, folder, lambda share: None)["output"]


def test_run_child_returns_result_and_reports_progress(tmp_path: Path) -> None:
    """Progress is increasing, each value is reported once, and then the result is returned."""
    shares: list[float] = []
    answer = run_child(CHILD, {"action": "count"}, LIMITS, tmp_path, shares.append)
    assert answer == {"output": 1000}
    assert shares == sorted(set(shares))
    assert 50 < len(shares) <= 101


@pytest.mark.parametrize("error", [NotALinkError, TooManyPixelsError, IndexerError])
def test_indexer_error_of_child_is_raised_in_parent(tmp_path: Path, error: type[IndexerError]) -> None:
    """An error of the child is raised with the same class and message."""
    with pytest.raises(error, match="for a reason") as raised:
        run_action(tmp_path, f"raise {error.__name__}")
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("action", "cause"), [("crash", "SIGSEGV|-11"), ("bug", "ZeroDivisionError"), ("exit", "status 3")]
)
def test_child_without_response_raises_crashed_error(tmp_path: Path, action: str, cause: str) -> None:
    """A crash, a bug and an exit each give their cause."""
    with pytest.raises(ChildCrashedError, match=cause):
        run_action(tmp_path, action)


def test_invalid_response_raises_crashed_error(tmp_path: Path) -> None:
    """A response that is not JSON counts as no response."""
    with pytest.raises(ChildCrashedError):
        run_action(tmp_path, "write_invalid_json")


def test_output_of_libraries_is_not_a_response(tmp_path: Path) -> None:
    """A library that prints to standard output does not disturb the protocol."""
    assert run_action(tmp_path, "print") == "printed"


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[int]:
    """Return a pipe that the action `wait` and its program hold open. It reads as closed once they are gone."""
    os.mkfifo(tmp_path / "alive")
    pipe = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    yield pipe
    os.close(pipe)


def wait_until_all_ended(alive: int) -> None:
    """Wait until every process has closed the pipe. A surviving process makes the test time out."""
    os.set_blocking(alive, True)
    assert os.read(alive, 1) == b""


def test_timeout_kills_child_and_its_processes(tmp_path: Path, alive: int) -> None:
    """A child that never ends is killed, with the program that it started."""
    with pytest.raises(ChildTimeoutError):
        run_action(tmp_path, "wait", ResourceLimits(3, LIMITS.memory_bytes, LIMITS.file_bytes))
    wait_until_all_ended(alive)


def test_stopping_event_kills_child_and_its_processes(tmp_path: Path, alive: int) -> None:
    """Shutdown does not wait for a running child: it is killed, with the program that it started."""
    stopping = threading.Event()
    with pytest.raises(ChildCrashedError):
        run_child(CHILD, {"action": "wait"}, LIMITS, tmp_path, lambda share: stopping.set(), stopping)
    wait_until_all_ended(alive)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to RLIMIT_DATA")
def test_memory_limit_is_enforced(tmp_path: Path) -> None:
    """An allocation over the limit fails in the child."""
    assert run_action(tmp_path, "allocate") == "MemoryError"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to RLIMIT_AS")
def test_address_space_limit_covers_shared_mappings(tmp_path: Path) -> None:
    """With `address_bytes`, shared mappings cannot exceed the limit either."""
    assert run_action(tmp_path, "map_shared_memory", replace(LIMITS, address_bytes=2 * 1024**3)) == "OSError"
    assert run_action(tmp_path, "map_shared_memory") == "mapped"


@pytest.mark.skipif(sys.platform != "linux", reason="these are Linux's own")
def test_child_has_no_new_privileges_and_is_killed_first(tmp_path: Path) -> None:
    """`no_new_privs` is set, and the OOM killer ends the child before the worker."""
    assert run_action(tmp_path, "read_privileges") == ["1", "1000"]


def test_open_files_limit_is_enforced(tmp_path: Path) -> None:
    """A child runs out of its own open files before the machine does."""
    assert 100 < run_action(tmp_path, "open_many_files") < 256


def test_cpu_time_limit_is_enforced_without_parent_timer(tmp_path: Path) -> None:
    """If the parent does not kill the child, the CPU limit does."""
    limits = {"timeout_s": 0.1, "memory_bytes": LIMITS.memory_bytes, "file_bytes": LIMITS.file_bytes}
    with subprocess.Popen(
        [sys.executable, "-m", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps({"limits": limits, "request": {"action": "burn_cpu"}}) + "\n")
        child.stdin.flush()
        assert child.wait(60) in (-signal.SIGXCPU, -signal.SIGKILL)


def test_child_after_a_crash_works(tmp_path: Path) -> None:
    """A crashed decoder costs one job: the next child works."""
    with pytest.raises(ChildCrashedError):
        run_action(tmp_path, "crash")
    assert run_action(tmp_path, "count") == 1000


def test_file_size_limit_is_enforced(tmp_path: Path) -> None:
    """A file over the limit is not written."""
    assert run_action(tmp_path, "write_large_file") == "OSError"
    assert (tmp_path / "big").stat().st_size <= LIMITS.file_bytes


def test_child_environment_contains_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only allow-listed variables reach the child, and a home of its own."""
    monkeypatch.setenv("REELSEEK_DISCORD_TOKEN", "secret")
    environment = run_action(tmp_path, "read_environment")
    assert "secret" not in environment.values()
    assert environment["HOME"] == str(tmp_path)


def test_file_in_working_folder_is_not_imported(tmp_path: Path) -> None:
    """A download that is named like a module is not imported."""
    (tmp_path / "colorsys.py").write_text("raise SystemExit('imported')")
    assert "tmp" not in run_action(tmp_path, "import_colorsys")


def test_child_ends_when_parent_is_killed(tmp_path: Path, alive: int) -> None:
    """A killed worker leaves no child process."""
    code = f"""
from pathlib import Path
from indexer.sandbox.child import ResourceLimits
from indexer.sandbox.parent import run_child
run_child({CHILD!r}, {{"action": "wait"}}, ResourceLimits(600, 2**29, 2**20), Path({str(tmp_path)!r}), print)
"""
    with subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("0")
        parent.kill()
    wait_until_all_ended(alive)
