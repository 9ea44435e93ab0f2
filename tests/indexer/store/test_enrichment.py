"""Evidence of moments: stored, replaced, re-embedded and deleted."""

import json
from dataclasses import astuple
from math import log
from pathlib import Path

import pytest

from indexer.blobs import BlobStore
from indexer.errors import StoreUnavailableError
from indexer.generation_id import GenerationId
from indexer.ingest.evidence import put_evidence
from indexer.lexical import document_words, query_words
from indexer.senses import SoundTag
from indexer.store.enrichment import read_evidence
from indexer.store.stores import Stores, open_stores
from indexer.types import Caption, Evidence, TimedWord
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import Filter, VectorQuery, VectorStore
from tests.support.indexer.fakes import (
    FAKE,
    FakeEncoder,
    InterruptedVectorStore,
    embed_meaning,
    finish_removals,
    index_video,
    moment_ids,
    open_library,
    raise_store_unavailable,
    reembed_library,
    search_library,
    submit_video,
    video_id,
)

A, B, CHANNEL = "discord:1", "slack:2", "discord:1/55"
SAID = Caption(1.0, 3.0, "bake the bread", (TimedWord(1.0, "bake"), TimedWord(1.5, " the"), TimedWord(2.0, " bread")))
SHOWN = Caption(0.0, 4.0, "flour mill")
HEARD = SoundTag("Whistling", 0.8, 2.0, 3.0)
ALL = Evidence((SAID,), (SHOWN,), (HEARD,))
NEXT = GenerationId("next")
GOAL = video_id("goal")
[MOMENT] = moment_ids("goal")


def put(stores: Stores, evidence: Evidence, encoder: FakeEncoder | None = None, name: str = "goal") -> None:
    put_evidence(stores.enrichment, encoder or FakeEncoder(), dict.fromkeys(moment_ids(name), evidence))


def read(stores: Stores, generation: GenerationId = FAKE) -> Evidence:
    return read_evidence(stores.enrichment.read(generation, [MOMENT])[0].payload)


def list_vectors(vector_store: VectorStore) -> set[str]:
    (stored,) = vector_store.retrieve(FAKE.collection_name, [MOMENT], with_vectors=True)
    return set(stored.dense)


def test_word_of_one_moment_is_rare_though_the_others_have_no_words(stores: Stores) -> None:
    """BM25's IDF counts the moments without words. The score of a whole match is far above zero."""
    for number in range(9):
        index_video(stores, A, f"silent{number}", title="")
    index_video(stores, A, "goal", title="")
    put(stores, Evidence(said=(SAID,)))
    ((found,),) = stores.moments.nearest(FAKE, (A,), [VectorQuery("words", query_words("bread"), 5)])
    weights = dict(zip(*astuple(document_words("bake the bread")), strict=True))
    assert found.id == MOMENT
    assert found.score == pytest.approx(weights[query_words("bread").indices[0]] * log(1 + 9.5 / 1.5), rel=1e-4)


def test_evidence_is_read_back_and_has_vectors(stores: Stores, vector_store: VectorStore) -> None:
    """The moment keeps its looks. The sense that is put later keeps the others."""
    index_video(stores, A, "goal")
    for evidence in (Evidence(said=(SAID,)), Evidence(shown=(SHOWN,)), Evidence(heard=(HEARD,))):
        put(stores, evidence)
    assert read(stores) == ALL
    assert list_vectors(vector_store) == {"frame", "motion", "meaning", "sound"}
    (stored,) = vector_store.retrieve(FAKE.collection_name, [MOMENT], with_vectors=True)
    assert stored.dense["meaning"] == pytest.approx(embed_meaning("goal. bake the bread. flour mill"), abs=1e-5)
    assert stored.dense["sound"] == pytest.approx(embed_meaning("the sound of whistling"), abs=1e-5)
    assert stored.payload["senses"] == ["said", "shown", "heard"]


def test_nothing_found_is_stored_and_deletes_the_vector(stores: Stores, vector_store: VectorStore) -> None:
    """A second run that finds nothing replaces what the first one found."""
    index_video(stores, A, "goal", title="")
    put(stores, ALL)
    put(stores, Evidence((), (), ()))
    assert read(stores) == Evidence((), (), ())
    assert list_vectors(vector_store) == {"frame", "motion"}
    assert search_library(stores, A, "bread", only="said").hits == ()
    assert read(open_stores(vector_store)) == Evidence((), (), ())


def test_speech_replaces_the_subtitles_of_indexing(stores: Stores, vector_store: VectorStore) -> None:
    """They do not count twice."""
    index_video(stores, A, "goal")
    texts = {"text_by_source": {"chapter": "Baking", "speech": "bake a bread"}, "words": "goal Baking bake a bread"}
    vector_store.set_payload(FAKE.collection_name, Filter(ids=(MOMENT,)), texts)
    put(stores, Evidence(said=(SAID,)))
    payload = stores.enrichment.read(FAKE, [MOMENT])[0].payload
    assert payload["text_by_source"] == {"chapter": "Baking"}
    assert payload["words"] == "goal\nBaking\nbake the bread"


def test_evidence_of_a_deleted_moment_is_not_stored(stores: Stores, vector_store: VectorStore) -> None:
    """Neither if the moment never existed nor if it was deleted meanwhile."""
    put(stores, ALL, name="unknown")
    index_video(stores, A, "goal")
    moments = stores.enrichment.read(FAKE, [MOMENT])
    finish_removals(stores, stores.removals.remove_by_user(A, "ann"))
    stores.enrichment.put(FAKE, [(moments[0], {"meaning": embed_meaning("x")})])
    assert vector_store.count(FAKE.collection_name, Filter()) == 0


def test_removal_deletes_transcripts_texts_and_tags(stores: Stores, vector_store: VectorStore) -> None:
    """Nothing of them is left in any collection once the last space has removed the video."""
    stores.generations.create(NEXT, FakeEncoder(str(NEXT)))
    index_video(stores, A, "goal")
    put(stores, ALL)
    reembed_library(stores, BlobStore("memory://none"), FakeEncoder(str(NEXT)))
    assert list_mentions(vector_store) == {FAKE.collection_name, NEXT.collection_name}
    finish_removals(stores, stores.removals.remove_by_user(A, "ann"))
    assert list_mentions(vector_store) == set()


def list_mentions(vector_store: VectorStore) -> set[str]:
    """Return the collections in which something of the evidence is stored."""
    stored = {
        name: json.dumps([each.payload for each in vector_store.scroll(name, Filter())])
        for name in vector_store.collections()
    }
    return {name for name, text in stored.items() if any(word in text for word in ("bread", "mill", "Whistling"))}


def test_reembedded_moments_keep_evidence_and_its_vectors(stores: Stores) -> None:
    """The new generation is searched by speech, writing and sounds as the old one was."""
    index_video(stores, A, "goal")
    put(stores, ALL)
    later = FakeEncoder(str(NEXT))
    reembed_library(stores, BlobStore("memory://none"), later)
    stores.generations.switch_to(NEXT)
    assert read(stores, NEXT) == ALL
    for query, only in (("bread", "said"), ("mill", "shown"), ("whistling", "heard")):
        assert len(search_library(stores, A, query, encoder=later, only=only).hits) == 1


def test_enriched_video_is_deleted_from_generations_that_are_not_searched(stores: Stores) -> None:
    """They would lack the evidence after a rollback, which re-embeds what is missing."""
    own = GenerationId("own", A)
    for generation in (NEXT, own):
        stores.generations.create(generation, FakeEncoder())
    index_video(stores, A, "goal")
    for generation in (NEXT, own):
        reembed_library(stores, BlobStore("memory://none"), FakeEncoder(str(generation)))
    stores.generations.switch_to(own, A)
    stores.enrichment.delete_unsearched(GOAL)
    assert [len(stores.enrichment.read(each, [MOMENT])) for each in (FAKE, own, NEXT)] == [1, 1, 0]
    assert stores.reembedding.videos_missing_from(NEXT) == [GOAL]


def test_private_channel_keeps_what_is_said_in_its_videos(stores: Stores) -> None:
    """The space and other spaces find it by no sense."""
    index_video(stores, B, "goal")
    submit_video(stores, A, "goal", private_channel="55")
    stores.removals.remove_video(B, GOAL)
    put(stores, ALL)
    for query, only in (("bread", "said"), ("mill", "shown"), ("whistling", "heard")):
        assert len(search_library(stores, CHANNEL, query, only=only).hits) == 1
        for scopes in (A, B):
            assert search_library(stores, scopes, query, only=only).hits == ()
            assert search_library(stores, scopes, query).hits == ()


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_interrupted_evidence_is_completed_by_the_next_run(tmp_path: Path, nth: int) -> None:
    """A job that is killed between two writes is run again."""
    vector_store = EdgeVectorStore(tmp_path / "store")
    stores = open_library(vector_store)
    index_video(stores, A, "goal", title="")
    interrupted = open_stores(InterruptedVectorStore(vector_store, nth, raise_store_unavailable))
    with pytest.raises(StoreUnavailableError):
        put(interrupted, Evidence(said=(SAID,), shown=(), heard=()))
    put(stores, Evidence(said=(SAID,), shown=(), heard=()))
    assert read(stores) == Evidence((SAID,), (), ())
    assert len(search_library(stores, A, "bread", only="said").hits) == 1
    vector_store.close()
