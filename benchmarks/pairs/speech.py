"""Measure what becomes of speech that is early, late or about something else when a retrain aligns it with moments.

    python -m benchmarks.pairs.speech FLICKR8K

Joins the pictures of Flickr8k's dev split to videos of VIDEO_LENGTH moments. A caption of each is spoken: half of them
in their own moment, a quarter each in the one before or after, if the video has it; and UNRELATED of all are exchanged,
so that they are about nothing in their video. Prints the pairs that are kept and how many of them are right, for each
language: as spoken, aligned with their own moment only, and with the ones around it, too.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from model.data.alignment import align_pairs
from model.data.images import read_picture
from model.loader import load_encoder
from model.ports import Encoder, Vector
from model.preset_files import find_preset
from model.presets import STARTER
from model.pretraining.pretrain_data import Captions, read_captions

VIDEO_LENGTH: Final = 10
UNRELATED: Final = 0.25
_BATCH: Final = 32

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Speech:
    """Lines of speech: their vectors, the moments in which they are said, and those that they are about."""

    texts: Vector
    said: Indices
    about: Indices
    """-1 if a line is about nothing in its video."""

    def list_bags(self, size: int) -> Indices:
        """Return the moment of each line, and as many of those around it as make a bag of this size (n, size)."""
        first = self.said // VIDEO_LENGTH * VIDEO_LENGTH
        shifted = (np.clip(self.said + shift, first, first + VIDEO_LENGTH - 1) for shift in (0, -1, 1)[:size])
        return np.stack(list(shifted), 1)


def speak(captions: Captions, language: str, encoder: Encoder, place_of: Indices) -> Speech:
    """Let a caption of each picture be spoken. `place_of` has the moment of each picture."""
    random = np.random.default_rng(0)
    languages = np.array(captions.languages)
    rows = [np.flatnonzero((captions.pictures == number) & (languages == language)) for number in range(len(place_of))]
    chosen = np.array([random.choice(each) for each in rows if len(each)])
    vectors = [
        each.frame
        for start in range(0, len(chosen), _BATCH)
        for each in encoder.encode_texts([captions.texts[row] for row in chosen[start : start + _BATCH]])
    ]
    about = place_of[captions.pictures[chosen]]
    said = about + random.choice([0, -1, 1], len(about), p=[0.5, 0.25, 0.25])
    said = np.where(said // VIDEO_LENGTH == about // VIDEO_LENGTH, said, about)
    texts, is_exchanged = np.stack(vectors), random.random(len(about)) < UNRELATED
    texts[is_exchanged] = random.permutation(texts[is_exchanged])
    return Speech(texts, said, np.where(is_exchanged, -1, about))


def print_alignment(name: str, speech: Speech, moments: Vector, size: int) -> None:
    """Align speech with bags of a size, and print what is kept. Size 0: all of it, as it is spoken."""
    bags = speech.list_bags(max(size, 1))
    sources = [str(moment // VIDEO_LENGTH) for moment in speech.said]
    alignment = align_pairs(speech.texts, moments[bags], sources, ["speech"] * len(bags))
    is_kept = ~alignment.is_unrelated if size else np.ones(len(bags), np.bool_)
    chosen = bags[np.arange(len(bags)), alignment.best] if size else speech.said
    right = int((is_kept & (chosen == speech.about)).sum())
    print(f"{name}: {is_kept.sum()} of {len(bags)} pairs kept, {right} of them right ({right / is_kept.sum():.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    captions = read_captions(data, "dev")
    encoder = load_encoder(find_preset(STARTER), device="cpu", adapter=None, artifacts_dir=None)
    order = np.random.default_rng(0).permutation(len(captions.files))
    files = [data / captions.files[number] for number in order]
    starts = range(0, len(files), _BATCH)
    vectors = [
        encoder.encode_frames([read_picture(file) for file in files[start : start + _BATCH]]) for start in starts
    ]
    for language in ("en", "zh", "ko"):
        speech = speak(captions, language, encoder, np.argsort(order))
        for name, size in (("as spoken", 0), ("own moment", 1), ("with those around it", 3)):
            print_alignment(f"{language}, {name}", speech, np.concatenate(vectors), size)


if __name__ == "__main__":
    main()
