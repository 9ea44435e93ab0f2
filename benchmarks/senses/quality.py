"""Measure what the recognizers of speech, text and sounds get right, and what they cost.

    python -m benchmarks.senses.quality FOLDER

FOLDER holds recordings (`spk_*`, `snd_*`), pictures with text (`txt_*`), videos (`clip_*`) and `manifest.tsv` with the
columns `file`, `kind`, `language` and `answer`. Speech is compared without case, punctuation and spaces between Chinese
characters, and traditional Chinese as simplified.
"""

import argparse
import csv
import re
import resource
import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import numpy as np
from PIL import Image

from indexer.decode.decoder import PyAvDecoder
from indexer.decode.source import DecodeLimits
from indexer.decode.video_file import extract_sound
from indexer.images import read_large_frame
from indexer.sound_file import read_sound
from indexer.types import MAX_READING_SIDE_PX, SAMPLE_RATE_HZ, DecodeResult, SoundSamples
from model.packages import default_artifacts_dir
from model.senses.loader import load_sound_tagger, load_speech_recognizer, load_text_reader
from text.chinese import simplify_characters

Row: TypeAlias = Mapping[str, str]
Result = TypeVar("Result")

SPEECH = load_speech_recognizer("base", default_artifacts_dir())
SOUNDS = load_sound_tagger(default_artifacts_dir())
TEXT = load_text_reader(default_artifacts_dir())
MAX_DURATION_S: Final = 3600.0


def normalize(text: str) -> str:
    """Return a text as it is compared: words of letters and digits with single spaces."""
    folded = simplify_characters(unicodedata.normalize("NFKC", text)).lower()
    return " ".join(re.sub(r"[\W_]+", " ", folded).split())


def count_edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the number of insertions, deletions and substitutions from one sequence to another."""
    row = list(range(len(heard) + 1))
    for number, one in enumerate(said, start=1):
        before, row[0] = row[0], number
        for column, other in enumerate(heard, start=1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (one != other))
    return row[-1]


def ignore(share: float) -> None:
    pass


def measure_cpu(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the CPU seconds of this process and its children, and the result."""
    before = _read_cpu()
    result = work()
    return _read_cpu() - before, result


def _read_cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def load_recording(path: Path) -> SoundSamples:
    with tempfile.TemporaryDirectory() as folder, path.open("rb") as file:
        sound = Path(folder) / "sound.flac"
        extract_sound(file, DecodeLimits(1, MAX_DURATION_S), sound)
        return read_sound(sound)


def transcribe(samples: SoundSamples) -> str:
    return " ".join(line.text for line in SPEECH.transcribe(samples, ignore))


def measure_speech(folder: Path, rows: Sequence[Row]) -> None:
    """Print the rate of wrong words (English) or characters, and how many recordings of sounds get words."""
    edits: dict[str, int] = defaultdict(int)
    lengths: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["file"].startswith("spk_"):
            said, heard = normalize(row["answer"]), normalize(transcribe(load_recording(folder / row["file"])))
            split = str.split if row["language"] == "en" else lambda text: list(text.replace(" ", ""))
            edits[row["language"]] += count_edits(split(said), split(heard))
            lengths[row["language"]] += len(split(said))
    for language, length in lengths.items():
        unit = "words" if language == "en" else "characters"
        print(f"speech {language}: {edits[language] / length:.3f} of {length} {unit} wrong")
    sounds = [row for row in rows if row["file"].startswith("snd_")]
    invented = sum(bool(transcribe(load_recording(folder / row["file"]))) for row in sounds)
    print(f"speech: {invented} of {len(sounds)} recordings without speech get words")


def measure_text(folder: Path, rows: Sequence[Row]) -> None:
    """Print how many of the lines of each picture are read without a wrong character."""
    right: dict[str, int] = defaultdict(int)
    wanted: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["file"].startswith("txt_"):
            picture = Image.open(folder / row["file"]).convert("RGB")
            picture.thumbnail((MAX_READING_SIDE_PX, MAX_READING_SIDE_PX))
            read = "".join(normalize(line.text) for line in TEXT.read(np.asarray(picture))).replace(" ", "")
            lines = [line for each in row["answer"].split("|") if (line := normalize(each).replace(" ", ""))]
            right[row["language"]] += sum(line in read for line in lines)
            wanted[row["language"]] += len(lines)
    for language, count in wanted.items():
        print(f"text {language}: {right[language]} of {count} lines read exactly")


def measure_sounds(folder: Path, rows: Sequence[Row]) -> None:
    """Print for how many recordings a right class is among the tags, and is the highest one."""
    found = highest = count = 0
    for row in rows:
        if row["file"].startswith("snd_"):
            tags = sorted(SOUNDS.tag(load_recording(folder / row["file"]), ignore), key=lambda tag: -tag.score)
            answers = set(row["answer"].split(";"))
            found += any(tag.name in answers for tag in tags)
            highest += bool(tags) and tags[0].name in answers
            count += 1
    print(f"sounds: a right class is found for {found} and highest for {highest} of {count} recordings")


def measure_cost(folder: Path, rows: Sequence[Row]) -> None:
    """Print the CPU seconds for each second of video, by sense and by the kind of video."""
    seconds: dict[str, float] = defaultdict(float)
    costs: dict[tuple[str, str], float] = defaultdict(float)
    clips = [(row["kind"], folder / row["file"]) for row in rows if row["file"].startswith("clip_")]
    samples = sorted((default_artifacts_dir() / "samples").glob("*.mp4"))
    clips += [("silent", sample) for sample in samples if sample.stem not in ("talk", "big_buck_bunny", "beach")]
    for kind, clip in clips:
        with tempfile.TemporaryDirectory() as work:
            decoder = PyAvDecoder(10**8, MAX_DURATION_S, 600.0, 2 * 1024**3)
            decoded = decoder.decode(clip, Path(work), lambda *_: None)
            seconds[kind] += decoded.duration_s
            for sense, cost in _measure_senses(decoded).items():
                costs[kind, sense] += cost
    for (kind, sense), cost in costs.items():
        print(f"cost of {sense} on videos of {kind}: {cost / seconds[kind]:.3f} CPU s a second")


def _measure_senses(decoded: DecodeResult) -> dict[str, float]:
    samples = read_sound(decoded.sound) if decoded.sound else np.zeros(0, np.float32)
    pictures = [read_large_frame(frame.path.read_bytes()) for frame in decoded.reading_frames]
    return {
        "speech": measure_cpu(lambda: SPEECH.transcribe(samples, ignore))[0],
        "sounds": measure_cpu(lambda: SOUNDS.tag(samples, ignore))[0],
        "text": measure_cpu(lambda: [TEXT.read(picture) for picture in pictures])[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    print(f"{len(rows)} files, {SAMPLE_RATE_HZ} Hz, one thread")
    for measure in (measure_speech, measure_text, measure_sounds, measure_cost):
        measure(folder, rows)


if __name__ == "__main__":
    main()
