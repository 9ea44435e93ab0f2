"""What only the vector store on a server does: it is away, and comes back."""

from pathlib import Path

import pytest

from indexer.errors import StoreUnavailableError
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.vector_store import Filter
from tests.support.indexer.vector_points import scroll_numbers, store_things
from tests.support.servers.network import free_port
from tests.support.servers.qdrant import qdrant_binary, qdrant_server


def test_unreachable_server_raises_store_unavailable() -> None:
    """A refused connection is worth a retry."""
    vector_store = QdrantVectorStore(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailableError):
        vector_store.collections()
    vector_store.close()


def test_call_after_a_server_restart_reconnects(tmp_path: Path) -> None:
    """Nothing is lost."""
    binary, port = qdrant_binary(), free_port()
    with qdrant_server(binary, tmp_path, port) as url:
        vector_store = QdrantVectorStore(url)
        store_things(vector_store)
    with pytest.raises(StoreUnavailableError):
        vector_store.count("things", Filter())
    with qdrant_server(binary, tmp_path, port):
        assert scroll_numbers(vector_store, Filter({"spaces": "a"})) == [1, 3, 5]
    vector_store.close()
