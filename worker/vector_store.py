"""Opening the vector store that the settings name."""

from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.quantization import Quantization
from indexer.vectors.vector_store import VectorStore
from worker.settings import Settings


def open_vector_store(settings: Settings) -> VectorStore:
    """Open the Qdrant server if one is set, and otherwise the embedded store in the data folder."""
    if settings.qdrant_url is None:
        return EdgeVectorStore(settings.data_dir / "vectors", Quantization(settings.quantization or Quantization.OFF))
    # Importing the client of the server takes a second, which the embedded form does without.
    from indexer.vectors.qdrant_server import QdrantVectorStore

    key = settings.qdrant_api_key
    return QdrantVectorStore(
        settings.qdrant_url,
        key.get_secret_value() if key else None,
        Quantization(settings.quantization or Quantization.BINARY),
    )
