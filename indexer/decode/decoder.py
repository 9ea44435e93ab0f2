"""Decoder adapter: runs `indexer.decode.decode_worker` in a sandboxed child process."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from indexer.errors import CorruptFileError
from indexer.ports import StageProgressCallback
from indexer.sandbox.child import ResourceLimits
from indexer.sandbox.parent import ChildCrashedError, ChildTimeoutError, run_child
from indexer.stages import IndexStage
from indexer.types import SAMPLE_RATE_HZ, Caption, DecodeResult, SampledFrame

_MAX_FRAME_FILE_BYTES = 64 * 1024**2
_MAX_SOUND_BYTES_PER_S = 3 * SAMPLE_RATE_HZ
"""Two bytes a sample, which FLAC compresses unless it is noise, and room for its headers."""
_CODE_ADDRESS_BYTES = 1024**3
"""Address space for the child's code and thread stacks, in addition to its memory. At most 370 MB were measured."""


@dataclass(frozen=True)
class PyAvDecoder:
    """Implementation of `indexer.ports.Decoder` with PyAV.

    `max_pixels` limits the width times the height of each picture. With `wants_speech`, the subtitles inside the
    file and in files next to it are read. With `wants_sound`, the sound is decoded; with `wants_reading_frames`, larger
    frames are sampled for reading text. Setting the event `stopping` kills the child.
    """

    max_pixels: int
    max_duration_s: float
    timeout_s: float
    memory_limit_bytes: int
    wants_speech: bool = True
    wants_sound: bool = True
    wants_reading_frames: bool = True
    stopping: Event | None = None

    def decode(
        self, media: Path, folder: Path, progress: StageProgressCallback, sound: Path | None = None
    ) -> DecodeResult:
        """Sample frames and the sound of `media` into `folder`. If it has no sound, the file `sound` may have it.

        Raises `DecodeError`, or `TooLongError` if the video is over the limit and its site gave no duration.
        """
        request = {
            "media": str(media.resolve()),
            "folder": str(folder.resolve()),
            "max_pixels": self.max_pixels,
            "max_duration_s": self.max_duration_s,
            "wants_speech": self.wants_speech,
            "wants_sound": self.wants_sound,
            "wants_reading_frames": self.wants_reading_frames,
            "sound": str(sound.resolve()) if sound else None,
        }
        memory_bytes = self.memory_limit_bytes
        file_bytes = max(_MAX_FRAME_FILE_BYTES, round(self.max_duration_s * _MAX_SOUND_BYTES_PER_S))
        limits = ResourceLimits(self.timeout_s, memory_bytes, file_bytes, memory_bytes + _CODE_ADDRESS_BYTES)
        progress(IndexStage.DECODE, 0.0)
        try:
            result = run_child(
                "indexer.decode.decode_worker",
                request,
                limits,
                folder,
                lambda share: progress(IndexStage.DECODE, share),
                self.stopping,
            )
        except (ChildCrashedError, ChildTimeoutError) as error:  # not transient: the same file would do it again
            raise CorruptFileError(str(error)) from error
        progress(IndexStage.DECODE, 1.0)
        return _read_result(result, folder)


def _read_result(result: Mapping[str, Any], folder: Path) -> DecodeResult:
    """Return what the child reports. Its files are those in `folder`, whichever folder it names."""

    def read_frames(frames: Iterable[tuple[float, str]]) -> tuple[SampledFrame, ...]:
        return tuple(SampledFrame(at_s, folder / Path(name).name) for at_s, name in frames)

    return DecodeResult(
        duration_s=result["duration_s"],
        frames=read_frames(result["frames"]),
        cuts_s=tuple(result["cuts_s"]),
        speech=tuple(Caption(*each[:3]) for each in result["speech"]),
        chapters=tuple(Caption(*each[:3]) for each in result["chapters"]),
        sound=folder / Path(result["sound"]).name if result["sound"] else None,
        reading_frames=read_frames(result["reading_frames"]),
    )
