"""Training of the starter's text map from captioned pictures. One TOML file describes one run.

The text side is trained as a student of a frozen picture side (Carlsson et al. 2022, "Cross-lingual and
Multilingual CLIP"), with InfoNCE in both directions (Radford et al. 2021, arXiv:2103.00020). A caption is
compared with every training picture, not only with those of its batch: the picture vectors do not change, so
all of them fit in memory.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict
from rich.progress import Progress
from torch import nn
from torch.nn import functional

from model.atomic_write import write_atomically
from model.evaluation.metrics import RetrievalMetrics, build_relevance, compute_retrieval_metrics, rank_best_matches
from model.packages import default_artifacts_dir
from model.pretraining import pretrain_data
from model.pretraining.pretrain_data import Captions, EncodePictures, WordTargets
from model.starter import encoder, picture_tower
from model.starter.e5_encoder import join_e5
from model.starter.sentence_encoder import EncodeSentences, SentenceEncoder
from model.starter.text_map import TextMap
from model.training.checkpoint import Stateful
from model.training.losses import image_to_text_nce

_INITIAL_SCALE = 20.0
_RIDGE = 100.0


class PretrainConfig(BaseModel):
    """Settings of one run, from its TOML file. Paths are relative to that file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path
    """The data folder; see `model.pretraining.pretrain_data`."""
    work: Path
    """Folder of caches and the checkpoint, from which an interrupted run resumes."""
    out: Path
    words: Path | None = None
    """Table of names of things, one column per language."""
    word_vectors: str | None = None
    """Folder with the CLIP text vectors of those words, relative to the data folder."""
    word_sets: tuple[str, ...] = ()
    """Further sets of English names in that folder (`NAME.npz` with `names` and `emb`)."""
    word_batch: int = 512
    """Number of words that a step uses."""
    second_encoder: bool = False
    """Whether the map reads the features of multilingual-e5-small, too."""
    picture_side: Path | None = None
    """Text map whose picture side is kept, so that it serves the same libraries. None: it is learnt."""
    seed: int = 0
    held_out: int = 0
    """Training pictures held out for evaluation. 0 for the final run, which uses all pictures."""
    epochs: int
    batch: int
    hidden: int
    dropout: float
    rate: float
    weight_decay: float
    shortened: float
    """Share of the captions of a batch that are shortened."""
    word_weight: float
    repeat: dict[str, int] = {}
    """How often an epoch uses the captions of a language. Once if it is not listed."""


@dataclass(frozen=True)
class PretrainingSet:
    """Everything that the loop needs, in memory."""

    captions: Captions
    features: torch.Tensor
    """(captions, features of the sentence encoders)"""
    short: torch.Tensor
    """The same of the shortened captions."""
    views: tuple[torch.Tensor, ...]
    """Picture vectors (pictures, 512), all around the centre of the served ones."""
    words: WordTargets | None
    is_training: npt.NDArray[np.bool_]
    """(captions,): False for captions of held-out pictures."""
    pictures: npt.NDArray[np.int64]
    """The indices of the training pictures."""


def run_pretraining(
    config_file: Path,
    data: Path | None = None,
    tower: EncodePictures | None = None,
    sentences: EncodeSentences | None = None,
) -> dict[str, RetrievalMetrics]:
    """Train the map and write its weights. Returns the metrics on the held-out pictures by language.

    `tower` and `sentences` default to the starter's own. Raises `ArtifactsMissingError`.
    """
    config = read_pretrain_config(config_file, data)
    training_set = load_pretraining_set(
        config, tower or _load_serving_tower(), sentences or _load_sentence_encoders(config)
    )
    text_map = initialize_map(config, training_set)
    train_map(config, training_set, text_map)
    text_map.save(config.out)
    return measure_held_out(training_set, text_map)


def train_map(config: PretrainConfig, training_set: PretrainingSet, text_map: TextMap) -> None:
    """Run the training loop. Each epoch writes a checkpoint, from which the next call resumes."""
    log_scale = nn.Parameter(torch.tensor(_INITIAL_SCALE).log())  # learned, as in CLIP
    optimizer = _make_optimizer(config, text_map, log_scale)
    pool = _repeat_languages(config, training_set)
    batches = max(1, len(pool) // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], config.epochs * batches, pct_start=0.1
    )
    stateful: dict[str, Stateful] = {"map": text_map, "optimizer": optimizer, "schedule": schedule}
    first_epoch = _load_checkpoint(config, stateful, log_scale)
    with Progress() as progress:
        bar = progress.add_task("epochs", total=config.epochs * batches, completed=first_epoch * batches)
        for epoch in range(first_epoch, config.epochs):
            random = np.random.default_rng([config.seed, epoch])
            torch.manual_seed(config.seed + epoch)
            text_map.train()
            for batch in np.array_split(random.permutation(pool), batches):
                loss = _compute_loss(config, training_set, text_map, log_scale.exp(), batch, random)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
                schedule.step()
                progress.update(bar, advance=1, description=f"epoch {epoch + 1}, loss {loss.item():.2f}")
            _save_checkpoint(config, stateful, log_scale, epoch + 1)
    text_map.eval()


def _repeat_languages(config: PretrainConfig, training_set: PretrainingSet) -> npt.NDArray[np.int64]:
    """Return the indices of the training captions, each as often as an epoch uses its language."""
    pool = np.flatnonzero(training_set.is_training)
    return np.repeat(pool, [config.repeat.get(training_set.captions.languages[i], 1) for i in pool])


def _compute_loss(
    config: PretrainConfig,
    training_set: PretrainingSet,
    text_map: TextMap,
    scale: torch.Tensor,
    batch: npt.NDArray[np.int64],
    random: np.random.Generator,
) -> torch.Tensor:
    """Compute InfoNCE of a batch of captions and all training pictures.

    If there are words, their loss is added.
    """
    training_pictures = torch.from_numpy(training_set.pictures)
    view = training_set.views[random.integers(len(training_set.views))][training_pictures]
    is_short = torch.from_numpy(random.random(len(batch)) < config.shortened)[:, None]
    rows = torch.from_numpy(batch)
    features = torch.where(is_short, training_set.short[rows], training_set.features[rows])
    own = torch.from_numpy(np.searchsorted(training_set.pictures, training_set.captions.pictures[batch]))
    with torch.autocast("cpu", torch.bfloat16):
        pictures = text_map.encode_pictures(view)
        cosines = (text_map.encode_texts(features.float()) @ pictures.T).float()
    loss = functional.cross_entropy(scale * cosines, own) + 0.5 * image_to_text_nce(scale * cosines, own)
    if training_set.words and config.word_weight:
        some = random.permutation(len(training_set.words.features))[: config.word_batch]
        with torch.autocast("cpu", torch.bfloat16):
            cosines = (text_map.encode_texts(training_set.words.features[some]) @ pictures.T).float()
        shares = training_set.words.compute_shares(some, training_pictures)
        log_shares = functional.log_softmax(scale * cosines, 1)
        loss = loss + config.word_weight * functional.kl_div(log_shares, shares, reduction="batchmean")
    return loss


def load_pretraining_set(config: PretrainConfig, tower: EncodePictures, sentences: EncodeSentences) -> PretrainingSet:
    """Read the data, and compute what does not change during training or load it from the work folder."""
    captions = pretrain_data.read_captions(config.data, "train")
    held_out = np.random.default_rng(config.seed).permutation(len(captions.files))[: config.held_out]
    pictures = np.setdiff1d(np.arange(len(captions.files)), held_out)
    served = pretrain_data.load_picture_vectors(config.data, captions.files, tower, config.work / "pictures.npy")
    views, words = [served], None
    teacher = pretrain_data.load_teacher_vectors(config.data, captions.files)
    if teacher is not None:
        views.append(teacher - teacher[pictures].mean(0) + served[pictures].mean(0))
        if config.words and config.word_vectors:
            word_vectors = config.data / config.word_vectors
            words = pretrain_data.read_word_targets(config.words, word_vectors, config.word_sets, sentences, teacher)
    short = [pretrain_data.shorten_caption(text, config.seed) for text in captions.texts]
    return PretrainingSet(
        captions=captions,
        features=pretrain_data.load_text_features(captions.texts, sentences, config.work / "texts.npy"),
        short=pretrain_data.load_text_features(short, sentences, config.work / "short.npy"),
        views=tuple(views),
        words=words,
        is_training=np.isin(captions.pictures, pictures),
        pictures=pictures,
    )


def initialize_map(config: PretrainConfig, training_set: PretrainingSet) -> TextMap:
    """Initialize the map: centres, scales, and a ridge regression from the features to the pictures."""
    torch.manual_seed(config.seed)
    text_map = TextMap(config.hidden, config.dropout, training_set.features.shape[1])
    _initialize_picture_side(config, training_set, text_map)
    rows = torch.from_numpy(np.flatnonzero(training_set.is_training))
    features = training_set.features[rows].float()
    own_pictures = torch.from_numpy(training_set.captions.pictures)[rows]
    with torch.no_grad():
        target = text_map.encode_pictures(torch.stack(training_set.views).mean(0))[own_pictures]
    centred = features - features.mean(0)
    solution = torch.linalg.solve(centred.T @ centred + _RIDGE * torch.eye(text_map.features), centred.T @ target)
    length = (centred @ solution).norm(dim=1).mean()
    scale = features.std(0).clamp(min=1e-3)
    text_map.text_centre.data, text_map.text_scale.data = features.mean(0), scale
    text_map.linear.weight.data = ((solution / length) * scale[:, None]).T.contiguous()
    nn.init.zeros_(text_map.outer.weight)
    nn.init.zeros_(text_map.outer.bias)
    return text_map


def _initialize_picture_side(config: PretrainConfig, training_set: PretrainingSet, text_map: TextMap) -> None:
    """Copy the picture side of another map and freeze it, or begin with the mean of the training pictures."""
    if config.picture_side is None:
        text_map.picture_centre.data = training_set.views[0][torch.from_numpy(training_set.pictures)].mean(0)
        return
    kept = TextMap.read(config.picture_side)
    for name in ("picture_centre", "weighing"):
        parameter = text_map.get_parameter(name)
        parameter.data = kept.get_parameter(name).data.float()
        parameter.requires_grad = False


@torch.inference_mode()
def measure_held_out(training_set: PretrainingSet, text_map: TextMap) -> dict[str, RetrievalMetrics]:
    """Compute the metrics on the held-out pictures by language. Returns an empty dict if none were held out."""
    if training_set.is_training.all():
        return {}
    pictures = np.setdiff1d(np.arange(len(training_set.captions.files)), training_set.pictures)
    images = text_map.encode_pictures(training_set.views[0][torch.from_numpy(pictures)]).numpy()
    languages = np.array(training_set.captions.languages)
    metrics = {}
    for language in sorted(set(languages[~training_set.is_training])):
        rows = np.flatnonzero(~training_set.is_training & (languages == language))
        texts = text_map.encode_texts(training_set.features[torch.from_numpy(rows)].float()).numpy()
        own = np.searchsorted(pictures, training_set.captions.pictures[rows])
        ranks = rank_best_matches(texts @ images.T, build_relevance(own, len(pictures)))
        metrics[str(language)] = compute_retrieval_metrics(ranks, len(pictures), own)
    return metrics


def read_pretrain_config(file: Path, data: Path | None = None) -> PretrainConfig:
    """Read a run file. `data` replaces the data folder that the file names."""
    stated = PretrainConfig.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    paths = {name: file.parent / value for name, value in stated if isinstance(value, Path)}
    if data:
        paths["data"] = data
    return stated.model_copy(update=paths)


def _load_sentence_encoders(config: PretrainConfig) -> EncodeSentences:
    sentences = SentenceEncoder()
    return join_e5(sentences, default_artifacts_dir()) if config.second_encoder else sentences


def _load_serving_tower() -> EncodePictures:
    tower = picture_tower.build_serving_tower(encoder.read_tower(None), torch.device("cpu"))
    return lambda pictures: tower(encoder.PREPROCESS(pictures))


def _make_optimizer(config: PretrainConfig, text_map: TextMap, log_scale: nn.Parameter) -> torch.optim.Optimizer:
    correction = [*text_map.inner.parameters(), *text_map.outer.parameters()]
    without_decay = [text_map.linear.weight, text_map.picture_centre, log_scale]
    groups = [
        {"params": without_decay, "lr": config.rate, "weight_decay": 0.0},
        {"params": correction, "lr": config.rate, "weight_decay": config.weight_decay},
        # Strong decay keeps it close to the identity: it has the fewest training examples.
        {"params": [text_map.weighing], "lr": 0.3 * config.rate, "weight_decay": 1.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98))


def _save_checkpoint(
    config: PretrainConfig, stateful: Mapping[str, Stateful], log_scale: nn.Parameter, epochs: int
) -> None:
    saved = {name: each.state_dict() for name, each in stateful.items()}
    with write_atomically(config.work / "checkpoint.pt") as partial:
        torch.save({"config": config.model_dump_json(), "epochs": epochs, "scale": log_scale.data, **saved}, partial)


def _load_checkpoint(config: PretrainConfig, stateful: Mapping[str, Stateful], log_scale: nn.Parameter) -> int:
    """Restore the state. Returns the number of finished epochs; 0 without a checkpoint of this configuration."""
    file = config.work / "checkpoint.pt"
    if not file.exists():
        return 0
    saved = torch.load(file, weights_only=True)
    if saved.get("config") != config.model_dump_json():
        return 0
    for name, each in stateful.items():
        each.load_state_dict(saved[name])
    log_scale.data = saved["scale"]
    return int(saved["epochs"])
