"""Alignment of texts with pictures under the present model: which texts say nothing of their picture.

Titles and speech are often about something else. A pair is compared with shuffled pairs, as in VideoBERT (Sun et al.
2019, arXiv:1904.01766) and MERLOT (Zellers et al. 2021, arXiv:2106.02636); if it is no better than most, it is noise.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from model.data.pairs import PairKind
from model.ports import Vector, sample_evenly

SCORED_KINDS: Final[frozenset[PairKind]] = frozenset({"title", "description", "chapter", "speech"})
"""Captions and votes are about the picture: a person said so."""
MIN_ALIGNMENT: Final = 0.8
"""Pairs below this are noise. Four of five wrong pairs are, and one of a hundred right ones (docs/retrain.md)."""
_MIN_PAIRS: Final = 50
"""Number of pairs of one kind from which their scores tell anything."""
_MIN_RIGHT, _MAX_LOST = 0.1, 0.1
"""Share of right pairs that there must be, and how many of them may be lost, by estimate."""
_MAX_SHUFFLED: Final = 1000
"""Number of texts, from all sources, that each picture is compared with."""
_BLOCK: Final = 1024


def find_unrelated(
    texts: Vector, pictures: Vector, sources: Sequence[str], kinds: Sequence[PairKind]
) -> npt.NDArray[np.bool_]:
    """Return which pairs say nothing of their picture (n,), by the unit vectors of their texts and pictures (n, d).

    Where the model cannot tell right pairs from wrong ones, for example in a library of things that it does not know,
    none: a retrain has to learn those.
    """
    scores, is_unrelated = score_alignment(texts, pictures, sources), np.zeros(len(texts), np.bool_)
    for kind in SCORED_KINDS:
        is_kind = np.array([each == kind for each in kinds], np.bool_)
        if _can_tell(scores[is_kind]):
            is_unrelated |= is_kind & (scores < MIN_ALIGNMENT)
    return is_unrelated


def _can_tell(scores: npt.NDArray[np.float64]) -> bool:
    """Return whether few right pairs have low scores.

    Scores of wrong pairs are uniform, so that the lower half tells their number (Storey 2002, "A direct approach to
    false discovery rates").
    """
    if len(scores) < _MIN_PAIRS:
        return False
    wrong = 2 * float(np.mean(scores < 0.5))
    lost = float(np.mean(scores < MIN_ALIGNMENT)) - MIN_ALIGNMENT * wrong
    return 1 - wrong >= _MIN_RIGHT and lost <= _MAX_LOST * (1 - wrong)


def score_alignment(texts: Vector, pictures: Vector, sources: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return for each pair the share of texts of other sources that fit its picture less than its own text (n,).

    `texts` and `pictures` (n, d) are the unit vectors of each pair. Without another source every share is 1.
    """
    numbers = np.unique(sources, return_inverse=True)[1]
    others = np.array(sample_evenly(range(len(texts)), min(len(texts), _MAX_SHUFFLED)), np.int64)
    scores = np.ones(len(texts))
    for start in range(0, len(texts), _BLOCK):
        block = slice(start, start + _BLOCK)
        own = np.einsum("nd,nd->n", texts[block], pictures[block])
        is_shuffled = numbers[block, None] != numbers[others]
        is_lower = pictures[block] @ texts[others].T < own[:, None]
        counts = is_shuffled.sum(axis=1)
        scores[block] = np.where(counts, (is_lower & is_shuffled).sum(axis=1) / np.maximum(counts, 1), 1.0)
    return scores
