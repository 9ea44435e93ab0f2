"""The clips that a run of faults serves, each with what indexing and enriching it must give."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indexer.blobs import BlobStore
from indexer.decode.decoder import PyAvDecoder
from indexer.enrich.assignment import MomentRange, assign_lines, assign_sounds
from indexer.enrich.recognition import recognize_sounds, recognize_speech, recognize_text
from indexer.enrich.sources import SenseSources, SourceStore
from indexer.ingest.segmentation import cut_into_segments
from indexer.types import DecodeResult, Evidence
from tests.support.indexer.fake_recognizers import FakeSoundTagger, FakeSpeechRecognizer, FakeTextReader
from tests.support.indexer.media import BLUE, GREEN, RED, WHITE, write_video

COLOURS: Final = (RED, GREEN, BLUE, WHITE)


@dataclass(frozen=True)
class ServedClip:
    """A file, the numbers of moments and pictures that indexing it must give, and the evidence of each moment."""

    content: bytes
    moments: int
    pictures: int
    evidence: Sequence[Evidence]


def make_clips(folder: Path, files: int, rng: random.Random) -> list[ServedClip]:
    """Write small videos of one or two shots with sound, and decode each to know what indexing must give."""
    decoder = PyAvDecoder(max_pixels=10**6, max_duration_s=60, timeout_s=60, memory_limit_bytes=2 * 1024**3)
    clips = []
    for number in range(files):
        shots = rng.sample(COLOURS, rng.choice((1, 2)))
        path = folder / f"{number}.mp4"
        write_video(path, 2.0 * len(shots), rate=2, size=(64, 64), shots=shots, is_loud=True)
        pictures = folder / f"{number}"
        pictures.mkdir()
        decoded = decoder.decode(path, pictures, lambda *_: None)
        segments = [
            MomentRange(str(at), each.start_s, each.end_s) for at, each in enumerate(cut_into_segments(decoded))
        ]
        evidence = _recognize(decoded, segments, BlobStore(str(folder / "blobs")))
        clips.append(ServedClip(path.read_bytes(), len(segments), len(decoded.frames), evidence))
    return clips


def _recognize(decoded: DecodeResult, segments: Sequence[MomentRange], blobs: BlobStore) -> list[Evidence]:
    """Return what the fake recognizers find in each segment."""
    assert decoded.sound is not None
    sources = SourceStore(blobs).keep("clip", SenseSources((), decoded.sound, decoded.reading_frames))
    duration_s = segments[-1].end_s
    lines = recognize_speech(FakeSpeechRecognizer(), decoded.sound, duration_s, _ignore)
    texts = recognize_text(FakeTextReader(), blobs, sources, duration_s, _ignore)
    sounds = recognize_sounds(FakeSoundTagger(), decoded.sound, duration_s, _ignore)
    said, shown = assign_lines(lines, segments), assign_lines(texts, segments)
    heard = assign_sounds(sounds, segments)
    return [Evidence(said.get(each.id, ()), shown.get(each.id, ()), heard.get(each.id, ())) for each in segments]


def _ignore(_: float) -> None:
    """Report no progress."""
