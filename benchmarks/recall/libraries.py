"""Libraries whose right answers are known: the clips as the product indexes them, and pictures with captions."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from indexer.store.stores import open_stores
from indexer.types import Vector
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import Filter
from model.data.images import read_picture
from model.ports import Encoder
from model.pretraining.pretrain_data import read_captions
from tests.support.indexer.local_clips import index_clips
from worker.ops.logs import configure_logging
from worker.runtime.embedded import run_embedded_worker
from worker.settings import Settings

Numbers: TypeAlias = npt.NDArray[np.int64]

BATCH: Final = 64
LANGUAGES: Final = ("en", "ko", "zh")


@dataclass(frozen=True)
class KnownLibrary:
    """Moments with their vectors, and questions with the video that each of them means."""

    frames: Vector
    """(moments, size)"""
    videos: Numbers
    """(moments,): the number of each moment's video."""
    descriptions: tuple[str, ...]
    """What each video shows, in English, in lower case."""
    questions: tuple[str, ...]
    question_vectors: Vector
    """(questions, size)"""
    meant: Numbers
    """(questions,): the number of the video that each question means."""

    @property
    def halves(self) -> Numbers:
        """Each video's half (0 or 1): one teaches or chooses, the other judges. It does not depend on the order."""
        return np.array([sum(description.encode()) % 2 for description in self.descriptions])


def encode_texts(encoder: Encoder, texts: Sequence[str]) -> Vector:
    """Return the frame vectors of texts (n, size)."""
    starts = range(0, len(texts), BATCH)
    return np.stack([each.frame for at in starts for each in encoder.encode_texts(texts[at : at + BATCH])])


async def read_clips(encoder: Encoder, folder: Path, work: Path) -> KnownLibrary:
    """Index the clips of a folder with `queries.tsv` and `manifest.tsv` in `work`, unless that is done, and read them.

    Only their pictures are read, so that no file name can help.
    """
    rows = _read_table(folder / "queries.tsv")
    files = [row["file"] for row in rows]
    settings = Settings(data_dir=work / "data", log_level="warning")
    if not (work / "links.json").exists():
        configure_logging(settings, to_file=True)
        async with run_embedded_worker(settings) as client:
            links = await index_clips(client, [folder / file for file in files])
        (work / "links.json").write_text(json.dumps(links), encoding="utf-8")
    vectors = EdgeVectorStore(work / "data" / "vectors")
    stores = open_stores(vectors)
    generation = stores.generations.get_live()
    assert generation, "nothing is indexed"
    moments = list(vectors.scroll(generation.collection_name, Filter(), vectors=("frame",)))
    vectors.close()
    file_of = json.loads((work / "links.json").read_text(encoding="utf-8"))
    described = {row["file"]: row["description"].lower() for row in _read_table(folder / "manifest.tsv")}
    questions = tuple(row[language] for language in LANGUAGES for row in rows)
    return KnownLibrary(
        np.stack([moment.dense["frame"] for moment in moments]),
        np.array([files.index(file_of[moment.payload["link"]]) for moment in moments]),
        tuple(described[file] for file in files),
        questions,
        encode_texts(encoder, questions),
        np.tile(np.arange(len(files)), len(LANGUAGES)),
    )


def read_pictures(encoder: Encoder, folder: Path, work: Path) -> KnownLibrary:
    """Read the dev pictures of a folder with captions (`model.pretraining.pretrain_data`), each as a video.

    Their vectors and those of their captions are kept in `work`.
    """
    captions = read_captions(folder, "dev")
    cache = work / "pictures.npz"
    if not cache.exists():
        pictures = [read_picture(folder / file) for file in captions.files]
        np.savez(cache, frames=encoder.encode_frames(pictures), texts=encode_texts(encoder, captions.texts))
    stored = np.load(cache)
    by_picture: list[list[str]] = [[] for _ in captions.files]
    for picture, language, text in zip(captions.pictures, captions.languages, captions.texts, strict=True):
        if language == "en":
            by_picture[picture].append(text.lower())
    return KnownLibrary(
        stored["frames"],
        np.arange(len(captions.files)),
        tuple(" | ".join(texts) for texts in by_picture),
        captions.texts,
        stored["texts"],
        captions.pictures,
    )


def _read_table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))
