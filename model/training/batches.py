"""Training data as numbers, and the batch of each step. A batch depends only on the seed and the step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.config import TrainingConfig
from model.data.normalization import normalize_text
from model.data.pairs import ClipFiles, Pair, Split
from model.ports import sample_evenly

Indices = npt.NDArray[np.int64]

_COLUMNS_PER_HARD_NEGATIVE = 4
"""A batch contains at most one hard negative per this many clips, but small batches may contain one, too."""


@dataclass(frozen=True)
class TrainingSet:
    """Texts and clips of one split. A photograph is a clip with one picture."""

    clips: tuple[ClipFiles, ...]
    """Clips with texts come first, then hard negatives."""
    texts: tuple[str, ...]
    clip_of: Indices
    """(texts,): the clip of each text."""
    texts_of: tuple[Indices, ...]
    """The texts of each clip that has texts."""
    hard_negatives: tuple[Indices, ...]
    """The clips that were voted down for each text."""
    wording_of: Indices
    """(texts,): a number that equal texts share."""


@dataclass(frozen=True)
class Batch:
    """One step's texts and clips, as indices into a `TrainingSet`."""

    clips: Indices
    """The columns of the similarity matrix: clips of the texts, then hard negatives."""
    texts: Indices
    own: Indices
    """(texts,): the column of each text's own clip."""
    shared: npt.NDArray[np.bool_]
    """(texts, clips): whether another clip than the text's own has an equal text, and was not voted down for it."""
    views: Indices
    """(clips,): the augmented view of each clip; 0 is the original."""


def build_training_set(pairs: Sequence[Pair], split: Split, max_clips: int | None = None) -> TrainingSet:
    """Collect the pairs of a split. If it has more than `max_clips` clips, evenly spaced ones are taken."""
    chosen = [pair for pair in pairs if pair.split == split]
    clips = list(dict.fromkeys(pair.pictures for pair in chosen))
    if max_clips and len(clips) > max_clips:
        kept = set(sample_evenly(clips, max_clips))
        chosen = [pair for pair in chosen if pair.pictures in kept]
    clips_with_texts = len({pair.pictures for pair in chosen})
    all_clips = [*(pair.pictures for pair in chosen), *(clip for pair in chosen for clip in pair.hard_negatives)]
    number = {clip: i for i, clip in enumerate(dict.fromkeys(all_clips))}
    clip_of = np.array([number[pair.pictures] for pair in chosen], np.int64)
    order = np.argsort(clip_of, kind="stable")
    bounds = np.cumsum(np.bincount(clip_of, minlength=clips_with_texts))[:-1]
    return TrainingSet(
        clips=tuple(number),
        texts=tuple(pair.text for pair in chosen),
        clip_of=clip_of,
        texts_of=tuple(np.split(order, bounds)) if clips_with_texts else (),
        hard_negatives=tuple(np.array([number[clip] for clip in pair.hard_negatives], np.int64) for pair in chosen),
        wording_of=number_wordings([pair.text for pair in chosen]),
    )


def number_wordings(texts: Sequence[str]) -> Indices:
    """Give each text a number, which is the same for texts that are equal for a model."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(normalize_text(text), len(numbers)) for text in texts], np.int64)


def draw_batch(config: TrainingConfig, data: TrainingSet, step: int) -> Batch:
    """Draw the batch of a step.

    An epoch contains every clip once, with `config.texts` of its texts; texts repeat if the clip has fewer.
    """
    clip_count = len(data.texts_of)
    size = min(config.batch, clip_count)
    epoch, place = divmod(step, max(1, clip_count // size))
    clips = np.random.default_rng([config.seed, 0, epoch]).permutation(clip_count)[place * size : (place + 1) * size]
    random = np.random.default_rng([config.seed, 1, step])
    texts = np.concatenate([_draw_texts(data.texts_of[clip], config.texts, random) for clip in clips])
    hard = np.unique(np.concatenate([data.hard_negatives[text] for text in texts]))
    hard = random.permutation(np.setdiff1d(hard, clips))[: max(1, size // _COLUMNS_PER_HARD_NEGATIVE)]
    columns, own = np.concatenate([clips, hard]), np.repeat(np.arange(size), config.texts)
    return Batch(
        clips=columns,
        texts=np.tile(texts, config.text_views),
        own=np.tile(own, config.text_views),
        shared=np.tile(_find_shared(data, texts, columns, own), (config.text_views, 1)),
        views=random.integers(config.augment.views + 1, size=size + len(hard)),
    )


def _find_shared(data: TrainingSet, texts: Indices, columns: Indices, own: Indices) -> npt.NDArray[np.bool_]:
    """Return the matrix `Batch.shared` (texts, columns)."""
    wordings = [data.wording_of[data.texts_of[clip]] if clip < len(data.texts_of) else () for clip in columns]
    shared = np.stack([np.isin(data.wording_of[texts], each) for each in wordings], 1)
    for row, text in enumerate(texts):
        shared[row] &= ~np.isin(columns, data.hard_negatives[text])
    shared[np.arange(len(texts)), own] = False
    return shared


def select_frames(clip: Sequence[Path], count: int) -> list[Path]:
    """Return the middle frames of `count` equal sections of a clip."""
    return [clip[int((i + 0.5) * len(clip) / count)] for i in range(count)]


def _draw_texts(texts: Indices, count: int, random: np.random.Generator) -> Indices:
    """Draw `count` texts. All are drawn once before any is drawn again."""
    rounds = [random.permutation(texts) for _ in range(-(-count // len(texts)))]
    return np.concatenate(rounds)[:count]
