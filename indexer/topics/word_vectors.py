"""Vectors of the vocabulary, for each generation.

Those of the preset that is shipped are bundled. Others are computed once, in the background, and kept in a file.
"""

import hashlib
import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import structlog

from indexer.atomic_write import write_atomically
from indexer.ports import TextVectors
from indexer.types import Vector
from text.vocabulary import read_vocabulary

TEMPLATE: Final = "a photo of {}"
"""The text of a word, of which top words of pictures are right more often than of the bare word (.52 for .48)."""
BATCH_SIZE: Final = 16
"""Texts that are encoded at once, so that a search waits for few of them."""
MAX_FILES: Final = 8

BUNDLED: Final = Path(__file__).with_name("bundled")
"""Files in half precision, written by `python -m worker.ops.bundle_words`."""

log = structlog.get_logger()


class TextEncoder(Protocol):
    """The part of an encoder that the words need."""

    @property
    def generation(self) -> str: ...

    def encode_texts(self, texts: Sequence[str]) -> Sequence[TextVectors]: ...


class WordVectors:
    """The vectors of all words of the vocabulary (n, frame_size), by generation. All methods are thread-safe."""

    def __init__(self, folder: Path, words: Sequence[str] | None = None) -> None:
        self._folder = folder
        self._words = [each.en for each in read_vocabulary()] if words is None else words
        self._vectors: dict[str, Vector] = {}
        self._computing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closing = threading.Event()

    @property
    def words(self) -> Sequence[str]:
        """The words, in the order of the vectors."""
        return self._words

    def get_cached(self, generation: str) -> Vector | None:
        """Return the vectors if they are bundled or were computed before."""
        vectors, path = self._vectors.get(generation), self._build_path(generation)
        files = [each for each in (path, BUNDLED / path.name) if each.exists()]
        if vectors is None and files:
            vectors = self._vectors[generation] = np.load(files[0]).astype(np.float32)
        return vectors

    def compute_in_background(self, encoder: TextEncoder) -> None:
        """Begin to compute the vectors, unless this instance is computing some."""
        if not (self._thread and self._thread.is_alive()) and not self._is_closing.is_set():
            self._thread = threading.Thread(target=self._compute_logging_errors, args=(encoder,), name="word-vectors")
            self._thread.start()

    def compute(self, encoder: TextEncoder) -> Vector | None:
        """Return the vectors, which takes half a minute the first time; None if the process stops meanwhile."""
        with self._computing:
            vectors = self.get_cached(encoder.generation)
            return self._encode(encoder) if vectors is None else vectors

    def close(self) -> None:
        """Stop computing."""
        self._is_closing.set()
        if self._thread:
            self._thread.join()

    def _encode(self, encoder: TextEncoder) -> Vector | None:
        vectors: list[Vector] = []
        texts = [TEMPLATE.format(word) for word in self._words]
        for start in range(0, len(texts), BATCH_SIZE):
            if self._is_closing.is_set():
                return None
            vectors += [each.frame for each in encoder.encode_texts(texts[start : start + BATCH_SIZE])]
        encoded: Vector = np.stack(vectors)
        self._write(encoder.generation, encoded)
        self._vectors[encoder.generation] = encoded
        log.info("vocabulary.encoded", generation=encoder.generation, words=len(encoded))
        return encoded

    def _write(self, generation: str, vectors: Vector) -> None:
        """Keep the vectors in a file, and delete the oldest files beyond `MAX_FILES`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, vectors)
        write_atomically(self._build_path(generation), buffer.getvalue())
        files = sorted(self._folder.glob("*.npy"), key=lambda path: path.stat().st_mtime)
        for old in files[:-MAX_FILES]:
            old.unlink(missing_ok=True)

    def compute_digest(self, generation: str) -> str:
        """Return what tells these vectors from those of other words or of another model."""
        return hashlib.sha256("\n".join((generation, TEMPLATE, *self._words)).encode()).hexdigest()[:24]

    def _build_path(self, generation: str) -> Path:
        return self._folder / f"{self.compute_digest(generation)}.npy"

    def _compute_logging_errors(self, encoder: TextEncoder) -> None:
        try:
            self.compute(encoder)
        except Exception:
            log.exception("vocabulary.failed", generation=encoder.generation)
