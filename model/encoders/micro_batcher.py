"""Searches of the same moment share a batch."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from model.ports import Clip, Encoder, Picture, TextVectors, Vector

MAX_BATCH = 64


class MicroBatcher:
    """An encoder whose text calls are gathered: while one batch runs, what comes in waits and becomes the next.

    An idle one starts at once, so nobody ever waits for others to come.
    """

    def __init__(self, encoder: Encoder, on_batch: Callable[[str, int], None] = lambda kind, items: None) -> None:
        """`on_batch` hears of each call of the encoder: texts, frames or clips, and how many."""
        self._encoder = encoder
        self._on_batch = on_batch
        self.generation = encoder.generation
        self.frame_size = encoder.frame_size
        self.motion_size = encoder.motion_size
        self._waiting: deque[tuple[str, Future[TextVectors]]] = deque()
        self._runner = ThreadPoolExecutor(1, thread_name_prefix="batcher")

    def texts(self, texts: Sequence[str]) -> list[TextVectors]:
        """Raises what the encoder raised, to all who shared the batch; `RuntimeError` once closed."""
        return [answer.result() for answer in self.submit(texts)]

    def submit(self, texts: Sequence[str]) -> list[Future[TextVectors]]:
        """One future for each text, without waiting."""
        mine: list[tuple[str, Future[TextVectors]]] = [(text, Future()) for text in texts]
        self._waiting.extend(mine)
        self._runner.submit(self._serve)
        return [answer for _, answer in mine]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        self._on_batch("frames", len(pictures))
        return self._encoder.frames(pictures)

    def clips(self, clips: Sequence[Clip]) -> Vector:
        self._on_batch("clips", len(clips))
        return self._encoder.clips(clips)

    def close(self) -> None:
        """Answers who is waiting, then ends."""
        self._runner.shutdown()

    def _serve(self) -> None:
        while batch := [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]:
            try:
                self._on_batch("texts", len(batch))
                vectors = self._encoder.texts([text for text, _ in batch])
                answers = list(zip(batch, vectors, strict=True))
            except Exception as error:  # whatever it is, it is the callers' to handle
                for _, answer in batch:
                    answer.set_exception(error)
            else:
                for (_, answer), vector in answers:
                    answer.set_result(vector)
