"""What a run learns from, in numbers, and which of it each step takes: a function of the seed and the step alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.config import TrainingConfig
from model.data.pairs import Pair, Split
from model.ports import evenly

Numbers = npt.NDArray[np.int64]

_HARD = 4
"""At most one column in so many is a hard negative."""


@dataclass(frozen=True)
class Material:
    """Texts and clips of one split. A photograph is a clip of one picture."""

    clips: tuple[tuple[Path, ...], ...]
    """Those that have texts come first."""
    texts: tuple[str, ...]
    clip_of: Numbers
    """(texts,)"""
    texts_of: tuple[Numbers, ...]
    """For each clip that has texts."""
    against: tuple[Numbers, ...]
    """For each text: clips voted down for it."""


@dataclass(frozen=True)
class Batch:
    clips: Numbers
    """The columns: those that own the texts, then hard negatives."""
    texts: Numbers
    own: Numbers
    """(texts,): the column of each."""
    views: Numbers
    """Of each column: 0 is the picture as it is."""


def gather(pairs: Sequence[Pair], split: Split, most: int | None = None) -> Material:
    """Of more than `most` clips some are taken evenly."""
    chosen = [pair for pair in pairs if pair.split == split]
    clips = list(dict.fromkeys(pair.pictures for pair in chosen))
    if most and len(clips) > most:
        kept = set(evenly(clips, most))
        chosen = [pair for pair in chosen if pair.pictures in kept]
    owned = len({pair.pictures for pair in chosen})
    everything = [*(pair.pictures for pair in chosen), *(clip for pair in chosen for clip in pair.against)]
    number = {clip: i for i, clip in enumerate(dict.fromkeys(everything))}
    clip_of = np.array([number[pair.pictures] for pair in chosen], np.int64)
    order = np.argsort(clip_of, kind="stable")
    return Material(
        clips=tuple(number),
        texts=tuple(pair.text for pair in chosen),
        clip_of=clip_of,
        texts_of=tuple(np.split(order, np.cumsum(np.bincount(clip_of, minlength=owned))[:-1])) if owned else (),
        against=tuple(np.array([number[clip] for clip in pair.against], np.int64) for pair in chosen),
    )


def batch(run: TrainingConfig, material: Material, step: int) -> Batch:
    """Every clip once an epoch, each with so many of its texts, again where it has fewer."""
    owned = len(material.texts_of)
    size = min(run.batch, owned)
    epoch, place = divmod(step, max(1, owned // size))
    clips = np.random.default_rng([run.seed, 0, epoch]).permutation(owned)[place * size : (place + 1) * size]
    random = np.random.default_rng([run.seed, 1, step])
    texts = np.concatenate([_drawn(material.texts_of[clip], run.texts, random) for clip in clips])
    hard = np.unique(np.concatenate([material.against[text] for text in texts]))
    hard = random.permutation(np.setdiff1d(hard, clips))[: max(1, size // _HARD)]
    return Batch(
        clips=np.concatenate([clips, hard]),
        texts=np.tile(texts, run.text_views),
        own=np.tile(np.repeat(np.arange(size), run.texts), run.text_views),
        views=random.integers(run.augment.views + 1, size=size + len(hard)),
    )


def frames(clip: Sequence[Path], count: int) -> list[Path]:
    """The middles of so many equal stretches of a clip."""
    return [clip[int((i + 0.5) * len(clip) / count)] for i in range(count)]


def _drawn(texts: Numbers, count: int, random: np.random.Generator) -> Numbers:
    """All of them before any again."""
    rounds = [random.permutation(texts) for _ in range(-(-count // len(texts)))]
    return np.concatenate(rounds)[:count]
