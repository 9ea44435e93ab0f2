"""Decode damaged media with the real decoder, two files at a time, in one long-lived process.

    python -m benchmarks.mutated_media --count 2000 --seed 1 FOLDER

Takes the smallest videos in FOLDER as they are, and encodes small clips (160 pixels wide, 15 frames) of all of them in
all containers and codecs of `tests/support/indexer/mutation.py`; damages them, and decodes each as an index job does.
Prints the outcomes and durations, and at the start, every hundred files and the end the resources of this process:
memory, open files, children, and files left over. An unknown error, which would end a job without a reason, is
printed and counted.
"""

import argparse
import itertools
import logging
import os
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import psutil
import structlog
from PIL import Image
from rich.console import Console
from rich.table import Table

from indexer.decode.decoder import PyAvDecoder
from indexer.errors import IndexerError
from tests.support.indexer.mutation import CLIP_FORMATS, encode_clip, make_mutant

WIDTH, FRAMES, UNCHANGED, CONCURRENT, REPORT_EVERY = 160, 15, 6, 2, 100


@dataclass(frozen=True)
class DecodeOutcome:
    """The result of one damaged file."""

    number: int
    mutation: str
    outcome: str
    pictures: int
    duration_s: float


def make_clips(folder: Path, path: Path) -> list[bytes]:
    """Return the smallest videos, and two clips of each format, made from one video after the other."""
    videos = sorted(path for path in folder.iterdir() if path.suffix in (".mp4", ".mkv", ".webm"))
    if not videos:
        raise SystemExit(f"no videos in {folder}")
    smallest = sorted(videos, key=lambda video: video.stat().st_size)[:UNCHANGED]
    sources = zip(CLIP_FORMATS * 2, itertools.cycle(videos), strict=False)
    encoded = [encode_clip(read_first_pictures(video), path, kind) for kind, video in sources]
    path.unlink()
    return [video.read_bytes() for video in smallest] + encoded


def read_first_pictures(video: Path) -> list[Image.Image]:
    pictures = []
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            pictures.append(
                frame.to_image(  # type: ignore[no-untyped-call]
                    width=WIDTH, height=max(2, round(WIDTH * frame.height / frame.width / 2) * 2)
                )
            )
            if len(pictures) == FRAMES:
                break
    return pictures


def decode(decoder: PyAvDecoder, number: int, damaged: tuple[str, bytes], work: Path) -> DecodeOutcome:
    """Decode as an index job does, in a folder of its own, which is deleted in any case."""
    folder, start_s = work / str(number), time.monotonic()
    pictures, (mutation, content) = 0, damaged
    try:
        (folder / "frames").mkdir(parents=True)
        (folder / "media").write_bytes(content)
        pictures = len(decoder.decode(folder / "media", folder / "frames", lambda stage, share: None).frames)
        outcome = "decoded"
    except IndexerError as error:
        outcome = describe_error(error)
    except Exception:
        traceback.print_exc()
        outcome = "UNKNOWN ERROR"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return DecodeOutcome(number, mutation, outcome, pictures, time.monotonic() - start_s)


def describe_error(error: IndexerError) -> str:
    """Return the error code, and whether the child process crashed or was stopped."""
    message = str(error)
    if "took more than" in message:
        return f"{error.code} (time was up)"
    if "ended with status -" in message:
        return f"{error.code} (crashed: signal {message.split('status -')[1].split(':')[0]})"
    if "ended with status" in message:
        print(message)
        return f"{error.code} (child ended by an error)"
    return error.code


def report_resources(console: Console, done: int, temporary: Path) -> None:
    process = psutil.Process()
    left = sum(len(files) for _, _, files in os.walk(temporary))
    console.print(
        f"{done:6} files: {process.memory_info().rss / 2**20:6.1f} MiB, {process.num_fds()} open files, "
        f"{len(process.children(recursive=True))} children, {left} files left",
        highlight=False,
    )


def make_table(outcomes: Sequence[DecodeOutcome]) -> Table:
    table = Table("outcome", "files", "median s", "longest s")
    for outcome, count in Counter(each.outcome for each in outcomes).most_common():
        seconds = [each.duration_s for each in outcomes if each.outcome == outcome]
        table.add_row(outcome, str(count), f"{np.median(seconds):.2f}", f"{max(seconds):.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds for one file (an installation allows more)"
    )
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    console, decoder = Console(), PyAvDecoder(7680 * 4320, 7200.0, args.timeout, 2 * 1024**3)
    with tempfile.TemporaryDirectory() as temporary:
        tempfile.tempdir, work = temporary, Path(temporary)
        clips = make_clips(args.folder, work / "clip")
        console.print(
            f"seed {args.seed}: {args.count} files of {len(clips)} clips, {sum(map(len, clips)) / 1024:.0f} KiB"
        )
        outcomes: list[DecodeOutcome] = []
        start_s = time.monotonic()
        with ThreadPoolExecutor(CONCURRENT) as pool:
            report_resources(console, 0, work)
            for first in range(0, args.count, REPORT_EVERY):
                numbers = range(first, min(first + REPORT_EVERY, args.count))
                outcomes += pool.map(lambda n: decode(decoder, n, make_mutant(args.seed, n, clips), work), numbers)
                report_resources(console, len(outcomes), work)
        console.print(make_table(outcomes))
        slowest = max(outcomes, key=lambda each: each.duration_s)
        console.print(f"slowest: number {slowest.number} ({slowest.mutation}), {slowest.duration_s:.1f} s")
        console.print(f"most pictures of one file: {max(each.pictures for each in outcomes)}")
        console.print(f"{(time.monotonic() - start_s) / len(outcomes):.2f} s per file, {CONCURRENT} at a time")


if __name__ == "__main__":
    main()
