"""Stores for the tests of this room: the one in process, and a real server where there is one."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from indexer.edge import EdgePoints
from indexer.points import Points
from indexer.server import ServerPoints
from tests.indexer.qdrant import qdrant_url
from tests.indexer.site import site

__all__ = ["qdrant_url", "site"]

OpenPoints: TypeAlias = Callable[[], Points]

RAM = Path("/dev/shm")


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
    opened: list[Points] = []
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else None

    def open_one() -> Points:
        while opened:
            opened.pop().close()
        opened.append(ServerPoints(url) if url else EdgePoints(store_folder))
        return opened[0]

    yield open_one
    points = open_one()
    for collection in points.collections():
        points.drop(collection)
    points.close()


@pytest.fixture
def points(open_points: OpenPoints) -> Points:
    """An empty store."""
    return open_points()
