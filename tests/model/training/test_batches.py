"""The batch of a step depends only on the seed and the step."""

from pathlib import Path

import numpy as np
import pytest

from model.config import TrainingConfig, read_training_config
from model.data.pairs import Pair
from model.training import batches
from model.training.batches import TrainingSet

CLIPS = 10


def clip(name: str, length: int = 1) -> tuple[Path, ...]:
    return tuple(Path(f"{name}-{i}.jpg") for i in range(length))


@pytest.fixture
def data() -> TrainingSet:
    """Ten clips, of which clip i has i + 1 texts. One picture is voted down for text 0."""
    pairs = [
        Pair(
            f"text {i} {j}",
            clip(str(i)),
            f"source {i}",
            hard_negatives=(clip("bad"),) if i == 0 else (),
            fixed_split="train",
        )
        for i in range(CLIPS)
        for j in range(i + 1)
    ]
    return batches.build_training_set([*pairs, Pair("other", clip("held out"), "o", fixed_split="test")], "train")


@pytest.fixture
def config() -> TrainingConfig:
    return read_training_config().model_copy(update={"batch": 4, "texts": 3, "text_views": 2})


def test_training_set_contains_one_split(data: TrainingSet) -> None:
    """Pairs of another split are left out. A picture that was only voted down has no text."""
    assert len(data.clips) == CLIPS + 1
    assert data.clips[-1] == clip("bad")
    assert len(data.texts_of) == CLIPS
    assert all((data.clip_of[texts] == i).all() for i, texts in enumerate(data.texts_of))


def test_batch_is_deterministic_per_seed_and_step(data: TrainingSet, config: TrainingConfig) -> None:
    one, same = batches.draw_batch(config, data, 5), batches.draw_batch(config, data, 5)
    assert all(
        np.array_equal(getattr(one, name), getattr(same, name)) for name in ("clips", "texts", "own", "shared", "views")
    )
    other = batches.draw_batch(config.model_copy(update={"seed": 1}), data, 5)
    assert not np.array_equal(one.texts, other.texts)


def test_batch_own_is_the_column_of_each_text(data: TrainingSet, config: TrainingConfig) -> None:
    """Each clip has three texts in two views, all different if it has three texts."""
    for step in range(6):
        batch = batches.draw_batch(config, data, step)
        assert np.array_equal(data.clip_of[batch.texts], batch.clips[batch.own])
        assert np.bincount(batch.own).tolist() == [6] * 4
        for column, number in enumerate(batch.clips[:4]):
            assert len(set(batch.texts[batch.own == column])) == min(3, number + 1)


def test_epoch_contains_each_clip_once(data: TrainingSet, config: TrainingConfig) -> None:
    """Two batches of four contain no clip twice. The next epoch has another order."""
    epochs = [
        [batches.draw_batch(config, data, 2 * epoch + i).clips[:4].tolist() for i in range(2)] for epoch in range(2)
    ]
    assert all(len({*epoch[0], *epoch[1]}) == 8 for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_hard_negative_is_added_to_batches_of_its_text(data: TrainingSet, config: TrainingConfig) -> None:
    """The picture voted down for text 0 is an extra column if and only if text 0 is in the batch."""
    for step in range(12):
        batch = batches.draw_batch(config, data, step)
        assert (CLIPS in batch.clips) == (0 in batch.clips)
        assert CLIPS not in batch.clips[batch.own]
        assert len(batch.views) == len(batch.clips)


def test_selected_frames_are_middles_of_sections() -> None:
    """One frame is the middle one. A photograph is repeated."""
    assert batches.select_frames(clip("a", 7), 1) == [clip("a", 7)[3]]
    assert batches.select_frames(clip("a", 6), 3) == [clip("a", 6)[i] for i in (1, 3, 5)]
    assert batches.select_frames(clip("a"), 2) == [clip("a")[0]] * 2


def test_training_set_is_limited_to_evenly_spaced_clips() -> None:
    """The clips run from first to last, with all their texts."""
    pairs = [Pair(f"{i} {j}", clip(str(i)), f"{i}", fixed_split="validation") for i in range(9) for j in range(2)]
    some = batches.build_training_set(pairs, "validation", 3)
    assert some.clips == (clip("0"), clip("4"), clip("8"))
    assert len(some.texts) == 6


def test_batch_marks_other_clips_that_have_an_equal_text(config: TrainingConfig) -> None:
    """Also if another of its texts was drawn for the clip; but not if the clip was voted down for the text."""
    pairs = [
        Pair(text, clip(str(i)), "source", hard_negatives=(clip("1"),) if text == "Zero" else (), fixed_split="train")
        for i, texts in enumerate((("A title", "Zero"), ("a  title.", "zero"), ("A title", "two"), ("other", "else")))
        for text in texts
    ]
    data = batches.build_training_set(pairs, "train")
    batch = batches.draw_batch(config, data, 0)
    for row, text in enumerate(batch.texts):
        words, own = data.texts[text], data.clip_of[text]
        expected = {0, 1, 2} - {own} if "title" in words.lower() else {0} if words == "zero" else set()
        assert {int(each) for each in batch.clips[batch.shared[row]]} == expected, words
