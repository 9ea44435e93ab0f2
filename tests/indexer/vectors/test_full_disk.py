"""A disk that fills under a vector store: nothing is lost, and the error says what to do."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web

from indexer.errors import DiskFullError
from indexer.vectors import edge
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.vector_store import Filter, NewPoint
from tests.support.servers.qdrant import qdrant_binary
from tests.support.servers.site import run_site

POINT: Final = NewPoint("00000000-0000-0000-0000-000000000001", {"kind": "video"})


@dataclass
class FakeDisk:
    """The free space of a disk."""

    free_bytes: int = edge.MIN_FREE_BYTES

    def measure(self, folder: Path) -> int:
        return self.free_bytes


@pytest.fixture
def disk() -> FakeDisk:
    return FakeDisk()


@pytest.fixture
def store(tmp_path: Path, disk: FakeDisk) -> Iterator[EdgeVectorStore]:
    opened = EdgeVectorStore(tmp_path, measure_free_bytes=disk.measure)
    opened.ensure("records", {}, (), ("kind",), tenant="kind")
    opened.upsert("records", [POINT])
    yield opened
    opened.close()


def test_full_disk_refuses_writes_and_keeps_searches(store: EdgeVectorStore, disk: FakeDisk) -> None:
    """The engine would be killed (SIGBUS) by its first write to a page that has no space."""
    disk.free_bytes = edge.MIN_FREE_BYTES - 1
    writes: list[Callable[[], None]] = [
        lambda: store.upsert("records", [POINT]),
        lambda: store.set_payload("records", Filter(), {"kind": "x"}),
        lambda: store.delete("records", Filter()),
        lambda: store.ensure("moments", {"frame": 4}, (), (), tenant="kind"),
    ]
    for write in writes:
        with pytest.raises(DiskFullError, match="63 MB are free of 64 needed"):
            write()
    assert store.count("records", Filter()) == 1
    disk.free_bytes = edge.MIN_FREE_BYTES
    store.delete("records", Filter())
    assert store.count("records", Filter()) == 0


def test_store_on_a_full_disk_opens_when_there_is_space_again(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError):
        EdgeVectorStore(tmp_path, measure_free_bytes=lambda folder: 0)
    EdgeVectorStore(tmp_path).close()


FILL: Final = """
import numpy as np, os, sys
from pathlib import Path
from uuid import UUID
from indexer.errors import DiskFullError
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import Filter, NewPoint
folder = Path(sys.argv[1])
def open_store():
    store = EdgeVectorStore(folder / "vectors")
    store.ensure("moments", {"frame": 64}, (), (), tenant="kind")
    return store
def write(store, batch):
    vector = np.ones(64, np.float32)
    ids = [str(UUID(int=64 * batch + n)) for n in range(64)]
    store.upsert("moments", [NewPoint(id, {"text": "x" * 30_000}, {"frame": vector}) for id in ids])
store, batches = open_store(), 0
try:
    while True:
        write(store, batches)
        batches += 1
except DiskFullError:
    print("full while writing")
assert store.count("moments", Filter()) == 64 * batches
store.close()
with (folder / "ballast").open("wb", buffering=0) as ballast:
    try:
        while True:
            ballast.write(bytes(1 << 20))
    except OSError:
        print("no space left")
try:
    open_store()
except DiskFullError:
    print("full while opening")
(folder / "ballast").unlink()
os.system(f"mount -o remount,size=300M {folder}")
store = open_store()
assert store.count("moments", Filter()) == 64 * batches > 0
write(store, batches)
assert sum(1 for _ in store.scroll("moments", Filter(), ())) == 64 * (batches + 1)
print("complete")
"""


def run_on_small_disk(folder: Path, script: str, size: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the path of a small disk as its argument, in a mount namespace of its own."""
    file, disk = folder / "fill.py", folder / "disk"
    file.write_text(script)
    disk.mkdir()
    mount = f"mount -t tmpfs -o size={size} tmpfs {disk} && exec {sys.executable} {file} {disk}"
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("this system allows no mount namespace")
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": "."} | environment,
    )


def test_disk_that_really_fills_is_survived(tmp_path: Path) -> None:
    """On a small disk of its own, in a mount namespace, where the system allows one."""
    ended = run_on_small_disk(tmp_path, FILL, "130M")
    assert ended.stdout.splitlines() == ["full while writing", "no space left", "full while opening", "complete"], ended


FILL_SERVER: Final = """
import numpy as np, os, sys
from pathlib import Path
from uuid import UUID
from indexer.errors import DiskFullError
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.vector_store import Filter, NewPoint
from tests.support.servers.network import free_port
from tests.support.servers.qdrant import qdrant_binary, qdrant_server
folder = Path(sys.argv[1])
def write(store, batch):
    ids = [str(UUID(int=64 * batch + n)) for n in range(64)]
    store.upsert("moments", [NewPoint(id, {"text": "x" * 30_000}, {"frame": np.ones(64, np.float32)}) for id in ids])
batches = 0
with qdrant_server(qdrant_binary(), folder, free_port()) as url:
    store = QdrantVectorStore(url)
    store.ensure("moments", {"frame": 64}, (), (), tenant="kind")
    try:
        while True:
            write(store, batches)
            batches += 1
    except DiskFullError:
        print("full")
    assert store.count("moments", Filter()) == 64 * batches > 0
    store.close()
os.system(f"mount -o remount,size=300M {folder}")
with qdrant_server(qdrant_binary(), folder, free_port()) as url:
    store = QdrantVectorStore(url)
    assert sum(1 for _ in store.scroll("moments", Filter(), ())) == 64 * batches
    write(store, batches)
    assert store.count("moments", Filter()) == 64 * (batches + 1)
    store.close()
print("complete")
"""


def test_disk_that_really_fills_under_a_server_is_survived(tmp_path: Path) -> None:
    """All that was acknowledged is found meanwhile and after a restart, and there is room for more then."""
    ended = run_on_small_disk(tmp_path, FILL_SERVER, "100M", REELSEEK_TEST_QDRANT=qdrant_binary())
    assert ended.stdout.splitlines() == ["full", "complete"], ended


def test_full_disk_of_a_server_has_its_own_error() -> None:
    """Qdrant refuses the write in time, and says so in words only."""

    async def answer(request: web.Request) -> web.Response:
        error = "Service internal error: No space left on device: WAL buffer size exceeds available disk space"
        return web.json_response({"status": {"error": error}, "time": 0.1}, status=500)

    with run_site() as site:
        site.handlers["/collections/records/points"] = answer
        store = QdrantVectorStore(site.url("/").rstrip("/"))
        with pytest.raises(DiskFullError):
            store.upsert("records", [POINT])
        store.close()
