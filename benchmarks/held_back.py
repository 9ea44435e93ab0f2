"""Measure what a retrain adds to a starter that has something left to learn: its map is trained on half of the data.

    python -m benchmarks.held_back FLICKR8K WORK

FLICKR8K holds pictures and captions in the form of `model.pretraining.pretrain_data`, with the splits `train` and
`dev`. A map is trained as `model/runs/starter.toml` says, but without HELD_BACK of the pictures; TAUGHT of those, with
all their captions, are given to the shipped retrain; the dev split is evaluated once, at the end. Prints base and
adapter for each language, with the 95 % interval of the difference, and the cost of each step. WORK caches results:
called again, the benchmark resumes.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.config import DEFAULT_CONFIG, read_training_config
from model.data.cleaning import clean_pairs
from model.data.pairs import Pair
from model.evaluation.compare import Comparison, EncodedPairs, compare_encodings, encode_pairs
from model.loader import load_encoder
from model.presets import StarterPreset
from model.pretraining import pretrain
from model.pretraining.pretrain_data import Captions, read_captions
from model.training.train import train
from model.training.training_run import TrainingRun

HELD_BACK, TAUGHT = 3_000, 2_000
STARTER_RUN = Path(pretrain.__file__).parents[1] / "runs" / "starter.toml"


@contextmanager
def print_cost(step: str) -> Iterator[None]:
    start_s, cpu_start_s = time.perf_counter(), time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    wall_s, cpu_s = time.perf_counter() - start_s, time.process_time() - cpu_start_s
    print(f"{step}: {wall_s:.0f} s, {cpu_s:.0f} s of CPU time, peak so far {peak:.1f} GB", flush=True)


def make_pairs(data: Path, captions: Captions, files: set[str]) -> list[Pair]:
    named = ((text, captions.files[number]) for text, number in zip(captions.texts, captions.pictures, strict=True))
    return [Pair(text, (data / file,), file) for text, file in named if file in files]


def select_texts(encoded: EncodedPairs, texts: set[str], questions: list[str]) -> EncodedPairs:
    """Return only the questions that are among `texts`, with all pictures."""
    rows = np.array([text in texts for text in questions])
    sources = tuple(source for source, kept in zip(encoded.text_sources, rows, strict=True) if kept)
    return replace(encoded, texts=encoded.texts[rows], relevant=encoded.relevant[rows], text_sources=sources)


def print_comparison(name: str, comparison: Comparison) -> None:
    for way, measures in (
        ("text to picture", comparison.text_to_image),
        ("picture to text", comparison.image_to_text),
    ):
        line = [f"{name}, {way} ({comparison.texts} texts):"]
        for measure, found in measures.items():
            low, high = found.interval
            line.append(f"{measure} {found.base:.3f} -> {found.adapter:.3f} ({low:+.3f} to {high:+.3f})")
        print("  ".join(line), flush=True)


def train_half_map(data: Path, work: Path) -> Path:
    """Train the map without the pictures of `list_unseen`, and return its file. What `work` has of it is reused."""
    stated = STARTER_RUN.read_text(encoding="utf-8").replace("held_out = 0", f"held_out = {HELD_BACK}")
    plan_file, half = work / "half.toml", work / "half.safetensors"
    words = STARTER_RUN.parent / "words.tsv"
    stated = stated.replace('"words.tsv"', f'"{words}"').replace('"../weights/starter.safetensors"', f'"{half}"')
    plan_file.write_text(stated.replace('"../../build/starter"', f'"{work}"'), encoding="utf-8")
    plan = pretrain.read_pretrain_config(plan_file, data)
    if (plan.held_out, plan.out, plan.work) != (HELD_BACK, half, work):
        raise SystemExit(f"{STARTER_RUN} does not have the expected form: {plan}")
    pretrain.run_pretraining(plan_file, data)
    return half


def list_unseen(captions: Captions) -> list[int]:
    """Return the numbers of the training pictures that the map has not learnt from."""
    seed = pretrain.read_pretrain_config(STARTER_RUN).seed
    return [int(number) for number in np.random.default_rng(seed).permutation(len(captions.files))[:HELD_BACK]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    data, work = arguments.data.resolve(), arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    with print_cost("the map"):
        half = train_half_map(data, work)

    captions = read_captions(data, "train")
    unseen = list_unseen(captions)[:TAUGHT]
    given = clean_pairs(make_pairs(data, captions, {captions.files[number] for number in unseen})).pairs
    print(f"{len(given)} pairs of {len({pair.source for pair in given})} pictures", flush=True)
    with print_cost("the retrain"):
        run = TrainingRun(read_training_config(DEFAULT_CONFIG), given, StarterPreset(half), "cpu", work / "retrain")
        trained = train(run)
    outcome = trained.outcomes["frame"]
    print(f"{outcome.steps} steps, best {outcome.best_step}; validation {outcome.validation}", flush=True)

    dev = read_captions(data, "dev")
    evaluated = make_pairs(data, dev, set(dev.files))
    with print_cost("the evaluation"):
        base, adapter = (
            encode_pairs(evaluated, load_encoder(StarterPreset(half), device="cpu", adapter=folder, artifacts_dir=None))
            for folder in (None, trained.adapter)
        )
    texts = list(dict.fromkeys(pair.text for pair in evaluated))
    print_comparison("all", compare_encodings(base, adapter))
    for language in sorted(set(dev.languages)):
        own = {text for text, spoken in zip(dev.texts, dev.languages, strict=True) if spoken == language}
        print_comparison(language, compare_encodings(select_texts(base, own, texts), select_texts(adapter, own, texts)))


if __name__ == "__main__":
    main()
