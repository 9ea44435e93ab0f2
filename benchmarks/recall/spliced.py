"""Measure how often the first span found in a long take is the short action that was spliced into it.

    python -m benchmarks.recall.spliced FOLDER [--count 30] [--work FOLDER]

FOLDER holds clips and `queries.tsv`, as for `benchmarks.recall.moments`. Each video is a take of 60 s, a clip that runs
forwards and backwards, with the first 3 s of another clip in it, both chosen with a fixed seed. The query for the other
clip is searched in the video. Prints how often the middle of the action is in the first span, and R1@IoU.
"""

import argparse
import asyncio
import csv
import random
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from av.video.frame import VideoFrame
from rich.progress import track

from benchmarks.recall.moments import FPS, find_first_span, read_frames, search, write_frames
from model.evaluation.compare import TimeSpan, compute_moment_recall
from tests.support.indexer.local_clips import index_clips
from worker.ops.logs import configure_logging
from worker.runtime.embedded import run_embedded_worker
from worker.settings import Settings

TAKE_S, ACTION_S, MIN_TAKE_CLIP_S = 60, 3, 6


def write_spliced(clips: Sequence[Path], file: Path, rng: random.Random) -> tuple[Path, TimeSpan]:
    """Write a video of two random clips, and return the clip of the action and its span in seconds."""
    while True:
        take, action = rng.sample(clips, 2)
        frames, inserted = list(read_frames(take)), list(islice(read_frames(action), ACTION_S * FPS))
        if len(frames) >= MIN_TAKE_CLIP_S * FPS and len(inserted) == ACTION_S * FPS:
            break
    start = rng.randrange(5 * FPS, (TAKE_S - ACTION_S - 5) * FPS)
    looped: list[VideoFrame] = list(islice(cycle([*frames, *frames[::-1]]), TAKE_S * FPS))
    looped[start : start + len(inserted)] = inserted
    write_frames(looped, file)
    return action, (start / FPS, start / FPS + ACTION_S)


async def main(folder: Path, count: int, work: Path) -> None:
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        queries = {folder / row.pop("file"): row for row in csv.DictReader(file, delimiter="\t")}
    rng = random.Random(0)
    videos = {
        video: write_spliced(list(queries), video, rng)
        for video in track([work / f"{number:03d}.mp4" for number in range(count)], description="splice")
    }
    settings = Settings(data_dir=work / "data", log_level="warning", search_timeout_s=300)
    configure_logging(settings, to_file=True)
    async with run_embedded_worker(settings) as client:
        links = {name: link for link, name in (await index_clips(client, list(videos))).items()}
        for language in next(iter(queries.values())):
            found = []
            for video, (action, _) in videos.items():
                link = links[video.name]
                found.append(find_first_span(await search(client, queries[action][language], link), link))
            true = [span for _, span in videos.values()]
            middles = [
                span is not None and span[0] <= (start_s + end_s) / 2 < span[1]
                for span, (start_s, end_s) in zip(found, true, strict=True)
            ]
            recall = compute_moment_recall(found, true)
            print(
                f"{language}: middle in the first span {sum(middles)} of {count}, R1@IoU 0.5 {recall.r1_iou_50:.3f}, "
                f"0.7 {recall.r1_iou_70:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(main(arguments.folder, arguments.count, arguments.work or Path(temporary)))
