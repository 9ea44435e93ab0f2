"""Concurrent searches share encoder calls."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from threading import Event

import numpy as np
import pytest

from model.encoders.micro_batcher import MAX_BATCH, MicroBatcher
from model.ports import Clip, Encoder, Picture, TextVectors, Vector
from tests.support.model import tiny_models
from tests.support.model.colour_encoder import LengthEncoder


class SlowEncoder(LengthEncoder):
    """Encodes a text as its number. Each call waits until `go` is set."""

    generation = "slow-1"
    frame_size = 1
    motion_size: int | None = 3

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.started, self.go = Event(), Event()

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        self.calls.append(list(texts))
        self.started.set()
        assert self.go.wait(10)
        if "bad" in texts:
            raise ValueError("bad text")
        return [
            TextVectors(np.array([float(text)], np.float32), np.ones(2, np.float32)) for text in texts if text != "lost"
        ]

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.full((len(pictures), 1), 1, np.float32)

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        return np.full((len(clips), 3), 2, np.float32)


@pytest.fixture
def slow() -> SlowEncoder:
    return SlowEncoder()


@pytest.fixture
def batcher(slow: SlowEncoder) -> Iterator[MicroBatcher]:
    with closing(MicroBatcher(slow)) as batcher:
        yield batcher
        slow.go.set()


def read_results(futures: Sequence["Future[TextVectors]"]) -> list[float]:
    return [float(future.result(10).frame[0]) for future in futures]


def test_waiting_texts_form_one_batch(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """Twenty searches that arrive while one runs are one more call, and each gets its own vectors."""
    first = batcher.submit(["100"])
    assert slow.started.wait(10)
    rest = [batcher.submit([str(i), str(i + 50)]) for i in range(20)]
    slow.go.set()
    assert read_results(first) == [100]
    assert [read_results(futures) for futures in rest] == [[i, i + 50] for i in range(20)]
    assert len(slow.calls) == 2


def test_concurrent_threads_get_their_own_vectors(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """Each text is encoded once."""
    with ThreadPoolExecutor(16) as threads:
        submitted = [threads.submit(batcher.encode_texts, [str(i)]) for i in range(16)]
        assert slow.started.wait(10)
        slow.go.set()
        assert [float(future.result(10)[0].frame[0]) for future in submitted] == list(range(16))
    assert sorted(text for texts in slow.calls for text in texts) == sorted(str(i) for i in range(16))


def test_idle_batcher_starts_at_once(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    slow.go.set()
    assert read_results(batcher.submit(["7", "8"])) == [7, 8]
    assert slow.calls == [["7", "8"]]


def test_batch_size_is_limited(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """More texts than a batch holds are encoded in several calls."""
    batcher.submit(["0"])
    assert slow.started.wait(10)
    many = batcher.submit([str(i) for i in range(MAX_BATCH + 5)])
    slow.go.set()
    assert read_results(many) == list(range(MAX_BATCH + 5))
    assert [len(texts) for texts in slow.calls] == [1, MAX_BATCH, 5]


def test_encoder_error_reaches_callers_of_batch(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """The next batch works."""
    slow.go.set()
    with pytest.raises(ValueError, match="bad text"):
        batcher.encode_texts(["bad"])
    assert read_results(batcher.submit(["3"])) == [3]


def test_missing_vector_is_an_error(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """An encoder that returns too few vectors must not leave a caller waiting."""
    slow.go.set()
    with pytest.raises(ValueError, match="shorter"):
        read_results(batcher.submit(["1", "lost"]))


def test_close_encodes_queued_texts(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """Later calls are refused."""
    futures = batcher.submit(["1"])
    assert slow.started.wait(10)
    futures += batcher.submit(["2"])
    slow.go.set()
    batcher.close()
    assert [future.done() for future in futures] == [True, True]
    assert read_results(futures) == [1, 2]
    with pytest.raises(RuntimeError):
        batcher.encode_texts(["3"])


def test_batcher_implements_encoder(batcher: MicroBatcher) -> None:
    """Pictures and clips are passed on directly."""
    encoder: Encoder = batcher
    assert (encoder.generation, encoder.frame_size, encoder.motion_size) == ("slow-1", 1, 3)
    assert encoder.encode_frames([tiny_models.picture(0)]).tolist() == [[1]]
    assert encoder.encode_clips([tiny_models.clip(0)]).tolist() == [[2, 2, 2]]
    assert encoder.encode_texts([]) == []
