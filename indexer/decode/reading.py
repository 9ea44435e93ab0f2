"""Choice of the frames in which text is read: few, and each different from the one before."""

from typing import Final

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.reformatter import VideoReformatter

MAX_READING_FRAMES: Final = 600
READING_INTERVAL_S: Final = 2.0
"""Minimum distance of two frames. A subtitle is shown longer."""
_COLUMNS, _ROWS = 160, 90
_MIN_LEVELS: Final = 40
"""Minimum change of brightness of a point, of 256 levels."""
_MIN_SHARE: Final = 0.004
"""Minimum share of points that change: a short subtitle covers more of the picture."""


class ReadingSampler:
    """Chooser of frames for reading. `length_s` is the duration that the file claims, or None."""

    def __init__(self, length_s: float | None) -> None:
        self._reformatter = VideoReformatter()
        self._interval_s = max(READING_INTERVAL_S, (length_s or 0.0) / MAX_READING_FRAMES)
        self._next_s = 0.0
        self._left = MAX_READING_FRAMES
        self._last: npt.NDArray[np.int16] | None = None

    def wants(self, frame: VideoFrame, at_s: float) -> bool:
        """Return whether the next frame in time order is to be read. It then counts as the last one."""
        if at_s < self._next_s or not self._left:
            return False
        self._next_s = at_s + self._interval_s
        small = self._reformatter.reformat(frame, _COLUMNS, _ROWS, "gray", interpolation="AREA")
        points = small.to_ndarray().astype(np.int16)
        if self._last is not None and (np.abs(points - self._last) >= _MIN_LEVELS).mean() < _MIN_SHARE:
            return False
        self._last = points
        self._left -= 1
        return True
