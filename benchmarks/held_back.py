"""What a retrain adds where the starter has something left to learn: the map is made anew on half of the pictures.

    python benchmarks/held_back.py FLICKR8K WORK

FLICKR8K holds pictures and captions as `model.pretraining.pretrain_data` says, split `train` and `dev`. A map is trained as
`model/runs/starter.toml` says, but without HELD_BACK of the pictures; TAUGHT of those, with all their captions, are
given to the shipped retrain; the dev split is looked at once, at the end. Prints base and adapter for each language,
with the 95 % interval of the difference, and what each step took. WORK keeps what is worked out: called again, it goes
on.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.config import DEFAULT, read_run
from model.data.cleaning import clean
from model.data.pairs import Pair
from model.evaluation.compare import Comparison, Encoded, compare, encode
from model.presets import STARTER, load_encoder
from model.pretraining import pretrain
from model.pretraining.pretrain_data import Captions, read_captions
from model.starter import encoder
from model.training.train import train

HELD_BACK, TAUGHT = 3_000, 2_000
STARTER_RUN = Path(pretrain.__file__).parents[1] / "runs" / "starter.toml"


@contextmanager
def measured(what: str) -> Iterator[None]:
    began, used = time.perf_counter(), time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    took, cpu = time.perf_counter() - began, time.process_time() - used
    print(f"{what}: {took:.0f} s, {cpu:.0f} s of CPU time, peak so far {peak:.1f} GB", flush=True)


def pairs(data: Path, captions: Captions, files: set[str]) -> list[Pair]:
    named = ((text, captions.files[number]) for text, number in zip(captions.texts, captions.pictures, strict=True))
    return [Pair(text, (data / file,), file) for text, file in named if file in files]


def of_language(encoded: Encoded, texts: set[str], asked: list[str]) -> Encoded:
    """The questions that are among `texts`; pictures stay all."""
    rows = np.array([text in texts for text in asked])
    sources = tuple(source for source, kept in zip(encoded.text_sources, rows, strict=True) if kept)
    return replace(encoded, texts=encoded.texts[rows], relevant=encoded.relevant[rows], text_sources=sources)


def told(name: str, comparison: Comparison) -> None:
    for way, measures in (
        ("text to picture", comparison.text_to_image),
        ("picture to text", comparison.image_to_text),
    ):
        line = [f"{name}, {way} ({comparison.texts} texts):"]
        for measure, found in measures.items():
            low, high = found.interval
            line.append(f"{measure} {found.base:.3f} -> {found.adapter:.3f} ({low:+.3f} to {high:+.3f})")
        print("  ".join(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    asked = parser.parse_args()
    data, work = asked.data.resolve(), asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    stated = STARTER_RUN.read_text(encoding="utf-8").replace("held_out = 0", f"held_out = {HELD_BACK}")
    plan_file, half = work / "half.toml", work / "half.safetensors"
    words = STARTER_RUN.parent / "words.tsv"
    stated = stated.replace('"words.tsv"', f'"{words}"').replace('"../weights/starter.safetensors"', f'"{half}"')
    plan_file.write_text(stated.replace('"../../build/starter"', f'"{work}"'), encoding="utf-8")
    plan = pretrain.read_plan(plan_file, data)
    if (plan.held_out, plan.out, plan.work) != (HELD_BACK, half, work):
        raise SystemExit(f"{STARTER_RUN} is not what this was written for: {plan}")
    with measured("the map"):
        pretrain.run(plan_file, data)
    encoder.WEIGHTS = half

    captions = read_captions(data, "train")
    unseen = np.random.default_rng(plan.seed).permutation(len(captions.files))[:HELD_BACK]
    given = clean(pairs(data, captions, {captions.files[number] for number in unseen[:TAUGHT]})).pairs
    print(f"{len(given)} pairs of {len({pair.source for pair in given})} pictures", flush=True)
    with measured("the retrain"):
        trained = train(
            read_run(DEFAULT),
            given,
            preset=STARTER,
            device="cpu",
            parts_dir=None,
            folder=work / "retrain",
            progress=lambda step: None,
            stopping=lambda: False,
        )
    outcome = trained.outcomes["frame"]
    print(f"{outcome.steps} steps, best {outcome.best_step}; validation {outcome.validation}", flush=True)

    dev = read_captions(data, "dev")
    judged = pairs(data, dev, set(dev.files))
    with measured("the judgement"):
        base, adapter = (
            encode(judged, load_encoder(STARTER, device="cpu", adapter=folder, parts_dir=None))
            for folder in (None, trained.adapter)
        )
    texts = list(dict.fromkeys(pair.text for pair in judged))
    told("all", compare(base, adapter))
    for language in sorted(set(dev.languages)):
        own = {text for text, spoken in zip(dev.texts, dev.languages, strict=True) if spoken == language}
        told(language, compare(of_language(base, own, texts), of_language(adapter, own, texts)))


if __name__ == "__main__":
    main()
