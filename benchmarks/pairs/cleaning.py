"""Measure what texts that say nothing of their picture cost a retrain, and what leaving them out gives back.

    python -m benchmarks.pairs.cleaning FLICKR8K WORK

Starts from the map of `benchmarks.held_back`, and gives the captions of TAUGHT pictures that it has not learnt from to
the retrain of `model/runs/retrain.toml`, in STEPS steps on LAYERS of the tower: as they are; with WRONG of the captions
of the pictures to train on dealt to other pictures; and of those, the captions that `model.data.alignment` keeps.
Evaluates each on the dev split, with the layers that are trained in float. WORK caches results: called again, the
benchmark resumes.
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from benchmarks.held_back import list_unseen, make_pairs, print_comparison, print_cost, train_half_map
from model.config import TrainingConfig, read_training_config
from model.data.alignment import align_pairs
from model.data.pairs import Pair
from model.evaluation.compare import EncodedPairs, compare_encodings
from model.presets import StarterPreset
from model.pretraining.pretrain_data import Captions, load_text_features, read_captions
from model.starter.encoder import PREPROCESS, read_tower
from model.starter.picture_tower import LowerLayers
from model.starter.sentence_encoder import EncodeSentences, SentenceEncoder
from model.starter.text_map import TextMap
from model.training.starter_towers import HiddenStates, StarterModels, StarterTowers
from model.training.train import train_towers
from model.training.training_run import TrainingRun

TAUGHT: Final = 1000
WRONG: Final = 0.3
STEPS, LAYERS = 20, 1


class CachedLowerLayers:
    """The lower layers of the tower, whose output for each picture is kept in a file."""

    def __init__(self, folder: Path, tower: PreTrainedModel, layers: int) -> None:
        self._folder, self._compute = folder, LowerLayers(tower, layers)
        folder.mkdir(exist_ok=True)

    def __call__(self, pixels: torch.Tensor) -> HiddenStates:
        files = [self._folder / f"{sha256(picture.numpy().tobytes()).hexdigest()}.npy" for picture in pixels]
        missing = [number for number, file in enumerate(files) if not file.exists()]
        if missing:
            for number, states in zip(missing, self._compute(pixels[missing]), strict=True):
                np.save(files[number], states.astype(np.float16))
        return np.stack([np.load(file) for file in files]).astype(np.float32)


def deal_wrongly(pairs: Sequence[Pair], share: float) -> tuple[list[Pair], npt.NDArray[np.bool_]]:
    """Exchange the texts of a share of the training pairs among them. Returns all pairs, and which are wrong."""
    random = np.random.default_rng(0)
    is_wrong = np.array([pair.split == "train" for pair in pairs]) & (random.random(len(pairs)) < share)
    texts = np.array([pair.text for pair in pairs], object)
    texts[is_wrong] = random.permutation(texts[is_wrong])
    dealt = [replace(pair, text=str(text)) for pair, text in zip(pairs, texts, strict=True)]
    return dealt, is_wrong


def find_noise(
    pairs: Sequence[Pair], half: Path, sentences: EncodeSentences, vectors: torch.Tensor
) -> npt.NDArray[np.bool_]:
    """Return which training pairs are left out (n,). `vectors` are those of the pairs' pictures."""
    text_map = TextMap.read(half)
    with torch.inference_mode():
        texts = text_map.encode_texts(sentences([pair.text for pair in pairs])).numpy()
        pictures = text_map.encode_pictures(functional.normalize(vectors, dim=1)).numpy()
    sources = [pair.source for pair in pairs]
    alignment = align_pairs(texts, pictures[:, None], sources, ["title"] * len(pairs))
    return np.asarray(alignment.is_unrelated & np.array([pair.split == "train" for pair in pairs]), np.bool_)


def look_up(texts: Sequence[str], features: torch.Tensor) -> EncodeSentences:
    """Return an encoder that knows the features of these texts."""
    rows = {text: row for row, text in enumerate(texts)}
    return lambda wanted: features[[rows[text] for text in wanted]].float()


def load_towers(half: Path, config: TrainingConfig, sentences: EncodeSentences, work: Path) -> StarterTowers:
    layers = partial(CachedLowerLayers, work / "states")
    models = StarterModels(read_tower(None), PREPROCESS, layers, sentences, TextMap.read(half, config.map_dropout))
    return StarterTowers(models, config, None, work / "cache")


@torch.inference_mode()
def evaluate(towers: StarterTowers, pairs: Sequence[Pair]) -> EncodedPairs:
    """Encode pairs, whose texts are all different, by towers as they are now."""
    clips = list(dict.fromkeys(pair.pictures for pair in pairs))
    towers.prepare([pair.text for pair in pairs], clips, lambda *_: None)
    towers.module.eval()
    texts, images = [], []
    for own_texts, own_clips in zip(
        np.array_split(np.arange(len(pairs)), 40), np.array_split(np.arange(len(clips)), 40), strict=True
    ):
        inputs = towers.make_text_inputs(own_texts), towers.make_clip_inputs(own_clips, np.zeros_like(own_clips))
        encoded_texts, frames = towers.module(*inputs)
        texts.append(encoded_texts)
        images.append(frames[:, 0])
    relevant = np.array([[pair.pictures == clip for clip in clips] for pair in pairs])
    image_sources = tuple(clip[0].name for clip in clips)
    return EncodedPairs(
        torch.cat(texts).numpy(),
        torch.cat(images).numpy(),
        relevant,
        tuple(pair.source for pair in pairs),
        image_sources,
    )


def encode_dev(data: Path, work: Path, captions: Captions) -> EncodeSentences:
    return look_up(captions.texts, load_text_features(captions.texts, SentenceEncoder(), work / "dev_texts.npy"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    data, work = arguments.data.resolve(), arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    half = train_half_map(data, work)
    captions, dev = read_captions(data, "train"), read_captions(data, "dev")
    known = load_text_features(captions.texts, SentenceEncoder(), work / "texts.npy")
    sentences, dev_sentences = look_up(captions.texts, known), encode_dev(data, work, dev)
    taught = [captions.files[number] for number in list_unseen(captions)[:TAUGHT]]
    right = make_pairs(data, captions, set(taught))
    evaluated = list({pair.text: pair for pair in make_pairs(data, dev, set(dev.files))}.values())

    vectors = torch.from_numpy(np.load(work / "pictures.npy"))
    number = {file: row for row, file in enumerate(captions.files)}
    dealt, is_wrong = deal_wrongly(right, WRONG)
    is_unrelated = find_noise(dealt, half, sentences, vectors[[number[pair.source] for pair in dealt]])
    is_right = np.array([pair.split == "train" for pair in dealt]) & ~is_wrong
    print(
        f"{is_right.sum()} right and {is_wrong.sum()} wrong pairs to train on; left out: "
        f"{is_unrelated[is_right].mean():.3f} of the right ones, {is_unrelated[is_wrong].mean():.3f} of the wrong ones"
    )
    cleaned = [pair for pair, unrelated in zip(dealt, is_unrelated, strict=True) if not unrelated]
    shipped = read_training_config()
    lora = shipped.lora.model_copy(update={"layers": LAYERS})
    config = shipped.model_copy(update={"steps": STEPS, "lora": lora})
    base = evaluate(load_towers(half, config, dev_sentences, work), evaluated)
    for name, pairs in {"right": right, "dealt": dealt, "cleaned": cleaned}.items():
        towers = load_towers(half, config, sentences, work)
        run = TrainingRun(config, pairs, StarterPreset(half), "cpu", work / name)
        with print_cost(name):
            trained = train_towers(run, {"frame": lambda towers=towers: towers}, "half")  # type: ignore[misc]
        print(trained.outcomes["frame"].best_step, trained.outcomes["frame"].validation, flush=True)
        towers._models = replace(towers._models, sentences=dev_sentences)
        adapter = evaluate(towers, evaluated)
        print_comparison(name, compare_encodings(base, adapter))
        shutil.rmtree(work / "cache")


if __name__ == "__main__":
    main()
