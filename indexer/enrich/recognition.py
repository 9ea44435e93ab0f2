"""Recognition of one sense of a whole video from its kept sources."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from indexer.blobs import BlobStore
from indexer.enrich.shown_text import ReadFrame, merge_lines
from indexer.enrich.sources import KeptSources
from indexer.enrich.windows import cut_into_windows
from indexer.errors import CorruptFileError
from indexer.images import read_large_frame
from indexer.ports import ShareCallback, ShownLine, SoundTagger, SpeechRecognizer, SpokenLine, TextReader
from indexer.senses import SoundTag
from indexer.sound_file import read_blocks
from indexer.types import SAMPLE_RATE_HZ, Caption, SoundSamples, TimedWord


@dataclass(frozen=True)
class Recognizers:
    """Loaders of the recognizers. They raise the errors of a part that is missing."""

    load_speech: Callable[[], SpeechRecognizer]
    load_sounds: Callable[[], SoundTagger]
    load_text: Callable[[], TextReader]


def recognize_speech(
    recognizer: SpeechRecognizer, sound: Path, duration_s: float, progress: ShareCallback
) -> tuple[Caption, ...]:
    """Return the lines of speech in a sound file, with the second of each word. Raises `CorruptFileError`."""
    lines: list[Caption] = []
    for start_s, samples, report in _read_windows(sound, duration_s, progress):
        lines += [_to_caption(line, start_s) for line in recognizer.transcribe(samples, report)]
    return tuple(lines)


def recognize_sounds(
    tagger: SoundTagger, sound: Path, duration_s: float, progress: ShareCallback
) -> tuple[SoundTag, ...]:
    """Return what is heard in a sound file. Raises `CorruptFileError`."""
    tags: list[SoundTag] = []
    for start_s, samples, report in _read_windows(sound, duration_s, progress):
        tags += [
            SoundTag(each.name, each.score, start_s + each.start_s, start_s + each.end_s)
            for each in tagger.tag(samples, report)
        ]
    return tuple(tags)


def recognize_text(
    reader: TextReader, blobs: BlobStore, sources: KeptSources, duration_s: float, progress: ShareCallback
) -> tuple[Caption, ...]:
    """Return the lines of text on the screen. A frame that cannot be read any more is left out."""
    times = sorted(sources.frame_keys)
    ends = [*times[1:], max(duration_s, times[-1] if times else 0.0)]

    def read_frames() -> Iterator[ReadFrame]:
        for number, (start_s, end_s) in enumerate(zip(times, ends, strict=True)):
            progress(number / len(times))
            yield ReadFrame(start_s, end_s, _read_lines(reader, blobs, sources.frame_keys[start_s]))

    return merge_lines(read_frames())


def _read_lines(reader: TextReader, blobs: BlobStore, key: str) -> Sequence[ShownLine]:
    with suppress(KeyError, CorruptFileError):
        return reader.read(read_large_frame(blobs.get(key)))
    return ()


def _read_windows(
    sound: Path, duration_s: float, progress: ShareCallback
) -> Iterator[tuple[float, SoundSamples, ShareCallback]]:
    """Yield the start and the samples of each window of a sound file, and the callback for the progress within it."""
    try:
        for start_s, samples in cut_into_windows(read_blocks(sound)):
            length_s = len(samples) / SAMPLE_RATE_HZ
            total_s = max(duration_s, start_s + length_s)
            yield start_s, samples, partial(_report, progress, start_s / total_s, length_s / total_s)
    except ValueError as error:
        raise CorruptFileError(str(error)) from error


def _report(progress: ShareCallback, begin: float, part: float, share: float) -> None:
    progress(begin + part * share)


def _to_caption(line: SpokenLine, start_s: float) -> Caption:
    """Return a line of a window that begins at `start_s` with its times in the whole sound."""
    words = tuple(TimedWord(start_s + word.start_s, word.text) for word in line.words)
    return Caption(start_s + line.start_s, start_s + line.end_s, line.text, words)
