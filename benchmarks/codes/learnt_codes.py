"""Train the starter's map with a quantizer in the loop (HCQ), and measure what codes of its vectors find.

    python -m benchmarks.codes.learnt_codes DATA CLIPS --work FOLDER [--variants NAME …] [--steps 300]

DATA is a folder with captioned pictures (`model.pretraining.pretrain_data`), CLIPS has clips and `queries.tsv`, and the
work folder keeps what is computed once; that of `reelseek pretrain model/runs/starter_e5.toml` serves, too. All
variants begin with the shipped map. `shipped` trains nothing, `control` trains on by InfoNCE of captions against all
training pictures, `bits` adds the same loss on two-bit (fine) and one-bit (coarse) codes of the pictures with
straight-through gradients, `product` on product codes of four (fine) and eight (coarse) numbers a byte; both sides of
the map are free. `rotation` turns both sides of the map at random. `projections` is `bits` on top of the frozen map: a
512 x 512 projection of each side, which begins with that rotation, is trained.

Prints R@1/R@5/R@10 of the right one of the 1,000 dev pictures for 300 captions in each language, and of the right clip,
by vectors and by codes alone; and the share of the ten best of 20,000 moments, made from the pictures as in
`benchmarks.codes.compact_codes`, among the first 10, 40 and 400 by codes.
"""

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from rich.progress import track
from torch import nn
from torch.nn import functional

from benchmarks.codes.compact_codes import choose_queries, grow
from model.data.video_frames import extract_frames
from model.packages import default_artifacts_dir
from model.presets import list_starter_revisions
from model.pretraining.pretrain_data import Captions, load_picture_vectors, load_text_features, read_captions
from model.starter import artifacts, picture_tower
from model.starter.encoder import PREPROCESS, find_text_map, load_text_encoder
from model.starter.sentence_encoder import EncodeSentences, SentenceEncoder
from model.starter.text_map import SIZE, TextMap

QUERIES_PER_LANGUAGE, MOMENTS, BEST = 300, 20_000, 10
RANKS, CANDIDATES = (1, 5, 10), (10, 40, 400)
BATCH, FIRST_SCALE = 256, 40.0
MAP_RATE, PROJECTION_RATE = 1e-4, 1e-3
CENTROIDS, LLOYD_STEPS = 256, 6

Quantize: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""Replaces vectors by what their codes stand for. Queries are not quantized."""


def quantize_one_bit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.where(vectors > 0, 1.0, -1.0)


def quantize_two_bits(vectors: torch.Tensor) -> torch.Tensor:
    """Quantize to three levels of each number's distribution, as Qdrant's two bits do."""
    z = (vectors - vectors.mean(0)) / vectors.std(0)
    return (z > 2 / 3).float() - (z < -2 / 3).float()


def quantize_by_product(numbers: int, vectors: torch.Tensor) -> torch.Tensor:
    """Quantize each group of `numbers` numbers to the nearest of 256 centroids, learnt from the vectors themselves."""
    groups = vectors.reshape(len(vectors), -1, numbers).transpose(0, 1)
    centroids = groups[:, torch.linspace(0, len(vectors) - 1, CENTROIDS).long()]
    for _ in range(LLOYD_STEPS):
        nearest = (centroids.square().sum(2)[:, None] - 2 * groups @ centroids.transpose(1, 2)).argmin(2)
        index = nearest[..., None].expand(-1, -1, numbers)
        sums = torch.zeros_like(centroids).scatter_add_(1, index, groups)
        counts = torch.zeros_like(centroids).scatter_add_(1, index, torch.ones_like(groups))
        centroids = torch.where(counts > 0, sums / counts.clamp(min=1), centroids)
    chosen = torch.gather(centroids, 1, nearest[..., None].expand(-1, -1, numbers))
    return chosen.transpose(0, 1).reshape(len(vectors), -1)


CODES: Final[Mapping[str, Quantize]] = {
    "vectors": lambda vectors: vectors,
    "two bits, 128 B": quantize_two_bits,
    "one bit, 64 B": quantize_one_bit,
    "product, 128 B": lambda vectors: quantize_by_product(4, vectors),
    "product, 64 B": lambda vectors: quantize_by_product(8, vectors),
}
VARIANTS: Final[Mapping[str, Sequence[Quantize]]] = {
    "shipped": (),
    "control": (),
    "bits": (quantize_two_bits, quantize_one_bit),
    "product": (CODES["product, 128 B"], CODES["product, 64 B"]),
    "rotation": (),
    "projections": (quantize_two_bits, quantize_one_bit),
}
UNTRAINED, PROJECTED = ("shipped", "rotation"), ("rotation", "projections")


@dataclass(frozen=True)
class Questions:
    """Features of questions, vectors of the tower, and which of their things is right for each question."""

    features: torch.Tensor
    pictures: torch.Tensor
    things: torch.Tensor
    """(pictures,): a thing is a picture, or a clip of several frames."""
    right: torch.Tensor
    """(questions,)"""


class ProjectedMap(nn.Module):
    """A map, of which all is trained, or with a projection of each side behind it, of which only these are trained."""

    def __init__(self, text_map: TextMap, is_projected: bool) -> None:
        super().__init__()
        self.text_map = text_map.requires_grad_(not is_projected)
        text_map.text_centre.requires_grad_(False)
        text_map.text_scale.requires_grad_(False)
        turned = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(0)))[0]
        first = turned if is_projected else torch.eye(SIZE)
        self.texts, self.pictures = (nn.Parameter(first.clone(), requires_grad=is_projected) for _ in range(2))
        self.rate = PROJECTION_RATE if is_projected else MAP_RATE

    def encode_texts(self, features: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.text_map.encode_texts(features) @ self.texts, dim=1)

    def encode_pictures(self, vectors: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.text_map.encode_pictures(vectors) @ self.pictures, dim=1)

    def encode_things(self, questions: Questions) -> torch.Tensor:
        """Return the vector of each thing: the mean of its frames' vectors, as for a moment."""
        vectors = self.encode_pictures(questions.pictures)
        means = torch.zeros(int(questions.things.max()) + 1, SIZE).index_add_(0, questions.things, vectors)
        return functional.normalize(means, dim=1)


def train(
    model: ProjectedMap,
    captions: Captions,
    features: torch.Tensor,
    pictures: torch.Tensor,
    quantizers: Sequence[Quantize],
    steps: int,
) -> None:
    """Train by InfoNCE of captions against all pictures: by their vectors and by each of their codes."""
    log_scale = nn.Parameter(torch.tensor(FIRST_SCALE).log())
    optimizer = torch.optim.AdamW([*filter(lambda each: each.requires_grad, model.parameters()), log_scale], model.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, model.rate, steps, pct_start=0.1)
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    model.train()
    for _ in track(range(steps), "train"):
        rows = random.choice(len(captions.texts), BATCH, replace=False)
        own = torch.from_numpy(captions.pictures[rows])
        with torch.autocast("cpu", torch.bfloat16):
            texts = model.encode_texts(features[torch.from_numpy(rows)].float())
            vectors = model.encode_pictures(pictures)
        loss = compute_loss(texts, vectors, own, log_scale)
        for quantize in quantizers:
            codes = functional.normalize(quantize(vectors.detach().float()), dim=1)
            loss = loss + compute_loss(texts, vectors + (codes - vectors).detach(), own, log_scale)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        schedule.step()
    model.eval()


def compute_loss(
    texts: torch.Tensor, pictures: torch.Tensor, own: torch.Tensor, log_scale: torch.Tensor
) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        cosines = (texts @ pictures.T).float()
    return functional.cross_entropy(log_scale.exp() * cosines, own)


@torch.inference_mode()
def measure(model: ProjectedMap, pictures: torch.Tensor, dev: Questions, clips: Questions) -> None:
    """Print one line for each kind of codes."""
    texts, things = {}, {}
    for name, questions in (("dev", dev), ("clips", clips)):
        texts[name], things[name] = model.encode_texts(questions.features), model.encode_things(questions)
    shown = model.encode_pictures(torch.cat([pictures, dev.pictures])).numpy()
    moments = torch.from_numpy(np.concatenate(list(grow(shown, MOMENTS))))
    best = (texts["dev"] @ moments.T).topk(BEST, 1).indices
    for name, quantize in CODES.items():
        by_codes = (texts["dev"] @ quantize(moments).T).topk(max(CANDIDATES), 1).indices
        shares = [(best[:, :, None] == by_codes[:, None, :count]).any(2).float().mean() for count in CANDIDATES]
        print(
            f"  {name:15}  dev {measure_recall(texts['dev'] @ quantize(things['dev']).T, dev.right)}"
            f"  clips {measure_recall(texts['clips'] @ quantize(things['clips']).T, clips.right)}"
            f"  ten best among {'/'.join(map(str, CANDIDATES))}: {' '.join(f'{share:.3f}' for share in shares)}",
            flush=True,
        )


def measure_recall(scores: torch.Tensor, right: torch.Tensor) -> str:
    own = scores.gather(1, right[:, None])
    places = (scores > own).sum(1)
    return "/".join(f"{(places < rank).float().mean():.3f}" for rank in RANKS)


def load_dev(data: Path, encode: EncodeSentences, tower: Callable[..., np.ndarray], work: Path) -> Questions:
    dev = read_captions(data, "dev")
    texts = choose_queries(dev, QUERIES_PER_LANGUAGE)
    number = dict(zip(dev.texts, dev.pictures, strict=True))
    pictures = load_picture_vectors(data, dev.files, tower, work / "dev_pictures.npy")
    features = load_text_features(texts, encode, work / "dev_texts.npy").float()
    right = torch.tensor([number[text] for text in texts])
    return Questions(features, pictures, torch.arange(len(pictures)), right)


def load_clips(folder: Path, encode: EncodeSentences, tower: Callable[..., np.ndarray], work: Path) -> Questions:
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    frames = [extract_frames(folder / row["file"], work / "frames") for row in rows]
    files = [str(file) for each in frames for file in each]
    things = torch.repeat_interleave(torch.arange(len(rows)), torch.tensor([len(each) for each in frames]))
    pictures = load_picture_vectors(Path("/"), files, tower, work / "clip_pictures.npy")
    languages = [column for column in rows[0] if column != "file"]
    texts = [row[language] for language in languages for row in rows]
    features = load_text_features(texts, encode, work / "clip_texts.npy").float()
    return Questions(features, pictures, things, torch.arange(len(rows)).repeat(len(languages)))


def main(data: Path, clips: Path, work: Path, variants: Sequence[str], steps: int) -> None:
    artifacts_dir, preset = default_artifacts_dir(), list_starter_revisions()[0]
    map_file = find_text_map(preset, None, artifacts_dir)
    serving = picture_tower.load_serving_tower(artifacts.find_tower(artifacts_dir))
    encode = load_text_encoder(SentenceEncoder(), TextMap.read(map_file), artifacts_dir)

    def tower(pictures: Sequence[np.ndarray]) -> np.ndarray:
        return serving(PREPROCESS(pictures))

    captions = read_captions(data, "train")
    features = load_text_features(captions.texts, encode, work / "texts.npy")
    pictures = load_picture_vectors(data, captions.files, tower, work / "pictures.npy")
    dev, questions = load_dev(data, encode, tower, work), load_clips(clips, encode, tower, work)
    for name in variants:
        model = ProjectedMap(TextMap.read(map_file, dropout=0.2), is_projected=name in PROJECTED)
        if name not in UNTRAINED:
            train(model, captions, features, pictures, VARIANTS[name], steps)
        print(name)
        measure(model.eval(), pictures, dev, questions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--variants", choices=VARIANTS, nargs="+", default=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    main(given.data, given.clips, given.work, given.variants, given.steps)
