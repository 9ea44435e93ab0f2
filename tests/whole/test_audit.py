"""The check command's audit of dependencies: pip-audit, as the Makefile calls it, against a local advisory service."""

import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

from tests.conftest import free_port
from tests.whole.processes import ROOT

Advisories: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""What osv.dev answers to a question about one package."""

LOCKED = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)


@contextmanager
def service(advisories: Advisories) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(advisories(asked)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()
        thread.join()


def audit(url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What `make audit` runs, asking another service."""
    [line] = re.findall(r"^\t\$\(BIN\)/(pip-audit .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    tool, *options = shlex.split(line)
    command = [str(Path(sys.executable).with_name(tool)), *options, "--osv-url", url, "--cache-dir", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_audit_asks_of_every_locked_package(tmp_path: Path) -> None:
    """Where the service knows nothing against any, the check passes."""
    asked: set[str] = set()

    def nothing(question: dict[str, Any]) -> dict[str, Any]:
        asked.add(question["package"]["name"])
        return {}

    with service(nothing) as url:
        done = audit(url, tmp_path)
    assert done.returncode == 0, done.stderr
    assert asked >= {re.sub(r"[._-]+", "-", name).lower() for name in LOCKED}


def test_a_known_fault_fails_the_check(tmp_path: Path) -> None:
    """It names the package and the advisory."""

    def one(question: dict[str, Any]) -> dict[str, Any]:
        fault = {"id": "PYSEC-2026-1", "summary": "it leaks", "affected": [{"package": question["package"]}]}
        return {"vulns": [fault]} if question["package"]["name"] == "celery" else {}

    with service(one) as url:
        done = audit(url, tmp_path)
    assert done.returncode == 1
    assert re.search(r"celery .*PYSEC-2026-1", done.stdout)


def test_an_audit_that_could_not_ask_is_no_pass(tmp_path: Path) -> None:
    """Without the service the check fails."""
    assert audit(f"http://127.0.0.1:{free_port()}/v1/query", tmp_path).returncode != 0
