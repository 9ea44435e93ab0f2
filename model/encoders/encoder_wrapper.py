"""The base of encoders that change a part of what another encoder does."""

from collections.abc import Sequence

from model.ports import Clip, Encoder, Picture, TextVectors, Vector


class EncoderWrapper:
    """Has the properties of `encoder`, and passes all calls to it.

    Subclasses override what they change. Without a `generation`, the wrapper has the encoder's own.
    """

    def __init__(self, encoder: Encoder, generation: str | None = None) -> None:
        self._encoder = encoder
        self.generation = generation or encoder.generation
        self.frame_size = encoder.frame_size
        self.motion_size = encoder.motion_size
        self.meaning_size = encoder.meaning_size
        self.logit_scale = encoder.logit_scale
        self.unrelated_cosine = encoder.unrelated_cosine

    def encode_texts(self, texts: Sequence[str]) -> Sequence[TextVectors]:
        return self._encoder.encode_texts(texts)

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        return self._encoder.encode_sentences(texts)

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        return self._encoder.encode_frames(pictures)

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        return self._encoder.encode_clips(clips)
