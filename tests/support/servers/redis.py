"""A real Redis that a test can stop and start again with its data."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers.network import free_port


class RedisServer:
    """A Redis on a free port of loopback with an append-only file.

    With `appendfsync="always"` the file is synced after each write, so `stop` loses nothing.
    """

    def __init__(self, folder: Path, appendfsync: str = "always") -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("redis-server is not installed")
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--appendonly", "yes", "--appendfsync", appendfsync]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the server and return once it accepts connections."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        is_ready = any("Ready to accept connections" in line for line in self._process.stdout)
        assert is_ready, "redis-server ended before it was ready"

    def stop(self) -> None:
        """Kill the server. Does nothing if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextmanager
def running_redis(folder: Path, appendfsync: str = "always") -> Iterator[RedisServer]:
    """Run a Redis with its data in `folder` for the block."""
    server = RedisServer(folder, appendfsync)
    server.start()
    try:
        yield server
    finally:
        server.stop()
