"""Measures what the start of each kind of process takes: CPU time, peak memory and page faults.

`python -m benchmarks.start_up [--runs 3]` starts each in a process of its own and prints the medians. CPU time hardly
depends on what else the machine does. The data folder is empty, and the picture tower's compiled form is there.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from statistics import median
from typing import Final

LOAD_MODEL: Final = """
from model.loader import load_encoder
from model.preset_files import find_preset
encoder = load_encoder(find_preset("starter"), device="cpu", adapter=None, artifacts_dir=None)
encoder.encode_texts(["a dog"])
"""
ENCODE_PICTURE: Final = """
import numpy
encoder.encode_frames([numpy.zeros((360, 640, 3), numpy.uint8)])
"""
WORKER: Final = "import worker.runtime.process, worker.vector_store, indexer.vectors.qdrant_server\n"

PROCESSES: Final = {
    "`reelseek --help`": ["-m", "bots", "--help"],
    "`reelseek index --dry-run`": ["-m", "bots", "index", "--dry-run", "https://youtu.be/dQw4w9WgXcQ"],
    "`reelseek library`, embedded": ["-m", "bots", "library"],
    "`reelseek find`, embedded": ["-m", "bots", "find", "a dog"],
    "imports of the Discord bot": ["-c", "import bots.discord.run"],
    "imports of the Slack app": ["-c", "import bots.slack.run"],
    "imports of a worker": ["-c", WORKER],
    "search worker with its model": ["-c", WORKER + LOAD_MODEL],
    "index worker with its model, one picture": ["-c", WORKER + LOAD_MODEL + ENCODE_PICTURE],
    "imports of the child that decodes": ["-c", "import indexer.decode.decode_worker"],
    "imports of the child that downloads": ["-c", "import indexer.fetch.fetch_worker"],
}


def main() -> None:
    """Print a row for each kind of process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start_up", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs: int = parser.parse_args().runs
    print("| process | CPU s | peak MB | page faults |\n|---|---|---|---|")
    for name, arguments in PROCESSES.items():
        rows = [_measure(arguments) for _ in range(runs)]
        cpu_s, peak_mb, faults = (median(row[number] for row in rows) for number in range(3))
        print(f"| {name} | {cpu_s:.2f} | {peak_mb:.0f} | {faults:,.0f} |", flush=True)


def _measure(arguments: list[str]) -> tuple[float, float, float]:
    """Return the CPU time in seconds, the peak of resident memory in MB, and the number of page faults of a process."""
    with tempfile.TemporaryDirectory() as folder:
        environment: Mapping[str, str] = {**os.environ, "REELSEEK_DATA_DIR": folder, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *arguments]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):  # 1: an empty library has no hits
        raise RuntimeError(f"{command} ended with status {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, usage.ru_minflt


if __name__ == "__main__":
    main()
