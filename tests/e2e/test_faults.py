"""A small run of the fault harness that docs/faults.md describes, with another seed each time."""

import os
import random
import subprocess
import sys

import pytest

from tests.support.servers.processes import ROOT
from tests.support.servers.qdrant import qdrant_binary


@pytest.mark.timeout(300)
def test_no_acknowledged_work_is_lost_or_done_twice() -> None:
    """Links of three spaces end as reported, once each, although processes and servers are killed."""
    qdrant_binary()
    seed = random.SystemRandom().randrange(100_000)
    print(f"seed {seed}")
    command = [sys.executable, "-m", "tests.support.faults", "--jobs", "8", "--seed", str(seed)]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=290)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr[-3000:]}"
