"""The record of the running retrain."""

from indexer.generation_id import GenerationId
from indexer.store.generations import RetrainStore
from indexer.store.records import RetrainRecord
from indexer.store.stores import Stores
from indexer.vectors.vector_store import VectorStore
from tests.support.indexer.fakes import InterruptedVectorStore

RECORD = RetrainRecord("discord:1", "ann", "2026-01-01T00:00:00+00:00")


def test_retrain_is_on_record_until_it_finishes(stores: Stores) -> None:
    """It can be cancelled only while it is running."""
    retrains = stores.retrains
    assert not retrains.cancel()
    retrains.put(RECORD)
    assert retrains.get_current() == RECORD
    assert retrains.cancel()
    found = retrains.get_current()
    assert found is not None
    assert found.cancelled
    retrains.finish()
    assert retrains.get_current() is None


def test_retrain_keeps_the_better_generation(stores: Stores) -> None:
    """A worker that continues the retrain goes on with re-embedding."""
    stores.retrains.put(RECORD)
    assert stores.retrains.record_decision(GenerationId("next", "discord:1"))
    found = stores.retrains.get_current()
    assert found is not None
    assert found.generation == GenerationId("next", "discord:1")


def test_cancel_while_the_worker_records_a_better_generation_wins(stores: Stores, vector_store: VectorStore) -> None:
    """The worker checks the record after its write."""
    admin = stores.retrains
    admin.put(RECORD)
    worker = RetrainStore(InterruptedVectorStore(vector_store, 1, admin.cancel))
    assert not worker.record_decision(GenerationId("next"))
    found = admin.get_current()
    assert found is not None
    assert found.cancelled


def test_cancel_while_the_retrain_finishes_creates_no_record(stores: Stores, vector_store: VectorStore) -> None:
    """A retrain that is over stays deleted."""
    worker = stores.retrains
    worker.put(RECORD)
    admin = RetrainStore(InterruptedVectorStore(vector_store, 1, worker.finish))
    assert not admin.cancel()
    assert worker.get_current() is None
