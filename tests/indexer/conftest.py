"""Stores for the tests of this room, in process and, where there is one, a real server; and a fetcher."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from indexer.fetch.fetcher import YtDlpFetcher
from indexer.store.blobs import BlobStore
from indexer.store.library import Library
from indexer.types import FetchResult
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.vector_store import VectorStore
from tests.support import media
from tests.support.indexer_fakes import opened
from tests.support.qdrant import qdrant_url
from tests.support.site import site

__all__ = ["qdrant_url", "site"]

OpenPoints: TypeAlias = Callable[[], VectorStore]

Fetch: TypeAlias = Callable[..., FetchResult]

RAM = Path("/dev/shm")
LOOPBACK = ip_network("127.0.0.1/32")


@pytest.fixture(scope="session")
def fast_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is one: making a collection waits for the disk several times."""
    roomy = RAM.is_dir() and shutil.disk_usage(RAM).free > 1024**3
    folder = Path(tempfile.mkdtemp(dir=RAM)) if roomy else tmp_path_factory.mktemp("fast")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def store_folder(fast_folder: Path) -> Iterator[Path]:
    """A new folder for the store in process."""
    folder = Path(tempfile.mkdtemp(dir=fast_folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["edge", "server"])
def open_points(request: pytest.FixtureRequest, store_folder: Path) -> Iterator[OpenPoints]:
    """Opens the store of this test; opened again, it still knows what it knew."""
    opened: list[VectorStore] = []
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else None

    def open_one() -> VectorStore:
        while opened:
            opened.pop().close()
        opened.append(QdrantVectorStore(url) if url else EdgeVectorStore(store_folder))
        return opened[0]

    yield open_one
    points = open_one()
    for collection in points.collections():
        points.drop(collection)
    points.close()


@pytest.fixture
def points(open_points: OpenPoints) -> VectorStore:
    """An empty store."""
    return open_points()


@pytest.fixture
def library(points: VectorStore) -> Library:
    """An empty library, of the generation that `FakeEncoder` makes."""
    return opened(points)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(str(tmp_path))


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    """Fetches a link into a folder of the test, with limits that a test may change."""
    folder = tmp_path / "work"
    folder.mkdir()

    def go(link: str, **changed: Any) -> FetchResult:
        limits = {"max_duration_s": 7200.0, "max_bytes": 10**7, "timeout_s": 60.0, "memory_limit_bytes": 1024**3}
        fetcher = YtDlpFetcher(**{**limits, "allow_networks": (LOOPBACK,), **changed})
        return fetcher.fetch(link, folder, lambda stage, share: None)

    return go


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    return media.video(tmp_path / "clip.mp4").read_bytes()
