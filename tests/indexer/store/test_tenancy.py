"""Tenant isolation: random sequences of actions on the stores and on a simple model of them (Hypothesis)."""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.hits import OnlyKind
from indexer.ingest.evidence import put_evidence
from indexer.senses import SoundTag
from indexer.store.stores import Stores
from indexer.types import Caption, Evidence
from indexer.vectors.edge import EdgeVectorStore
from tests.support.indexer.fakes import (
    FAKE,
    FakeEncoder,
    findable_moments,
    finish_removals,
    make_moments,
    make_video,
    moment_ids,
    open_library,
    search_library,
    submit_video,
    video_id,
)


@pytest.fixture(scope="module")
def shared_stores(fast_folder: Path) -> Iterator[Stores]:
    vector_store = EdgeVectorStore(fast_folder / "tenancy")
    yield open_library(vector_store)
    vector_store.close()


SENSES: Final[tuple[OnlyKind, ...]] = ("said", "shown", "heard")
SPACES, NAMES, USERS = ("discord:a", "discord:b", "slack:c"), ("x", "y", "z"), ("ann", "bob")
STEP = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(SPACES), st.sampled_from(NAMES), st.sampled_from(USERS)),
    st.tuples(st.just("publish"), st.sampled_from(NAMES), st.integers(1, 3)),
    st.tuples(st.just("enrich"), st.sampled_from(NAMES)),
    st.tuples(st.just("fail"), st.sampled_from(NAMES)),
    st.tuples(st.just("remove"), st.sampled_from(SPACES), st.sampled_from(NAMES)),
    st.tuples(st.just("remove_by_user"), st.sampled_from(SPACES), st.sampled_from(USERS)),
)


class Model:
    """The expected contents, as plain dictionaries."""

    def __init__(self) -> None:
        self.submitters: dict[tuple[str, str], str] = {}
        self.published: dict[str, int] = {}
        self.enriched: set[str] = set()
        self.failed: set[str] = set()

    def step(self, kind: str, *args: Any) -> None:
        getattr(self, kind)(*args)
        for name in set(NAMES) - {submitted for _, submitted in self.submitters}:
            self.published.pop(name, None)
            self.enriched.discard(name)
            self.failed.discard(name)

    def submit(self, space: str, name: str, user_id: str) -> None:
        self.submitters.setdefault((space, name), user_id)
        self.failed.discard(name)

    def publish(self, name: str, count: int) -> None:
        if name not in self.failed:
            self.published[name] = count
            self.enriched.discard(name)

    def enrich(self, name: str) -> None:
        if name in self.published:
            self.enriched.add(name)

    def fail(self, name: str) -> None:
        if name not in self.published:
            self.failed.add(name)

    def remove(self, space: str, name: str) -> None:
        self.submitters.pop((space, name), None)

    def remove_by_user(self, space: str, user_id: str) -> None:
        self.submitters = {key: by for key, by in self.submitters.items() if (key[0], by) != (space, user_id)}

    def findable(self, space: str, prefix: str) -> list[str]:
        names = [name for of, name in self.submitters if of == space and name in self.published]
        return sorted(id for name in names for id in moment_ids(prefix + name, self.published[name]))

    def findable_by_evidence(self, space: str) -> set[str]:
        return {name for of, name in self.submitters if of == space and name in self.enriched}


class RealLibrary:
    """The stores, with names and spaces that are unique to one run."""

    def __init__(self, stores: Stores, run: str) -> None:
        self.stores, self.run = stores, run

    def step(self, kind: str, *args: Any) -> None:
        getattr(self, kind)(*args)

    def submit(self, space: str, name: str, user_id: str) -> None:
        submit_video(self.stores, space + self.run, self.run + name, user_id)

    def publish(self, name: str, count: int) -> None:
        video = make_video(self.run + name)
        self.stores.publisher.publish_moments(video, make_moments(video, *map(str, range(count))), FAKE)

    def enrich(self, name: str) -> None:
        line = Caption(0.0, 5.0, f"{name}word")
        evidence = Evidence(said=(line,), shown=(line,), heard=(SoundTag(f"{name}word", 0.9, 0.0, 5.0),))
        put_evidence(self.stores.enrichment, FakeEncoder(), dict.fromkeys(moment_ids(self.run + name, 3), evidence))

    def find_by_evidence(self, space: str, only: OnlyKind) -> set[str]:
        """Return the names of the videos that a space finds only by what is said, shown or heard."""
        found = (search_library(self.stores, space + self.run, f"{name}word", only=only).hits for name in NAMES)
        return {hit.title.removeprefix(self.run) for hits in found for hit in hits}

    def fail(self, name: str) -> None:
        self.stores.publisher.record_failure(video_id(self.run + name), "not_found")

    def remove(self, space: str, name: str) -> None:
        removed = self.stores.removals.remove_video(space + self.run, video_id(self.run + name))
        finish_removals(self.stores, removed)

    def remove_by_user(self, space: str, user_id: str) -> None:
        finish_removals(self.stores, self.stores.removals.remove_by_user(space + self.run, user_id))


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEP, max_size=20))
def test_space_finds_exactly_its_own_videos_after_any_actions(shared_stores: Stores, steps: Sequence[Any]) -> None:
    """Each space finds and lists exactly the published videos that it has now, also by speech, writing and sounds."""
    run = uuid.uuid4().hex
    model, real = Model(), RealLibrary(shared_stores, run)
    for step in steps:
        model.step(*step)
        real.step(*step)
        for space in SPACES:
            assert findable_moments(shared_stores, space + run) == model.findable(space, run)
            rows, total = shared_stores.submissions.list_videos(space + run, limit=10)
            expected = {(video_id(run + name), by) for (of, name), by in model.submitters.items() if of == space}
            assert {(row.video.video_id, row.submission.user_id) for row in rows} == expected
            assert total == len(expected)
    for space in SPACES:
        for only in SENSES:
            assert real.find_by_evidence(space, only) == model.findable_by_evidence(space)
