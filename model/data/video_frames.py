"""Frames of a video file, for pairs that name a video instead of pictures."""

from hashlib import sha256
from pathlib import Path

import av

from model.atomic_write import write_atomically
from model.errors import PairsUnreadableError

MAX_FRAMES = 64
_MAX_SIDE = 448
"""Pixels."""


def extract_frames(video: Path, work: Path) -> tuple[Path, ...]:
    """Write about one frame per second, at most `MAX_FRAMES`, as JPEG below `work`.

    Returns the files in order.

    Frames of an unchanged video are reused. Raises `PairsUnreadableError`.
    """
    try:
        stat = video.stat()
        identity = f"{video.resolve()} {stat.st_size} {stat.st_mtime_ns}"
        folder = work / sha256(identity.encode("utf-8", "replace")).hexdigest()[:32]
        if not folder.exists():
            with write_atomically(folder) as partial:
                partial.mkdir(exist_ok=True)
                _write_frames(video, partial)
    except (OSError, av.FFmpegError, IndexError) as error:
        raise PairsUnreadableError("{file} is neither a picture nor a video that can be read", file=video) from error
    return tuple(sorted(folder.iterdir()))


def _write_frames(video: Path, folder: Path) -> None:
    """Write the frame in the middle of each second, or of each longer interval.

    Raises `IndexError` if there is no frame.
    """
    with av.open(str(video)) as media:
        stream = media.streams.video[0]
        duration_s = float(media.duration or 0) / av.time_base
        interval_s = max(1.0, duration_s / MAX_FRAMES)
        next_s, last, count = min(interval_s, duration_s) / 2, None, 0
        for frame in media.decode(stream):
            last = frame
            if (frame.time or 0.0) >= next_s:
                _save(frame, folder / f"{count:03}.jpg")
                next_s, count = next_s + interval_s, count + 1
        if last is None:
            raise IndexError(f"{video} has no frames")
        if not count:
            _save(last, folder / "000.jpg")


def _save(frame: av.VideoFrame, file: Path) -> None:
    image = frame.to_image()  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    image.save(file, quality=92)
