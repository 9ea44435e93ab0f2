"""Trains the starter's text map from captioned pictures: one TOML file is one run.

A student text side against a frozen picture side (Carlsson et al. 2022, "Cross-lingual and Multilingual CLIP"), by
InfoNCE in both directions (Radford et al. 2021, arXiv:2103.00020), where a caption competes against every training
picture, not only those of its batch: their vectors do not change, so all of them fit.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict
from rich.progress import Progress
from torch import nn
from torch.nn import functional

from model.evaluation.metrics import Retrieval, best_ranks, owned, retrieval
from model.pretraining import pretrain_data
from model.pretraining.pretrain_data import Captions, Pictures, Sentences, Words
from model.starter import encoder, picture_tower
from model.starter.sentence_encoder import FEATURES, SentenceEncoder
from model.starter.text_map import TextMap


class PretrainConfig(BaseModel):
    """One run, as its TOML file states it. Paths are relative to that file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path
    """See `model.pretraining.pretrain_data`."""
    work: Path
    """Caches and the checkpoint; a stopped run goes on from here."""
    out: Path
    words: Path | None = None
    """Table of names of things, a column for each language."""
    word_vectors: str | None = None
    """Folder beside the data (relative to it) with the true CLIP text vectors of those words."""
    seed: int = 0
    held_out: int = 0
    """Training pictures kept for the figures; 0 when the choice is made and all may teach."""
    epochs: int
    batch: int
    hidden: int
    dropout: float
    rate: float
    weight_decay: float
    shortened: float
    """Share of the captions of a batch that are taken in short."""
    word_weight: float
    repeat: dict[str, int] = {}
    """How often an epoch takes the captions of a language."""


@dataclass(frozen=True)
class Material:
    """Everything the loop needs, in memory. `views` are vectors (pictures, 512) around the served centre."""

    captions: Captions
    features: torch.Tensor
    short: torch.Tensor
    views: tuple[torch.Tensor, ...]
    words: Words | None
    teaches: npt.NDArray[np.bool_]
    """(captions,)"""
    pictures: npt.NDArray[np.int64]
    """The numbers of the pictures that teach."""


def run(
    plan_file: Path, data: Path | None = None, tower: Pictures | None = None, sentences: Sentences | None = None
) -> dict[str, Retrieval]:
    """Trains, writes the weights, and returns the figures by language on the pictures held out.

    `tower` and `sentences` are the starter's own unless a test brings others. Raises `PartsMissing`.
    """
    plan = read_plan(plan_file, data)
    material = gather(plan, tower or _served_tower(), sentences or SentenceEncoder())
    text_map = started(plan, material)
    train(plan, material, text_map)
    text_map.save(plan.out)
    return figures(material, text_map)


def train(plan: PretrainConfig, material: Material, text_map: TextMap) -> None:
    """The loop. Each epoch leaves a checkpoint, from which the next call goes on."""
    warmth = nn.Parameter(torch.tensor(20.0).log())  # the temperature, as CLIP learns it
    optimizer = _optimizer(plan, text_map, warmth)
    pool = np.flatnonzero(material.teaches)
    pool = np.repeat(pool, [plan.repeat.get(material.captions.languages[i], 1) for i in pool])
    batches = max(1, len(pool) // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], plan.epochs * batches, pct_start=0.1
    )
    state = {"map": text_map, "optimizer": optimizer, "schedule": schedule}
    first = _resumed(plan, state, warmth)
    with Progress() as progress:
        bar = progress.add_task("epochs", total=plan.epochs * batches, completed=first * batches)
        for epoch in range(first, plan.epochs):
            random = np.random.default_rng([plan.seed, epoch])
            torch.manual_seed(plan.seed + epoch)
            text_map.train()
            for batch in np.array_split(random.permutation(pool), batches):
                loss = _loss(plan, material, text_map, warmth.exp(), batch, random)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
                schedule.step()
                progress.update(bar, advance=1, description=f"epoch {epoch + 1}, loss {loss.item():.2f}")
            _checkpoint(plan, state, warmth, epoch + 1)
    text_map.eval()


def _loss(
    plan: PretrainConfig,
    material: Material,
    text_map: TextMap,
    scale: torch.Tensor,
    batch: npt.NDArray[np.int64],
    random: np.random.Generator,
) -> torch.Tensor:
    view = material.views[random.integers(len(material.views))][torch.from_numpy(material.pictures)]
    pictures = text_map.pictures(view)
    short = torch.from_numpy(random.random(len(batch)) < plan.shortened)[:, None]
    rows = torch.from_numpy(batch)
    texts = text_map.texts(torch.where(short, material.short[rows], material.features[rows]).float())
    own = torch.from_numpy(np.searchsorted(material.pictures, material.captions.pictures[batch]))
    logits = scale * texts @ pictures.T
    loss = functional.cross_entropy(logits, own) + 0.5 * _image_to_text(logits, own)
    if material.words and plan.word_weight:
        guesses = functional.log_softmax(scale * text_map.texts(material.words.features) @ pictures.T, 1)
        shares = material.words.shares[:, torch.from_numpy(material.pictures)]
        loss = loss + plan.word_weight * functional.kl_div(guesses, shares, reduction="batchmean")
    return loss


def _image_to_text(logits: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Each picture of the batch against the batch's texts, where any of its own texts is right."""
    present, own = torch.unique(own, return_inverse=True)
    logits = logits[:, present].T
    right = own == torch.arange(len(present))[:, None]
    return (logits.logsumexp(1) - logits.masked_fill(~right, -torch.inf).logsumexp(1)).mean()


def gather(plan: PretrainConfig, tower: Pictures, sentences: Sentences) -> Material:
    """Reads the data and works out, or finds in the work folder, what does not change while training."""
    captions = pretrain_data.read_captions(plan.data, "train")
    held_out = np.random.default_rng(plan.seed).permutation(len(captions.files))[: plan.held_out]
    pictures = np.setdiff1d(np.arange(len(captions.files)), held_out)
    served = pretrain_data.picture_vectors(plan.data, captions.files, tower, plan.work / "pictures.npy")
    views, words = [served], None
    teacher = pretrain_data.teacher_vectors(plan.data, captions.files)
    if teacher is not None:
        views.append(teacher - teacher[pictures].mean(0) + served[pictures].mean(0))
        if plan.words and plan.word_vectors:
            words = pretrain_data.read_words(plan.words, plan.data / plan.word_vectors, sentences, teacher)
    short = [pretrain_data.shortened(text, plan.seed) for text in captions.texts]
    return Material(
        captions=captions,
        features=pretrain_data.text_features(captions.texts, sentences, plan.work / "texts.npy"),
        short=pretrain_data.text_features(short, sentences, plan.work / "short.npy"),
        views=tuple(views),
        words=words,
        teaches=np.isin(captions.pictures, pictures),
        pictures=pictures,
    )


def started(plan: PretrainConfig, material: Material, ridge: float = 100.0) -> TextMap:
    """The map before training: centres, scales, and a ridge regression from the features to the pictures."""
    torch.manual_seed(plan.seed)
    text_map = TextMap(plan.hidden, plan.dropout)
    rows = torch.from_numpy(np.flatnonzero(material.teaches))
    features = material.features[rows].float()
    centre = material.views[0][torch.from_numpy(material.pictures)].mean(0)
    target = torch.stack(material.views).mean(0)[torch.from_numpy(material.captions.pictures)[rows]] - centre
    centred = features - features.mean(0)
    solution = torch.linalg.solve(centred.T @ centred + ridge * torch.eye(FEATURES), centred.T @ target)
    length = (centred @ solution).norm(dim=1).mean()
    scale = features.std(0).clamp(min=1e-3)
    text_map.text_centre.data, text_map.text_scale.data = features.mean(0), scale
    text_map.linear.weight.data = ((solution / length) * scale[:, None]).T.contiguous()
    nn.init.zeros_(text_map.outer.weight)
    nn.init.zeros_(text_map.outer.bias)
    text_map.picture_centre.data = centre
    return text_map


@torch.inference_mode()
def figures(material: Material, text_map: TextMap) -> dict[str, Retrieval]:
    """By language, on the pictures held out; empty when none were."""
    if material.teaches.all():
        return {}
    pictures = np.setdiff1d(np.arange(len(material.captions.files)), material.pictures)
    images = text_map.pictures(material.views[0][torch.from_numpy(pictures)]).numpy()
    languages = np.array(material.captions.languages)
    result = {}
    for language in sorted(set(languages[~material.teaches])):
        rows = np.flatnonzero(~material.teaches & (languages == language))
        texts = text_map.texts(material.features[torch.from_numpy(rows)].float()).numpy()
        own = np.searchsorted(pictures, material.captions.pictures[rows])
        ranks = best_ranks(texts @ images.T, owned(own, len(pictures)))
        result[str(language)] = retrieval(ranks, len(pictures), own)
    return result


def read_plan(file: Path, data: Path | None = None) -> PretrainConfig:
    """`data` takes the place of the folder that the file names."""
    stated = PretrainConfig.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    paths = {name: file.parent / value for name, value in stated if isinstance(value, Path)}
    if data:
        paths["data"] = data
    return stated.model_copy(update=paths)


def _served_tower() -> Pictures:
    tower = picture_tower.serve(encoder.read_tower(None), torch.device("cpu"))
    return lambda pictures: tower(encoder.PREPROCESS(pictures))


def _optimizer(plan: PretrainConfig, text_map: TextMap, warmth: nn.Parameter) -> torch.optim.Optimizer:
    correction = [*text_map.inner.parameters(), *text_map.outer.parameters()]
    free = [text_map.linear.weight, text_map.picture_centre, warmth]
    groups = [
        {"params": free, "lr": plan.rate, "weight_decay": 0.0},
        {"params": correction, "lr": plan.rate, "weight_decay": plan.weight_decay},
        # held close to the identity: it has the fewest examples to learn from
        {"params": [text_map.weighing], "lr": 0.3 * plan.rate, "weight_decay": 1.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98))


def _checkpoint(plan: PretrainConfig, state: dict[str, object], warmth: nn.Parameter, epochs: int) -> None:
    saved = {name: part.state_dict() for name, part in state.items()}  # type: ignore[attr-defined]  # all three have it
    new = plan.work / "checkpoint.new"
    torch.save({"plan": plan.model_dump_json(), "epochs": epochs, "warmth": warmth.data, **saved}, new)
    new.replace(plan.work / "checkpoint.pt")


def _resumed(plan: PretrainConfig, state: dict[str, object], warmth: nn.Parameter) -> int:
    """How many epochs of this very plan are done already."""
    file = plan.work / "checkpoint.pt"
    if not file.exists():
        return 0
    saved = torch.load(file, weights_only=True)
    if saved["plan"] != plan.model_dump_json():
        return 0
    for name, part in state.items():
        part.load_state_dict(saved[name])  # type: ignore[attr-defined]  # all three have it
    warmth.data = saved["warmth"]
    return int(saved["epochs"])
