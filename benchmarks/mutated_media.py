"""Damaged media through the real decoder, two at a time, all in one long-lived process.

    python benchmarks/mutated_media.py --count 2000 --seed 1 FOLDER

Takes the smallest videos in FOLDER as they are, and makes small clips (160 pixels wide, 15 frames) of all of them in
all containers and codecs of `tests/support/mutation.py`; damages them, and decodes each as an index job does. Prints
how each ended, the seconds that took, and at the start, every hundred and the end what this process holds: memory,
open files, children, and files left over. An error that is none of ours, and so would end a job without a reason, is
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
from tests.support.mutation import KINDS, mutated, small

WIDTH, FRAMES, AS_THEY_ARE, AT_ONCE, LOOK_EVERY = 160, 15, 6, 2, 100


@dataclass(frozen=True)
class Ended:
    """One damaged file: what was done to it, how it ended, its pictures, and the seconds it took."""

    number: int
    mutation: str
    outcome: str
    pictures: int
    took_s: float


def clips(folder: Path, path: Path) -> list[bytes]:
    """The smallest videos, and twice each kind made of one video after the other."""
    videos = sorted(path for path in folder.iterdir() if path.suffix in (".mp4", ".mkv", ".webm"))
    if not videos:
        raise SystemExit(f"no videos in {folder}")
    smallest = sorted(videos, key=lambda video: video.stat().st_size)[:AS_THEY_ARE]
    sources = zip(KINDS * 2, itertools.cycle(videos), strict=False)
    made = [small(first_pictures(video), path, kind) for kind, video in sources]
    path.unlink()
    return [video.read_bytes() for video in smallest] + made


def first_pictures(video: Path) -> list[Image.Image]:
    pictures = []
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            pictures.append(
                frame.to_image(width=WIDTH, height=max(2, round(WIDTH * frame.height / frame.width / 2) * 2))
            )
            if len(pictures) == FRAMES:
                break
    return pictures


def decode(decoder: PyAvDecoder, number: int, damaged: tuple[str, bytes], work: Path) -> Ended:
    """As an index job does: in a folder of its own, which is deleted whatever happens."""
    folder, begun_s = work / str(number), time.monotonic()
    pictures, (mutation, content) = 0, damaged
    try:
        (folder / "frames").mkdir(parents=True)
        (folder / "media").write_bytes(content)
        pictures = len(decoder.decode(folder / "media", folder / "frames", lambda stage, share: None).frames)
        outcome = "decoded"
    except IndexerError as error:
        outcome = how(error)
    except Exception:
        traceback.print_exc()
        outcome = "AN ERROR OF NO KIND"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Ended(number, mutation, outcome, pictures, time.monotonic() - begun_s)


def how(error: IndexerError) -> str:
    """The code that a person is told, and whether the child crashed or was stopped."""
    said = str(error)
    if "took more than" in said:
        return f"{error.code} (time was up)"
    if "ended with status -" in said:
        return f"{error.code} (crashed: signal {said.split('status -')[1].split(':')[0]})"
    if "ended with status" in said:
        print(said)
        return f"{error.code} (child ended by an error)"
    return error.code


def look(console: Console, done: int, temporary: Path) -> None:
    me = psutil.Process()
    left = sum(len(files) for _, _, files in os.walk(temporary))
    console.print(
        f"{done:6} files: {me.memory_info().rss / 2**20:6.1f} MiB, {me.num_fds()} open files, "
        f"{len(me.children(recursive=True))} children, {left} files left",
        highlight=False,
    )


def table(ended: Sequence[Ended]) -> Table:
    shown = Table("outcome", "files", "median s", "longest s")
    for outcome, count in Counter(each.outcome for each in ended).most_common():
        seconds = [each.took_s for each in ended if each.outcome == outcome]
        shown.add_row(outcome, str(count), f"{np.median(seconds):.2f}", f"{max(seconds):.2f}")
    return shown


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
        made = clips(args.folder, work / "clip")
        console.print(
            f"seed {args.seed}: {args.count} files of {len(made)} clips, {sum(map(len, made)) / 1024:.0f} KiB"
        )
        ended: list[Ended] = []
        begun_s = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            look(console, 0, work)
            for first in range(0, args.count, LOOK_EVERY):
                numbers = range(first, min(first + LOOK_EVERY, args.count))
                ended += pool.map(lambda n: decode(decoder, n, mutated(args.seed, n, made), work), numbers)
                look(console, len(ended), work)
        console.print(table(ended))
        slowest = max(ended, key=lambda each: each.took_s)
        console.print(f"slowest: number {slowest.number} ({slowest.mutation}), {slowest.took_s:.1f} s")
        console.print(f"most pictures of one file: {max(each.pictures for each in ended)}")
        console.print(f"{(time.monotonic() - begun_s) / len(ended):.2f} s a file, {AT_ONCE} at a time")


if __name__ == "__main__":
    main()
