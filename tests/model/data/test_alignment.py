"""The alignment of texts with their pictures, against a naive computation and on pairs dealt wrongly."""

import numpy as np
import pytest

from model.data import alignment
from model.data.alignment import find_unrelated, score_alignment
from model.data.pairs import PairKind
from model.ports import Vector


def make_vectors(count: int, seed: int = 0) -> Vector:
    vectors = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_score_is_the_share_of_texts_of_other_sources_that_fit_less() -> None:
    texts, pictures = make_vectors(9), make_vectors(9, seed=1)
    sources = ["a", "a", "b", "c", "c", "c", "d", "e", "e"]
    expected = [
        np.mean([texts[j] @ pictures[i] < texts[i] @ pictures[i] for j in range(9) if sources[j] != sources[i]])
        for i in range(9)
    ]
    assert score_alignment(texts, pictures, sources) == pytest.approx(expected)


def test_pairs_dealt_wrongly_score_as_by_chance() -> None:
    """Right pairs are better than nearly all shuffled ones; wrong ones than half of them."""
    pictures = make_vectors(3000)
    scores = score_alignment(deal_wrongly(pictures, 1 / 3), pictures, [str(number) for number in range(3000)])
    assert scores[1000:].min() > 0.98
    assert np.mean(scores[:1000] < alignment.MIN_ALIGNMENT) == pytest.approx(alignment.MIN_ALIGNMENT, abs=0.05)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pairs_of_one_source_are_kept(count: int) -> None:
    """There is nothing to compare them with."""
    assert score_alignment(make_vectors(count), make_vectors(count, 1), ["a"] * count).tolist() == [1.0] * count


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
    found = find_unrelated(texts, pictures, sources, ["speech"] * 1000)
    count = round(1000 * share)
    assert not found[count:].any()
    assert found[:count].sum() == pytest.approx(alignment.MIN_ALIGNMENT * count, abs=0.06 * 1000)
    assert not find_unrelated(texts, pictures, sources, ["vote"] * 1000).any()


@pytest.mark.parametrize("knowledge", [0.0, 0.15, 0.3])
def test_nothing_is_left_out_if_the_model_cannot_tell(knowledge: float) -> None:
    """Its vectors of right pairs are hardly nearer than those of shuffled ones: it has yet to learn them."""
    pictures = make_vectors(1000)
    texts = knowledge * pictures + (1 - knowledge) * make_vectors(1000, seed=1)
    texts = np.asarray(texts / np.linalg.norm(texts, axis=1, keepdims=True), np.float32)
    assert not find_unrelated(texts, pictures, [str(number) for number in range(1000)], ["title"] * 1000).any()


def test_few_pairs_of_a_kind_are_all_kept() -> None:
    pictures = make_vectors(1000)
    kinds: list[PairKind] = ["title" if number < 20 else "speech" for number in range(1000)]
    found = find_unrelated(deal_wrongly(pictures, 0.3), pictures, [str(number) for number in range(1000)], kinds)
    assert found.any()
    assert not found[:20].any()
