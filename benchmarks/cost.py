"""Measure the cost of an hour of video and of a moment: CPU seconds by stage, bytes by store, for docs/scaling.md.

    python -m benchmarks.cost FOLDER [--minutes 10] [--qdrant BINARY] [--moments 100000]

FOLDER holds clips and `queries.tsv` with a column `file`. They are repeated and joined to one video of 640x360 at 30
frames per second, which is indexed as a local file. With a Qdrant server's binary, MOMENTS moments with random vectors
are stored in an empty server, and its disk and memory are measured. `--minutes 0` leaves the first part out.
"""

import argparse
import csv
import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from itertools import cycle, pairwise
from pathlib import Path
from uuid import uuid4

import av
import httpx
import numpy as np
import psutil
from rich.progress import track

from indexer.generation_id import GenerationId
from indexer.link.canonical import link_to_local_file
from indexer.store.records import NewSubmission
from indexer.store.stores import open_stores
from indexer.types import Moment, Video
from indexer.vectors.qdrant_server import QdrantVectorStore
from tests.support.indexer.fakes import FakeEncoder
from worker.models.loading import load_preset, train_preset
from worker.queue.app import make_app
from worker.services import Services
from worker.settings import Settings

FPS, WIDTH, HEIGHT, MAX_CLIP_S = 30, 640, 360, 20.0
MOMENTS_PER_VIDEO = 100
HTTP_PORT, GRPC_PORT = 17633, 17634
WORDS = "the a of river city people walking dog street night car music playing red water house runs talk speaker "


def write_joined_video(clips: list[Path], file: Path, minutes: float) -> None:
    with av.open(str(file), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        written = 0
        for clip in cycle(clips):
            with av.open(str(clip)) as media:
                first = written
                for frame in media.decode(video=0):
                    if (written - first) / FPS >= MAX_CLIP_S:
                        break
                    resized = frame.reformat(WIDTH, HEIGHT, "yuv420p")
                    resized.pts, resized.time_base = written, Fraction(1, FPS)
                    out.mux(stream.encode(resized))
                    written += 1
            if written / FPS >= 60 * minutes:
                break
        out.mux(stream.encode(None))


def read_cpu_s() -> tuple[float, float]:
    """Return the CPU seconds of this process, and of its children that ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime


def measure_indexing(video: Path, data: Path, minutes: float) -> None:
    """Print the cost of one video, per hour of it."""
    settings = Settings(data_dir=data)
    hours = minutes / 60
    with closing(Services(settings, make_app(settings), threading.Event(), load_preset, train_preset)) as services:
        services.models.get_current().encode_texts(["warm up"])
        link = link_to_local_file(video.as_uri())
        record = services.stores.submissions.submit(
            NewSubmission(link.video_id, link.url, link.fetch_url, "local:cost", "b", datetime.now(UTC))
        )
        stages: list[tuple[str, float, float]] = []

        def record_stage(stage: str, _: float) -> None:
            if not stages or stages[-1][0] != stage:
                stages.append((stage, sum(read_cpu_s()), time.perf_counter()))

        record_stage("fetch", 0.0)
        folder = data / "work"
        folder.mkdir(parents=True)
        found = services.make_ingest_pipeline()(record, folder, record_stage)
        stages.append(("end", sum(read_cpu_s()), time.perf_counter()))
        assert found is not None
        for (stage, cpu, wall), (_, next_cpu, next_wall) in pairwise(stages):
            print(
                f"per hour, {stage}: {(next_cpu - cpu) / hours:.0f} CPU s, {(next_wall - wall) / hours:.0f} s by clock"
            )
        blobs = sum(file.stat().st_size for file in (data / "blobs").rglob("*") if file.is_file())
        print(f"{found.moments / hours:.0f} moments, {blobs / hours / 1e6:.0f} MB of blobs per hour")
        print(f"{blobs / found.moments / 1e3:.0f} kB of blobs per moment")


@contextmanager
def run_qdrant(binary: Path, folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    own = {
        "QDRANT__SERVICE__HTTP_PORT": str(HTTP_PORT),
        "QDRANT__SERVICE__GRPC_PORT": str(GRPC_PORT),
        "QDRANT__TELEMETRY_DISABLED": "true",
        "QDRANT__LOG_LEVEL": "ERROR",
    }
    with subprocess.Popen([binary], cwd=folder, env=os.environ | own, stdout=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{HTTP_PORT}"
        for _ in range(100):
            try:
                httpx.get(f"{url}/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        try:
            yield psutil.Process(server.pid), url
        finally:
            server.terminate()


def measure_store(binary: Path, folder: Path, moments: int) -> None:
    """Print the disk and memory of a Qdrant server with that many moments."""
    random = np.random.default_rng(0)
    words = WORDS.split()
    with run_qdrant(binary, folder) as (process, url):
        empty = process.memory_info().rss
        stores, generation = open_stores(QdrantVectorStore(url)), GenerationId("cost")
        stores.generations.create(generation, FakeEncoder(frame_size=512, motion_size=None, meaning_size=512))
        for number in track(range(0, moments, MOMENTS_PER_VIDEO), description="moments"):
            id = str(uuid4())
            link = f"https://video.example.org/watch/{id}"
            space = f"discord:{number % 20}"
            stores.submissions.submit(NewSubmission(id, link, link, space, "person", datetime.now(UTC)))
            vectors = random.standard_normal((MOMENTS_PER_VIDEO, 512), np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            title = " ".join(random.choice(words, 8))
            stores.publisher.publish_moments(
                Video(id=id, link=link, title=title, description="", duration_s=600.0, published=None),
                [
                    Moment(
                        id=str(uuid4()),
                        video_id=id,
                        start_s=6.0 * place,
                        end_s=6.0 * place + 6,
                        thumbnail=f"{id}/{place}.jpg",
                        words=f"{title} " + " ".join(random.choice(words, 20)),
                        frame=vector,
                        frames=tuple(f"{id}/{place}-{frame}.jpg" for frame in range(6)),
                        text_by_source={"speech": " ".join(random.choice(words, 20))},
                    )
                    for place, vector in enumerate(vectors)
                ],
                generation,
            )
        while httpx.get(f"{url}/collections/moments_cost").json()["result"]["status"] != "green":
            time.sleep(1)
        memory = process.memory_info().rss - empty
    disk = sum(file.stat().st_blocks * 512 for file in (folder / "storage").rglob("*") if file.is_file())
    cost = f"{disk / moments / 1e3:.1f} kB of disk, {memory / moments / 1e3:.1f} kB of memory each"
    print(f"{moments:,} moments in Qdrant: {cost}")


def main(folder: Path, minutes: float, binary: Path | None, moments: int) -> None:
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        clips = [folder / row["file"] for row in csv.DictReader(file, delimiter="\t")]
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        if minutes:
            write_joined_video(clips, work / "video.mp4", minutes)
            measure_indexing(work / "video.mp4", work / "data", minutes)
        if binary:
            measure_store(binary, work, moments)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--qdrant", type=Path, metavar="BINARY")
    parser.add_argument("--moments", type=int, default=100_000)
    given = parser.parse_args()
    main(given.folder, given.minutes, given.qdrant, given.moments)
