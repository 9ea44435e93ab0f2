"""How often the first moment found is the one that was meant, where its span is known: R1@IoU 0.5 and 0.7.

    python -m benchmarks.moment_recall FOLDER [--of 10] [--work FOLDER]

FOLDER holds clips and `queries.tsv` (a column `file`, then one column of queries for each language). The clips, at most
8 s of each, are joined to videos of `--of` clips in an order drawn by seed: a clip's place in its video is the true
span of its queries. The videos go through the product's own index; each query is asked inside its video, as `/find`
does with a link, and in the whole library. A clip that is itself cut cannot be found whole: the last line
says how far cutting alone gets, by the best moment that the index has for each span.
"""

import argparse
import asyncio
import csv
import random
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame
from rich.progress import track

from benchmarks.clip_recall import CALLER, index
from model.evaluation.compare import Span, iou, moment_recall
from worker.client.queue_client import QueueClient
from worker.ops.logs import configure
from worker.protocol.messages import Find, Hit
from worker.runtime.embedded import embedded
from worker.settings import Settings

MOST_S = 8.0
FPS, WIDTH, HEIGHT = 12, 320, 240
MOST_MOMENTS = 50


def frames(clip: Path) -> Iterator[VideoFrame]:
    """At `FPS`, of the size of all."""
    with av.open(str(clip)) as media:
        due_s = 0.0
        for frame in media.decode(video=0):
            at_s = float(frame.time or 0.0)
            if at_s >= MOST_S:
                return
            while due_s <= at_s:
                yield frame.reformat(WIDTH, HEIGHT, "yuv420p")
                due_s += 1 / FPS


def join(clips: Sequence[Path], file: Path) -> list[Span]:
    """Writes one video of all; where each of them lies in it, in seconds."""
    spans, written = [], 0
    with av.open(str(file), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for clip in clips:
            first = written
            for frame in frames(clip):
                frame.pts, frame.time_base = written, Fraction(1, FPS)
                out.mux(stream.encode(frame))
                written += 1
            spans.append((first / FPS, written / FPS))
        out.mux(stream.encode(None))
    return spans


async def ask(client: QueueClient, words: str, link: str | None, limit: int = 1) -> Sequence[Hit]:
    return (await client.call(Find(caller=CALLER, queries=(words,), in_link=link, limit=limit))).hits


def span(hits: Sequence[Hit], link: str) -> Span | None:
    return (hits[0].start_s, hits[0].end_s) if hits and hits[0].link == link else None


async def main(folder: Path, of: int, work: Path) -> None:
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    random.Random(0).shuffle(rows)
    videos: dict[Path, list[tuple[dict[str, str], Span]]] = {}
    groups = [rows[at : at + of] for at in range(0, len(rows), of)]
    for number, group in enumerate(track(groups, description="join")):
        made = work / f"{number:03d}.mp4"
        videos[made] = list(zip(group, join([folder / row["file"] for row in group], made), strict=True))
    settings = Settings(data_dir=work / "data", log_level="warning", search_timeout_s=300)
    configure(settings, to_file=True)
    async with embedded(settings) as client:
        links = {name: link for link, name in (await index(client, list(videos))).items()}
        asked = [(row, links[made.name], true) for made, own in videos.items() for row, true in own]
        for language in [column for column in rows[0] if column != "file"]:
            for where in ("inside its video", "in the library"):
                found = [
                    span(await ask(client, row[language], link if where == "inside its video" else None), link)
                    for row, link, _ in asked
                ]
                recall = moment_recall(found, [true for *_, true in asked])
                print(
                    f"{language}, {where}: R1@IoU 0.5 {recall.r1_iou_50:.3f}, 0.7 {recall.r1_iou_70:.3f} "
                    f"({recall.questions} questions, {len(videos)} videos)",
                    flush=True,
                )
        best = [nearest(await ask(client, "video", link, MOST_MOMENTS), true) for _, link, true in asked]
        cut = moment_recall(best, [true for *_, true in asked])
        print(f"cutting alone: IoU 0.5 {cut.r1_iou_50:.3f}, 0.7 {cut.r1_iou_70:.3f}")


def nearest(moments: Sequence[Hit], true: Span) -> Span:
    return max(((moment.start_s, moment.end_s) for moment in moments), key=lambda one: iou(one, true))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--of", type=int, default=10)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(main(arguments.folder, arguments.of, arguments.work or Path(temporary)))
