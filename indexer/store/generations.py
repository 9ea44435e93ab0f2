"""Generations: their collections of moments, which one is searched, how each was made, and the running retrain.

The installation's generation holds every video. A space may have a generation of its own, which holds only what that
space may find. The aliases of a space end with its slug. A space without such an alias searches the installation's
generation.
"""

from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from indexer.generation_id import LIVE_ALIAS, PREVIOUS_ALIAS, GenerationId, alias_name, is_moment_collection
from indexer.ports import VectorSizes
from indexer.store.records import RECORDS, GenerationRecord, RetrainRecord, from_payload, to_payload
from indexer.vectors.vector_store import Filter, NewPoint, VectorStore

INDEXED_KEYS: Final = ("spaces", "video_id", "open", "senses", "tags", "tagged_by")
"""Payload keys of moments that filters use."""

_RETRAIN_ID: Final = str(uuid5(NAMESPACE_URL, "generation retraining"))


class GenerationStore:
    """Creates, switches and deletes generations, and keeps their records. Every method is idempotent."""

    def __init__(self, vectors: VectorStore) -> None:
        self._vectors = vectors

    # ---- which generation is searched ----

    def get_live(self, space: str | None = None) -> GenerationId | None:
        """Return the generation that is searched now: a space's own one, or else the installation's."""
        own = self._resolve(LIVE_ALIAS, space) if space else None
        return own or self._resolve(LIVE_ALIAS)

    def get_previous(self, space: str | None = None) -> GenerationId | None:
        """Return the generation that was searched before the live one.

        It is kept so that running searches can finish and a rollback is possible. For a space that has just got its
        first own generation this is the installation's; a space that has none of its own has no previous one.
        """
        previous = self._resolve(PREVIOUS_ALIAS, space)
        if previous is None and space and self._resolve(LIVE_ALIAS, space):
            return self._resolve(LIVE_ALIAS)
        return previous

    def switch_to(self, generation: GenerationId, space: str | None = None) -> None:
        """Let searches of the installation, or of one space, use this generation from now on.

        If the process is killed in between, the old generation is still searched, and a repeated call completes the
        switch.
        """
        live = self.get_live(space)
        if live == generation:
            if self.get_previous(space) == live:
                self._point(PREVIOUS_ALIAS, None, space)
        elif live is None or live.space != space:
            self._point(LIVE_ALIAS, generation, space)
            self._point(PREVIOUS_ALIAS, live, space)
        else:
            self._point(PREVIOUS_ALIAS, live, space)
            self._point(LIVE_ALIAS, generation, space)

    # ---- collections ----

    def list_stored(self) -> list[GenerationId]:
        """Return the generations whose moments are stored, sorted by name."""
        return [GenerationId.of_collection(name) for name in self._vectors.collections() if is_moment_collection(name)]

    def list_own(self) -> list[GenerationId]:
        """Return the generations that single spaces search now."""
        return [each for each in self.list_stored() if each.space and self.get_live(each.space) == each]

    def create(self, generation: GenerationId, sizes: VectorSizes) -> None:
        """Create a generation's collection. The first one is searched from now on; others wait for `switch_to`."""
        dense = {"frame": sizes.frame_size, "meaning": sizes.meaning_size, "sound": sizes.meaning_size}
        dense |= {"motion": sizes.motion_size} if sizes.motion_size else {}
        self._vectors.ensure(generation.collection_name, dense, ("words",), INDEXED_KEYS, tenant="spaces")
        if self.get_live() is None:
            self.switch_to(generation)

    def renew_codes(self) -> None:
        """Let every stored generation have the codes that the vector store is set to.

        A server builds them in the background; until then, searches compare the vectors.
        """
        for generation in self.list_stored():
            name = generation.collection_name
            self._vectors.ensure(name, self._vectors.dense_sizes(name), ("words",), INDEXED_KEYS, tenant="spaces")

    def delete_unused(self) -> None:
        """Delete the moments of all generations that are neither the live nor the previous one of their searchers."""
        for generation in self.list_stored():
            if generation not in (self.get_live(generation.space), self.get_previous(generation.space)):
                self._vectors.drop(generation.collection_name)

    def delete_of_space(self, space: str) -> None:
        """Delete the own generations of a space, which then searches the installation's."""
        for alias in (LIVE_ALIAS, PREVIOUS_ALIAS):
            self._vectors.drop_alias(alias_name(alias, space))
        for generation in self.list_stored():
            if generation.space == space:
                self._vectors.drop(generation.collection_name)

    # ---- records ----

    def get_record(self, generation: GenerationId) -> GenerationRecord | None:
        """Return how a generation was made, or None if that is unknown."""
        stored = next(iter(self._vectors.retrieve(RECORDS, [_record_id(generation)])), None)
        return from_payload(GenerationRecord, stored.payload) if stored else None

    def describe(self, generation: GenerationId) -> GenerationRecord:
        """Return how a generation was made. Earlier versions wrote no record: its name tells the preset."""
        preset = generation.name.rpartition("-")[0] or generation.name
        return self.get_record(generation) or GenerationRecord(generation, preset, None)

    def record_base(self, generation: GenerationId, preset: str, at: datetime) -> None:
        """Record that a preset without an adapter made a generation, unless it is on record."""
        if self.get_record(generation) is None:
            self.put_record(GenerationRecord(generation, preset, at.isoformat()))

    def put_record(self, record: GenerationRecord) -> None:
        """Store how a generation was made."""
        self._vectors.upsert(RECORDS, [NewPoint(_record_id(record.generation), to_payload(record))])

    def list_records(self) -> list[GenerationRecord]:
        """Return all records, newest first."""
        stored = self._vectors.scroll(RECORDS, Filter({"kind": GenerationRecord.KIND}))
        found = [from_payload(GenerationRecord, each.payload) for each in stored]
        return sorted(found, key=lambda each: (each.made_at or "", str(each.generation)), reverse=True)

    def delete_record(self, generation: GenerationId) -> None:
        """Delete a generation's record, if there is one."""
        self._vectors.delete(RECORDS, Filter(ids=(_record_id(generation),)))

    def _resolve(self, alias: str, space: str | None = None) -> GenerationId | None:
        collection = self._vectors.resolve(alias_name(alias, space))
        return GenerationId.of_collection(collection) if collection else None

    def _point(self, alias: str, generation: GenerationId | None, space: str | None) -> None:
        """Point an alias to a generation of the same owner, or remove a space's alias.

        No alias of a space points to the installation's generation, because the installation may switch it.
        """
        if generation and generation.space == space:
            self._vectors.point_alias(alias_name(alias, space), generation.collection_name)
        elif space:
            self._vectors.drop_alias(alias_name(alias, space))


class RetrainStore:
    """Reads and writes the record of the running retrain, of which an installation has at most one.

    Every method is idempotent.
    """

    def __init__(self, vectors: VectorStore) -> None:
        self._vectors = vectors

    def get_current(self) -> RetrainRecord | None:
        """Return the retrain that was requested and is not finished, or None."""
        stored = next(iter(self._vectors.retrieve(RECORDS, [_RETRAIN_ID])), None)
        return from_payload(RetrainRecord, stored.payload) if stored else None

    def put(self, record: RetrainRecord) -> None:
        """Store a retrain's record in place of the one there was."""
        self._vectors.upsert(RECORDS, [NewPoint(_RETRAIN_ID, to_payload(record))])

    def cancel(self) -> bool:
        """Request that the retrain stops. Returns False if none is running."""
        self._update(cancelled=True)
        return self.get_current() is not None

    def record_decision(self, generation: GenerationId) -> bool:
        """Record which generation comes next, so that only re-embedding is left. Returns False if cancelled."""
        self._update(generation=str(generation))
        running = self.get_current()
        return running is not None and not running.cancelled

    def finish(self) -> None:
        """Delete the record: the retrain is over."""
        self._vectors.delete(RECORDS, Filter(ids=(_RETRAIN_ID,)))

    def _update(self, **values: Any) -> None:
        """Set only these keys, if the record exists: a worker and an admin may update it at the same time."""
        self._vectors.set_payload(RECORDS, Filter(ids=(_RETRAIN_ID,)), values)


def _record_id(generation: GenerationId) -> str:
    return str(uuid5(NAMESPACE_URL, f"generation {generation}"))
