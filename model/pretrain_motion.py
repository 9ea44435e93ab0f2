"""Trains the starter's motion part from clips made of still pictures.

`python -m model.pretrain_motion RUN.toml [DATA]`; DATA takes the place of the folder that it names. A picture gives
a clip, its reverse and a clip where nothing moves; texts are captions with what happens said in three languages, and
the words for it alone. InfoNCE in both directions over the codes of texts and clips, where every pair that is true
counts; a bare caption is to have no code. Text map and picture tower do not change.
"""

import csv
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict
from rich.progress import track
from torch.nn import functional

from model import picture_tower, pretrain_data, starter
from model.motion import CODE, FRAMES, Motion
from model.motion_tracks import AXES, track_vectors
from model.pretrain_data import Pictures, Sentences
from model.sentence import SentenceEncoder, one_thread
from model.text_map import TextMap

MOTIONS = (*(motion for axis in AXES for motion in axis), "still")
_KINDS = 4
"""Texts of a caption: alone, with what is seen, with what is seen backwards, with a word for nothing moving."""


class Plan(BaseModel):
    """One run, as its TOML file states it. Paths are relative to that file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path
    """See `model.pretrain_data`."""
    work: Path
    """Caches: what was embedded once."""
    out: Path
    phrases: Path
    """Table of what can happen: the motion, then a column for each language."""
    seed: int
    pictures: int
    held_out: int
    """The last ones of those pictures, for the figures."""
    captions: int
    """Taken of each picture, in any language."""
    epochs: int
    batch: int
    hidden: int
    words: int
    rate: float
    weight_decay: float
    scale: float
    """What cosines are multiplied by."""
    bare: float
    """What it costs that a bare caption has a code."""
    noise: float
    """Length of what is added to each frame's vector, for the noise of real pictures."""


@dataclass(frozen=True)
class Material:
    """Everything the loop needs."""

    tracks: torch.Tensor
    """(pictures, FRAMES, 512), as served."""
    axes: npt.NDArray[np.int64]
    features: torch.Tensor
    """(pictures, captions, kinds, FEATURES)"""
    phrase_features: torch.Tensor
    """(phrases, FEATURES)"""
    phrase_means: torch.Tensor
    """(phrases, motions): which motions a phrase speaks of."""


@dataclass(frozen=True)
class Told:
    """Of the pictures held out: how often a text is nearer to its own clip than to the reverse, by axis.

    `still` is about texts that say what moves or that nothing does, and a clip that moves beside one that does not.
    """

    right: dict[str, float]
    of: int


def run(
    plan_file: Path, data: Path | None = None, tower: Pictures | None = None, sentences: Sentences | None = None
) -> Told:
    """Trains, writes the weights, and returns the figures.

    `tower` and `sentences` are the starter's own unless a test brings others. Raises `PartsMissing`.
    """
    plan = read_plan(plan_file, data)
    text_map = TextMap.read(starter.WEIGHTS)
    material = gather(plan, text_map, tower or _served_tower(), sentences or SentenceEncoder())
    with one_thread():  # the products are small: on a busy machine, waiting for a second thread took most of the time
        motion = train(plan, material)
    motion.save(plan.out)
    return figures(plan, material, motion)


def read_plan(file: Path, data: Path | None = None) -> Plan:
    """`data` takes the place of the folder that the file names."""
    stated = Plan.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    paths = {name: file.parent / value for name, value in stated if isinstance(value, Path)}
    return stated.model_copy(update=paths | ({"data": data} if data else {}))


def train(plan: Plan, material: Material) -> Motion:
    torch.manual_seed(plan.seed)
    motion = Motion(plan.hidden, plan.words)
    motion.directions.data = _least(material.tracks[: plan.pictures - plan.held_out].flatten(0, 1))
    optimizer = torch.optim.AdamW(motion.parameters(), plan.rate, weight_decay=plan.weight_decay)
    teaching = plan.pictures - plan.held_out
    batches = max(1, teaching // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, plan.epochs * batches, pct_start=0.1)
    random = np.random.default_rng(plan.seed)
    for _ in track(range(plan.epochs), "epochs"):
        for batch in np.array_split(random.permutation(teaching), batches):
            loss = _loss(plan, material, motion, batch, random)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            schedule.step()
    return motion.eval()


def _loss(
    plan: Plan, material: Material, motion: Motion, batch: npt.NDArray[np.int64], random: np.random.Generator
) -> torch.Tensor:
    clips = torch.cat(list(_clips(material.tracks[batch], random)))
    clips = motion.clip_codes(clips + plan.noise * torch.randn_like(clips) / clips.shape[-1] ** 0.5)
    texts = material.features[batch, random.integers(plan.captions, size=len(batch))].float()
    codes = motion.text_codes(torch.cat([texts[:, 1:].transpose(0, 1).flatten(0, 1), material.phrase_features]))
    shown = torch.from_numpy(_shown(material.axes[batch]))
    means = torch.cat([functional.one_hot(shown, len(MOTIONS)).bool(), material.phrase_means])
    logits, true = plan.scale * codes @ clips.T, means[:, shown]
    bare = motion.text_codes(texts[:, 0]).square().sum(1).mean()
    return _info_nce(logits, true) + _info_nce(logits.T, true.T) + plan.bare * bare


def _least(vectors: torch.Tensor) -> torch.Tensor:
    """The directions in which these vary least."""
    directions: torch.Tensor = torch.linalg.eigh(torch.cov(vectors.T)).eigenvectors[:, :CODE].T
    return directions.contiguous()


def _clips(tracks: torch.Tensor, random: np.random.Generator) -> Iterator[torch.Tensor]:
    """Each track in a part of it, the same backwards, and one of its frames for all."""
    first, last = random.integers(0, 3), FRAMES - 1 - random.integers(0, 3)
    count = random.integers(3, FRAMES + 1)  # a moment may hold fewer frames, which then repeat
    chosen = np.linspace(first, last, count).round().astype(int)
    part = tracks[:, chosen[np.linspace(0, count - 1, FRAMES).round().astype(int)]]
    yield part
    yield part.flip(1)
    yield tracks[:, [random.integers(FRAMES)] * FRAMES]


def _shown(axes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The numbers of the motions of clips as they come from `_clips`."""
    return np.concatenate([2 * axes, 2 * axes + 1, np.full(len(axes), len(MOTIONS) - 1)])


def _info_nce(logits: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Each row against its columns, where any true one is right; rows without one are left out."""
    rows = true.any(1)
    logits, true = logits[rows], true[rows]
    loss: torch.Tensor = (logits.logsumexp(1) - logits.masked_fill(~true, -torch.inf).logsumexp(1)).mean()
    return loss


def gather(plan: Plan, text_map: TextMap, tower: Pictures, sentences: Sentences) -> Material:
    """Reads the data and works out, or finds in the work folder, what does not change while training."""
    captions = pretrain_data.read_captions(plan.data, "train")
    chosen = np.random.default_rng(plan.seed).permutation(len(captions.files))[: plan.pictures]
    axes = np.arange(plan.pictures) % len(AXES)
    files = [captions.files[i] for i in chosen]
    tracks = track_vectors(plan.data, files, axes, tower, plan.work / "tracks.npy", plan.seed)
    phrases = read_phrases(plan.phrases)
    texts = list(_texts(plan, captions, chosen, axes, phrases))
    features = pretrain_data.text_features(texts, sentences, plan.work / "motion_texts.npy")
    alone = [(phrase, motion) for motion, spoken in phrases.items() for in_one in spoken.values() for phrase in in_one]
    phrase_features = torch.cat([sentences([phrase]) for phrase, _ in alone])
    with torch.no_grad():
        served = text_map.pictures(tracks.flatten(0, 1)).view_as(tracks)
    return Material(
        tracks=served,
        axes=axes,
        features=features.view(plan.pictures, plan.captions, _KINDS, -1),
        phrase_features=phrase_features.clone(),
        phrase_means=torch.tensor(
            [[own == motion or (motion == "moving" and own != "still") for own in MOTIONS] for _, motion in alone]
        ),
    )


def read_phrases(table: Path) -> dict[str, dict[str, list[str]]]:
    """By motion and language."""
    phrases: dict[str, dict[str, list[str]]] = {}
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            motion = phrases.setdefault(row.pop("motion"), {})
            for language, phrase in row.items():
                motion.setdefault(language, []).append(phrase)
    return phrases


def _texts(
    plan: Plan,
    captions: pretrain_data.Captions,
    chosen: npt.NDArray[np.int64],
    axes: npt.NDArray[np.int64],
    phrases: dict[str, dict[str, list[str]]],
) -> Iterator[str]:
    """For each picture and caption its `_KINDS`."""
    languages = np.array(captions.languages)
    for number, (picture, axis) in enumerate(zip(chosen, axes, strict=True)):
        random = np.random.default_rng([plan.seed, number])
        own = np.flatnonzero(captions.pictures == picture)
        for _ in range(plan.captions):
            language = random.choice(np.unique(languages[own]))
            row = random.choice(own[languages[own] == language])
            caption = pretrain_data.shortened(captions.texts[row], int(random.integers(2**31)))
            yield caption
            for motion in (*AXES[axis], "still"):
                yield said(caption, random.choice(phrases[motion][str(language)]), bool(random.integers(2)))


def said(caption: str, phrase: str, first: bool) -> str:
    return f"{phrase} {caption}" if first else f"{caption} {phrase}"


@torch.inference_mode()
def figures(plan: Plan, material: Material, motion: Motion) -> Told:
    held_out = np.arange(plan.pictures - plan.held_out, plan.pictures)
    tracks = material.tracks[held_out]
    still = tracks[:, :1].expand_as(tracks)
    clips = torch.stack([motion.clip_codes(each) for each in (tracks, tracks.flip(1), still)], 1)
    features = material.features[held_out].flatten(0, 2).float()
    texts = motion.text_codes(features).view(len(held_out), plan.captions, _KINDS, -1)
    cosines = torch.einsum("pckd,pmd->pckm", texts[:, :, 1:], clips)
    right = {}
    for number, axis in enumerate(AXES):
        own = cosines[torch.from_numpy(material.axes[held_out] == number)]
        forwards, backwards = own[:, :, 0, 0] > own[:, :, 0, 1], own[:, :, 1, 1] > own[:, :, 1, 0]
        right[axis[0]] = float(torch.stack([forwards, backwards]).float().mean())
    moves = torch.stack([cosines[:, :, 2, 2] > cosines[:, :, 2, 0], cosines[:, :, 0, 0] > cosines[:, :, 0, 2]])
    return Told(right | {"still": float(moves.float().mean())}, len(held_out))


def _served_tower() -> Pictures:
    tower = picture_tower.serve(starter.read_tower(None), torch.device("cpu"))
    return lambda pictures: tower(starter.PREPROCESS(pictures))


if __name__ == "__main__":
    print(run(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None))
