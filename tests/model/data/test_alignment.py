"""The alignment of texts with their pictures, against a naive computation and on pairs dealt wrongly."""

import numpy as np
import pytest

from model.data import alignment as alignment_module
from model.data.alignment import align_pairs, score_alignment
from model.data.pairs import PairKind
from model.ports import Vector


def make_vectors(count: int, seed: int = 0) -> Vector:
    vectors = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_score_is_the_share_of_texts_of_other_sources_that_fit_less() -> None:
    texts, pictures = make_vectors(9), make_vectors(27, seed=1).reshape(9, 3, 16)
    sources = ["a", "a", "b", "c", "c", "c", "d", "e", "e"]
    expected = [
        np.mean(
            [max(pictures[i] @ texts[j]) < max(pictures[i] @ texts[i]) for j in range(9) if sources[j] != sources[i]]
        )
        for i in range(9)
    ]
    assert score_alignment(texts, pictures, sources) == pytest.approx(expected)


def test_pairs_dealt_wrongly_score_as_by_chance() -> None:
    """Right pairs are better than nearly all shuffled ones; wrong ones than half of them."""
    pictures = make_vectors(3000)
    scores = score_alignment(deal_wrongly(pictures, 1 / 3), pictures[:, None], [str(number) for number in range(3000)])
    assert scores[1000:].min() > 0.98
    assert np.mean(scores[:1000] < alignment_module.MIN_ALIGNMENT) == pytest.approx(
        alignment_module.MIN_ALIGNMENT, abs=0.05
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pairs_of_one_source_are_kept(count: int) -> None:
    """There is nothing to compare them with."""
    assert (
        score_alignment(make_vectors(count), make_vectors(count, 1)[:, None], ["a"] * count).tolist() == [1.0] * count
    )


def deal_wrongly(pictures: Vector, share: float) -> Vector:
    """Return a text for each picture that names it, but for the first ones, which name other pictures."""
    texts, count = pictures.copy(), round(share * len(pictures))
    texts[:count] = np.roll(texts[:count], 1, axis=0)
    return texts


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_wrong_pairs_are_found(share: float) -> None:
    """No right pair is lost. Captions and votes are not examined."""
    pictures = make_vectors(1000)
    texts, sources = deal_wrongly(pictures, share), [str(number) for number in range(1000)]
    found = align_pairs(texts, pictures[:, None], sources, ["speech"] * 1000).is_unrelated
    count = round(1000 * share)
    assert not found[count:].any()
    assert found[:count].sum() == pytest.approx(alignment_module.MIN_ALIGNMENT * count, abs=0.06 * 1000)
    assert not align_pairs(texts, pictures[:, None], sources, ["vote"] * 1000).is_unrelated.any()


@pytest.mark.parametrize("knowledge", [0.0, 0.15, 0.3])
def test_nothing_is_left_out_if_the_model_cannot_tell(knowledge: float) -> None:
    """Its vectors of right pairs are hardly nearer than those of shuffled ones: it has yet to learn them."""
    pictures = make_vectors(1000)
    texts = knowledge * pictures + (1 - knowledge) * make_vectors(1000, seed=1)
    texts = np.asarray(texts / np.linalg.norm(texts, axis=1, keepdims=True), np.float32)
    bags, sources = np.stack([pictures, make_vectors(1000, seed=2)], 1), [str(number) for number in range(1000)]
    alignment = align_pairs(texts, bags, sources, ["title"] * 1000)
    assert not alignment.is_unrelated.any()
    assert not alignment.best.any()


def test_few_pairs_of_a_kind_are_all_kept() -> None:
    pictures = make_vectors(1000)
    kinds: list[PairKind] = ["title" if number < 20 else "speech" for number in range(1000)]
    texts, sources = deal_wrongly(pictures, 0.3), [str(number) for number in range(1000)]
    found = align_pairs(texts, pictures[:, None], sources, kinds).is_unrelated
    assert found.any()
    assert not found[:20].any()


def test_text_gets_the_picture_that_it_is_about() -> None:
    """Of its own and those around it. What is about none of them is found nevertheless."""
    pictures = make_vectors(1000)
    bags = np.stack([np.roll(pictures, shift, axis=0) for shift in (0, 1, -1)], 1)
    texts = np.roll(pictures, 1, axis=0)
    texts[:300] = make_vectors(300, seed=1)
    alignment = align_pairs(texts, bags, [str(number // 10) for number in range(1000)], ["speech"] * 1000)
    assert set(alignment.best[300:]) == {1}
    assert not alignment.is_unrelated[300:].any()
    assert alignment.is_unrelated[:300].mean() == pytest.approx(alignment_module.MIN_ALIGNMENT, abs=0.07)
