"""A child process with limits: it answers, fails in our words, or is gone, and never outlives its parent."""

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

LIMITS = ResourceLimits(timeout_s=60, memory_bytes=512 * 1024**2, file_bytes=1024**2)


def do(folder: Path, job: str, limits: ResourceLimits = LIMITS) -> Any:
    return run_child("tests.support.misbehaving_child", {"job": job}, limits, folder, lambda share: None)["found"]


def test_work_is_done_and_told(tmp_path: Path) -> None:
    """Shares come in order, each told once, and then the result."""
    shares: list[float] = []
    answer = run_child("tests.support.misbehaving_child", {"job": "count"}, LIMITS, tmp_path, shares.append)
    assert answer == {"found": 1000}
    assert shares == sorted(set(shares))
    assert 50 < len(shares) <= 101


@pytest.mark.parametrize("error", [NotALinkError, TooManyPixelsError, IndexerError])
def test_an_error_crosses_as_itself(tmp_path: Path, error: type[IndexerError]) -> None:
    """What the child raises on purpose is raised here, class and words."""
    with pytest.raises(error, match="for a reason") as raised:
        do(tmp_path, f"raise {error.__name__}")
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("job", "words"), [("crash", "SIGSEGV|-11"), ("bug", "ZeroDivisionError"), ("leave", "status 3")]
)
def test_a_child_that_ends_without_an_answer_is_told(tmp_path: Path, job: str, words: str) -> None:
    """A crash, a bug and an exit each say what happened."""
    with pytest.raises(ChildCrashedError, match=words):
        do(tmp_path, job)


def test_a_child_that_writes_nonsense_is_told(tmp_path: Path) -> None:
    """An answer that is none is no answer."""
    with pytest.raises(ChildCrashedError):
        do(tmp_path, "nonsense")


def test_what_is_printed_is_no_answer(tmp_path: Path) -> None:
    """A library that prints to standard output does not disturb."""
    assert do(tmp_path, "print") == "printed"


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[int]:
    """A pipe that the job `wait` and what it starts hold open; it can be read from when all of them are gone."""
    os.mkfifo(tmp_path / "alive")
    pipe = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    yield pipe
    os.close(pipe)


def assert_all_gone(alive: int) -> None:
    """Waits for it; a process that stays runs into the test's own time-out."""
    os.set_blocking(alive, True)
    assert os.read(alive, 1) == b""


def test_time_is_limited(tmp_path: Path, alive: int) -> None:
    """A child that waits for ever is killed, with what it started."""
    with pytest.raises(ChildTimeoutError):
        do(tmp_path, "wait", ResourceLimits(3, LIMITS.memory_bytes, LIMITS.file_bytes))
    assert_all_gone(alive)


def test_a_child_is_killed_when_all_is_to_end(tmp_path: Path, alive: int) -> None:
    """Once told, nobody waits for a child that would take for ever; it goes with what it started."""
    stopping = threading.Event()
    with pytest.raises(ChildCrashedError):
        run_child(
            "tests.support.misbehaving_child", {"job": "wait"}, LIMITS, tmp_path, lambda share: stopping.set(), stopping
        )
    assert_all_gone(alive)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to RLIMIT_DATA")
def test_memory_is_limited(tmp_path: Path) -> None:
    """Memory beyond the limit is refused to the child."""
    assert do(tmp_path, "allocate") == "MemoryError"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to RLIMIT_AS")
def test_address_space_is_limited(tmp_path: Path) -> None:
    """Where no JavaScript runtime has to run, shared mappings do not get past the limit on memory either."""
    assert do(tmp_path, "share_memory", replace(LIMITS, address_bytes=2 * 1024**3)) == "OSError"
    assert do(tmp_path, "share_memory") == "mapped"


@pytest.mark.skipif(sys.platform != "linux", reason="these are Linux's own")
def test_a_child_gains_no_rights_and_goes_first(tmp_path: Path) -> None:
    """No program gives it more rights, and a machine without memory ends it before the worker."""
    assert do(tmp_path, "standing") == ["1", "1000"]


def test_open_files_are_limited(tmp_path: Path) -> None:
    """A child runs out of its own open files, not out of the machine's."""
    assert 100 < do(tmp_path, "open_many") < 256


def test_computing_time_is_limited(tmp_path: Path) -> None:
    """Should nobody stop the clock, the system does: here without the parent's timer."""
    limits = {"timeout_s": 0.1, "memory_bytes": LIMITS.memory_bytes, "file_bytes": LIMITS.file_bytes}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.misbehaving_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps({"limits": limits, "request": {"job": "burn"}}) + "\n")
        child.stdin.flush()
        assert child.wait(60) in (-signal.SIGXCPU, -signal.SIGKILL)


def test_a_crash_is_one_failed_job(tmp_path: Path) -> None:
    """A decoder that crashes takes nobody along: the next child answers."""
    with pytest.raises(ChildCrashedError):
        do(tmp_path, "crash")
    assert do(tmp_path, "count") == 1000


def test_files_are_limited(tmp_path: Path) -> None:
    """A file beyond the limit is not written."""
    assert do(tmp_path, "write") == "OSError"
    assert (tmp_path / "big").stat().st_size <= LIMITS.file_bytes


def test_a_child_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of our environment only what it needs goes along: no token, and a home of its own."""
    monkeypatch.setenv("REELSEEK_DISCORD_TOKEN", "secret")
    environment = do(tmp_path, "environment")
    assert "secret" not in environment.values()
    assert environment["HOME"] == str(tmp_path)


def test_a_file_in_the_folder_is_not_imported(tmp_path: Path) -> None:
    """A download named like a module does not become one."""
    (tmp_path / "colorsys.py").write_text("raise SystemExit('imported')")
    assert "tmp" not in do(tmp_path, "import")


def test_a_child_ends_with_its_parent(tmp_path: Path, alive: int) -> None:
    """A worker that is killed leaves no child at work."""
    code = (
        "import sys; from pathlib import Path; from indexer.sandbox.parent import run; from indexer.sandbox.child import Limits\n"
        f"run('tests.support.misbehaving_child', {{'job': 'wait'}}, Limits(600, 2**29, 2**20), Path({str(tmp_path)!r}), print)"
    )
    with subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("0")
        parent.kill()
    assert_all_gone(alive)
