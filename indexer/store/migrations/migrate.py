"""Migration of a library that an earlier version of Reelseek has written."""

from typing import Final

from indexer.errors import NewerStoreError
from indexer.store.migrations.moments import move_moments
from indexer.store.migrations.payloads import migrate_records
from indexer.store.records import RECORDS, SCHEMA
from indexer.store.reembedding import ReembeddingStore
from indexer.vectors.vector_store import VectorStore

SCHEMA_ALIAS: Final = "schema_"
"""Followed by a version: alias of the records, once the library has this version."""


def migrate(vectors: VectorStore, reembedding: ReembeddingStore, meaning_size: int) -> None:
    """Bring a library to this version's schema, once, and mark it so.

    An interrupted migration is resumed. `meaning_size` is the size of the vectors that moments of earlier schemas lack.
    Raises `NewerStoreError` if a later version has written the records.
    """
    marks = [alias for alias, name in vectors.aliases().items() if name == RECORDS and alias.startswith(SCHEMA_ALIAS)]
    newest = max((int(alias.removeprefix(SCHEMA_ALIAS)) for alias in marks), default=0)
    if newest > SCHEMA:
        raise NewerStoreError(f"the records have schema {newest}, and this version knows schemas up to {SCHEMA}")
    if newest < SCHEMA:
        migrate_records(vectors)
        move_moments(vectors, reembedding, meaning_size)
        vectors.point_alias(f"{SCHEMA_ALIAS}{SCHEMA}", RECORDS)
