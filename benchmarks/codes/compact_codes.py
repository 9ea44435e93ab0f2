"""Measure codes of vectors (REELSEEK_QUANTIZATION): bytes, recall against exact search, and time of a search.

    python -m benchmarks.codes.compact_codes DATA [--qdrant BINARY] [--moments 20000 …] [--codes off …] [--cache FILE]

DATA is a folder with captioned pictures (`model.pretraining.pretrain_data`). All its pictures are embedded by the
starter, once, into the file of `--cache`. More moments are made from them: a point between a picture and one of its ten
nearest, up to the middle, moved by a tenth to a half of the difference of two other pictures, so that the noise has the
directions of the data. Nine tenths are in the space that is searched. The queries are 100 captions of the dev split for
each language; a search asks for as many moments as the product does first. The moments are stored without codes, to
a server by gRPC and without a graph, and then codes and graph of each kind are built for the same collection. Without
`--qdrant` the store is the one in this process.
"""

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import numpy as np
import psutil
from qdrant_client import QdrantClient, models
from rich.progress import track

from benchmarks.cost import GRPC_PORT, run_qdrant
from indexer.search.candidates import DEPTHS
from indexer.types import Vector
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.qdrant_server import QdrantVectorStore
from indexer.vectors.quantization import Quantization
from indexer.vectors.vector_store import Filter, NewPoint, VectorQuery, VectorStore
from model.data.array_cache import mark_rows_done, open_array_cache
from model.data.images import read_picture
from model.loader import load_encoder
from model.ports import Encoder
from model.preset_files import find_preset
from model.pretraining.pretrain_data import Captions, read_captions

SIZE, BLOCK, PICTURE_BATCH, UPSERT = 512, 20_000, 16, 500
INDEXING_THRESHOLD_KB = 10_000
"""The server's default: larger segments get a graph and codes."""
QUERIES_PER_LANGUAGE, NEIGHBOURS, BEST = 100, 10, 10
SPACES = ("large", "small")
SMALL_SHARE = 0.1
COLLECTION = "codes"

OpenStore: TypeAlias = Callable[[Quantization], VectorStore]
"""Opens the store that is measured, and waits for its codes."""
StoreMoments: TypeAlias = Callable[[Sequence[str], Sequence[str], Vector], object]
"""Stores moments: their ids, their spaces and their vectors (n, SIZE)."""


@dataclass(frozen=True)
class MeasuredStore:
    """The store that is measured: the process that has its memory, and what fills and opens it."""

    process: psutil.Process
    open: OpenStore
    fill: StoreMoments


def embed_pictures(data: Path, captions: Sequence[Captions], encoder: Encoder, cache: Path) -> Vector:
    """Embed all pictures, or read their vectors from the cache: (n, SIZE)."""
    files = [file for each in captions for file in each.files]
    vectors, done = open_array_cache(cache, (len(files), SIZE), np.float32)
    for start in track(range(done, len(files), PICTURE_BATCH), "pictures"):
        batch = files[start : start + PICTURE_BATCH]
        vectors[start : start + len(batch)] = encoder.encode_frames([read_picture(data / file) for file in batch])
        mark_rows_done(cache, start + len(batch))
    return np.array(vectors)


def choose_queries(dev: Captions, per_language: int) -> list[str]:
    random, languages = np.random.default_rng(0), np.array(dev.languages)
    rows = [random.permutation(np.flatnonzero(languages == each))[:per_language] for each in np.unique(languages)]
    return [dev.texts[row] for row in np.concatenate(rows)]


def grow(pictures: Vector, moments: int) -> Iterator[Vector]:
    """Yield blocks of `moments` unit vectors in all: the pictures, and then moments like them."""
    random = np.random.default_rng(0)
    yield pictures[:moments]
    nearest = np.argsort(-(pictures @ pictures.T), axis=1)[:, 1 : NEIGHBOURS + 1]
    for start in range(len(pictures), moments, BLOCK):
        count = min(BLOCK, moments - start)
        first, other, third = random.integers(len(pictures), size=(3, count))
        second = nearest[first, random.integers(NEIGHBOURS, size=count)]
        share, length = random.uniform(0, 0.5, (count, 1)), random.uniform(0.1, 0.5, (count, 1))
        noise = pictures[other] - pictures[third] + 1e-6 * random.normal(size=(count, SIZE))
        moved = (1 - share) * pictures[first] + share * pictures[second]
        moved = moved + length * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        yield (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def store_moments(fill: StoreMoments, pictures: Vector, queries: Vector, moments: int) -> list[set[str]]:
    """Store the moments. Returns the ids of the `BEST` of the large space for each query, by exact search."""
    best: list[list[tuple[float, str]]] = [[] for _ in queries]
    number = 0
    for block in track(grow(pictures, moments), "store", total=2 + (moments - len(pictures)) // BLOCK):
        ids = [str(uuid.UUID(int=number + place)) for place in range(len(block))]
        is_small = np.array([uuid.uuid5(uuid.NAMESPACE_URL, id).int % 1000 < 1000 * SMALL_SHARE for id in ids])
        fill(ids, [SPACES[int(small)] for small in is_small], block)
        cosines = np.where(is_small, -1.0, queries @ block.T)
        for known, row in zip(best, cosines, strict=True):
            known += [(float(row[place]), ids[place]) for place in np.argpartition(-row, BEST)[:BEST]]
            known[:] = sorted(known, reverse=True)[:BEST]
        number += len(block)
    return [{id for _, id in known} for known in best]


def measure_searches(store: VectorStore, queries: Vector, best: Sequence[set[str]]) -> str:
    """Return recall at `BEST` and the duration of a search as text."""
    found, times_ms = 0, []
    for vector, expected in zip(queries, best, strict=True):
        start_s = time.perf_counter()
        answer = store.nearest(COLLECTION, [VectorQuery("frame", vector, DEPTHS[0], Filter({"spaces": SPACES[0]}))])[0]
        times_ms.append(1000 * (time.perf_counter() - start_s))
        found += len(expected & {scored.id for scored in answer[:BEST]})
    recall = found / (BEST * len(queries))
    return f"R@10 {recall:.4f}  " + "  ".join(f"p{at} {np.percentile(times_ms, at):5.1f} ms" for at in (50, 95, 99))


def measure_memory(process: psutil.Process) -> tuple[int, int]:
    """Return the bytes of a process that are its own, and those that are of files and can be evicted."""
    memory = process.memory_info()
    return memory.rss - memory.shared, memory.shared


def count_code_bytes(folder: Path) -> int:
    """Return the size of the codes' files."""
    return sum(file.stat().st_size for file in folder.rglob("quantized.data"))


@contextmanager
def open_server(binary: Path, folder: Path) -> Iterator[MeasuredStore]:
    with run_qdrant(binary, folder) as (process, url):
        client = QdrantClient(url=url, grpc_port=GRPC_PORT, prefer_grpc=True, timeout=600, check_compatibility=False)
        optimize = partial(client.update_collection, COLLECTION)
        with closing(QdrantVectorStore(url)) as store:
            create_collection(store)
        # No graph is built before all moments are there.
        optimize(optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0))

        def fill(ids: Sequence[str], spaces: Sequence[str], vectors: Vector) -> None:
            named: dict[str, Any] = {"frame": vectors}
            payload = [{"spaces": [space]} for space in spaces]
            client.upload_collection(COLLECTION, named, payload, ids, batch_size=UPSERT, wait=True)

        def open_store(quantization: Quantization) -> VectorStore:
            store = QdrantVectorStore(url, None, quantization)
            create_collection(store)
            optimize(optimizers_config=models.OptimizersConfigDiff(indexing_threshold=INDEXING_THRESHOLD_KB))
            time.sleep(2)  # the server takes a moment to notice that it has work
            while httpx.get(f"{url}/collections/{COLLECTION}").json()["result"]["status"] != "green":
                time.sleep(0.5)
            return store

        yield MeasuredStore(process, open_store, fill)


@contextmanager
def open_embedded(folder: Path) -> Iterator[MeasuredStore]:
    def fill(ids: Sequence[str], spaces: Sequence[str], vectors: Vector) -> None:
        points = [
            NewPoint(id, {"spaces": [space]}, {"frame": vector})
            for id, space, vector in zip(ids, spaces, vectors, strict=True)
        ]
        with closing(EdgeVectorStore(folder)) as store:
            create_collection(store)
            for start in range(0, len(points), UPSERT):
                store.upsert(COLLECTION, points[start : start + UPSERT])

    yield MeasuredStore(psutil.Process(), lambda quantization: EdgeVectorStore(folder, quantization), fill)


def create_collection(store: VectorStore) -> None:
    store.ensure(COLLECTION, {"frame": SIZE}, (), ("spaces",), tenant="spaces")


def measure(
    binary: Path | None, pictures: Vector, queries: Vector, moments: int, codes: Sequence[Quantization]
) -> None:
    """Print one line for each kind of codes."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as temporary,
        open_server(binary, Path(temporary)) if binary else open_embedded(Path(temporary)) as measured,
    ):
        empty, _ = measure_memory(measured.process)
        best = store_moments(measured.fill, pictures, queries, moments)
        for quantization in codes:
            start_s = time.perf_counter()
            with closing(measured.open(quantization)) as store:
                built_s = time.perf_counter() - start_s
                figures = measure_searches(store, queries, best)
                own, files = measure_memory(measured.process)
            store_name = "server" if binary else "embedded"
            print(
                f"{moments:9,} {store_name} {quantization:8} ready in {built_s:4.0f} s  {figures}"
                f"  codes {count_code_bytes(Path(temporary)) / moments:4.0f} B, "
                f"memory {(own - empty) / moments:5.0f} B of its own, {files / moments:6.0f} B of files a moment",
                flush=True,
            )


def main(data: Path, binary: Path | None, moments: Sequence[int], codes: Sequence[Quantization], cache: Path) -> None:
    encoder = load_encoder(find_preset("starter"), device="cpu", adapter=None, artifacts_dir=None)
    train, dev = (read_captions(data, split) for split in ("train", "dev"))
    pictures = embed_pictures(data, (train, dev), encoder, cache)
    queries = np.stack([vectors.frame for vectors in encoder.encode_texts(choose_queries(dev, QUERIES_PER_LANGUAGE))])
    for count in moments:
        measure(binary, pictures, queries, count, codes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--qdrant", type=Path, metavar="BINARY")
    parser.add_argument("--moments", type=int, nargs="+", default=[20_000])
    parser.add_argument("--codes", type=Quantization, nargs="+", default=list(Quantization))
    parser.add_argument("--cache", type=Path, default=Path("build/compact-codes/pictures.npy"))
    given = parser.parse_args()
    main(given.data, given.qdrant, given.moments, given.codes, given.cache)
