"""Pictures out of a clip, for pairs that name a video instead of its pictures."""

from hashlib import sha256
from pathlib import Path

import av

from model.errors import PairsUnreadable

MOST = 64
_SIDE = 448


def stills(clip: Path, work: Path) -> tuple[Path, ...]:
    """About one picture a second, no more than `MOST`, as JPEG in `work`. Raises `PairsUnreadable`.

    What is there from the last time is not made again.
    """
    try:
        about = clip.stat()
        state = f"{clip.resolve()} {about.st_size} {about.st_mtime_ns}"
        folder = work / sha256(state.encode("utf-8", "replace")).hexdigest()[:32]
        if not folder.exists():
            _write(clip, folder)
    except (OSError, av.FFmpegError, IndexError) as error:
        raise PairsUnreadable(f"{clip} is neither a picture nor a video that can be read") from error
    return tuple(sorted(folder.iterdir()))


def _write(clip: Path, folder: Path) -> None:
    """From the middle of each second, or of each longer stretch. `folder` is there only when it is whole."""
    new = folder.with_name(f".{folder.name}")
    new.mkdir(parents=True, exist_ok=True)
    with av.open(str(clip)) as media:
        stream = media.streams.video[0]
        duration_s = float(media.duration or 0) / av.time_base
        stretch_s = max(1.0, duration_s / MOST)
        at_s, last, count = min(stretch_s, duration_s) / 2, None, 0
        for frame in media.decode(stream):
            last = frame
            if (frame.time or 0.0) >= at_s:
                _save(frame, new / f"{count:03}.jpg")
                at_s, count = at_s + stretch_s, count + 1
        if last is not None and not count:
            _save(last, new / "000.jpg")
    if not any(new.iterdir()):
        raise IndexError(f"{clip} holds no pictures")
    new.replace(folder)


def _save(frame: av.VideoFrame, file: Path) -> None:
    image = frame.to_image()  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
    image.thumbnail((_SIDE, _SIDE))
    image.save(file, quality=92)
