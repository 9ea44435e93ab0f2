"""A batch that does not fit into memory is encoded in parts."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from model.encoders.halving_encoder import HalvingEncoder
from model.errors import EncoderMemoryError
from model.ports import Clip, Picture, TextVectors, Vector
from tests.support.model.colour_encoder import LengthEncoder

PICTURES = [np.full((1, 1, 3), number, np.uint8) for number in range(7)]


class SmallMemoryEncoder(LengthEncoder):
    """Encodes a picture as its first number; raises an error for batches above `fits`."""

    generation = "small-00000000"
    frame_size = 1
    motion_size: int | None = 1

    def __init__(self, fits: int, make_error: Callable[[], Exception]) -> None:
        self._fits, self._make_error = fits, make_error
        self.sizes: list[int] = []

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        self._allocate(texts)
        return [TextVectors(np.array([float(text)], np.float32), np.ones(2, np.float32)) for text in texts]

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        self._allocate(pictures)
        return np.array([[picture[0, 0, 0]] for picture in pictures], np.float32)

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        self._allocate(clips)
        return np.stack([clip.frame_vectors[0] for clip in clips])

    def _allocate(self, items: Sequence[object]) -> None:
        self.sizes.append(len(items))
        if len(items) > self._fits:
            raise self._make_error()


class ClipOfNumber:
    pictures: tuple[Picture, ...] = ()

    def __init__(self, number: float) -> None:
        self.frame_vectors = np.array([[number]], np.float32)


MEMORY_ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("Exception from src/inference: std::bad_alloc"),
]


@pytest.mark.parametrize("error", MEMORY_ERRORS, ids=str)
def test_batch_that_does_not_fit_is_halved(error: Exception) -> None:
    """Down to batches that fit; the vectors are those of the whole batch, in order."""
    small = SmallMemoryEncoder(2, lambda: error)
    encoder = HalvingEncoder(small)
    assert encoder.encode_frames(PICTURES)[:, 0].tolist() == list(range(7))
    assert small.sizes == [7, 3, 1, 2, 4, 2, 2]
    assert encoder.encode_clips([ClipOfNumber(n) for n in range(5)])[:, 0].tolist() == list(range(5))
    assert [text.frame[0] for text in encoder.encode_texts(["0", "1", "2"])] == [0, 1, 2]


def test_picture_that_does_not_fit_alone_is_a_transient_failure() -> None:
    """Another process may need the memory only for a moment."""
    encoder = HalvingEncoder(SmallMemoryEncoder(0, lambda: torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(EncoderMemoryError) as failure:
        encoder.encode_frames(PICTURES)
    assert failure.value.transient
    assert failure.value.code == "busy"


def test_other_error_of_an_encoder_is_not_repeated() -> None:
    small = SmallMemoryEncoder(2, lambda: RuntimeError("CUDA error: device-side assert triggered"))
    with pytest.raises(RuntimeError, match="assert triggered"):
        HalvingEncoder(small).encode_frames(PICTURES)
    assert small.sizes == [7]
