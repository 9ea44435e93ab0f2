"""Measure the duration of a search at a given size, without the encoder: filtered by space, fused, grouped by video.

    python -m benchmarks.search_latency [--moments 20000] [--queries 200] [--qdrant URL]

Stores synthetic moments (512-d, clustered like scenes; ten per video, with eight frames each; words of a Zipf
distribution; one large space with half of them and four smaller ones) in the store of the embedded form, in
qdrant-client's local mode, and with --qdrant on a server, and asks each the same questions: first without evidence,
then without the frames that refine spans, and then after each moment got speech and a sound, with their vectors. Prints
p50 and p95 in ms, and CPU time, which other processes change little.
"""

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from qdrant_client import QdrantClient, models
from rich.progress import track

from indexer.generation_id import GenerationId
from indexer.search.query import SearchQuery
from indexer.search.search import find_moments
from indexer.search.votes import VoteReader
from indexer.senses import SoundTag
from indexer.store.enrichment import merge_evidence
from indexer.store.records import NewSubmission
from indexer.store.stores import Stores, open_stores
from indexer.types import Caption, Clip, Evidence, Moment, Picture, QueryVectors, SpanFrames, Vector, Video
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.frame_codes import SPAN_KEYS
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.vector_store import Filter, VectorStore

SIZE, SCENES, MOMENTS_PER_VIDEO, FRAMES, VOCABULARY = 512, 300, 10, 8, 5_000
SPACES = ("discord:large", "discord:a", "discord:b", "slack:c", "slack:d")
SHARES = (0.5, 0.125, 0.125, 0.125, 0.125)
LIMIT = 5
GENERATION = GenerationId("synthetic")


@dataclass(frozen=True)
class Synthetic:
    """Videos and questions from one seed, and an encoder that knows the vectors of the questions."""

    videos: tuple[tuple[str, Video, tuple[Moment, ...]], ...]
    questions: tuple[tuple[str, str], ...]
    vectors: dict[str, QueryVectors]
    generation: str = str(GENERATION)
    frame_size: int = SIZE
    motion_size: int = SIZE
    meaning_size: int = SIZE
    logit_scale: float = 20.0
    unrelated_cosine: float | None = 0.0

    def encode_texts(self, texts: Sequence[str]) -> list[QueryVectors]:
        return [self.vectors[text] for text in texts]

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        return np.stack([normalize(np.random.default_rng(len(text)).normal(size=SIZE)) for text in texts])

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        raise NotImplementedError("the data has no pictures")

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        raise NotImplementedError("the data has no pictures")


def normalize(numbers: npt.NDArray[np.float64]) -> Vector:
    vector: Vector = (numbers / np.linalg.norm(numbers)).astype(np.float32)
    return vector


def make_synthetic(moments: int, queries: int) -> Synthetic:
    rng = np.random.default_rng(0)
    scenes = rng.normal(size=(SCENES, SIZE))

    def near(scene: int) -> Vector:
        return normalize(scenes[scene] + 0.8 * rng.normal(size=SIZE))

    def words(count: int) -> str:
        return " ".join(f"word{number}" for number in rng.zipf(1.3, count) % VOCABULARY)

    videos = []
    for number in range(moments // MOMENTS_PER_VIDEO):
        video = Video(str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))), f"https://videos.example/{number}", words(6))
        of_video = tuple(
            Moment(
                id=str(uuid.uuid5(uuid.UUID(video.id), str(part))),
                video_id=video.id,
                start_s=8.0 * part,
                end_s=8.0 * part + 8.0,
                thumbnail=f"videos/{video.id}/{part}.jpg",
                words=f"{video.title}\n{words(25)}",
                frame=(vector := near(scene := int(rng.integers(SCENES)))),
                motion=near(scene),
                span_frames=SpanFrames(
                    at_s=tuple(8.0 * part + second for second in range(FRAMES)),
                    vectors=np.broadcast_to(vector, (FRAMES, SIZE)),
                    cuts_s=(8.0 * part,),
                    near=tuple(
                        str(uuid.uuid5(uuid.UUID(video.id), str(other)))
                        for other in range(max(0, part - 2), min(MOMENTS_PER_VIDEO, part + 3))
                        if other != part
                    ),
                ),
            )
            for part in range(MOMENTS_PER_VIDEO)
        )
        videos.append((str(rng.choice(SPACES, p=SHARES)), video, of_video))
    vectors = {
        f"{words(5)} {n}": QueryVectors(near(n % SCENES), near(n % SCENES), near(n % SCENES)) for n in range(queries)
    }
    questions = tuple((SPACES[n % 2], text) for n, text in enumerate(vectors))
    return Synthetic(tuple(videos), questions, vectors)


def fill(vectors: VectorStore, data: Synthetic) -> Stores:
    stores = open_stores(vectors)
    stores.generations.create(GENERATION, data)
    for space, video, moments in track(data.videos, description="store"):
        submission = NewSubmission(video.id, video.link, video.link, space, "ann", datetime.now(UTC))
        stores.submissions.submit(submission)
        stores.publisher.publish_moments(video, moments, GENERATION)
    return stores


def add_evidence(stores: Stores, data: Synthetic) -> None:
    """Give each moment a line of speech, a sound, and vectors of both that are as near to queries as its looks are."""
    for _, _, moments in track(data.videos, description="evidence"):
        stored = stores.enrichment.read(GENERATION, [each.id for each in moments])
        line = Caption(0.0, 4.0, moments[0].words.partition("\n")[2])
        evidence = Evidence((line,), (), (SoundTag("Speech", 0.9, 0.0, 4.0),))
        merged = [replace(each, payload=merge_evidence(each.payload, evidence)) for each in stored]
        vectors = [{"meaning": each.motion, "sound": each.motion} for each in moments if each.motion is not None]
        stores.enrichment.put(GENERATION, list(zip(merged, vectors, strict=True)))


def measure(name: str, questions: Sequence[tuple[str, str]], search: Callable[[str, str], object]) -> None:
    durations_ms = []
    cpu_s = time.process_time()
    for space, text in questions:
        start_s = time.perf_counter()
        search(space, text)
        durations_ms.append(1000 * (time.perf_counter() - start_s))
    print(f"{name:24} {1000 * (time.process_time() - cpu_s) / len(questions):.1f} ms of CPU a search in this process")
    for space in SPACES[:2]:
        of_space = [ms for ms, (asked, _) in zip(durations_ms, questions, strict=True) if asked == space]
        print(f"{name:24} {space:14} p50 {np.percentile(of_space, 50):7.1f}  p95 {np.percentile(of_space, 95):7.1f} ms")


def measure_library(name: str, vectors: VectorStore, data: Synthetic) -> None:
    start_s = time.perf_counter()
    stores = fill(vectors, data)

    def search(space: str, text: str) -> object:
        query = SearchQuery(space, [text], limit=LIMIT)
        return find_moments(stores.moments, stores.submissions, VoteReader(stores.spaces), data, query)

    print(f"{name}: stored in {time.perf_counter() - start_s:.0f} s")
    measure(name, data.questions, search)
    vectors.set_payload(GENERATION.collection_name, Filter(), dict.fromkeys(SPAN_KEYS))
    measure(f"{name}, no spans", data.questions, search)
    add_evidence(stores, data)
    measure(f"{name}, all lists", data.questions, search)


def measure_local_mode(data: Synthetic) -> None:
    """Measure only the two vector searches, grouped by the client: less work than the other measurements."""
    client = QdrantClient(":memory:")
    params = models.VectorParams(size=SIZE, distance=models.Distance.COSINE)
    client.create_collection("moments", {"frame": params, "motion": params})
    for space, video, moments in track(data.videos, description="store"):
        points = [
            models.PointStruct(
                id=each.id,
                vector={"frame": np.asarray(each.frame).tolist(), "motion": np.asarray(each.motion).tolist()},
                payload={"spaces": [space], "video_id": video.id},
            )
            for each in moments
        ]
        client.upsert("moments", points)

    def search(space: str, text: str) -> None:
        of_space = models.Filter(must=[models.FieldCondition(key="spaces", match=models.MatchValue(value=space))])
        for using, vector in (("frame", data.vectors[text].frame), ("motion", data.vectors[text].motion)):
            client.query_points_groups(
                "moments", "video_id", np.asarray(vector).tolist(), using=using, query_filter=of_space, limit=LIMIT
            )

    measure("qdrant-client local mode", data.questions[:20], search)
    client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--qdrant", metavar="URL", help="address of an empty Qdrant server")
    arguments = parser.parse_args()
    data = make_synthetic(arguments.moments, arguments.queries)
    with tempfile.TemporaryDirectory() as folder:
        edge = EdgeVectorStore(Path(folder))
        measure_library("in process", edge, data)
        edge.close()
        start_s = time.perf_counter()
        edge = EdgeVectorStore(Path(folder))
        print(f"in process: reopened in {time.perf_counter() - start_s:.1f} s")
        edge.close()
    if arguments.qdrant:
        server = QdrantVectorStore(arguments.qdrant)
        measure_library("server", server, data)
        server.close()
    measure_local_mode(data)


if __name__ == "__main__":
    main()
