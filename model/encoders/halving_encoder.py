"""An encoder that encodes a smaller batch if memory runs out."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import numpy as np
import structlog

from model.encoders.encoder_wrapper import EncoderWrapper
from model.errors import EncoderMemoryError
from model.ports import Clip, Picture, TextVectors, Vector

Item = TypeVar("Item")
Encoded = TypeVar("Encoded")

_MARKS: Final = ("out of memory", "can't allocate memory", "bad_alloc", "ALLOC_FAILED")
"""Texts in the messages of torch on the CPU, of OpenVINO, and of cuBLAS and cuDNN."""

log = structlog.get_logger()


class HalvingEncoder(EncoderWrapper):
    """Passes batches to `encoder`, and halves those that do not fit into memory, down to one item.

    Another process may need the memory only for a moment, so a single item that does not fit raises
    `EncoderMemoryError`, which is transient.
    """

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        return [vector for part in _encode(self._encoder.encode_texts, texts) for vector in part]

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        return np.concatenate(_encode(self._encoder.encode_sentences, texts))

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.concatenate(_encode(self._encoder.encode_frames, pictures))

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        return np.concatenate(_encode(self._encoder.encode_clips, clips))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of an encoder means that the memory of the GPU or of the machine is used up."""
    # `torch.OutOfMemoryError` by its name, because not every encoder needs torch.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and (type(error).__name__ == "OutOfMemoryError" or any(mark in str(error) for mark in _MARKS))
    )


@contextmanager
def transient_memory_errors() -> Iterator[None]:
    """Raise `EncoderMemoryError` in place of the errors that mean that memory is used up."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise EncoderMemoryError("the memory is used up now ({error})", error=error) from error


def _encode(encode: Callable[[Sequence[Item]], Encoded], items: Sequence[Item]) -> list[Encoded]:
    """Return the results of the parts of a batch, which are as large as fits into memory."""
    try:
        return [encode(items)]
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error)
    # Outside of the `except` block, where the error's traceback would keep the tensors of the failed batch.
    log.warning("encoder.out_of_memory", items=len(items), reason=reason)
    _release_cached_memory()
    if len(items) < 2:
        raise EncoderMemoryError("the memory is used up now ({error})", error=reason)
    half = len(items) // 2
    return [*_encode(encode, items[:half]), *_encode(encode, items[half:])]


def _release_cached_memory() -> None:
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
