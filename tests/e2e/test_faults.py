"""A small run of `benchmarks.faults`, which docs/faults.md tells of: parts die, and no acknowledged work is lost."""

import os
import subprocess
import sys

import pytest

from tests.support.processes import ROOT
from tests.support.qdrant import qdrant_binary


@pytest.mark.timeout(300)
def test_whatever_dies_the_sum_is_right() -> None:
    """Links of three spaces end as they were told, once each, though processes and servers are killed."""
    qdrant_binary()
    command = [sys.executable, "-m", "benchmarks.faults", "--jobs", "10", "--seed", "1"]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=290)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr[-3000:]}"
