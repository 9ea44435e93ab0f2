"""What a space finds, whatever people do in whatever order: the library beside a model in the plainest Python."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.store.library import Library
from indexer.vectors.edge import EdgeVectorStore
from tests.support.indexer_fakes import a_video, findable, gone, ids_of, opened, some_moments, submit, video_id


@pytest.fixture(scope="module")
def shared_library(fast_folder: Path) -> Any:
    points = EdgeVectorStore(fast_folder / "walls")
    yield opened(points)
    points.close()


SPACES, NAMES, PEOPLE = ("discord:a", "discord:b", "slack:c"), ("x", "y", "z"), ("ann", "bob")
STEP = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(SPACES), st.sampled_from(NAMES), st.sampled_from(PEOPLE)),
    st.tuples(st.just("store"), st.sampled_from(NAMES), st.integers(1, 3)),
    st.tuples(st.just("fail"), st.sampled_from(NAMES)),
    st.tuples(st.just("forget"), st.sampled_from(SPACES), st.sampled_from(NAMES)),
    st.tuples(st.just("forget_mine"), st.sampled_from(SPACES), st.sampled_from(PEOPLE)),
)


class Model:
    """The same promises in the plainest Python."""

    def __init__(self) -> None:
        self.submitted: dict[tuple[str, str], str] = {}
        self.stored: dict[str, int] = {}
        self.failed: set[str] = set()

    def step(self, kind: str, *args: Any) -> None:
        getattr(self, kind)(*args)
        for name in set(NAMES) - {submitted for _, submitted in self.submitted}:
            self.stored.pop(name, None)
            self.failed.discard(name)

    def submit(self, space: str, name: str, user_id: str) -> None:
        self.submitted.setdefault((space, name), user_id)
        self.failed.discard(name)

    def store(self, name: str, count: int) -> None:
        if name not in self.failed:
            self.stored[name] = count

    def fail(self, name: str) -> None:
        if name not in self.stored:
            self.failed.add(name)

    def forget(self, space: str, name: str) -> None:
        self.submitted.pop((space, name), None)

    def forget_mine(self, space: str, user_id: str) -> None:
        self.submitted = {key: by for key, by in self.submitted.items() if (key[0], by) != (space, user_id)}

    def findable(self, space: str, prefix: str) -> list[str]:
        names = [name for of, name in self.submitted if of == space and name in self.stored]
        return sorted(id for name in names for id in ids_of(prefix + name, self.stored[name]))


class Real:
    """The library, with names and spaces that no other run has."""

    def __init__(self, library: Library, run: str) -> None:
        self.library, self.run = library, run

    def step(self, kind: str, *args: Any) -> None:
        getattr(self, kind)(*args)

    def submit(self, space: str, name: str, user_id: str) -> None:
        submit(self.library, space + self.run, self.run + name, user_id)

    def store(self, name: str, count: int) -> None:
        video = a_video(self.run + name)
        self.library.put_moments(video, some_moments(video, *map(str, range(count))), "fake")

    def fail(self, name: str) -> None:
        self.library.fail(video_id(self.run + name), "not_found")

    def forget(self, space: str, name: str) -> None:
        gone(self.library, self.library.forget(space + self.run, video_id(self.run + name)))

    def forget_mine(self, space: str, user_id: str) -> None:
        gone(self.library, self.library.forget_mine(space + self.run, user_id))


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEP, max_size=20))
def test_a_space_finds_what_it_shared_and_nothing_else(shared_library: Library, steps: Sequence[Any]) -> None:
    """Whatever people do in whatever order, each space finds exactly the stored videos that it shares now."""
    run = uuid.uuid4().hex
    model, real = Model(), Real(shared_library, run)
    for step in steps:
        model.step(*step)
        real.step(*step)
        for space in SPACES:
            assert findable(shared_library, space + run) == model.findable(space, run)
            entries, total = shared_library.entries(space + run, limit=10)
            shared = {(video_id(run + name), by) for (of, name), by in model.submitted.items() if of == space}
            assert {(entry.video.video_id, entry.submission.user_id) for entry in entries} == shared
            assert total == len(shared)
