"""The promotion test and the general set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.pairs import Pair
from model.evaluation import general_set
from model.evaluation.compare import Comparison, Difference, EncodedPairs, compare_encodings
from model.evaluation.promotion import (
    MARGIN,
    MAX_DISTRACTORS,
    MIN_SOURCES,
    Criterion,
    decide_promotion,
    run_promotion_test,
)
from model.packages import default_artifacts_dir
from model.ports import Picture, Vector
from model.preset_files import find_preset
from model.starter.samples import SAMPLES, find_samples
from tests.support.model.colour_encoder import ColourEncoder


def comparison(
    low: float, high: float, back: tuple[float, float] = (-0.01, 0.01), sources: int = MIN_SOURCES
) -> Comparison:
    def difference(bounds: tuple[float, float]) -> Difference:
        return Difference(0.5, 0.5 + sum(bounds) / 2, bounds)

    return Comparison({"mrr": difference((low, high))}, {"mrr": difference(back)}, 100, 50, sources)


SAME = comparison(-0.01, 0.01)


@pytest.mark.parametrize(
    ("held_out", "general", "is_better", "criteria"),
    [
        (comparison(0.001, 0.2), SAME, True, {Criterion.BETTER, Criterion.KEPT}),
        (comparison(0.0, 0.2), SAME, False, {Criterion.NOT_BETTER, Criterion.KEPT}),
        (comparison(-0.2, -0.1), SAME, False, {Criterion.NOT_BETTER, Criterion.KEPT}),
        (comparison(0.1, 0.2), comparison(-MARGIN, 0.01), True, {Criterion.BETTER, Criterion.KEPT}),
        (comparison(0.1, 0.2), comparison(-MARGIN - 0.001, 0.3), False, {Criterion.BETTER, Criterion.FORGOT}),
        (
            comparison(0.1, 0.2, back=(-0.2, -0.1)),
            SAME,
            False,
            {Criterion.BETTER, Criterion.WORSE_IMAGE_TO_TEXT, Criterion.KEPT},
        ),
        (comparison(0.1, 0.2, sources=MIN_SOURCES - 1), SAME, False, {Criterion.TOO_FEW, Criterion.KEPT}),
    ],
)
def test_decision_at_the_bounds_of_each_criterion(
    held_out: Comparison, general: Comparison, is_better: bool, criteria: set[Criterion]
) -> None:
    """The reasons contain all criteria with their figures."""
    decision = decide_promotion(held_out, general)
    assert decision.is_better is is_better
    assert {reason.criterion for reason in decision.reasons} == criteria
    assert all(reason.difference.base == 0.5 for reason in decision.reasons)


def test_random_adapter_is_rarely_promoted() -> None:
    """At most 8 of 100 adapters that only shuffle what the base knows pass."""
    promoted = 0
    for seed in range(100):
        base, adapter = make_noisy(2 * seed), make_noisy(2 * seed + 1)
        promoted += decide_promotion(compare_encodings(base, adapter), SAME).is_better
    assert promoted <= 8  # 2.5 are expected


def make_noisy(seed: int) -> EncodedPairs:
    """Make the same pictures each time, with texts of different noise."""
    pictures = np.eye(24, dtype=np.float32)
    texts = pictures + 0.8 * np.random.default_rng(seed).normal(size=(24, 24)).astype(np.float32)
    names = tuple(map(str, range(24)))
    return EncodedPairs(texts / np.linalg.norm(texts, axis=1, keepdims=True), pictures, np.eye(24) > 0, names, names)


class BlindEncoder(ColourEncoder):
    """Encodes every picture as the first one."""

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.tile(super().encode_frames(pictures[:1]), (len(pictures), 1))


def test_promotion_test_evaluates_both_models_on_both_sets(tmp_path: Path) -> None:
    """A model that sees is better than a blind one, but not the other way round."""
    random = np.random.default_rng(0)
    pairs = []
    for i in range(12):
        colour = random.integers(0, 256, 3)
        file = tmp_path / f"{i}.png"
        Image.new("RGB", (4, 4), tuple(map(int, colour))).save(file)
        pairs.append(Pair(" ".join(map(str, colour)), (file,), file.name))
    progress: list[float] = []
    test = run_promotion_test(BlindEncoder(), ColourEncoder(), pairs, pairs, progress.append)
    assert test.decision.is_better
    assert (test.base.text_to_image.mrr, test.adapter.text_to_image.mrr) == (1 / 12, 1)
    assert progress == sorted(progress)
    assert progress[-1] == 1
    reverse = run_promotion_test(ColourEncoder(), BlindEncoder(), pairs, pairs).decision
    assert {reason.criterion for reason in reverse.reasons} == {
        Criterion.NOT_BETTER,
        Criterion.WORSE_IMAGE_TO_TEXT,
        Criterion.FORGOT,
    }


def test_library_pictures_are_distractors(tmp_path: Path) -> None:
    """They make the search harder, and are no queries themselves."""
    pairs = []
    for i in range(20):
        file = tmp_path / f"{i}.png"
        Image.new("RGB", (4, 4), (10 * i, 250 - 10 * i, 5 * i)).save(file)
        pairs.append(Pair(f"{10 * i} {250 - 10 * i} {5 * i}", (file,), file.name))
    test = run_promotion_test(BlindEncoder(), ColourEncoder(), pairs[:8], pairs[:8], library=pairs[8:])
    assert (test.base.text_to_image.candidates, test.base.text_to_image.mrr) == (20, 1 / 20)
    assert (test.base.image_to_text.queries, test.held_out.images, test.held_out.sources) == (8, 20, 8)
    assert test.decision.is_better


def test_number_of_distractors_is_limited(tmp_path: Path) -> None:
    """A smaller library is used completely."""
    pairs = []
    for i in range(10 + MAX_DISTRACTORS + 1):
        file = tmp_path / f"{i}.png"
        Image.new("RGB", (4, 4), (i % 250, 250 - i % 250, 5)).save(file)
        pairs.append(Pair(f"{i % 250} {250 - i % 250} 5", (file,), file.name))
    held_out, library = pairs[:10], pairs[10:]
    for size, expected in (
        (MAX_DISTRACTORS - 1, MAX_DISTRACTORS - 1),
        (MAX_DISTRACTORS, MAX_DISTRACTORS),
        (MAX_DISTRACTORS + 1, MAX_DISTRACTORS),
    ):
        test = run_promotion_test(BlindEncoder(), ColourEncoder(), held_out, held_out, library=library[:size])
        assert test.base.text_to_image.candidates == 10 + expected


def test_general_set_without_samples_contains_drawings(tmp_path: Path) -> None:
    """The captions are in the languages of the preset."""
    drawn = general_set.build_general_set(find_preset("base"), tmp_path / "work", tmp_path / "no artifacts")
    assert len(drawn) == 30
    assert {"a red circle", "a pink heart"} <= {pair.text for pair in drawn}
    three = general_set.build_general_set(find_preset("starter"), tmp_path / "work", tmp_path / "no artifacts")
    assert len(three) == 90
    assert {"빨간 동그라미", "红色的圆形"} <= {pair.text for pair in three}
    with Image.open(drawn[0].pictures[0]) as image:
        assert image.getpixel((112, 112)) == (0xD6, 0x27, 0x28)


def test_general_set_reads_the_sample_clips_that_are_here(tmp_path: Path) -> None:
    """Four captions belong to the frames of each clip that has a description."""
    here = {sample.file for _, sample in find_samples(default_artifacts_dir())} & {sample.file for sample in SAMPLES}
    pairs = general_set.build_general_set(find_preset("base"), tmp_path)
    clips = [pair for pair in pairs if pair.source in here]
    assert len(clips) == 4 * len(here) == len(pairs) - 30
    assert all(picture.exists() for pair in clips for picture in pair.pictures)


def test_general_set_has_four_captions_per_sample() -> None:
    """The captions are in three languages, and each occurs once."""
    lines = general_set.SENTENCES_FILE.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    assert rows[0] == ["file", "en", "ko", "zh"]
    assert all(len(row) == 4 and all(row) for row in rows)
    assert {row[0] for row in rows[1:]} == {sample.file for sample in SAMPLES}
    texts = [text for row in rows[1:] for text in row[1:]]
    assert len(set(texts)) == len(texts) == 12 * len(SAMPLES)
