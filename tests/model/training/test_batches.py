"""Which pairs a step takes follows from the seed and the step alone."""

from pathlib import Path

import numpy as np
import pytest

from model.config import TrainingConfig, read_run
from model.data.pairs import Pair
from model.training import batches
from model.training.batches import Material

CLIPS = 10


def clip(name: str, length: int = 1) -> tuple[Path, ...]:
    return tuple(Path(f"{name}-{i}.jpg") for i in range(length))


@pytest.fixture
def material() -> Material:
    """Ten clips, of which each has as many texts as its number and one; text 0 has a picture against it."""
    pairs = [
        Pair(f"text {i} {j}", clip(str(i)), f"source {i}", against=(clip("bad"),) if i == 0 else (), stated="train")
        for i in range(CLIPS)
        for j in range(i + 1)
    ]
    return batches.gather([*pairs, Pair("other", clip("held out"), "o", stated="test")], "train")


@pytest.fixture
def run() -> TrainingConfig:
    return read_run().model_copy(update={"batch": 4, "texts": 3, "text_views": 2})


def test_of_one_split_only(material: Material) -> None:
    """Pairs of another split are not there; a picture that only ever was voted down owns no text."""
    assert len(material.clips) == CLIPS + 1
    assert material.clips[-1] == clip("bad")
    assert len(material.texts_of) == CLIPS
    assert all((material.clip_of[texts] == i).all() for i, texts in enumerate(material.texts_of))


def test_a_step_is_the_same_again(material: Material, run: TrainingConfig) -> None:
    """The same seed and step give the same batch; another seed another one."""
    one, same = batches.batch(run, material, 5), batches.batch(run, material, 5)
    assert all(np.array_equal(getattr(one, name), getattr(same, name)) for name in ("clips", "texts", "own", "views"))
    other = batches.batch(run.model_copy(update={"seed": 1}), material, 5)
    assert not np.array_equal(one.texts, other.texts)


def test_each_text_stands_beside_its_own(material: Material, run: TrainingConfig) -> None:
    """`own` names the column of each text; each clip has three texts, in two views, different where it has three."""
    for step in range(6):
        batch = batches.batch(run, material, step)
        assert np.array_equal(material.clip_of[batch.texts], batch.clips[batch.own])
        assert np.bincount(batch.own).tolist() == [6] * 4
        for column, number in enumerate(batch.clips[:4]):
            assert len(set(batch.texts[batch.own == column])) == min(3, number + 1)


def test_an_epoch_shows_each_clip_once(material: Material, run: TrainingConfig) -> None:
    """Two batches of four and no clip twice; the next epoch has another order."""
    epochs = [[batches.batch(run, material, 2 * epoch + i).clips[:4].tolist() for i in range(2)] for epoch in range(2)]
    assert all(len({*epoch[0], *epoch[1]}) == 8 for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_what_was_voted_down_stands_against(material: Material, run: TrainingConfig) -> None:
    """Wherever text 0 is, the picture voted down for it is one more column, and nowhere else."""
    for step in range(12):
        batch = batches.batch(run, material, step)
        assert (CLIPS in batch.clips) == (0 in batch.clips)
        assert CLIPS not in batch.clips[batch.own]
        assert len(batch.views) == len(batch.clips)


def test_frames_are_the_middles_of_stretches() -> None:
    """One frame is the middle one; a photograph is taken again."""
    assert batches.frames(clip("a", 7), 1) == [clip("a", 7)[3]]
    assert batches.frames(clip("a", 6), 3) == [clip("a", 6)[i] for i in (1, 3, 5)]
    assert batches.frames(clip("a"), 2) == [clip("a")[0]] * 2


def test_of_many_some_are_taken_evenly() -> None:
    """At most so many clips, from first to last, with all of their texts."""
    pairs = [Pair(f"{i} {j}", clip(str(i)), f"{i}", stated="validation") for i in range(9) for j in range(2)]
    some = batches.gather(pairs, "validation", 3)
    assert some.clips == (clip("0"), clip("4"), clip("8"))
    assert len(some.texts) == 6
