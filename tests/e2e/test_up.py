"""`reelseek up`, as `make run` starts it: the main job, embedded."""

import signal
import urllib.request
from pathlib import Path

import pytest

from tests.support.processes import REELSEEK, Process, json_lines, reelseek, running


def address(up: Process) -> str:
    line = up.wait_for("http://127.0.0.1:")
    return "http://127.0.0.1:" + line.split("http://127.0.0.1:")[1].split()[0].strip("/.")


def test_first_and_second_start(tmp_path: Path) -> None:
    """The first start indexes the samples, answers its examples, serves the page and lets other commands in; Ctrl-C
    ends it cleanly; the second start knows what was indexed and indexes nothing again.
    """
    with running([REELSEEK, "up"], tmp_path) as up:
        with urllib.request.urlopen(f"{address(up)}/_stcore/health") as health:
            assert health.status == 200
        found = reelseek(tmp_path, "find", "a big rabbit", "--json")
        [first] = json_lines(found.stdout)
        assert first["hits"][0]["title"] == "Big Buck Bunny (excerpt)"
        shelf = reelseek(tmp_path, "library", "--json")
        assert up.end(signal.SIGINT) == 0
    assert up.text.count("Big Buck Bunny (excerpt)") >= 1
    assert "Traceback" not in up.text
    pictures = {path: path.stat().st_mtime_ns for path in (tmp_path / "blobs").rglob("*.jpg")}
    with running([REELSEEK, "up"], tmp_path) as up:
        address(up)
        assert reelseek(tmp_path, "library", "--json").stdout == shelf.stdout
        [again] = json_lines(reelseek(tmp_path, "find", "a big rabbit", "--json").stdout)
        assert [(hit["moment_link"], hit["score"]) for hit in again["hits"]] == [
            # Another process may round the last digits otherwise.
            (hit["moment_link"], pytest.approx(hit["score"], abs=1e-4))
            for hit in first["hits"]
        ]
        assert up.end(signal.SIGTERM) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "blobs").rglob("*.jpg")} == pictures


def test_commands_without_up_start_what_they_need(tmp_path: Path) -> None:
    """With nothing running, a listing, a refusal and a question about an empty library are still answered."""
    assert reelseek(tmp_path, "library", "--json").returncode == 0
    refused = reelseek(tmp_path, "index", "http://127.0.0.1/a.mp4", "--json")
    line = json_lines(refused.stdout)[0]
    assert (refused.returncode, line["status"], line["code"], line["moments"]) == (1, "failed", "address_refused", 0)
    assert line["sentence"]
    assert reelseek(tmp_path, "find", "   ").returncode == 1
