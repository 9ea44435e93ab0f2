"""Libraries that earlier versions have written."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import NewerStoreError, StoreUnavailableError
from indexer.generation_id import GenerationId, space_slug
from indexer.lexical import document_words, query_words
from indexer.store.publishing import moment_point
from indexer.store.records import (
    RECORDS,
    SCHEMA,
    GenerationRecord,
    IndexStatus,
    RetrainRecord,
    Submission,
    VoteRecord,
    submission_id,
)
from indexer.store.stores import Stores, open_stores
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import Filter, NewPoint, PointVectors, SparseWords, VectorQuery, VectorStore
from tests.support.indexer.fakes import (
    FAKE,
    MEANING_SIZE,
    VECTOR_SIZE,
    WRITES,
    FakeEncoder,
    InterruptedVectorStore,
    OpenVectorStore,
    index_video,
    make_moments,
    make_video,
    moment_ids,
    open_library,
    raise_store_unavailable,
    search_library,
    submit_video,
    video_id,
)

A, CHANNEL, B = "discord:1", "discord:1/55", "slack:2"
AT = "2026-01-01T12:00:00+00:00"
OWN = GenerationId("next", A)
OLD = "moments_fake"
"""Collection of `FAKE` up to schema 3."""
GOAL, SECRET, LEAVING, BROKEN = (video_id(name) for name in ("goal", "secret", "leaving", "broken"))

SCHEMA_2_KEYS = ("kind", "space", "scope", "video_id", "person", "message", "status", "leaving")
SCHEMA_2_RECORDS: Mapping[str, Mapping[str, Any]] = {
    GOAL: {
        "kind": "video", "video_id": GOAL, "link": make_video("goal").link, "fetch_url": "https://videos.example/g",
        "title": "goal", "status": "indexed", "moments": 1, "duration_s": 60.0, "thinned": "yes",
    },
    SECRET: {
        "kind": "video", "video_id": SECRET, "link": make_video("secret").link, "fetch_url": "https://videos.example/s",
        "title": "secret", "status": "words_only", "code": "blocked", "moments": 1, "duration_s": None,
        "published": None, "thumbnail": None,
    },
    LEAVING: {
        "kind": "video", "video_id": LEAVING, "link": make_video("leaving").link, "fetch_url": "https://x.example/",
        "title": "leaving", "status": "indexed", "moments": 1, "leaving": "yes",
    },
    BROKEN: {
        "kind": "video", "video_id": BROKEN, "link": make_video("broken").link, "fetch_url": "https://x.example/",
        "title": "", "status": "failed", "code": "corrupt", "moments": 0, "duration_s": None,
    },
    submission_id(GOAL, A): {
        "kind": "submission", "video_id": GOAL, "space": A, "person": "ann", "at": AT, "room": "", "name": "Ann",
        "message": "m1", "scope": A,
    },
    submission_id(GOAL, B): {
        "kind": "submission", "video_id": GOAL, "space": B, "person": "U1", "at": AT, "room": "", "name": "",
        "message": "", "scope": B,
    },
    submission_id(SECRET, CHANNEL): {
        "kind": "submission", "video_id": SECRET, "space": A, "person": "bob", "at": AT, "room": "55", "name": "",
        "message": "", "scope": CHANNEL,
    },
    video_id("vote"): {
        "kind": "vote", "space": A, "person": "ann", "queries": ["a goal"], "video_id": GOAL, "start_s": 0.0,
        "end_s": 5.0, "vote": "up", "at": AT,
    },
    "f502278c-c9d0-52a4-9b54-18f7adda405e": {
        "kind": "generation", "name": "fake", "preset": "starter", "made_at": AT, "adapter": None, "r5_before": None,
        "r5": None, "questions": 0, "space": "",
    },
    "2d1a6a9e-6ff7-5f8b-b7ee-8f2f4f3a7c11": {
        "kind": "generation", "name": "next@discord.1", "preset": "starter", "made_at": "2026-01-02T00:00:00+00:00",
        "adapter": "spaces/discord.1/adapters/next/", "r5_before": 0.5, "r5": 0.6, "questions": 40, "space": A,
    },
    "5432b014-e370-5ad3-9692-5cbd414a20c3": {
        "kind": "retraining", "space": A, "person": "ann", "at": AT, "cancelled": False, "generation": "",
    },
    "b480869f-5081-58c6-8088-f662dce7e10f": {
        "kind": "space", "space": A, "left_at": "", "back_at": AT,
        "settings": {"watched": ["7"], "submitters": "admins", "language": "", "answers": "private", "rooms": "open"},
    },
}  # fmt: skip


def write_schema_2(vector_store: VectorStore) -> None:
    """Write a library as version 0.1.0 did: all kinds of records, and the moments of two videos."""
    vector_store.ensure(RECORDS, {}, (), SCHEMA_2_KEYS, tenant="space")
    vector_store.upsert(RECORDS, [NewPoint(id, {"schema": 2, **each}) for id, each in SCHEMA_2_RECORDS.items()])
    vector_store.point_alias("schema_2", RECORDS)
    keys = ("spaces", "video_id", "open")
    sizes = {"frame": VECTOR_SIZE, "motion": VECTOR_SIZE}
    vector_store.ensure(OLD, sizes, ("words",), keys, tenant="spaces")
    vector_store.point_alias("moments", OLD)
    for name, spaces in (("goal", [A, B]), ("secret", [CHANNEL])):
        (moment,) = make_moments(make_video(name), name)
        payload = {
            "schema": 2, "generation": "fake", "video_id": video_id(name), "link": make_video(name).link,
            "title": name, "duration_s": 60.0, "published": None, "start_s": 0.0, "end_s": 5.0,
            "thumbnail": moment.thumbnail, "words": name, "frames": [moment.thumbnail], "said": {"speech": f"a {name}"},
            "words_only": False, "spaces": spaces, "open": "yes",
        }  # fmt: skip
        assert moment.frame is not None
        assert moment.motion is not None
        point = NewPoint(moment.id, payload, {"frame": moment.frame, "motion": moment.motion})
        vector_store.upsert(OLD, [point])


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("貓咪在睡覺", "猫咪"),
        ("臺灣小吃", "台湾"),
        ("My 🐶 day", "dog"),
        ("Ёлка", "елка"),
        ("goal", "goal"),
        ("학교 앞", "학교에서는"),
    ],
)
def test_words_of_schema_2_are_found_in_every_spelling(
    open_vector_store: OpenVectorStore, words: str, query: str
) -> None:
    """Their sparse vectors are computed again, from the stored text, once."""
    vector_store = open_vector_store()
    write_schema_2(vector_store)
    old = SparseWords((1,), (1.0,)) if words != "goal" else document_words("goal")
    [moment] = moment_ids("goal")
    vector_store.set_payload(OLD, Filter(ids=(moment,)), {"words": words})
    vector_store.set_vectors(OLD, {moment: PointVectors(sparse={"words": old})})
    open_stores(vector_store, MEANING_SIZE)
    [found] = vector_store.nearest(FAKE.collection_name, [VectorQuery("words", query_words(query), 5)])
    assert [scored.id for scored in found] == [moment]


def write_schema_1(vector_store: VectorStore, name: str) -> None:
    """Write a video and its submission as version 1 of the payloads had them."""
    video = make_video(name)
    record = {"video_id": video.id, "link": video.link, "fetch_url": video.link, "title": name, "status": "indexed"}
    submission = {"video_id": video.id, "space": A, "person": "ann", "at": AT}
    vector_store.ensure(RECORDS, {}, (), ("kind", "space", "video_id", "person", "status"), tenant="space")
    vector_store.upsert(
        RECORDS,
        [
            NewPoint(video.id, {"kind": "video", "schema": 1, **record}),
            NewPoint(submission_id(video.id, A), {"kind": "submission", "schema": 1, **submission}),
        ],
    )


@pytest.fixture(params=[1, 2], ids=["once", "twice"])
def migrated(request: pytest.FixtureRequest, open_vector_store: OpenVectorStore) -> Stores:
    """Open a library of schema 2, and open it again."""
    write_schema_2(open_vector_store())
    for _ in range(request.param):
        stores = open_stores(open_vector_store(), MEANING_SIZE)
    return stores


def test_schema_2_library_is_listed_and_searched_as_before(migrated: Stores) -> None:
    """Private channels stay private, and the submitter is shown by name if there is one."""
    assert [hit.title for hit in search_library(migrated, A, "goal").hits] == ["goal"]
    hits = search_library(migrated, (A, CHANNEL), "goal", "secret").hits
    assert {(hit.title, hit.submitter) for hit in hits} == {("goal", "Ann"), ("secret", "bob")}
    rows, total = migrated.submissions.list_videos((A, CHANNEL), limit=10)
    assert ({row.video.video_id for row in rows}, total) == ({GOAL, SECRET}, 2)
    assert migrated.submissions.get(B, [GOAL]) == {GOAL: Submission(GOAL, B, "U1", AT)}
    assert migrated.submissions.get(CHANNEL, [SECRET]) == {SECRET: Submission(SECRET, A, "bob", AT, "55")}
    assert migrated.submissions.count((A, CHANNEL)).moments == 2


def test_schema_2_videos_keep_status_and_pending_removal(migrated: Stores) -> None:
    """A removal that an earlier version began can be finished."""
    secret, broken = migrated.videos.get(SECRET), migrated.videos.get(BROKEN)
    assert secret is not None
    assert (secret.status, secret.code) == (IndexStatus.WORDS_ONLY, "blocked")
    assert broken is not None
    assert (broken.status, broken.code) == (IndexStatus.FAILED, "corrupt")
    assert [each.video_id for each in migrated.removals.list_pending_removals()] == [LEAVING]
    assert migrated.removals.finish_removal(LEAVING)


def test_schema_2_submissions_are_removed_by_user_and_message(migrated: Stores) -> None:
    """The user id and the message id of a submission are found under their new names."""
    assert migrated.removals.remove_by_message(A, "m1").video_ids == (GOAL,)
    assert migrated.removals.remove_by_user(A, "bob").video_ids == (SECRET,)
    assert search_library(migrated, (A, CHANNEL), "goal", "secret").hits == ()
    assert [hit.title for hit in search_library(migrated, B, "goal").hits] == ["goal"]


def test_schema_2_votes_settings_and_generations_are_kept(migrated: Stores) -> None:
    """In the settings, `rooms` has its new name, and an empty language is left out."""
    assert migrated.spaces.list_votes(A) == [VoteRecord(A, "ann", ("a goal",), GOAL, 0.0, 5.0, "up", AT)]
    settings = {"watched": ["7"], "submitters": "admins", "answers": "private"}
    assert migrated.spaces.get_settings(A) == {**settings, "private_channels": "open"}
    own = GenerationRecord(OWN, "starter", "2026-01-02T00:00:00+00:00", "spaces/discord.1/adapters/next/", 0.5, 0.6, 40)
    assert migrated.generations.list_records() == [own, GenerationRecord(FAKE, "starter", AT)]
    assert migrated.generations.get_record(FAKE) == GenerationRecord(FAKE, "starter", AT)
    assert migrated.retrains.get_current() == RetrainRecord(A, "ann", AT)
    migrated.spaces.delete_votes_of(A, "ann")
    assert migrated.spaces.list_votes() == []


def test_schema_2_moments_keep_their_texts(migrated: Stores) -> None:
    """Training reads the texts by their source."""
    (moment,) = migrated.moments.of_video(GOAL)
    assert moment.payload["text_by_source"] == {"speech": "a goal"}
    assert "said" not in moment.payload


def test_migrated_records_contain_no_old_keys(open_vector_store: OpenVectorStore) -> None:
    """Nothing is left under an old name, and absent values are not empty strings."""
    write_schema_2(open_vector_store())
    open_stores(open_vector_store(), MEANING_SIZE)
    payloads = [stored.payload for stored in open_vector_store().scroll(RECORDS, Filter())]
    assert {key for each in payloads for key in each} & {
        "person",
        "room",
        "name",
        "message",
        "leaving",
        "thinned",
    } == set()
    assert [key for each in payloads for key, value in each.items() if value == "" and key != "title"] == []


def test_schema_1_submission_belongs_to_the_whole_space(open_vector_store: OpenVectorStore) -> None:
    """It is listed, counted and removed as before, also if the library is opened again."""
    write_schema_1(open_vector_store(), "goal")
    for _ in range(2):
        stores = open_stores(open_vector_store(), MEANING_SIZE)
        (row,), total = stores.submissions.list_videos(A, limit=10)
        assert (row.video.title, row.submission.user_id, total) == ("goal", "ann", 1)
        assert stores.submissions.count(A).videos == 1
    assert stores.removals.remove_video(A, GOAL, user_id="ann").links == (make_video("goal").link,)
    assert stores.submissions.list_videos(A, limit=10) == ([], 0)


def test_schema_1_moments_are_found(open_vector_store: OpenVectorStore) -> None:
    """Their scopes are spaces, as today."""
    vector_store = open_vector_store()
    write_schema_1(vector_store, "goal")
    write_schema_3_moments(vector_store, FAKE, {"goal": [A]})
    vector_store.point_alias("moments", OLD)
    vector_store.set_payload(OLD, Filter(), {"schema": 1, "text_by_source": None})
    stores = open_stores(open_vector_store(), MEANING_SIZE)
    assert [hit.title for hit in search_library(stores, A, "goal").hits] == ["goal"]


# ---- schema 3: moments without the vectors of meaning and sound ----


def write_schema_3_moments(
    vector_store: VectorStore, generation: GenerationId, spaces_of: Mapping[str, Sequence[str]]
) -> None:
    """Write the collection of a generation with two moments of each video."""
    old = f"moments_{generation}"
    keys, sizes = ("spaces", "video_id", "open"), {"frame": VECTOR_SIZE, "motion": VECTOR_SIZE}
    vector_store.ensure(old, sizes, ("words",), keys, tenant="spaces")
    for name, spaces in spaces_of.items():
        for moment in make_moments(make_video(name), name, f"{name} again"):
            point = moment_point(moment, make_video(name), generation, None)
            published = {**point.payload, "schema": 3, "spaces": spaces, "open": "yes"}
            dense = {vector: point.dense[vector] for vector in sizes}
            vector_store.upsert(old, [replace(point, payload=published, dense=dense)])


def write_schema_3(vector_store: VectorStore) -> None:
    """Write a library with a generation of the installation, the one before it, and one of a space."""
    stores = open_library(vector_store)
    for name, scopes in SCHEMA_3_VIDEOS.items():
        for scope in scopes:
            space, _, channel = scope.partition("/")
            submit_video(stores, space, name, private_channel=channel or None)
    for generation in stores.generations.list_stored():
        vector_store.drop(generation.collection_name)
    write_schema_3_moments(vector_store, FAKE, SCHEMA_3_VIDEOS)
    write_schema_3_moments(vector_store, GenerationId("before"), SCHEMA_3_VIDEOS)
    write_schema_3_moments(vector_store, OWN, {"goal": [A]})
    for alias, collection in SCHEMA_3_ALIASES.items():
        vector_store.point_alias(alias, collection)
    vector_store.set_payload(RECORDS, Filter({"kind": "video"}), {"status": "indexed"})
    vector_store.set_payload(RECORDS, Filter(), {"schema": 3})
    vector_store.drop_alias(f"schema_{SCHEMA}")
    vector_store.point_alias("schema_3", RECORDS)


SCHEMA_3_VIDEOS = {"goal": [A, B], "secret": [CHANNEL], "theirs": [B]}
SCHEMA_3_ALIASES = {"moments": OLD, "before": "moments_before", f"moments@{space_slug(A)}": f"moments_{OWN}"}


def assert_schema_3_library_is_complete(stores: Stores, vector_store: VectorStore) -> None:
    own = search_library(stores, A, "goal", encoder=FakeEncoder(str(OWN)))
    assert [(hit.title, hit.more) for hit in own.hits] == [("goal", 1)]
    found = search_library(stores, (B, CHANNEL), "theirs", "secret", "goal")
    assert {(hit.title, hit.more) for hit in found.hits} == {("goal", 1), ("secret", 1), ("theirs", 1)}
    assert found.hits[0].score == pytest.approx(1, abs=0.1)
    assert {hit.title for hit in search_library(stores, B, "secret").hits} == {"goal", "theirs"}
    assert stores.generations.get_previous() == GenerationId("before")
    names = [each.collection_name for each in (GenerationId("before"), FAKE, OWN)]
    assert vector_store.collections() == (*names, RECORDS)
    assert set(vector_store.aliases()) >= {*SCHEMA_3_ALIASES, f"schema_{SCHEMA}"}
    for name in names:
        sizes = {"frame": VECTOR_SIZE, "motion": VECTOR_SIZE, "meaning": MEANING_SIZE, "sound": MEANING_SIZE}
        assert vector_store.dense_sizes(name) == sizes
        assert {stored.payload["schema"] for stored in vector_store.scroll(name, Filter())} == {SCHEMA}


def test_schema_3_moments_get_room_for_meaning_and_sound(open_vector_store: OpenVectorStore) -> None:
    """The same moments are found, also in a space's own generation and after a second start."""
    write_schema_3(open_vector_store())
    for _ in range(2):
        vector_store = open_vector_store()
        assert_schema_3_library_is_complete(open_stores(vector_store, MEANING_SIZE), vector_store)


ALL_WRITES = (*WRITES, "ensure", "drop", "point_alias")


def test_schema_3_migration_is_resumed_after_any_write(tmp_path: Path) -> None:
    """A process that is killed leaves a library that the next one completes."""
    nth, is_interrupted = 0, True
    while is_interrupted:
        nth += 1
        vector_store = EdgeVectorStore(tmp_path / str(nth))
        write_schema_1(vector_store, "goal")
        write_schema_3_moments(vector_store, FAKE, {"goal": [A]})
        vector_store.point_alias("moments", OLD)
        interrupted = InterruptedVectorStore(vector_store, nth, raise_store_unavailable, ALL_WRITES)
        with suppress(StoreUnavailableError):
            open_stores(interrupted, MEANING_SIZE)
            is_interrupted = False
        stores = open_stores(vector_store, MEANING_SIZE)
        assert [(hit.title, hit.more) for hit in search_library(stores, A, "goal").hits] == [("goal", 1)]
        assert vector_store.collections() == (FAKE.collection_name, RECORDS)
        vector_store.close()
    assert nth > 8


def test_video_that_was_removed_is_not_migrated(vector_store: VectorStore) -> None:
    """Its moments were left by a killed process."""
    write_schema_3(vector_store)
    vector_store.delete(RECORDS, Filter({"kind": "submission", "video_id": SECRET}))
    stores = open_stores(vector_store, MEANING_SIZE)
    assert stores.moments.of_video(SECRET) == []
    assert len(stores.moments.of_video(GOAL)) == 2


def test_store_of_a_later_version_is_refused_and_not_changed(open_vector_store: OpenVectorStore) -> None:
    """The error has a code that becomes a sentence for the operator."""
    submit_video(open_library(open_vector_store()), A, "goal")
    vector_store = open_vector_store()
    vector_store.point_alias(f"schema_{SCHEMA + 3}", RECORDS)
    before = list(vector_store.scroll(RECORDS, Filter()))
    with pytest.raises(NewerStoreError) as refused:
        open_stores(vector_store)
    assert refused.value.code == "store_newer"
    assert list(vector_store.scroll(RECORDS, Filter())) == before


def test_new_library_is_not_migrated(vector_store: VectorStore) -> None:
    """Its records have the present schema from the start."""
    stores = open_library(vector_store)
    index_video(stores, A, "goal")
    assert {stored.payload["schema"] for stored in vector_store.scroll(RECORDS, Filter())} == {SCHEMA}
    assert f"schema_{SCHEMA}" in vector_store.aliases()
