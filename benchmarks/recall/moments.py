"""Measure how often the first moment found is the expected one, if its span is known: R1@IoU 0.5 and 0.7.

    python -m benchmarks.recall.moments FOLDER [--of 10] [--work FOLDER]

FOLDER holds clips and `queries.tsv` (a column `file`, then one column of queries for each language). The clips, at most
8 s of each, are joined to videos of `--of` clips in a random order with a fixed seed: a clip's position in its video is
the true span of its queries. The videos go through the product's own index. Each query is searched inside its video, as
`/find` does with a link, and in the whole library. A clip that is itself cut cannot be found whole: the last line gives
the upper limit, by the best moment that the index has for each span.
"""

import argparse
import asyncio
import csv
import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
from av.video.frame import VideoFrame
from rich.progress import track

from indexer.decode.source import DecodeLimits
from indexer.decode.video_file import open_video
from model.evaluation.compare import TimeSpan, compute_iou, compute_moment_recall
from tests.support.indexer.local_clips import CALLER, index_clips
from worker.client.queue_client import QueueClient
from worker.ops.logs import configure_logging
from worker.protocol.search import Find, Hit
from worker.runtime.embedded import run_embedded_worker
from worker.settings import Settings

MAX_CLIP_S = 8.0
FPS, WIDTH, HEIGHT = 12, 320, 240
LIMITS = DecodeLimits(max_pixels=10**8, max_duration_s=3600.0)
MAX_MOMENTS = 50


def read_frames(clip: Path) -> Iterator[VideoFrame]:
    """Yield frames at `FPS`, all of one size, at the times that players show, also if the file's own are all 0."""
    with clip.open("rb") as file, open_video(file, LIMITS, None, None) as video:
        due_s = 0.0
        for frame, at_s in video.frames():
            if at_s >= MAX_CLIP_S:
                return
            while due_s <= at_s:
                yield frame.reformat(WIDTH, HEIGHT, "yuv420p")
                due_s += 1 / FPS


def join_clips(clips: Sequence[Path], file: Path) -> list[TimeSpan]:
    """Write one video of all clips. Returns the span of each in seconds."""
    counts: list[int] = []

    def read_all() -> Iterator[VideoFrame]:
        for clip in clips:
            counts.append(0)
            for frame in read_frames(clip):
                counts[-1] += 1
                yield frame

    write_frames(read_all(), file)
    ends = list(accumulate(counts))
    return [((end - count) / FPS, end / FPS) for count, end in zip(counts, ends, strict=True)]


def write_frames(frames: Iterable[VideoFrame], file: Path) -> None:
    """Write a video of frames of `read_frames`."""
    with av.open(str(file), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


async def search(client: QueueClient, words: str, link: str | None, limit: int = 1) -> Sequence[Hit]:
    return (await client.call(Find(caller=CALLER, queries=(words,), in_link=link, limit=limit))).hits


def find_first_span(hits: Sequence[Hit], link: str) -> TimeSpan | None:
    return (hits[0].start_s, hits[0].end_s) if hits and hits[0].link == link else None


async def main(folder: Path, of: int, work: Path) -> None:
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    random.Random(0).shuffle(rows)
    videos: dict[Path, list[tuple[dict[str, str], TimeSpan]]] = {}
    groups = [rows[at : at + of] for at in range(0, len(rows), of)]
    for number, group in enumerate(track(groups, description="join")):
        video = work / f"{number:03d}.mp4"
        videos[video] = list(zip(group, join_clips([folder / row["file"] for row in group], video), strict=True))
    settings = Settings(data_dir=work / "data", log_level="warning", search_timeout_s=300)
    configure_logging(settings, to_file=True)
    async with run_embedded_worker(settings) as client:
        links = {name: link for link, name in (await index_clips(client, list(videos))).items()}
        questions = [(row, links[video.name], true) for video, rows in videos.items() for row, true in rows]
        for language in [column for column in rows[0] if column != "file"]:
            for where in ("inside its video", "in the library"):
                found = [
                    find_first_span(
                        await search(client, row[language], link if where == "inside its video" else None), link
                    )
                    for row, link, _ in questions
                ]
                recall = compute_moment_recall(found, [true for *_, true in questions])
                print(
                    f"{language}, {where}: R1@IoU 0.5 {recall.r1_iou_50:.3f}, 0.7 {recall.r1_iou_70:.3f} "
                    f"({recall.questions} questions, {len(videos)} videos)",
                    flush=True,
                )
        best = [find_best_span(await search(client, "video", link, MAX_MOMENTS), true) for _, link, true in questions]
        cut = compute_moment_recall(best, [true for *_, true in questions])
        print(f"upper limit by segmentation: IoU 0.5 {cut.r1_iou_50:.3f}, 0.7 {cut.r1_iou_70:.3f}")


def find_best_span(moments: Sequence[Hit], true: TimeSpan) -> TimeSpan:
    return max(((moment.start_s, moment.end_s) for moment in moments), key=lambda span: compute_iou(span, true))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--of", type=int, default=10)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(main(arguments.folder, arguments.of, arguments.work or Path(temporary)))
