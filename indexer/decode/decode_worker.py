"""Child process that decodes one file: `python -m indexer.decode.decode_worker`.

`indexer.decode.decoder` starts it.

The file is hostile. This process can open no connection and start no program, and it only enables demuxers
that never open a second file: a playlist (HLS, concat, SDP, …) could name files of this machine, whatever its
file name ends in.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from PIL import ImageFile

from indexer.decode.picture_file import open_picture
from indexer.decode.reading import ReadingSampler
from indexer.decode.rendering import FrameRenderer
from indexer.decode.shots import ShotDetector
from indexer.decode.sidecars import read_sidecars
from indexer.decode.source import DecodeLimits, FrameSource, check_duration
from indexer.decode.video_file import extract_sound, open_video
from indexer.errors import CorruptFileError, EmptyFileError, TooManyPixelsError
from indexer.sandbox.child import ProgressCallback, serve_request
from indexer.sandbox.guard import forbid_network_and_exec
from indexer.types import MAX_READING_SIDE_PX, Caption

SAMPLE_INTERVAL_S: Final = 1.0
SOUND_FILE: Final = "sound.flac"
MIN_FRAMES: Final = 8
"""Number of frames that a motion vector is made of. Shorter videos are sampled more densely to have as many.
"""


@dataclass
class Samples:
    """Frames, cuts and words that one pass over a file found. `decoded` counts all frames, kept or not."""

    frames: list[tuple[float, str]] = field(default_factory=list)
    reading_frames: list[tuple[float, str]] = field(default_factory=list)
    has_sound: bool = False
    cuts_s: list[float] = field(default_factory=list)
    decoded: int = 0
    duration_s: float = 0.0
    speech: tuple[Caption, ...] = ()
    chapters: tuple[Caption, ...] = ()


def decode(request: dict[str, Any], progress: ProgressCallback) -> dict[str, Any]:
    """Sample the frames of `request["media"]` into `request["folder"]`, and read the text in it and its subtitle files.

    `request` also holds `max_pixels`, `max_duration_s`, `wants_speech`, `wants_sound`, `wants_reading_frames`, and
    `sound`, a second file with sound alone. A short video with too few samples gets a
    second pass that spreads `MIN_FRAMES` over all of its frames. Raises `DecodeError` and `TooLongError`.
    """
    media = Path(request["media"])
    if media.stat().st_size == 0:
        raise EmptyFileError(str(media))
    sidecars = read_sidecars(media) if request["wants_speech"] else {}
    taken = sidecars.keys() if request["wants_speech"] else None
    try:
        samples = _sample(request, taken, lambda _, at_s, due_s: at_s >= due_s, progress)
        wanted = min(MIN_FRAMES, samples.decoded)
        if len(samples.frames) < wanted and samples.duration_s < MIN_FRAMES * SAMPLE_INTERVAL_S:
            indexes = {i * samples.decoded // wanted for i in range(wanted)}
            dense = _sample(
                request | {"wants_sound": False, "wants_reading_frames": False},
                taken,
                lambda index, _, __: index in indexes,
                progress,
            )
            samples = replace(dense, reading_frames=samples.reading_frames, has_sound=samples.has_sound)
    except MemoryError as error:
        raise TooManyPixelsError(f"more memory than allowed: {error}") from error
    if not samples.frames:
        raise CorruptFileError("no picture could be decoded")
    has_sound = samples.has_sound or _extract_second_sound(request)
    speech = [*samples.speech, *(caption for track in sidecars.values() for caption in track)]
    return {
        "duration_s": samples.duration_s,
        "frames": samples.frames,
        "cuts_s": samples.cuts_s,
        "reading_frames": samples.reading_frames,
        "sound": SOUND_FILE if has_sound else None,
        "speech": [astuple(caption) for caption in sorted(speech, key=lambda caption: caption.start_s)],
        "chapters": [astuple(caption) for caption in samples.chapters],
    }


def _sample(
    request: dict[str, Any],
    taken: Collection[str | None] | None,
    is_wanted: Callable[[int, float, float], bool],
    progress: ProgressCallback,
) -> Samples:
    """Decode the file once and keep the wanted frames and the first frame after each cut.

    `is_wanted` takes a frame's index, its second, and the second at which the next sample is due.
    """
    folder, samples, detector, renderer = Path(request["folder"]), Samples(), ShotDetector(), FrameRenderer()
    limits = DecodeLimits(request["max_pixels"], request["max_duration_s"])
    sound_file = folder / SOUND_FILE if request["wants_sound"] else None
    reading_renderer = FrameRenderer(MAX_READING_SIDE_PX, MAX_READING_SIDE_PX)
    with _open_source(Path(request["media"]), limits, taken, sound_file) as source:
        reading = ReadingSampler(source.length_s) if request["wants_reading_frames"] else None
        dense_s = min(SAMPLE_INTERVAL_S, (source.length_s or SAMPLE_INTERVAL_S * MIN_FRAMES) / MIN_FRAMES)
        due_s, last_cut_s = 0.0, None
        for frame, at_s in source.frames():
            check_duration(at_s, limits.max_duration_s)
            if (cut_s := detector.add_frame(frame, at_s)) is not None:
                samples.cuts_s.append(round(cut_s, 3))
                last_cut_s = cut_s
            is_first_of_shot = last_cut_s is not None and samples.frames[-1][0] < last_cut_s
            if is_wanted(samples.decoded, at_s, due_s) or is_first_of_shot:
                name = f"{len(samples.frames):06d}.jpg"
                renderer.write(frame, source.pixel_shape, folder / name)
                samples.frames.append((round(at_s, 3), name))
                # Only the first frames are dense, or a file with a false short duration would have every frame kept.
                interval_s = dense_s if len(samples.frames) < MIN_FRAMES else SAMPLE_INTERVAL_S
                due_s = (int(at_s / interval_s + 1e-6) + 1) * interval_s
            if reading and reading.wants(frame, at_s):
                name = f"read_{len(samples.reading_frames):06d}.jpg"
                reading_renderer.write(frame, source.pixel_shape, folder / name)
                samples.reading_frames.append((round(at_s, 3), name))
            samples.decoded += 1
            progress(at_s / source.length_s if source.length_s else 0.0)
        samples.duration_s = round(min(source.duration_s, limits.max_duration_s), 3)
        samples.speech, samples.chapters, samples.has_sound = source.speech, source.chapters, source.has_sound
    return samples


def _extract_second_sound(request: dict[str, Any]) -> bool:
    """Write the sound of the second file. Returns whether it has any. A broken file costs only the sound."""
    if not request["wants_sound"] or not request["sound"]:
        return False
    limits = DecodeLimits(request["max_pixels"], request["max_duration_s"])
    try:
        with Path(request["sound"]).open("rb") as file:
            return extract_sound(file, limits, Path(request["folder"]) / SOUND_FILE)
    except (CorruptFileError, MemoryError) as error:
        print(f"no sound: {error}")
        return False


@contextmanager
def _open_source(
    media: Path, limits: DecodeLimits, taken: Collection[str | None] | None, sound_file: Path | None
) -> Iterator[FrameSource]:
    """Open a file as a picture or as a video, whose sound is written to `sound_file` if one is given.

    Reads no subtitles in the languages `taken`, or none if it is None.
    """
    with media.open("rb") as file:
        picture = open_picture(file, limits.max_pixels)
        if picture is not None:
            yield picture
            return
        with open_video(file, limits, taken, sound_file) as video:
            yield video


if __name__ == "__main__":
    forbid_network_and_exec()
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    serve_request(decode)
