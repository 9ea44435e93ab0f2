"""`reelseek up`, as `make run` starts it: the embedded product."""

import signal
import urllib.request
from pathlib import Path

import pytest

from tests.support.servers.processes import REELSEEK, Process, parse_json_lines, run_process, run_reelseek


def wait_for_address(up: Process) -> str:
    line = up.wait_for("http://127.0.0.1:")
    return "http://127.0.0.1:" + line.split("http://127.0.0.1:")[1].split()[0].strip("/.")


def test_first_start_indexes_samples_and_second_start_keeps_them(tmp_path: Path) -> None:
    """The first start indexes the samples, answers its example queries, serves the page and accepts other commands.

    Ctrl-C ends it cleanly. The second start has the same library and indexes nothing again.
    """
    with run_process([REELSEEK, "up"], tmp_path) as up:
        with urllib.request.urlopen(f"{wait_for_address(up)}/_stcore/health") as health:
            assert health.status == 200
        up.wait_for("Press Ctrl-C")  # Scores change until the samples have been listened to.
        found = run_reelseek(tmp_path, "find", "a big rabbit", "--json")
        [first] = parse_json_lines(found.stdout)
        assert first["hits"][0]["title"] == "Big Buck Bunny (excerpt)"
        library = run_reelseek(tmp_path, "library", "--json")
        assert up.stop(signal.SIGINT) == 0
    assert up.text.count("Big Buck Bunny (excerpt)") >= 1
    assert "Traceback" not in up.text
    pictures = {path: path.stat().st_mtime_ns for path in (tmp_path / "blobs").rglob("*.jpg")}
    with run_process([REELSEEK, "up"], tmp_path) as up:
        wait_for_address(up)
        assert run_reelseek(tmp_path, "library", "--json").stdout == library.stdout
        [again] = parse_json_lines(run_reelseek(tmp_path, "find", "a big rabbit", "--json").stdout)
        assert [(hit["moment_link"], hit["score"]) for hit in again["hits"]] == [
            # Rounding may differ between processes.
            (hit["moment_link"], pytest.approx(hit["score"], abs=1e-4))
            for hit in first["hits"]
        ]
        assert up.stop(signal.SIGTERM) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "blobs").rglob("*.jpg")} == pictures


def test_commands_work_without_a_running_process(tmp_path: Path) -> None:
    """A listing, a refusal and a search in an empty library start what they need."""
    assert run_reelseek(tmp_path, "library", "--json").returncode == 0
    refused = run_reelseek(tmp_path, "index", "http://127.0.0.1/a.mp4", "--json")
    line = parse_json_lines(refused.stdout)[0]
    assert (refused.returncode, line["status"], line["code"], line["moments"]) == (1, "failed", "address_refused", 0)
    assert line["sentence"]
    assert run_reelseek(tmp_path, "find", "   ").returncode == 1
