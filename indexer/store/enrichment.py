"""Evidence of moments: what was recognized as said, shown and heard, in their payload, and its vectors."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from indexer.generation_id import GenerationId
from indexer.lexical import document_words
from indexer.senses import Sense, SoundTag
from indexer.store.generations import GenerationStore
from indexer.types import Caption, Evidence, TimedWord, Vector
from indexer.vectors.vector_store import Filter, Payload, PointVectors, StoredPoint, VectorStore

EVIDENCE_VECTORS: Final = ("meaning", "sound")
"""Dense vectors of the texts and the sounds of a moment, which it has only if it has some."""

_WRITTEN_KEYS: Final = ("words", "text_by_source", "senses", *Sense)


class EnrichmentStore:
    """Adds evidence to stored moments. Every method is idempotent, and none creates a moment."""

    def __init__(self, vectors: VectorStore, generations: GenerationStore) -> None:
        self._vectors = vectors
        self._generations = generations

    def read(self, generation: GenerationId, ids: Sequence[str]) -> list[StoredPoint]:
        """Return those moments of these ids that a generation has, in the same order, without vectors."""
        return self._vectors.retrieve(generation.collection_name, ids)

    def put(self, generation: GenerationId, moments: Sequence[tuple[StoredPoint, Mapping[str, Vector]]]) -> None:
        """Store the evidence that is in the moments' payloads, with the vectors of their texts and sounds.

        Moments that were deleted meanwhile stay deleted.
        """
        collection = generation.collection_name
        for moment, _ in moments:
            values = {key: moment.payload[key] for key in _WRITTEN_KEYS if key in moment.payload}
            self._vectors.set_payload(collection, Filter(ids=(moment.id,)), values)
        new = {moment.id: _select_vectors(moment, vectors) for moment, vectors in moments}
        self._vectors.set_vectors(collection, {id: each for id, each in new.items() if each.dense or each.sparse})
        for name in ("words", *EVIDENCE_VECTORS):
            if without := tuple(id for id, each in new.items() if name not in {*each.dense, *each.sparse}):
                self._vectors.delete_vectors(collection, Filter(ids=without), (name,))

    def count_untagged(self, generation: GenerationId, tagged_by: str) -> int:
        """Return the number of moments that have no tags, or tags by something other than `tagged_by`."""
        return self._vectors.count(generation.collection_name, Filter(without={"tagged_by": tagged_by}))

    def read_untagged(self, generation: GenerationId, tagged_by: str) -> Iterator[StoredPoint]:
        """Yield these moments with their frame vector, if they have one, and without payload."""
        where = Filter(without={"tagged_by": tagged_by})
        return self._vectors.scroll(generation.collection_name, where, (), ("frame",))

    def put_tags(self, generation: GenerationId, tags: Mapping[str, tuple[str, ...]], tagged_by: str) -> None:
        """Store the tags of moments by their ids. Moments that were deleted meanwhile stay deleted."""
        ids: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for id, own in tags.items():
            ids[own].append(id)
        for own, same in ids.items():
            payload = {"tags": list(own), "tagged_by": tagged_by}
            self._vectors.set_payload(generation.collection_name, Filter(ids=tuple(same)), payload)

    def delete_unsearched(self, video_id: str) -> None:
        """Delete a video's moments of the generations that are not searched now.

        They lack the new evidence: if such a generation is searched again, they are re-embedded from the live ones.
        """
        for generation in self._generations.list_stored():
            if generation != self._generations.get_live(generation.space):
                self.delete_moments(generation, video_id)

    def delete_moments(self, generation: GenerationId, video_id: str) -> None:
        """Delete a video's moments of one generation."""
        self._vectors.delete(generation.collection_name, Filter({"video_id": video_id}))


def merge_evidence(payload: Payload, evidence: Evidence) -> dict[str, Any]:
    """Return a moment's payload with new evidence in place of the same senses' old one.

    Recognized speech replaces the subtitles that the moment had when it was indexed.
    """
    merged = {**payload, **_evidence_payload(evidence)}
    if evidence.said is not None:
        merged["text_by_source"] = {key: text for key, text in payload["text_by_source"].items() if key != "speech"}
    senses = [sense.value for sense in Sense if merged.get(sense)]
    return {**merged, "senses": senses, "words": "\n".join(list_texts(merged)).strip()}


def _evidence_payload(evidence: Evidence) -> dict[str, Any]:
    """Return the payload keys of the senses that were examined."""
    lines = {Sense.SAID: evidence.said, Sense.SHOWN: evidence.shown}
    values: dict[str, Any] = {
        sense.value: [_encode_line(line) for line in of_sense]
        for sense, of_sense in lines.items()
        if of_sense is not None
    }
    if evidence.heard is not None:
        values[Sense.HEARD.value] = [asdict(tag) for tag in evidence.heard]
    return values


def read_evidence(payload: Payload) -> Evidence:
    """Return the evidence in a moment's payload."""
    said, shown, heard = (payload.get(sense) for sense in (Sense.SAID, Sense.SHOWN, Sense.HEARD))
    return Evidence(
        None if said is None else tuple(map(_decode_line, said)),
        None if shown is None else tuple(map(_decode_line, shown)),
        None if heard is None else tuple(SoundTag(**tag) for tag in heard),
    )


def list_texts(payload: Payload) -> list[str]:
    """Return what is written, said and shown in a moment: title, description, chapter, and each line."""
    evidence = read_evidence(payload)
    lines = [line.text for line in (*(evidence.said or ()), *(evidence.shown or ()))]
    return [payload["title"], *payload["text_by_source"].values(), *lines]


def _select_vectors(moment: StoredPoint, dense: Mapping[str, Vector]) -> PointVectors:
    return PointVectors(dense, {"words": document_words(moment.payload["words"])})


def _encode_line(line: Caption) -> dict[str, Any]:
    """Return a line for the payload. The times of its words are stored as pairs, which take less room."""
    encoded: dict[str, Any] = {"start_s": line.start_s, "end_s": line.end_s, "text": line.text}
    return encoded | ({"words": [[word.start_s, word.text] for word in line.words]} if line.words else {})


def _decode_line(line: Mapping[str, Any]) -> Caption:
    words = tuple(TimedWord(start_s, text) for start_s, text in line.get("words", ()))
    return Caption(line["start_s"], line["end_s"], line["text"], words)
