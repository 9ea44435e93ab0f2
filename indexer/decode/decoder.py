"""Samples a file's pictures in a child process that has no network: `indexer.decode.decode_worker` does the work."""

from dataclasses import dataclass
from pathlib import Path
from threading import Event

from indexer.errors import CorruptFileError
from indexer.ports import StageProgressCallback
from indexer.sandbox.child import ResourceLimits
from indexer.sandbox.parent import ChildCrashedError, ChildTimeoutError, run_child
from indexer.types import DecodeResult, SampledFrame

_MAX_PICTURE_FILE_BYTES = 64 * 1024**2
_PROGRAM_BYTES = 1024**3
"""Addresses that the child's code and its threads' stacks take beside its memory: 370 MB at the most seen."""


@dataclass(frozen=True)
class PyAvDecoder:
    """An `indexer.ports.Decoder`. `max_pixels` is of one picture, width times height."""

    max_pixels: int
    max_duration_s: float
    timeout_s: float
    memory_limit_bytes: int
    stopping: Event | None = None

    def decode(self, media: Path, folder: Path, progress: StageProgressCallback) -> DecodeResult:
        """Raises `DecodeFailed`, or `TooLong` where the site did not say how long the video is."""
        request = {
            "media": str(media.resolve()),
            "folder": str(folder.resolve()),
            "max_pixels": self.max_pixels,
            "max_duration_s": self.max_duration_s,
        }
        memory_bytes = self.memory_limit_bytes
        limits = ResourceLimits(self.timeout_s, memory_bytes, _MAX_PICTURE_FILE_BYTES, memory_bytes + _PROGRAM_BYTES)
        progress("decode", 0.0)
        try:
            found = run_child(
                "indexer.decode.decode_worker",
                request,
                limits,
                folder,
                lambda share: progress("decode", share),
                self.stopping,
            )
        except (ChildCrashedError, ChildTimeoutError) as error:  # a file that crashes or stalls the decoder will do so again
            raise CorruptFileError(str(error)) from error
        progress("decode", 1.0)
        return DecodeResult(
            duration_s=found["duration_s"],
            frames=tuple(SampledFrame(at_s, folder / Path(name).name) for at_s, name in found["frames"]),
            cuts_s=tuple(found["cuts_s"]),
        )
