"""Vectors of what is written, said, shown and heard, and adding evidence to stored moments."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from indexer.generation_id import GenerationId
from indexer.ports import Encoder
from indexer.senses import SoundTag
from indexer.store.enrichment import EnrichmentStore, list_texts, merge_evidence, read_evidence
from indexer.types import Evidence, Vector
from indexer.vectors.vector_store import Payload

MAX_MEANING_CHARS: Final = 1000
"""Maximum number of characters that are encoded of a moment's texts."""


def put_evidence(enrichment: EnrichmentStore, encoder: Encoder, evidence: Mapping[str, Evidence]) -> None:
    """Add evidence to moments of the encoder's generation, by their ids, with vectors of all that they have now.

    Idempotent. Senses that were not examined keep what is stored. Moments that do not exist are skipped.
    """
    generation = GenerationId.parse(encoder.generation)
    stored = enrichment.read(generation, list(evidence))
    merged = [replace(each, payload=merge_evidence(each.payload, evidence[each.id])) for each in stored]
    vectors = embed_evidence(encoder, [each.payload for each in merged])
    enrichment.put(generation, list(zip(merged, vectors, strict=True)))


def embed_evidence(encoder: Encoder, payloads: Sequence[Payload]) -> list[dict[str, Vector]]:
    """Return the vectors `meaning` and `sound` of moments, each of those that have texts or sounds."""
    texts = [join_texts(list_texts(payload)) for payload in payloads]
    tags = [read_evidence(payload).heard or () for payload in payloads]
    meanings, sounds = embed_meanings(encoder, texts), embed_sounds(encoder, tags)
    named: list[dict[str, Vector | None]] = [
        {"meaning": meaning, "sound": sound} for meaning, sound in zip(meanings, sounds, strict=True)
    ]
    return [{name: vector for name, vector in each.items() if vector is not None} for each in named]


def join_texts(texts: Sequence[str]) -> str:
    """Return the text whose meaning a moment has."""
    return ". ".join(filter(None, texts))[:MAX_MEANING_CHARS].strip()


def embed_meanings(encoder: Encoder, texts: Sequence[str]) -> list[Vector | None]:
    """Return the vector of each text, or None if it is empty. Equal texts are encoded once."""
    distinct = sorted({text for text in texts if text})
    vectors = dict(zip(distinct, encoder.encode_sentences(distinct), strict=True)) if distinct else {}
    return [vectors.get(text) for text in texts]


def embed_sounds(encoder: Encoder, tags: Sequence[Sequence[SoundTag]]) -> list[Vector | None]:
    """Return the direction of each moment's sounds: the sum of their sentences' vectors, weighted by their scores.

    None: the moment has no sound. Sentences in any language are compared with it.
    """
    sentences = sorted({tag.sentence for of_moment in tags for tag in of_moment})
    vectors = dict(zip(sentences, encoder.encode_sentences(sentences), strict=True)) if sentences else {}
    sums: list[Any] = [sum(tag.score * vectors[tag.sentence] for tag in of_moment) for of_moment in tags]
    return [total / np.linalg.norm(total) if of_moment else None for total, of_moment in zip(sums, tags, strict=True)]
