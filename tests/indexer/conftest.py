"""Fixtures of the indexer's tests: vector stores in this process and on a real server, and a fetcher."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.blobs import BlobStore
from indexer.fetch.fetcher import YtDlpFetcher
from indexer.store.stores import Stores
from indexer.types import FetchResult
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.vector_store import VectorStore
from tests.support.indexer import media
from tests.support.indexer.fakes import OpenVectorStore, open_library
from tests.support.indexer.fetch import LOOPBACK, Fetch


@pytest.fixture
def store_folder(fast_folder: Path) -> Iterator[Path]:
    """Create a folder for the store in this process."""
    folder = Path(tempfile.mkdtemp(dir=fast_folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["edge", "server"])
def open_vector_store(request: pytest.FixtureRequest, store_folder: Path) -> Iterator[OpenVectorStore]:
    """Return a function that opens this test's store; opened again, it contains the same points."""
    opened: list[VectorStore] = []
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else None

    def open_again() -> VectorStore:
        while opened:
            opened.pop().close()
        opened.append(QdrantVectorStore(url) if url else EdgeVectorStore(store_folder))
        return opened[0]

    yield open_again
    vector_store = open_again()
    for collection in vector_store.collections():
        vector_store.drop(collection)
    vector_store.close()


@pytest.fixture
def vector_store(open_vector_store: OpenVectorStore) -> VectorStore:
    """Open an empty store."""
    return open_vector_store()


@pytest.fixture
def stores(vector_store: VectorStore) -> Stores:
    """Open an empty library with the generation of `FakeEncoder()`."""
    return open_library(vector_store)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(str(tmp_path))


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    """Return a function that fetches a link into `tmp_path / "work"`.

    Its keywords override the default limits.
    """
    folder = tmp_path / "work"
    folder.mkdir()

    def fetch_link(link: str, **changes: Any) -> FetchResult:
        limits = {"max_duration_s": 7200.0, "max_bytes": 10**7, "timeout_s": 60.0, "memory_limit_bytes": 1024**3}
        fetcher = YtDlpFetcher(**{**limits, "allow_networks": (LOOPBACK,), **changes})
        return fetcher.fetch(link, folder, lambda stage, share: None)

    return fetch_link


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    """Return a short video file."""
    return media.write_video(tmp_path / "clip.mp4").read_bytes()
