"""A real Qdrant server for tests."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers.network import free_port

BINARY = "REELSEEK_TEST_QDRANT"


def qdrant_binary() -> str:
    """Return the path of the server's binary. Skip the test if it is not configured."""
    binary = os.environ.get(BINARY)
    if not binary:
        pytest.skip(f"{BINARY} does not name a Qdrant server's binary")
    return binary


@contextmanager
def qdrant_server(binary: str, folder: Path, port: int) -> Iterator[str]:
    """Run a server on loopback with its storage in `folder`, and kill it at the end. Yields its URL."""
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
        assert ready, "Qdrant exited before it was ready"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        drain.join()
        process.stdout.close()
