"""Micro-batching: texts of concurrent searches share one call of the encoder."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from model.encoders.encoder_wrapper import EncoderWrapper
from model.ports import Clip, Encoder, Picture, TextVectors, Vector

MAX_BATCH = 64


class MicroBatcher(EncoderWrapper):
    """An encoder that collects text calls: the calls that arrive while a batch runs form the next batch.

    An idle batcher starts at once, so a single call never waits for others.
    """

    def __init__(self, encoder: Encoder, on_batch: Callable[[str, int], None] = lambda kind, items: None) -> None:
        """Wrap `encoder`.

        `on_batch` gets the kind (texts, sentences, frames or clips) and the size of each encoder call.
        """
        super().__init__(encoder)
        self._on_batch = on_batch
        self._queue: deque[tuple[str, Future[TextVectors]]] = deque()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="batcher")

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        """Encode texts. An error of the encoder is raised to all callers of the batch.

        Raises `RuntimeError` if the batcher is closed.
        """
        return [future.result() for future in self.submit(texts)]

    def submit(self, texts: Sequence[str]) -> list[Future[TextVectors]]:
        """Return one future per text without waiting."""
        submitted: list[tuple[str, Future[TextVectors]]] = [(text, Future()) for text in texts]
        self._queue.extend(submitted)
        self._executor.submit(self._encode_queued)
        return [future for _, future in submitted]

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        """Encode texts at once, without batching."""
        self._on_batch("sentences", len(texts))
        return super().encode_sentences(texts)

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        """Encode pictures at once, without batching."""
        self._on_batch("frames", len(pictures))
        return super().encode_frames(pictures)

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        """Encode clips at once, without batching."""
        self._on_batch("clips", len(clips))
        return super().encode_clips(clips)

    def close(self) -> None:
        """Encode what is queued, then stop."""
        self._executor.shutdown()

    def _encode_queued(self) -> None:
        while batch := [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]:
            try:
                self._on_batch("texts", len(batch))
                vectors = self._encoder.encode_texts([text for text, _ in batch])
                results = list(zip(batch, vectors, strict=True))
            except Exception as error:  # any error belongs to the callers
                for _, future in batch:
                    future.set_exception(error)
            else:
                for (_, future), vector in results:
                    future.set_result(vector)
