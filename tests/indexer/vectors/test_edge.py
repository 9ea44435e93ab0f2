"""What only the vector store in this process does: one owner, killed processes, disk space."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from indexer.errors import StoreUnavailableError
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import Filter, VectorQuery
from tests.support.indexer.fakes import random_vector
from tests.support.indexer.vector_points import ensure_things, make_thing, scroll_numbers, store_things


def test_edge_folder_has_one_owner(store_folder: Path) -> None:
    """A second process gets `StoreUnavailableError`, and the first one is not affected."""
    first = EdgeVectorStore(store_folder)
    store_things(first)
    with pytest.raises(StoreUnavailableError):
        EdgeVectorStore(store_folder)
    assert first.count("things", Filter()) == 6
    first.close()


def test_edge_deletes_incomplete_collections_of_a_killed_process(store_folder: Path) -> None:
    """The name can be used again."""
    half = store_folder / "collections" / ".things"
    half.mkdir(parents=True)
    (half / "edge_config.json").write_text("{")
    vector_store = EdgeVectorStore(store_folder)
    assert vector_store.collections() == ()
    assert not half.exists()
    store_things(vector_store)
    assert vector_store.count("things", Filter()) == 6
    vector_store.close()


@pytest.mark.parametrize("name", [".DS_Store", "desktop.ini"])
def test_edge_ignores_files_of_other_programs(store_folder: Path, name: str) -> None:
    """Files of a file manager in the folder of collections stay."""
    stray = store_folder / "collections" / name
    stray.parent.mkdir()
    stray.write_bytes(b"x")
    with closing(EdgeVectorStore(store_folder)) as vector_store:
        assert vector_store.collections() == ()
    assert stray.exists()


def test_edge_readers_see_set_payload_completely_or_not_at_all(store_folder: Path) -> None:
    """Other threads never count a part of the changed points."""
    vector_store = EdgeVectorStore(store_folder)
    ensure_things(vector_store)
    vector_store.upsert("things", [make_thing(n, spaces=["a"], kind="k") for n in range(200)])
    done = threading.Event()

    def count() -> set[int]:
        counted = set()
        while not done.is_set():
            counted.add(vector_store.count("things", Filter({"spaces": "a"})))
            vector_store.nearest("things", [VectorQuery("frame", random_vector("x"), 5, Filter({"spaces": "a"}))])
        return counted

    with ThreadPoolExecutor(3) as readers:
        counts = [readers.submit(count) for _ in range(3)]
        for space in ["b", "a"] * 30:
            vector_store.set_payload("things", Filter({"kind": "k"}), {"spaces": [space]})
        done.set()
    assert set[int]().union(*(each.result() for each in counts)) <= {0, 200}
    vector_store.close()


WRITER = """
import sys, uuid
from pathlib import Path
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import NewPoint
vector_store = EdgeVectorStore(Path(sys.argv[1]))
vector_store.ensure("things", {}, (), (), tenant="")
for n in range(10_000):
    vector_store.upsert("things", [NewPoint(str(uuid.UUID(int=n)), {"n": n})])
    print(n, flush=True)
"""


def test_edge_loses_no_write_of_a_killed_process(store_folder: Path) -> None:
    """A write is stored when its call has returned, also after SIGKILL."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(store_folder)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    written = [next(writer.stdout) for _ in range(150)]
    writer.kill()
    writer.communicate()
    vector_store = EdgeVectorStore(store_folder)
    assert scroll_numbers(vector_store, Filter())[: len(written)] == [int(line) for line in written]
    vector_store.close()


@pytest.fixture
def disk_folder() -> Iterator[Path]:
    """Create a folder on a disk. In memory (tmpfs) the engine's preallocated files would count as used."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def test_edge_frees_the_space_of_deleted_points_when_reopened(disk_folder: Path) -> None:
    """All other points stay."""
    vector_store = EdgeVectorStore(disk_folder)
    ensure_things(vector_store)
    kept = [make_thing(n, kind="keep", text="x" * 1000) for n in range(10)]
    deleted = [make_thing(n, kind="go", text="x" * 1000) for n in range(10, 3000)]
    vector_store.upsert("things", [*kept, *deleted])
    vector_store.delete("things", Filter({"kind": "go"}))
    vector_store.close()
    full = disk_usage(disk_folder / "collections" / "things" / "segments")
    vector_store = EdgeVectorStore(disk_folder)
    assert scroll_numbers(vector_store, Filter()) == list(range(10))
    assert len(vector_store.nearest("things", [VectorQuery("frame", random_vector("x"), 50)])[0]) == 10
    vector_store.close()
    assert disk_usage(disk_folder / "collections" / "things" / "segments") < full / 2


def disk_usage(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*"))


def test_edge_replaces_the_alias_file_by_a_rename(store_folder: Path) -> None:
    """A reader never sees a partial file."""
    vector_store = EdgeVectorStore(store_folder)
    ensure_things(vector_store, "old")
    ensure_things(vector_store, "new")
    vector_store.point_alias("current", "old")
    before = (store_folder / "aliases.json").stat().st_ino
    vector_store.point_alias("current", "new")
    assert (store_folder / "aliases.json").stat().st_ino != before
    assert json.loads((store_folder / "aliases.json").read_text()) == {"current": "new"}
    vector_store.close()
