"""Searches of the same moment share a batch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from threading import Event

import numpy as np
import pytest

from model.encoders.micro_batcher import MAX_BATCH, MicroBatcher
from model.ports import Clip, Encoder, Picture, TextVectors, Vector
from tests.support import tiny_models


class SlowEncoder:
    """Encodes a text as its number; holds each call until `go` is set."""

    generation = "slow-1"
    frame_size = 1
    motion_size: int | None = 3

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.started, self.go = Event(), Event()

    def texts(self, texts: Sequence[str]) -> list[TextVectors]:
        self.calls.append(list(texts))
        self.started.set()
        assert self.go.wait(10)
        if "bad" in texts:
            raise ValueError("bad text")
        return [TextVectors(np.array([float(text)], np.float32)) for text in texts if text != "lost"]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.full((len(pictures), 1), 1, np.float32)

    def clips(self, clips: Sequence[Clip]) -> Vector:
        return np.full((len(clips), 3), 2, np.float32)


@pytest.fixture
def slow() -> SlowEncoder:
    return SlowEncoder()


@pytest.fixture
def batcher(slow: SlowEncoder) -> Iterator[MicroBatcher]:
    with closing(MicroBatcher(slow)) as made:
        yield made
        slow.go.set()


def numbers(answers: Sequence["Future[TextVectors]"]) -> list[float]:
    return [float(answer.result(10).frame[0]) for answer in answers]


def test_what_waits_becomes_one_batch(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """Twenty searches that arrive while one runs are one more call, and each gets its own answer."""
    first = batcher.submit(["100"])
    assert slow.started.wait(10)
    rest = [batcher.submit([str(i), str(i + 50)]) for i in range(20)]
    slow.go.set()
    assert numbers(first) == [100]
    assert [numbers(answers) for answers in rest] == [[i, i + 50] for i in range(20)]
    assert len(slow.calls) == 2


def test_many_threads(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """Searches from many threads each get their own answer, and each text is encoded once."""
    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(batcher.texts, [str(i)]) for i in range(16)]
        assert slow.started.wait(10)
        slow.go.set()
        assert [float(answer.result(10)[0].frame[0]) for answer in asked] == list(range(16))
    assert sorted(text for texts in slow.calls for text in texts) == sorted(str(i) for i in range(16))


def test_an_idle_one_starts_at_once(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """A lone search is encoded without any other arriving."""
    slow.go.set()
    assert numbers(batcher.submit(["7", "8"])) == [7, 8]
    assert slow.calls == [["7", "8"]]


def test_a_batch_is_bounded(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """More than a batch holds is encoded in several calls, and still all are answered."""
    batcher.submit(["0"])
    assert slow.started.wait(10)
    many = batcher.submit([str(i) for i in range(MAX_BATCH + 5)])
    slow.go.set()
    assert numbers(many) == list(range(MAX_BATCH + 5))
    assert [len(texts) for texts in slow.calls] == [1, MAX_BATCH, 5]


def test_errors_reach_their_callers(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """A failed batch fails for its callers, and the next one works."""
    slow.go.set()
    with pytest.raises(ValueError, match="bad text"):
        batcher.texts(["bad"])
    assert numbers(batcher.submit(["3"])) == [3]


def test_a_short_answer_is_an_error(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """An encoder that gives fewer vectors than texts fails its callers instead of leaving one waiting."""
    slow.go.set()
    with pytest.raises(ValueError, match="shorter"):
        numbers(batcher.submit(["1", "lost"]))


def test_closing_answers_who_waits(slow: SlowEncoder, batcher: MicroBatcher) -> None:
    """Closing lets the running and the waiting searches end, and refuses new ones."""
    answers = batcher.submit(["1"])
    assert slow.started.wait(10)
    answers += batcher.submit(["2"])
    slow.go.set()
    batcher.close()
    assert [answer.done() for answer in answers] == [True, True]
    assert numbers(answers) == [1, 2]
    with pytest.raises(RuntimeError):
        batcher.texts(["3"])


def test_it_is_an_encoder(batcher: MicroBatcher) -> None:
    """It stands in wherever an encoder does: pictures and clips go straight through."""
    encoder: Encoder = batcher
    assert (encoder.generation, encoder.frame_size, encoder.motion_size) == ("slow-1", 1, 3)
    assert encoder.frames([tiny_models.picture(0)]).tolist() == [[1]]
    assert encoder.clips([tiny_models.clip(0)]).tolist() == [[2, 2, 2]]
    assert encoder.texts([]) == []
