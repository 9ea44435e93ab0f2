"""Rollout of generations: re-embedding the library, switching searches to the new vectors, and deleting old ones."""

import threading
import time
from datetime import UTC, datetime

from celery.exceptions import Reject

from indexer.blobs import BlobStore
from indexer.generation_id import GenerationId
from indexer.ingest.reembed import reembed_missing
from indexer.ports import Encoder
from indexer.store.generations import GenerationStore
from indexer.store.stores import Stores
from worker.jobs.progress import ProgressReporter, WorkerStoppingError
from worker.models.blobs import space_prefix
from worker.models.cache import ModelCache
from worker.protocol.base import Ack
from worker.protocol.updates import RetrainStage


def roll_out(
    stores: Stores,
    blobs: BlobStore,
    models: ModelCache,
    generation: GenerationId,
    searcher: str | None,
    report: ProgressReporter,
) -> int:
    """Re-embed the library, keeping the old vectors, and then switch searches to the new ones in one step.

    `searcher` is the space whose searches switch; None: those of the installation. Returns the number of moments of
    which only the thumbnail could be embedded. An interrupted call is repeated.
    """
    encoder = models.load(models.choose(generation), generation.space, report.begin_fetch())
    embed_missing(stores, blobs, encoder, report)
    report(RetrainStage.SWITCH)
    stores.generations.switch_to(generation, searcher)
    # Index jobs that ended just before the switch used the previous model.
    reembed_missing(stores.generations, stores.moments, stores.reembedding, blobs, encoder, lambda done, total: None)
    return stores.reembedding.count_without_frames(generation)


def embed_missing(stores: Stores, blobs: BlobStore, encoder: Encoder, report: ProgressReporter) -> None:
    """Embed what the encoder's generation lacks of the library."""
    started_s = time.monotonic()

    def report_embedding(done: int, total: int) -> None:
        left_s = (time.monotonic() - started_s) / done * (total - done) if done else None
        report(RetrainStage.EMBED, done, total, left_s=left_s)

    reembed_missing(stores.generations, stores.moments, stores.reembedding, blobs, encoder, report_embedding)


def catch_up(stores: Stores, blobs: BlobStore, models: ModelCache, stopping: threading.Event) -> Ack:
    """Re-embed the videos that were added while another generation was searched.

    Raises `Reject` to put the message back if the worker is shutting down.
    """

    def stop_if_asked(done: int, total: int) -> None:
        if stopping.is_set():
            raise WorkerStoppingError

    try:
        reembed_missing(
            stores.generations, stores.moments, stores.reembedding, blobs, models.get_current(), stop_if_asked
        )
    except WorkerStoppingError:
        raise Reject("shutting down", requeue=True) from None
    return Ack()


def record_base_generation(generations: GenerationStore) -> None:
    """Record the generation that the installation searches if an earlier version made it, so that it is listed, too."""
    live = generations.get_live()
    if live:
        generations.record_base(live, generations.describe(live).preset, datetime.now(UTC))


def delete_unused_generations(generations: GenerationStore, blobs: BlobStore) -> None:
    """Delete all generations but those that are searched and the ones before them."""
    generations.delete_unused()
    for record in generations.list_records():
        space = record.generation.space
        if record.generation not in (generations.get_live(space), generations.get_previous(space)):
            generations.delete_record(record.generation)
            if record.adapter:
                blobs.delete_prefix(record.adapter)


def delete_space_models(stores: Stores, blobs: BlobStore, models: ModelCache, space: str) -> None:
    """Delete all that was learned from a space: its models, their reports, and a retrain that it asked for."""
    retrain = stores.retrains.get_current()
    if retrain is not None and retrain.space == space:
        stores.retrains.cancel()
    stores.generations.delete_of_space(space)
    for record in stores.generations.list_records():
        if record.generation.space == space:
            stores.generations.delete_record(record.generation)
    blobs.delete_prefix(space_prefix(space))
    models.delete_unused_adapters()
