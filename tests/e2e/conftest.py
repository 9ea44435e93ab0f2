"""The embedded product in this process, and a pair of servers that a test may stop."""

from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from model.ports import Encoder
from tests.support.servers.qdrant import qdrant_binary
from tests.support.servers.stores import StoreServers
from worker.client.queue_client import QueueClient
from worker.models.loading import ModelChoice, load_preset
from worker.runtime.embedded import run_embedded_worker
from worker.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings of an installation that may fetch from loopback."""
    return Settings(data_dir=tmp_path / "data", allow_networks=(ip_network("127.0.0.1/32"),))


@pytest.fixture(scope="session")
def starter() -> Encoder:
    """Load the real encoder, once for all tests."""
    return load_preset(Settings(), ModelChoice("starter"))


@pytest.fixture
async def client(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[QueueClient]:
    """Run the embedded form with the shared encoder."""
    async with run_embedded_worker(settings, load=lambda *_: request.getfixturevalue("starter")) as client:
        yield client


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[StoreServers]:
    """Start a Redis and a Qdrant that the test may stop."""
    servers = StoreServers(tmp_path, qdrant_binary())
    try:
        servers.start("redis")
        servers.start("qdrant")
        yield servers
    finally:
        servers.stop_all()
