"""A real Qdrant server of this test run."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.network import free_port

BINARY = "REELSEEK_TEST_QDRANT"


def qdrant_binary() -> str:
    """The server's binary, or a skipped test."""
    binary = os.environ.get(BINARY)
    if not binary:
        pytest.skip(f"{BINARY} does not name a Qdrant server's binary")
    return binary


@contextmanager
def qdrant_server(binary: str, folder: Path, port: int) -> Iterator[str]:
    """A server on loopback with its storage in `folder`, killed at the end. Yields its address."""
    environment = {
        "QDRANT__SERVICE__HOST": "127.0.0.1",
        "QDRANT__SERVICE__HTTP_PORT": str(port),
        "QDRANT__SERVICE__GRPC_PORT": str(free_port()),
        "QDRANT__STORAGE__STORAGE_PATH": str(folder / "storage"),
        "QDRANT__STORAGE__SNAPSHOTS_PATH": str(folder / "snapshots"),
        "QDRANT__TELEMETRY_DISABLED": "true",
    }
    process = subprocess.Popen(
        [binary], cwd=folder, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    ready = any("actix-web-service" in line for line in process.stdout)
    drain = threading.Thread(target=process.stdout.read)
    drain.start()
    try:
        assert ready, "Qdrant ended before it was ready"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        drain.join()
        process.stdout.close()


@pytest.fixture(scope="session")
def qdrant_url(fast_folder: Path) -> Iterator[str]:
    """Start a Qdrant server for this run, or use the one that `REELSEEK_TEST_QDRANT_URL` names. Yield its address."""
    if given := os.environ.get("REELSEEK_TEST_QDRANT_URL"):
        yield given
        return
    folder = fast_folder / "qdrant"
    folder.mkdir()
    with qdrant_server(qdrant_binary(), folder, free_port()) as url:
        yield url
