"""`reelseek up`, as `make run` starts it: the embedded product."""

import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers.processes import REELSEEK, Process, parse_json_lines, run_process, run_reelseek


def wait_for_address(up: Process) -> str:
    line = up.wait_for("http://127.0.0.1:")
    return "http://127.0.0.1:" + line.split("http://127.0.0.1:")[1].split()[0].strip("/.")


def find_rabbit(data_dir: Path) -> dict[str, Any]:
    [answer] = parse_json_lines(run_reelseek(data_dir, "find", "a big rabbit", "--json").stdout)
    return answer


def read_times(data_dir: Path) -> dict[Path, int]:
    """Return when each stored picture was written, in ns."""
    return {path: path.stat().st_mtime_ns for path in (data_dir / "blobs").rglob("*.jpg")}


def test_first_start_indexes_samples_and_later_ones_keep_them(tmp_path: Path) -> None:
    """The first start indexes the samples, answers its example queries, serves the page and accepts other commands.

    The second start indexes nothing again. Ctrl-C ends both cleanly, also in the middle of the example queries.
    Commands without a running process then find the same.
    """
    with run_process([REELSEEK, "up"], tmp_path) as up:
        with urllib.request.urlopen(f"{wait_for_address(up)}/_stcore/health") as health:
            assert health.status == 200
        up.wait_for("Press Ctrl-C")  # Scores change until the samples have been listened to.
        first = find_rabbit(tmp_path)
        assert first["hits"][0]["title"] == "Big Buck Bunny (excerpt)"
        library = run_reelseek(tmp_path, "library", "--json")
        assert up.stop(signal.SIGINT) == 0
    assert up.text.count("Big Buck Bunny (excerpt)") >= 1
    assert "Traceback" not in up.text
    pictures = read_times(tmp_path)
    with run_process([REELSEEK, "up"], tmp_path) as up:
        up.wait_for("› ")
        assert up.stop(signal.SIGINT) == 0, up.text
    assert "Traceback" not in up.text
    assert run_reelseek(tmp_path, "library", "--json").stdout == library.stdout
    # Each of both queries is encoded alone: bfloat16 rounds otherwise if another one is in the same batch.
    assert [(hit["moment_link"], hit["score"]) for hit in find_rabbit(tmp_path)["hits"]] == [
        (hit["moment_link"], pytest.approx(hit["score"], abs=1e-4)) for hit in first["hits"]
    ]
    assert read_times(tmp_path) == pictures


def test_commands_work_without_a_running_process(tmp_path: Path) -> None:
    """A refusal and a search without words in an empty library start what they need."""
    refused = run_reelseek(tmp_path, "index", "http://127.0.0.1/a.mp4", "--json")
    line = parse_json_lines(refused.stdout)[0]
    assert (refused.returncode, line["status"], line["code"], line["moments"]) == (1, "failed", "address_refused", 0)
    assert line["sentence"]
    assert run_reelseek(tmp_path, "find", "   ").returncode == 1
