"""Alignment of texts with pictures under the present model: which texts say nothing of their picture.

Titles and speech are often about something else. A pair is compared with shuffled pairs, as in VideoBERT (Sun et al.
2019, arXiv:1904.01766) and MERLOT (Zellers et al. 2021, arXiv:2106.02636); if it is no better than most, it is noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
_BLOCK: Final = 256


@dataclass(frozen=True)
class Alignment:
    """What the present model says about pairs whose text may belong to one of several moments."""

    is_unrelated: npt.NDArray[np.bool_]
    """(n,): whether a text says nothing of any of its moments."""
    best: npt.NDArray[np.int64]
    """(n,): the moment that each text fits best; the first one if the model cannot tell."""


def align_pairs(texts: Vector, pictures: Vector, sources: Sequence[str], kinds: Sequence[PairKind]) -> Alignment:
    """Align texts (n, d) with the best of their moments' pictures (n, k, d), all unit vectors.

    People speak early or late: the bag of a line is its own moment, which comes first, and those around it, as in
    MIL-NCE (Miech et al. 2020, arXiv:1912.06430). If the model cannot tell right pairs from wrong ones, for example
    in a library of things that it does not know, all stay as they are: a retrain has to learn those.
    """
    scores = score_alignment(texts, pictures, sources)
    best = np.einsum("nd,nkd->nk", texts, pictures).argmax(axis=1) if len(texts) else np.zeros(0, np.int64)
    is_unrelated, can_tell = np.zeros(len(texts), np.bool_), np.zeros(len(texts), np.bool_)
    for kind in SCORED_KINDS:
        is_kind = np.array([each == kind for each in kinds], np.bool_)
        if _can_tell(scores[is_kind]):
            can_tell |= is_kind
            is_unrelated |= is_kind & (scores < MIN_ALIGNMENT)
    return Alignment(is_unrelated, np.where(can_tell, best, 0))


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
    """Return for each pair the share of texts of other sources that fit its pictures less than its own text (n,).

    `texts` (n, d) and `pictures` (n, k, d) are unit vectors. A text fits as well as it fits the best of the k pictures.
    Without another source every share is 1.
    """
    numbers = np.unique(sources, return_inverse=True)[1]
    others = np.array(sample_evenly(range(len(texts)), min(len(texts), _MAX_SHUFFLED)), np.int64)
    scores = np.ones(len(texts))
    for start in range(0, len(texts), _BLOCK):
        block = slice(start, start + _BLOCK)
        own = np.einsum("nd,nkd->nk", texts[block], pictures[block]).max(axis=1)
        is_shuffled = numbers[block, None] != numbers[others]
        is_lower = (pictures[block] @ texts[others].T).max(axis=1) < own[:, None]
        counts = is_shuffled.sum(axis=1)
        scores[block] = np.where(counts, (is_lower & is_shuffled).sum(axis=1) / np.maximum(counts, 1), 1.0)
    return scores
