"""What takes its base's place, and what does not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.pairs import Pair
from model.evaluation import general_set, promotion
from model.evaluation.compare import Comparison, Difference, Encoded, compare
from model.evaluation.promotion import LEAST_SOURCES, MARGIN, Criterion, judge, trial
from model.starter import artifacts
from tests.model.evaluation.test_compare import ByColour


def comparison(
    low: float, high: float, back: tuple[float, float] = (-0.01, 0.01), sources: int = LEAST_SOURCES
) -> Comparison:
    def difference(bounds: tuple[float, float]) -> Difference:
        return Difference(0.5, 0.5 + sum(bounds) / 2, bounds)

    return Comparison({"mrr": difference((low, high))}, {"mrr": difference(back)}, 100, 50, sources)


SAME = comparison(-0.01, 0.01)


@pytest.mark.parametrize(
    ("held_out", "world", "better", "findings"),
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
            {Criterion.BETTER, Criterion.WORSE_BACK, Criterion.KEPT},
        ),
        (comparison(0.1, 0.2, sources=LEAST_SOURCES - 1), SAME, False, {Criterion.TOO_FEW, Criterion.KEPT}),
    ],
)
def test_only_what_is_surely_better_and_forgets_nothing_is_promoted(
    held_out: Comparison, world: Comparison, better: bool, findings: set[Criterion]
) -> None:
    """Each bound at its edge; the reasons name all that was found, with their figures."""
    verdict = judge(held_out, world)
    assert verdict.better is better
    assert {reason.finding for reason in verdict.reasons} == findings
    assert all(reason.difference.base == 0.5 for reason in verdict.reasons)


def test_chance_alone_is_rarely_promoted() -> None:
    """Of 100 adapters that only shuffle what the base knows, few pass: the interval does its work."""
    promoted = 0
    for seed in range(100):
        base, adapter = noisy(2 * seed), noisy(2 * seed + 1)
        promoted += judge(compare(base, adapter), SAME).better
    assert promoted <= 8  # 2.5 are expected


def noisy(seed: int) -> Encoded:
    """The same pictures each time, with texts that are off in another way."""
    pictures = np.eye(24, dtype=np.float32)
    texts = pictures + 0.8 * np.random.default_rng(seed).normal(size=(24, 24)).astype(np.float32)
    names = tuple(map(str, range(24)))
    return Encoded(texts / np.linalg.norm(texts, axis=1, keepdims=True), pictures, np.eye(24) > 0, names, names)


class Blind(ByColour):
    """Takes every picture for the same."""

    def frames(self, pictures):  # type: ignore[no-untyped-def]  # as in the base
        return np.tile(super().frames(pictures[:1]), (len(pictures), 1))


def test_a_trial_asks_both_models_of_both_sets(tmp_path: Path) -> None:
    """A model that sees is better than a blind one; the other way round nothing is promoted."""
    random = np.random.default_rng(0)
    pairs = []
    for i in range(12):
        colour = random.integers(0, 256, 3)
        file = tmp_path / f"{i}.png"
        Image.new("RGB", (4, 4), tuple(map(int, colour))).save(file)
        pairs.append(Pair(" ".join(map(str, colour)), (file,), file.name))
    seen: list[float] = []
    tried = trial(Blind(), ByColour(), pairs, pairs, seen.append)
    assert tried.verdict.better
    assert (tried.base.text_to_image.mrr, tried.adapter.text_to_image.mrr) == (1 / 12, 1)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    reverse = trial(ByColour(), Blind(), pairs, pairs).verdict
    assert {reason.finding for reason in reverse.reasons} == {
        Criterion.NOT_BETTER,
        Criterion.WORSE_BACK,
        Criterion.FORGOT,
    }


def test_what_is_held_out_is_looked_for_in_the_whole_library(tmp_path: Path) -> None:
    """The library's other pictures stand in the way of the search, and are not asked for themselves."""
    pairs = []
    for i in range(20):
        file = tmp_path / f"{i}.png"
        Image.new("RGB", (4, 4), (10 * i, 250 - 10 * i, 5 * i)).save(file)
        pairs.append(Pair(f"{10 * i} {250 - 10 * i} {5 * i}", (file,), file.name))
    tried = trial(Blind(), ByColour(), pairs[:8], pairs[:8], library=pairs[8:])
    assert (tried.base.text_to_image.candidates, tried.base.text_to_image.mrr) == (20, 1 / 20)
    assert (tried.base.image_to_text.queries, tried.held_out.images, tried.held_out.sources) == (8, 20, 8)
    assert tried.verdict.better


def test_as_many_of_the_library_as_may_stand_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a library that is a little too large only what is too many is left out, and a smaller one is taken whole."""
    pairs = []
    for i in range(20):
        file = tmp_path / f"{i}.png"
        Image.new("RGB", (4, 4), (10 * i, 250 - 10 * i, 5 * i)).save(file)
        pairs.append(Pair(f"{10 * i} {250 - 10 * i} {5 * i}", (file,), file.name))
    for most, found in ((9, 9), (10, 10), (11, 10)):
        monkeypatch.setattr(promotion, "MOST_AMONG", most)
        tried = trial(Blind(), ByColour(), pairs[:10], pairs[:10], library=pairs[10:])
        assert tried.base.text_to_image.candidates == 10 + found


def test_the_general_set_is_drawn_anywhere_in_the_preset_s_languages(tmp_path: Path) -> None:
    """Without the samples there are the drawings; an English preset is asked in English only."""
    drawn = general_set.pairs("base", tmp_path / "work", tmp_path / "no parts")
    assert len(drawn) == 30
    assert {"a red circle", "a pink heart"} <= {pair.text for pair in drawn}
    three = general_set.pairs("starter", tmp_path / "work", tmp_path / "no parts")
    assert len(three) == 90
    assert {"빨간 동그라미", "红色的圆形"} <= {pair.text for pair in three}
    with Image.open(drawn[0].pictures[0]) as image:
        assert image.getpixel((112, 112)) == (0xD6, 0x27, 0x28)


def test_every_sample_has_sentences_and_every_sentence_a_sample() -> None:
    """Four a clip, none of them twice, in three languages."""
    lines = general_set.SENTENCES.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    assert rows[0] == ["file", "en", "ko", "zh"]
    assert all(len(row) == 4 and all(row) for row in rows)
    assert {row[0] for row in rows[1:]} == {sample.file for sample in artifacts.SAMPLES}
    texts = [text for row in rows[1:] for text in row[1:]]
    assert len(set(texts)) == len(texts) == 12 * len(artifacts.SAMPLES)
